/// Names one timer of one loop. A token whose timer has fired or was cancelled names nothing: its generation is over.
public struct TimerToken: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32
}

/// Timers in due order; equal deadlines keep the order in which they were added.
///
/// A 4-ary heap of 16-byte entries beside a table of slots. The table knows each entry's position, so that a cancelled
/// timer leaves at once: with a deadline on every request, nearly all timers are cancelled, and heaps that only mark
/// them fill up with the dead.
struct TimerHeap {
    typealias Action = @Sendable () -> Void

    private struct Entry {
        var deadline: UInt64
        var sequence: UInt32
        var slot: UInt32

        func isBefore(_ other: Entry) -> Bool {
            if deadline != other.deadline { return deadline < other.deadline }
            // Wraps: two timers with one deadline are never 2^31 additions apart.
            return Int32(bitPattern: sequence &- other.sequence) < 0
        }
    }

    private struct Slot {
        var generation: UInt32
        var position: Int32
        var action: Action?
    }

    private var entries: [Entry] = []
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var sequence: UInt32 = 0

    var count: Int { entries.count }

    /// The earliest deadline, in nanoseconds of the monotonic clock.
    var earliest: UInt64? { entries.first?.deadline }

    mutating func add(deadline: UInt64, _ action: @escaping Action) -> TimerToken {
        let slot: UInt32
        if let free = freeSlots.popLast() {
            slot = free
            slots[Int(slot)].action = action
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot(generation: 0, position: 0, action: action))
        }
        sequence &+= 1
        entries.append(Entry(deadline: deadline, sequence: sequence, slot: slot))
        siftUp(entries.count - 1)
        return TimerToken(slot: slot, generation: slots[Int(slot)].generation)
    }

    /// Returns whether the timer was still waiting.
    @discardableResult
    mutating func remove(_ token: TimerToken) -> Bool {
        guard Int(token.slot) < slots.count, slots[Int(token.slot)].generation == token.generation,
            slots[Int(token.slot)].action != nil
        else { return false }
        removeEntry(at: Int(slots[Int(token.slot)].position))
        release(token.slot)
        return true
    }

    /// The action of the earliest timer, taken out, if it is due by now.
    mutating func popDue(now: UInt64) -> Action? {
        guard let first = entries.first, first.deadline <= now else { return nil }
        let action = slots[Int(first.slot)].action
        removeEntry(at: 0)
        release(first.slot)
        return action
    }

    private mutating func release(_ slot: UInt32) {
        slots[Int(slot)].action = nil
        slots[Int(slot)].generation &+= 1
        freeSlots.append(slot)
    }

    private mutating func removeEntry(at position: Int) {
        let last = entries.removeLast()
        guard position < entries.count else { return }
        entries[position] = last
        slots[Int(last.slot)].position = Int32(position)
        siftDown(position)
        siftUp(Int(slots[Int(last.slot)].position))
    }

    private mutating func siftUp(_ start: Int) {
        var position = start
        let entry = entries[position]
        while position > 0 {
            let parent = (position - 1) / 4
            guard entry.isBefore(entries[parent]) else { break }
            place(entries[parent], at: position)
            position = parent
        }
        place(entry, at: position)
    }

    private mutating func siftDown(_ start: Int) {
        var position = start
        let entry = entries[position]
        while true {
            let firstChild = position * 4 + 1
            guard firstChild < entries.count else { break }
            var least = firstChild
            for child in firstChild..<min(firstChild + 4, entries.count) where entries[child].isBefore(entries[least]) {
                least = child
            }
            guard entries[least].isBefore(entry) else { break }
            place(entries[least], at: position)
            position = least
        }
        place(entry, at: position)
    }

    private mutating func place(_ entry: Entry, at position: Int) {
        entries[position] = entry
        slots[Int(entry.slot)].position = Int32(position)
    }
}
