import Coordination
import Domain
import Runtime
import Timetable

/// A node's process: the production elector and leader, on simulated ports. What its HTTP routes do beside that
/// (production: `NodeInternalRoutes`) is here in short.
final class SimulatedNode: Sendable {
    let executor: SimulationExecutor
    let description: NodeDescription
    let elector: Elector
    let leader: Leader
    private let store: SimulatedStore
    private let world: World
    private let clock: any WallClock

    init(world: World, host: Host) {
        host.starts += 1
        let executor = world.makeExecutor(host, name: "\(host.name)#\(host.starts)")
        let description = NodeDescription(
            name: host.name, url: host.url, boot: "\(host.name)-boot\(host.starts)", version: "0")
        var constants = world.constants
        if world.options.bugs.contains(.endlessTrust) { constants.trust = .seconds(100_000) }
        let log = world.log(executor)
        self.world = world
        self.executor = executor
        self.description = description
        let time = ClusterClock(timekeeper: executor, log: log)
        clock = world.options.bugs.contains(.ownClock) ? HostClock(executor: executor) : time
        store = SimulatedStore(database: world.database, process: executor, node: description)
        leader = Leader(
            node: description, store: store, transport: SimulatedTransport(world: world, process: executor),
            clock: clock, timekeeper: executor, zones: OnlyUTC(), policy: world.policy, log: log)
        elector = Elector(
            node: description,
            lock: SimulatedLock(
                database: world.database, process: executor, node: description, constants: world.constants),
            leader: leader, timekeeper: executor, constants: constants, clock: time, log: log)
    }

    func run() async {
        guard world.options.bugs.contains(.endsWithOffice) else { return await runElector() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.runElector() }
            group.addTask { await self.waitForLoss() }
            await group.next()
            group.cancelAll()
        }
    }

    private func runElector() async {
        do { try await elector.run() } catch { world.engine.note(executor.name, "elector threw \(error)") }
    }

    private func waitForLoss() async {
        var hasLed = false
        while !executor.isUnwinding, !Task.isCancelled {
            let leads = elector.view.role == .leader
            if hasLed, !leads { return }
            hasLed = leads
            // Interrupted at the end of the simulation only.
            try? await executor.sleep(for: .milliseconds(50))
        }
    }

    // MARK: What others ask of it

    func submit(_ command: LeaderCommand) async throws(DomainError) -> LeaderReply {
        try await leader.submit(command)
    }

    func claim(_ request: ClaimRequest) async -> Result<ClaimReply, TransportError> {
        let reply: ClaimReply
        do { reply = try await store.claim(request, now: clock.now()) } catch {
            return .failure(TransportError(.failed, error.message))
        }
        if elector.view.role == .leader, !reply.granted.isEmpty {
            // The row is what counts; the leader learns of it from the worker's heartbeat or report.
            await leader.note(request, granted: reply.granted)
        }
        return .success(reply)
    }

    /// Where a node that does not lead sends its callers.
    var otherLeader: String? {
        let view = elector.view
        let isBlind = world.options.bugs.contains(.blindRedirect)
        let other = isBlind ? view.leader?.url : view.otherLeader(than: description.url)
        if let other, let record = view.leader { world.checker.redirected(self, to: other, as: record) }
        return other
    }

    func transportError(_ error: DomainError) -> TransportError {
        switch error.code {
        case .notLeader: TransportError(.notLeader, error.message, leaderURL: otherLeader)
        case .invalid, .unauthenticated, .forbidden, .notFound: TransportError(.refused, error.message)
        default: TransportError(.failed, error.message)
        }
    }
}

/// A planted bug: the node's own.
struct HostClock: WallClock {
    let executor: SimulationExecutor
    func now() -> Instant { Instant(microseconds: executor.wallMicroseconds) }
}

/// Zones are not what is tested here.
struct OnlyUTC: ZoneDatabase {
    var version: String { "none" }
    func rules(named name: String) -> ZoneRules? { name == "UTC" ? .utc : nil }
}
