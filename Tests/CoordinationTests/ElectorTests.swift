import Domain
import Runtime
import Storage
import Synchronization
import Testing
import Timetable

@testable import Coordination

@Suite struct ElectorTests {
    static var constants: ElectionConstants {
        var constants = ElectionConstants()
        constants.heartbeat = .milliseconds(10)
        constants.trust = .milliseconds(500)
        constants.poll = .milliseconds(5)
        constants.rest = .milliseconds(5)
        return constants
    }

    struct Node: Sendable {
        let elector: Elector
        let leader: Leader
        let store: FaultyStore
        let task: Task<Void, Never>
    }

    static func node(_ name: String, _ election: FakeElection, _ loop: EventLoop) -> Node {
        let store = FaultyStore(election.memory)
        let node = NodeDescription(name: name, url: "http://\(name)", boot: name, version: "1")
        let leader = Leader(
            node: node, store: store, transport: FakeTransport(), clock: LoopClock(loop: loop), timekeeper: loop,
            zones: NoZones(), policy: SchedulingPolicy(), log: Log("test"))
        let elector = Elector(
            node: node, lock: FakeLock(node: name, election: election), leader: leader, timekeeper: loop,
            constants: constants, log: Log("test"))
        let task = loop.start(name) {
            do { try await elector.run() } catch { Issue.record("the elector ended: \(error)") }
        }
        return Node(elector: elector, leader: leader, store: store, task: task)
    }

    enum Fault: CaseIterable { case readOnly, lockLost, laterTerm, down, terminated }

    @Test("whatever takes the office away, the node steps down and comes back", arguments: Fault.allCases)
    func stepDown(fault: Fault) async throws {
        try await onLoop { loop in
            let election = FakeElection(MemoryClusterStore())
            let node = Self.node("n1", election, loop)
            try await loop.until { node.leader.status.turns > 0 }
            #expect(node.elector.view.role == .leader)
            switch fault {
            case .readOnly: election.state.withLock { $0.isReadOnly = true }
            case .lockLost: election.state.withLock { $0.holdsLock = false }
            case .laterTerm: election.state.withLock { $0.epoch += 1 }
            case .down: election.state.withLock { $0.isDown = true }
            case .terminated: election.terminate()
            }
            try await loop.until { node.elector.view.term != Term(timeline: 1, epoch: 1) }
            election.state.withLock {
                $0.isReadOnly = false
                $0.holdsLock = true
                $0.isDown = false
            }
            try await loop.until { node.elector.offices >= 2 && node.elector.view.role == .leader }
            #expect(node.elector.view.term.map { $0.epoch > 1 } == true)
            node.task.cancel()
            await node.task.value
        }
    }

    @Test("a node that is stopped resigns")
    func resign() async throws {
        try await onLoop { loop in
            let election = FakeElection(MemoryClusterStore())
            let node = Self.node("n1", election, loop)
            try await loop.until { node.leader.status.turns > 0 }
            node.task.cancel()
            await node.task.value
            #expect(election.state.withLock { $0.resigned } == [Term(timeline: 1, epoch: 1)])
            #expect(election.state.withLock { $0.holder } == nil)
        }
    }

    @Test("of two nodes one leads at a time, and epochs only rise")
    func two() async throws {
        try await onLoop { loop in
            let election = FakeElection(MemoryClusterStore())
            let nodes = [Self.node("n1", election, loop), Self.node("n2", election, loop)]
            for round in 1...6 {
                try await loop.until {
                    nodes.contains { $0.leader.status.turns > 0 && $0.elector.view.role == .leader }
                }
                let leaders = nodes.filter { $0.elector.view.role == .leader }
                for node in leaders {
                    var definition = JobDefinition(name: "j\(round)")
                    definition.command = "true"
                    // Refused where the office has just been lost; what is answered well is stored.
                    let reply = try? await node.leader.submit(
                        .putJob(definition, isEnabled: true, counters: nil, mode: .upsert))
                    if reply != nil {
                        #expect(
                            election.memory.contents.tables.jobs.values.contains { $0.definition.name == "j\(round)" })
                    }
                }
                let offices = nodes.reduce(0) { $0 + $1.elector.offices }
                election.terminate()
                try await loop.until { nodes.reduce(0) { $0 + $1.elector.offices } > offices }
            }
            let epochs = election.state.withLock { $0.offices.map(\.epoch) }
            #expect(epochs == epochs.sorted() && Set(epochs).count == epochs.count)
            // Each term has committed on one node only.
            let terms = nodes.map { Set($0.store.committed.withLock { $0 }) }
            #expect(terms[0].isDisjoint(with: terms[1]))
            for node in nodes { node.task.cancel() }
            for node in nodes { await node.task.value }
        }
    }
}
