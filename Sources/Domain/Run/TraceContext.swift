/// Where a request stands in somebody's distributed trace: a `traceparent` as W3C's Trace Context has it. Carillon
/// makes none of its own; it hands on what it was given, to tasks and web hooks.
public struct TraceContext: Hashable, Sendable {
    /// `00-<32 hexadecimal digits>-<16>-<2>`, in lower case.
    public let text: String

    /// Nil for what is none: a caller's mistake in tracing is no reason to refuse his request.
    public init?(_ text: String?) {
        guard let text else { return nil }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        // A later version may have more parts; the first four keep their meaning (§4.3.4 of the recommendation).
        guard parts.count >= 4, text.utf8.count <= Self.longest, parts[0] != "00" || parts.count == 4,
            Self.isHex(parts[0], 2), parts[0] != "ff", Self.isHex(parts[1], 32), Self.isHex(parts[2], 16),
            Self.isHex(parts[3], 2), parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" })
        else { return nil }
        self.text = parts[0] == "00" ? text : "00-" + parts[1...3].joined(separator: "-")
    }

    static let longest = 512

    private static func isHex(_ part: Substring, _ length: Int) -> Bool {
        part.utf8.count == length
            && part.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }
}
