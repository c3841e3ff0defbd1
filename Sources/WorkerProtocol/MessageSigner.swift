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
    }

    private let ring: SecretRing
    private let direction: MessageDirection
    private let sender: String

    /// - Throws: `DomainError.invalid` for a name that cannot stand in a header field.
    public init(ring: SecretRing, direction: MessageDirection, sender: String) throws(DomainError) {
        guard WireName.isValid(sender) else {
            throw .invalid("'\(sender)' cannot sign messages: a name has 1 to \(WireLimits.name) visible characters")
        }
        self.ring = ring
        self.direction = direction
        self.sender = sender
    }

    /// Header fields that make the request believable to the receiver, once, for as long as the window.
    ///
    /// - Parameters:
    ///   - path: as it is sent, percent-encoded, without query.
    ///   - nonce: 16 fresh random bytes.
    /// - Throws: `DomainError.invalid` for a receiver that cannot stand in a header field or a nonce of another length.
    public func sign(
        method: HTTPMethod, path: String, query: String? = nil, body: [UInt8], receiver: String, now: Instant,
        nonce: [UInt8]
    ) throws(DomainError) -> (headers: HTTPHeaders, pending: Pending) {
        guard WireName.isValid(receiver) else { throw .invalid("'\(receiver)' is no name of a receiver") }
        guard nonce.count == WireLimits.nonceBytes else { throw .invalid("a nonce has \(WireLimits.nonceBytes) bytes") }
        let key = ring.current
        let nonceText = Hex.encode(nonce)
        let message = CanonicalMessage.request(
            method: method.rawValue, path: path, query: query ?? "", body: body, sender: sender, receiver: receiver,
            time: now.milliseconds, nonce: nonceText, keyID: key.id)
        let headers = HTTPHeaders([
            (WireHeader.version, WireLimits.version),
            (WireHeader.sender, sender),
            (WireHeader.receiver, receiver),
            (WireHeader.time, String(now.milliseconds)),
            (WireHeader.nonce, nonceText),
            (WireHeader.key, key.id),
            (WireHeader.signature, Hex.encode(message.signature(key: key.derived(for: direction.requestPurpose)))),
        ])
        return (headers, Pending(receiver: receiver, nonce: nonceText))
    }

    /// Checks that the answer is to this very request. Returns the name of who answered.
    /// - Throws: `DomainError.unauthenticated`; then nothing of the answer may be believed.
    @discardableResult
    public func verifyResponse(
        status: Int, headers: HTTPHeaders, body: [UInt8], to pending: Pending, now: Instant
    ) throws(DomainError) -> String {
        let fields = try SignatureFields(headers)
        guard fields.receiver == sender else { throw SignatureFields.refusal("it is addressed to somebody else") }
        guard fields.nonce == pending.nonce else { throw SignatureFields.refusal("it answers another request") }
        try fields.requireWindow(now)
        let key = try fields.key(in: ring)
        let message = CanonicalMessage.response(
            status: status, body: body, sender: fields.sender, receiver: fields.receiver, time: fields.time,
            nonce: fields.nonce, keyID: key.id)
        try fields.require(message, key: key.derived(for: direction.responsePurpose))
        return fields.sender
    }
}

/// The fields of a signature as they came, checked for form only.
struct SignatureFields {
    let sender: String
    let receiver: String
    let time: Int64
    let nonce: String
    private let keyID: String
    private let signature: [UInt8]

    init(_ headers: HTTPHeaders) throws(DomainError) {
        let version = try Self.field(WireHeader.version, headers)
        guard version == WireLimits.version else {
            throw Self.refusal("it speaks another version of the protocol than \(WireLimits.version)")
        }
        sender = try Self.field(WireHeader.sender, headers)
        receiver = try Self.field(WireHeader.receiver, headers)
        nonce = try Self.field(WireHeader.nonce, headers)
        keyID = try Self.field(WireHeader.key, headers)
        guard WireName.isValid(sender), WireName.isValid(receiver) else {
            throw Self.refusal("sender or receiver is no valid name")
        }
        guard let time = WireTime.parse(try Self.field(WireHeader.time, headers)) else {
            throw Self.refusal("\(WireHeader.time) is not a number of milliseconds")
        }
        // One spelling only: a nonce in other letters would pass for a new one.
        guard let bytes = Hex.decode(nonce), bytes.count == WireLimits.nonceBytes, Hex.encode(bytes) == nonce else {
            throw Self.refusal("\(WireHeader.nonce) is not \(WireLimits.nonceBytes) bytes in lower-case hexadecimal")
        }
        guard let signature = Hex.decode(try Self.field(WireHeader.signature, headers)) else {
            throw Self.refusal("\(WireHeader.signature) is not hexadecimal")
        }
        self.time = time
        self.signature = signature
    }

    func requireWindow(_ now: Instant) throws(DomainError) {
        guard WireTime.isWithinWindow(time, now: now) else {
            throw Self.refusal(
                "its time is more than \(WireLimits.window.components.seconds) s from this host's; compare the clocks")
        }
    }

    func key(in ring: SecretRing) throws(DomainError) -> SecretRing.Key {
        guard let key = ring.key(id: keyID) else {
            throw Self.refusal("it is signed with another secret; compare the secret files")
        }
        return key
    }

    func require(_ message: CanonicalMessage, key: [UInt8]) throws(DomainError) {
        guard constantTimeEqual(message.signature(key: key), signature) else {
            throw Self.refusal("the signature is wrong")
        }
    }

    static func refusal(_ reason: String) -> DomainError {
        DomainError(.unauthenticated, "the message is not believed: \(reason)")
    }

    private static func field(_ name: String, _ headers: HTTPHeaders) throws(DomainError) -> String {
        let values = headers.all(name)
        guard values.count == 1 else { throw refusal("it needs the header field \(name) exactly once") }
        return values[0]
    }
}
