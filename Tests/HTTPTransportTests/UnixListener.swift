import Glibc

/// A unix socket that answers one request with given bytes.
final class UnixListener: Sendable {
    private let descriptor: Int32
    private let path: String

    init(path: String) throws {
        self.path = path
        unlink(path)
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0, listen(descriptor, 1) == 0 else {
            throw RawClient.Failure(description: "cannot listen on \(path): \(errno)")
        }
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    /// Returns what the client sent first.
    func answerOnce(_ text: String) throws -> String {
        let connection = accept(descriptor, nil, nil)
        defer { close(connection) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(connection, &bytes, bytes.count, 0)
        guard count > 0, Glibc.send(connection, Array(text.utf8), text.utf8.count, 0) > 0 else {
            throw RawClient.Failure(description: "no request on \(path): \(errno)")
        }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
