import Crypto
import Domain
import JSON
import Timetable

/// The file that Cronicle's `control.sh export` writes: after a heading of lines with `#` one record a line,
/// `key - JSON`. Lists are cut into pages, whose keys end in a number.
struct CronicleExport {
    /// Written by Cronicle's setup, and there in every cluster.
    private static let stockPlugins = [
        "shellplug": "bin/shell-plugin.js", "urlplug": "bin/url-plugin.js", "testplug": "bin/test-plugin.js",
    ]
    /// What says who made it and when, there.
    private static let stamps: Set<String> = ["created", "modified", "username", "api_key", "session_id"]

    private var plan = ImportPlan()
    private var lists: [String: [(page: Int, items: [JSONValue])]] = [:]
    private var users: [JSONObject] = []
    private var others = 0
    private let now: Instant

    static func plan(_ text: String, now: Instant) -> ImportPlan {
        var export = CronicleExport(now: now)
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            export.read(line, number: index + 1)
        }
        export.conclude()
        return export.plan
    }

    private init(now: Instant) { self.now = now }

    // MARK: Reading

    private mutating func read(_ line: Substring, number: Int) {
        guard !line.allSatisfy(\.isWhitespace), !line.hasPrefix("#") else { return }
        guard let space = line.firstIndex(of: " "), line[space...].hasPrefix(" - ") else {
            plan.refuse("line \(number)", "it is not of the form 'key - JSON'")
            return
        }
        let key = line[..<space]
        let value: JSONValue
        do {
            value = try JSONValue(parsing: Array(line[line.index(space, offsetBy: 3)...].utf8), limits: .generous)
        } catch {
            plan.refuse("line \(number) (\(key))", "its value is not JSON: \(error.message)")
            return
        }
        let parts = key.split(separator: "/").map(String.init)
        if parts.count == 2, parts[0] == "users" {
            if let user = value.objectValue { users.append(user) }
        } else if parts.count == 3, parts[0] == "global", let page = Int(parts[2]) {
            lists[parts[1], default: []].append((page, value["items"]?.arrayValue ?? []))
        } else if !(parts.count == 2 && parts[0] == "global" && value["type"] == "list") {
            others += 1
        }
    }

    /// Items of a list, the oldest first: Cronicle puts new ones in front, and so do we.
    private func items(_ name: String) -> [JSONObject] {
        (lists[name] ?? []).sorted { $0.page < $1.page }.flatMap(\.items).compactMap(\.objectValue).reversed()
    }

    // MARK: What becomes of it

    private mutating func conclude() {
        for item in items("categories") { add(item, "category", "category") }
        for item in items("server_groups") { addGroup(item) }
        for item in items("plugins") { addPlugin(item) }
        for user in users { addUser(user) }
        for item in items("api_keys") { addKey(item) }
        for item in items("schedule") { addEvent(item) }
        for server in items("servers") {
            let host = server["hostname"]?.stringValue ?? "?"
            plan.notes.append("server '\(host)': a worker joins by itself: start 'carillon worker' there")
        }
        if others > 0 {
            plan.notes.append("\(others) other records (sessions, state, activity and the like) are not taken over")
        }
        if plan.steps.isEmpty, plan.refusals.isEmpty {
            plan.refuse("the file", "nothing of Cronicle's was found in it: it is written by 'control.sh export'")
        }
    }

    private static func body(_ item: JSONObject) -> JSONObject {
        JSONObject(item.filter { !stamps.contains($0.key) }.map { ($0.key, $0.value) })
    }

    /// - Returns: whether it has an identifier.
    @discardableResult
    private mutating func add(
        _ item: JSONObject, _ kind: String, _ call: String, notes: [String] = [],
        change: (inout ImportStep) -> Void = { _ in }
    ) -> Bool {
        let title = item["title"]?.stringValue ?? item["id"]?.stringValue ?? "?"
        guard let id = item["id"]?.stringValue, !id.isEmpty else {
            plan.refuse("\(kind) '\(title)'", "it has no id")
            return false
        }
        var step = ImportStep(
            kind: kind, name: title, action: .item(name: call, id: id, .object(Self.body(item))), notes: notes)
        change(&step)
        plan.steps.append(step)
        return true
    }

    private mutating func addGroup(_ item: JSONObject) {
        let pattern = item["regexp"]?.stringValue ?? ""
        add(
            item, "server group", "server_group",
            notes: pattern == ".+" ? [] : ["its members are the workers whose attribute 'hostname' matches \(pattern)"])
    }

    private mutating func addPlugin(_ item: JSONObject) {
        let id = item["id"]?.stringValue ?? ""
        let command = item["command"]?.stringValue ?? ""
        if let stock = Self.stockPlugins[id], stock == command {
            plan.notes.append("plugin '\(id)' is built in and stays as it is")
            return
        }
        var item = item
        // Its own editor writes numbers there, which its own rules refuse.
        for key in ["uid", "gid"] {
            if let number = item[key]?.int64Value { item[key] = .string(String(number)) }
        }
        let program = command.prefix { $0 != " " }
        let isRelative = program.contains("/") && !program.hasPrefix("/")
        add(
            item, "plugin", "plugin",
            notes: isRelative && item["cwd"]?.stringValue?.isEmpty ?? true
                ? ["its program '\(program)' was found in Cronicle's directory: give it an absolute path"] : [])
    }

    private mutating func addUser(_ item: JSONObject) {
        let name = item["username"]?.stringValue ?? "?"
        var user = User(username: name, created: now)
        user.fullName = item["full_name"]?.stringValue ?? ""
        user.email = item["email"]?.stringValue ?? ""
        let active = item["active"] ?? 1
        user.isActive = !(active == 0 || active == false || active == "0")
        let privileges = item["privileges"]?.objectValue ?? [:]
        user.privileges = JSONValue.object(privileges).text
        user.granted = Set(privileges.filter { $0.value.doubleValue.map { $0 != 0 } ?? ($0.value == true) }.map(\.key))
        var step = ImportStep(kind: "user", name: name, action: .user(user))
        if let hash = item["password"]?.stringValue, hash.hasPrefix("$2") {
            user.password = hash
            user.passwordSuffix = item["salt"]?.stringValue ?? ""
        } else {
            user.password = PasswordHash.ofNobody
            step.notes.append("the password cannot be taken over: a new one is asked for by mail (forgot_password)")
        }
        step.action = .user(user)
        plan.steps.append(step)
    }

    private mutating func addKey(_ item: JSONObject) {
        var item = item
        let privileges = item["privileges"] ?? [:]
        let active = item["active"].map { $0 == 0 || $0 == "0" || $0 == false ? 0 : 1 as JSONValue } ?? 1
        item = [
            "id": item["id"] ?? "", "title": item["title"] ?? "", "description": item["description"] ?? "",
            "key": item["key"] ?? "", "active": active, "privileges": privileges,
        ]
        add(item, "API key", "api_key")
    }

    private mutating func addEvent(_ item: JSONObject) {
        let now = self.now
        add(item, "event", "event") { step in
            // Who made it is told of an event as of nothing else.
            if let maker = item["username"], Self.isName(maker.stringValue ?? ""),
                case .item(let name, let id, let body) = step.action, var event = body.objectValue
            {
                event["username"] = maker
                step.action = .item(name: name, id: id, .object(event))
            }
            if item["web_hook"]?.stringValue?.contains("[") == true {
                step.notes.append("its web hook names headers or data, which are sent along")
            }
            let isEnabled = item["enabled"].map { !($0 == 0 || $0 == false || $0 == "0") } ?? false
            guard let timing = item["timing"]?.objectValue else {
                step.whyNotDue = "on demand only"
                return
            }
            guard isEnabled else {
                step.whyNotDue = "disabled"
                return
            }
            func list(_ key: String) -> [Int] {
                (timing[key]?.arrayValue ?? []).compactMap { $0.int64Value.flatMap { Int(exactly: $0) } }
            }
            // The node says what is wrong with one that cannot be read.
            guard
                let matrix = try? MinuteMatrix(
                    years: list("years"), months: list("months"), days: list("days"), weekdays: list("weekdays"),
                    hours: list("hours"), minutes: list("minutes"))
            else {
                step.whyNotDue = "its timing cannot be read"
                return
            }
            let zone = item["timezone"]?.stringValue ?? ""
            step.schedule = ScheduleText(
                notation: .minutes, text: matrix.description, zone: zone.isEmpty ? "UTC" : zone, anchor: now)
        }
    }

    /// As the node takes a user's name.
    private static func isName(_ text: String) -> Bool {
        !text.isEmpty
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) || "_-.".contains($0) }
    }
}
