import Compression
import Domain
import Operations
import Runtime
import Storage
import WorkerProtocol

/// One reading of one run's log, from a position to the end of what there is, or of the run.
struct RunLogPass {
    let logs: RunLogs
    let query: RunLogQuery
    let write: @Sendable (RunLogChunk) async throws -> Void
    private var position: RunLogPosition
    /// Something of this try or one before was written: an empty line goes between two tries.
    private var needsSeparator = false
    private var hasWritten = false

    /// A followed log's worker is asked to wait so long; then the reader gets a sign of life.
    private static let wait = 10_000
    /// Between two looks at a run that has not been started, or whose end is not recorded yet.
    private static let pause = Duration.milliseconds(250)
    /// How long a worker that does not answer is asked again.
    private static let patience = Duration.seconds(10)
    private static let followPatience = Duration.seconds(60)
    private static let storedPiece = 256 * 1024
    private static let plainPiece = 64 * 1024
    /// Smaller pieces are not worth a compressor.
    private static let framedPiece = 1024

    init(logs: RunLogs, query: RunLogQuery, write: @escaping @Sendable (RunLogChunk) async throws -> Void) {
        self.logs = logs
        self.query = query
        self.write = write
        position = query.position
        if let attempt = query.attempt, position.attempt != attempt {
            position = RunLogPosition(attempt: attempt, bytes: 0)
        }
    }

    mutating func run() async throws {
        var idle = Duration.zero
        while try await step(&idle) {
            guard !logs.isClosed else { throw DomainError.unavailable("this node is stopping; ask another one") }
        }
    }

    /// - Returns: false at the end.
    private mutating func step(_ idle: inout Duration) async throws -> Bool {
        guard let run = try await logs.runs.run(query.run) else {
            throw DomainError.notFound("run '\(query.run)' not found")
        }
        if position.attempt < run.attempt || run.state.isTerminal {
            guard position.attempt <= run.attempt else { return false }
            let records = try await logs.runs.attempts(of: query.run)
            if let record = records.last(where: { $0.attempt.number == position.attempt }) {
                try await copyEnded(worker: record.worker)
            }
            return advance()
        }
        if run.state == .started {
            let before = position
            switch try await copyLive(run.worker, wait: query.follows) {
            case .ended: return query.attempt == nil && query.follows ? try await rest(&idle) : false
            case .more: return query.follows || position != before
            // It is just being started, or its end is just being recorded.
            case .missing: break
            case .unreachable:
                guard query.follows else {
                    try await note("worker '\(run.worker)' does not answer: the log so far cannot be shown")
                    return false
                }
            }
        }
        return query.follows ? try await rest(&idle) : false
    }

    private mutating func rest(_ idle: inout Duration) async throws -> Bool {
        try await logs.timekeeper.sleep(for: Self.pause)
        idle += Self.pause
        if idle >= .milliseconds(Self.wait) {
            idle = .zero
            try await write(RunLogChunk(bytes: [], next: position))
        }
        return true
    }

    private mutating func advance() -> Bool {
        guard query.attempt == nil else { return false }
        position = RunLogPosition(attempt: position.attempt + 1, bytes: 0)
        needsSeparator = hasWritten
        return true
    }

    // MARK: Ended tries

    private mutating func copyEnded(worker: String) async throws {
        if try await copyStored() { return }
        // Its worker sends it just now, or has been away since.
        let patience = query.follows ? Self.followPatience : Self.patience
        let deadline = logs.timekeeper.monotonicNow.advanced(by: patience)
        while true {
            switch try await copyLive(worker, wait: false) {
            case .ended: return
            case .more: continue
            case .missing:
                // It was stored and deleted between the two looks, or it never was.
                if try await copyStored() { return }
                return try await note("there is no log of try \(position.attempt): it has expired, or was lost")
            case .unreachable:
                if try await copyStored() { return }
                guard logs.timekeeper.monotonicNow < deadline, !logs.isClosed else {
                    return try await note(
                        "the log of try \(position.attempt) is at worker '\(worker)', which does not answer")
                }
                try await logs.timekeeper.sleep(for: Self.pause)
            }
        }
    }

    private mutating func copyStored() async throws -> Bool {
        let entries = try await logs.logs.list(query.run)
        guard let entry = entries.first(where: { $0.attempt.number == position.attempt }) else { return false }
        // A part of it is packed anew.
        if query.coding == .gzip, position.bytes == 0 {
            var offset: Int64 = 0
            while offset < entry.compressedBytes {
                let slice = try await logs.logs.slice(entry, from: offset, count: Self.storedPiece)
                guard !slice.isEmpty else { break }
                offset += Int64(slice.count)
                try await emit(slice, next: entry.extent.total, isPacked: true)
            }
        } else {
            try await expand(entry)
        }
        position.bytes = entry.extent.total
        return true
    }

    private mutating func expand(_ entry: LogStore.Entry) async throws {
        let reader = try GzipReader()
        var skip = entry.extent.offset(of: position.bytes)
        var offset: Int64 = 0
        var done: Int64 = 0
        while offset < entry.compressedBytes {
            let slice = try await logs.logs.slice(entry, from: offset, count: Self.storedPiece)
            guard !slice.isEmpty else { break }
            offset += Int64(slice.count)
            reader.feed(slice)
            while let piece = try reader.read(Self.plainPiece) {
                let part = piece.dropFirst(Int(min(skip, Int64(piece.count))))
                skip -= Int64(piece.count - part.count)
                done += Int64(piece.count)
                if !part.isEmpty {
                    try await emit(Array(part), next: entry.extent.position(of: done), isPacked: false)
                }
                // Each piece took some 200 µs of the loop.
                await Task.yield()
            }
        }
    }

    // MARK: Tries at their worker

    private enum Live { case more, ended, missing, unreachable }

    private mutating func copyLive(_ worker: String, wait: Bool) async throws -> Live {
        guard let known = try await logs.workers.list().first(where: { $0.description.name == worker }) else {
            return .unreachable
        }
        let request = LogRequest(
            attempt: AttemptID(run: query.run, number: position.attempt), position: position.bytes,
            limit: WireLimits.logPiece, waitMilliseconds: wait ? Self.wait : 0)
        let piece: LogPiece
        do { piece = try await logs.relay.piece(request, of: known.description) } catch {
            try Task.checkCancellation()
            return .unreachable
        }
        if piece.isMissing { return .missing }
        if !piece.bytes.isEmpty || wait {
            try await emit(piece.bytes, next: piece.next, isPacked: false)
        }
        position.bytes = piece.next
        return piece.hasEnded ? .ended : .more
    }

    // MARK: Writing

    private mutating func note(_ text: String) async throws {
        try await emit(Array("[carillon: \(text)]\n".utf8), next: position.bytes, isPacked: false)
    }

    /// - Parameter isPacked: the bytes are gzip already.
    private mutating func emit(_ bytes: [UInt8], next: Int64, isPacked: Bool) async throws {
        let next = RunLogPosition(attempt: position.attempt, bytes: next)
        guard !bytes.isEmpty else { return try await write(RunLogChunk(bytes: [], next: next)) }
        if needsSeparator {
            needsSeparator = false
            try await write(RunLogChunk(bytes: try coded([UInt8(ascii: "\n")]), next: position))
        }
        hasWritten = true
        try await write(RunLogChunk(bytes: isPacked ? bytes : try coded(bytes), next: next))
    }

    private func coded(_ bytes: [UInt8]) throws -> [UInt8] {
        guard query.coding == .gzip else { return bytes }
        return bytes.count <= Self.framedPiece ? Gzip.frame(bytes) : try Gzip.compress(bytes)
    }
}
