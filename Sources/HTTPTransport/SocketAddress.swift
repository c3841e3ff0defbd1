import Glibc

/// An IPv4 or IPv6 address with its port. Numeric only: nothing here asks a name server.
struct SocketAddress: Equatable {
    private var bytes: [UInt8]
    let family: Int32

    /// Nil for any other family.
    init?(_ address: UnsafePointer<sockaddr>?, length: socklen_t) {
        guard let address else { return nil }
        family = Int32(address.pointee.sa_family)
        let needed = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
        guard family == AF_INET || family == AF_INET6, Int(length) >= needed else { return nil }
        bytes = Array(UnsafeRawBufferPointer(start: address, count: needed))
    }

    /// Both families keep the port in bytes 2 and 3, in network order.
    var port: UInt16 {
        get { UInt16(bytes[2]) << 8 | UInt16(bytes[3]) }
        set {
            bytes[2] = UInt8(newValue >> 8)
            bytes[3] = UInt8(truncatingIfNeeded: newValue)
        }
    }

    var host: String {
        withPointer { Self.numericHost($0, length: $1) } ?? ""
    }

    func withPointer<T>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
        bytes.withUnsafeBytes { raw in
            // The array came from a sockaddr of at least this size, so it is never empty; its storage is aligned.
            raw.withMemoryRebound(to: sockaddr.self) { addresses in
                guard let base = addresses.baseAddress else { preconditionFailure("a socket address without bytes") }
                return body(base, socklen_t(raw.count))
            }
        }
    }

    /// The numeric host of an IPv4 or IPv6 address, IPv4 in its own form also where it is mapped into IPv6.
    static func numericHost(_ address: UnsafePointer<sockaddr>, length: socklen_t) -> String? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
            return nil
        }
        let end = text.firstIndex(of: 0) ?? text.endIndex
        let host = String(decoding: text[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return host.hasPrefix("::ffff:") && host.contains(".") ? String(host.dropFirst(7)) : host
    }
}
