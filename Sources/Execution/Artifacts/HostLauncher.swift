public import Domain
import Glibc
public import Runtime

/// Everything that this machine can run: fetches what a run wants, then starts it as a process or in a container.
public final class HostLauncher: ProcessLauncher {
    private let processes: SpawnLauncher
    private let fetcher: ArtifactFetcher
    private let containers: ContainerRunner?
    private let files = BlockingPool(threads: 2, queueLimit: 65_536)
    private let loop: EventLoop
    private let log: Log

    /// - Parameters:
    ///   - containers: nil where there is no engine; then offers with containers are refused.
    public init(
        processes: SpawnLauncher, artifacts: ArtifactSettings, downloader: any Downloader,
        containers: (engine: any ContainerEngine, settings: ContainerSettings)?, loop: EventLoop,
        log: Log = Log("launcher")
    ) {
        self.processes = processes
        self.loop = loop
        self.log = log
        fetcher = ArtifactFetcher(
            artifacts, downloader: downloader, directory: processes.directory, children: processes.children,
            timekeeper: loop)
        self.containers = containers.map {
            ContainerRunner(
                $0.engine, $0.settings, directory: processes.directory, logs: processes.logs,
                loop: loop,
                meter: processes.meter, log: log)
        }
    }

    public func launch(_ order: LaunchOrder) async throws(LaunchError) -> any RunningProcess {
        guard order.offer.needsPreparation else { return try await processes.launch(order) }
        let attempt = order.offer.attempt
        processes.hold(attempt)
        switch await prepareAndLaunch(order) {
        case .success(let process): return process
        case .failure(let error):
            await clear(attempt)
            throw error
        }
    }

    private func prepareAndLaunch(_ order: LaunchOrder) async -> Result<any RunningProcess, LaunchError> {
        do throws(LaunchError) {
            let attempt = order.offer.attempt
            let container = order.offer.extras?.container
            let plan = try ArtifactPlan(order.offer)
            let user = try await identity(of: order)
            let isContainer = container != nil
            let isShared = isContainer && user == nil
            let owner = user.map { DirectoryCensus.Owner(user: $0.user, group: $0.group) }
            let sandbox = try await blocking { [processes] () throws(LaunchError) in
                // The worker's own, until everything is in it.
                let sandbox = try processes.directory.makeSandbox(attempt, owner: nil)
                guard isContainer else { return sandbox }
                // Whatever root of an image leaves there, nobody of the machine can reach it: the parent stays closed.
                guard mkdir("\(sandbox)/box", 0o700) == 0 else { throw FileFailure.launch("cannot make the sandbox") }
                return "\(sandbox)/box"
            }
            let notes = try await fetcher.fetch(
                plan, attempt: attempt, into: sandbox, owner: owner, isShared: isShared)
            try await blocking { () throws(LaunchError) in
                // An image may run as anybody; what it may read here is what was fetched for it.
                if isShared, chmod(sandbox, 0o755) != 0 {
                    throw FileFailure.launch("cannot open the working directory")
                }
                guard let owner else { return }
                guard lchown(sandbox, owner.user, owner.group) == 0 else {
                    throw FileFailure.launch("cannot give the working directory away")
                }
            }
            guard let container else {
                var prepared = order
                prepared.offer = try ArtifactPlan.command(of: order.offer, in: sandbox)
                prepared.notes += notes
                prepared.isSandboxReady = true
                return .success(try await processes.launch(prepared))
            }
            guard let containers else { throw LaunchError("this worker has no container engine") }
            return .success(
                try await containers.launch(
                    order, container, user: user, sandbox: sandbox, notes: order.notes + notes,
                    outlivesWorker: processes.outlivesWorker(order.offer),
                    whenDiscarded: { [weak self] in await self?.clear(attempt) }))
        } catch {
            return .failure(error)
        }
    }

    /// Nil: nobody else than the worker's own user.
    private func identity(of order: LaunchOrder) async throws(LaunchError) -> UserIdentity? {
        let group = order.offer.extras?.group ?? ""
        guard !order.user.isEmpty || !group.isEmpty else { return nil }
        return try await blocking { () throws(LaunchError) in
            let user = order.user.isEmpty ? UserIdentity.own() : try UserIdentity.named(order.user)
            return group.isEmpty ? user : try user.inGroup(group)
        }
    }

    /// In a task of its own: the caller's may be cancelled.
    private func clear(_ attempt: AttemptID) async {
        let (files, directory, log) = (self.files, processes.directory, self.log)
        await loop.start("clear \(attempt)") {
            // A pool that is shut down leaves the sandbox to the next start, which removes it.
            if (try? await files.run { directory.removeSandbox(attempt) }) == false {
                log.with("run", attempt.run).warning("the working directory of \(attempt) could not be removed")
            }
        }.value
        processes.release(attempt)
    }

    private func blocking<T: Sendable>(
        _ body: @escaping @Sendable () throws(LaunchError) -> T
    ) async throws(LaunchError) -> T {
        do { return try await files.run { try body() } } catch {
            throw (error as? LaunchError) ?? LaunchError("the run was not prepared: \(error)")
        }
    }

    public func adopt(_ isWanted: @escaping @Sendable (Offer) -> Bool) async -> [AdoptedRun] {
        var adopted = await processes.adopt(isWanted)
        guard let containers else { return adopted }
        let processes = self.processes
        // A pool that is shut down has nothing left to look after.
        for record in (try? await files.run { processes.leftContainers(isWanted) }) ?? [] {
            let attempt = record.offer.attempt
            processes.hold(attempt)
            let run = await containers.adopt(record) { [weak self] in await self?.clear(attempt) }
            if let run { adopted.append(run) } else { processes.release(attempt) }
        }
        return adopted
    }

    public func endSurvivors(_ survivors: [Survivor], grace: Duration) async -> [AttemptID: String] {
        let fetcher = self.fetcher
        // A pool that is shut down has nothing left to tidy.
        try? await files.run { fetcher.removeLeftovers() }
        // Containers first: their sandboxes are removed with all others then.
        let ended = await containers?.endLeftovers(
            Set(survivors.map(\.attempt)), except: { [processes] in processes.held }, grace: grace)
        let tails = await processes.endSurvivors(survivors, grace: grace)
        return tails.merging(ended ?? [:]) { _, ofContainer in ofContainer }
    }

    public func sample() async -> [UsageSample] { await processes.sample() }

    public func freeDisk() async -> Double { await processes.freeDisk() }

    public func tidy() async { await processes.tidy() }
}
