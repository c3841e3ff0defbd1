// WorkerProtocol: what leader, nodes and workers say to each other, as signed HTTP messages with JSON bodies.
//
// Three things, all of them pure functions and values: no socket, no clock, no file.
// - `WorkerMessageCoding` turns each message of the domain into a body and back. Bodies from outside are held to the
//   same limits as everything else (`Limits`), and a refusal says which field is wrong and what would be right.
// - `MessageSigner` and `MessageVerifier` authenticate requests and their answers with HMAC-SHA256 (security.md). What
//   is signed covers the whole message and both its ends; a request can be used once; and nothing of a body is parsed
//   before its signature holds.
// - `WireError` is the body of every answer that is not the wanted one.
//
// Invariants
// - The keys of the two directions, and of requests and answers, differ: nothing that one side ever signs can be played
//   back as the other's.
// - Who asks takes an answer only if it is signed over the nonce of this very request.
// - Unknown fields of a body are ignored, so that a newer peer can say more; the version in the signature changes when
//   a body changes its meaning (`ProtocolVersions`).
//
// It gives no secrecy: commands and environment travel in clear unless the network or a proxy encrypts them.
// Callers: Node, which puts these messages on `HTTPTransport`.

/// Paths of the internal protocol. All of them take POST.
public enum WorkerPath {
    /// Worker side: leader to worker.
    public static let offer = "/internal/v1/offer"
    public static let kill = "/internal/v1/kill"
    public static let adjust = "/internal/v1/adjust"
    /// Any node to worker.
    public static let readLog = "/internal/v1/log"
    /// Node side: worker to node.
    public static let register = "/internal/v1/register"
    public static let heartbeat = "/internal/v1/heartbeat"
    public static let claim = "/internal/v1/claim"
    public static let report = "/internal/v1/report"
    public static let logs = "/internal/v1/logs"
}

/// Header fields that carry a signature.
public enum WireHeader {
    /// The version that the message is written in.
    public static let version = "X-Carillon-Version"
    /// All that its sender speaks: not signed, see `PeerVersions`.
    public static let versions = "X-Carillon-Versions"
    public static let sender = "X-Carillon-Sender"
    public static let receiver = "X-Carillon-Receiver"
    /// Milliseconds since 1970.
    public static let time = "X-Carillon-Time"
    public static let nonce = "X-Carillon-Nonce"
    public static let key = "X-Carillon-Key"
    public static let signature = "X-Carillon-Signature"
}

/// Bounds of the internal protocol beside those of the domain.
public enum WireLimits {
    /// Version of how keys are derived from the secret.
    public static let keys = "1"
    /// Bytes of one body. A leader splits what would be larger into several requests.
    public static let body = 16 * 1024 * 1024
    /// A message is believed for this long before and after its time.
    public static let window: Duration = .seconds(30)
    /// Nonces are remembered at least this long: a message from the window's far end can come back at its near end.
    public static let nonceMemory: Duration = .seconds(60)
    /// Nonces that are remembered at once. A receiver that has more refuses, rather than forget one too early.
    public static let nonces = 262_144
    public static let nonceBytes = 16
    /// Bytes of a name of a sender or receiver.
    public static let name = 255
    public static let url = 2_048
    /// Attempts named in one message.
    public static let attempts = 20_000
    /// Logs in one message, and bytes of a piece of one that is being read.
    public static let logs = 1_024
    public static let logPiece = 256 * 1024
    /// A worker answers a question for more of a log after this time at the latest.
    public static let logWaitMilliseconds: Int64 = 20_000
    /// Reports in one message.
    public static let reports = 256
    /// Bytes of the shortest secret that is accepted.
    public static let secretMinimum = 8
    /// Below it whoever overhears the traffic may guess the secret; operators are warned.
    public static let secretAdvised = 32
    public static let secretMaximum = 1_024
}
