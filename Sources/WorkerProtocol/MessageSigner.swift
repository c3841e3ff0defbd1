import Crypto
public import Domain
public import HTTP
public import Timetable

/// Signs the requests of one sender in one direction, and verifies the answers to them.
public struct MessageSigner: Sendable {
    /// What must be kept of a request to know its answer.
    public struct Pending: Sendable, Hashable {
        public let receiver: String
        public let nonce: String
        public let version: Int
    }

    private let ring: SecretRing
    private let direction: MessageDirection
    private let sender: String
    /// What it speaks.
    public let versions: ProtocolVersions

    /// - Throws: `DomainError.invalid` for a name that cannot stand in a header field.
    public init(
        ring: SecretRing, direction: MessageDirection, sender: String, versions: ProtocolVersions = .own
    ) throws(DomainError) {
        guard WireName.isValid(sender) else {
            throw .invalid("'\(sender)' cannot sign messages: a name has 1 to \(WireLimits.name) visible characters")
        }
        self.ring = ring
        self.direction = direction
        self.sender = sender
        self.versions = versions
    }

    /// Header fields that make the request believable to the receiver, once, for as long as the window.
    ///
    /// - Parameters:
    ///   - path: as it is sent, percent-encoded, without query.
    ///   - nonce: 16 fresh random bytes.
    ///   - version: what the receiver is spoken to in; nil: the newest.
    /// - Throws: `DomainError.invalid` for a receiver that cannot stand in a header field or a nonce of another length.
    public func sign(
        method: HTTPMethod, path: String, query: String? = nil, body: [UInt8], receiver: String, now: Instant,
        nonce: [UInt8], version: Int? = nil
    ) throws(DomainError) -> (headers: HTTPHeaders, pending: Pending) {
        guard WireName.isValid(receiver) else { throw .invalid("'\(receiver)' is no name of a receiver") }
        guard nonce.count == WireLimits.nonceBytes else { throw .invalid("a nonce has \(WireLimits.nonceBytes) bytes") }
        let key = ring.current
        let version = version ?? versions.newest
        let nonceText = Hex.encode(nonce)
        let message = CanonicalMessage.request(
            version: version, method: method.rawValue, path: path, query: query ?? "", body: body, sender: sender,
            receiver: receiver, time: now.milliseconds, nonce: nonceText, keyID: key.id)
        let headers = HTTPHeaders([
            (WireHeader.version, String(version)),
            (WireHeader.versions, versions.description),
            (WireHeader.sender, sender),
            (WireHeader.receiver, receiver),
            (WireHeader.time, String(now.milliseconds)),
            (WireHeader.nonce, nonceText),
            (WireHeader.key, key.id),
            (WireHeader.signature, Hex.encode(message.signature(key: key.derived(for: direction.requestPurpose)))),
        ])
        return (headers, Pending(receiver: receiver, nonce: nonceText, version: version))
    }

    /// Checks that the answer is to this very request. Returns the name of who answered.
    /// - Throws: `DomainError.unauthenticated`; then nothing of the answer may be believed.
    @discardableResult
    public func verifyResponse(
        status: Int, headers: HTTPHeaders, body: [UInt8], to pending: Pending, now: Instant
    ) throws(DomainError) -> String {
        let asked = ProtocolVersions(oldest: pending.version, newest: pending.version)
        let fields = try SignatureFields(headers, versions: asked)
        guard fields.receiver == sender else { throw SignatureFields.refusal("it is addressed to somebody else") }
        guard fields.nonce == pending.nonce else { throw SignatureFields.refusal("it answers another request") }
        try fields.requireWindow(now)
        let key = try fields.key(in: ring)
        let message = CanonicalMessage.response(
            version: fields.version, status: status, body: body, sender: fields.sender, receiver: fields.receiver,
            time: fields.time, nonce: fields.nonce, keyID: key.id)
        try fields.require(message, key: key.derived(for: direction.responsePurpose))
        return fields.sender
    }
}
