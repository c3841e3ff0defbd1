import Glibc
import Runtime

/// One place to try: libpq's host, hostaddr and port.
///
/// libpq looks names up with a blocking call and tries all hosts within one wait; both are done here instead, so that
/// the loop never blocks and each address has the whole time limit.
struct ServerAddress: Sendable, Equatable {
    var host: String?
    var numeric: String?
    var port: String?

    /// For messages: never more than the host and the port.
    var description: String {
        let place = host ?? numeric ?? "the local socket"
        return port.map { "\(place), port \($0)" } ?? place
    }

    /// At most this many addresses of all hosts together are tried.
    static let limit = 16

    private static let resolver = BlockingPool(threads: 2, queueLimit: 64)

    /// All addresses in the order of the parameters.
    /// - Throws: `PostgresError.connection` when no host's name can be found.
    static func resolve(_ parameters: [String: String]) async throws -> [ServerAddress] {
        let hosts = split(parameters["host"])
        let numerics = split(parameters["hostaddr"])
        let ports = split(parameters["port"])
        let count = max(hosts.count, numerics.count, 1)
        var addresses: [ServerAddress] = []
        var failure: PostgresError?
        for index in 0..<count {
            let address = ServerAddress(
                host: index < hosts.count ? hosts[index] : nil, numeric: index < numerics.count ? numerics[index] : nil,
                port: ports.count == 1 ? ports[0] : index < ports.count ? ports[index] : nil)
            do { addresses += try await address.resolved() } catch let error as PostgresError { failure = error }
        }
        if addresses.isEmpty, let failure { throw failure }
        return Array(addresses.prefix(limit))
    }

    private static func split(_ list: String?) -> [String?] {
        guard let list, !list.isEmpty else { return [] }
        return list.split(separator: ",", omittingEmptySubsequences: false).map { $0.isEmpty ? nil : String($0) }
    }

    private func resolved() async throws -> [ServerAddress] {
        guard numeric == nil, let host, !host.hasPrefix("/"), !host.hasPrefix("@") else { return [self] }
        let found = try await Self.resolver.run(mayBeAbandoned: true) { try Self.lookUp(host) }
        return found.map { ServerAddress(host: host, numeric: $0, port: port) }
    }

    private static func lookUp(_ host: String) throws -> [String] {
        var hints = addrinfo()
        // SOCK_STREAM by its number: the name belongs to whichever C module is loaded first.
        hints.ai_socktype = 1
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &list)
        guard status == 0 else {
            throw PostgresError(
                .connection, "the database's host \(host) cannot be found: \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(list) }
        var found: [String] = []
        var entry = list
        while let current = entry {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = getnameinfo(
                current.pointee.ai_addr, current.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0,
                NI_NUMERICHOST)
            if status == 0 {
                found.append(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
            entry = current.pointee.ai_next
        }
        return found
    }
}
