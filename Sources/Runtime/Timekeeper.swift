// Runtime: one loop, one executor.
//
// A Carillon process runs on one thread, that of its `EventLoop`: an epoll loop that is at the same time a Swift
// `TaskExecutor` (tasks with the loop as preference never leave its thread), a `SerialExecutor` (actors that name it
// run there and may be entered synchronously from its callbacks) and the process's clock. A hop to another thread costs
// some 25 µs, an actor call on the same thread some 40 ns: that is why everything but blocking work lives here, and
// why locks are rare above this target.
//
// Invariants
// - Unstructured tasks are made in exactly one place, `Timekeeper.start`, which names the executor.
// - Nothing on the loop blocks. What must block goes through `BlockingPool`, which is bounded.
// - Every wait can be cancelled and leaves nothing behind; every wait that depends on the outside has a deadline.
//
// `Timekeeper` is what code sees that must also run in the simulation: there a seeded executor with virtual time takes
// the place of the loop, and nothing else changes. This target refuses to know about sockets, databases and jobs.

/// The executor, the clocks and the timers of the thread that everything runs on.
public protocol Timekeeper: TaskExecutor, SerialExecutor {
    /// The clock for leases and deadlines; runs on while the machine is suspended.
    var monotonicNow: MonotonicInstant { get }

    /// The wall clock, in microseconds since 1970-01-01T00:00:00Z.
    var wallMicroseconds: Int64 { get }

    /// Suspends for at least this long; not at all when the duration is not positive.
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    func sleep(for duration: Duration) async throws

    /// Starts a task that runs on this executor. The only place where an unstructured task is made: whoever calls it
    /// owns the task and must cancel and await it.
    @discardableResult
    func start(_ name: String, _ operation: @escaping @Sendable () async -> Void) -> Task<Void, Never>
}
