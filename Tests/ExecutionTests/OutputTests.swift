import Compression
import Domain
import Foundation
import Runtime
import Synchronization
import Testing
import Timetable

@testable import Execution

private func text(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 26) } }

@Suite("The log of a try")
struct OutputLogTests {
    @Test("of a longer output, a reader gets the head, the mark and the tail, from wherever he begins")
    func cut() throws {
        let scratch = try Scratch()
        let log = try OutputLog(path: "\(scratch.path)/log", limit: 400)
        let bytes = text(1_037)
        for start in stride(from: 0, to: bytes.count, by: 13) {
            try log.write(bytes[start..<min(start + 13, bytes.count)])
        }
        log.finish()
        // Head 200, then segments of 100: the 8th, which is full, and the 9th with 37 are kept.
        let mark = Array(LogExtent.mark(missing: 700).utf8)
        #expect(log.extent == LogExtent(total: 1_037, head: 200, tail: 137, size: Int64(337 + mark.count)))
        func read(from start: Int64) -> [UInt8] {
            var read: [UInt8] = []
            var position = start
            while true {
                let piece = log.read(from: position, limit: 64)
                read += piece.bytes
                position = piece.next
                if piece.hasEnded { return read }
            }
        }
        #expect(read(from: 0) == bytes[..<200] + mark + bytes[900...])
        #expect(read(from: 150) == bytes[150..<200] + mark + bytes[900...])
        #expect(read(from: 555) == mark + bytes[900...])
        #expect(read(from: 1_000) == Array(bytes[1_000...]))
        #expect(read(from: 5_000) == [])
    }

    @Test("what a crash has left is read and stored as it is, and can be finished")
    func left() throws {
        let scratch = try Scratch()
        let path = "\(scratch.path)/log"
        var log: OutputLog? = try OutputLog(path: path, limit: 400)
        try log?.write(text(777))
        log = nil
        let left = OutputLog(left: path, limit: 400)
        #expect(left.isClosed && left.total == 777)
        try left.reopen()
        try left.annotate("the end\n")
        left.finish()
        #expect(left.total == 785)
        let piece = left.read(from: 760, limit: 1000)
        #expect(piece.bytes == text(777)[760...] + Array("the end\n".utf8) && piece.hasEnded)
        #expect(left.tail == "")
        left.remove()
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == [])
    }

    @Test("a log that is removed while it is read is missing from there on, not at its end")
    func removed() throws {
        let scratch = try Scratch()
        let log = try OutputLog(path: "\(scratch.path)/log", limit: 400)
        try log.write(text(50))
        log.finish()
        #expect(log.read(from: 0, limit: 20).next == 20)
        log.remove()
        let piece = log.read(from: 20, limit: 1000)
        #expect(piece.isMissing && piece.bytes.isEmpty && piece.next == 20)
    }

    @Test("a stored log has the text that its readers saw, whatever its length", arguments: [0, 1, 511, 513, 400_000])
    func packed(count: Int) throws {
        let scratch = try Scratch()
        let log = try OutputLog(path: "\(scratch.path)/log", limit: 100_000)
        try log.write(text(count))
        log.finish()
        let packed = try #require(try LogPacker.pack(log, of: attempt(1)))
        let expanded = try Gzip.decompress(packed.gzip, limit: 1 << 20)
        #expect(packed.extent == log.extent && Int64(expanded.count) == packed.extent.size)
        #expect(packed.extent.isCut == (count > 100_000))
        if !packed.extent.isCut { #expect(expanded == text(count)) }
        log.remove()
        #expect(try LogPacker.pack(log, of: attempt(1)) == nil)
    }

    @Test("what does not get shorter is cut until it fits")
    func incompressible() throws {
        let scratch = try Scratch()
        let log = try OutputLog(path: "\(scratch.path)/log", limit: 16 << 20)
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        for _ in 0..<(6 << 20) / 8 { withUnsafeBytes(of: generator.next()) { bytes += $0 } }
        try log.write(bytes)
        log.finish()
        let packed = try #require(try LogPacker.pack(log, of: attempt(1)))
        #expect(packed.gzip.count <= Limits.storedLog && packed.gzip.count > Limits.storedLog - 200_000)
        let expanded = try Gzip.decompress(packed.gzip, limit: 16 << 20)
        #expect(Int64(expanded.count) == packed.extent.size)
        let head = Int(packed.extent.head)
        #expect(expanded[..<head] == bytes[..<head])
        #expect(expanded.suffix(Int(packed.extent.tail)) == bytes.suffix(Int(packed.extent.tail)))
        let mark = String(decoding: expanded[head..<(expanded.count - Int(packed.extent.tail))], as: UTF8.self)
        #expect(mark == LogExtent.mark(missing: Int64(bytes.count) - packed.extent.head - packed.extent.tail))
    }
}

/// A node as the test says it is.
private final class FakeSink: LogSink {
    struct State {
        var stored: [AttemptLog] = []
        var requests = 0
        var answer: @Sendable ([AttemptLog], Int) throws(TransportError) -> [AttemptID] = {
            (logs, _) throws(TransportError) in logs.map(\.attempt)
        }
    }
    let state = Mutex(State())

    var stored: [AttemptLog] { state.withLock { $0.stored } }
    var requests: Int { state.withLock { $0.requests } }

    init(_ answer: (@Sendable ([AttemptLog], Int) throws(TransportError) -> [AttemptID])? = nil) {
        if let answer { state.withLock { $0.answer = answer } }
    }

    func store(_ logs: [AttemptLog]) async throws(TransportError) -> [AttemptID] {
        let (answer, count) = state.withLock { state in
            state.requests += 1
            return (state.answer, state.requests)
        }
        let taken = try answer(logs, count)
        state.withLock { $0.stored += logs.filter { taken.contains($0.attempt) } }
        return taken
    }
}

@Suite("Logs on their way to the database", .serialized, .timeLimit(.minutes(2)))
struct LogShipperTests {
    private static func withSpool(
        _ sink: FakeSink,
        _ body: @Sendable @escaping (Scratch, LogSpool, EventLoop) async throws -> Void
    ) async throws {
        try await onLoop { loop in
            let scratch = try Scratch()
            let spool = LogSpool(
                directory: try WorkDirectory(root: scratch.path), limit: 10_000, timekeeper: loop)
            let shipper = LogShipper(spool: spool, sink: sink, timekeeper: loop, log: quiet)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask(executorPreference: loop) {
                    // It ends by cancellation.
                    try? await shipper.run()
                }
                try await body(scratch, spool, loop)
                group.cancelAll()
            }
        }
    }

    private static func files(_ scratch: Scratch) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/logs").sorted()
    }

    @Test("a log is sent when it has ended, and its files go when that is acknowledged")
    func sent() async throws {
        let sink = FakeSink()
        try await Self.withSpool(sink) { scratch, spool, loop in
            let log = try spool.open(attempt(1))
            try log.write(text(20_000))
            #expect(spool.endedCount == 0)
            spool.close(attempt(1), footer: "the end\n")
            try await eventually("it is stored", on: loop) { spool.endedCount == 0 }
            let stored = try #require(sink.stored.first)
            #expect(stored.attempt == attempt(1) && stored.extent == log.extent)
            let kept = try Gzip.decompress(stored.gzip, limit: 20_000)
            #expect(kept.suffix(8) == Array("the end\n".utf8)[...])
            try await eventually("its files go", on: loop) { try Self.files(scratch).isEmpty }
            let piece = try await spool.read(
                LogRequest(attempt: attempt(1), position: 0, limit: 10, waitMilliseconds: 0))
            #expect(piece.isMissing)
        }
    }

    @Test("it is sent again until it is acknowledged, and can be read meanwhile")
    func repeated() async throws {
        let sink = FakeSink { (logs, count) throws(TransportError) in
            if count == 1 { throw TransportError(.unreachable, "nobody") }
            return count == 2 ? [] : logs.map(\.attempt)
        }
        try await Self.withSpool(sink) { scratch, spool, loop in
            _ = try spool.open(attempt(1))
            spool.close(attempt(1), footer: "f\n")
            try await eventually("it was refused", on: loop) { sink.requests >= 1 }
            let piece = try await spool.read(
                LogRequest(attempt: attempt(1), position: 0, limit: 10, waitMilliseconds: 5_000))
            #expect(piece == LogPiece(bytes: Array("f\n".utf8), next: 2, hasEnded: true))
            try await eventually("it is stored", on: loop) { spool.endedCount == 0 }
            #expect(sink.requests == 3 && sink.stored.map(\.attempt) == [attempt(1)])
            #expect(try Self.files(scratch).isEmpty)
        }
    }

    @Test("one log that no node takes is given up, and holds up no other")
    func refused() async throws {
        let sink = FakeSink { (logs, _) throws(TransportError) in
            if logs.contains(where: { $0.attempt == attempt(2) }) { throw TransportError(.refused, "bad") }
            return logs.map(\.attempt)
        }
        try await Self.withSpool(sink) { scratch, spool, loop in
            for number in 1...3 { _ = try spool.open(attempt(number)) }
            for number in 1...3 { spool.close(attempt(number), footer: "f\n") }
            try await eventually("all are gone", on: loop) { spool.endedCount == 0 }
            #expect(Set(sink.stored.map(\.attempt)) == [attempt(1), attempt(3)])
        }
    }

    @Test("what a former process has left is sent, with the reason where the run was interrupted")
    func recovered() async throws {
        let sink = FakeSink()
        let scratch = try Scratch()
        let directory = try WorkDirectory(root: scratch.path)
        do {
            let log = try OutputLog(path: directory.logPath(attempt(1)), limit: 10_000)
            try log.write(Array("ended before\n".utf8))
            let interrupted = try OutputLog(path: directory.logPath(attempt(2)), limit: 10_000)
            try interrupted.write(Array("half".utf8))
            let running = try OutputLog(path: directory.logPath(attempt(3)), limit: 10_000)
            try running.write(Array("goes on\n".utf8))
        }
        try Data().write(to: URL(fileURLWithPath: "\(scratch.path)/logs/else.txt"))
        try await onLoop { loop in
            let spool = LogSpool(directory: directory, limit: 10_000, timekeeper: loop)
            spool.recover(except: [attempt(3)], footers: [attempt(2): "\n# interrupted\n"])
            let adopted = try spool.adopt(attempt(3))
            try adopted.write(Array("and on\n".utf8))
            let shipper = LogShipper(spool: spool, sink: sink, timekeeper: loop, log: quiet)
            try await withThrowingTaskGroup(of: Void.self) { group in
                // It ends by cancellation.
                group.addTask(executorPreference: loop) { try? await shipper.run() }
                try await eventually("both are stored", on: loop) { sink.stored.count == 2 }
                group.cancelAll()
            }
            let piece = try await spool.read(
                LogRequest(attempt: attempt(3), position: 0, limit: 100, waitMilliseconds: 0))
            #expect(String(decoding: piece.bytes, as: UTF8.self) == "goes on\nand on\n" && !piece.hasEnded)
        }
        let texts = try sink.stored.map { String(decoding: try Gzip.decompress($0.gzip, limit: 100), as: UTF8.self) }
        #expect(Set(texts) == ["ended before\n", "half\n# interrupted\n"])
    }

    @Test("who waits for more gets it when it comes, at the end, or nothing when the time is over")
    func waiting() async throws {
        try await Self.withSpool(FakeSink()) { _, spool, loop in
            let log = try spool.open(attempt(1))
            func ask(_ position: Int64, _ wait: Int) async throws -> LogPiece {
                try await spool.read(
                    LogRequest(attempt: attempt(1), position: position, limit: 100, waitMilliseconds: wait))
            }
            #expect(try await ask(0, 1) == LogPiece(bytes: [], next: 0, hasEnded: false))
            async let first = ask(0, 20_000)
            try await eventually("somebody waits", on: loop) { spool.waitingReaders == 1 }
            try log.write(Array("one\n".utf8))
            #expect(try await first == LogPiece(bytes: Array("one\n".utf8), next: 4, hasEnded: false))
            async let last = ask(4, 20_000)
            try await eventually("somebody waits", on: loop) { spool.waitingReaders == 1 }
            spool.close(attempt(1), footer: "")
            #expect(try await last == LogPiece(bytes: [], next: 4, hasEnded: true))
        }
    }
}

@Suite("Header and footer")
struct LogTextTests {
    @Test("they are Cronicle's lines, and a title cannot make lines of its own")
    func lines() {
        var offer = sampleOffer(attempt(1))
        offer.jobName = "two\nlines"
        let header = LogText.header(
            LaunchOrder(offer: offer, user: "", hostName: "host-1"), now: Instant(seconds: 1_800_000_000))
        #expect(
            header.hasPrefix("# Job ID: r1\n# Event Title: two lines\n# Hostname: host-1\n# Date/Time: 2027/01/15 "))
        #expect(header.hasSuffix(")\n\n") && header.contains(" (GMT"))
        #expect(LogText.withoutHeader(Array((header + "x\n").utf8)[...]) == Array("x\n".utf8)[...])
        let now = Instant(seconds: 1_800_000_000)
        let date = LogText.date(now)
        #expect(
            LogText.footer(isSuccess: true, description: "Success!", now: now)
                == "\n# Job completed successfully at \(date).\n# Description: Success!\n# End of log.\n")
        #expect(
            LogText.footer(isSuccess: false, code: "999", description: " a\nb ", now: now)
                == "\n# Job failed at \(date).\n# Error 999: a b\n# End of log.\n")
        for (delay, words) in [
            (0, ""), (30, " (30 sec delay)"), (90, " (1 min, 30 sec delay)"), (7_200, " (2 hr delay)"),
            (93_784, " (1 day, 2 hr delay)"),
        ] as [(Int64, String)] {
            let retry = LogText.Retry(left: 1, delay: delay)
            #expect(
                LogText.footer(isSuccess: false, code: "5", description: "x", retry: retry, now: now)
                    == "\n# Job failed with error 5: x\n# 1 retries remain\(words)\n")
        }
    }
}
