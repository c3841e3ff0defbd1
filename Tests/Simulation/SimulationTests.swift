// The whole cluster on one thread and in virtual time: production electors, leaders, worker agents and their links to
// the nodes, on simulated network, database, disks, commands and clocks, under faults drawn from a seed.
//
//     CARILLON_SIMULATION_SEEDS=10000 swift test -c release --filter SimulationTests     so many seeds
//     CARILLON_SIMULATION_SEED=4711 swift test --filter SimulationTests                  this one, with its trace
//
// Engine: virtual time, the executor, chance, the trace. World: what production code talks to, and the checker that
// watches from outside. Scenario, FaultPlan, Workload, FinalCheck: what happens in one simulation, and what must hold.
//
// Not simulated: HTTP and the coding and signing of messages, SQL, real processes. They have tests of their own on real
// servers; the in-memory store is kept honest by the conformance suite that it shares with PostgreSQL's.

import Foundation
import Synchronization
import Testing

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
        for seed in Seeds.all where seed % UInt64(Seeds.threads) == UInt64(thread) {
            let outcome = Scenario(World.Options(seed: seed, traceLimit: Seeds.traceLimit)).run()
            if Seeds.isVerbose { print(outcome.summary) }
            #expect(outcome.violations.isEmpty, "\(outcome.report)")
            if Seeds.wantsTrace { print(outcome.trace.joined(separator: "\n")) }
        }
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
        PlantedBug(testDescription: "no claim", bugs: .noClaim, rules: ["I4"], first: 17),
        PlantedBug(testDescription: "lost insert", bugs: .lostInsert, rules: ["launched"]),
        PlantedBug(testDescription: "lost verdict", bugs: .lostVerdict, rules: ["I5"]),
        PlantedBug(
            testDescription: "endless trust and no fence", bugs: [.endlessTrust, .noFence], rules: ["I3", "I6"],
            first: 10),
        PlantedBug(testDescription: "lock never freed", bugs: .lockNeverFreed, rules: ["I7"], first: 7),
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
    static let isVerbose = one != nil || ProcessInfo.processInfo.environment["CARILLON_SIMULATION_VERBOSE"] != nil
    static let wantsTrace = ProcessInfo.processInfo.environment["CARILLON_SIMULATION_TRACE"] != nil
    static let traceLimit = wantsTrace ? nil : 400

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
    }
}
