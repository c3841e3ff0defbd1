import HTTP
import Operations

/// Turns a log into server-sent events: each has whole lines, so that a client may show them as they come. A line that
/// does not end (a progress bar) is held back until it does, or is long, or nothing came for a while.
struct LogEventEncoder {
    private var held: [UInt8] = []
    private var position = RunLogPosition.start

    /// A longer part of a line is sent as an event of its own.
    private static let heldLimit = 32 * 1024

    static let comment = Array(": carillon\n\n".utf8)

    /// The events for a piece; a sign of life for one without bytes.
    mutating func encode(_ chunk: RunLogChunk) -> [UInt8] {
        position = chunk.next
        guard !chunk.bytes.isEmpty else { return held.isEmpty ? Self.comment : flush() }
        held += chunk.bytes
        guard let end = held.lastIndex(of: UInt8(ascii: "\n")) else {
            return held.count > Self.heldLimit ? flush() : []
        }
        let lines = held[..<end]
        let rest = Array(held[(end + 1)...])
        // The position of the last whole line: what is held back is read again after a broken connection.
        let whole = RunLogPosition(attempt: position.attempt, bytes: max(0, position.bytes - Int64(rest.count)))
        let event = Self.event(lines, id: whole)
        held = rest
        return event + (held.count > Self.heldLimit ? flush() : [])
    }

    /// What is held back, and the last event.
    mutating func end(state: String) -> [UInt8] {
        (held.isEmpty ? [] : flush()) + Array("event: end\ndata: \(state)\n\n".utf8)
    }

    private mutating func flush() -> [UInt8] {
        let event = Self.event(held[...], id: position)
        held = []
        return event
    }

    /// Carriage returns would end a field of the event: one at the end of a line belongs to the line's end, others
    /// begin a line of their own, as on a terminal.
    private static func event(_ lines: ArraySlice<UInt8>, id: RunLogPosition) -> [UInt8] {
        var event = Array("id: \(id.text)\n".utf8)
        for line in lines.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            for part in line.split(separator: UInt8(ascii: "\r"), omittingEmptySubsequences: false) {
                event += "data: ".utf8
                // Events are UTF-8: what is not becomes U+FFFD.
                event += String(decoding: part, as: UTF8.self).utf8
                event.append(UInt8(ascii: "\n"))
            }
        }
        event.append(UInt8(ascii: "\n"))
        return event
    }
}
