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

import Glibc

/// What the system refused when a loop, a thread or a signal descriptor was made.
public struct SystemError: Error, Sendable, CustomStringConvertible {
    public let call: String
    /// The value of `errno`.
    public let number: Int32

    public init(call: String, number: Int32) {
        self.call = call
        self.number = number
    }

    public var description: String {
        "\(call): \(String(cString: strerror(number))) (\(number))"
    }
}
