import Glibc

/// Ports on this machine's loopback address.
enum LocalPort {
    /// From here on the kernel gives ports to outgoing connections: a listener there may meet one.
    static let firstEphemeral = 32_768

    static func isFree(_ port: Int) -> Bool {
        // SOCK_STREAM by its number: the name belongs to whichever C module is loaded first.
        let descriptor = socket(AF_INET, 1, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // As a server does: connections that a former listener left behind do not count.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port)).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// The first free ports from one on, in order; fewer than wanted if there are no more.
    static func free(_ count: Int, from first: Int, where isFree: (Int) -> Bool = isFree) -> [Int] {
        var found: [Int] = []
        for port in first..<max(first, firstEphemeral) where found.count < count && isFree(port) {
            found.append(port)
        }
        return found
    }
}
