import Domain
import Testing
import Timetable

@testable import ChronosAPI

@Suite("Jobs that are encoded once")
struct EncodedJobsTests {
    private static func job(_ number: Int, command: String = "true") -> Job {
        var definition = JobDefinition(name: "job-\(number)")
        definition.command = command
        return Job(
            id: JobID("e\(number)"), version: 1, definition: definition, isEnabled: true, created: .epoch,
            modified: .epoch)
    }

    private static func text(_ jobs: [Job]) -> [UInt8] {
        Array(jobs.map { ChronosJobCoding.encode($0, zones: FakeZones()) }.joined(separator: [UInt8(ascii: ",")]))
    }

    @Test("a list shows what the jobs are now, however often it was asked for before")
    func lists() {
        let encoded = EncodedJobs(zones: FakeZones())
        var jobs = (0..<5).map { Self.job($0) }
        for _ in 0..<2 { #expect(encoded.bytes(of: jobs) == Self.text(jobs)) }
        // Neither the first of them nor their number tells.
        jobs[3] = Self.job(3, command: "false")
        for _ in 0..<2 { #expect(encoded.bytes(of: jobs) == Self.text(jobs)) }
        jobs.removeLast()
        #expect(encoded.bytes(of: jobs) == Self.text(jobs))
        // Other lists in between.
        for first in 1..<20 { #expect(encoded.bytes(of: [Self.job(first)]) == Self.text([Self.job(first)])) }
        #expect(encoded.bytes(of: jobs) == Self.text(jobs))
        #expect(encoded.bytes(of: [Job]()).isEmpty)
    }

    @Test("a list that is too long to be kept is whole")
    func large() {
        let encoded = EncodedJobs(zones: FakeZones())
        let jobs = (0..<20).map { Self.job($0, command: String(repeating: "x", count: 60_000)) }
        for _ in 0..<2 { #expect(encoded.bytes(of: jobs) == Self.text(jobs)) }
    }
}
