import Glibc
import Runtime
import Synchronization
import Testing

private actor Counter {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private(set) var value = 0
    private(set) var threads: Set<UInt> = []

    init(_ loop: EventLoop) {
        self.loop = loop
    }

    func increment() {
        value += 1
        threads.insert(UInt(pthread_self()))
    }

    func incrementAfterSleeping() async throws {
        try await loop.sleep(for: .milliseconds(1))
        increment()
    }
}

private actor Ordinary {
    func thread() -> UInt { UInt(pthread_self()) }
}

private func currentThread() async -> UInt { UInt(pthread_self()) }

@Suite("Executor", .timeLimit(.minutes(1)))
struct ExecutorTests {
    @Test("a task on the loop never leaves its thread")
    func staysOnThread() throws {
        let loop = try EventLoop()
        let expected = UInt(pthread_self())
        let pool = BlockingPool(threads: 1, queueLimit: 10)
        let seen = try loop.runUntilComplete {
            var seen: [String: UInt] = [:]
            seen["body"] = UInt(pthread_self())
            seen["nonisolated"] = await currentThread()
            seen["default actor"] = await Ordinary().thread()
            async let child = currentThread()
            seen["async let"] = await child
            seen["group child"] = await withTaskGroup(of: UInt.self) { group in
                group.addTask { await currentThread() }
                return await group.next() ?? 0
            }
            try await Task.sleep(for: .milliseconds(2))
            seen["after Task.sleep"] = UInt(pthread_self())
            try await loop.sleep(for: .milliseconds(2))
            seen["after sleep"] = UInt(pthread_self())
            _ = try await pool.run { UInt(pthread_self()) }
            seen["after the pool"] = UInt(pthread_self())
            let counter = Counter(loop)
            await counter.increment()
            seen["after an actor of the loop"] = UInt(pthread_self())
            try await counter.incrementAfterSleeping()
            let threads = await counter.threads
            seen["in an actor of the loop"] = threads.count == 1 ? threads.first : 0
            var stream = AsyncStream<Int> { continuation in
                loop.start("producer") {
                    continuation.yield(1)
                    continuation.finish()
                }
            }.makeAsyncIterator()
            _ = await stream.next()
            seen["in a stream"] = UInt(pthread_self())
            return seen
        }
        for (place, thread) in seen { #expect(thread == expected, "\(place)") }
        #expect(seen.count == 11)
        pool.shutDown()
    }

    @Test("a callback of the loop enters an actor of the loop without waiting")
    func assumeIsolated() throws {
        let loop = try EventLoop()
        let counter = Counter(loop)
        let value = try loop.runUntilComplete {
            let wakeUp = WakeUp()
            loop.after(.zero) {
                counter.assumeIsolated { $0.increment() }
                wakeUp.signal()
            }
            try await wakeUp.wait()
            return await counter.value
        }
        #expect(value == 1)
        #expect(loop.isIsolatingCurrentContext() == false)
    }

    @Test("an actor of the loop called from another thread runs on the loop's thread")
    func actorFromOutside() async throws {
        let loop = try EventLoop.startThread(named: "test")
        defer { loop.stop() }
        let counter = Counter(loop)
        for _ in 0..<100 { await counter.increment() }
        #expect(await counter.value == 100)
        #expect(await counter.threads.count == 1)
        #expect(await counter.threads.contains(UInt(pthread_self())) == false)
    }

    @Test("jobs of many threads all run")
    func manyThreads() async throws {
        let loop = try EventLoop.startThread(named: "test")
        defer { loop.stop() }
        let counter = Counter(loop)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask { for _ in 0..<200 { await counter.increment() } }
            }
        }
        #expect(await counter.value == 10_000)
    }

    @Test("a task that never stops yielding does not starve timers and other tasks")
    func fairness() throws {
        let loop = try EventLoop()
        try loop.runUntilComplete {
            let greedy = loop.start("greedy") { while !Task.isCancelled { await Task.yield() } }
            try await loop.sleep(for: .milliseconds(5))
            greedy.cancel()
            await greedy.value
        }
    }

    @Test("execute runs closures on the loop's thread in their order")
    func execute() async throws {
        let loop = try EventLoop.startThread(named: "test")
        defer { loop.stop() }
        let (stream, continuation) = AsyncStream.makeStream(of: (Int, Bool).self)
        for number in 0..<100 { loop.execute { continuation.yield((number, loop.isOnLoop)) } }
        loop.execute { continuation.finish() }
        var numbers: [Int] = []
        for await (number, onLoop) in stream {
            numbers.append(number)
            #expect(onLoop)
        }
        #expect(numbers == Array(0..<100))
    }

    @Test("runUntilComplete throws what the body throws, and can be called again")
    func throwing() throws {
        let loop = try EventLoop()
        #expect(throws: DeadlineExceeded("x")) { try loop.runUntilComplete { throw DeadlineExceeded("x") } }
        #expect(try loop.runUntilComplete { 7 } == 7)
    }

    @Test("a job that waits when the loop is stopped runs in the next run")
    func stopAndRunAgain() throws {
        let loop = try EventLoop()
        let flag = Flag()
        loop.stop()
        loop.execute { flag.set() }
        loop.run()
        #expect(!flag.isSet)
        try loop.runUntilComplete { await Task.yield() }
        #expect(flag.isSet)
    }
}
