import Foundation
import JSON
import Testing

extension EndToEnd {
    /// Nodes whose clocks somebody sets. The cluster's time is the database's, so that nothing comes of it.
    @Suite(
        "Clocks", .serialized, .cluster(ClockCluster.options),
        .enabled(if: ShiftedClock.obstacle == nil, "\(ShiftedClock.obstacle ?? "")"))
    struct ClockTests {
        private static let hour: Int64 = 3_600

        /// Nothing starts before it is due; everything is launched.
        private static func requirePunctuality(_ cluster: Cluster, _ account: Cluster.Account) throws {
            #expect(account.verdicts.keys.sorted() == ["launched"], "\(account.verdicts)")
            let early = try Starts(in: cluster.folder).entries().filter { $0.started < $0.due }
            #expect(early.isEmpty, "\(early)")
        }

        private static func clock(of node: ClusterProcess, in cluster: Cluster) -> ShiftedClock {
            ShiftedClock(folder: cluster.folder, node: node.name)
        }

        @Test("the leader's clock set an hour ahead and an hour back: it leads on, and nothing is early, late or lost")
        func leader() async throws {
            try await onCluster { cluster in
                let account = try cluster.underLoad { starts in
                    let leader = try cluster.leaderNode()
                    let epoch = try cluster.epoch()
                    let clock = Self.clock(of: leader, in: cluster)
                    defer { try? clock.set(secondsAhead: 0) }  // The test has failed then.
                    for (seconds, said) in [(Self.hour, "is 3600 s ahead of"), (-Self.hour, "is 3600 s behind")] {
                        try clock.set(secondsAhead: seconds)
                        try cluster.waitUntilAllTick(starts)
                        // It really had another clock.
                        try cluster.wait("\(leader.name) notices") { leader.log.contains(said) }
                        try clock.set(secondsAhead: 0)
                        try cluster.waitUntilAllTick(starts)
                        try cluster.wait("\(leader.name) agrees again") {
                            leader.log.contains("clock agrees with the database's again")
                        }
                    }
                    #expect(try cluster.epoch() == epoch)
                }
                try Self.requirePunctuality(cluster, account)
            }
        }

        @Test("successors whose clocks are an hour off go on where the killed leader was")
        func successors() async throws {
            try await onCluster { cluster in
                let account = try cluster.underLoad { starts in
                    let leader = try cluster.leaderNode()
                    for (node, sign) in zip(try cluster.followers(), [1, -1] as [Int64]) {
                        try Self.clock(of: node, in: cluster).set(secondsAhead: sign * Self.hour)
                    }
                    try cluster.waitForSuccessor(starts) { try leader.kill() }
                    try cluster.waitUntilAllTick(starts)
                    let second = try cluster.leaderNode()
                    try cluster.waitForSuccessor(starts) { try second.kill() }
                    try cluster.waitUntilAllTick(starts)
                    try leader.startAgain()
                    try second.startAgain()
                }
                try Self.requirePunctuality(cluster, account)
            }
        }
    }
}

private enum ClockCluster {
    static func options() -> Cluster.Options {
        var options = Cluster.Options()
        options.nodes = 3
        options.workers = 1
        options.nodeWrapper = { folder, node in
            try ShiftedClock(folder: folder, node: node).wrapper(folder: folder)
        }
        return options
    }
}
