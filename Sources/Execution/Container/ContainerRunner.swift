import CSpawn
import Domain
import Glibc
import Runtime
import Timetable

/// Starts runs in containers, and clears away what a former process of the worker has left.
final class ContainerRunner: Sendable {
    private let engine: any ContainerEngine
    private let settings: ContainerSettings
    private let directory: WorkDirectory
    private let logs: LogSpool
    private let loop: EventLoop
    private let meter: UsageMeter
    private let log: Log
    private let files = BlockingPool(threads: 2, queueLimit: 65_536)

    init(
        _ engine: any ContainerEngine, _ settings: ContainerSettings, directory: WorkDirectory, logs: LogSpool,
        loop: EventLoop, meter: UsageMeter, log: Log
    ) {
        self.meter = meter
        self.engine = engine
        self.settings = settings
        self.directory = directory
        self.logs = logs
        self.loop = loop
        self.log = log
    }

    /// - Parameter notes: lines for the beginning of the run's log.
    func launch(
        _ order: LaunchOrder, _ spec: ContainerSpec, user: UserIdentity?, sandbox: String, notes: [String],
        outlivesWorker: Bool, whenDiscarded: @escaping @Sendable () async -> Void
    ) async throws(LaunchError) -> any RunningProcess {
        let offer = order.offer
        let place = ContainerOrder.Place(
            sandbox: sandbox, workDirectory: directory.root, hostName: order.hostName,
            processorCount: HostFacts.processorCount, processLimit: settings.processLimit,
            enforced: settings.enforced)
        var wanted = try ContainerOrder(offer, spec, user: user, at: place)
        let (logs, header) = (
            self.logs, LogText.header(order, now: Instant(microseconds: loop.wallMicroseconds))
        )
        let record = outlivesWorker ? directory.detached(offer.attempt) : nil
        let result: Result<any RunningProcess, LaunchError>
        do {
            let (mounts, policy) = (wanted.mounts, settings.policy)
            let (directory, now) = (self.directory, Instant(microseconds: loop.wallMicroseconds))
            wanted.mounts = try await files.run { try mounts.map { try Self.resolve($0, policy, sandbox) } }
            let log = try await files.run {
                let log = try logs.open(offer.attempt)
                try log.annotate(header)
                for note in notes { try log.write(Array("\(note)\n".utf8)) }
                if let record { try Self.write(order, record, directory, log, now: now) }
                return log
            }
            let container = try await begin(wanted, spec)
            result = .success(
                await look(
                    after: container, of: offer.attempt, sandbox: sandbox, log: log, written: 0, record: record,
                    whenDiscarded: whenDiscarded))
        } catch let error as LaunchError {
            result = .failure(error)
        } catch is CancellationError {
            result = .failure(LaunchError("ended before its container was started"))
        } catch let error as EngineError {
            result = .failure(LaunchError("the container engine: \(error.message)"))
        } catch {
            result = .failure(LaunchError("the container was not started: \(error)"))
        }
        if case .failure(let error) = result {
            let footer = LogText.footer(
                isSuccess: false, description: error.message, now: Instant(microseconds: loop.wallMicroseconds))
            // A pool that is shut down leaves the log to the next start, which sends it as it is.
            try? await files.run {
                logs.close(offer.attempt, footer: footer)
                record?.remove()
            }
        }
        return try result.get()
    }

    private func look(
        after container: String, of attempt: AttemptID, sandbox: String, log: OutputLog, written: Int,
        record: DetachedDirectory?, whenDiscarded: @escaping @Sendable () async -> Void
    ) async -> any RunningProcess {
        let identity = await identity(of: container)
        // All of a container descends from its first process.
        meter.add(
            UsageMeter.Subject(
                attempt: attempt, command: identity.process, sandbox: sandbox, group: nil, log: log))
        return await ContainerProcess(
            container, attempt: attempt, identity: identity, engine: engine, output: log, written: written,
            record: record, logs: logs, files: files, loop: loop, log: self.log,
            whenEnded: { [meter] in meter.remove(attempt) }, whenDiscarded: whenDiscarded)
    }

    /// What the worker's next process must know of it, before it is started. Blocks.
    private static func write(
        _ order: LaunchOrder, _ files: DetachedDirectory, _ directory: WorkDirectory, _ log: OutputLog, now: Instant
    ) throws(LaunchError) {
        try directory.makeDetached()
        try files.make()
        var record = DetachedRecord(
            offer: order.offer, user: order.user, startedAt: now, machineBoot: HostFacts.bootID, group: "")
        record.logStart = log.total
        try files.write(record)
    }

    /// Image, volumes, container, start; nothing is left behind when one of it fails.
    private func begin(_ order: ContainerOrder, _ spec: ContainerSpec) async throws -> String {
        if spec.forcePullImage {
            try await engine.pull(spec.image, limit: settings.pullLimit)
        } else if try await !engine.hasImage(spec.image) {
            try await engine.pull(spec.image, limit: settings.pullLimit)
        }
        for volume in spec.volumes {
            if let external = volume.external { try await engine.makeVolume(external) }
        }
        try Task.checkCancellation()
        var container = ""
        do {
            container = try await create(order)
            try await engine.start(container)
            return container
        } catch {
            // Its name is known even where the answer was lost.
            await remove(container.isEmpty ? order.name : container)
            throw error
        }
    }

    private func create(_ order: ContainerOrder) async throws -> String {
        do {
            return try await engine.create(order)
        } catch let error as EngineError where error.code == .conflict {
            // The name is this try's alone, and this try was never started before: an answer that was lost.
            await remove(order.name)
            return try await engine.create(order)
        }
    }

    /// Not cancellable: it must not stay behind.
    private func remove(_ container: String) async {
        let (engine, log) = (self.engine, self.log)
        await loop.start("remove container") {
            do { try await engine.remove(container) } catch {
                log.warning("the container \(container) could not be removed: \(error)")
            }
        }.value
    }

    private func identity(of container: String) async -> ProcessIdentity {
        // Unknown: it has ended already, or the engine says no more. The label finds it all the same.
        let process = ((try? await engine.state(of: container)) ?? nil)?.process ?? 0
        var facts = cspawn_process()
        guard process > 0, cspawn_read_process(process, &facts) == 0 else {
            return ProcessIdentity(process: 0, startTime: 0, machineBoot: HostFacts.bootID)
        }
        return ProcessIdentity(process: process, startTime: facts.start_time, machineBoot: HostFacts.bootID)
    }

    /// Links are followed before the policy is asked; what a mount names is then what it gets. Blocks.
    private static func resolve(
        _ mount: ContainerOrder.Mount, _ policy: ContainerPolicy, _ sandbox: String
    ) throws(LaunchError) -> ContainerOrder.Mount {
        guard mount.source.hasPrefix("/"), mount.source != sandbox, policy.hostPaths != .any else { return mount }
        guard let real = realpath(mount.source, nil) else {
            throw FileFailure.launch("cannot mount '\(mount.source)' into the container")
        }
        defer { free(real) }
        let path = String(cString: real)
        guard policy.permits(path) else {
            throw LaunchError("'\(mount.source)' leads to '\(path)', which this worker does not mount into containers")
        }
        return ContainerOrder.Mount(source: path, target: mount.target, isReadOnly: mount.isReadOnly)
    }

    // MARK: After a crash

    /// Looks after a container that a former process of this worker has started. What that has not read of its output
    /// yet is read now.
    /// - Returns: nil when the engine does not know it (any more), or does not answer.
    func adopt(
        _ record: DetachedRecord, whenDiscarded: @escaping @Sendable () async -> Void
    ) async -> AdoptedRun? {
        let attempt = record.offer.attempt
        let container = ContainerOrder.name(of: attempt)
        do {
            guard try await engine.state(of: container) != nil else { return nil }
            let logs = self.logs
            let log = try await files.run { try logs.adopt(attempt) }
            let process = await look(
                after: container, of: attempt, sandbox: directory.sandbox(attempt), log: log,
                written: Int(clamping: log.total - record.logStart), record: directory.detached(attempt),
                whenDiscarded: whenDiscarded)
            return AdoptedRun(
                offer: record.offer, user: record.user, startedAt: record.startedAt, process: process)
        } catch {
            self.log.error("cannot take over the container of \(attempt), which is ended instead: \(error)")
            return nil
        }
    }

    /// Ends and removes containers of a former process of this worker; those of `running` tries are left alone.
    /// - Returns: the ends of the survivors' logs.
    func endLeftovers(
        _ survivors: Set<AttemptID>, except running: @escaping @Sendable () -> Set<AttemptID>, grace: Duration
    ) async -> [AttemptID: String] {
        let found: [FoundContainer]
        do {
            found = try await engine.containers(label: ContainerLabel.workDirectory, value: directory.root)
        } catch {
            log.warning("the container engine does not say what it still runs for this worker: \(error)")
            return [:]
        }
        // Begun meanwhile by this process.
        let held = Set(running().map(\.description))
        let names = Dictionary(survivors.map { ($0.description, $0) }, uniquingKeysWith: { first, _ in first })
        let loop = self.loop
        return await withTaskGroup(of: (AttemptID, String)?.self) { group in
            for container in found {
                let label = container.labels[ContainerLabel.attempt] ?? ""
                guard !held.contains(label) else { continue }
                group.addTask(executorPreference: loop) {
                    await self.end(container.id, attempt: names[label], grace: grace)
                }
            }
            return await group.reduce(into: [:]) { tails, tail in if let tail { tails[tail.0] = tail.1 } }
        }
    }

    private func end(_ container: String, attempt: AttemptID?, grace: Duration) async -> (AttemptID, String)? {
        // What does not stop is killed by its removal.
        try? await engine.stop(container, grace: attempt == nil ? .zero : grace)
        var tail: (AttemptID, String)?
        if let attempt { tail = (attempt, await readLog(of: container, attempt)) }
        await remove(container)
        log.notice("removed a container that this worker's former process has left: \(container.prefix(12))")
        return tail
    }

    /// All of it again, into the run's log: the engine has what the former process had not read yet.
    private func readLog(of container: String, _ attempt: AttemptID) async -> String {
        let (files, logs) = (self.files, self.logs)
        do {
            let output = try await files.run { try logs.open(attempt) }
            try await readAll(of: container, into: output)
            let footer = LogText.footer(
                isSuccess: false, description: "the worker restarted while the container ran",
                now: Instant(microseconds: loop.wallMicroseconds))
            try await files.run { logs.close(attempt, footer: footer) }
            return output.tail
        } catch {
            log.with("run", attempt.run).warning("the output of \(attempt) is not complete: \(error)")
            return OutputLog.tail(path: directory.logPath(attempt))
        }
    }

    /// As long as something comes.
    private func readAll(of container: String, into output: OutputLog) async throws {
        let (engine, files, loop) = (self.engine, self.files, self.loop)
        let progress = OutputProgress()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: loop) {
                try await engine.output(of: container, follows: false) { bytes in
                    _ = progress.advance(bytes)
                    try await files.run { try output.write(bytes) }
                }
            }
            group.addTask(executorPreference: loop) {
                try await progress.waitForSilence(of: ContainerLimits.outputSilence, on: loop)
                throw EngineError(.unreachable, "the container engine has stopped in the middle of the output")
            }
            try await group.next()
            group.cancelAll()
        }
    }
}
