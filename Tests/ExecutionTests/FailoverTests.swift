import Domain
import Runtime
import Synchronization
import Testing
import Timetable

@testable import Execution

/// One node, as the test says it is.
private final class FakeNode: ReportSink {
    enum Mood: Sendable { case answers, silent, fails(TransportError) }
    let mood: Mutex<Mood>
    let asked = Mutex(0)

    init(_ mood: Mood) { self.mood = Mutex(mood) }

    var count: Int { asked.withLock { $0 } }
    func become(_ new: Mood) { mood.withLock { $0 = new } }

    private func act() async throws(TransportError) {
        asked.withLock { $0 += 1 }
        switch mood.withLock({ $0 }) {
        case .answers: return
        case .fails(let error): throw error
        case .silent:
            // Until the caller gives up.
            do { try await WakeUp().wait() } catch { throw TransportError(.unreachable, "given up") }
        }
    }

    func register(_ worker: WorkerDescription) async throws(TransportError) -> HeartbeatReply {
        try await act()
        return HeartbeatReply(term: .none, leaderURL: "", mustRegister: false, kill: [])
    }
    func heartbeat(_ heartbeat: WorkerHeartbeat) async throws(TransportError) -> HeartbeatReply {
        try await act()
        return HeartbeatReply(term: .none, leaderURL: "", mustRegister: false, kill: [])
    }
    func claim(_ request: ClaimRequest) async throws(TransportError) -> ClaimReply {
        try await act()
        return ClaimReply(granted: request.attempts, refused: [])
    }
    func report(_ reports: [AttemptReport]) async throws(TransportError) -> ReportReply {
        try await act()
        return ReportReply(acknowledged: reports.map(\.attempt))
    }
}

private struct Cluster: Sendable {
    let a: FakeNode
    let b: FakeNode
    let c: FakeNode
    let sink: FailoverSink

    init(_ loop: EventLoop, _ a: FakeNode.Mood, _ b: FakeNode.Mood, _ c: FakeNode.Mood) {
        let (a, b, c) = (FakeNode(a), FakeNode(b), FakeNode(c))
        (self.a, self.b, self.c) = (a, b, c)
        sink = FailoverSink(
            nodes: ["http://a/", "http://b"], timekeeper: loop, hedgeAfter: .milliseconds(20),
            patience: .milliseconds(100)
        ) { url in
            switch url {
            case "http://a": a
            case "http://b": b
            default: c
            }
        }
    }

    var counts: [Int] { [a.count, b.count, c.count] }
}

private let claim = ClaimRequest(worker: "w", boot: "b", attempts: [attempt(1)])
private let term = Term(timeline: 1, epoch: 3)

@Suite("Failover between nodes")
struct FailoverTests {
    @Test("without a known leader nodes are tried in turn, and who answered is asked first from then on")
    func inTurn() async throws {
        try await onLoop { loop in
            let cluster = Cluster(loop, .fails(TransportError(.unreachable, "no")), .answers, .answers)
            _ = try await cluster.sink.register(sampleDescription)
            _ = try await cluster.sink.report([])
            #expect(cluster.counts == [1, 2, 0])
        }
    }

    @Test("a node that names the leader sends us there, even to one that is in no list")
    func redirected() async throws {
        try await onLoop { loop in
            let cluster = Cluster(
                loop, .fails(TransportError(.notLeader, "no", leaderURL: "http://c/")), .answers, .answers)
            _ = try await cluster.sink.register(sampleDescription)
            #expect(cluster.counts == [1, 0, 1])
            _ = try await cluster.sink.register(sampleDescription)
            #expect(cluster.counts == [1, 0, 2])
        }
    }

    @Test("nodes that send us in a circle are left after a few rounds")
    func circle() async throws {
        try await onLoop { loop in
            let cluster = Cluster(
                loop, .fails(TransportError(.notLeader, "no", leaderURL: "http://b")),
                .fails(TransportError(.notLeader, "no", leaderURL: "http://a")), .answers)
            await #expect { _ = try await cluster.sink.report([]) } throws: {
                ($0 as? TransportError)?.code == .notLeader
            }
            #expect(cluster.a.count + cluster.b.count <= 6)
        }
    }

    @Test("a silent node is left after the patience")
    func silent() async throws {
        try await onLoop { loop in
            let cluster = Cluster(loop, .silent, .answers, .answers)
            _ = try await cluster.sink.report([])
            #expect(cluster.counts == [1, 1, 0])
        }
    }

    @Test("the announced leader is asked first, and one of an earlier term is not believed")
    func announced() async throws {
        try await onLoop { loop in
            let cluster = Cluster(loop, .answers, .answers, .answers)
            await cluster.sink.leaderAnnounced(url: "http://c", term: term)
            await cluster.sink.leaderAnnounced(url: "http://b", term: Term(timeline: 1, epoch: 2))
            _ = try await cluster.sink.claim(claim)
            #expect(cluster.counts == [0, 0, 1])
        }
    }

    @Test("a claim goes to the next node beside one that is silent")
    func hedged() async throws {
        try await onLoop { loop in
            let cluster = Cluster(loop, .silent, .answers, .answers)
            let reply = try await cluster.sink.claim(claim)
            #expect(reply.granted == [attempt(1)])
            #expect(cluster.counts == [1, 1, 0])
        }
    }

    @Test("a claim that a node fails goes to the next at once; when all fail, the last reason is told")
    func claimFails() async throws {
        try await onLoop { loop in
            let no = TransportError(.failed, "database away")
            let cluster = Cluster(loop, .fails(no), .answers, .answers)
            _ = try await cluster.sink.claim(claim)
            #expect(cluster.counts == [1, 1, 0])
            cluster.b.become(.fails(no))
            await #expect { _ = try await cluster.sink.claim(claim) } throws: {
                ($0 as? TransportError)?.message == "database away"
            }
            let none = FailoverSink(nodes: [], timekeeper: loop) { _ in FakeNode(.answers) }
            await #expect(throws: TransportError.self) { _ = try await none.claim(claim) }
            await #expect(throws: TransportError.self) { _ = try await none.report([]) }
        }
    }
}
