/// What a path asks for. Cronicle looks for `/api/NAMESPACE/NAME` anywhere in it and ignores what follows (cronicle.md
/// §1.1); the namespace counts in any case, the name only as it is.
enum CroniclePath: Equatable {
    case call(namespace: String, name: String)
    /// `/api` or `/api/`.
    case root
    case unknownNamespace(String)
    /// A namespace without a name.
    case incomplete

    /// Nil where the path is not this dialect's.
    init?(_ path: String) {
        if path == "/api" || path == "/api/" {
            self = .root
            return
        }
        // Everything of the node's own, and of the other dialect, begins with one of these.
        for tree in ["/internal/", "/carillon/", "/v1/scheduler", "/scheduler"] where path.hasPrefix(tree) {
            return nil
        }
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        guard let position = Self.position(of: "api", in: segments) else { return nil }
        let namespace = Self.word(segments[position + 1])
        guard !namespace.isEmpty else { return nil }
        let known = namespace.lowercased()
        guard known == "app" || known == "user" else {
            self = .unknownNamespace(known)
            return
        }
        guard namespace == known, position + 2 < segments.count, case let name = Self.word(segments[position + 2]),
            !name.isEmpty, namespace.count == segments[position + 1].count
        else {
            self = .incomplete
            return
        }
        self = .call(namespace: namespace, name: name)
    }

    /// The first segment of that name that is followed by another one.
    private static func position(of name: String, in segments: [Substring]) -> Int? {
        segments.indices.dropLast().dropFirst().first { segments[$0] == name }
    }

    /// The beginning of a segment that consists of word characters.
    private static func word(_ segment: Substring) -> String {
        String(segment.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
    }
}
