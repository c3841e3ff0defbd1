import Coordination
import Domain
import Glibc
import HTTP
import HTTPTransport
import JSON
import Runtime
import Storage
import Timetable

/// Sends what waits in the outbox, on the node that leads.
///
/// A message is taken from the outbox after it was taken by its receiver: a node that dies in between, or a new leader
/// beside an old one, sends it twice, and never not at all. Each carries the same identity each time (`Message-ID`,
/// `Idempotency-Key`). One that fails is tried again later and later; after a day it is buried, with its error.
actor Notifier: Service {
    nonisolated let name = "notifier"

    /// Messages read and sent at once.
    static let batch = 50
    /// How soon the leader's hint is seen.
    static let pulse = Duration.milliseconds(200)
    /// How often the outbox is read without a hint: for what a former leader left, and for retries.
    static let reading = Duration.seconds(5)
    static let firstPause: Int64 = 5
    static let longestPause: Int64 = 1_800
    static let givenUpAfter = Duration.seconds(86_400)
    static let timeout = Duration.seconds(15)

    private let configuration: NotificationConfiguration
    private let store: OutboxStore
    private let client: HTTPClient
    private let mail: SMTPClient?
    private let permits: @Sendable (String) -> Bool
    private let hint: @Sendable () -> UInt64?
    private let shape: @Sendable (Notice) async throws -> JSONObject?
    private let enter: @Sendable (Notice) async throws -> Void
    private let clock: any WallClock
    private let loop: EventLoop
    private let log: Log
    private var inHand: Set<String> = []

    /// - Parameters:
    ///   - permits: whether a web hook may lead to a numeric address.
    ///   - shape: the job of a notice as the Cronicle dialect shows it, for web hooks.
    ///   - enter: enters a notice in the list of activity.
    ///   - hint: changes when something was written to the outbox; nil while this node does not lead.
    init(
        _ configuration: NotificationConfiguration, store: OutboxStore, client: HTTPClient,
        permits: @escaping @Sendable (String) -> Bool,
        shape: @escaping @Sendable (Notice) async throws -> JSONObject?,
        enter: @escaping @Sendable (Notice) async throws -> Void, hint: @escaping @Sendable () -> UInt64?,
        clock: any WallClock, loop: EventLoop, log: Log
    ) {
        self.configuration = configuration
        self.store = store
        self.client = client
        self.permits = permits
        self.hint = hint
        self.shape = shape
        self.enter = enter
        self.clock = clock
        self.loop = loop
        self.log = log
        mail = configuration.mailServer.map { SMTPClient($0) }
    }

    func run() async throws {
        var seen: UInt64?
        var readAt: MonotonicInstant?
        while true {
            if let hinted = hint() {
                let isOld = readAt.map { $0.duration(to: loop.monotonicNow) >= Self.reading } ?? true
                if hinted != seen || isOld {
                    seen = hinted
                    readAt = loop.monotonicNow
                    do { try await sendWhatIsDue() } catch let error as StoreError {
                        log.warning("the outbox cannot be read or written; it will be tried again: \(error)")
                    }
                }
            } else {
                seen = nil
                readAt = nil
            }
            try await loop.sleep(for: Self.pulse)
        }
    }

    private func sendWhatIsDue() async throws {
        while true {
            let waiting = try await store.due(now: clock.now(), limit: Self.batch)
            guard !waiting.isEmpty else { return }
            // In order for each receiver, side by side for different ones.
            let lanes = Dictionary(grouping: waiting) { "\($0.message.channel.rawValue) \($0.message.destination)" }
            let sent = try await withThrowingTaskGroup(of: [String].self) { group in
                for lane in lanes.values { group.addTask { try await self.send(lane) } }
                var sent: [String] = []
                for try await ids in group { sent += ids }
                return sent
            }
            if !sent.isEmpty { try await store.sent(sent) }
            if waiting.count < Self.batch { return }
        }
    }

    /// - Returns: identities of those that were taken.
    private func send(_ lane: [OutboxStore.Waiting]) async throws -> [String] {
        var sent: [String] = []
        for waiting in lane {
            do {
                try await send(waiting)
                sent.append(waiting.message.id)
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                try await note(error, of: waiting)
            }
        }
        return sent
    }

    private func note(_ error: any Error, of waiting: OutboxStore.Waiting) async throws {
        let now = clock.now()
        let message = waiting.message
        let what = "\(message.channel.rawValue) about job '\(message.notice.definition.name)'"
        let isHopeless = error is Undeliverable || waiting.created.duration(to: now) > Self.givenUpAfter
        if isHopeless {
            log.error("gave up message \(message.id) (\(what)): \(error). It stays in the outbox, marked as buried.")
        } else {
            log.warning("message \(message.id) (\(what)) was not taken, try \(waiting.tries + 1): \(error)")
        }
        let pause = min(Self.longestPause, Self.firstPause << Int64(min(waiting.tries, 16)))
        try await store.failed(
            message.id, error: "\(error)", retry: isHopeless ? nil : now.advanced(by: .seconds(pause)), now: now)
    }

    // MARK: Ways out

    /// Trying again would not help.
    private struct Undeliverable: Error, CustomStringConvertible {
        let description: String
    }

    private struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    private func send(_ waiting: OutboxStore.Waiting) async throws {
        let message = waiting.message
        switch message.channel {
        case .ownerMail:
            let owner = OwnerMessage(waiting, clusterName: configuration.clusterName)
            try await send(
                mail: owner.subject, owner.body.isEmpty ? owner.subject : owner.body, to: message.destination, waiting)
        case .mail:
            let run = RunMessage(waiting, baseURL: configuration.baseURL)
            try await send(mail: run.subject, run.text, to: message.destination, waiting)
        case .activity: try await enter(message.notice)
        case .slack, .mattermost:
            let owner = OwnerMessage(waiting, clusterName: configuration.clusterName)
            let url = message.channel == .slack ? configuration.slackURL : configuration.mattermostURL
            try await post(owner.chat, to: url, waiting, isOperators: true)
        case .http:
            let owner = OwnerMessage(waiting, clusterName: configuration.clusterName)
            try await post(
                owner.http(to: message.destination), to: configuration.httpURL, waiting, isOperators: true,
                credentials: configuration.httpCredentials)
        case .webHook:
            let run = RunMessage(waiting, baseURL: configuration.baseURL)
            let address = HookAddress(message.destination)
            // Without a database there is no notice either; what is still in it is told all the same.
            let job = try? await shape(message.notice)
            try await post(
                address.addingData(to: run.hook(job)), to: address.url, waiting,
                isOperators: message.destination == configuration.universalWebHook, headers: address.headers)
        }
    }

    private func send(
        mail subject: String, _ text: String, to list: String, _ waiting: OutboxStore.Waiting
    ) async throws {
        guard let mail else { throw Undeliverable(description: "no mail server is configured any more") }
        guard let addresses = MailMessage.addresses(list), !addresses.isEmpty else {
            throw Undeliverable(description: "'\(list)' is no list of mail addresses")
        }
        let host = configuration.mailFrom.split(separator: "@").last.map(String.init) ?? "carillon"
        try await mail.send(
            MailMessage(
                from: configuration.mailFrom, to: addresses, subject: subject, text: text,
                messageID: "\(waiting.message.id)@\(host)", date: Self.mailDate(waiting.created)))
    }

    /// - Parameter isOperators: the URL comes from the node's configuration, not from a job.
    private func post(
        _ body: JSONValue, to url: String, _ waiting: OutboxStore.Waiting, isOperators: Bool,
        credentials: String = "", headers extra: [(String, String)] = []
    ) async throws {
        guard !url.isEmpty else { throw Undeliverable(description: "the channel is not configured any more") }
        var headers = HTTPHeaders()
        headers["Content-Type"] = "application/json"
        headers["User-Agent"] = "Carillon \(Carillon.version)"
        headers["Idempotency-Key"] = waiting.message.id
        headers["traceparent"] = waiting.message.notice.run?.context?.trace?.text
        if !credentials.isEmpty { headers["Authorization"] = "Basic " + Base64.encode(Array(credentials.utf8)) }
        for (name, value) in extra { headers[name] = value }
        let answer = try await client.execute(
            HTTPClientRequest(
                method: .post, url: url, headers: headers, body: Array(body.text.utf8) + [0x0A],
                timeout: Self.timeout, maximumResponseBytes: 64 * 1024,
                permitsAddress: isOperators ? nil : permits))
        guard (200..<300).contains(answer.status) else {
            throw Refused(description: "the receiver answered with status \(answer.status)")
        }
    }

    /// RFC 5322 §3.3; the process keeps the C locale.
    static func mailDate(_ instant: Instant) -> String {
        var seconds = time_t(instant.seconds)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 64)
        let length = strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S +0000", &parts)
        return String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
