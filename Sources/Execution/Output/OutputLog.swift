import Domain
import Glibc
import Runtime
import Synchronization

/// The file that a run's output goes to, bounded: of a longer output its head and its tail are kept, with a line
/// between them, where it is read, that says how much is missing.
///
/// The head fills half of the limit. What follows goes to segments of a quarter each, of which the last two are kept.
/// So nothing is ever rewritten, and a crash leaves readable files, from which the object is made anew.
/// All calls block; any thread.
final class OutputLog: OutputReceiver {
    private struct State {
        var descriptor: Int32 = -1
        var segment: Int32 = -1
        var segmentNumber = 0
        var segmentBytes: Int64 = 0
        var headBytes: Int64 = 0
        var outputBytes: Int64 = 0
        var isClosed = false
        var tail = OutputTail()
        var waiters: [UInt64: @Sendable () -> Void] = [:]

        func total(_ segmentLimit: Int64) -> Int64 {
            headBytes + Int64(max(0, segmentNumber - 1)) * segmentLimit + segmentBytes
        }
    }

    let path: String
    private let headLimit: Int64
    private let segmentLimit: Int64
    private let state: Mutex<State>

    /// - Throws: `LaunchError` when the file cannot be made.
    init(path: String, limit: Int) throws(LaunchError) {
        self.path = path
        (headLimit, segmentLimit) = Self.parts(limit)
        var state = State()
        state.descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard state.descriptor >= 0 else { throw FileFailure.launch("cannot make the log file") }
        self.state = Mutex(state)
    }

    /// The log of a former process of the worker, as it was left: closed.
    init(left path: String, limit: Int) {
        self.path = path
        (headLimit, segmentLimit) = Self.parts(limit)
        var state = State()
        state.headBytes = Self.size(path) ?? 0
        state.segmentNumber = Self.segmentNumbers(path: path).last ?? 0
        if state.segmentNumber > 0 {
            state.segmentBytes = Self.size(Self.segmentPath(path, state.segmentNumber)) ?? 0
            // The worker had another limit then: what fits no segment of now is out of reach, not out of order.
            state.headBytes = min(state.headBytes, headLimit)
        }
        state.outputBytes = state.total(segmentLimit)
        state.isClosed = true
        self.state = Mutex(state)
    }

    deinit {
        state.withLock { state in Self.closeFiles(&state) }
    }

    /// Bytes that were written, kept or not.
    var total: Int64 { state.withLock { $0.total(segmentLimit) } }
    /// Of these, what the command itself wrote.
    var outputBytes: Int64 { state.withLock { $0.outputBytes } }
    var isClosed: Bool { state.withLock { $0.isClosed } }
    /// The end of the output, without what Carillon wrote itself.
    var tail: String { state.withLock { $0.tail.text } }

    // MARK: Writing

    func write(_ bytes: [UInt8]) throws(LaunchError) { try append(bytes[...], isOutput: true) }

    func write(_ bytes: ArraySlice<UInt8>) throws(LaunchError) { try append(bytes, isOutput: true) }

    /// A header, a footer, a note: in the log, and not in its tail.
    func annotate(_ text: String) throws(LaunchError) { try append(Array(text.utf8)[...], isOutput: false) }

    private func append(_ bytes: ArraySlice<UInt8>, isOutput: Bool) throws(LaunchError) {
        let (failure, waiters) = state.withLock { state -> (LaunchError?, [@Sendable () -> Void]) in
            guard !state.isClosed else { return (LaunchError("the log of the run is closed"), []) }
            if isOutput {
                state.tail.append(bytes)
                state.outputBytes += Int64(bytes.count)
            }
            defer { state.waiters = [:] }
            let waiters = Array(state.waiters.values)
            do throws(LaunchError) {
                try write(bytes, &state)
                return (nil, waiters)
            } catch {
                return (error, waiters)
            }
        }
        for waiter in waiters { waiter() }
        if let failure { throw failure }
    }

    private func write(_ bytes: ArraySlice<UInt8>, _ state: inout State) throws(LaunchError) {
        var rest = bytes
        if state.headBytes < headLimit {
            let part = rest.prefix(Int(headLimit - state.headBytes))
            try FileFailure.write(part, to: state.descriptor)
            state.headBytes += Int64(part.count)
            rest = rest.dropFirst(part.count)
        }
        while !rest.isEmpty {
            if state.segment < 0 || state.segmentBytes >= segmentLimit { try openSegment(&state) }
            let part = rest.prefix(Int(segmentLimit - state.segmentBytes))
            try FileFailure.write(part, to: state.segment)
            state.segmentBytes += Int64(part.count)
            rest = rest.dropFirst(part.count)
        }
    }

    private func openSegment(_ state: inout State) throws(LaunchError) {
        let number = state.segmentNumber + 1
        let next = open(
            Self.segmentPath(path, number), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard next >= 0 else { throw FileFailure.launch("cannot make the log file") }
        if state.segment >= 0 { close(state.segment) }
        state.segment = next
        state.segmentNumber = number
        state.segmentBytes = 0
        if number > 2 { unlink(Self.segmentPath(path, number - 2)) }
    }

    /// Nothing is written after it. A second call changes nothing.
    func finish() {
        let waiters = state.withLock { state in
            Self.closeFiles(&state)
            state.isClosed = true
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter() }
    }

    /// Opens a log of a former process, for what else the run writes.
    func goOn() throws(LaunchError) {
        let text = Self.tail(path: path)
        let beginning = Self.read(path, 0, Self.longestHeader) ?? []
        let header = beginning.count - LogText.withoutHeader(beginning[...]).count
        state.withLock { state in
            state.tail.append(Array(text.utf8)[...])
            state.outputBytes = max(0, state.outputBytes - Int64(header))
        }
        try reopen()
    }

    private static let longestHeader = 8 * 1024

    /// A closed log of a former process, for its last lines.
    func reopen() throws(LaunchError) {
        let failure = state.withLock { state -> LaunchError? in
            guard state.isClosed else { return nil }
            let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW
            state.descriptor = open(path, flags, 0o600)
            if state.segmentNumber > 0 {
                state.segment = open(Self.segmentPath(path, state.segmentNumber), flags, 0o600)
            }
            guard state.descriptor >= 0, state.segmentNumber == 0 || state.segment >= 0 else {
                let failure = FileFailure.launch("cannot open the log file again")
                Self.closeFiles(&state)
                return failure
            }
            state.isClosed = false
            return nil
        }
        if let failure { throw failure }
    }

    private static func closeFiles(_ state: inout State) {
        if state.descriptor >= 0 { close(state.descriptor) }
        if state.segment >= 0 { close(state.segment) }
        (state.descriptor, state.segment) = (-1, -1)
    }

    // MARK: Reading

    /// What is kept.
    var extent: LogExtent { state.withLock { state in self.extent(state) } }

    private func extent(_ state: State) -> LogExtent {
        let total = state.total(segmentLimit)
        // The last two segments are kept.
        let missing = Int64(max(0, state.segmentNumber - 2)) * segmentLimit
        guard missing > 0 else { return LogExtent(whole: total) }
        let tail = total - state.headBytes - missing
        let mark = Int64(LogExtent.mark(missing: missing).utf8.count)
        return LogExtent(total: total, head: state.headBytes, tail: tail, size: state.headBytes + mark + tail)
    }

    /// The bytes from a position on, at most so many. Where they were cut out, the mark, and what follows the cut.
    /// Missing when its file is gone: a log that was stored is removed while somebody reads it.
    func read(from position: Int64, limit: Int) -> LogPiece {
        while true {
            let (extent, isClosed) = state.withLock { state in (self.extent(state), state.isClosed) }
            if position >= extent.total { return LogPiece(bytes: [], next: extent.total, hasEnded: isClosed) }
            var from = max(0, position)
            var bytes: [UInt8] = []
            if extent.isCut, from >= extent.head, from < extent.total - extent.tail {
                let missing = extent.total - extent.tail - extent.head
                bytes = Array(LogExtent.mark(missing: missing).utf8)
                from = extent.total - extent.tail
            }
            // Nil: the segment was removed meanwhile, so the middle that is missing has grown.
            if let part = readKept(from, min(limit, Int(clamping: extent.total - from))) {
                bytes += part
                let next = from + Int64(part.count)
                return LogPiece(bytes: bytes, next: next, hasEnded: isClosed && next >= extent.total)
            }
            if self.extent == extent {
                // No segment has come since: the file was removed. Whoever reads it finds the rest where it is stored.
                return LogPiece(bytes: [], next: position, hasEnded: true, isMissing: true)
            }
        }
    }

    private func readKept(_ position: Int64, _ limit: Int) -> [UInt8]? {
        let head = min(headLimit, state.withLock { $0.headBytes })
        if position < head { return Self.read(path, position, min(limit, Int(head - position))) }
        let offset = position - head
        let number = offset / segmentLimit + 1
        let inside = offset % segmentLimit
        return Self.read(Self.segmentPath(path, Int(number)), inside, min(limit, Int(segmentLimit - inside)))
    }

    private static func read(_ path: String, _ offset: Int64, _ limit: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, filled in
            count = pread(descriptor, buffer.baseAddress, limit, off_t(offset))
            filled = max(0, count)
        }
        // Files are used again: what has left its path may have been another log's.
        var facts = stat()
        return count > 0 && lstat(path, &facts) == 0 ? bytes : nil
    }

    /// Calls once when there is something to read from the position on, or the log is closed; at once where that is so
    /// already.
    /// - Returns: what to cancel it by.
    func whenMore(than position: Int64, number: UInt64, _ call: @escaping @Sendable () -> Void) {
        let isReady = state.withLock { state in
            if state.isClosed || state.total(segmentLimit) > position { return true }
            state.waiters[number] = call
            return false
        }
        if isReady { call() }
    }

    func cancelWaiter(_ number: UInt64) {
        let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
        waiter?()
    }

    // MARK: Files

    /// When it was last written to, in microseconds since 1970.
    var modified: Int64 {
        let number = state.withLock { $0.segmentNumber }
        var facts = stat()
        guard lstat(number > 0 ? Self.segmentPath(path, number) : path, &facts) == 0 else { return 0 }
        return Int64(facts.st_mtim.tv_sec) * 1_000_000 + Int64(facts.st_mtim.tv_nsec) / 1_000
    }

    var hasSegments: Bool { state.withLock { $0.segmentNumber > 0 } }

    func remove() {
        let last = state.withLock { $0.segmentNumber }
        unlink(path)
        for number in max(1, last - 2)...max(1, last) where last > 0 { unlink(Self.segmentPath(path, number)) }
    }

    /// What a log of a former process of the worker ends with.
    static func tail(path: String) -> String {
        var kept: [UInt8] = []
        // The newest segments hold the end of a long output; those before them were removed.
        let numbers = segmentNumbers(path: path).suffix(2)
        for name in [path] + numbers.map({ segmentPath(path, $0) }) { kept += end(of: name) }
        return OutputTail.text(LogText.withoutHeader(kept[...]))
    }

    private static func parts(_ limit: Int) -> (head: Int64, segment: Int64) {
        (Int64(max(1, limit / 2)), Int64(max(1, limit / 4)))
    }

    private static func size(_ path: String) -> Int64? {
        var facts = stat()
        guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int64(facts.st_size)
    }

    private static func segmentPath(_ path: String, _ number: Int) -> String { "\(path).\(number)" }

    /// Ascending. At most three exist at any time, with consecutive numbers; the directory is read because the numbers
    /// are not known after a crash.
    private static func segmentNumbers(path: String) -> [Int] {
        guard let slash = path.lastIndex(of: "/") else { return [] }
        let prefix = path[path.index(after: slash)...] + "."
        return DirectoryListing.names(String(path[..<slash])).compactMap { name in
            name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil
        }.sorted()
    }

    private static func end(of path: String) -> [UInt8] {
        let size = size(path) ?? 0
        let wanted = Limits.outputTail + 4
        return read(path, max(0, size - Int64(wanted)), wanted) ?? []
    }
}
