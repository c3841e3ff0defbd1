/// Something that a worker fetches into the working directory before it starts the command (Chronos' `fetch`, `uris`).
public struct Artifact: Hashable, Sendable {
    public var uri: String
    /// Path below the working directory; empty: the last part of the address.
    public var outputFile = ""
    public var isExecutable = false
    public var mayBeCached = false
    /// Archives that are known by their name are unpacked into the working directory.
    public var isExtracted = true

    public init(uri: String) { self.uri = uri }

    public enum Source: Hashable, Sendable {
        case http(String)
        case ftp(String)
        /// A file of the worker's machine, by its absolute path.
        case file(String)
    }

    /// Where it comes from.
    /// - Throws: `DomainError.invalid` for an address of another kind, or none at all.
    public func source() throws(DomainError) -> Source {
        let shown = "'\(uri.prefix(200))'"
        guard !uri.isEmpty, uri.utf8.count <= Limits.uri else {
            throw .invalid("the address of a download must have 1 to \(Limits.uri) bytes")
        }
        guard uri.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw .invalid("\(shown) must be percent-encoded: it contains a blank or a control character")
        }
        if uri.hasPrefix("/") { return .file(uri) }
        guard let scheme = Self.scheme(of: uri) else {
            throw .invalid("\(shown) is no address of a download: use http://, https:// or ftp://")
        }
        let rest = uri.dropFirst(scheme.count + 3)
        switch scheme {
        case "http", "https", "ftp":
            guard let first = rest.first, !"/?#".contains(first) else {
                throw .invalid("\(shown) names no host to download from")
            }
            return scheme == "ftp" ? .ftp(uri) : .http(uri)
        case "file":
            guard rest.hasPrefix("/"), let path = Self.percentDecoded(rest) else {
                throw .invalid("\(shown) must name a file by its absolute path, as in file:///opt/data/x")
            }
            return .file(path)
        default:
            throw .invalid("downloads by \(scheme):// are not possible (\(shown)): use http://, https:// or ftp://")
        }
    }

    /// Path below the working directory where it is put.
    /// - Throws: `DomainError.invalid` when no usable name can be told, or the path would lead elsewhere.
    public func path() throws(DomainError) -> String {
        guard outputFile.isEmpty else {
            guard Self.isInside(outputFile) else {
                throw .invalid(
                    "output_file must be a path below the working directory, without . and .., not"
                        + " '\(outputFile.prefix(200))'")
            }
            return outputFile
        }
        let bare = uri.prefix { $0 != "?" && $0 != "#" }
        let place = Self.scheme(of: uri).map { bare.dropFirst($0.count + 3) } ?? bare
        // An address of nothing but a host is a file of that name; who logs in there is no part of it.
        let last =
            place.contains("/")
            ? place : place[(place.lastIndex(of: "@").map(place.index(after:)) ?? place.startIndex)...]
        let name = last.split(separator: "/", omittingEmptySubsequences: false).last.flatMap(Self.percentDecoded)
        guard let name, Self.isInside(name), !name.contains("/") else {
            throw .invalid("'\(uri.prefix(200))' tells no file name: name one by output_file")
        }
        return name
    }

    private static func isInside(_ path: String) -> Bool {
        path.utf8.count <= Limits.attributeValue && !path.isEmpty
            && path.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
            && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && $0 != "." && $0 != ".."
            }
    }

    /// In lower case.
    static func scheme(of text: String) -> String? {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://"), colon > text.startIndex,
            text.distance(from: text.startIndex, to: colon) <= 16
        else { return nil }
        return text[..<colon].lowercased()
    }

    /// Nil for what is no UTF-8, or contains a NUL.
    static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), value != 0
            else { return nil }
            bytes.append(value)
            rest.removeFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

/// A command that is the address of a program (chronos.md §3.14): it is downloaded into the working directory, made
/// executable and run from there. Other than in Chronos, words behind the address are its arguments, and a command that
/// merely begins with the letters of a scheme is a command.
public struct CommandURL: Hashable, Sendable {
    public let artifact: Artifact
    /// What stands behind the address, with the blanks before it.
    public let rest: String

    /// Nil for any other command.
    public init?(command: String) {
        let url = command.prefix { !$0.isWhitespace }
        guard let scheme = Artifact.scheme(of: String(url)), ["http", "https", "ftp"].contains(scheme) else {
            return nil
        }
        var artifact = Artifact(uri: String(url))
        artifact.isExecutable = true
        artifact.isExtracted = false
        self.artifact = artifact
        rest = String(command[url.endIndex...])
    }
}
