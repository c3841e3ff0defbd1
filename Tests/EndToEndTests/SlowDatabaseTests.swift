import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite("A slow database", .serialized, .cluster(SlowCluster.options))
    struct SlowDatabaseTests {
        private static let delay = 0.2
        /// How long it lasts, in milliseconds: beyond trust and the lock session's time.
        private static let time: Int64 = 8_000
        /// A turn of the leader that launches, and a worker's claim, are a handful of statements one after the other.
        private static let statements: Int64 = 10

        @Test("each statement takes 200 ms longer: the leader stays, everything runs, a few statements late")
        func slow() async throws {
            try await onCluster { cluster in
                let way = try #require(SlowCluster.way.withLock { $0 })
                let account = try cluster.underLoad { starts in
                    let epoch = try cluster.epoch()
                    try way.set(delay: Self.delay)
                    let begin = Clock.now
                    try cluster.wait("much has become due") {
                        try starts.entries().contains { $0.due > begin + Self.time }
                    }
                    try way.set(delay: 0)
                    let late = try starts.entries().filter { $0.due > begin }.map { $0.started - $0.due }.sorted()
                    print(
                        "a slow database: starts are \(late[late.count / 2]) ms late at the median, \(late.last ?? 0) at most"
                    )
                    #expect(late[late.count / 2] <= Self.statements * Int64(Self.delay * 1_000))
                    #expect(try cluster.epoch() == epoch)
                }
                #expect(account.verdicts.keys.sorted() == ["launched"], "\(account.verdicts)")
                #expect(account.states.keys.sorted() == ["succeeded"], "\(account.states)")
            }
        }
    }
}

private enum SlowCluster {
    static let way = Mutex<SlowWay?>(nil)

    static func options() throws -> Cluster.Options {
        let postgres = try TestPostgres.start(settings: ["synchronous_commit = on"])
        let port = try #require(postgres.tcpPort)
        let slow = try SlowWay(to: port)
        way.withLock { $0 = slow }
        var options = Cluster.Options()
        options.nodes = 3
        options.workers = 2
        options.postgres = postgres
        options.databasePort = slow.port
        return options
    }
}
