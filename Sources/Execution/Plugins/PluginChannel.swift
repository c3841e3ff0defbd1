import Domain
import Glibc
import JSON
import Synchronization
import Timetable

/// Stands between a plugin's standard output and its log: lines that are messages of the protocol are taken out, all
/// others go on as they come, with or without an end.
///
/// A line is held back only while it may still become a message; what is longer than `PluginLimits.line` is none.
final class PluginChannel: OutputReceiver {
    /// Which lines mean something.
    struct Grammar: Sendable {
        /// A line that is an object of JSON is a message.
        var takesJSON = true
        /// A line `NN%` is progress: the shell plugin's.
        var takesPercent = false
        /// Each line of text gets date and time before it.
        var annotates = false
    }

    private struct State {
        var report = TaskReport()
        /// The beginning of a line that may become a message.
        var held: [UInt8] = []
        /// The rest of the line goes to the log as it comes.
        var isPassing = false
        var news = 0
    }

    private let log: OutputLog
    private let grammar: Grammar
    private let now: @Sendable () -> Instant
    private let state = Mutex(State())

    init(log: OutputLog, grammar: Grammar, now: @escaping @Sendable () -> Instant) {
        self.log = log
        self.grammar = grammar
        self.now = now
    }

    var report: TaskReport { state.withLock { $0.report } }

    /// The beginning of a line that may become a message.
    var held: [UInt8] { state.withLock { $0.held } }

    /// Goes on where another one has stopped.
    func resume(_ report: JSONObject, held: [UInt8]) {
        state.withLock { state in
            state.report.add(report)
            state.held = held
        }
    }

    /// Changes whenever there is something new to tell.
    var news: Int { state.withLock { $0.news } }

    func write(_ bytes: [UInt8]) throws(LaunchError) {
        let output = state.withLock { state in take(bytes, &state) }
        if !output.isEmpty { try log.write(output) }
    }

    /// The end of the output: a message needs no line end, and text that has none is text all the same.
    func finish() throws(LaunchError) {
        let output = state.withLock { state -> [UInt8] in
            var output: [UInt8] = []
            let line = state.held
            state.held = []
            if !line.isEmpty { endLine(line[...], hasEnd: false, &state, &output) }
            return output
        }
        if !output.isEmpty { try log.write(output) }
    }

    /// Under the lock. What goes to the log is collected, and written in one piece.
    private func take(_ bytes: [UInt8], _ state: inout State) -> [UInt8] {
        var output: [UInt8] = []
        // Nothing is copied as long as nothing is taken out.
        var copied = 0
        var start = 0
        func copy(to end: Int) {
            if end > copied { output += bytes[copied..<end] }
            copied = end
        }
        while start < bytes.count {
            let end = Self.lineEnd(bytes, start)
            let next = end.map { $0 + 1 } ?? bytes.count
            let part = bytes[start..<(end ?? bytes.count)]
            if state.isPassing {
                if end != nil { state.isPassing = false }
            } else if !state.held.isEmpty {
                // The line began in an earlier piece.
                copy(to: start)
                copied = next
                state.held += part
                if end != nil {
                    let line = state.held
                    state.held = []
                    endLine(line[...], hasEnd: true, &state, &output)
                } else if state.held.count > PluginLimits.line || !mayBeMessage(state.held[...], isWhole: false) {
                    pass(state.held[...], &state, &output)
                }
            } else if mayBeMessage(part, isWhole: end != nil) {
                copy(to: start)
                copied = next
                if end != nil {
                    endLine(part, hasEnd: true, &state, &output)
                } else if part.count > PluginLimits.line {
                    pass(part, &state, &output)
                } else {
                    state.held = Array(part)
                }
            } else {
                if grammar.annotates {
                    copy(to: start)
                    output += stamp
                }
                if end == nil { state.isPassing = true }
            }
            start = next
        }
        if copied == 0, output.isEmpty { return bytes }
        copy(to: bytes.count)
        return output
    }

    private static func lineEnd(_ bytes: [UInt8], _ start: Int) -> Int? {
        bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress, let found = memchr(base + start, 0x0A, raw.count - start) else {
                return nil
            }
            return UnsafeRawPointer(found) - base
        }
    }

    /// The line goes on as text.
    private func pass(_ bytes: ArraySlice<UInt8>, _ state: inout State, _ output: inout [UInt8]) {
        if grammar.annotates { output += stamp }
        output += bytes
        state.held = []
        state.isPassing = true
    }

    /// By its first character; after blanks alone, anything may come.
    private func mayBeMessage(_ line: ArraySlice<UInt8>, isWhole: Bool) -> Bool {
        guard let first = line.first(where: { !Self.isBlank($0) }) else { return !isWhole && !line.isEmpty }
        if grammar.takesJSON, first == UInt8(ascii: "{") { return true }
        return grammar.takesPercent && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) && line.count < 20
    }

    private func endLine(
        _ line: ArraySlice<UInt8>, hasEnd: Bool, _ state: inout State, _ output: inout [UInt8]
    ) {
        if grammar.takesPercent, let percent = Self.percent(line) {
            state.report.set(progress: Double(min(percent, 100)) / 100)
            state.news += 1
            return
        }
        if grammar.takesJSON, let message = Self.message(line) {
            for note in state.report.take(message) { output += note.utf8 }
            state.news += 1
            return
        }
        if grammar.annotates { output += stamp }
        output += line
        if hasEnd { output.append(UInt8(ascii: "\n")) }
    }

    private var stamp: [UInt8] { Array("[\(LogText.stamp(now()))] ".utf8) }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var line = line
        while let first = line.first, isBlank(first) { line.removeFirst() }
        while let last = line.last, isBlank(last) { line.removeLast() }
        return line
    }

    private static func message(_ line: ArraySlice<UInt8>) -> JSONObject? {
        let text = trimmed(line)
        guard text.count > 2, text.first == UInt8(ascii: "{"), text.last == UInt8(ascii: "}") else { return nil }
        // What cannot be read as JSON is text.
        return (try? JSONValue(parsing: Array(text), limits: JSONLimits(bytes: PluginLimits.line * 2)))?.objectValue
    }

    private static func percent(_ line: ArraySlice<UInt8>) -> Int? {
        let text = trimmed(line)
        guard text.last == UInt8(ascii: "%"), (2...7).contains(text.count) else { return nil }
        var number = 0
        for digit in text.dropLast() {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            number = number * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return number
    }
}
