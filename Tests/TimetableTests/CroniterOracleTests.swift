import Foundation
import Testing

@testable import Timetable

/// Python's croniter as an oracle for cron expressions, away from transitions, where it and Cronicle differ on purpose.
@Suite("croniter agrees")
struct CroniterOracleTests {
    /// Reads lines `expression|zone|start` and answers each with five due seconds.
    static let script = """
        import sys
        from datetime import datetime
        from zoneinfo import ZoneInfo
        from croniter import croniter
        for line in sys.stdin:
            text, zone, start = line.rstrip("\\n").split("|")
            first = datetime.fromtimestamp(int(start), ZoneInfo(zone))
            found = croniter(text, first, implement_cron_bug=True, second_at_beginning=True)
            try:
                print(*[int(found.get_next(float)) for _ in range(5)])
            except Exception as error:
                print("error", type(error).__name__)
        """

    static func python(_ script: String, _ input: String) throws -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script]
        let (stdin, stdout) = (Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = FileHandle.nullDevice
        try process.run()
        // The whole input fits a pipe only when it is small; write it beside the reading.
        let bytes = Data(input.utf8)
        let writer = Thread {
            // A script that ended early is seen by its status; nobody needs the error of the write.
            try? stdin.fileHandleForWriting.write(contentsOf: bytes)
            try? stdin.fileHandleForWriting.close()
        }
        writer.start()
        let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? String(decoding: output, as: UTF8.self) : nil
    }

    // Without Python at all there is no oracle either; the trait shows the reason.
    static let isInstalled = (try? python("import croniter, zoneinfo", "")) ?? nil != nil

    static func randomExpression(_ random: inout SeededGenerator) -> String {
        func value(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        func field(_ range: ClosedRange<Int>, _ starWeight: Int) -> String {
            if value(0...9) < starWeight { return "*" }
            // croniter takes 5-5 for the whole circle.
            let low = value(range.lowerBound...range.upperBound - 1)
            switch value(0...5) {
            case 0: return "\(low)-\(value(low + 1...range.upperBound))"
            case 1: return "*/\(value(2...max(2, range.upperBound / 2)))"
            case 2: return "\(low),\(value(range)),\(value(range))"
            case 3: return "\(low)-\(range.upperBound)/\(value(1...max(1, range.upperBound / 3)))"
            default: return "\(low)"
            }
        }
        let names = ["mon", "TUE", "wed-fri", "sun", "7", "sat-sun", "1-5"]
        let weekday = value(0...4) == 0 ? names[value(0...6)] : field(0...6, 6)
        let months = ["jan", "Feb", "mar-may", "jun,sep,DEC"]
        let month = value(0...7) == 0 ? months[value(0...3)] : field(1...12, 7)
        let day = value(0...9) == 0 ? "L" : field(1...31, 5)
        let five = "\(field(0...59, 2)) \(field(0...23, 3)) \(day) \(month) \(weekday)"
        return value(0...5) == 0 ? "\(field(0...59, 2)) \(five)" : five
    }

    @Test(
        "random expressions in UTC and in zones away from transitions",
        .enabled(if: isInstalled, "python3 cannot import croniter"))
    func random() throws {
        var random = SeededGenerator(seed: 2_026)
        let zones = ["UTC", "UTC", "Asia/Kathmandu", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"]
        var cases: [(text: String, zone: String, start: Int64)] = []
        for number in 0..<600 {
            let start = Int64.random(in: 315_532_800..<4_102_444_800, using: &random)
            cases.append((Self.randomExpression(&random), zones[number % zones.count], start))
        }
        let input = cases.map { "\($0.text)|\($0.zone)|\($0.start)\n" }.joined()
        let output = try #require(try Self.python(Self.script, input))
        let answers = output.split(separator: "\n")
        try #require(answers.count == cases.count)
        var compared = 0
        for (answer, (text, zone, start)) in zip(answers, cases) {
            let schedule = try cron(text, zone: zone)
            let theirs = answer.split(separator: " ").compactMap { Int64($0) }
            guard !theirs.isEmpty else {
                // croniter gives up after 50 years.
                let next = schedule.next(after: Instant(seconds: start))?.index ?? .max
                if next < start + 40 * 31_556_952 { Issue.record("\(text) \(zone) \(start): only we find \(next)") }
                continue
            }
            var position = start
            for their in theirs {
                let ours = schedule.next(after: Instant(seconds: position))
                let nearby = schedule.zone.span(containing: max(0, position - 90_000))
                guard nearby.end > their + 90_000 else { break }
                compared += 1
                if ours?.index != their {
                    Issue.record("\(text) \(zone) after \(position): \(ours?.index ?? -1), croniter: \(their)")
                    break
                }
                position = their
            }
        }
        #expect(compared > 1_000)
    }
}
