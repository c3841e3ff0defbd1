/// Actions by virtual time; those of one instant in the order in which they were added.
struct TimerQueue {
    private struct Entry {
        let deadline: UInt64
        let order: UInt64
        let action: @Sendable () -> Void

        static func precedes(_ left: Entry, _ right: Entry) -> Bool {
            left.deadline != right.deadline ? left.deadline < right.deadline : left.order < right.order
        }
    }

    private var entries: [Entry] = []
    private var added: UInt64 = 0

    var earliest: UInt64? { entries.first?.deadline }

    mutating func add(at deadline: UInt64, _ action: @escaping @Sendable () -> Void) {
        added += 1
        entries.append(Entry(deadline: deadline, order: added, action: action))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard Entry.precedes(entries[child], entries[parent]) else { break }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() -> (@Sendable () -> Void)? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        guard !entries.isEmpty else { return first.action }
        entries[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in (2 * parent + 1)..<(2 * parent + 3)
            where child < entries.count && Entry.precedes(entries[child], entries[least]) {
                least = child
            }
            guard least != parent else { return first.action }
            entries.swapAt(parent, least)
            parent = least
        }
    }
}
