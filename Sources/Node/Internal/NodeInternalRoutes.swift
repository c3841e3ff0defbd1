import Coordination
import Domain
import HTTP
import Runtime
import Storage
import WorkerProtocol

/// What workers ask of nodes. Claims are granted by any node that reaches the database; the rest is the leader's.
struct NodeInternalRoutes: Sendable {
    /// The node's own.
    let url: String
    let routes: SignedRoutes
    let leader: Leader
    let store: any ClusterStore
    let logs: LogStore
    let clock: any WallClock
    let view: @Sendable () -> LeadershipView

    func register(on router: inout HTTPRouter) {
        routes.on(&router, WorkerPath.register) { body, sender in
            let worker = try WorkerMessageCoding.decodeWorkerDescription(body)
            try sender.requireSender(worker.name)
            guard case .heartbeat(let reply) = try await submit(.register(worker)) else { throw unexpected }
            return (200, WorkerMessageCoding.encode(reply))
        }
        routes.on(&router, WorkerPath.heartbeat) { body, sender in
            let heartbeat = try WorkerMessageCoding.decodeWorkerHeartbeat(body)
            try sender.requireSender(heartbeat.worker)
            guard case .heartbeat(let reply) = try await submit(.heartbeat(heartbeat)) else { throw unexpected }
            return (200, WorkerMessageCoding.encode(reply))
        }
        routes.on(&router, WorkerPath.report) { body, sender in
            let reports = try WorkerMessageCoding.decodeReports(body)
            for report in reports { try sender.requireSender(report.worker) }
            guard case .reports(let reply) = try await submit(.reports(reports)) else { throw unexpected }
            return (200, WorkerMessageCoding.encode(reply))
        }
        routes.on(&router, WorkerPath.logs) { body, _ in
            let sent = try WorkerMessageCoding.decodeLogs(body)
            do throws(StoreError) { try await logs.put(sent) } catch { throw WireError(DomainError(store: error)) }
            return (200, WorkerMessageCoding.encode(ReportReply(acknowledged: sent.map(\.attempt))))
        }
        routes.on(&router, WorkerPath.claim) { body, sender in
            let request = try WorkerMessageCoding.decodeClaimRequest(body)
            try sender.requireSender(request.worker)
            return (200, WorkerMessageCoding.encode(try await claim(request)))
        }
    }

    private var unexpected: WireError { WireError(status: 500, message: "the leader gave an answer of another kind") }

    private func submit(_ command: LeaderCommand) async throws -> LeaderReply {
        do { return try await leader.submit(command) } catch { throw WireError(error, leader: otherLeader) }
    }

    private var otherLeader: String? { view().otherLeader(than: url) }

    private func claim(_ request: ClaimRequest) async throws -> ClaimReply {
        let reply: ClaimReply
        do { reply = try await store.claim(request, now: clock.now()) } catch {
            throw WireError(DomainError(store: error))
        }
        if view().role == .leader, !reply.granted.isEmpty { await leader.note(request, granted: reply.granted) }
        return reply
    }
}
