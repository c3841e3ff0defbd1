/// User and password of Basic authentication (RFC 7617).
public struct BasicCredentials: Sendable, Equatable {
    public let user: String
    public let password: String

    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    /// Reads the value of an Authorization field; nil when it is of another scheme, or malformed: not base 64, not
    /// UTF-8, without a colon, or with control characters.
    public init?(header: String) {
        let scheme = "Basic "
        guard ASCII.equalIgnoringCase(header.utf8.prefix(scheme.utf8.count), scheme.utf8) else { return nil }
        let token = header.utf8.dropFirst(scheme.utf8.count).drop { $0 == ASCII.blank }
        guard let bytes = Base64.decode(Substring(token)), !bytes.contains(where: ASCII.isControl),
            let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            let user = String(validating: bytes[..<colon], as: UTF8.self),
            let password = String(validating: bytes[(colon + 1)...], as: UTF8.self)
        else { return nil }
        self.init(user: user, password: password)
    }

    /// The value of an Authorization field.
    public var header: String { "Basic " + Base64.encode(Array("\(user):\(password)".utf8)) }
}

extension BasicCredentials: CustomStringConvertible {
    /// Never shows the password.
    public var description: String { "\(user):…" }
}
