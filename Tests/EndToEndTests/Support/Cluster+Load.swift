import Foundation
import Testing

// A schedule that ticks while something breaks.

extension Cluster {
    /// T of the election, with the worst of the times that may come on top of it, in milliseconds (leadership.md §1).
    static let worstElection: Int64 = 10_300

    /// Runs a fault while the schedule ticks; afterwards each occurrence has one verdict and nothing was started twice.
    /// - Returns: what became of everything that was due since the schedule began.
    @discardableResult
    func underLoad(_ body: (Starts) throws -> Void) throws -> Account {
        let starts = Starts(in: folder)
        let jobs = try tick(starts)
        try body(starts)
        try waitForLeader()
        try waitUntilAllTick(starts)
        return try requireCompleteLedger(jobs, through: Clock.now, starts)
    }

    /// Jobs that are due each second, a quarter of a second apart.
    @discardableResult
    func tick(_ starts: Starts, count: Int64 = 4) throws -> [Ticking] {
        guard ticking.isEmpty else { return ticking }
        let begin = (Clock.now / 1_000 + 2) * 1_000
        let jobs = (0..<count).map {
            Ticking(name: "tick-\($0)", start: begin + $0 * 1_000 / count, interval: 1_000)
        }
        for job in jobs { try put(job, recordingIn: starts) }
        ticking = jobs
        try wait("the schedule ticks") { try starts.entries().count >= jobs.count }
        return jobs
    }

    /// Waits until each job has started something that became due after this call.
    func waitUntilAllTick(_ starts: Starts, within seconds: Double = patience) throws {
        let now = Clock.now
        try wait("the schedule ticks again", within: seconds) {
            let again = Set(try starts.entries().filter { $0.due > now }.map(\.job))
            return again.isSuperset(of: self.ticking.map(\.name))
        }
    }

    func epoch() throws -> Int {
        try query("SELECT epoch::text FROM carillon.leadership").first?.first?.flatMap { Int($0) } ?? 0
    }

    func waitForEpoch(after former: Int, within seconds: Double = patience) throws {
        try wait("another term", within: seconds) { try self.epoch() > former }
    }

    /// Does something that takes the leader's place away, and waits for a successor and its first start.
    /// - Returns: milliseconds until there is another term.
    @discardableResult
    func waitForSuccessor(_ starts: Starts, after fault: () throws -> Void) throws -> Int64 {
        let former = try epoch()
        try fault()
        let begin = Clock.now
        try waitForEpoch(after: former)
        let elected = Clock.now
        try wait("the successor fires") { try starts.entries().contains { $0.started > elected } }
        return elected - begin
    }
}
