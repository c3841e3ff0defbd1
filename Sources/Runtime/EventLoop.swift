import CLinux
import Glibc
import Synchronization

/// An epoll loop that is the executor, the timer and the clock of one thread.
///
/// One turn: wait for events (not at all while jobs are left), call their handlers, fire what is due, run jobs. Each of
/// the three is bounded a turn, so that none can starve the others.
///
/// Thread safety, and the reason for `@unchecked Sendable`: whatever is not a `let`, an `Atomic` or inside a `Mutex` is
/// touched on the loop's thread only, or before any thread runs the loop. Methods for the loop's thread check that.
public final class EventLoop: Timekeeper, @unchecked Sendable {
    /// Jobs that run before descriptors and timers are looked at again.
    static let jobsPerTurn = 256
    /// Timers that fire before jobs and descriptors have their turn.
    static let timersPerTurn = 1024
    /// Events read by one system call.
    static let eventsPerTurn = 256
    /// The longest wait. The timers' clock runs on while the machine is suspended and the kernel's wait does not: this
    /// bounds how late a timer fires after the machine has come back.
    static let longestWait: UInt64 = 1_000_000_000
    /// How exactly the kernel wakes this thread; its default of 50 µs is meant to save batteries.
    static let timerSlackNanoseconds: UInt = 5_000
    /// A queue that was larger than this in a burst gives its memory back.
    static let keptQueueCapacity = 65_536

    private static let wakeUpTag = UInt64.max

    private struct Inbox {
        var jobs: [UnownedJob] = []
        var wakeUpIsPending = false
    }

    private let epoll: Int32
    private let wakeUpDescriptor: Int32
    private let inbox = Mutex(Inbox())
    /// `pthread_self` of the thread that runs the loop, 0 while none does.
    private let thread = Atomic<UInt>(0)
    private let stopWanted = Atomic<Bool>(false)

    // The loop's thread only, from here on.
    private var running: [UnownedJob] = []
    private var runningHead = 0
    private var waiting: [UnownedJob] = []
    private var timers = TimerHeap()
    private var watches = WatchTable()
    private var turnEnd: [@Sendable () -> Void] = []
    private let events: UnsafeMutableBufferPointer<epoll_event>

    public init() throws {
        // A peer that is gone is an error of the write, never the end of the process.
        signal(SIGPIPE, SIG_IGN)
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw SystemError(call: "epoll_create1", number: errno) }
        wakeUpDescriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard wakeUpDescriptor >= 0 else {
            let number = errno
            close(epoll)
            throw SystemError(call: "eventfd", number: number)
        }
        events = .allocate(capacity: Self.eventsPerTurn)
        // Edge-triggered: each write is an event of its own, and the counter never needs to be read.
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | EPOLLET.rawValue
        event.data.u64 = Self.wakeUpTag
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, wakeUpDescriptor, &event) == 0 else {
            let number = errno
            close(epoll)
            close(wakeUpDescriptor)
            events.deallocate()
            throw SystemError(call: "epoll_ctl", number: number)
        }
    }

    deinit {
        close(epoll)
        close(wakeUpDescriptor)
        events.deallocate()
    }

    // MARK: Running

    /// Makes the calling thread the loop's until `stop()`. May be called again after that.
    public func run() {
        let this = UInt(pthread_self())
        let (entered, _) = thread.compareExchange(expected: 0, desired: this, ordering: .acquiringAndReleasing)
        precondition(entered, "the loop is run by another thread, or by itself")
        clinux_set_timer_slack(Self.timerSlackNanoseconds)
        while !stopWanted.load(ordering: .acquiring) {
            poll()
            fireTimers()
            runJobs()
            endTurn()
        }
        stopWanted.store(false, ordering: .releasing)
        thread.store(0, ordering: .releasing)
    }

    /// Ends `run()` after the current turn, from any thread. Jobs that are left wait for the next `run()`.
    public func stop() {
        stopWanted.store(true, ordering: .releasing)
        wakeUp()
    }

    /// Runs the loop on the calling thread until the body has ended: for `main` and for tests.
    /// Whatever else was started on the loop stays where it is.
    public func runUntilComplete<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) throws -> T {
        let outcome = Outcome<T>()
        start("main") {
            let result: Result<T, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            outcome.value.withLock { $0 = result }
            self.stop()
        }
        while true {
            run()
            if let result = outcome.value.withLock({ $0 }) { return try result.get() }
        }
    }

    private final class Outcome<T: Sendable>: Sendable {
        let value = Mutex<Result<T, any Error>?>(nil)
    }

    /// Makes a loop and a thread of its own for it, which ends after `stop()`.
    public static func startThread(named name: String) throws -> EventLoop {
        let loop = try EventLoop()
        try Thread.start(named: name) { loop.run() }
        return loop
    }

    /// Whether the caller is on the loop's thread.
    public var isOnLoop: Bool {
        thread.load(ordering: .relaxed) == UInt(pthread_self())
    }

    private func checkThread() {
        // Before the first `run()` the loop belongs to whoever builds it.
        precondition(isOnLoop || thread.load(ordering: .relaxed) == 0, "called outside the loop's thread")
    }

    // MARK: Executor

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isOnLoop {
            waiting.append(job)
            return
        }
        let mustWake = inbox.withLock { inbox in
            inbox.jobs.append(job)
            defer { inbox.wakeUpIsPending = true }
            return !inbox.wakeUpIsPending
        }
        if mustWake { wakeUp() }
    }

    public func checkIsolated() {
        precondition(isOnLoop, "the actor belongs to an event loop and was entered on another thread")
    }

    public func isIsolatingCurrentContext() -> Bool? {
        isOnLoop
    }

    @discardableResult
    public func start(_ name: String, _ operation: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task(name: name, executorPreference: self, operation: operation)
    }

    /// Runs a closure on the loop's thread in a later turn, from any thread; closures of one thread keep their order.
    public func execute(_ body: @escaping @Sendable () -> Void) {
        start("callback") { body() }
    }

    /// Calls the action once, after the jobs of this turn and before the loop waits again: for what is worth doing once
    /// for many, such as writing out what they have put into a buffer. On the loop's thread only.
    public func atEndOfTurn(_ action: @escaping @Sendable () -> Void) {
        checkThread()
        turnEnd.append(action)
    }

    private func endTurn() {
        guard !turnEnd.isEmpty else { return }
        let actions = turnEnd
        turnEnd.removeAll(keepingCapacity: true)
        for action in actions { action() }
    }

    private func wakeUp() {
        var one: UInt64 = 1
        // Fails only when 2^64 wake-ups were never read, and then one is pending anyway.
        _ = write(wakeUpDescriptor, &one, MemoryLayout<UInt64>.size)
    }

    private func runJobs() {
        let serial = asUnownedSerialExecutor()
        let preference = asUnownedTaskExecutor()
        takeInbox()
        for _ in 0..<Self.jobsPerTurn {
            if runningHead == running.count {
                guard nextBatch() else { return }
            }
            let job = running[runningHead]
            runningHead += 1
            job.runSynchronously(isolatedTo: serial, taskExecutor: preference)
        }
    }

    /// Jobs of other threads queue behind those that wait already.
    private func takeInbox() {
        inbox.withLock { inbox in
            inbox.wakeUpIsPending = false
            guard !inbox.jobs.isEmpty else { return }
            if waiting.isEmpty {
                swap(&waiting, &inbox.jobs)
            } else {
                waiting.append(contentsOf: inbox.jobs)
                inbox.jobs.removeAll(keepingCapacity: inbox.jobs.capacity <= Self.keptQueueCapacity)
            }
        }
    }

    private func nextBatch() -> Bool {
        running.removeAll(keepingCapacity: running.capacity <= Self.keptQueueCapacity)
        runningHead = 0
        swap(&running, &waiting)
        return !running.isEmpty
    }

    // MARK: Clock and timers

    public var monotonicNow: MonotonicInstant { .now }

    public var wallMicroseconds: Int64 { clinux_realtime_microseconds() }

    /// Calls the action on the loop's thread after at least this time; in a later turn even when it is not positive.
    /// Actions with the same due time are called in the order in which they were added. On the loop's thread only.
    @discardableResult
    public func after(_ duration: Duration, _ action: @escaping @Sendable () -> Void) -> TimerToken {
        checkThread()
        let deadline = MonotonicInstant.now.advanced(by: max(duration, .zero))
        return timers.add(deadline: deadline.nanoseconds, action)
    }

    /// Forgets the timer; nothing happens if it has fired or was cancelled before. On the loop's thread only.
    public func cancel(_ token: TimerToken) {
        checkThread()
        timers.remove(token)
    }

    public func sleep(for duration: Duration) async throws {
        try await Sleep.run(for: duration, on: self)
    }

    /// Timers that have neither fired nor been cancelled: for tests of what must leave nothing behind.
    var pendingTimers: Int { timers.count }

    private func fireTimers() {
        guard let earliest = timers.earliest else { return }
        let now = clinux_boottime_nanoseconds()
        guard earliest <= now else { return }
        for _ in 0..<Self.timersPerTurn {
            guard let action = timers.popDue(now: now) else { return }
            action()
        }
    }

    // MARK: Descriptors

    /// Calls the handler on the loop's thread whenever the descriptor is ready (level-triggered). The descriptor must
    /// be non-blocking, and the watch be cancelled before it is closed. On the loop's thread only.
    /// - Throws: `SystemError` when epoll refuses, as it does for plain files.
    public func watch(
        _ descriptor: Int32, _ interest: Interest, _ handler: @escaping @Sendable (Readiness) -> Void
    ) throws -> Watch {
        checkThread()
        let (slot, generation) = watches.add(descriptor, interest, handler)
        let watch = Watch(loop: self, slot: slot, generation: generation)
        guard interest.isEmpty || control(EPOLL_CTL_ADD, descriptor, interest, watch.tag) else {
            let number = errno
            watches.remove(slot: slot)
            throw SystemError(call: "epoll_ctl", number: number)
        }
        return watch
    }

    func updateWatch(_ watch: Watch, _ interest: Interest) {
        checkThread()
        guard let entry = watches.entry(slot: watch.slot, generation: watch.generation), entry.interest != interest
        else { return }
        // Without interest the kernel would go on to report hang-ups, level-triggered: the loop would spin.
        if interest.isEmpty {
            _ = control(EPOLL_CTL_DEL, entry.descriptor, interest, watch.tag)
        } else {
            _ = control(
                entry.interest.isEmpty ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, entry.descriptor, interest, watch.tag)
        }
        watches.setInterest(slot: watch.slot, interest)
    }

    func cancelWatch(_ watch: Watch) {
        checkThread()
        guard let entry = watches.entry(slot: watch.slot, generation: watch.generation) else { return }
        if !entry.interest.isEmpty { _ = control(EPOLL_CTL_DEL, entry.descriptor, [], watch.tag) }
        watches.remove(slot: watch.slot)
    }

    /// Watches that were not cancelled: for tests of what must leave nothing behind.
    var openWatches: Int { watches.count }

    private func control(_ operation: Int32, _ descriptor: Int32, _ interest: Interest, _ tag: UInt64) -> Bool {
        var event = epoll_event()
        if interest.contains(.read) { event.events |= EPOLLIN.rawValue }
        if interest.contains(.write) { event.events |= EPOLLOUT.rawValue }
        event.data.u64 = tag
        return epoll_ctl(epoll, operation, descriptor, &event) == 0
    }

    private func poll() {
        let count = clinux_epoll_wait(epoll, events.baseAddress, Int32(Self.eventsPerTurn), waitNanoseconds())
        // A failure is an interruption by a signal: the turn goes on without events.
        guard count > 0 else { return }
        for index in 0..<Int(count) {
            let event = events[index]
            guard event.data.u64 != Self.wakeUpTag else { continue }
            let slot = UInt32(truncatingIfNeeded: event.data.u64)
            let generation = UInt32(truncatingIfNeeded: event.data.u64 >> 32)
            // Looked up for each event: the handler before may have cancelled this one.
            guard let handler = watches.entry(slot: slot, generation: generation)?.handler else { continue }
            handler(Readiness(epollEvents: event.events))
        }
    }

    private func waitNanoseconds() -> Int64 {
        guard runningHead == running.count, waiting.isEmpty, turnEnd.isEmpty else { return 0 }
        guard let earliest = timers.earliest else { return Int64(Self.longestWait) }
        let now = clinux_boottime_nanoseconds()
        guard earliest > now else { return 0 }
        return Int64(min(earliest - now, Self.longestWait))
    }
}
