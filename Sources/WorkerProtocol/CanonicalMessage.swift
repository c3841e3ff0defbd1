import Crypto
import Timetable

/// Which way a request goes. Its answer goes the other way under a key of its own.
public enum MessageDirection: String, Sendable, CaseIterable {
    case nodeToWorker = "node-to-worker"
    case workerToNode = "worker-to-node"

    var requestPurpose: String { "\(rawValue) request" }
    var responsePurpose: String { "\(rawValue) response" }
}

/// The bytes that a signature is made of: each field with its length before it, so that no two messages have the same.
struct CanonicalMessage {
    private var bytes: [UInt8] = []

    static func request(
        version: Int, method: String, path: String, query: String, body: [UInt8], sender: String, receiver: String,
        time: Int64, nonce: String, keyID: String
    ) -> CanonicalMessage {
        var message = CanonicalMessage()
        for field in [
            "request", String(version), method, path, query, Hex.encode(Digest.sha256(body)), sender, receiver,
            String(time), nonce, keyID,
        ] {
            message.append(field)
        }
        return message
    }

    /// The nonce is the request's: an answer fits one request only.
    static func response(
        version: Int, status: Int, body: [UInt8], sender: String, receiver: String, time: Int64, nonce: String,
        keyID: String
    ) -> CanonicalMessage {
        var message = CanonicalMessage()
        for field in [
            "response", String(version), String(status), Hex.encode(Digest.sha256(body)), sender, receiver,
            String(time), nonce, keyID,
        ] {
            message.append(field)
        }
        return message
    }

    func signature(key: [UInt8]) -> [UInt8] { MAC.hmacSHA256(key: key, bytes) }

    private mutating func append(_ field: String) {
        bytes.append(contentsOf: String(field.utf8.count).utf8)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(contentsOf: field.utf8)
        bytes.append(UInt8(ascii: "\n"))
    }
}

enum WireTime {
    /// Only what `String(Int64)` writes: a second spelling of a time would be a second spelling of a message.
    static func parse(_ text: String) -> Int64? {
        guard let value = Int64(text), String(value) == text else { return nil }
        return value
    }

    static func isWithinWindow(_ time: Int64, now: Instant) -> Bool {
        let (difference, overflow) = now.milliseconds.subtractingReportingOverflow(time)
        let window = WireLimits.window.components.seconds * 1000
        return !overflow && (-window...window).contains(difference)
    }
}

enum WireName {
    /// What may stand in a header field without changing it: visible ASCII.
    static func isValid(_ name: String) -> Bool {
        (1...WireLimits.name).contains(name.utf8.count) && name.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
