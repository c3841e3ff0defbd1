import CLinux

/// What a watch waits for. Hang-ups and errors are always told.
public struct Interest: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let read = Interest(rawValue: 1)
    public static let write = Interest(rawValue: 2)
}

/// What a descriptor is ready for. On a hang-up or an error `read` and `write` are set as well: the next read or write
/// tells what happened.
public struct Readiness: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let read = Readiness(rawValue: 1)
    public static let write = Readiness(rawValue: 2)
    public static let hangUp = Readiness(rawValue: 4)
    public static let error = Readiness(rawValue: 8)

    init(epollEvents: UInt32) {
        var readiness: Readiness = []
        if epollEvents & EPOLLIN.rawValue != 0 { readiness.insert(.read) }
        if epollEvents & EPOLLOUT.rawValue != 0 { readiness.insert(.write) }
        if epollEvents & EPOLLHUP.rawValue != 0 { readiness.formUnion([.hangUp, .read, .write]) }
        if epollEvents & EPOLLERR.rawValue != 0 { readiness.formUnion([.error, .read, .write]) }
        self = readiness
    }
}

/// A descriptor's place in a loop. Its methods are called on the loop's thread.
///
/// The owner of the descriptor cancels the watch before it closes the descriptor: epoll keeps a closed descriptor as
/// long as any forked child still holds it, and would report it for ever.
public final class Watch: Sendable {
    private let loop: EventLoop
    let slot: UInt32
    let generation: UInt32

    /// What epoll hands back with each event.
    var tag: UInt64 { UInt64(generation) << 32 | UInt64(slot) }

    init(loop: EventLoop, slot: UInt32, generation: UInt32) {
        self.loop = loop
        self.slot = slot
        self.generation = generation
    }

    /// Changes what is waited for. An empty interest takes the descriptor out of the loop until the next update.
    /// Does nothing after `cancel`.
    public func update(_ interest: Interest) {
        loop.updateWatch(self, interest)
    }

    /// Ends the watch; the handler is never called again, not even for events that were already read from the kernel.
    public func cancel() {
        loop.cancelWatch(self)
    }
}

/// Slots of the watched descriptors. The number that epoll hands back carries slot and generation, so that an event for
/// a descriptor whose slot has meanwhile passed to another is recognised and dropped.
struct WatchTable {
    struct Entry {
        var generation: UInt32
        var descriptor: Int32
        var interest: Interest
        var handler: (@Sendable (Readiness) -> Void)?
    }

    private var entries: [Entry] = []
    private var freeSlots: [UInt32] = []

    var count: Int { entries.count - freeSlots.count }

    mutating func add(
        _ descriptor: Int32, _ interest: Interest, _ handler: @escaping @Sendable (Readiness) -> Void
    ) -> (slot: UInt32, generation: UInt32) {
        if let slot = freeSlots.popLast() {
            let generation = entries[Int(slot)].generation
            entries[Int(slot)] = Entry(
                generation: generation, descriptor: descriptor, interest: interest, handler: handler)
            return (slot, generation)
        }
        entries.append(Entry(generation: 1, descriptor: descriptor, interest: interest, handler: handler))
        return (UInt32(entries.count - 1), 1)
    }

    func entry(slot: UInt32, generation: UInt32) -> Entry? {
        guard Int(slot) < entries.count, entries[Int(slot)].generation == generation,
            entries[Int(slot)].handler != nil
        else { return nil }
        return entries[Int(slot)]
    }

    mutating func setInterest(slot: UInt32, _ interest: Interest) {
        entries[Int(slot)].interest = interest
    }

    mutating func remove(slot: UInt32) {
        entries[Int(slot)].handler = nil
        entries[Int(slot)].generation &+= 1
        freeSlots.append(slot)
    }
}
