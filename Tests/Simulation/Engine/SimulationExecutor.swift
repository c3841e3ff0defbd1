import Runtime

/// One process of the simulated cluster: its jobs, its clocks, its chance. In production an `EventLoop` stands here.
///
/// It can be paused (SIGSTOP: nothing runs while time and the others go on) and killed (nothing ever runs again). What a
/// killed process has left behind is unwound at the end of the simulation, when nothing that it does has an effect.
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
final class SimulationExecutor: Timekeeper, @unchecked Sendable {
    let engine: Engine
    let host: Host
    let name: String
    let number: Int
    private(set) var isKilled = false
    /// The simulation is over: whatever waits is told that it was cancelled, and nothing has an effect.
    private(set) var isUnwinding = false
    private(set) var pausedUntil: UInt64 = 0
    /// Pauses begin in the middle of what a process does: after so many further jobs, for so long.
    private var plannedPause: (jobs: Int, duration: Duration)?
    private var ready: [UnownedJob] = []
    private var isRunning = false
    private var tasks: [Int: Task<Void, Never>] = [:]
    private var nextTask = 0
    private var waits: [Int: @Sendable () -> Void] = [:]
    private var nextWait = 0
    private var generator: SeededGenerator

    init(engine: Engine, host: Host, name: String, number: Int) {
        self.engine = engine
        self.host = host
        self.name = name
        self.number = number
        generator = SeededGenerator(seed: engine.seed, stream: 1_000 + UInt64(number))
    }

    // MARK: Executor

    func enqueue(_ job: consuming ExecutorJob) {
        if ready.isEmpty, !isRunning { engine.hasJobs(self) }
        ready.append(UnownedJob(job))
    }

    func checkIsolated() {
        precondition(engine.current === self, "an actor of \(name) was entered from another process")
    }

    func isIsolatingCurrentContext() -> Bool? { engine.current === self }

    var readyCount: Int { ready.count }
    var isRunnable: Bool { !ready.isEmpty && (!isKilled || isUnwinding) && pausedUntil <= engine.now }

    func run(_ index: Int) {
        ready.swapAt(index, ready.count - 1)
        let job = ready.removeLast()
        // The engine looks at it after this job, whatever that enqueues.
        isRunning = true
        defer { isRunning = false }
        job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        guard let planned = plannedPause else { return }
        if planned.jobs > 1 {
            plannedPause?.jobs -= 1
        } else {
            plannedPause = nil
            pause(for: planned.duration)
        }
    }

    @discardableResult
    func start(_ name: String, _ operation: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        nextTask += 1
        let number = nextTask
        let task = Task(name: name, executorPreference: self) {
            await operation()
            self.tasks[number] = nil
        }
        tasks[number] = task
        return task
    }

    // MARK: Clocks and chance

    var monotonicNow: MonotonicInstant { MonotonicInstant(nanoseconds: host.uptime + engine.now) }

    var wallMicroseconds: Int64 { engine.wall.microseconds + host.clockOffset }

    func chance() -> UInt64 { generator.next() }

    func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        guard duration > .zero else { return }
        let fired = await wait { finish in self.engine.after(duration) { finish(true) } }
        guard fired == true else { throw CancellationError() }
    }

    // MARK: Waiting

    /// Waits for what `begin` arranges to be finished with; nil when the task is cancelled or the simulation ends first.
    func wait<Value: Sendable>(_ begin: (@escaping @Sendable (Value) -> Void) -> Void) async -> Value? {
        let wait = PendingWait<Value>()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !isUnwinding, !Task.isCancelled else { return continuation.resume(returning: nil) }
                let number = register { wait.finish(nil) }
                wait.begin(continuation) { [weak self] in self?.unregister(number) }
                begin { wait.finish($0) }
            }
        } onCancel: {
            wait.finish(nil)
        }
    }

    /// Something that must be told when the simulation ends.
    func register(_ finish: @escaping @Sendable () -> Void) -> Int {
        nextWait += 1
        waits[nextWait] = finish
        return nextWait
    }

    func unregister(_ number: Int) { waits[number] = nil }

    // MARK: Faults

    func pause(for duration: Duration) {
        engine.note(name, "is paused for \(duration)")
        pausedUntil = engine.now + duration.nanoseconds
        host.lastPauseEnd = max(host.lastPauseEnd, pausedUntil)
        // Something must happen then, or time would not move on to it.
        let end = pausedUntil
        engine.after(duration) { [self] in
            if pausedUntil == end, !isKilled { engine.note(name, "goes on") }
        }
    }

    func pause(afterJobs jobs: Int, for duration: Duration) { plannedPause = (jobs, duration) }

    func resume() {
        plannedPause = nil
        pausedUntil = min(pausedUntil, engine.now)
    }

    func kill() { isKilled = true }

    // MARK: The end

    var isIdle: Bool { tasks.isEmpty && ready.isEmpty }
    var unfinishedTasks: Int { tasks.count }

    func unwind() {
        isUnwinding = true
        resume()
        for (_, task) in tasks.sorted(by: { $0.key < $1.key }) { task.cancel() }
        for (_, finish) in waits.sorted(by: { $0.key < $1.key }) { finish() }
    }
}

/// One wait; whoever finishes it first decides.
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
final class PendingWait<Value: Sendable>: @unchecked Sendable {
    private var continuation: CheckedContinuation<Value?, Never>?
    private var atEnd: (() -> Void)?

    func begin(_ continuation: CheckedContinuation<Value?, Never>, atEnd: @escaping () -> Void) {
        self.continuation = continuation
        self.atEnd = atEnd
    }

    func finish(_ value: Value?) {
        guard let continuation = continuation.take() else { return }
        atEnd?()
        atEnd = nil
        continuation.resume(returning: value)
    }
}
