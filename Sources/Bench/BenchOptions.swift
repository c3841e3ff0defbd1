import Glibc

/// What the words of the command line ask for.
struct BenchOptions: Sendable {
    struct Wrong: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    var parts: [Part] = []
    var isJSON = false
    var isQuick = false
    var nodes = 3
    var workers = 2
    var port = 21_080
    var directory = "/tmp/carillon-bench-\(getpid())"

    init(_ words: [String]) throws(Wrong) {
        var rest = words[...]
        func number(_ option: String, _ range: ClosedRange<Int>) throws(Wrong) -> Int {
            guard let word = rest.popFirst(), let value = Int(word), range.contains(value) else {
                throw Wrong("\(option) needs a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
        while let word = rest.popFirst() {
            switch word {
            case "--json": isJSON = true
            case "--quick": isQuick = true
            case "--nodes": nodes = try number(word, 1...9)
            case "--workers": workers = try number(word, 1...9)
            case "--port": port = try number(word, 1024...32_000)
            case "--dir":
                guard let path = rest.popFirst(), path.hasPrefix("/") else { throw Wrong("--dir needs a path from /") }
                directory = path
            default:
                guard let part = Part(rawValue: word) else { throw Wrong("there is no part '\(word)'") }
                if !parts.contains(part) { parts.append(part) }
            }
        }
        if parts.isEmpty { parts = Part.allCases.filter { !$0.isLong } }
    }

    /// The usual length of a measurement, or the one of `--quick`.
    func choose<T>(_ usual: T, quick: T) -> T { isQuick ? quick : usual }
}
