import Foundation
import Testing

/// `deploy/upgrade-test.sh` builds the older version and names its executable here.
private let older = ProcessInfo.processInfo.environment["CARILLON_OLDER_EXECUTABLE"] ?? ""

extension EndToEnd {
    /// Two versions in one cluster, as it is while an upgrade is under way, and when one is taken back.
    @Suite("Upgrade", .serialized)
    struct UpgradeTests {
        @Test(
            "members of an older version are replaced one by one, and back, while the schedule ticks",
            .enabled(if: !older.isEmpty, "needs the executable of an older version: run deploy/upgrade-test.sh"))
        func upgrade() async throws {
            var options = Cluster.Options()
            options.nodes = 3
            options.workers = 2
            options.nodeArguments = ["--follower", "proxy"]
            options.executable = older
            try await Cluster.run(options) { cluster in
                let account = try cluster.underLoad { starts in
                    // The older version works on the newer one's tables.
                    try cluster.migrate(with: Executable.path)
                    try cluster.waitUntilAllTick(starts)
                    let newer = Executable.path
                    // A new node beside old ones and old workers; the leader is replaced among them.
                    for node in cluster.nodes {
                        try RollingRestartTests.restart(node, cluster, executable: newer)
                        try cluster.waitUntilAllTick(starts)
                    }
                    for worker in cluster.workers {
                        try RollingRestartTests.restart(worker: worker, cluster, starts, executable: newer)
                    }
                    // A new worker under old nodes, and an old leader after a new one.
                    for node in cluster.nodes {
                        try RollingRestartTests.restart(node, cluster, executable: older)
                        try cluster.waitUntilAllTick(starts)
                    }
                    try RollingRestartTests.restart(worker: cluster.workers[0], cluster, starts, executable: older)
                }
                print("upgrade and back: \(account.verdicts), \(account.states), \(account.starts) starts")
                #expect(account.verdicts.keys.sorted() == ["launched"])
                #expect(account.states.keys.sorted() == ["succeeded"])
            }
        }
    }
}
