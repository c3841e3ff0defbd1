/// One header or trailer line.
enum FieldLine {
    static func parse(_ line: ArraySlice<UInt8>) throws(HTTPParseFailure) -> (name: String, value: String) {
        if let first = line.first, first == ASCII.blank || first == ASCII.tab { throw .foldedLine }
        guard let end = line.firstIndex(where: { !ASCII.isToken($0) }) else { throw .badField }
        guard line[end] == UInt8(ascii: ":") else {
            // Programs differ over a blank here: some strip it, some drop the field. That is smuggling.
            throw line[end] == ASCII.blank || line[end] == ASCII.tab ? .blankBeforeColon : .badField
        }
        guard end > line.startIndex else { throw .badField }
        let value = ASCII.trimmed(line[(end + 1)...])
        guard value.allSatisfy({ !ASCII.isControl($0) || $0 == ASCII.tab }) else { throw .controlInField }
        return (String(decoding: line[..<end], as: UTF8.self), text(value))
    }

    /// UTF-8 where it is that, else Latin-1, which HTTP/1.1 once defined: no bytes are lost and none can fail.
    private static func text(_ value: ArraySlice<UInt8>) -> String {
        if let text = String(validating: value, as: UTF8.self) { return text }
        var text = String.UnicodeScalarView()
        for byte in value { text.append(Unicode.Scalar(byte)) }
        return String(text)
    }
}
