import Foundation
import JSON

/// A client without opinions: one request on one connection, blocking, no redirects, no retries.
enum TestHTTP {
    struct Answer {
        var status: Int
        /// In order, names in lower case.
        var headers: [(name: String, value: String)]
        var body: [UInt8]

        func header(_ name: String) -> String? { headers.first { $0.name == name.lowercased() }?.value }
        var text: String { String(decoding: body, as: UTF8.self) }
        /// Nil if the body is not JSON.
        var json: JSONValue? { try? JSONValue(parsing: body) }
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameters:
    ///   - url: `http://a.b.c.d:port/path?query`, already encoded.
    ///   - socket: makes the socket, where it is not to be one of this machine's own network.
    static func request(
        _ method: String, _ url: String, headers: [String: String] = [:], body: String? = nil, timeout: Double = 10,
        socket: () throws -> Int32 = ownSocket
    ) throws -> Answer {
        let (host, port, target) = try split(url)
        var text = "\(method) \(target) HTTP/1.1\r\nHost: \(host):\(port)\r\nConnection: close\r\n"
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { text += "\(name): \(value)\r\n" }
        if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
        text += "\r\n" + (body ?? "")
        let bytes = try exchange(Array(text.utf8), host: host, port: port, timeout: timeout, socket: socket)
        return try parse(bytes, method: method, url: url)
    }

    /// The same by HTTPS, for which the curl command is the client.
    static func curl(
        _ method: String, _ url: String, headers: [String: String] = [:], body: String? = nil, timeout: Double = 10,
        authority: String
    ) throws -> Answer {
        var words = ["curl", "-sS", "-i", "--noproxy", "*", "-m", "\(timeout)", "--cacert", authority, "-X", method]
        for (name, value) in headers { words += ["-H", "\(name): \(value)"] }
        // As curl hands it on; "--raw" leaves the chunks in, which the parser expects.
        words += ["--raw", "-H", "Expect:"] + (body.map { ["--data-binary", $0] } ?? [])
        let result = try Executable.run("/usr/bin/env", words + [url], timeout: timeout + 10)
        guard result.status == 0 else { throw Failure(description: "\(method) \(url): \(result.errors)") }
        return try parse(Array(result.output.utf8), method: method, url: url)
    }

    private static func split(_ url: String) throws -> (host: String, port: Int, target: String) {
        guard url.hasPrefix("http://") else { throw Failure(description: "'\(url)' is not http") }
        let rest = url.dropFirst(7)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let parts = authority.split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1]) else { throw Failure(description: "'\(url)' has no port") }
        var target = String(rest.dropFirst(authority.count))
        if !target.hasPrefix("/") { target = "/" + target }
        return (String(parts[0]), port, target)
    }

    static func ownSocket() throws -> Int32 {
        let descriptor = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(description: "socket: \(String(cString: strerror(errno)))") }
        return descriptor
    }

    /// Sends bytes as they are and returns everything that comes until the server closes.
    static func exchange(
        _ bytes: [UInt8], host: String, port: Int, timeout: Double, socket: () throws -> Int32 = ownSocket
    ) throws -> [UInt8] {
        let descriptor = try socket()
        defer { close(descriptor) }
        // Bounds connect and each read and write.
        var limit = timeval(tv_sec: Int(timeout), tv_usec: Int((timeout - timeout.rounded(.down)) * 1_000_000))
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            throw Failure(description: "connect to \(host):\(port): \(String(cString: strerror(errno)))")
        }
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            // The server may answer before it has read everything: what it says is of interest.
            guard count > 0 else { break }
            sent += count
        }
        let end = Date().addingTimeInterval(timeout)
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 { return received }
            guard count > 0, Date() < end else {
                if count < 0, errno == ECONNRESET, !received.isEmpty { return received }
                throw Failure(description: "\(host):\(port): no complete answer within \(timeout) s")
            }
            received += buffer[..<count]
        }
    }

    private static func parse(_ bytes: [UInt8], method: String, url: String) throws -> Answer {
        let end = Array("\r\n\r\n".utf8)
        guard let headEnd = bytes.indices.first(where: { bytes[$0...].starts(with: end) }) else {
            throw Failure(description: "\(method) \(url): no answer (\(bytes.count) bytes)")
        }
        let lines = String(decoding: bytes[..<headEnd], as: UTF8.self).components(separatedBy: "\r\n")
        guard let status = lines[0].split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw Failure(description: "\(method) \(url): '\(lines[0])' is no status line")
        }
        let headers = lines.dropFirst().map { line -> (name: String, value: String) in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (parts[0].lowercased(), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
        }
        var answer = Answer(status: status, headers: headers, body: Array(bytes[(headEnd + end.count)...]))
        if answer.header("transfer-encoding")?.lowercased() == "chunked" { answer.body = try dechunk(answer.body) }
        return answer
    }

    private static func dechunk(_ bytes: [UInt8]) throws -> [UInt8] {
        var body: [UInt8] = []
        var rest = bytes[...]
        while let lineEnd = rest.firstIndex(of: 10) {
            let line = String(decoding: rest[..<lineEnd], as: UTF8.self).prefix { $0.isHexDigit }
            guard let size = Int(line, radix: 16) else { break }
            rest = rest[(lineEnd + 1)...]
            if size == 0 { return body }
            guard rest.count >= size + 2 else { break }
            body += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
        throw Failure(description: "the chunks of the answer are not complete")
    }
}
