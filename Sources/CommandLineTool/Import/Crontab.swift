import Domain
import JSON
import Timetable

/// A crontab as crontab(5) describes it, in the form of users or, with a column for the user, of the system.
struct Crontab {
    struct Options: Sendable {
        /// The sixth field is the name of a user.
        var hasUsers = false
        /// For lines above which no CRON_TZ stands.
        var zone = "UTC"
        /// Names of jobs begin with it.
        var prefix = "crontab"
        var now: Instant
    }

    private let options: Options
    private var plan = ImportPlan()
    /// As set by the lines so far.
    private var zone: String
    private var shell = ""
    private var owner = ""
    private var environment: [(name: String, value: String)] = []
    private var names: Set<String> = []

    static func plan(_ text: String, _ options: Options) -> ImportPlan {
        var crontab = Crontab(options)
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            crontab.read(trimmed(line), number: index + 1)
        }
        return crontab.plan
    }

    private init(_ options: Options) {
        self.options = options
        zone = options.zone
    }

    private mutating func read(_ line: Substring, number: Int) {
        guard !line.isEmpty, !line.hasPrefix("#") else { return }
        if let (name, value) = Self.assignment(line) {
            set(name, value, number)
        } else {
            job(line, number)
        }
    }

    // MARK: Settings

    /// `NAME=value`, with blanks around and quotes if wanted; nil for a line that is none.
    private static func assignment(_ line: Substring) -> (String, String)? {
        guard let equals = line.firstIndex(of: "=") else { return nil }
        let name = unquoted(trimmed(line[..<equals]))
        let isName = name.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        guard isName, let first = name.first, !first.isNumber else { return nil }
        return (name, unquoted(trimmed(line[line.index(after: equals)...])))
    }

    private mutating func set(_ name: String, _ value: String, _ number: Int) {
        switch name {
        case "CRON_TZ", "TZ": zone = value.isEmpty ? options.zone : value
        case "SHELL": shell = value == "/bin/sh" ? "" : value
        case "MAILTO":
            let isAddress = value.contains("@")
            owner = isAddress ? value : ""
            if !isAddress, !value.isEmpty {
                plan.notes.append(
                    "line \(number): MAILTO '\(value)' is no mail address; nobody is told of failures of what follows")
            }
        case "LOGNAME", "USER":
            plan.notes.append("line \(number): \(name) is set by the worker and left out")
        case "RANDOM_DELAY", "START_HOURS_RANGE", "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING":
            plan.notes.append("line \(number): \(name) has no counterpart and is left out")
        default:
            environment.removeAll { $0.name == name }
            environment.append((name, value))
        }
    }

    // MARK: Jobs

    private mutating func job(_ line: Substring, _ number: Int) {
        let what = "line \(number) (\(line.prefix(60)))"
        let fieldCount = line.hasPrefix("@") ? 1 : 5
        guard let (fields, rest) = Self.fields(line, fieldCount + (options.hasUsers ? 1 : 0)) else {
            plan.refuse(
                what,
                options.hasUsers
                    ? "it has not \(fieldCount) fields of time, a user and a command"
                    : "it has not \(fieldCount) fields of time and a command")
            return
        }
        let time = fields.prefix(fieldCount).joined(separator: " ")
        guard time.lowercased() != "@reboot" else {
            plan.refuse(
                what,
                "@reboot is bound to the start of one machine, and jobs run on any worker: start it by the machine's "
                    + "own service manager")
            return
        }
        guard rest.hasPrefix("-") == false || fieldCount == 5 else { return plan.refuse(what, "there is no command") }
        let (command, input) = Self.command(rest)
        guard !command.isEmpty else { return plan.refuse(what, "there is no command") }
        let schedule = ScheduleText(notation: .cron, text: time, zone: zone, anchor: options.now)
        var step = ImportStep(
            kind: "job", name: name(of: command, number), action: .post(path: "iso8601", .null), schedule: schedule)
        var members: JSONObject = [
            "name": .string(step.name), "command": .string(whole(command, input)), "schedule": .string(time),
            "scheduleTimeZone": .string(zone), "description": .string("line \(number) of a crontab"),
            // cron starts what is due whatever runs still, tries nothing twice, and makes up for nothing.
            "concurrent": true, "retries": 0, "epsilon": "PT1M",
        ]
        if options.hasUsers {
            members["runAsUser"] = .string(fields[fieldCount])
            step.notes.append("it runs as '\(fields[fieldCount])': the workers must allow that user")
        }
        if !owner.isEmpty { members["owner"] = .string(owner) }
        if !environment.isEmpty {
            members["environmentVariables"] = .array(
                environment.map { ["name": .string($0.name), "value": .string($0.value)] })
        }
        step.action = .post(path: "iso8601", .object(members))
        plan.steps.append(step)
    }

    /// The first fields, and what follows them; nil where there are fewer, or nothing follows.
    private static func fields(_ line: Substring, _ count: Int) -> ([String], Substring)? {
        var rest = line
        var fields: [String] = []
        for _ in 0..<count {
            let field = rest.prefix { $0 != " " && $0 != "\t" }
            guard !field.isEmpty else { return nil }
            fields.append(String(field))
            rest = trimmed(rest[field.endIndex...])
        }
        return rest.isEmpty ? nil : (fields, rest)
    }

    /// A percent sign ends the command and begins what it reads; further ones are ends of lines; `\%` is one itself.
    private static func command(_ text: Substring) -> (command: String, input: [String]) {
        var parts: [String] = [""]
        var isEscaped = false
        for character in text {
            if isEscaped {
                if character != "%" { parts[parts.count - 1].append("\\") }
                parts[parts.count - 1].append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "%" {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        if isEscaped { parts[parts.count - 1].append("\\") }
        return (String(trimmed(parts[0][...])), Array(parts.dropFirst()))
    }

    private func whole(_ command: String, _ input: [String]) -> String {
        var whole = shell.isEmpty ? command : "\(shell) -c \(Self.quoted(command))"
        if !input.isEmpty {
            // Braces rather than the bare command: it may be a list.
            if shell.isEmpty { whole = "{ \(command)\n}" }
            whole = "printf '%s\\n' \(input.map(Self.quoted).joined(separator: " ")) | \(whole)"
        }
        return whole
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    /// The program's name and the line's number, so that people find it again and no two are alike.
    private mutating func name(of command: String, _ number: Int) -> String {
        let words = command.split(whereSeparator: { " \t;&|()<>\"'".contains($0) }).filter { !$0.contains("=") }
        let program = words.first.map { $0.split(separator: "/").last ?? $0 } ?? ""
        let safe = program.filter { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }.prefix(40)
        return "\(options.prefix)-\(number)" + (safe.isEmpty ? "" : "-\(safe)")
    }

    // MARK: Texts

    private static func trimmed(_ text: Substring) -> Substring {
        let blanks: Set<Character> = [" ", "\t", "\r"]
        var text = text.drop { blanks.contains($0) }
        while let last = text.last, blanks.contains(last) { text.removeLast() }
        return text
    }

    private static func unquoted(_ text: Substring) -> String {
        guard text.count >= 2, let mark = text.first, mark == "\"" || mark == "'", text.last == mark else {
            return String(text)
        }
        return String(text.dropFirst().dropLast())
    }
}
