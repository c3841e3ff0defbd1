public import Domain
public import Execution
import HTTP
public import HTTPTransport
import JSON

/// A container engine that speaks the Docker Engine API at a unix socket: Docker's, or podman's service.
public struct DockerEngine: ContainerEngine {
    /// What an engine says of itself.
    public struct Identity: Sendable, Hashable {
        /// "docker" or "podman".
        public let kind: String
        public let version: String
    }

    private let socket: String
    private let client: HTTPClient
    /// Path prefix of the API's version.
    private let prefix: String

    /// The API that this is written for; engines are asked in it, or in their own where that is older.
    private static let apiVersion = (major: 1, minor: 44)

    /// Where engines usually listen, in the order in which they are tried.
    public static let usualSockets = ["/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock"]

    private init(socket: String, client: HTTPClient, prefix: String) {
        self.socket = socket
        self.client = client
        self.prefix = prefix
    }

    /// Asks whether an engine answers there.
    /// - Throws: `EngineError`.
    public static func connect(
        socket: String, client: HTTPClient
    ) async throws -> (engine: DockerEngine, identity: Identity) {
        let bare = DockerEngine(socket: socket, client: client, prefix: "")
        let pong = try await bare.ask(.get, "/_ping", expecting: [200])
        let offered = version(pong.headers["Api-Version"] ?? "") ?? apiVersion
        let used = offered < apiVersion ? offered : apiVersion
        let engine = DockerEngine(socket: socket, client: client, prefix: "/v\(used.major).\(used.minor)")
        let about = try await engine.json(.get, "/version")
        let components = about["Components"]?.arrayValue ?? []
        let isPodman = components.contains { $0["Name"]?.stringValue?.lowercased().contains("podman") == true }
        let identity = Identity(
            kind: isPodman ? "podman" : "docker", version: String((about["Version"]?.stringValue ?? "?").prefix(64)))
        return (engine, identity)
    }

    private static func version(_ text: String) -> (major: Int, minor: Int)? {
        let parts = text.split(separator: ".").map { Int($0) }
        guard parts.count == 2, let major = parts[0], let minor = parts[1], major >= 0, minor >= 0 else { return nil }
        return (major, minor)
    }

    // MARK: Images and volumes

    public func hasImage(_ image: String) async throws -> Bool {
        try await ask(.get, "/images/\(Self.path(image))/json", expecting: [200, 404]).status == 200
    }

    /// The answer is a line of JSON for each step; a line with an error is the outcome.
    public func pull(_ image: String, limit: Duration) async throws {
        var request = request(.post, "/images/create?fromImage=\(PercentCoding.encodeQueryValue(Self.tagged(image)))")
        request.timeout = limit
        request.maximumResponseBytes = OutboundLimits.output
        let lines = PullLines()
        let head = try await translated { try await client.stream(request) { _, bytes in try lines.take(bytes) } }
        let text = lines.rest
        guard head.status == 200, lines.failure == nil else {
            let reason = lines.failure ?? Self.message(Array(text.utf8), status: head.status)
            throw EngineError(.refused, "the image '\(image)' cannot be had: \(reason)")
        }
    }

    public func makeVolume(_ volume: ContainerSpec.External) async throws {
        var body: JSONObject = ["Name": .string(volume.name)]
        if !volume.provider.isEmpty { body["Driver"] = .string(volume.provider) }
        var options = JSONObject()
        for option in volume.options { options[option.key] = .string(option.value) }
        if !options.isEmpty { body["DriverOpts"] = .object(options) }
        _ = try await ask(.post, "/volumes/create", body: .object(body), expecting: [200, 201])
    }

    // MARK: Containers

    public func create(_ order: ContainerOrder) async throws -> String {
        let path = "/containers/create?name=\(PercentCoding.encodeQueryValue(order.name))"
        let answer = try await ask(.post, path, body: ContainerBody.make(order), expecting: [200, 201])
        guard let id = try Self.parse(answer)["Id"]?.stringValue, Self.isIdentity(id) else {
            throw EngineError(.refused, "it has made a container and says no identity")
        }
        return id
    }

    public func start(_ container: String) async throws {
        _ = try await ask(.post, "/containers/\(Self.path(container))/start", expecting: [204, 304])
    }

    public func state(of container: String) async throws -> ContainerState? {
        let answer = try await ask(.get, "/containers/\(Self.path(container))/json", expecting: [200, 404])
        guard answer.status == 200 else { return nil }
        guard let state = try Self.parse(answer)["State"] else {
            throw EngineError(.refused, "it says nothing of a container's state")
        }
        let isRunning = state["Running"]?.boolValue ?? false
        return ContainerState(
            isRunning: isRunning || state["Paused"]?.boolValue == true,
            process: Int32(clamping: state["Pid"]?.int64Value ?? 0),
            exitCode: Int(clamping: state["ExitCode"]?.int64Value ?? 0),
            wasKilledForMemory: state["OOMKilled"]?.boolValue ?? false,
            problem: String((state["Error"]?.stringValue ?? "").prefix(OutboundLimits.message)))
    }

    public func wait(for container: String) async throws {
        var request = request(.post, "/containers/\(Self.path(container))/wait")
        request.timeout = OutboundLimits.follow
        _ = try await checked(request, expecting: [200])
    }

    public func output(of container: String, follows: Bool, receive: @Sendable ([UInt8]) async throws -> Void)
        async throws
    {
        var request = request(
            .get, "/containers/\(Self.path(container))/logs?follow=\(follows)&stdout=true&stderr=true&tail=all")
        request.timeout = OutboundLimits.follow
        request.maximumResponseBytes = OutboundLimits.output
        let frames = OutputFrames()
        let head = try await translated {
            try await client.stream(request) { head, bytes in
                guard head.status == 200 else { return frames.keep(bytes) }
                let payload = try frames.take(bytes)
                if !payload.isEmpty { try await receive(payload) }
            }
        }
        guard head.status == 200 else {
            throw EngineError(
                head.status == 404 ? .notFound : .refused, Self.message(frames.kept, status: head.status))
        }
    }

    public func stop(_ container: String, grace: Duration) async throws {
        let seconds = max(0, grace.components.seconds + (grace.components.attoseconds > 0 ? 1 : 0))
        var request = request(.post, "/containers/\(Self.path(container))/stop?t=\(seconds)")
        request.timeout = grace + OutboundLimits.request
        _ = try await checked(request, expecting: [204, 304])
    }

    public func kill(_ container: String) async throws {
        _ = try await ask(.post, "/containers/\(Self.path(container))/kill?signal=KILL", expecting: [204, 404, 409])
    }

    public func remove(_ container: String) async throws {
        _ = try await ask(.delete, "/containers/\(Self.path(container))?force=true&v=true", expecting: [200, 204, 404])
    }

    public func containers(label: String, value: String) async throws -> [FoundContainer] {
        let filter: JSONValue = ["label": [.string("\(label)=\(value)")]]
        let path = "/containers/json?all=true&filters=\(PercentCoding.encodeQueryValue(filter.text))"
        let answer = try await json(.get, path)
        return (answer.arrayValue ?? []).compactMap { entry in
            guard let id = entry["Id"]?.stringValue, Self.isIdentity(id) else { return nil }
            var labels: [String: String] = [:]
            for (key, text) in entry["Labels"]?.objectValue ?? [:] { labels[key] = text.stringValue }
            // Engines match prefixes in some versions: only the very label counts.
            guard labels[label] == value else { return nil }
            return FoundContainer(id: id, labels: labels)
        }
    }

    // MARK: Requests

    private func request(_ method: HTTPMethod, _ path: String, body: JSONValue? = nil) -> HTTPClientRequest {
        var request = HTTPClientRequest(
            method: method, url: "http://engine\(prefix)\(path)", timeout: OutboundLimits.request,
            connectTimeout: OutboundLimits.connect, maximumResponseBytes: OutboundLimits.answer, unixSocket: socket)
        if let body {
            request.headers.add("Content-Type", "application/json")
            request.body = body.serialized()
        }
        return request
    }

    private func ask(
        _ method: HTTPMethod, _ path: String, body: JSONValue? = nil, expecting: Set<Int>
    ) async throws -> HTTPClientResponse {
        try await checked(request(method, path, body: body), expecting: expecting)
    }

    private func json(_ method: HTTPMethod, _ path: String) async throws -> JSONValue {
        try Self.parse(try await ask(method, path, expecting: [200]))
    }

    private func checked(_ request: HTTPClientRequest, expecting: Set<Int>) async throws -> HTTPClientResponse {
        let answer = try await translated { try await client.execute(request) }
        guard !expecting.contains(answer.status) else { return answer }
        let code: EngineError.Code =
            switch answer.status {
            case 404: .notFound
            case 409: .conflict
            default: .refused
            }
        throw EngineError(code, Self.message(answer.body, status: answer.status))
    }

    private func translated<T>(_ body: () async throws -> T) async throws -> T {
        do { return try await body() } catch let error as HTTPClientError {
            throw EngineError(.unreachable, "the container engine at \(socket) does not answer: \(error.message)")
        }
    }

    private static func parse(_ answer: HTTPClientResponse) throws -> JSONValue {
        do { return try JSONValue(parsing: answer.body) } catch {
            throw EngineError(.refused, "its answer is no JSON: \(error.message)")
        }
    }

    /// The engine's own words: `{"message": "…"}`, or podman's `cause` with them.
    static func message(_ body: [UInt8], status: Int) -> String {
        // Whatever it is, something must be shown.
        let parsed = try? JSONValue(parsing: body)
        let text =
            parsed?["message"]?.stringValue ?? String(decoding: body.prefix(OutboundLimits.message), as: UTF8.self)
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ").prefix(OutboundLimits.message)
        return line.isEmpty ? "it has answered with status \(status)" : "\(line) (status \(status))"
    }

    /// Names of images contain slashes, which stay; everything else of a path segment is encoded.
    private static func path(_ text: String) -> String {
        text.split(separator: "/", omittingEmptySubsequences: false).map { PercentCoding.encodePathSegment(String($0)) }
            .joined(separator: "/")
    }

    /// Without a tag, engines pull all of a repository.
    static func tagged(_ image: String) -> String {
        let last = image.split(separator: "/").last ?? ""
        return last.contains(":") || image.contains("@") ? image : "\(image):latest"
    }

    private static func isIdentity(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            }
    }
}
