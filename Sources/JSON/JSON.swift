// JSON as both API dialects and the internal protocol need it: a value, a reader and a writer.
//
// What it is for: the request and answer bodies of a server that handles tens of thousands of them a second, written by
// strangers. Foundation's coders cost four to nine times as much and make 10 MB of resident memory out of nothing.
//
// Invariants
// - The reader accepts exactly RFC 8259 text in UTF-8, nothing else: no comments, no trailing commas, no byte order
//   mark, no lone surrogates, no ill-formed UTF-8, nothing after the value.
// - Whatever comes in is bounded before memory is spent on it: `JSONLimits`. Nesting is bounded too, so that recursion
//   here, and in whoever walks the value, cannot exhaust the stack.
// - An integer that fits Int64 stays exact. Any other number becomes the nearest Double; one that no Double can
//   hold is refused, because JSON has no infinity to write it back as.
// - Of duplicate keys the last wins, as in the programs that our clients come from; the position is that of the first.
// - What was read and is written reads back as an equal value.
//
// What it refuses to do: map types by reflection. Dialects spell out their fields, for field lists are contracts.
//
// Callers: `HTTP` (bodies), `Storage` (jsonb columns), the dialects, the internal protocol.

/// What the reader accepts at most.
public struct JSONLimits: Sendable, Equatable {
    /// How deep arrays and objects may nest; a lone number or string has depth 0.
    /// Never effective above `depthCeiling`, which protects the stack.
    public var depth: Int
    /// Bytes of the whole text.
    public var bytes: Int
    /// Values in all: each number, string, literal, array and object counts.
    public var values: Int
    /// Characters of one number's text.
    public var numberLength: Int

    /// Reader and writer recurse once a level; a thread with a stack of 1 MiB has room for this many.
    public static let depthCeiling = 256

    public init(
        depth: Int = 64, bytes: Int = 16 * 1024 * 1024, values: Int = 1_000_000, numberLength: Int = 1024
    ) {
        self.depth = depth
        self.bytes = bytes
        self.values = values
        self.numberLength = numberLength
    }

    /// Depth 64, 16 MiB, a million values.
    public static let standard = JSONLimits()
}

/// Why a text is not JSON, or not JSON that we accept.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Bytes before the place that is wrong, from 0.
    public let offset: Int
    /// For people: what was found and what would be right there.
    public let message: String

    public init(offset: Int, message: String) {
        self.offset = offset
        self.message = message
    }

    public var description: String { "invalid JSON at byte \(offset): \(message)" }
}
