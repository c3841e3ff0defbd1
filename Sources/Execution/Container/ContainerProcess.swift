import Domain
import Runtime

/// A run in a container that was started.
actor ContainerProcess: RunningProcess {
    nonisolated let identity: ProcessIdentity
    private let container: String
    private let attempt: AttemptID
    private let engine: any ContainerEngine
    private let output: OutputLog
    private let logs: LogSpool
    private let files: BlockingPool
    private let loop: EventLoop
    private let log: Log
    private let whenEnded: @Sendable () -> Void
    private let whenDiscarded: @Sendable () async -> Void
    private let memory: MemoryWatch

    private var wasEnded = false
    private var hasEnded = false
    private var outputProblem: String?
    private let progress: OutputProgress
    private let leaving = WakeUp()
    /// The container has ended: its output is about to.
    private let endIsKnown = WakeUp()
    /// Nil: it ends with the worker.
    private nonisolated let record: DetachedDirectory?
    private var isOutputWhole = false
    /// From then on nobody waits for an engine that does not answer.
    private var giveUpAt: MonotonicInstant?
    /// The engine has failed, or was asked to stop it: look now.
    private let looked = WakeUp()

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(
        _ container: String, attempt: AttemptID, identity: ProcessIdentity, engine: any ContainerEngine,
        output: OutputLog, written: Int = 0, record: DetachedDirectory?, logs: LogSpool, files: BlockingPool,
        loop: EventLoop, log: Log, whenEnded: @escaping @Sendable () -> Void,
        whenDiscarded: @escaping @Sendable () async -> Void
    ) async {
        self.whenEnded = whenEnded
        progress = OutputProgress(written: written)
        self.record = record
        self.container = container
        self.attempt = attempt
        self.identity = identity
        self.engine = engine
        self.output = output
        self.logs = logs
        self.files = files
        self.loop = loop
        self.log = log
        self.whenDiscarded = whenDiscarded
        memory = MemoryWatch(process: identity.process, loop: loop)
    }

    private enum Event: Sendable { case ended(ContainerState?), outputEnded, silent, left }

    func ended() async -> ProcessEnd {
        let (loop, progress, leaving) = (self.loop, self.progress, self.leaving)
        return await withTaskGroup(of: Event.self) { group in
            group.addTask(executorPreference: loop) {
                await self.readOutput()
                return .outputEnded
            }
            group.addTask(executorPreference: loop) { .ended(await self.waitForEnd()) }
            group.addTask(executorPreference: loop) {
                // Cancelled at the end.
                _ = try? await leaving.wait()
                return .left
            }
            var state: ContainerState?
            var (knowsEnd, isOutputOver, wasKilledForMemory) = (false, false, false)
            while !knowsEnd || !isOutputOver, let event = await group.next() {
                switch event {
                case .ended(let found):
                    (knowsEnd, hasEnded, state) = (true, true, found)
                    whenEnded()
                    endIsKnown.signal()
                    wasKilledForMemory = memory.finish() || found?.wasKilledForMemory == true
                    // The output's end follows; an engine that does not come out with it holds nobody up for ever.
                    group.addTask(executorPreference: loop) {
                        // Cancelled when the output has ended.
                        try? await progress.waitForSilence(of: ContainerLimits.outputSilence, on: loop)
                        return .silent
                    }
                case .outputEnded, .silent: isOutputOver = true
                case .left:
                    guard !hasEnded, !wasEnded else { continue }
                    group.cancelAll()
                    await group.waitForAll()
                    output.finish()
                    return .left
                }
            }
            group.cancelAll()
            await group.waitForAll()
            if !isOutputWhole { await noteCut() }
            return await describe(state, wasKilledForMemory: wasKilledForMemory)
        }
    }

    nonisolated var outlivesWorker: Bool { record != nil }

    func leave() async {
        guard record != nil else { return }
        leaving.signal()
    }

    func remember(_ offer: Offer) async {
        guard let record else { return }
        let (attempt, log) = (self.attempt, self.log)
        // A pool that is shut down: the worker ends, and the limits are the former ones after it.
        try? await files.run {
            do throws(LaunchError) { try record.update(offer) } catch {
                log.warning("the new limits of \(attempt) will not outlive this worker's process: \(error)")
            }
        }
    }

    func end(grace: Duration) async {
        guard !wasEnded, !hasEnded else { return }
        wasEnded = true
        giveUpAt = loop.monotonicNow.advanced(by: grace + ExecutionLimits.afterKill)
        loop.start("stop \(attempt)") { await self.stop(grace) }
    }

    func conclude(_ footer: String) async {
        let (logs, attempt) = (self.logs, self.attempt)
        // A pool that is shut down leaves the log to the next start, which sends it as it is.
        try? await files.run { logs.close(attempt, footer: footer) }
    }

    func discard() async {
        do { try await engine.remove(container) } catch {
            log.with("run", attempt.run).warning(
                "the container of \(attempt) could not be removed; the worker's next start will: \(error)")
        }
        // A pool that is shut down leaves it to the next start.
        if let record { try? await files.run { record.remove() } }
        await whenDiscarded()
    }

    // MARK: The end

    /// Nil when the engine does not know it any more, or does not answer.
    private func waitForEnd() async -> ContainerState? {
        var pauses = Backoff(initial: .milliseconds(100), maximum: .seconds(5))
        while true {
            do {
                try await engine.wait(for: container)
                guard let state = try await engine.state(of: container) else {
                    fail("the container engine does not know the container any more")
                    return nil
                }
                if !state.isRunning { return state }
                pauses.reset()
                continue
            } catch let error as EngineError where error.code == .notFound {
                fail("the container engine does not know the container any more")
                return nil
            } catch {
                // It was left to the worker's next process.
                if Task.isCancelled { return nil }
                log.with("run", attempt.run).warning("the container of \(attempt) cannot be waited for: \(error)")
            }
            if let giveUpAt, loop.monotonicNow >= giveUpAt {
                fail("the container engine does not say whether the container has ended")
                return nil
            }
            // Nobody cancels the task of a try.
            _ = try? await looked.wait(atMost: pauses.next(on: loop), on: loop)
        }
    }

    private func stop(_ grace: Duration) async {
        do {
            try await engine.stop(container, grace: grace)
        } catch {
            guard !hasEnded else { return }
            log.with("run", attempt.run).warning("the container of \(attempt) does not stop: \(error); it is killed")
            // What comes of it, `waitForEnd` sees.
            try? await engine.kill(container)
        }
        looked.signal()
    }

    private func describe(_ state: ContainerState?, wasKilledForMemory: Bool) async -> ProcessEnd {
        // An engine writes a signal as 128 and its number, and so does a shell: the status is left as it is.
        let status = state.map { ProcessEnd.Status.exited(code: $0.exitCode) } ?? .signalled(9)
        var end = ProcessEnd(
            status: status, wasEnded: wasEnded, outputTail: output.tail, outputProblem: outputProblem)
        end.outputBytes = output.outputBytes
        end.wasKilledForMemory = wasKilledForMemory && state?.exitCode != 0
        return end
    }

    private func fail(_ problem: String) {
        if outputProblem == nil { outputProblem = problem }
    }

    // MARK: Output

    /// From the beginning, and once more from there when the engine breaks off: what is in the log already is skipped.
    private func readOutput() async {
        var pauses = Backoff(initial: .milliseconds(200), maximum: .seconds(5))
        let (output, files, progress) = (self.output, self.files, self.progress)
        var lastReadings = 0
        while !Task.isCancelled, lastReadings < ContainerLimits.lastReadings {
            if hasEnded { lastReadings += 1 }
            progress.beginAnew()
            do {
                // Who only follows loses the end with some engines: they stop with the container, not with its output.
                let follows = !hasEnded
                let write: @Sendable ([UInt8]) async throws -> Void = { bytes in
                    let new = progress.advance(bytes)
                    if !new.isEmpty { try await files.run { try output.write(new) } }
                    progress.noteWritten()
                }
                if !follows {
                    try await engine.output(of: container, follows: false, receive: write)
                    isOutputWhole = true
                    return
                }
                try await follow(write)
                if hasEnded { continue }
                // Where the engine itself has ended the stream, it is asked for the rest.
                if try await engine.state(of: container)?.isRunning != true {
                    hasEnded = true
                    continue
                }
            } catch let error as LaunchError {
                // The disk: nothing can be kept, so that it is not worth going on.
                fail(error.message)
                isOutputWhole = true
                await end(grace: .seconds(1))
                return
            } catch is CancellationError {
                return
            } catch {
                log.with("run", attempt.run).warning("the output of \(attempt) has broken off: \(error)")
            }
            // Cancelled at the end.
            guard (try? await loop.sleep(for: pauses.next(on: loop))) != nil else { return }
        }
    }

    /// Returns when the engine ends the stream, or soon after the container's end: with some engines a stream that
    /// follows misses that and goes on for ever.
    private func follow(_ write: @escaping @Sendable ([UInt8]) async throws -> Void) async throws {
        let (engine, container, progress) = (self.engine, self.container, self.progress)
        let (loop, endIsKnown) = (self.loop, self.endIsKnown)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: loop) {
                try await engine.output(of: container, follows: true, receive: write)
            }
            group.addTask(executorPreference: loop) {
                try await endIsKnown.wait()
                try await progress.waitForSilence(of: ContainerLimits.followingSilence, on: loop)
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Whoever reads the log shall not take it for all that the container has said.
    private func noteCut() async {
        log.warning("the container engine has not given the end of the output of \(attempt)")
        let output = self.output
        // A disk that is full, or a pool that is shut down: the line above must do.
        try? await files.run {
            try output.annotate("\n[carillon: the container engine has not given the end of the output]\n")
        }
    }
}
