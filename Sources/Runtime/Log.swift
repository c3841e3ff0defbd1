import Glibc
import Synchronization

/// One line a message on standard error: time, level, component, message, fields.
///
///     2026-11-21T22:24:05.123Z info  elector: took office epoch=7 node=a
///
/// or, for machines, one JSON object a line, with `time`, `level`, `component`, `message` and each field.
///
/// Values that come from outside may be logged: control characters are escaped, long lines are cut. Secrets may not.
public struct Log: Sendable {
    public enum Level: Int, Sendable, Comparable, CaseIterable {
        case debug, info, notice, warning, error

        public init?(name: String) {
            guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
            self = level
        }

        public var name: String {
            switch self {
            case .debug: "debug"
            case .info: "info"
            case .notice: "notice"
            case .warning: "warning"
            case .error: "error"
            }
        }

        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    public enum Format: Int, Sendable {
        case text, json

        public init?(name: String) {
            switch name {
            case "text": self = .text
            case "json": self = .json
            default: return nil
            }
        }
    }

    /// Bytes of a line; the rest is cut off and marked.
    static let longestLine = 8_192

    private static let sharedLevel = Atomic<Int>(Level.info.rawValue)

    /// The level of every log that has none of its own. Set once, by the command line; `info` until then.
    public static var level: Level {
        get { Level(rawValue: sharedLevel.load(ordering: .relaxed)) ?? .info }
        set { sharedLevel.store(newValue.rawValue, ordering: .relaxed) }
    }

    private static let sharedFormat = Atomic<Int>(Format.text.rawValue)

    /// Of every log that has none of its own. Set once, by the command line.
    public static var format: Format {
        get { Format(rawValue: sharedFormat.load(ordering: .relaxed)) ?? .text }
        set { sharedFormat.store(newValue.rawValue, ordering: .relaxed) }
    }

    private let component: String
    private var fields: [(String, String)]
    private var numbers: [(String, LogNumber)] = []
    private let ownFormat: Format?
    private let minimum: Level?
    private let write: @Sendable ([UInt8]) -> Void

    /// - Parameters:
    ///   - minimum: messages below it are not written; nil: `Log.level`, as it is at the time of the message.
    ///   - write: where a line goes, its line end included; standard error if not said otherwise.
    public init(
        _ component: String, fields: [(String, String)] = [], minimum: Level? = nil, format: Format? = nil,
        write: (@Sendable ([UInt8]) -> Void)? = nil
    ) {
        self.component = component
        self.fields = fields
        self.minimum = minimum
        ownFormat = format
        self.write = write ?? Self.writeToStandardError
    }

    /// The same log with one more field on every line.
    public func with(_ key: String, _ value: some CustomStringConvertible) -> Log {
        var log = self
        log.fields.append((key, value.description))
        return log
    }

    /// The same log with a field whose value is that of the time of the line.
    public func with(_ key: String, _ number: LogNumber) -> Log {
        var log = self
        log.numbers.append((key, number))
        return log
    }

    public func debug(_ message: @autoclosure () -> String) { log(.debug, message) }

    public func info(_ message: @autoclosure () -> String) { log(.info, message) }

    public func notice(_ message: @autoclosure () -> String) { log(.notice, message) }

    public func warning(_ message: @autoclosure () -> String) { log(.warning, message) }

    public func error(_ message: @autoclosure () -> String) { log(.error, message) }

    private func log(_ level: Level, _ message: () -> String) {
        guard level >= minimum ?? Self.level else { return }
        let fields = numbers.compactMap { key, number in number.text.map { (key, $0) } } + self.fields
        guard ownFormat ?? Self.format == .text else { return write(json(level, message(), fields)) }
        var line = Self.timestamp()
        line += " \(level.name)" + String(repeating: " ", count: 8 - level.name.count) + component + ": "
        Self.append(message(), to: &line)
        for (key, value) in fields {
            line += " \(key)="
            Self.append(value, to: &line)
        }
        var bytes = Array(line.utf8)
        if bytes.count > Self.longestLine {
            bytes.removeSubrange(Self.longestLine...)
            bytes.append(contentsOf: Array(" [cut]".utf8))
        }
        bytes.append(UInt8(ascii: "\n"))
        write(bytes)
    }

    private func json(_ level: Level, _ message: String, _ fields: [(String, String)]) -> [UInt8] {
        // Cut before it is written: what is cut afterwards is no JSON any more.
        let message = message.utf8.count > Self.longestLine ? message.prefix(Self.longestLine) + " [cut]" : message
        let members =
            [
                ("time", Self.timestamp()), ("level", level.name), ("component", component), ("message", message),
            ] + fields
        var line = "{"
        for (number, (key, value)) in members.enumerated() {
            line += number == 0 ? "\"" : ",\""
            Self.appendJSON(key, to: &line)
            line += "\":\""
            Self.appendJSON(value, to: &line)
            line += "\""
        }
        return Array((line + "}\n").utf8)
    }

    private static func appendJSON(_ text: String, to line: inout String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: line.unicodeScalars.append(scalar)
            }
        }
    }

    /// A line break in a value must not make a second line that looks like one of ours.
    private static func append(_ text: String, to line: inout String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case _ where scalar.properties.generalCategory == .control:
                line += "\\u{\(String(scalar.value, radix: 16))}"
            default: line.unicodeScalars.append(scalar)
            }
        }
    }

    private static func timestamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func digits(_ value: some BinaryInteger, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        let date = "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
        let time = "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))"
        return "\(date)T\(time).\(digits(now.tv_nsec / 1_000_000, 3))Z"
    }

    @Sendable private static func writeToStandardError(_ line: [UInt8]) {
        // One call, so that lines of several threads and processes do not mix. A log that cannot be written is lost.
        line.withUnsafeBytes { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
