import Crypto
import Domain
import HTTP
import Timetable

/// The fields of a signature as they came, checked for form only.
struct SignatureFields {
    let version: Int
    let sender: String
    let receiver: String
    let time: Int64
    let nonce: String
    private let keyID: String
    private let signature: [UInt8]

    init(_ headers: HTTPHeaders, versions: ProtocolVersions) throws(DomainError) {
        guard let version = ProtocolVersions.number(try Self.field(WireHeader.version, headers)),
            versions.contains(version)
        else {
            throw Self.refusal(
                "it is written in another version of the protocol than \(versions): upgrade the older of the two")
        }
        self.version = version
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
