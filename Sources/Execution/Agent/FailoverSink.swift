public import Domain
public import Runtime

/// Talks to the nodes of a cluster as if they were one: the leader first, as far as it is known, then the others.
///
/// What only the leader does is tried at one node after the other, each for a limited time; one that names the leader
/// sends us there. Claims may be answered by any node and are urgent: a node that is silent for 300 ms is not waited
/// for alone, the next is asked beside it, and the first answer counts. Each message may be repeated.
public actor FailoverSink: WorkerUplink {
    private let nodes: [String]
    private let timekeeper: any Timekeeper
    private let hedgeAfter: Duration
    private let patience: Duration
    private let makeSink: @Sendable (String) -> any ReportSink
    private var sinks: [String: any ReportSink] = [:]
    /// The last leader that was heard of; empty: none yet.
    private var leaderURL = ""
    private var leaderTerm = Term.none
    /// Where the search begins when the leader is not known: moves on so that a dead first node costs once only.
    private var first = 0

    /// Redirections that are followed within one message, so that two confused nodes cannot keep it going round.
    private static let redirections = 3

    public nonisolated var unownedExecutor: UnownedSerialExecutor { timekeeper.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - nodes: URLs of the nodes, in the order in which they are tried.
    ///   - hedgeAfter: a claim is sent to the next node as well after this time without answer.
    ///   - patience: how long one node is waited for.
    ///   - makeSink: called once for each URL, those of leaders that are not in the list included.
    public init(
        nodes: [String], timekeeper: any Timekeeper, hedgeAfter: Duration = .milliseconds(300),
        patience: Duration = .seconds(2), makeSink: @escaping @Sendable (String) -> any ReportSink
    ) {
        self.nodes = nodes.map(Self.withoutSlash)
        self.timekeeper = timekeeper
        self.hedgeAfter = hedgeAfter
        self.patience = patience
        self.makeSink = makeSink
    }

    /// Ignores terms before one that was heard of.
    public func leaderAnnounced(url: String, term: Term) {
        guard !url.isEmpty, term >= leaderTerm else { return }
        leaderTerm = term
        leaderURL = Self.withoutSlash(url)
    }

    public func register(_ worker: WorkerDescription) async throws(TransportError) -> HeartbeatReply {
        try await askLeader { sink in try await sink.register(worker) }
    }

    public func heartbeat(_ heartbeat: WorkerHeartbeat) async throws(TransportError) -> HeartbeatReply {
        try await askLeader { sink in try await sink.heartbeat(heartbeat) }
    }

    public func report(_ reports: [AttemptReport]) async throws(TransportError) -> ReportReply {
        try await askLeader { sink in try await sink.report(reports) }
    }

    public func claim(_ request: ClaimRequest) async throws(TransportError) -> ClaimReply {
        let urls = candidates()
        guard !urls.isEmpty else { throw Self.nobody }
        let (timekeeper, hedgeAfter) = (self.timekeeper, self.hedgeAfter)
        let result = await withTaskGroup(of: Event.self) { group -> Result<ClaimReply, TransportError> in
            var next = 0
            var asked = 0
            var failure = Self.nobody
            func askNext() {
                guard next < urls.count else { return }
                let url = urls[next]
                next += 1
                asked += 1
                group.addTask(executorPreference: timekeeper) {
                    .answer(await self.claim(request, at: url))
                }
                group.addTask(executorPreference: timekeeper) {
                    // Cancelled when the answer is there.
                    try? await timekeeper.sleep(for: hedgeAfter)
                    return .silence
                }
            }
            askNext()
            defer { group.cancelAll() }
            while let event = await group.next() {
                switch event {
                case .answer(.success(let reply)): return .success(reply)
                case .answer(.failure(let error)):
                    failure = error
                    asked -= 1
                    askNext()
                    if asked == 0 { return .failure(failure) }
                case .silence: askNext()
                }
                if Task.isCancelled { return .failure(TransportError(.unreachable, "the claim was given up")) }
            }
            return .failure(failure)
        }
        return try result.get()
    }

    private enum Event: Sendable {
        case answer(Result<ClaimReply, TransportError>)
        case silence
    }

    private static let nobody = TransportError(.unreachable, "no node is configured")

    private func claim(_ request: ClaimRequest, at url: String) async -> Result<ClaimReply, TransportError> {
        await attempt(at: url) { sink in try await sink.claim(request) }
    }

    private func askLeader<Reply: Sendable>(
        _ ask: @escaping @Sendable (any ReportSink) async throws -> Reply
    ) async throws(TransportError) -> Reply {
        var urls = candidates()
        var failure = Self.nobody
        var redirections = 0
        var index = 0
        while index < urls.count {
            let url = urls[index]
            index += 1
            switch await attempt(at: url, ask) {
            case .success(let reply):
                leaderURL = url
                return reply
            case .failure(let error):
                failure = error
                if url == leaderURL { leaderURL = "" }
                guard error.code == .notLeader, let named = error.leaderURL.map(Self.withoutSlash), named != url,
                    !named.isEmpty, redirections < Self.redirections
                else { continue }
                redirections += 1
                // Next, even if it was tried before: it may have taken office since.
                urls.insert(named, at: index)
            }
        }
        if !nodes.isEmpty { first = (first + 1) % nodes.count }
        throw failure
    }

    private func attempt<Reply: Sendable>(
        at url: String, _ ask: @escaping @Sendable (any ReportSink) async throws -> Reply
    ) async -> Result<Reply, TransportError> {
        let sink = sink(url)
        do {
            return .success(try await withDeadline(patience, on: timekeeper, url) { try await ask(sink) })
        } catch let error as TransportError {
            return .failure(error)
        } catch is DeadlineExceeded {
            return .failure(TransportError(.unreachable, "\(url) has not answered within \(patience)"))
        } catch {
            return .failure(TransportError(.unreachable, "\(url): \(error)"))
        }
    }

    private func candidates() -> [String] {
        let turned = Array(nodes[first...] + nodes[..<first])
        guard !leaderURL.isEmpty else { return turned }
        return [leaderURL] + turned.filter { $0 != leaderURL }
    }

    private func sink(_ url: String) -> any ReportSink {
        if let sink = sinks[url] { return sink }
        // Leaders that are in no list come and go; their sinks need not stay.
        for stale in sinks.keys where !nodes.contains(stale) { sinks[stale] = nil }
        let sink = makeSink(url)
        sinks[url] = sink
        return sink
    }

    private static func withoutSlash(_ url: String) -> String {
        var url = url
        while url.hasSuffix("/") { url.removeLast() }
        return url
    }
}
