// The reader of the tz database's compiled files (RFC 8536), versions 1 to 4. A file holds a 32-bit table that is kept
// for old readers; from version 2 on a 64-bit table and the rule for later years follow, and only those are used.
// The bytes come from outside: every read is checked, every count is bounded by the length of the file.
extension ZoneRules {
    /// Reads a compiled zone file; throws for anything malformed and for files that count leap seconds.
    public init(name: String, tzif: [UInt8]) throws(ZoneError) {
        guard tzif.count <= Limits.zoneFileBytes else { throw Self.refusal(name, "it is too large") }
        var reader = TZifReader(bytes: tzif)
        do {
            let header = try reader.header()
            var table: [Transition]
            let initialOffset: Int64
            var footer: PosixZone?
            if header.version == 0 {
                (table, initialOffset) = try reader.block(header, timeSize: 4)
            } else {
                try reader.skip(header.length(timeSize: 4))
                (table, initialOffset) = try reader.block(try reader.header(), timeSize: 8)
                footer = try reader.footer()
            }
            table = try Self.merged(table, after: initialOffset)
            self.init(name: name, transitions: table, initialOffset: initialOffset, footer: footer)
        } catch {
            throw Self.refusal(name, error.message)
        }
    }

    private static func refusal(_ name: String, _ reason: String) -> ZoneError {
        ZoneError(message: "the file of time zone \(quoted(name)) cannot be used: \(reason)")
    }

    /// Drops transitions that only change the abbreviation and refuses jumps beyond a day.
    private static func merged(
        _ table: [Transition], after initialOffset: Int64
    ) throws(ZoneError) -> [Transition] {
        var result: [Transition] = []
        var offset = initialOffset
        for transition in table where transition.offset != offset {
            guard abs(transition.offset - offset) <= Limits.offsetChange else {
                throw ZoneError(message: "clocks jump by more than a day")
            }
            result.append(transition)
            offset = transition.offset
        }
        return result
    }
}

private struct TZifReader {
    struct Header {
        let version: UInt8
        let isUTCount: Int
        let isStandardCount: Int
        let leapCount: Int
        let timeCount: Int
        let typeCount: Int
        let nameBytes: Int

        func length(timeSize: Int) -> Int {
            timeCount * (timeSize + 1) + typeCount * 6 + nameBytes + leapCount * (timeSize + 4) + isStandardCount
                + isUTCount
        }
    }

    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func header() throws(ZoneError) -> Header {
        guard Array(try take(4)) == Array("TZif".utf8) else { throw ZoneError(message: "it does not begin with TZif") }
        let version = try take(1).first ?? 0
        guard version == 0 || (50...52).contains(version) else {
            throw ZoneError(message: "its version \(version) is unknown")
        }
        try skip(15)
        var counts: [Int] = []
        for _ in 0..<6 { counts.append(Int(try integer(4) & 0xFFFF_FFFF)) }
        return Header(
            version: version, isUTCount: counts[0], isStandardCount: counts[1], leapCount: counts[2],
            timeCount: counts[3], typeCount: counts[4], nameBytes: counts[5])
    }

    mutating func block(
        _ header: Header, timeSize: Int
    ) throws(ZoneError) -> (table: [ZoneRules.Transition], initialOffset: Int64) {
        guard header.leapCount == 0 else {
            throw ZoneError(message: "it counts leap seconds; use the zone without \"right/\" in its name")
        }
        guard header.length(timeSize: timeSize) <= bytes.count - position else { throw truncated }
        var times: [Int64] = []
        times.reserveCapacity(header.timeCount)
        for _ in 0..<header.timeCount {
            let time = try integer(timeSize)
            if let last = times.last, last >= time { throw ZoneError(message: "its transitions do not ascend") }
            times.append(time)
        }
        let kinds = try take(header.timeCount)
        var offsets: [Int64] = []
        for _ in 0..<header.typeCount {
            let offset = try integer(4)
            guard Limits.zoneOffset.contains(offset) else { throw ZoneError(message: "an offset exceeds a day") }
            offsets.append(offset)
            try skip(2)
        }
        guard let initialOffset = offsets.first else { throw ZoneError(message: "it has no type of local time") }
        try skip(header.nameBytes + header.isStandardCount + header.isUTCount)
        var table: [ZoneRules.Transition] = []
        table.reserveCapacity(header.timeCount)
        for (time, kind) in zip(times, kinds) {
            guard Int(kind) < offsets.count else { throw ZoneError(message: "a transition has an unknown type") }
            table.append(ZoneRules.Transition(start: time, offset: offsets[Int(kind)]))
        }
        return (table, initialOffset)
    }

    /// The rule between two line feeds; nil when it is empty.
    mutating func footer() throws(ZoneError) -> PosixZone? {
        let newline = UInt8(ascii: "\n")
        guard try take(1).first == newline, let end = bytes[position...].firstIndex(of: newline) else {
            throw ZoneError(message: "the rule for later years is missing")
        }
        return end == position ? nil : try PosixZone(bytes[position..<end])
    }

    mutating func skip(_ count: Int) throws(ZoneError) {
        _ = try take(count)
    }

    private var truncated: ZoneError { ZoneError(message: "it is cut off") }

    private mutating func take(_ count: Int) throws(ZoneError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - position else { throw truncated }
        defer { position += count }
        return bytes[position..<position + count]
    }

    /// A signed big-endian number of 4 or 8 bytes.
    private mutating func integer(_ size: Int) throws(ZoneError) -> Int64 {
        var value: UInt64 = 0
        for byte in try take(size) { value = value << 8 | UInt64(byte) }
        return size == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
    }
}
