import Glibc

/// Which addresses Carillon may be sent to by what its users write: web hooks, artifacts, URL commands.
///
/// It is asked with the numeric address right before a connection (`HTTPClientRequest.permitsAddress`), so that neither
/// a name nor a redirect leads past it. Link-local addresses and those of cloud metadata services are refused always:
/// whoever reads there has the machine's credentials.
public struct EgressPolicy: Sendable, Hashable {
    public enum Reach: String, Sendable, CaseIterable {
        /// Private networks and this machine too, which are this product's daily use.
        case any
        case `public`
    }

    public var reach: Reach
    /// Permitted whatever else is said.
    public var allowed: [AddressRange]

    public init(reach: Reach = .any, allowed: [AddressRange] = []) {
        self.reach = reach
        self.allowed = allowed
    }

    /// - Parameter address: numeric, IPv4 or IPv6. What is no address is refused.
    public func permits(_ address: String) -> Bool {
        guard let bytes = AddressRange.bytes(address) else { return false }
        if allowed.contains(where: { $0.contains(bytes) }) { return true }
        // An IPv4 address in the clothes of an IPv6 one leads to the same place.
        for bytes in [bytes, Self.embedded(bytes)].compactMap(\.self) {
            if Self.never.contains(where: { $0.contains(bytes) }) { return false }
            if reach == .public, Self.local.contains(where: { $0.contains(bytes) }) { return false }
        }
        return true
    }

    private static let never = ranges([
        "169.254.0.0/16", "fe80::/10", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "224.0.0.0/4",
        "255.255.255.255", "ff00::/8",
    ])

    private static let local = ranges([
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "240.0.0.0/4", "::", "::1", "fc00::/7", "fec0::/10",
    ])

    private static func ranges(_ texts: [String]) -> [AddressRange] { texts.compactMap(AddressRange.init) }

    /// The IPv4 address within one of NAT64, of 6to4, or in the old compatible form; as a mapped one.
    private static func embedded(_ bytes: [UInt8]) -> [UInt8]? {
        let mapped = AddressRange.mappedPrefix
        if bytes.starts(with: [0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0]) { return mapped + bytes[12...] }
        if bytes.starts(with: [0x20, 0x02]) { return mapped + bytes[2..<6] }
        if bytes.prefix(12).allSatisfy({ $0 == 0 }) { return mapped + bytes[12...] }
        return nil
    }
}

/// Addresses with the same first bits: `10.0.0.0/8`, `fc00::/7`, or a single one.
public struct AddressRange: Sendable, Hashable {
    private let bytes: [UInt8]
    private let bits: Int

    /// Nil for what is no address or has a length that its kind cannot have.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let bytes = Self.bytes(String(first)) else { return nil }
        let isShort = !first.contains(":")
        var bits = 128
        if parts.count == 2 {
            guard let length = Int(parts[1]), (0...(isShort ? 32 : 128)).contains(length) else { return nil }
            bits = isShort ? length + 96 : length
        }
        self.bytes = bytes
        self.bits = bits
    }

    func contains(_ address: [UInt8]) -> Bool {
        guard address.count == 16 else { return false }
        let whole = bits / 8
        guard address[..<whole] == bytes[..<whole] else { return false }
        let rest = bits % 8
        guard rest > 0 else { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> rest)
        return address[whole] & mask == bytes[whole] & mask
    }

    static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]

    /// Sixteen bytes: IPv4 as it is mapped into IPv6.
    static func bytes(_ text: String) -> [UInt8]? {
        let address = String(text.prefix { $0 != "%" })
        var short = in_addr()
        if inet_pton(AF_INET, address, &short) == 1 {
            return mappedPrefix + withUnsafeBytes(of: &short) { Array($0) }
        }
        var long = in6_addr()
        guard inet_pton(AF_INET6, address, &long) == 1 else { return nil }
        return withUnsafeBytes(of: &long) { Array($0) }
    }
}
