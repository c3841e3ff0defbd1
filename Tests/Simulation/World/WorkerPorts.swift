import Domain
import Execution

/// Leader to worker (production: `HTTPWorkerTransport`).
struct SimulatedTransport: WorkerTransport {
    let world: World
    let process: SimulationExecutor
    /// As in production: a worker that takes longer is treated as if it had not got the message.
    static let timeout = Duration.seconds(2)

    func offer(_ batch: OfferBatch, to worker: WorkerDescription) async throws(TransportError) -> OfferReply {
        world.checker.leaderActs(batch.term, process)
        let result: Result<OfferReply, DomainError> = try await call(worker) { host in
            let known = world.checker.highestHeeded(by: host.executor)
            do throws(DomainError) {
                let reply = try await host.agent.offer(planted(batch, known: known))
                if case .taken = reply { world.checker.heeded(batch.term, at: host.executor, known: known) }
                return .success(reply)
            } catch { return .failure(error) }
        }
        do { return try result.get() } catch { throw TransportError(.failed, error.message) }
    }

    func kill(_ request: KillRequest, at worker: WorkerDescription) async throws(TransportError) {
        let result: Result<Void, DomainError> = try await call(worker) { host in
            let known = world.checker.highestHeeded(by: host.executor)
            do throws(DomainError) {
                try await host.agent.kill(request)
                world.checker.heeded(request.term, at: host.executor, known: known)
                return .success(())
            } catch { return .failure(error) }
        }
        do { try result.get() } catch { throw TransportError(.failed, error.message) }
    }

    func adjust(_ request: AdjustRequest, at worker: WorkerDescription) async throws(TransportError) {
        let result: Result<Void, DomainError> = try await call(worker) { host in
            do throws(DomainError) {
                try await host.agent.adjust(request)
                return .success(())
            } catch { return .failure(error) }
        }
        do { try result.get() } catch { throw TransportError(.failed, error.message) }
    }

    /// The bug that takes offers of a term that is over for those of the present one.
    private func planted(_ batch: OfferBatch, known: Term) -> OfferBatch {
        guard world.options.bugs.contains(.oldOffers) else { return batch }
        var batch = batch
        batch.term = max(batch.term, known)
        return batch
    }

    private func call<Reply: Sendable>(
        _ worker: WorkerDescription, _ work: @escaping @Sendable (SimulatedWorker) async -> Reply
    ) async throws(TransportError) -> Reply {
        guard let host = world.host(at: worker.url) else { throw TransportError(.unreachable, "no such host") }
        do throws(Network.Failure) {
            return try await world.network.call(from: process, to: host, timeout: Self.timeout) { host in
                guard let worker = host.worker else { return nil }
                return { await work(worker) }
            }
        } catch {
            throw TransportError(.unreachable, "\(worker.url) does not answer: \(error)")
        }
    }
}

/// Worker to one node (production: `HTTPReportSink`).
struct SimulatedSink: ReportSink {
    let world: World
    let process: SimulationExecutor
    let url: String
    static let timeout = Duration.seconds(3)

    func register(_ worker: WorkerDescription) async throws(TransportError) -> HeartbeatReply {
        guard case .heartbeat(let reply) = try await submit(.register(worker)) else { throw Self.unexpected }
        return reply
    }

    func heartbeat(_ heartbeat: WorkerHeartbeat) async throws(TransportError) -> HeartbeatReply {
        guard case .heartbeat(let reply) = try await submit(.heartbeat(heartbeat)) else { throw Self.unexpected }
        return reply
    }

    func report(_ reports: [AttemptReport]) async throws(TransportError) -> ReportReply {
        guard case .reports(let reply) = try await submit(.reports(reports)) else { throw Self.unexpected }
        return reply
    }

    func claim(_ request: ClaimRequest) async throws(TransportError) -> ClaimReply {
        try await call { node in await node.claim(request) }.get()
    }

    private static let unexpected = TransportError(.failed, "the leader gave an answer of another kind")

    private func submit(_ command: LeaderCommand) async throws(TransportError) -> LeaderReply {
        try await call { node in
            do throws(DomainError) { return .success(try await node.submit(command)) } catch {
                return Result.failure(node.transportError(error))
            }
        }.get()
    }

    private func call<Reply: Sendable>(
        _ work: @escaping @Sendable (SimulatedNode) async -> Result<Reply, TransportError>
    ) async throws(TransportError) -> Result<Reply, TransportError> {
        guard let host = world.host(at: url) else { throw TransportError(.unreachable, "no such host") }
        do throws(Network.Failure) {
            return try await world.network.call(from: process, to: host, timeout: Self.timeout) { host in
                guard let node = host.node else { return nil }
                return { await work(node) }
            }
        } catch {
            throw TransportError(.unreachable, "\(url) does not answer: \(error)")
        }
    }
}
