/// Cuts what a child writes into lines and puts the child's name before each, so that the output of several can be told
/// apart in one terminal: `node-1 | …`.
struct LinePrefixer {
    /// A longer line is cut in two.
    static let longestLine = 16 << 10

    private let prefix: [UInt8]
    private var line: [UInt8] = []

    init(_ name: String, width: Int) {
        let padding = String(repeating: " ", count: max(0, width - name.count))
        prefix = Array("\(name)\(padding) | ".utf8)
    }

    /// The complete lines that came with these bytes, prefixed; nil is the end, which completes the last line.
    mutating func add(_ bytes: ArraySlice<UInt8>?) -> [[UInt8]] {
        guard let bytes else {
            defer { line = [] }
            return line.isEmpty ? [] : [prefix + line]
        }
        var lines: [[UInt8]] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") || line.count == Self.longestLine {
                lines.append(prefix + line)
                line.removeAll(keepingCapacity: true)
                if byte == UInt8(ascii: "\n") { continue }
            }
            line.append(byte)
        }
        return lines
    }
}
