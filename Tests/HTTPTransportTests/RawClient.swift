import Glibc

/// A blocking socket for tests that have to say exactly which bytes go when. Every call ends: reads fail after ten
/// seconds, which is a failure of the test.
final class RawClient {
    struct Answer: Equatable {
        var status: Int
        var headers: [String: String]
        var body: String
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []

    init(port: Int, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if var receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(description: "connect: \(errno)") }
    }

    deinit { close(descriptor) }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw Failure(description: "send: \(errno)")
        }
    }

    /// Sends a piece again and again, one every few milliseconds, until something can be read; at most `times`.
    /// Returns how many were sent.
    func trickle(_ piece: String, times: Int, milliseconds: Int32 = 5) throws -> Int {
        for count in 0..<times {
            var readable = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&readable, 1, milliseconds) > 0 { return count }
            try send(piece)
        }
        return times
    }

    /// Reads nothing; returns once the server has cut the connection, false after ten seconds.
    func waitForReset() -> Bool {
        var cut = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&cut, 1, 10_000) > 0
    }

    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Adds what comes next; false at the end of the connection, also where it was reset.
    @discardableResult
    func receiveSome() throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        var count = recv(descriptor, &chunk, chunk.count, 0)
        while count < 0, errno == EINTR { count = recv(descriptor, &chunk, chunk.count, 0) }
        if count > 0 {
            buffer.append(contentsOf: chunk[..<count])
            return true
        }
        guard count == 0 || errno == ECONNRESET else { throw Failure(description: "recv: \(errno)") }
        return false
    }

    /// Everything up to the end of the connection.
    func receiveAll() throws -> String {
        while try receiveSome() {}
        defer { buffer = [] }
        return String(decoding: buffer, as: UTF8.self)
    }

    /// Bytes up to and including the text.
    func receive(through text: String) throws -> String {
        let mark = Array(text.utf8)
        while true {
            if let found = buffer.firstRange(of: mark) {
                defer { buffer.removeSubrange(..<found.upperBound) }
                return String(decoding: buffer[..<found.upperBound], as: UTF8.self)
            }
            guard try receiveSome() else { throw Failure(description: "the connection ended before \(text)") }
        }
    }

    func receive(count: Int) throws -> String {
        while buffer.count < count {
            guard try receiveSome() else { throw Failure(description: "the connection ended early") }
        }
        defer { buffer.removeSubrange(..<count) }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    /// The next answer; its body by Content-Length or chunks.
    func receiveAnswer(toHead: Bool = false) throws -> Answer {
        let lines = try receive(through: "\r\n\r\n").split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw Failure(description: "no status line")
        }
        var answer = Answer(status: status, headers: [:], body: "")
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            answer.headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        if toHead { return answer }
        if answer.headers["transfer-encoding"] == "chunked" {
            while true {
                let size = Int(try receive(through: "\r\n").dropLast(), radix: 16) ?? 0
                answer.body += try receive(count: size)
                _ = try receive(through: "\r\n")
                if size == 0 { break }
            }
        } else if let length = answer.headers["content-length"].flatMap({ Int($0) }) {
            answer.body = try receive(count: length)
        }
        return answer
    }
}
