/// What clocks showed and will show in one time zone: a table of transitions, then a rule for all years after it.
///
/// A small value over shared storage; cheap to copy into every schedule of the zone.
public struct ZoneRules: Sendable, Hashable {
    /// From this instant on (seconds since 1970), clocks are so many seconds ahead of UTC.
    struct Transition: Sendable, Hashable {
        let start: Int64
        let offset: Int64
    }

    /// A stretch of time with one offset, `start` inclusive, `end` exclusive, in seconds since 1970. Within a span,
    /// local time runs as evenly as UTC; everything the calendar does about daylight saving happens between spans.
    struct Span {
        let start: Int64
        let end: Int64
        let offset: Int64
    }

    /// The name it was read under: `Europe/Berlin`, `UTC`, `GMT+05:30`.
    public let name: String
    /// Strictly ascending, neighbours differ in their offset.
    let transitions: [Transition]
    /// Before the first transition.
    let initialOffset: Int64
    /// From the last transition on; nil where the last offset stays.
    let footer: PosixZone?

    public static let utc = ZoneRules(name: "UTC", transitions: [], initialOffset: 0, footer: nil)

    init(name: String, transitions: [Transition], initialOffset: Int64, footer: PosixZone?) {
        self.name = name
        self.transitions = transitions
        self.initialOffset = initialOffset
        self.footer = footer
    }

    /// A zone that never changes, named like `GMT+05:30`; offsets beyond a day are clamped.
    public static func fixed(offsetSeconds: Int) -> ZoneRules {
        guard offsetSeconds != 0 else { return utc }
        let offset = max(-86_399, min(86_399, offsetSeconds))
        var writer = TextWriter()
        writer.write("GMT")
        writer.write(offset: offset)
        return ZoneRules(name: writer.text, transitions: [], initialOffset: Int64(offset), footer: nil)
    }

    /// Seconds that clocks are ahead of UTC (east is positive).
    public func offset(at instant: Instant) -> Int {
        Int(span(containing: instant.seconds).offset)
    }

    /// What a clock shows.
    public func local(at instant: Instant) -> CivilDateTime {
        let seconds = instant.seconds
        return CivilDateTime(
            localSeconds: seconds + span(containing: seconds).offset,
            microsecond: Int(instant.microseconds.floorModulo(1_000_000)))
    }

    /// When a clock shows this reading: once, never or twice.
    public func resolve(_ local: CivilDateTime) -> LocalResolution {
        func instant(_ seconds: Int64) -> Instant {
            Instant(microseconds: seconds * 1_000_000 + Int64(local.microsecond))
        }
        switch resolve(localSeconds: local.localSeconds) {
        case .unique(let seconds): return .unique(instant(seconds))
        case .gap(let shifted, let transition):
            return .gap(shifted: instant(shifted), transition: Instant(seconds: transition))
        case .overlap(let first, let second): return .overlap(first: instant(first), second: instant(second))
        }
    }

    /// The span that holds a second.
    func span(containing seconds: Int64) -> Span {
        guard let last = transitions.last else {
            return footer?.span(containing: seconds) ?? Span(start: .min, end: .max, offset: initialOffset)
        }
        if seconds >= last.start {
            guard let span = footer?.span(containing: seconds) else {
                return Span(start: last.start, end: .max, offset: last.offset)
            }
            return Span(start: max(span.start, last.start), end: span.end, offset: span.offset)
        }
        // The first transition after the second; there is one, because the last is after it.
        var low = 0
        var high = transitions.count - 1
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle].start > seconds { high = middle } else { low = middle + 1 }
        }
        let end = transitions[low].start
        guard low > 0 else { return Span(start: .min, end: end, offset: initialOffset) }
        return Span(start: transitions[low - 1].start, end: end, offset: transitions[low - 1].offset)
    }
}

/// The instants at which a clock in a zone shows one reading.
public enum LocalResolution: Hashable, Sendable {
    /// Exactly one.
    case unique(Instant)
    /// None: clocks jumped over it at `transition`. `shifted` is the reading moved forward by the length of the jump.
    case gap(shifted: Instant, transition: Instant)
    /// Two: clocks were set back.
    case overlap(first: Instant, second: Instant)

    /// The one that schedules take: forward by the gap, the first of two.
    public var chosen: Instant {
        switch self {
        case .unique(let instant), .gap(let instant, _), .overlap(let instant, _): instant
        }
    }
}

extension ZoneRules {
    /// `LocalResolution` in whole seconds.
    enum SecondsResolution {
        case unique(Int64)
        case gap(shifted: Int64, transition: Int64)
        case overlap(first: Int64, second: Int64)

        var chosen: Int64 {
            switch self {
            case .unique(let seconds), .gap(let seconds, _), .overlap(let seconds, _): seconds
            }
        }
    }

    /// How far apart, in seconds, two instants with the same reading can be: twice the largest offset, and a bit.
    private static let reach: Int64 = 200_000

    func resolve(localSeconds local: Int64) -> SecondsResolution {
        let probe = span(containing: local)
        let guess = local - probe.offset
        // Far from both ends of the span no other offset can apply.
        if probe.start == .min || guess - Self.reach >= probe.start,
            probe.end == .max || guess + Self.reach < probe.end
        {
            return .unique(guess)
        }
        return resolveNearTransition(localSeconds: local)
    }

    private func resolveNearTransition(localSeconds local: Int64) -> SecondsResolution {
        var current = span(containing: local - Self.reach)
        var first: Int64?
        var jump: (shifted: Int64, transition: Int64)?
        while true {
            let candidate = local - current.offset
            if candidate >= current.start, candidate < current.end {
                if let first { return .overlap(first: first, second: candidate) }
                first = candidate
            }
            guard current.end != .max, current.end <= local + Self.reach else { break }
            let following = span(containing: current.end)
            if jump == nil, local >= current.end + current.offset, local < current.end + following.offset {
                jump = (local - current.offset, current.end)
            }
            current = following
        }
        if let first { return .unique(first) }
        // A reading is shown, repeated or jumped over; the last branch is unreachable, and harmless if it were not.
        return jump.map { .gap(shifted: $0.shifted, transition: $0.transition) } ?? .unique(local - current.offset)
    }

    /// The instants in a range of seconds at which clocks jumped over a whole day or more; only the table has such.
    func wholeDayGaps(in range: Range<Int64>) -> [Transition] {
        var found: [Transition] = []
        var previous = initialOffset
        for transition in transitions {
            if transition.offset - previous >= 86_400, range.contains(transition.start) { found.append(transition) }
            previous = transition.offset
        }
        return found
    }
}
