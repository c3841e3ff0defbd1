/// One header or trailer line.
enum FieldLine {
    static func parse(
        _ buffer: [UInt8], _ line: Range<Int>
    ) throws(HTTPParseFailure) -> (name: String, value: String) {
        var end = line.lowerBound
        while end < line.upperBound, ASCII.isToken(buffer[end]) { end += 1 }
        guard end > line.lowerBound, end < line.upperBound, buffer[end] == UInt8(ascii: ":") else {
            throw reason(buffer, line, nameEnd: end)
        }
        var start = end + 1
        while start < line.upperBound, isBlank(buffer[start]) { start += 1 }
        var stop = line.upperBound
        while stop > start, isBlank(buffer[stop - 1]) { stop -= 1 }
        var seen: UInt8 = 0
        for position in start..<stop {
            let byte = buffer[position]
            guard !ASCII.isControl(byte) || byte == ASCII.tab else { throw .controlInField }
            seen |= byte
        }
        let name = String(decoding: buffer[line.lowerBound..<end], as: UTF8.self)
        return (name, seen < 0x80 ? String(decoding: buffer[start..<stop], as: UTF8.self) : text(buffer[start..<stop]))
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == ASCII.blank || byte == ASCII.tab }

    /// Why the line is not a name, a colon and a value.
    private static func reason(_ buffer: [UInt8], _ line: Range<Int>, nameEnd: Int) -> HTTPParseFailure {
        guard nameEnd < line.upperBound, isBlank(buffer[nameEnd]) else { return .badField }
        // Programs differ over a blank before the colon: some strip it, some drop the field. That is smuggling.
        return nameEnd == line.lowerBound ? .foldedLine : .blankBeforeColon
    }

    /// UTF-8 where it is that, else Latin-1, which HTTP/1.1 once defined: no bytes are lost and none can fail.
    private static func text(_ value: ArraySlice<UInt8>) -> String {
        if let text = String(validating: value, as: UTF8.self) { return text }
        var text = String.UnicodeScalarView()
        for byte in value { text.append(Unicode.Scalar(byte)) }
        return String(text)
    }
}
