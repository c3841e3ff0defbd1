/// Columns of text for people, as wide as their widest cell.
struct Table {
    private var rows: [[String]] = []
    private let headings: [String]
    private let rightAligned: Set<Int>
    private let style: Style

    /// - Parameter headings: none for a table without a first line.
    init(_ headings: [String], rightAligned: Set<Int> = [], style: Style = .plain) {
        self.headings = headings
        self.rightAligned = rightAligned
        self.style = style
    }

    var isEmpty: Bool { rows.isEmpty }

    mutating func add(_ cells: [String]) {
        rows.append(cells.map { Self.safe($0) })
    }

    /// Without a line end after the last line.
    var text: String {
        let lines = (headings.isEmpty ? [] : [headings]) + rows
        let columns = lines.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in lines.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return lines.enumerated().map { number, cells in
            let isHeading = number == 0 && !headings.isEmpty
            var line = ""
            for (column, cell) in cells.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                // Painted after it was measured, and after it was made safe.
                let shown = style.paint(cell, isHeading ? .bold : Style.colour(of: cell))
                let isLast = column == cells.count - 1
                line += column == 0 ? "" : "  "
                line += rightAligned.contains(column) ? padding + shown : shown + (isLast ? "" : padding)
            }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }

    /// Control characters in what others have written must not reach the terminal as such.
    static func safe(_ text: some StringProtocol) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return String(text) }
        var safe = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": safe += "\\n"
            case "\t": safe += "\\t"
            case _ where isControl(scalar): safe += "\\u{\(String(scalar.value, radix: 16))}"
            default: safe.unicodeScalars.append(scalar)
            }
        }
        return safe
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        // Also the marks that turn the direction of writing around.
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x202A...0x202E).contains(scalar.value)
            || (0x2066...0x2069).contains(scalar.value)
    }
}
