import Crypto
public import Domain
public import HTTP
public import Timetable

/// A request whose signature holds.
public struct VerifiedMessage: Sendable, Hashable {
    /// Who signed it. Whoever acts on a body that names its author compares the two.
    public let sender: String
    /// The version that it is written in; so is the answer.
    public let version: Int
    let receiver: String
    let nonce: String
    let keyID: String

    /// - Throws: `DomainError.forbidden` when the body speaks for somebody else.
    public func requireSender(_ name: String) throws(DomainError) {
        guard sender == name else {
            throw DomainError(.forbidden, "the message was signed by '\(sender)' and speaks for '\(name)'")
        }
    }
}

/// Verifies requests of one direction at their receiver, and signs the answers. Remembers nonces, so there is one for
/// each receiver and direction, and its owner calls it on one thread.
public struct MessageVerifier: Sendable {
    private let ring: SecretRing
    private let direction: MessageDirection
    /// Name under which it answers.
    private let name: String
    private let receivers: Set<String>
    /// What it understands.
    public let versions: ProtocolVersions
    private var seen: NonceMemory

    /// - Parameters:
    ///   - name: who answers.
    ///   - aliases: further names under which it may be addressed. Messages that may be repeated at any node are
    ///     addressed to `anyNode`.
    public init(
        ring: SecretRing, direction: MessageDirection, name: String, aliases: Set<String> = [],
        versions: ProtocolVersions = .own, nonceCapacity: Int = WireLimits.nonces
    ) throws(DomainError) {
        guard WireName.isValid(name) else {
            throw .invalid("'\(name)' cannot receive messages: a name has 1 to \(WireLimits.name) visible characters")
        }
        self.ring = ring
        self.direction = direction
        self.name = name
        self.versions = versions
        receivers = aliases.union([name])
        seen = NonceMemory(capacity: nonceCapacity)
    }

    /// The receiver of messages from workers: they know nodes by URL only, and repeat a message at the next node.
    public static let anyNode = "any-node"

    /// Checks everything that the signature covers; call it before the body is parsed.
    /// - Throws: `DomainError`: `.unauthenticated`; `.tooMany` when no more nonces can be remembered.
    public mutating func verify(
        method: HTTPMethod, path: String, query: String?, headers: HTTPHeaders, body: [UInt8], now: Instant
    ) throws(DomainError) -> VerifiedMessage {
        let fields = try SignatureFields(headers, versions: versions)
        guard receivers.contains(fields.receiver) else {
            throw SignatureFields.refusal("it is addressed to '\(fields.receiver)', and this is '\(name)'")
        }
        try fields.requireWindow(now)
        let key = try fields.key(in: ring)
        let message = CanonicalMessage.request(
            version: fields.version, method: method.rawValue, path: path, query: query ?? "", body: body,
            sender: fields.sender, receiver: fields.receiver, time: fields.time, nonce: fields.nonce, keyID: key.id)
        try fields.require(message, key: key.derived(for: direction.requestPurpose))
        // Last, so that only messages that somebody signed take room.
        switch seen.insert(fields.nonce, now: now) {
        case .new: break
        case .repeated: throw SignatureFields.refusal("it was received before")
        case .full: throw DomainError(.tooMany, "too many messages within \(WireLimits.nonceMemory); try again later")
        }
        return VerifiedMessage(
            sender: fields.sender, version: fields.version, receiver: fields.receiver, nonce: fields.nonce,
            keyID: key.id)
    }

    /// Header fields that make the answer believable to who sent the request.
    public func signResponse(
        status: Int, body: [UInt8], to request: VerifiedMessage, now: Instant
    ) -> HTTPHeaders {
        // The sender's own key: during a rotation it may not have the other one yet.
        let key = ring.key(id: request.keyID) ?? ring.current
        let message = CanonicalMessage.response(
            version: request.version, status: status, body: body, sender: name, receiver: request.sender,
            time: now.milliseconds, nonce: request.nonce, keyID: key.id)
        return HTTPHeaders([
            (WireHeader.version, String(request.version)),
            (WireHeader.versions, versions.description),
            (WireHeader.sender, name),
            (WireHeader.receiver, request.sender),
            (WireHeader.time, String(now.milliseconds)),
            (WireHeader.nonce, request.nonce),
            (WireHeader.key, key.id),
            (WireHeader.signature, Hex.encode(message.signature(key: key.derived(for: direction.responsePurpose)))),
        ])
    }
}
