public import Timetable

/// The log of an ended try, as it is kept: compressed, and without its middle where it was too long.
public struct AttemptLog: Hashable, Sendable {
    public var attempt: AttemptID
    public var finishedAt: Instant
    public var extent: LogExtent
    /// One or several gzip members.
    public var gzip: [UInt8]

    public init(attempt: AttemptID, finishedAt: Instant, extent: LogExtent, gzip: [UInt8]) {
        self.attempt = attempt
        self.finishedAt = finishedAt
        self.extent = extent
        self.gzip = gzip
    }
}

/// Which bytes of a log are kept. Who follows a log counts in positions: bytes that were ever written before. So he
/// finds his place in what is kept, whether or not the middle was cut out meanwhile.
public struct LogExtent: Hashable, Sendable {
    /// Bytes that were written.
    public var total: Int64
    /// Of these, kept from the beginning; all of them where nothing was cut.
    public var head: Int64
    /// Kept from the end, behind the cut.
    public var tail: Int64
    /// Bytes of the text: head, the line that marks the cut, tail.
    public var size: Int64

    public init(total: Int64, head: Int64, tail: Int64, size: Int64) {
        self.total = total
        self.head = head
        self.tail = tail
        self.size = size
    }

    /// Of a log that is kept whole.
    public init(whole size: Int64) { self.init(total: size, head: size, tail: 0, size: size) }

    public var isCut: Bool { head < total }

    /// Where in the text the reading goes on. Who had read into what was cut out later sees the mark, and the tail.
    public func offset(of position: Int64) -> Int64 {
        if position <= head { return max(0, position) }
        let missing = total - tail
        if position < missing { return head }
        return min(size, size - (total - position))
    }

    /// The position that an offset of the text stands for.
    public func position(of offset: Int64) -> Int64 {
        if offset <= head { return max(0, offset) }
        return max(head, total - (size - min(offset, size)))
    }

    /// The line between head and tail.
    public static func mark(missing bytes: Int64) -> String {
        "\n[carillon: \(bytes) bytes of output were left out here]\n"
    }
}
