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
        // Nearly every call, which is worth not to be taken apart with care.
        if let call = Self.plain(path) {
            self = call
            return
        }
        if path == "/api" || path == "/api/" {
            self = .root
            return
        }
        // Everything of the node's own, and of the other dialect, begins with one of these.
        for tree in ["/internal/", "/carillon/", "/v1/scheduler", "/scheduler"] where path.hasPrefix(tree) {
            return nil
        }
        let segments = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard let position = Self.position(of: "api", in: segments) else { return nil }
        let namespace = Self.word(segments[position + 1])
        guard !namespace.isEmpty else { return nil }
        let known = namespace.lowercased()
        guard known == "app" || known == "user" else {
            self = .unknownNamespace(known)
            return
        }
        guard namespace == known, position + 2 < segments.count, case let name = Self.word(segments[position + 2]),
            !name.isEmpty, namespace.utf8.count == segments[position + 1].count
        else {
            self = .incomplete
            return
        }
        self = .call(namespace: namespace, name: name)
    }

    /// `/api/app/NAME` and `/api/app/NAME/v1`.
    private static func plain(_ path: String) -> CroniclePath? {
        let start = "/api/app/"
        guard path.utf8.starts(with: start.utf8) else { return nil }
        let rest = path.utf8.dropFirst(start.utf8.count)
        let name = rest.prefix(while: isWordByte)
        guard !name.isEmpty, name.endIndex == rest.endIndex || rest[name.endIndex] == UInt8(ascii: "/") else {
            return nil
        }
        return .call(namespace: "app", name: String(decoding: name, as: UTF8.self))
    }

    /// The first segment of that name that is followed by another one.
    private static func position(of name: String, in segments: [Substring.UTF8View]) -> Int? {
        segments.indices.dropLast().dropFirst().first { segments[$0].elementsEqual(name.utf8) }
    }

    /// The beginning of a segment that consists of word characters.
    private static func word(_ segment: Substring.UTF8View) -> String {
        String(decoding: segment.prefix(while: isWordByte), as: UTF8.self)
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
