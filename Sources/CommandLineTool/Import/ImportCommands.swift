import Domain
import Glibc
import HTTP
import HTTPTransport
import JSON
import Node
import Runtime
import Timetable

/// `carillon import …`.
enum ImportCommands {
    static let all = [cronicle, chronos, crontab]

    /// The largest file that is read.
    static let largestFile = 64 << 20

    private static let isDry = Option<Bool>.flag("dry-run", "send nothing; show what would be imported")
    private static let databaseURL = Option<String?>.optionalText(
        "database-url", "URL", "the cluster's PostgreSQL, for users, who keep their passwords")
    private static let hasUsers = Option<Bool>.flag(
        "system", "the sixth field is a user, as in /etc/crontab and /etc/cron.d, where it is assumed")
    private static let zone = Option<String?>.optionalText(
        "zone", "ZONE", "for lines without CRON_TZ (default: this machine's time zone)")
    private static let prefix = Option<String?>.optionalText(
        "prefix", "TEXT", "with which the jobs' names begin (default: the file's name)")

    private static let sourceKey = Option<String?>.optionalText(
        "source-key", "KEY", "API key for SOURCE, where that is a URL of Carillon")
    private static let sourceCredentials = Option<String?>.optionalText(
        "source-credentials-file", "FILE", "file with user:password for SOURCE, where that is a URL")

    private static let details = """
        Reports what was imported and what not, with the next ten instants at which each job is due. The exit status \
        is 1 if anything could not be imported. What is there already is replaced, so that an import can be repeated.
        """

    // MARK: Cronicle

    static let cronicle = Command(
        path: ["import", "cronicle"], summary: "Import Cronicle's export file",
        details: details + """


            Takes users, plugins, categories, server groups, API keys and the schedule of a file that Cronicle's \
            `control.sh export` has written. The key must be an administrator's.
            """,
        examples: ["carillon import cronicle export.txt --dry-run"],
        positionals: [.init(name: "FILE", help: "the export; '-' is standard input")],
        options: [isDry.declaration, databaseURL.declaration] + ClientCommands.shared
    ) { arguments in
        let text = try read(arguments.positionals[0], "cronicle")
        return try perform(arguments) { _, now in CronicleExport.plan(text, now: now) }
    }

    // MARK: Chronos

    static let chronos = Command(
        path: ["import", "chronos"], summary: "Import a list of jobs from Chronos",
        details: details + """


            SOURCE is a file with the list that GET /v1/scheduler/jobs answers, or the URL of a Chronos, from which it \
            is read, with the user and password of --source-credentials-file where Chronos wants them. --key and \
            --url name the cluster that takes the jobs; what comes from another Carillon needs its --source-key.
            """,
        examples: [
            "carillon import chronos http://chronos.example.org:4400 --dry-run",
            "carillon import chronos https://old.example.org --source-key \"$OLD_KEY\"",
        ],
        positionals: [.init(name: "SOURCE", help: "a URL, or a file; '-' is standard input")],
        options: [isDry.declaration, sourceKey.declaration, sourceCredentials.declaration] + ClientCommands.shared
    ) { arguments in
        let source = arguments.positionals[0]
        let isURL = source.hasPrefix("http://") || source.hasPrefix("https://")
        let text = isURL ? nil : try read(source, "chronos")
        let headers = try sourceHeaders(arguments, isURL: isURL)
        return try perform(arguments) { http, now in
            let bytes: [UInt8]
            if let text { bytes = Array(text.utf8) } else { bytes = try await fetch(source, headers, http) }
            let value: JSONValue
            do { value = try JSONValue(parsing: bytes, limits: .generous) } catch let error as JSONError {
                throw UsageError("'\(source)' is not JSON: \(error.message)", command: ["import", "chronos"])
            }
            guard let jobs = value.arrayValue else {
                throw UsageError("'\(source)' holds no list of jobs", command: ["import", "chronos"])
            }
            return ChronosList.plan(jobs, now: now)
        }
    }

    private static func sourceHeaders(_ arguments: Arguments, isURL: Bool) throws -> HTTPHeaders {
        var headers: HTTPHeaders = ["Accept": "application/json"]
        let key = try arguments.get(sourceKey)
        let file = try arguments.get(sourceCredentials)
        guard key != nil || file != nil else { return headers }
        guard isURL else {
            throw UsageError("SOURCE is a file, which needs neither key nor password", command: ["import", "chronos"])
        }
        guard key == nil || file == nil else {
            throw UsageError(
                "--source-key and --source-credentials-file cannot both be sent", command: ["import", "chronos"])
        }
        if let key { headers["X-API-Key"] = key }
        if let file {
            let text = try read(file, "chronos").prefix { !$0.isNewline }
            guard text.contains(":") else {
                throw UsageError(
                    "--source-credentials-file: the first line of '\(file)' must be user:password",
                    command: ["import", "chronos"])
            }
            headers["Authorization"] = "Basic " + Base64.encode(Array(text.utf8))
        }
        return headers
    }

    /// Of a bare host the path of Chronos' later versions, then that of its earlier ones.
    private static func fetch(
        _ source: String, _ headers: HTTPHeaders, _ http: HTTPClient
    ) async throws -> [UInt8] {
        var base = source
        while base.hasSuffix("/") { base.removeLast() }
        let candidates = base.hasSuffix("/jobs") ? [base] : [base + "/v1/scheduler/jobs", base + "/scheduler/jobs"]
        var refusal = ""
        for url in candidates {
            let answer = try await http.execute(
                HTTPClientRequest(
                    method: .get, url: url, headers: headers, body: [], timeout: .seconds(60),
                    maximumResponseBytes: largestFile))
            if answer.status == 200 { return answer.body }
            refusal = "\(url) answered with status \(answer.status)"
            if answer.status == 401 || answer.status == 403 {
                refusal += "; say who asks with --source-key or --source-credentials-file"
                break
            }
        }
        throw APIClient.Failure(status: nil, message: refusal)
    }

    // MARK: crontab

    static let crontab = Command(
        path: ["import", "crontab"], summary: "Import a crontab",
        details: details + """


            Each line becomes a job that runs the command by the shell, with the variables set above it. CRON_TZ is \
            its time zone, MAILTO with an address its owner, SHELL its shell. @reboot has no counterpart and is refused.
            """,
        examples: ["crontab -l | carillon import crontab - --dry-run"],
        positionals: [.init(name: "FILE", help: "a crontab; '-' is standard input")],
        options: [isDry.declaration, hasUsers.declaration, zone.declaration, prefix.declaration]
            + ClientCommands.shared
    ) { arguments in
        let path = arguments.positionals[0]
        let text = try read(path, "crontab")
        let isSystems = path == "/etc/crontab" || path.hasPrefix("/etc/cron.d/")
        let users = try arguments.get(hasUsers) || isSystems
        let zone = try arguments.get(zone) ?? machineZone
        guard SystemZoneDatabase().rules(named: zone) != nil || zone == "UTC" else {
            throw UsageError("--zone: there is no time zone '\(zone)'", command: ["import", "crontab"])
        }
        let prefix = try arguments.get(prefix) ?? defaultPrefix(path)
        return try perform(arguments) { _, now in
            Crontab.plan(text, Crontab.Options(hasUsers: users, zone: zone, prefix: prefix, now: now))
        }
    }

    private static func defaultPrefix(_ path: String) -> String {
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        let safe = name.filter { $0.isASCII && ($0.isLetter || $0.isNumber || "_-".contains($0)) }
        return safe.allSatisfy { $0 == "-" } ? "crontab" : safe
    }

    /// By the link that the system's tools set; UTC where there is none.
    private static var machineZone: String {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let length = readlink("/etc/localtime", &buffer, buffer.count)
        guard length > 0 else { return "UTC" }
        let target = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let parts = target.split(separator: "/")
        guard let folder = parts.firstIndex(of: "zoneinfo") else { return "UTC" }
        let name = parts[(folder + 1)...].joined(separator: "/")
        return name.isEmpty || name == "Etc/UTC" ? "UTC" : name
    }

    // MARK: Performing

    private static func read(_ path: String, _ command: String) throws(UsageError) -> String {
        do { return try SmallFile.read(path, limit: largestFile) } catch {
            throw UsageError("cannot read '\(path)': \(error)", command: ["import", command])
        }
    }

    private static func perform(
        _ arguments: Arguments, _ plan: @escaping @Sendable (HTTPClient, Instant) async throws -> ImportPlan
    ) throws -> Int32 {
        let url = try arguments.get(ClientCommands.url)
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            throw UsageError("--url: '\(url)' is no URL, such as http://127.0.0.1:8080")
        }
        let key = try arguments.get(ClientCommands.key)
        let isDry = try arguments.get(isDry)
        let wantsJSON = try arguments.get(ClientCommands.json)
        let database = try arguments.get(databaseURL)
        let loop = try EventLoop()
        let storeUser = database.map { userStore($0, loop) }
        let report = try loop.runUntilComplete { () async throws -> ImportRun.Report in
            let http = HTTPClient(loop: loop)
            defer { http.close() }
            let now = Instant(microseconds: loop.wallMicroseconds)
            let made = try await plan(http, now)
            var client: APIClient?
            if !isDry { client = APIClient(url: url, key: key, http: http, timekeeper: loop) }
            let run = ImportRun(
                plan: made, isDry: isDry, now: now, zones: SystemZoneDatabase(), client: client, storeUser: storeUser)
            return try await run.perform()
        }
        Console.out(wantsJSON ? report.json.text : report.text)
        return report.failures == 0 ? 0 : 1
    }

    private static func userStore(_ url: String, _ loop: EventLoop) -> @Sendable (User) async throws -> Void {
        { user in try await DatabaseTasks(url: url, loop: loop).importUser(user) }
    }
}
