import Domain
import Glibc
import Runtime
import Synchronization

/// The file that a run's output goes to, bounded: of a longer output its head and its tail are kept, with a line
/// between them that says how much is missing.
///
/// The head fills half of the limit. What follows goes to segments of a quarter each, of which the last two are kept;
/// at the end they are put behind the head. So a crash leaves readable files, and nothing is rewritten meanwhile. The
/// file is made with the first byte: most commands are silent, and a file that is made and removed for each of them
/// costs more than their start. All calls block; one at a time.
final class OutputLog: Sendable {
    private struct State {
        /// -1 before the first byte, and after the end.
        var descriptor: Int32 = -1
        var segment: Int32 = -1
        var segmentNumber = 0
        var segmentBytes = 0
        var headBytes = 0
        var total = 0
        var isFinished = false
        var tail = OutputTail()
    }

    private let path: String
    private let headLimit: Int
    private let segmentLimit: Int
    private let state: Mutex<State>

    init(path: String, limit: Int) {
        self.path = path
        headLimit = max(1, limit / 2)
        segmentLimit = max(1, limit / 4)
        state = Mutex(State())
    }

    /// Nothing was written: `finish` then touches no file.
    var isEmpty: Bool { state.withLock { $0.total == 0 } }

    deinit {
        state.withLock { state in
            if state.descriptor >= 0 { close(state.descriptor) }
            if state.segment >= 0 { close(state.segment) }
        }
    }

    /// - Throws: `LaunchError` in words for the run's reason; what was written before stays.
    func write(_ bytes: [UInt8]) throws(LaunchError) {
        let failure = state.withLock { state -> LaunchError? in
            state.total += bytes.count
            state.tail.append(bytes)
            do throws(LaunchError) {
                try write(bytes[...], &state)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    /// Bytes that were written to it so far, those that were left out included.
    var total: Int { state.withLock { $0.total } }

    /// Puts the parts together and closes the file. Gives the end of the output even where that fails.
    func finish() -> (tail: String, failure: LaunchError?) {
        state.withLock { state in
            var failure: LaunchError?
            do throws(LaunchError) { try assemble(&state) } catch { failure = error }
            if state.descriptor >= 0 { close(state.descriptor) }
            state.descriptor = -1
            state.isFinished = true
            return (state.tail.text, failure)
        }
    }

    /// What a log of a former process of the worker ends with.
    static func tail(path: String) -> String {
        var kept: [UInt8] = []
        // The newest segments hold the end of a long output; those before them were removed.
        let numbers = segmentNumbers(path: path).suffix(2)
        for name in [path] + numbers.map({ segmentPath(path, $0) }) { kept += end(of: name) }
        return OutputTail.text(kept[...])
    }

    static func removeSegments(path: String) {
        for number in segmentNumbers(path: path) { unlink(segmentPath(path, number)) }
    }

    private func write(_ bytes: ArraySlice<UInt8>, _ state: inout State) throws(LaunchError) {
        var rest = bytes
        if state.isFinished { throw LaunchError("the log file is closed already") }
        if state.descriptor < 0 {
            state.descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard state.descriptor >= 0 else { throw FileFailure.launch("cannot make the log file") }
        }
        if state.headBytes < headLimit {
            let part = rest.prefix(headLimit - state.headBytes)
            try FileFailure.write(part, to: state.descriptor)
            state.headBytes += part.count
            rest = rest.dropFirst(part.count)
        }
        while !rest.isEmpty {
            if state.segment < 0 || state.segmentBytes >= segmentLimit { try openSegment(&state) }
            let part = rest.prefix(segmentLimit - state.segmentBytes)
            try FileFailure.write(part, to: state.segment)
            state.segmentBytes += part.count
            rest = rest.dropFirst(part.count)
        }
    }

    private func openSegment(_ state: inout State) throws(LaunchError) {
        if state.segment >= 0 { close(state.segment) }
        state.segmentNumber += 1
        state.segmentBytes = 0
        if state.segmentNumber > 2 { unlink(Self.segmentPath(path, state.segmentNumber - 2)) }
        state.segment = open(
            Self.segmentPath(path, state.segmentNumber), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard state.segment >= 0 else { throw FileFailure.launch("cannot make the log file") }
    }

    private func assemble(_ state: inout State) throws(LaunchError) {
        guard state.segment >= 0 else { return }
        close(state.segment)
        state.segment = -1
        defer { Self.removeSegments(path: path) }
        let older = state.segmentNumber > 1 ? segmentLimit : 0
        let missing = state.total - state.headBytes - older - state.segmentBytes
        if missing > 0 {
            let line = "\n[carillon: \(missing) bytes of output were left out here]\n"
            try FileFailure.write(Array(line.utf8)[...], to: state.descriptor)
        }
        for number in [state.segmentNumber - 1, state.segmentNumber] where number > 0 {
            try copy(Self.segmentPath(path, number), to: state.descriptor)
        }
    }

    private func copy(_ source: String, to descriptor: Int32) throws(LaunchError) {
        let input = open(source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard input >= 0 else { throw FileFailure.launch("cannot read the log file") }
        defer { close(input) }
        var buffer = [UInt8](repeating: 0, count: ExecutionLimits.outputChunk)
        while true {
            let count = read(input, &buffer, buffer.count)
            guard count >= 0 else { throw FileFailure.launch("cannot read the log file") }
            if count == 0 { return }
            try FileFailure.write(buffer[..<count], to: descriptor)
        }
    }

    private static func segmentPath(_ path: String, _ number: Int) -> String { "\(path).\(number)" }

    /// Ascending. At most three exist at any time, with consecutive numbers, so a search by name would do; the
    /// directory is read because the numbers are not known after a crash.
    private static func segmentNumbers(path: String) -> [Int] {
        guard let slash = path.lastIndex(of: "/") else { return [] }
        let prefix = path[path.index(after: slash)...] + "."
        return DirectoryListing.names(String(path[..<slash])).compactMap { name in
            name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil
        }.sorted()
    }

    private static func end(of path: String) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        let size = max(0, lseek(descriptor, 0, SEEK_END))
        var buffer = [UInt8](repeating: 0, count: Limits.outputTail + 4)
        let count = pread(descriptor, &buffer, buffer.count, max(0, size - off_t(buffer.count)))
        return Array(buffer.prefix(max(0, count)))
    }
}
