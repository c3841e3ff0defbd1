/// What happened, as lines for people and as one number for comparison.
struct Trace {
    /// Lines that are kept; nil: all.
    let limit: Int?
    private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    private(set) var count = 0
    private var kept: [String] = []
    private var oldest = 0

    init(limit: Int?) { self.limit = limit }

    var lines: [String] { Array(kept[oldest...] + kept[..<oldest]) }

    mutating func note(_ line: String) {
        for byte in line.utf8 { mix(UInt64(byte)) }
        count += 1
        guard let limit, kept.count >= limit else {
            kept.append(line)
            return
        }
        kept[oldest] = line
        oldest = (oldest + 1) % limit
    }

    /// FNV-1a.
    mutating func mix(_ value: UInt64) {
        hash = (hash ^ value) &* 0x0000_0100_0000_01b3
    }
}
