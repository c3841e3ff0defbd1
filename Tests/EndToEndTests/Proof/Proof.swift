import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

// The proof: faults drawn from a seed, one after the other, while ten occurrences a second become due, and a table of
// what came of them. `deploy/proof.sh` runs it with a hundred faults on the release build; as one of the tests it runs
// with a handful.
//
//     CARILLON_PROOF_FAULTS, CARILLON_PROOF_SEED     how many, and which
//     CARILLON_PROOF_TABLE                           a file that the table is written to
//     CARILLON_TEST_EXECUTABLE                       the `carillon` to prove, if not the one built with the tests
//
// What is counted rests on two witnesses that know nothing of each other: what the commands wrote when they were
// started, and the ledger. In the end `carillon verify` must find nothing either.

extension EndToEnd {
    @Suite("The proof", .serialized, .cluster(ProofCluster.options))
    struct Proof {
        @Test("faults drawn from a seed: nothing is doubled, and nothing is lost without a verdict")
        func faults() async throws {
            let count = ProofCluster.number("CARILLON_PROOF_FAULTS") ?? 5
            let seed = UInt64(ProofCluster.number("CARILLON_PROOF_SEED") ?? 1)
            try await onCluster { cluster in
                let starts = Starts(in: cluster.folder)
                let jobs = try cluster.tick(starts, count: 10)
                var faults = FaultDeck(seed: seed, hasNetwork: cluster.options.network != nil)
                var table = ProofTable(seed: seed, begin: Clock.now)
                defer { cluster.options.network.map { try? $0.heal() } }  // Whoever sees a failure sees it first.
                for number in 1...count {
                    let fault = faults.draw()
                    let begin = Clock.now
                    try fault.perform(cluster, starts, number: number, &faults.chance)
                    try Self.waitUntilWhole(cluster, starts)
                    table.add(fault, begin: begin)
                    if count > 10 { print("\(number) of \(count): \(fault): \((Clock.now - begin) / 1_000) s") }
                }
                let end = Clock.now
                let account = ProofAccount(cluster: cluster, jobs: jobs, end: end)
                try account.waitUntilDecided()
                try table.close(account, starts, end: end)
                print(table.text)
                if let path = ProcessInfo.processInfo.environment["CARILLON_PROOF_TABLE"] {
                    try table.text.write(toFile: path, atomically: true, encoding: .utf8)
                }
                #expect(table.doubled == 0)
                #expect(table.lost == 0)
                try cluster.requireCompleteLedger(jobs, through: end, starts)
            }
        }

        /// Everything is up, everybody knows the leader, and all that becomes due is started.
        private static func waitUntilWhole(_ cluster: Cluster, _ starts: Starts) throws {
            try cluster.wait("all nodes agree on the leader", within: 60) {
                let named = cluster.nodes.map { node -> String? in
                    // A node that was just started does not answer yet.
                    let health = try? cluster.request("GET", node.url + "/health", timeout: 2).json
                    return health?["database"] == "ok" ? health?["leader"]?.stringValue : nil
                }
                return named[0] != nil && Set(named).count == 1
            }
            try cluster.wait("all workers are up", within: 60) {
                let states = try cluster.workerStates()
                return states.count == cluster.workers.count && states.values.allSatisfy { $0 == "up" }
            }
            try cluster.waitUntilAllTick(starts, within: 60)
        }
    }
}

/// Three nodes and three workers, on hosts of their own where such can be made, and a database that may be killed.
private enum ProofCluster {
    static func options() throws -> Cluster.Options {
        let members = (1...3).flatMap { ["node-\($0)", "worker-\($0)"] }
        var options = Cluster.Options()
        options.nodes = 3
        options.workers = 3
        options.role = "carillon"
        if TestNetwork.obstacle == nil {
            let network = try TestNetwork(hosts: [Cluster.databaseHost] + members)
            options.network = network
            options.postgres = try TestPostgres.start(
                settings: ["synchronous_commit = on"], wrapper: network.wrapper(Cluster.databaseHost),
                trusted: TestNetwork.range)
        } else {
            options.postgres = try TestPostgres.start(settings: ["synchronous_commit = on"])
        }
        return options
    }

    static func number(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap { Int($0) } }
}
