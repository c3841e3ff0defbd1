import Timetable

/// Nonces of the recent past, in two generations: whatever is in either was seen, and the older one is dropped whole
/// when the younger has filled its time. So each is remembered for one to two generations.
struct NonceMemory: Sendable {
    enum Answer: Equatable { case new, repeated, full }

    private struct Nonce: Hashable {
        let high: UInt64
        let low: UInt64
    }

    private let capacity: Int
    private var younger: Set<Nonce> = []
    private var older: Set<Nonce> = []
    private var generationEnds: Instant = .distantPast

    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    mutating func insert(_ text: String, now: Instant) -> Answer {
        turn(now)
        guard let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.dropFirst(16), radix: 16) else {
            return .repeated
        }
        let nonce = Nonce(high: high, low: low)
        guard !older.contains(nonce), !younger.contains(nonce) else { return .repeated }
        guard older.count + younger.count < capacity else { return .full }
        younger.insert(nonce)
        return .new
    }

    private mutating func turn(_ now: Instant) {
        guard now >= generationEnds else { return }
        // After a pause of more than a generation the younger ones are out of the window as well.
        let both = now >= generationEnds.advanced(by: WireLimits.nonceMemory)
        older = both ? [] : younger
        younger = []
        generationEnds = now.advanced(by: WireLimits.nonceMemory)
    }
}
