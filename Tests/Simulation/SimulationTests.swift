// The whole cluster on one thread and in virtual time: production electors, leaders, worker agents and their links to
// the nodes, on simulated network, database, disks, commands and clocks, under faults drawn from a seed.
//
//     CARILLON_SIMULATION_SEEDS=10000 swift test -c release --filter SimulationTests     so many seeds
//     CARILLON_SIMULATION_SEED=4711 swift test --filter SimulationTests/seeds            this one; and with
//     CARILLON_SIMULATION_TRACE=1                                                        everything that happened in it
//
// Engine: virtual time, the executor, chance, the trace. World: what production code talks to, and the checker that
// watches from outside. Scenario, FaultPlan, Workload, FinalCheck: what happens in one simulation, and what must hold.
//
// Not simulated: HTTP and the coding and signing of messages, SQL, real processes. They have tests of their own on real
// servers; the in-memory store is kept honest by the conformance suite that it shares with PostgreSQL's.

import Domain
import Foundation
import Testing

@testable import Execution

@Suite("Simulation")
struct SimulationTests {
    @Test("a calm cluster runs what is due")
    func calm() {
        let outcome = Scenario(World.Options(seed: 1, isCalm: true)).run()
        #expect(outcome.violations.isEmpty, "\(outcome.report)")
        #expect(outcome.offices == 1)
        #expect(outcome.starts > 50)
    }

    @Test("what is promised holds under faults, whatever the seed", arguments: 0..<Seeds.threads)
    func seeds(_ thread: Int) {
        let seeds = Seeds.all.filter { $0 % UInt64(Seeds.threads) == UInt64(thread) }
        var progress = Progress(total: seeds.count)
        for seed in seeds {
            let outcome = CrashReport.during(Outcome.replay(seed), slot: thread) {
                Scenario(World.Options(seed: seed, traceLimit: Seeds.traceLimit)).run()
            }
            if Seeds.isVerbose { print(outcome.summary) }
            #expect(outcome.violations.isEmpty, "\(outcome.report)")
            if Seeds.wantsTrace { print(outcome.trace.joined(separator: "\n")) }
            progress.finished(seed)
        }
        #expect(Progress.residentMegabytes < Progress.memoryLimit, "simulations leave too much memory behind")
    }

    @Test("a leader that is stopped at any point of its work has no effect when it goes on", arguments: 0..<2)
    func stoppedLeader(_ thread: Int) {
        // Steps of a leader that has some jobs due each second; in CI every seventh, in the long run every one.
        for jobs in stride(from: 1 + thread * Seeds.stopStride, through: Seeds.lastStop, by: 2 * Seeds.stopStride) {
            // Beyond T its lock is gone, within it nothing is; between the two its trust has ended.
            let time = [Duration.seconds(8), .seconds(4), .seconds(1)][jobs / Seeds.stopStride % 3]
            var options = World.Options(seed: UInt64(10_000 + jobs))
            options.stoppedLeader = World.StoppedLeader(afterJobs: jobs, time: time)
            let outcome = Scenario(options).run()
            #expect(outcome.violations.isEmpty, "stopped after \(jobs) jobs for \(time)\n\(outcome.report)")
            if time > ElectionConstants().idleSession { #expect(outcome.offices > 1, "nobody took over") }
        }
    }

    @Test("a simulation that dies names its seed and the command that shows it again")
    func crash() async {
        // A dead orphan of another test's hides the end of the process from whoever waits for it.
        async let _ = reapOrphans()
        let result = await #expect(processExitsWith: .signal(SIGILL), observing: [\.standardErrorContent]) {
            CrashReport.during(Outcome.replay(4_711), slot: 3) { _ = raise(SIGILL) }
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.contains("dies of a signal in the simulation of\n\(Outcome.replay(4_711))\n"), "\(text)")
    }

    @Test("a seed decides everything", arguments: [3, 17] as [UInt64])
    func determinism(_ seed: UInt64) {
        let first = Scenario(World.Options(seed: seed)).run()
        let second = Scenario(World.Options(seed: seed)).run()
        #expect(first.hash == second.hash)
        #expect(first.summary == second.summary)
        let other = Scenario(World.Options(seed: seed + 1)).run()
        #expect(first.hash != other.hash)
    }

    @Test("planted bugs are found", arguments: PlantedBug.all)
    func planted(_ bug: PlantedBug) {
        var found: [String] = []
        for seed in bug.first..<bug.first + PlantedBug.seeds {
            let outcome = Scenario(World.Options(seed: seed, bugs: bug.bugs)).run()
            guard let violation = outcome.violations.first else { continue }
            found.append(violation.rule)
            if Seeds.isVerbose { print("\(bug): seed \(seed) found \(violation)") }
            if bug.rules.contains(violation.rule) { return }
        }
        Issue.record("\(bug) was not found as one of \(bug.rules) in \(PlantedBug.seeds) seeds, but as \(found)")
    }
}

private func reapOrphans() async {
    while !Task.isCancelled {
        ChildTable.ofThisProcess.reapStrays()
        // Cancelled at the end.
        try? await Task.sleep(for: .milliseconds(50))
    }
}

struct PlantedBug: CustomTestStringConvertible, Sendable {
    /// In how many simulations at most it must be found.
    static let seeds: UInt64 = 40

    let testDescription: String
    let bugs: PlantedBugs
    /// Rules, one of which must find it.
    let rules: Set<String>
    /// The seed to begin with. One that finds it saves the time of those before.
    var first: UInt64 = 1

    static let all = [
        PlantedBug(testDescription: "no fence", bugs: .noFence, rules: ["I3"], first: 10),
        PlantedBug(testDescription: "no claim", bugs: .noClaim, rules: ["I4"], first: 25),
        PlantedBug(testDescription: "lost insert", bugs: .lostInsert, rules: ["launched"]),
        PlantedBug(testDescription: "lost verdict", bugs: .lostVerdict, rules: ["I5"]),
        PlantedBug(
            testDescription: "endless trust and no fence", bugs: [.endlessTrust, .noFence], rules: ["I3", "I6"],
            first: 10),
        PlantedBug(testDescription: "lock never freed", bugs: .lockNeverFreed, rules: ["I7"], first: 12),
        PlantedBug(testDescription: "the epoch stays the same", bugs: .sameEpoch, rules: ["I1", "I2"]),
        PlantedBug(testDescription: "workers heed leaders of old", bugs: .oldOffers, rules: ["I8"], first: 16),
        PlantedBug(testDescription: "blind redirects", bugs: .blindRedirect, rules: ["I9"]),
        PlantedBug(testDescription: "lost job", bugs: .lostJob, rules: ["I10"], first: 2),
        PlantedBug(testDescription: "a node ends with its office", bugs: .endsWithOffice, rules: ["I11"]),
        PlantedBug(testDescription: "leaders go by their own clocks", bugs: .ownClock, rules: ["I12"]),
    ]
}

/// What the environment asks for.
enum Seeds {
    static let one = number("CARILLON_SIMULATION_SEED")
    static let count = number("CARILLON_SIMULATION_SEEDS") ?? 200
    static let first = number("CARILLON_SIMULATION_FIRST") ?? 1
    static let all: [UInt64] = one.map { [$0] } ?? Array(first..<first + count)
    /// Simulations side by side; each is one thread.
    static let threads = one == nil ? Int(number("CARILLON_SIMULATION_THREADS") ?? 2) : 1
    /// The long run looks at every step of a leader's.
    static let stopStride = count > 200 ? 1 : 7
    static let lastStop = 280
    static let isVerbose = one != nil || ProcessInfo.processInfo.environment["CARILLON_SIMULATION_VERBOSE"] != nil
    static let wantsTrace = ProcessInfo.processInfo.environment["CARILLON_SIMULATION_TRACE"] != nil
    static let traceLimit = wantsTrace ? nil : 400

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
    }
}
