import JSON

/// A web hook as Cronicle's users write it: a URL that may be followed by `[header: Name: Value]` and
/// `[data: key: value]` (cronicle.md §2.10).
struct HookAddress {
    let url: String
    private(set) var headers: [(String, String)] = []
    private var data: [(String, String)] = []

    static let maximumParts = 32

    init(_ text: String) {
        let parts = text.split(separator: "[", maxSplits: Self.maximumParts)
        url = Self.trimmed(parts.first.map(String.init) ?? "")
        for part in parts.dropFirst() {
            guard let end = part.lastIndex(of: "]") else { continue }
            let words = part[..<end].split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
                .map { Self.trimmed(String($0)) }
            guard words.count == 3, !words[1].isEmpty else { continue }
            switch words[0].lowercased() {
            case "header": headers.append((words[1], words[2]))
            case "data": data.append((words[1], words[2]))
            default: continue
            }
        }
    }

    func addingData(to body: JSONValue) -> JSONValue {
        guard var object = body.objectValue else { return body }
        for (key, value) in data { object[key] = .string(value) }
        return .object(object)
    }

    private static func trimmed(_ text: String) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
