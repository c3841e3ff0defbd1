import Domain
import JSON
import Testing
import Timetable

@testable import WorkerProtocol

@Suite("Bodies of logs")
struct LogCodingTests {
    private static let logs = [
        AttemptLog(
            attempt: AttemptID(run: RunID("r1"), number: 2), finishedAt: Instant(microseconds: 1_800_000_000_000_001),
            extent: LogExtent(total: 100, head: 10, tail: 20, size: 40), gzip: [0x1f, 10, 0, 255]),
        AttemptLog(
            attempt: AttemptID(run: RunID("r2"), number: 0), finishedAt: Instant(seconds: 1),
            extent: LogExtent(whole: 0), gzip: []),
    ]

    @Test("logs survive, whatever their bytes are")
    func logs() throws {
        let body = WorkerMessageCoding.encode(Self.logs)
        #expect(try WorkerMessageCoding.decodeLogs(body) == Self.logs)
        let line = String(decoding: body.prefix { $0 != 10 }, as: UTF8.self)
        #expect(
            line == """
                {"logs":[{"run":"r1","attempt":2,"finishedMicroseconds":1800000000000001,"total":100,"head":10,\
                "tail":20,"size":40,"bytes":4},{"run":"r2","attempt":0,"finishedMicroseconds":1000000,"total":0,\
                "head":0,"tail":0,"size":0,"bytes":0}]}
                """)
    }

    @Test("bytes that are missing or too many are refused, and so are sizes that cannot be")
    func damage() throws {
        let body = WorkerMessageCoding.encode(Self.logs)
        var wrong = Self.logs
        wrong[0].extent.tail = 95
        let long = AttemptLog(
            attempt: Self.logs[0].attempt, finishedAt: Instant(seconds: 1), extent: LogExtent(whole: 1),
            gzip: [UInt8](repeating: 0, count: Limits.storedLog + 1))
        for bad in [
            Array(body.dropLast()), body + [0], [], Array("{}".utf8), Array("{\"logs\":[]}\nx".utf8),
            WorkerMessageCoding.encode(wrong), WorkerMessageCoding.encode([long]),
        ] {
            #expect(throws: DomainError.self) { try WorkerMessageCoding.decodeLogs(bad) }
        }
    }

    @Test("a question for a piece and its answer survive, within their limits")
    func pieces() throws {
        let request = LogRequest(
            attempt: AttemptID(run: RunID("r1"), number: 1), position: 1 << 40, limit: 1000, waitMilliseconds: 20_000)
        #expect(try WorkerMessageCoding.decodeLogRequest(WorkerMessageCoding.encode(request)) == request)
        for piece in [
            LogPiece(bytes: Array("a\n\nb".utf8), next: 5, hasEnded: false),
            LogPiece(bytes: [], next: 0, hasEnded: true, isMissing: true),
        ] {
            #expect(try WorkerMessageCoding.decodeLogPiece(WorkerMessageCoding.encode(piece)) == piece)
        }
        var greedy = request
        greedy.limit = WireLimits.logPiece + 1
        var patient = request
        patient.waitMilliseconds = 20_001
        var backwards = request
        backwards.position = -1
        for bad in [greedy, patient, backwards] {
            #expect(throws: DomainError.self) {
                try WorkerMessageCoding.decodeLogRequest(WorkerMessageCoding.encode(bad))
            }
        }
    }
}

@Suite("Extent of a log")
struct LogExtentTests {
    @Test("a reader finds his place in a log that was cut")
    func places() {
        // 100 bytes were written; 10 and 20 are kept, with a mark of 10 between them.
        let cut = LogExtent(total: 100, head: 10, tail: 20, size: 40)
        for (position, offset) in [
            (-1, 0), (0, 0), (10, 10), (11, 10), (79, 10), (80, 20), (90, 30), (100, 40), (200, 40),
        ] {
            #expect(cut.offset(of: Int64(position)) == Int64(offset), "position \(position)")
        }
        for (offset, position) in [(0, 0), (10, 10), (15, 75), (20, 80), (40, 100), (99, 100)] {
            #expect(cut.position(of: Int64(offset)) == Int64(position), "offset \(offset)")
        }
        let whole = LogExtent(whole: 7)
        #expect(whole.offset(of: 3) == 3 && whole.offset(of: 9) == 7 && !whole.isCut)
    }
}
