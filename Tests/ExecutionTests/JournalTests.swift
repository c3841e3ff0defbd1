import Domain
import Foundation
import Runtime
import Testing
import Timetable

@testable import Execution

private let identity = ProcessIdentity(process: 77, startTime: 12345, machineBoot: "m")
private let report = AttemptReport(
    attempt: attempt(1), worker: "w", boot: "b", startedAt: Instant(microseconds: 5),
    finishedAt: Instant(microseconds: 9), outcome: .signalled(9), reason: "a \"reason\"", outputTail: "x\n\u{1}é")

@Suite("Journal")
struct JournalTests {
    @Test(
        "every record reads back the same",
        arguments: [
            JournalRecord.accepted([attempt(1), attempt(2, try: 3)], term: Term(timeline: 1, epoch: 9)),
            .forgotten([attempt(1)]), .started(attempt(1), process: identity, at: Instant(microseconds: 5)),
            .finished(report), .acknowledged([attempt(1)]), .term(Term(timeline: 2, epoch: 1)),
            .executed([attempt(4)]), .accepted([], term: .none),
        ])
    func coding(record: JournalRecord) {
        #expect(JournalRecord(decoding: record.encoded) == record)
    }

    @Test(
        "every outcome reads back the same",
        arguments: [
            AttemptOutcome.exited(code: 3), .signalled(15), .timedOut, .aborted, .notStarted, .interrupted,
        ])
    func outcomes(outcome: AttemptOutcome) {
        var report = report
        report.outcome = outcome
        report.startedAt = nil
        #expect(JournalRecord(decoding: JournalRecord.finished(report).encoded) == .finished(report))
    }

    @Test("the checksum is CRC-32")
    func checksum() {
        #expect(Checksum.of(Array("123456789".utf8)[...]) == 0xCBF4_3926)
    }

    @Test("a journal torn at any byte keeps the records before the tear")
    func torn() {
        var bytes: [UInt8] = []
        var ends: [Int] = []
        for number in 1...4 {
            JournalFrame.append(JournalRecord.forgotten([attempt(number)]).encoded, to: &bytes)
            ends.append(bytes.count)
        }
        for length in 0...bytes.count {
            let (payloads, whole) = JournalFrame.read(Array(bytes[..<length]))
            #expect(payloads.count == ends.count { $0 <= length })
            #expect(whole == ends.last { $0 <= length } ?? 0)
        }
    }

    @Test("a changed byte ends the journal there, and nothing traps")
    func damaged() {
        var bytes: [UInt8] = []
        for number in 1...4 { JournalFrame.append(JournalRecord.forgotten([attempt(number)]).encoded, to: &bytes) }
        let frame = bytes.count / 4
        for index in bytes.indices {
            for bit in [UInt8(0x01), 0x80] {
                var changed = bytes
                changed[index] ^= bit
                #expect(JournalFrame.read(changed).payloads.count == index / frame)
            }
        }
        #expect(JournalFrame.read([UInt8](repeating: 0xFF, count: 64)).payloads.isEmpty)
        #expect(JournalFrame.read([UInt8](repeating: 0, count: 64)).payloads.isEmpty)
    }

    @Test("records add up to what is held")
    func image() {
        var image = JournalImage()
        image.apply(.accepted([attempt(1), attempt(2), attempt(3)], term: Term(timeline: 1, epoch: 5)))
        image.apply(.forgotten([attempt(3)]))
        image.apply(.started(attempt(1), process: identity, at: Instant(microseconds: 5)))
        #expect(image.held[attempt(1)]?.phase == .started)
        #expect(image.held[attempt(2)]?.phase == .accepted)
        #expect(image.held[attempt(3)] == nil)
        #expect(!image.executed.contains(attempt(3)))
        image.apply(.finished(report))
        // A start that is written after the end does not bring it back.
        image.apply(.started(attempt(1), process: identity, at: Instant(microseconds: 5)))
        #expect(image.held[attempt(1)]?.phase == .finished)
        image.apply(.acknowledged([attempt(1)]))
        #expect(image.held[attempt(1)] == nil)
        #expect(image.executed.contains(attempt(1)))
        image.apply(.term(Term(timeline: 1, epoch: 4)))
        #expect(image.highestTerm == Term(timeline: 1, epoch: 5))
    }

    @Test("the state written as records reads back as the same state")
    func compaction() {
        var image = JournalImage()
        image.apply(.accepted([attempt(1), attempt(2), attempt(3)], term: Term(timeline: 1, epoch: 5)))
        image.apply(.started(attempt(2), process: identity, at: Instant(microseconds: 5)))
        image.apply(.finished(report))
        image.apply(.acknowledged([attempt(9)]))
        var copy = JournalImage()
        for record in image.records { copy.apply(record) }
        #expect(copy.held == image.held)
        #expect(copy.highestTerm == image.highestTerm)
        #expect(copy.executed.oldestFirst == image.executed.oldestFirst)
    }

    @Test("only the last attempts are remembered")
    func recent() {
        var recent = RecentAttempts(limit: 3)
        for number in [1, 2, 2, 3, 4, 5] { recent.insert(attempt(number)) }
        #expect(recent.oldestFirst == [attempt(3), attempt(4), attempt(5)])
        #expect(!recent.contains(attempt(2)))
        #expect(recent.contains(attempt(5)))
    }

    @Test("a file gives back what was appended, without what a crash has torn")
    func file() async throws {
        let scratch = try Scratch()
        try await onLoop { loop in
            let journal = FileJournal(directory: scratch.path, timekeeper: loop, log: quiet)
            #expect(try await journal.open().held.isEmpty)
            try await journal.append([.accepted([attempt(1), attempt(2)], term: .none)], durable: true)
            try await journal.append([.forgotten([attempt(2)])], durable: false)
            await journal.close()
        }
        let path = "\(scratch.path)/journal"
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data([9, 0, 0, 0, 1, 2, 3]))
        try handle.close()
        try await onLoop { loop in
            let journal = FileJournal(directory: scratch.path, timekeeper: loop, log: quiet)
            #expect(try await journal.open().held.keys.sorted() == [attempt(1)])
            try await journal.append([.accepted([attempt(3)], term: .none)], durable: true)
            await journal.close()
        }
        try await onLoop { loop in
            let journal = FileJournal(directory: scratch.path, timekeeper: loop, log: quiet)
            let image = try await journal.open()
            #expect(image.held.keys.sorted() == [attempt(1), attempt(3)])
        }
    }

    @Test("appends of one turn keep their order and go together")
    func order() async throws {
        let scratch = try Scratch()
        try await onLoop { loop in
            let journal = FileJournal(directory: scratch.path, timekeeper: loop, log: quiet)
            _ = try await journal.open()
            for number in 0..<500 {
                journal.enqueue([.accepted([attempt(number)], term: .none)], durable: number % 7 == 0) { _ in }
                if number % 2 == 0 { journal.enqueue([.forgotten([attempt(number)])], durable: false) { _ in } }
            }
            try await journal.append([.term(Term(timeline: 1, epoch: 1))], durable: true)
            await journal.close()
        }
        try await onLoop { loop in
            let image = try await FileJournal(directory: scratch.path, timekeeper: loop, log: quiet).open()
            #expect(image.held.count == 250)
            #expect(image.held[attempt(1)] != nil)
            #expect(image.held[attempt(2)] == nil)
        }
    }

    @Test("a large journal is replaced by its state, and goes on")
    func compacted() async throws {
        let scratch = try Scratch()
        try await onLoop { loop in
            let journal = FileJournal(directory: scratch.path, timekeeper: loop, log: quiet)
            _ = try await journal.open()
            var long = report
            long.outputTail = String(repeating: "x", count: 8000)
            for number in 0..<700 {
                long.attempt = attempt(number)
                journal.enqueue([.accepted([attempt(number)], term: .none), .finished(long)], durable: false) { _ in }
                try await journal.append([.acknowledged([attempt(number)])], durable: false)
            }
            try await journal.append([.accepted([attempt(9999)], term: .none)], durable: true)
            await journal.close()
        }
        let size = try #require(
            FileManager.default.attributesOfItem(atPath: "\(scratch.path)/journal")[.size] as? Int)
        #expect(size < ExecutionLimits.journalCompactedFrom / 2)
        try await onLoop { loop in
            let image = try await FileJournal(directory: scratch.path, timekeeper: loop, log: quiet).open()
            #expect(image.held.keys.sorted() == [attempt(9999)])
            #expect(image.executed.count == 700)
        }
    }

    @Test("two workers cannot share a directory")
    func lock() async throws {
        let scratch = try Scratch()
        try await onLoop { loop in
            let first = FileJournal(directory: scratch.path, timekeeper: loop, log: quiet)
            _ = try await first.open()
            let second = FileJournal(directory: scratch.path, timekeeper: loop, log: quiet)
            await #expect { _ = try await second.open() } throws: { "\($0)".contains("another worker") }
            try await first.append([.term(.none)], durable: false)
            await first.close()
            _ = try await second.open()
            await #expect(throws: JournalError.self) { try await first.append([.term(.none)], durable: false) }
        }
    }

    @Test("a journal that cannot be opened says why")
    func missing() async throws {
        try await onLoop { loop in
            let journal = FileJournal(directory: "/nonexistent/worker", timekeeper: loop, log: quiet)
            await #expect { _ = try await journal.open() } throws: { "\($0)".contains("/nonexistent/worker") }
            await #expect { try await journal.append([.term(.none)], durable: true) } throws: {
                "\($0)".contains("not open")
            }
        }
    }
}
