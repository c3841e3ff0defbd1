/// A binary heap of values by key, smallest first; equal keys come out in the order of the tie-breaker, so that two
/// runs of one simulation agree. Whoever pops checks whether the value still holds.
struct MinHeap<Key: Comparable & Sendable, Value: Sendable>: Sendable {
    private var entries: [(key: Key, order: UInt64, value: Value)] = []
    private var inserted: UInt64 = 0

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }
    var first: (key: Key, value: Value)? { entries.first.map { ($0.key, $0.value) } }

    mutating func insert(_ value: Value, at key: Key) {
        inserted += 1
        entries.append((key, inserted, value))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard precedes(child, parent) else { break }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    @discardableResult
    mutating func removeFirst() -> (key: Key, value: Value)? {
        guard let top = entries.first else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            sink()
        }
        return (top.key, top.value)
    }

    /// Forgets what no longer matters. Linear.
    mutating func removeAll(where isGone: (Value) -> Bool) {
        entries.removeAll { isGone($0.value) }
        for index in stride(from: entries.count / 2 - 1, through: 0, by: -1) { sink(from: index) }
    }

    private mutating func sink(from start: Int = 0) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count && precedes(child, least) {
                least = child
            }
            guard least != parent else { return }
            entries.swapAt(parent, least)
            parent = least
        }
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        let (a, b) = (entries[left], entries[right])
        return a.key < b.key || (a.key == b.key && a.order < b.order)
    }
}
