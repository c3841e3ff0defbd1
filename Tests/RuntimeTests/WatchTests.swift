import Glibc
import Testing

@testable import Runtime

/// Two connected sockets, non-blocking.
private final class SocketPair: Sendable {
    let left: Int32
    let right: Int32

    init() throws {
        var pair: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(O_NONBLOCK), 0, &pair) == 0)
        left = pair[0]
        right = pair[1]
    }

    func say(_ byte: UInt8) {
        var byte = byte
        _ = write(right, &byte, 1)
    }

    func hear() -> UInt8? {
        var byte: UInt8 = 0
        return read(left, &byte, 1) == 1 ? byte : nil
    }

    deinit {
        close(left)
        close(right)
    }
}

@Suite("Watches", .timeLimit(.minutes(1)))
struct WatchTests {
    @Test("a handler is called when there is something to read, and again for what comes later")
    func reading() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        let heard = Events<UInt8>()
        try loop.runUntilComplete {
            let arrived = WakeUp()
            let watch = try loop.watch(pair.left, .read) { _ in
                if let byte = pair.hear() { heard.append(byte) }
                arrived.signal()
            }
            for byte in UInt8(1)...3 {
                pair.say(byte)
                try await arrived.wait()
            }
            watch.cancel()
        }
        #expect(heard.all == [1, 2, 3])
        #expect(loop.openWatches == 0)
    }

    @Test("an event for a watch that was cancelled in the same turn is dropped")
    func cancelledInSameTurn() throws {
        let loop = try EventLoop()
        let pairs = [try SocketPair(), try SocketPair()]
        let called = Events<Int>()
        try loop.runUntilComplete {
            let watches = Events<Watch>()
            for index in 0..<2 {
                watches.append(
                    try loop.watch(pairs[index].left, .read) { _ in
                        called.append(index)
                        for watch in watches.all { watch.cancel() }
                    })
            }
            for pair in pairs { pair.say(1) }
            try await loop.sleep(for: .milliseconds(2))
        }
        #expect(called.all.count == 1)
    }

    @Test("a slot that passes to another descriptor does not pass on the old one's events")
    func staleEvents() throws {
        let loop = try EventLoop()
        let pairs = [try SocketPair(), try SocketPair(), try SocketPair()]
        let wrong = Flag()
        try loop.runUntilComplete {
            let watches = Events<Watch>()
            for index in 0..<2 {
                watches.append(
                    try loop.watch(pairs[index].left, .read) { _ in
                        for watch in watches.all { watch.cancel() }
                        // Takes the slot of one that is ready in this very turn, with a descriptor that is not.
                        for _ in 0..<2 {
                            do {
                                watches.append(try loop.watch(pairs[2].left, .read) { _ in wrong.set() })
                            } catch { /* the second one: a descriptor is watched once */  }
                        }
                    })
            }
            for pair in pairs[..<2] { pair.say(1) }
            try await loop.sleep(for: .milliseconds(2))
            for watch in watches.all { watch.cancel() }
        }
        #expect(!wrong.isSet)
        #expect(loop.openWatches == 0)
    }

    @Test("without interest a hang-up does not make the loop spin; with it, it is told as readable")
    func hangUp() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        let told = Events<Readiness>()
        try loop.runUntilComplete {
            let arrived = WakeUp()
            let watch = try loop.watch(pair.left, []) { readiness in
                told.append(readiness)
                arrived.signal()
            }
            shutdown(pair.right, Int32(SHUT_RDWR))
            try await loop.sleep(for: .milliseconds(2))
            #expect(told.all.isEmpty)
            watch.update(.read)
            try await arrived.wait()
            watch.cancel()
        }
        #expect(told.all.first?.contains([.read, .hangUp]) == true)
    }

    @Test("interest in writing is told and can be taken back")
    func writing() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        try loop.runUntilComplete {
            let arrived = WakeUp()
            let count = Events<Int>()
            let watch = try loop.watch(pair.left, .read) { readiness in
                if readiness.contains(.write) {
                    count.append(1)
                    arrived.signal()
                }
            }
            watch.update([.read, .write])
            try await arrived.wait()
            watch.update(.read)
            let before = count.all.count
            try await loop.sleep(for: .milliseconds(2))
            #expect(count.all.count == before)
            watch.cancel()
            watch.update(.write)
        }
        #expect(loop.openWatches == 0)
    }

    @Test("a plain file cannot be watched, which is an error that says so")
    func plainFile() throws {
        let loop = try EventLoop()
        let file = open("/dev/zero", O_RDONLY)
        defer { close(file) }
        let error = #expect(throws: SystemError.self) { _ = try loop.watch(file, .read) { _ in } }
        #expect(error?.number == EPERM)
        #expect(loop.openWatches == 0)
    }

    @Test("ready() waits once, and a cancelled wait leaves nothing behind")
    func ready() throws {
        let loop = try EventLoop()
        let pair = try SocketPair()
        try loop.runUntilComplete {
            pair.say(1)
            let readiness = try await loop.ready(pair.left, .read)
            #expect(readiness.contains(.read))
            #expect(loop.openWatches == 0)
            _ = pair.hear()
            let waiter = loop.start("waiter") {
                await #expect(throws: CancellationError.self) { _ = try await loop.ready(pair.left, .read) }
            }
            while loop.openWatches == 0 { await Task.yield() }
            waiter.cancel()
            await waiter.value
            #expect(loop.openWatches == 0)
        }
    }

    @Test("what is to be done at the end of a turn is done once, after the jobs of the turn")
    func endOfTurn() throws {
        let loop = try EventLoop()
        let order = Events<String>()
        try loop.runUntilComplete {
            let done = WakeUp()
            loop.atEndOfTurn {
                order.append("end")
                done.signal()
            }
            let other = loop.start("other") { order.append("job") }
            await other.value
            try await done.wait()
        }
        #expect(order.all == ["job", "end"])
    }
}
