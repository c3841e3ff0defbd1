// Output: what tries write, from their pipes to a file, to whoever follows it, and to the database.
//
//     pipe ─► OutputPump (loop) ─► OutputReceiver (pool): OutputLog, or a PluginChannel in front of it
//                                       │ live: LogSpool.read(position)      ◄─ a node, for its client
//                                       └ ended: LogPacker ─► LogShipper ─► any node ─► PostgreSQL; then the file goes
//
// Invariants
// - A log is bounded while it is written: head and tail are kept, the middle goes. So is what waits for the disk, and
//   what is read or compressed at once: memory does not grow with output.
// - A position in a log counts the bytes that were written before it, whether they are still there or not.
// - A file is removed when a node has acknowledged its log, or when there are too many and it is the oldest; whatever a
//   start of the worker finds is sent.
//
// It refuses to know: processes, HTTP, SQL.

import Domain

/// Bounds of output, beside those of `ExecutionLimits`.
enum OutputLimits {
    /// Logs smaller than this are framed as gzip instead of being compressed.
    static let framed = 512
    /// Bytes of compressed logs in one request to a node, beyond the first, and logs in it.
    static let batchBytes = 1 << 20
    static let batchLogs = 256
    /// Logs that are compressed at once.
    static let packers = 2
    /// Readers that wait for output at once.
    static let waitingReaders = 512
    /// Output that trickles is handed on in pieces of this time.
    static let readerPause: Duration = .milliseconds(40)
    /// Of a text that cannot be compressed, so much of its head and of its tail is kept.
    static let recutPart = Int64(Limits.storedLog) / 2 - 64 * 1024
}

/// Takes output in order. Called on a pool's threads, one call at a time for each pipe; two pipes may share a log.
protocol OutputReceiver: Sendable {
    /// - Throws: `LaunchError` in words for the run's reason.
    func write(_ bytes: [UInt8]) throws(LaunchError)
}
