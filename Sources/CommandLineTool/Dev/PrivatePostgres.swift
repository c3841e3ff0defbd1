import Glibc
import PostgresClient
import Runtime

/// A PostgreSQL server for this `carillon dev` alone: made on first use, reached through a unix socket in a closed
/// folder, and as durable as any. It is not meant for production, but what was committed survives a power cut.
///
/// PostgreSQL refuses to run as root; then it runs as the user `postgres`, to whom its folder belongs.
struct PrivatePostgres {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The most that the path of a unix socket may have, without the zero at its end.
    static let longestSocketPath = 107
    static let database = "carillon"
    static let superuser = "carillon"
    /// Of a server that must first replay what a crash left in its log.
    static let startDeadline = Duration.seconds(60)
    static let probePause = Duration.milliseconds(30)
    /// For how long the server of a `carillon dev` that was killed may go on shutting down.
    static let formerServerPatience = Duration.seconds(20)

    /// Where the server's programs are, for the version that the data were made with.
    let programs: String
    /// Everything of it: `data`, and the socket's folder where the path is short enough.
    let folder: String
    let user: String?
    let socketFolder: String

    var data: String { folder + "/data" }

    /// For nodes and tools on this machine.
    var url: String {
        let host = socketFolder.utf8.map { byte in
            isUnreserved(byte) ? String(UnicodeScalar(byte)) : "%" + hexadecimal(byte)
        }.joined()
        return "postgresql:///\(Self.database)?host=\(host)&user=\(Self.superuser)"
    }

    // MARK: Finding

    /// Finds the programs: for data of a version those of this version, else the newest.
    /// - Parameter folders: each with the version of the server in it, if its name tells.
    static func programs(version: Int?, among folders: [(version: Int?, path: String)]) -> String? {
        if let version {
            return (folders.first { $0.version == version } ?? folders.first { $0.version == nil })?.path
        }
        return folders.max { ($0.version ?? 0) < ($1.version ?? 0) }?.path
    }

    /// Debian's folders, and those of PATH.
    static func programFolders() -> [(version: Int?, path: String)] {
        let root = "/usr/lib/postgresql"
        var folders: [(version: Int?, path: String)] = entries(of: root).compactMap { name in
            Int(name).map { ($0, "\(root)/\(name)/bin") }
        }
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        folders += path.split(separator: ":").map { (nil, String($0)) }
        return folders.filter { access($0.path + "/initdb", X_OK) == 0 && access($0.path + "/postgres", X_OK) == 0 }
    }

    private static func entries(of folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names
    }

    // MARK: Starting

    /// Prepares the folder below the given one; makes the database on first use.
    static func prepare(in parent: String, run: (ChildProcess.Program) async throws -> Void) async throws -> Self {
        var user: String?
        if geteuid() == 0 {
            user = "postgres"
            guard getpwnam("postgres") != nil else {
                throw Failure(
                    description: "PostgreSQL does not run as root, and there is no user 'postgres' to run it as: "
                        + "install Debian's package postgresql, or start this as another user")
            }
        }
        let folder = try await PostgresFolder.make(in: parent, owner: user) { path, user in
            // The question is asked as that user: ways in may be closed anywhere above.
            do {
                try await run(.init(path: "/usr/bin/test", arguments: ["-w", path], user: user))
                return true
            } catch is DevCommand.ChildFailure {
                return false
            }
        }
        // No file yet: there is no version to match.
        let versionText = try? SmallFile.read(folder + "/data/PG_VERSION", limit: 100)
        let version = versionText.flatMap { Int(trimmed($0.prefix { !$0.isNewline })) }
        guard let programs = programs(version: version, among: programFolders()) else {
            let wanted = version.map { "PostgreSQL \($0), which made '\(folder)/data'," } ?? "PostgreSQL's server"
            throw Failure(
                description: "\(wanted) is not installed: install Debian's package "
                    + (version.map { "postgresql-\($0)" } ?? "postgresql"))
        }
        let server = PrivatePostgres(
            programs: programs, folder: folder, user: user,
            socketFolder: try PostgresFolder.socketFolder(below: folder, owner: user))
        if version == nil { try await server.initialise(run) }
        return server
    }

    private func initialise(_ run: (ChildProcess.Program) async throws -> Void) async throws {
        // A first use that was cut off has left a folder without PG_VERSION or with half of a database: it is made in
        // another place and renamed when it is complete.
        let draft = folder + "/data.new"
        let arguments = [
            "--pgdata", draft, "--username", Self.superuser, "--auth", "trust", "--encoding", "UTF8",
            "--locale", "C.UTF-8", "--no-instructions",
        ]
        try await run(.init(path: "/bin/rm", arguments: ["-rf", "--", draft, data], user: user))
        try await run(.init(path: programs + "/initdb", arguments: arguments, user: user))
        guard rename(draft, data) == 0 else {
            throw Failure(description: "cannot rename '\(draft)': \(String(cString: strerror(errno)))")
        }
    }

    /// The server as a child: shutdown in order when this process dies.
    var program: ChildProcess.Program {
        let settings = [
            "listen_addresses=", "unix_socket_directories=\(socketFolder)", "unix_socket_permissions=0700", "port=5432",
            "max_connections=100", "shared_buffers=64MB", "log_checkpoints=off", "cluster_name=carillon-dev",
        ]
        let arguments = ["-D", data] + settings.flatMap { ["-c", $0] }
        return .init(path: programs + "/postgres", arguments: arguments, user: user, deathSignal: "INT")
    }

    /// Waits until the server of a former run, whose supervisor was killed, has gone; a file that it left behind and
    /// that now names another process is removed, since the server would take that process for itself.
    func waitForFormerServer(on timekeeper: any Timekeeper) async throws {
        let lockFile = data + "/postmaster.pid"
        let start = timekeeper.monotonicNow
        var isFirst = true
        // No file is the usual case.
        while let text = try? SmallFile.read(lockFile, limit: 4096) {
            guard let pid = Int32(trimmed(text.prefix { !$0.isNewline })), pid > 0 else { return }
            guard kill(pid, 0) == 0 || errno == EPERM else { return }
            guard isServer(pid) else {
                Console.error("removing '\(lockFile)': it names process \(pid), which is not this database's server")
                unlink(lockFile)
                return
            }
            guard start.duration(to: timekeeper.monotonicNow) < Self.formerServerPatience else {
                throw Failure(
                    description: "the database in '\(data)' is in use by process \(pid), a PostgreSQL server that was "
                        + "not started by this 'carillon dev': stop it, or choose another --data-dir")
            }
            if isFirst { Console.error("waiting for process \(pid), PostgreSQL of a former run, to end") }
            isFirst = false
            try await timekeeper.sleep(for: .milliseconds(100))
        }
    }

    /// A server's working directory is its data.
    private func isServer(_ pid: Int32) -> Bool {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/\(pid)/cwd", &buffer, buffer.count)
        // What may not be looked at may be the server: refused rather than disturbed.
        guard count > 0 else { return errno == EACCES }
        let folder = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let resolved = realpath(data, nil) else { return false }
        defer { free(resolved) }
        return folder == String(cString: resolved)
    }

    /// Waits until the server answers, and makes the database on first use.
    /// - Parameter hasEnded: asked between two tries; true ends the waiting with a failure.
    func waitUntilReady(loop: EventLoop, hasEnded: @escaping @Sendable () -> Bool) async throws {
        let start = loop.monotonicNow
        let administrative = url.replacingDatabase(with: "postgres")
        while true {
            do {
                guard isAccepting else { throw PostgresError(.connection, "it has not finished starting") }
                let configuration = PostgresConfiguration(url: administrative)
                let connection = try await PostgresConnection.connect(configuration, loop: loop)
                let exists = Statement("SELECT 1 FROM pg_database WHERE datname = '\(Self.database)'")
                if try await connection.query(exists, deadline: .seconds(10)).rows.isEmpty {
                    try await connection.script("CREATE DATABASE \(Self.database)", deadline: .seconds(30))
                }
                await connection.close()
                return
            } catch let error as PostgresError {
                guard !hasEnded() else {
                    throw Failure(description: "PostgreSQL did not start: its messages stand above")
                }
                guard start.duration(to: loop.monotonicNow) < Self.startDeadline else {
                    throw Failure(description: "PostgreSQL does not answer: \(error.message)")
                }
                try await loop.sleep(for: Self.probePause)
            }
        }
    }

    /// Whether the server says so of itself, in the last line of its file: trying earlier only fills its log.
    private var isAccepting: Bool {
        // No file yet: not yet.
        let text = try? SmallFile.read(data + "/postmaster.pid", limit: 4096)
        return text?.split(whereSeparator: \.isNewline).last.map { trimmed($0) } == "ready"
    }

    private func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "/"):
            true
        default: false
        }
    }

    private func hexadecimal(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16, uppercase: true)
        return text.count == 1 ? "0" + text : text
    }
}

extension String {
    /// The same URL for another database of the server.
    fileprivate func replacingDatabase(with name: String) -> String {
        "postgresql:///\(name)" + drop { $0 != "?" }
    }
}
