import CLinux
import Glibc

/// Sockets that accept connections: names become addresses, addresses become bound, non-blocking descriptors.
enum ListeningSocket {
    private static let ports = 0...65535
    // The names SOCK_STREAM, SOCK_NONBLOCK and SOCK_CLOEXEC belong to whichever C module is loaded first, and are then
    // not found in the others; Linux defines the latter two as these flags.
    private static let stream: Int32 = 1
    private static let openFlags = O_NONBLOCK | O_CLOEXEC

    /// Listens on every address of the host, all on one port. Blocks for the name look-up: not for the loop's thread.
    static func open(
        host: String, port: Int, backlog: Int
    ) throws(HTTPServerError) -> (descriptors: [Int32], port: Int) {
        guard ports.contains(port) else {
            throw HTTPServerError(message: "cannot listen on port \(port): ports are 0 to 65535")
        }
        // Brackets belong to URLs; people write them anyway.
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        if bare.isEmpty || bare == "*" {
            do {
                return try open(addressesOf: "::", port: port, backlog: backlog)
            } catch {
                return try open(addressesOf: "0.0.0.0", port: port, backlog: backlog)
            }
        }
        return try open(addressesOf: bare, port: port, backlog: backlog)
    }

    private static func open(
        addressesOf host: String, port: Int, backlog: Int
    ) throws(HTTPServerError) -> (descriptors: [Int32], port: Int) {
        var descriptors: [Int32] = []
        var bound = port
        var refusals: [String] = []
        for var address in try resolve(host) {
            address.port = UInt16(bound)
            do throws(HTTPServerError) {
                let descriptor = try listen(address, backlog: backlog, alsoIPv4: host == "::")
                descriptors.append(descriptor)
                // With port 0 the first address chooses, and the others follow.
                if bound == 0 { bound = Int(boundPort(descriptor)) }
            } catch {
                refusals.append(error.message)
                // A name may have an address of a family that this machine lacks; a port in use is an error.
                guard errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT else {
                    descriptors.forEach { close($0) }
                    throw error
                }
            }
        }
        guard !descriptors.isEmpty else {
            throw HTTPServerError(message: refusals.first ?? "the host \"\(host)\" has no address to listen on")
        }
        return (descriptors, bound)
    }

    private static func resolve(_ host: String) throws(HTTPServerError) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_protocol = Int32(IPPROTO_TCP)
        hints.ai_flags = AI_PASSIVE
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &list)
        guard status == 0 else {
            throw HTTPServerError(
                message: "cannot listen on \"\(host)\": \(String(cString: gai_strerror(status))); "
                    + "give an address of this machine, or 0.0.0.0 for all")
        }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next {
            if let address = SocketAddress(entry.pointee.ai_addr, length: entry.pointee.ai_addrlen),
                !addresses.contains(address)
            {
                addresses.append(address)
            }
            next = entry.pointee.ai_next
        }
        return addresses
    }

    /// On failure `errno` is still that of the call that failed.
    private static func listen(
        _ address: SocketAddress, backlog: Int, alsoIPv4: Bool
    ) throws(HTTPServerError) -> Int32 {
        let descriptor = socket(address.family, stream | openFlags, 0)
        guard descriptor >= 0 else { throw failure("make a socket for", address) }
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
        if address.family == AF_INET6 {
            var only: Int32 = alsoIPv4 ? 0 : 1
            setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &only, size)
        }
        // Linux hands this option down to the connections: no call for each of them.
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
        // And these: a peer that vanished while it was streamed to, or kept waiting, is noticed after two minutes.
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, size)
        for (option, seconds) in [(TCP_KEEPIDLE, 60), (TCP_KEEPINTVL, 15), (TCP_KEEPCNT, 4)] {
            var value = Int32(seconds)
            setsockopt(descriptor, Int32(IPPROTO_TCP), option, &value, size)
        }
        let isBound = address.withPointer { bind(descriptor, $0, $1) == 0 }
        guard isBound, Glibc.listen(descriptor, Int32(clamping: backlog)) == 0 else {
            let error = failure("listen on", address)
            let number = errno
            close(descriptor)
            errno = number
            throw error
        }
        return descriptor
    }

    private static func failure(_ deed: String, _ address: SocketAddress) -> HTTPServerError {
        let number = errno
        let advice =
            switch number {
            case EADDRINUSE: "; another process listens there: choose another port"
            case EACCES: "; ports below 1024 need privileges"
            case EADDRNOTAVAIL: "; it is not an address of this machine"
            default: ""
            }
        let text = String(cString: strerror(number))
        errno = number
        return HTTPServerError(message: "cannot \(deed) \(address.host) port \(address.port): \(text)\(advice)")
    }

    private static func boundPort(_ descriptor: Int32) -> UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let address = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                getsockname(descriptor, raw, &length) == 0 ? SocketAddress(raw, length: length) : nil
            }
        }
        return address?.port ?? 0
    }
}
