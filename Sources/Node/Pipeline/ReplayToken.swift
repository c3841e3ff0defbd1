import Crypto
import HTTP

/// The token by which a leader finds the write that a follower stored. It travels in the query of the redirect.
enum ReplayToken {
    static let parameter = "replay"
    private static let byteCount = 32
    static let length = 43

    static func make() throws -> String { Base64URL.encode(try RandomBytes.make(byteCount)) }

    static func hash(_ token: String) -> [UInt8] { Digest.sha256(Array("carillon-replay:\(token)".utf8)) }

    static func target(_ target: String, with token: String) -> String {
        "\(target)\(target.contains("?") ? "&" : "?")\(parameter)=\(token)"
    }

    /// The token at the end of a target, if it has the form of one.
    static func token(in target: String) -> String? {
        let bytes = target.utf8
        // Bytes, because every request is asked.
        guard bytes.count > length, case let equals = bytes.index(bytes.endIndex, offsetBy: -length - 1),
            bytes[equals] == UInt8(ascii: "=")
        else { return nil }
        let name = target[..<equals]
        guard name.hasSuffix("?\(parameter)") || name.hasSuffix("&\(parameter)") else { return nil }
        let token = target[bytes.index(after: equals)...]
        return token.contains("=") ? nil : String(token)
    }
}
