/// Makes HTML that a task has reported fit to be shown: what is not on the list of harmless elements and attributes
/// goes, text stays text. Whoever shows it may call it again: it changes nothing in what it has made.
public enum ReportHTML {
    private static let elements: Set<String> = [
        "a", "abbr", "b", "big", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd",
        "del",
        "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "ins", "kbd", "li", "mark", "ol",
        "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th",
        "thead", "tr", "tt", "u", "ul", "var",
    ]
    /// With what is in them.
    private static let dropped: Set<String> = [
        "script", "style", "iframe", "object", "embed", "svg", "math", "template", "noscript", "title", "textarea",
        "select", "xmp", "plaintext", "noembed", "noframes",
    ]
    private static let empty: Set<String> = ["br", "hr", "col"]
    private static let properties: Set<String> = [
        "color", "background-color", "font-weight", "font-style", "font-size", "font-family", "text-align",
        "text-decoration", "vertical-align", "white-space", "width", "height", "padding", "padding-left",
        "padding-right", "padding-top", "padding-bottom", "margin", "margin-left", "margin-right", "margin-top",
        "margin-bottom", "border", "border-collapse", "border-color", "border-style", "border-width", "line-height",
    ]
    /// Elements that stand open at once; deeper ones are left out.
    private static let depth = 100

    public static func sanitised(_ html: String) -> String {
        var input = Substring(html)
        var output = ""
        var open: [String] = []
        while let mark = input.firstIndex(where: { $0 == "<" }) {
            output += escaped(input[..<mark])
            input = input[mark...]
            guard let tag = Tag(&input) else {
                output += "&lt;"
                input = input.dropFirst()
                continue
            }
            if tag.isComment { continue }
            if dropped.contains(tag.name) {
                if !tag.isEnd { skip(to: tag.name, &input) }
            } else if elements.contains(tag.name) {
                write(tag, &open, &output)
            }
        }
        output += escaped(input)
        for name in open.reversed() { output += "</\(name)>" }
        return output
    }

    private static func write(_ tag: Tag, _ open: inout [String], _ output: inout String) {
        if tag.isEnd {
            guard !empty.contains(tag.name), let index = open.lastIndex(of: tag.name) else { return }
            // What was opened within it ends with it.
            for name in open[index...].reversed() { output += "</\(name)>" }
            open.removeSubrange(index...)
            return
        }
        guard empty.contains(tag.name) || open.count < depth else { return }
        output += "<\(tag.name)"
        for (name, value) in tag.attributes {
            if let value = permitted(name, value, of: tag.name) { output += " \(name)=\"\(escapedAttribute(value))\"" }
        }
        if tag.name == "a", tag.attributes.contains(where: { $0.name == "target" }) { output += " rel=\"noopener\"" }
        output += ">"
        if !empty.contains(tag.name) { open.append(tag.name) }
    }

    private static func permitted(_ name: String, _ value: String, of element: String) -> String? {
        switch name {
        case "href" where element == "a":
            let address = value.lowercased().unicodeScalars.filter { $0.value > 0x20 }
            let text = String(String.UnicodeScalarView(address))
            let isLink = ["http://", "https://", "mailto:", "#"].contains { text.hasPrefix($0) }
            return isLink ? value : nil
        case "target" where element == "a": return value == "_blank" ? value : nil
        case "class" where ["div", "pre", "code"].contains(element):
            return value.unicodeScalars.allSatisfy(isNameOrBlank) ? value : nil
        case "colspan" where ["td", "th"].contains(element), "rowspan" where ["td", "th"].contains(element):
            return UInt16(value) == nil ? nil : value
        case "align" where ["td", "th", "tr", "p", "div"].contains(element):
            return ["left", "right", "center"].contains(value.lowercased()) ? value : nil
        case "style":
            let kept = value.split(separator: ";").compactMap(declaration)
            return kept.isEmpty ? nil : kept.joined(separator: ";")
        default: return nil
        }
    }

    /// Nothing that fetches, covers the page, or is more than words and numbers.
    private static func declaration(_ text: Substring) -> String? {
        let parts = text.split(separator: ":", maxSplits: 1).map { trimmed($0) }
        guard parts.count == 2, properties.contains(parts[0].lowercased()), parts[1].utf8.count <= 100,
            parts[1].unicodeScalars.allSatisfy({ isNameOrBlank($0) || ["#", "%", ".", ",", "-"].contains($0) })
        else { return nil }
        return "\(parts[0].lowercased()):\(parts[1])"
    }

    private static func isNameOrBlank(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "-", " ": true
        default: false
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    private static func skip(to name: String, _ input: inout Substring) {
        while let mark = input.firstIndex(of: "<") {
            input = input[mark...]
            if let tag = Tag(&input), tag.isEnd, tag.name == name { return }
            if input.startIndex == mark { input = input.dropFirst() }
        }
        input = input[input.endIndex...]
    }

    /// Character references stay what they are.
    private static func escaped(_ text: Substring) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: ">") || $0 == UInt8(ascii: "&") }) else {
            return String(text)
        }
        var escaped = ""
        var rest = text
        while let mark = rest.first {
            rest.removeFirst()
            switch mark {
            case ">": escaped += "&gt;"
            case "&" where !beginsReference(rest): escaped += "&amp;"
            default: escaped.append(mark)
            }
        }
        return escaped
    }

    /// `lt;`, `#60;` and their like, behind an ampersand.
    private static func beginsReference(_ text: Substring) -> Bool {
        let name = text.prefix(20).prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "#") }
        return !name.isEmpty && text[name.endIndex...].first == ";"
    }

    private static func escapedAttribute(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "\"": escaped += "&quot;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }

    /// One tag or comment, taken from the beginning of the input.
    private struct Tag {
        var name = ""
        var isEnd = false
        var isComment = false
        var attributes: [(name: String, value: String)] = []

        /// Nil, and nothing taken, where no tag begins.
        init?(_ input: inout Substring) {
            var rest = input.dropFirst()
            if rest.hasPrefix("!") || rest.hasPrefix("?") {
                isComment = true
                let end = rest.hasPrefix("!--") ? "-->" : ">"
                while !rest.isEmpty, !rest.hasPrefix(end) { rest.removeFirst() }
                input = rest.dropFirst(end.count)
                return
            }
            if rest.hasPrefix("/") {
                isEnd = true
                rest.removeFirst()
            }
            guard let first = rest.first, first.isASCII, first.isLetter else { return nil }
            name = Self.take(&rest) { !$0.isWhitespace && $0 != ">" && $0 != "/" }.lowercased()
            while true {
                _ = Self.take(&rest) { $0.isWhitespace || $0 == "/" }
                // An unfinished tag swallows the rest, as it does in a browser.
                guard let next = rest.first else { break }
                if next == ">" {
                    rest.removeFirst()
                    break
                }
                let attribute = Self.take(&rest) { !$0.isWhitespace && !["=", ">", "/"].contains($0) }.lowercased()
                _ = Self.take(&rest) { $0.isWhitespace }
                guard rest.first == "=" else {
                    if attribute.isEmpty { rest.removeFirst() }
                    continue
                }
                rest.removeFirst()
                _ = Self.take(&rest) { $0.isWhitespace }
                attributes.append((attribute, Self.value(&rest)))
            }
            input = rest
        }

        private static func value(_ rest: inout Substring) -> String {
            guard let quote = rest.first, quote == "\"" || quote == "'" else {
                return take(&rest) { !$0.isWhitespace && $0 != ">" }
            }
            rest.removeFirst()
            let value = take(&rest) { $0 != quote }
            rest = rest.dropFirst()
            return value
        }

        private static func take(_ rest: inout Substring, _ while: (Character) -> Bool) -> String {
            let taken = rest.prefix(while: `while`)
            rest = rest[taken.endIndex...]
            return String(taken)
        }
    }
}
