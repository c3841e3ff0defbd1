import Synchronization
import Testing

@testable import Runtime

@Suite("Timers", .timeLimit(.minutes(1)))
struct TimerTests {
    @Test("timers fire in the order of their deadlines, equal ones in the order of their making")
    func order() {
        var heap = TimerHeap()
        let fired = Events<Int>()
        let deadlines: [UInt64] = [5, 3, 9, 3, 1, 5, 0, 9, 3]
        for (number, deadline) in deadlines.enumerated() { _ = heap.add(deadline: deadline) { fired.append(number) } }
        while let action = heap.popDue(now: 100) { action() }
        #expect(fired.all == [6, 4, 1, 3, 8, 0, 5, 2, 7])
        #expect(heap.count == 0)
        #expect(heap.earliest == nil)
    }

    @Test("nothing fires before its deadline")
    func notBefore() {
        var heap = TimerHeap()
        _ = heap.add(deadline: 10) {}
        #expect(heap.popDue(now: 9) == nil)
        #expect(heap.popDue(now: 10) != nil)
    }

    @Test("a cancelled timer leaves at once, and its token cannot cancel the one that takes its place")
    func cancel() {
        var heap = TimerHeap()
        let first = heap.add(deadline: 1) {}
        let kept = heap.add(deadline: 2) {}
        let wasWaiting = heap.remove(first)
        #expect(wasWaiting)
        #expect(heap.count == 1)
        let successor = heap.add(deadline: 3) {}
        #expect(successor.slot == first.slot)
        let again = heap.remove(first)
        #expect(!again)
        #expect(heap.count == 2)
        #expect(heap.popDue(now: 2) != nil)
        let afterFiring = heap.remove(kept)
        #expect(!afterFiring)
    }

    @Test("100,000 timers, half of them cancelled, fire in order")
    func many() {
        var heap = TimerHeap()
        var generator = SplitMix(state: 42)
        let fired = Events<UInt64>()
        var expected: [UInt64] = []
        var tokens: [(TimerToken, UInt64)] = []
        for _ in 0..<100_000 {
            let deadline = generator.next() % 1_000_000
            tokens.append((heap.add(deadline: deadline) { fired.append(deadline) }, deadline))
        }
        for (index, (token, deadline)) in tokens.enumerated() {
            if index % 2 == 0 { heap.remove(token) } else { expected.append(deadline) }
        }
        #expect(heap.count == 50_000)
        while let action = heap.popDue(now: .max) { action() }
        #expect(fired.all == expected.sorted())
    }

    @Test("a loop fires its timers in order, and cancelled ones not at all")
    func onTheLoop() throws {
        let loop = try EventLoop()
        let fired = Events<Int>()
        try loop.runUntilComplete {
            let done = WakeUp()
            for number in [3, 1, 2] { loop.after(.milliseconds(number)) { fired.append(number) } }
            let cancelled = loop.after(.milliseconds(2)) { fired.append(99) }
            loop.cancel(cancelled)
            loop.after(.milliseconds(5)) { done.signal() }
            try await done.wait()
        }
        #expect(fired.all == [1, 2, 3])
        #expect(loop.pendingTimers == 0)
    }

    @Test("a timer without delay fires in a later turn, not inside the call")
    func zeroDelay() throws {
        let loop = try EventLoop()
        let fired = Flag()
        try loop.runUntilComplete {
            let done = WakeUp()
            loop.after(.seconds(-5)) {
                fired.set()
                done.signal()
            }
            #expect(!fired.isSet)
            try await done.wait()
        }
        #expect(fired.isSet)
    }

    @Test("a sleep lasts at least as long as it should")
    func sleep() throws {
        let loop = try EventLoop()
        let slept = try loop.runUntilComplete {
            let start = loop.monotonicNow
            try await loop.sleep(for: .microseconds(1500))
            return start.duration(to: loop.monotonicNow)
        }
        #expect(slept >= .microseconds(1500))
    }

    @Test("a sleep that is cancelled ends at once and leaves no timer behind")
    func cancelSleep() throws {
        let loop = try EventLoop()
        let outcome = Events<String>()
        try loop.runUntilComplete {
            let sleeper = loop.start("sleeper") {
                do {
                    try await loop.sleep(for: .seconds(3600))
                    outcome.append("slept")
                } catch { outcome.append("\(type(of: error))") }
            }
            while loop.pendingTimers == 0 { await Task.yield() }
            sleeper.cancel()
            await sleeper.value
            #expect(loop.pendingTimers == 0)
            let never = loop.start("cancelled before it sleeps") {
                while !Task.isCancelled { await Task.yield() }
                do { try await loop.sleep(for: .seconds(3600)) } catch { outcome.append("not begun") }
            }
            never.cancel()
            await never.value
        }
        #expect(outcome.all == ["CancellationError", "not begun"])
        #expect(loop.pendingTimers == 0)
    }

    @Test("sleeps of other threads' tasks, some cancelled, all end and leave nothing behind")
    func sleepsFromOutside() async throws {
        let loop = try EventLoop.startThread(named: "test")
        defer { loop.stop() }
        let cancelled = await withTaskGroup(of: Int.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let sleep = Task { try await loop.sleep(for: number % 2 == 0 ? .milliseconds(1) : .seconds(3600)) }
                    if number % 2 == 1 { sleep.cancel() }
                    do { try await sleep.value } catch { return 1 }
                    return 0
                }
            }
            return await group.reduce(0, +)
        }
        #expect(cancelled == 100)
        // What was cancelled from outside is taken out by the loop in a later turn.
        let (stream, continuation) = AsyncStream.makeStream(of: Int.self)
        loop.execute {
            continuation.yield(loop.pendingTimers)
            continuation.finish()
        }
        for await pending in stream { #expect(pending == 0) }
    }

    @Test("a MonotonicInstant saturates instead of trapping")
    func saturation() {
        let instant = MonotonicInstant(nanoseconds: 10)
        #expect(instant.advanced(by: .nanoseconds(-20)).nanoseconds == 0)
        #expect(MonotonicInstant(nanoseconds: .max).advanced(by: .seconds(1)).nanoseconds == .max)
        #expect(instant.advanced(by: .seconds(Int64.max)).nanoseconds == 10 + UInt64(Int64.max))
        #expect(instant.duration(to: MonotonicInstant(nanoseconds: 4)) == .nanoseconds(-6))
        #expect(Duration.seconds(Int64.max).clampedNanoseconds == .max)
        #expect(Duration.seconds(Int64.min).clampedNanoseconds == .min)
        #expect(Duration.milliseconds(-1500).clampedNanoseconds == -1_500_000_000)
    }
}

/// A small seeded generator.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
