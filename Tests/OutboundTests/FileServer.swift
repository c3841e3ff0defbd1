import HTTP
import HTTPTransport
import Runtime
import Synchronization

/// An HTTP server with files that tests put there, which counts and can break off.
final class FileServer: Sendable {
    struct File {
        var bytes: [UInt8]
        var tag: String?
        /// The first answers break off after so many bytes.
        var breaksAfter: [Int] = []
        var status = 200
        var location: String?
    }

    struct Request: Equatable {
        var path: String
        var range: String?
        var condition: String?
    }

    private let state = Mutex((files: [String: File](), requests: [Request]()))
    private let server = Mutex<HTTPServer?>(nil)
    private let bound = Mutex(0)

    var port: Int { bound.withLock { $0 } }
    var requests: [Request] { state.withLock { $0.requests } }

    func put(_ path: String, _ bytes: [UInt8], tag: String? = nil, breaksAfter: [Int] = []) {
        state.withLock { $0.files[path] = File(bytes: bytes, tag: tag, breaksAfter: breaksAfter) }
    }

    func redirect(_ path: String, to location: String) {
        state.withLock { $0.files[path] = File(bytes: [], status: 302, location: location) }
    }

    func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

    func start(on loop: EventLoop) async throws {
        let made = HTTPServer(
            HTTPServerConfiguration(), loop: loop, log: quiet,
            handler: { [weak self] request in
                self?.answer(request) ?? .empty(status: 503)
            })
        let port = try await made.start()
        bound.withLock { $0 = port }
        server.withLock { $0 = made }
    }

    func stop() async {
        await server.withLock { $0 }?.drain(deadline: .zero)
    }

    private func answer(_ request: HTTPRequest) -> HTTPResponse {
        let (file, breakAt) = state.withLock { state -> (File?, Int?) in
            let condition = request.headers["If-None-Match"] ?? request.headers["If-Range"]
            state.requests.append(
                Request(path: request.path, range: request.headers["Range"], condition: condition))
            let file = state.files[request.path]
            guard file?.breaksAfter.isEmpty == false else { return (file, nil) }
            return (file, state.files[request.path]?.breaksAfter.removeFirst())
        }
        guard let file else { return .text("there is no such file", status: 404) }
        var headers = HTTPHeaders()
        if let tag = file.tag { headers.add("ETag", tag) }
        if let location = file.location {
            headers.add("Location", location)
            return HTTPResponse(status: file.status, headers: headers)
        }
        if let tag = file.tag, request.headers["If-None-Match"] == tag {
            return HTTPResponse(status: 304, headers: headers)
        }
        var bytes = file.bytes
        var status = 200
        if let range = request.headers["Range"], range.hasPrefix("bytes="), range.hasSuffix("-"),
            let first = Int(range.dropFirst(6).dropLast()), request.headers["If-Range"] == file.tag, first < bytes.count
        {
            status = 206
            headers.add("Content-Range", "bytes \(first)-\(bytes.count - 1)/\(bytes.count)")
            bytes = Array(bytes[first...])
        }
        guard let breakAt else { return HTTPResponse(status: status, headers: headers, body: .bytes(bytes)) }
        struct BrokenOff: Error {}
        let part = Array(bytes.prefix(breakAt))
        return HTTPResponse(
            status: status, headers: headers,
            body: .stream(
                HTTPBodyStream { sink in
                    try await sink.write(part)
                    throw BrokenOff()
                }))
    }
}
