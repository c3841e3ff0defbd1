import Glibc
import Testing

@testable import Runtime

@Suite("Deadline, wake-up, pool", .timeLimit(.minutes(1)))
struct ConcurrencyTests {
    @Test("a body within its deadline gives its value, and no timer stays")
    func withinDeadline() throws {
        let loop = try EventLoop()
        let value = try loop.runUntilComplete { try await withDeadline(.seconds(3600), on: loop, "it") { 7 } }
        #expect(value == 7)
        #expect(loop.pendingTimers == 0)
    }

    @Test("a body that is too slow is cancelled, and the error names it")
    func tooSlow() throws {
        let loop = try EventLoop()
        let cancelled = Flag()
        let error = #expect(throws: DeadlineExceeded.self) {
            try loop.runUntilComplete {
                try await withDeadline(.milliseconds(1), on: loop, "answer of a worker") {
                    do { try await loop.sleep(for: .seconds(3600)) } catch {
                        cancelled.set()
                        throw error
                    }
                }
            }
        }
        #expect(error?.description == "answer of a worker: the deadline has passed")
        #expect(cancelled.isSet)
        #expect(loop.pendingTimers == 0)
    }

    @Test("a body's own error comes through")
    func ownError() throws {
        let loop = try EventLoop()
        #expect(throws: SystemError.self) {
            try loop.runUntilComplete {
                try await withDeadline(.seconds(3600), on: loop, "it") { throw SystemError(call: "x", number: 1) }
            }
        }
    }

    @Test("cancelling the caller cancels the body")
    func callerCancelled() throws {
        let loop = try EventLoop()
        try loop.runUntilComplete {
            let task = loop.start("caller") {
                await #expect(throws: CancellationError.self) {
                    try await withDeadline(.seconds(3600), on: loop, "it") { try await loop.sleep(for: .seconds(3600)) }
                }
            }
            while loop.pendingTimers < 2 { await Task.yield() }
            task.cancel()
            await task.value
        }
        #expect(loop.pendingTimers == 0)
    }

    @Test("many signals while nobody waits are one wake-up")
    func coalescing() throws {
        let loop = try EventLoop()
        try loop.runUntilComplete {
            let wakeUp = WakeUp()
            for _ in 0..<5 { wakeUp.signal() }
            try await wakeUp.wait()
            let again = try await wakeUp.wait(atMost: .milliseconds(1), on: loop)
            #expect(!again)
            wakeUp.signal()
            let kept = try await wakeUp.wait(atMost: .seconds(3600), on: loop)
            #expect(kept)
        }
        #expect(loop.pendingTimers == 0)
    }

    @Test("a signal wakes all who wait, and a cancelled wait takes no signal away")
    func severalWaiters() throws {
        let loop = try EventLoop()
        try loop.runUntilComplete {
            let wakeUp = WakeUp()
            let ready = Events<Int>()
            let woken = Events<Int>()
            let tasks = (0..<3).map { number in
                loop.start("waiter") {
                    ready.append(number)
                    do {
                        try await wakeUp.wait()
                        woken.append(number)
                    } catch { woken.append(-number) }
                }
            }
            while ready.all.count < 3 { await Task.yield() }
            tasks[1].cancel()
            await tasks[1].value
            wakeUp.signal()
            for task in tasks { await task.value }
            #expect(woken.all.sorted() == [-1, 0, 2])
            wakeUp.signal()
            try await wakeUp.wait()
        }
    }

    @Test("the pool runs work on its own threads, a few at a time, and gives results and errors back")
    func pool() throws {
        let loop = try EventLoop()
        let pool = BlockingPool(threads: 2, queueLimit: 100)
        let threads = Events<UInt>()
        try loop.runUntilComplete {
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        try await pool.run {
                            threads.append(UInt(pthread_self()))
                            return number
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 4950)
            #expect(loop.isOnLoop)
            await #expect(throws: SystemError.self) {
                try await pool.run { throw SystemError(call: "x", number: 1) }
            }
        }
        #expect(Set(threads.all).count <= 2)
        #expect(!threads.all.contains(UInt(pthread_self())))
        pool.shutDown()
    }

    @Test("work beyond the queue's limit is refused, cancelled work leaves the queue, shut-down work is abandoned")
    func poolLimits() throws {
        let loop = try EventLoop()
        let pool = BlockingPool(threads: 1, queueLimit: 2)
        let gate = Gate()
        try loop.runUntilComplete {
            let outcomes = Events<String>()
            @Sendable func submit(_ name: String, _ body: @escaping @Sendable () -> Void) -> Task<Void, Never> {
                loop.start(name) {
                    do {
                        try await pool.run(body)
                        outcomes.append("\(name) done")
                    } catch { outcomes.append("\(name) \(error)") }
                }
            }
            let running = submit("running") { gate.pass() }
            while !gate.isReached { await Task.yield() }
            let cancelled = submit("cancelled") {}
            let abandoned = submit("abandoned") {}
            await Task.yield()
            let refused = submit("refused") {}
            await refused.value
            cancelled.cancel()
            await cancelled.value
            pool.shutDown()
            await abandoned.value
            gate.open()
            await running.value
            await submit("late") {}.value
            #expect(
                outcomes.all == [
                    "refused \(BlockingPoolError.queueIsFull(limit: 2))", "cancelled CancellationError()",
                    "abandoned \(BlockingPoolError.isShutDown)", "running done", "late \(BlockingPoolError.isShutDown)",
                ])
        }
    }

    @Test("work that may be abandoned does not hold up a cancelled caller; other work does")
    func abandoning() throws {
        let loop = try EventLoop()
        let pool = BlockingPool(threads: 1, queueLimit: 2)
        let gate = Gate()
        try loop.runUntilComplete {
            let task = loop.start("caller") {
                await #expect(throws: CancellationError.self) {
                    try await pool.run(mayBeAbandoned: true) { gate.pass() }
                }
            }
            while !gate.isReached { await Task.yield() }
            task.cancel()
            await task.value
            gate.open()
            let value = try await pool.run { 1 }
            #expect(value == 1)
        }
        pool.shutDown()
    }

    @Test("services run side by side; when one ends, the others are cancelled and the error names it")
    func services() throws {
        let loop = try EventLoop()
        let events = Events<String>()
        let error = #expect(throws: ServiceEnded.self) {
            try loop.runUntilComplete {
                try await runServices(
                    [
                        Worker(name: "lasting") {
                            defer { events.append("lasting ended") }
                            try await loop.sleep(for: .seconds(3600))
                        },
                        Worker(name: "failing") { throw SystemError(call: "open", number: 2) },
                    ], on: loop)
            }
        }
        #expect(error?.service == "failing")
        #expect(error?.description == "failing has failed: open: No such file or directory (2)")
        #expect(events.all == ["lasting ended"])
    }

    @Test("services whose owner is cancelled end without an error")
    func servicesCancelled() throws {
        let loop = try EventLoop()
        try loop.runUntilComplete {
            let owner = loop.start("owner") {
                do {
                    try await runServices([Worker(name: "a") { try await loop.sleep(for: .seconds(3600)) }], on: loop)
                } catch { Issue.record("\(error)") }
            }
            while loop.pendingTimers == 0 { await Task.yield() }
            owner.cancel()
            await owner.value
        }
    }
}

private struct Worker: Service {
    let name: String
    let body: @Sendable () async throws -> Void

    func run() async throws { try await body() }
}

/// Holds a thread of the pool until it is opened.
private final class Gate: Sendable {
    private let reached = Flag()
    private let opened = Flag()

    var isReached: Bool { reached.isSet }

    func pass() {
        reached.set()
        while !opened.isSet { sched_yield() }
    }

    func open() { opened.set() }
}
