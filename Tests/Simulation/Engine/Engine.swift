import Timetable

/// Virtual time, and the one thread on which everything of one simulation runs.
///
/// Among all jobs that are ready, of whatever process, the next one is drawn by chance; time moves on only when none is
/// left. So a whole minute of the cluster takes a fraction of a second, and a seed decides all of it.
///
/// `@unchecked Sendable`: everything of a simulation is touched by the thread that called `run` alone; nothing of it is
/// shared with another simulation.
final class Engine: @unchecked Sendable {
    /// Of the wall clocks at the beginning: 2027-01-15T08:00:00Z.
    static let epoch = Instant(seconds: 1_800_000_000)
    /// Jobs at one instant beyond which something runs round without ever waiting.
    private static let jobsPerInstant = 300_000

    let seed: UInt64
    /// Nanoseconds since the beginning.
    private(set) var now: UInt64 = 0
    var trace: Trace
    /// What was found to be wrong; the first one ends the run.
    private(set) var violations: [Violation] = []
    private(set) var jobsRun = 0
    /// Whose job runs just now.
    private(set) var current: SimulationExecutor?
    private var timers = TimerQueue()
    /// Those that have jobs, paused and killed ones included.
    private var withJobs: [SimulationExecutor] = []
    private var order: SeededGenerator
    private var jobsAtThisInstant = 0
    private var runnable: [Int] = []

    struct Violation: Sendable, CustomStringConvertible {
        /// A short name of the rule, such as "I4".
        let rule: String
        let text: String
        var description: String { "\(rule): \(text)" }
    }

    init(seed: UInt64, traceLimit: Int?) {
        self.seed = seed
        trace = Trace(limit: traceLimit)
        order = SeededGenerator(seed: seed, stream: 1)
    }

    // MARK: Time

    /// True time, which no host's clock need agree with.
    var wall: Instant { Instant(microseconds: Self.epoch.microseconds + Int64(now / 1_000)) }

    func after(_ delay: Duration, _ action: @escaping @Sendable () -> Void) {
        timers.add(at: now + delay.nanoseconds, action)
    }

    // MARK: Running

    /// It has its first job.
    func hasJobs(_ executor: SimulationExecutor) { withJobs.append(executor) }

    /// Runs until the condition holds, something is wrong, or everything waits for ever. The condition is looked at when
    /// time is about to move on.
    func run(until isDone: () -> Bool) {
        while violations.isEmpty {
            if step() { continue }
            if isDone() { return }
            guard let next = timers.earliest else {
                return violation("deadlock", "nothing is ready, no timer is set, and the end has not been reached")
            }
            if next > now {
                now = next
                jobsAtThisInstant = 0
            }
            while timers.earliest == now { timers.removeFirst()?() }
        }
    }

    /// For the end, when nobody waits for time any more.
    func runWhatIsReady() {
        jobsAtThisInstant = 0
        while step(), jobsAtThisInstant < Self.jobsPerInstant {}
    }

    /// Forgets what was planned for later.
    func dissolve() {
        timers = TimerQueue()
        withJobs = []
    }

    /// Runs one job. False when none is ready.
    private func step() -> Bool {
        guard let position = choose() else { return false }
        let executor = withJobs[position]
        // Drawn before: no variable of the engine may be held while a job runs, which may use the engine.
        let count = executor.readyCount
        let job = count == 1 ? 0 : order.below(count)
        trace.mix(UInt64(truncatingIfNeeded: count << 16 ^ job << 8 ^ executor.number))
        current = executor
        executor.run(job)
        current = nil
        if executor.readyCount == 0 { withJobs.remove(at: position) }
        jobsRun += 1
        jobsAtThisInstant += 1
        if jobsAtThisInstant > Self.jobsPerInstant {
            violation("livelock", "\(jobsAtThisInstant) jobs ran at one instant, the last on \(executor.name)")
        }
        return true
    }

    /// One of the processes that have something to do and may do it. By index: this is the innermost loop of all, and a
    /// debug build's iterators are slow.
    private func choose() -> Int? {
        if withJobs.count == 1 { return withJobs[0].isRunnable ? 0 : nil }
        runnable.removeAll(keepingCapacity: true)
        var index = 0
        while index < withJobs.count {
            if withJobs[index].isRunnable { runnable.append(index) }
            index += 1
        }
        if runnable.isEmpty { return nil }
        return runnable[runnable.count == 1 ? 0 : order.below(runnable.count)]
    }

    // MARK: Findings

    func note(_ who: String, _ what: @autoclosure () -> String) {
        let milliseconds = now / 1_000
        var fraction = String(milliseconds % 1_000_000)
        fraction = String(repeating: "0", count: 6 - fraction.utf8.count) + fraction
        trace.note("\(milliseconds / 1_000_000).\(fraction) \(who): \(what())")
    }

    func violation(_ rule: String, _ text: String) {
        note("VIOLATION", "\(rule): \(text)")
        violations.append(Violation(rule: rule, text: text))
    }
}

extension Duration {
    /// Not negative.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
    }
}
