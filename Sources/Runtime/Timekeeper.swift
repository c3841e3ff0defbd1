/// The executor, the clocks, the timers and the chance of the thread that everything runs on.
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

    /// 64 bits of chance, for pauses that many must not make at the same time. The simulation's come from its seed.
    func chance() -> UInt64
}

extension Timekeeper {
    public func chance() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

/// A timekeeper's chance, for whatever takes a generator.
public struct Chance: RandomNumberGenerator {
    private let timekeeper: any Timekeeper

    public init(of timekeeper: any Timekeeper) { self.timekeeper = timekeeper }

    public mutating func next() -> UInt64 { timekeeper.chance() }
}
