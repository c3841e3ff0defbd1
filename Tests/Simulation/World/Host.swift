/// A machine: what stays when its process ends.
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
final class Host: @unchecked Sendable {
    let name: String
    /// Nanoseconds that it had been up at the beginning of the simulation.
    let uptime: UInt64
    /// Microseconds by which its wall clock is ahead of true time.
    var clockOffset: Int64
    /// The small part of it, which no fault has made.
    let naturalOffset: Int64
    /// Virtual time at which the last pause of a process here has ended or will end.
    var lastPauseEnd: UInt64 = 0
    /// Processes that were started here so far.
    var starts = 0
    /// The process that runs here now; what it is, only the two kinds of it know.
    var node: SimulatedNode?
    var worker: SimulatedWorker?

    init(name: String, uptime: UInt64, clockOffset: Int64) {
        self.name = name
        self.uptime = uptime
        self.clockOffset = clockOffset
        naturalOffset = clockOffset
    }

    var url: String { "http://\(name)" }
    var executor: SimulationExecutor? { node?.executor ?? worker?.executor }
}
