import HTTP
import HTTPTransport
import JSON
import Runtime
import Synchronization

/// Speaks to a cluster through any of its nodes.
///
/// A follower's redirect is followed by repeating the request as it was, method and body included, which common
/// clients do not do. While nobody leads (503 with Retry-After) a request has not been executed: it is repeated until
/// the patience is over, so that a command that meets a change of leadership succeeds a few seconds later. The same
/// holds for a node that is gone, where another one is named or a follower had led to it: what was never sent is sent
/// again, and what may have been executed is repeated only if that does no harm.
struct APIClient: Sendable {
    struct Failure: Error, Equatable, CustomStringConvertible {
        /// Nil when there was no answer.
        var status: Int?
        var message: String
        var description: String { message }
    }

    static let mostRedirects = 5
    static let longestAnswer = 64 << 20
    /// Between two tries while nobody leads, whatever the node says.
    static let shortestPause = Duration.milliseconds(200)
    static let longestPause = Duration.seconds(2)

    /// Nodes to ask, without a slash at the end; never empty.
    let urls: [String]
    let key: String?
    let http: HTTPClient
    let timekeeper: any Timekeeper
    var tls: HTTPClientTLS
    /// For how long a cluster without a leader is waited for.
    var patience = Duration.seconds(15)

    /// - Parameter url: of a node, or of several with commas between them.
    init(
        url: String, key: String?, http: HTTPClient, timekeeper: any Timekeeper, tls: HTTPClientTLS = HTTPClientTLS()
    ) {
        urls = url.split(separator: ",").map { part in
            var base = trimmed(part)
            while base.hasSuffix("/") { base.removeLast() }
            return base
        }
        self.key = key
        self.http = http
        self.timekeeper = timekeeper
        self.tls = tls
    }

    /// A request without an answer.
    private struct Lost: Error {
        var message: String
        /// The other side has seen nothing of it.
        var isUnsent: Bool
        /// It was to go where a node of the cluster had led.
        var isAtLeader: Bool
    }

    /// Sends a request and returns the answer's body.
    /// - Parameters:
    ///   - target: path and query, encoded.
    ///   - repeatable: executing it twice is the same as once; nil: of GET alone.
    /// - Throws: `Failure` for anything but 2xx; `CancellationError`.
    func send(
        _ method: HTTPMethod, _ target: String, body: [UInt8]? = nil, repeatable: Bool? = nil
    ) async throws -> [UInt8] {
        let start = timekeeper.monotonicNow
        var number = 0
        while true {
            let base = urls[number % urls.count]
            var pause = Self.shortestPause
            do {
                let answer = try await exchange(method, base + target, body)
                if (200..<300).contains(answer.status) { return answer.body }
                guard answer.status == 503, let hint = answer.headers["Retry-After"], isPatient(since: start) else {
                    throw failure(answer, method, target)
                }
                pause = .seconds(Int64(hint).map { min(max($0, 0), 60) } ?? 1)
            } catch let lost as Lost {
                let mayRepeat = lost.isUnsent || repeatable ?? (method == .get)
                let hasOther = lost.isAtLeader || urls.count > 1 || !lost.isUnsent
                guard mayRepeat, hasOther, isPatient(since: start) else {
                    let doubt = lost.isUnsent ? "" : "; whether it took effect is unknown"
                    throw Failure(
                        status: nil,
                        message: "\(lost.message)\(doubt). Is a node running there? --url or CARILLON_URL names it")
                }
                number += 1
            }
            try await timekeeper.sleep(for: min(max(pause, Self.shortestPause), Self.longestPause))
        }
    }

    private func isPatient(since start: MonotonicInstant) -> Bool {
        start.duration(to: timekeeper.monotonicNow) < patience
    }

    /// The same for an answer that is JSON.
    func json(
        _ method: HTTPMethod, _ target: String, body: [UInt8]? = nil, repeatable: Bool? = nil
    ) async throws -> JSONValue {
        let bytes = try await send(method, target, body: body, repeatable: repeatable)
        do {
            return try JSONValue(parsing: bytes, limits: .generous)
        } catch {
            throw Failure(status: nil, message: "\(method) \(target): the answer is not JSON (\(error.message))")
        }
    }

    /// Reads an answer that any node gives, as it comes, however long that takes.
    /// - Parameter number: which of the nodes is asked, round and round.
    /// - Throws: `Failure` for anything but 200, and where it broke off.
    func stream(
        _ target: String, at number: Int = 0, _ receive: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        let base = urls[number % urls.count]
        var headers = HTTPHeaders()
        if let key { headers["X-API-Key"] = key }
        var request = HTTPClientRequest(
            url: base + target, headers: headers, timeout: Self.longestStream, maximumResponseBytes: .max)
        request.connectTimeout = .seconds(5)
        request.tls = tls
        let refusal = Mutex<[UInt8]>([])
        do {
            let head = try await http.stream(request) { head, bytes in
                if head.status == 200 {
                    try await receive(bytes)
                } else {
                    refusal.withLock { if $0.count < Self.longestRefusal { $0 += bytes } }
                }
            }
            guard head.status == 200 else {
                throw failure(head.status, refusal.withLock { $0 }, .get, target)
            }
        } catch let error as HTTPClientError {
            throw Failure(status: nil, message: "\(error.message). --url or CARILLON_URL names another node")
        }
    }

    private static let longestStream = Duration.seconds(14 * 86_400)
    private static let longestRefusal = 64 * 1024

    /// One request through its redirects.
    private func exchange(
        _ method: HTTPMethod, _ firstURL: String, _ body: [UInt8]?
    ) async throws -> HTTPClientResponse {
        var headers = HTTPHeaders()
        headers["Accept"] = "application/json"
        if body != nil { headers["Content-Type"] = "application/json" }
        if let key { headers["X-API-Key"] = key }
        var url = firstURL
        for _ in 0...Self.mostRedirects {
            let answer: HTTPClientResponse
            do {
                var request = HTTPClientRequest(
                    method: method, url: url, headers: headers, body: body ?? [], timeout: .seconds(30),
                    maximumResponseBytes: Self.longestAnswer)
                request.tls = tls
                answer = try await http.execute(request)
            } catch let error as HTTPClientError {
                throw Lost(
                    message: error.message, isUnsent: error.code == .connect || error.code == .addressRefused,
                    isAtLeader: url != firstURL)
            }
            guard [301, 302, 307, 308].contains(answer.status), let location = answer.headers["Location"] else {
                return answer
            }
            guard location.hasPrefix("http://") || location.hasPrefix("https://") else {
                throw Failure(status: answer.status, message: "\(url) redirects to '\(location)', which is no URL")
            }
            guard location.hasPrefix("https://") || !url.hasPrefix("https://") else {
                throw Failure(
                    status: answer.status,
                    message: "\(url) redirects to '\(location)': the key would go there in the clear. The node that "
                        + "leads must advertise an https URL")
            }
            url = location
        }
        throw Failure(status: nil, message: "\(firstURL): more than \(Self.mostRedirects) redirects; who leads?")
    }

    private func failure(_ answer: HTTPClientResponse, _ method: HTTPMethod, _ target: String) -> Failure {
        failure(answer.status, answer.body, method, target)
    }

    private func failure(_ status: Int, _ bytes: [UInt8], _ method: HTTPMethod, _ target: String) -> Failure {
        let path = target.prefix { $0 != "?" }
        // An answer without a body that can be read is reported by its status alone.
        let body = try? JSONValue(parsing: bytes)
        var message = body?["message"]?.stringValue ?? body?["description"]?.stringValue ?? ""
        if message.isEmpty, bytes.count <= 500 { message = String(decoding: bytes, as: UTF8.self) }
        message = Table.safe(message)
        switch status {
        case 401:
            message += (message.isEmpty ? "" : ". ") + "A key is given by --key or CARILLON_API_KEY"
        case 503 where message.isEmpty: message = "the cluster has no leader at the moment; try again"
        default: break
        }
        return Failure(
            status: status,
            message: "\(method) \(path): status \(status)" + (message.isEmpty ? "" : ": \(message)"))
    }
}

extension JSONLimits {
    /// For answers of a cluster with very many jobs.
    static let generous = JSONLimits(depth: 64, bytes: APIClient.longestAnswer, values: 20_000_000)
}
