public import Crypto
import Glibc
public import HTTPTransport
public import Runtime
import Synchronization
import Timetable

/// The certificates of one process: what its server shows and asks for, and what its client trusts and shows within the
/// cluster. Read from files before the process serves, and again on SIGHUP.
///
/// Whatever is wrong with the files at a reading leaves everything as it was: all of it is replaced, or nothing.
/// Connections that are open go on with what they began with; new ones see the new certificates.
public final class ClusterTLS: Sendable {
    /// Paths; empty: none.
    public struct Files: Sendable, Equatable {
        /// The server's certificate, followed by those between it and its authority. Empty: the server speaks HTTP.
        public var certificate = ""
        public var key = ""
        /// Authorities that this process's client trusts within the cluster; empty: the system's.
        public var authority = ""
        /// Authorities of certificates that the internal protocol asks for; empty: it asks for none.
        public var clientAuthority = ""
        /// Whether every client must show one, not only those of the internal protocol.
        public var requiresClientCertificate = false

        public init() {}
    }

    /// Why the files cannot be used.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    static let longestFile = 1 << 20
    /// A certificate that ends sooner is warned of at each reading.
    static let endIsNear = Duration.seconds(14 * 86_400)

    private struct Material {
        var server: TLSServerContext?
        var client: HTTPClientTLS
    }

    public let files: Files
    private let material: Mutex<Material>
    private let servers = Mutex<[HTTPServer]>([])

    /// Reads the files; blocks.
    public init(_ files: Files) throws(Failure) {
        self.files = files
        material = Mutex(try Self.read(files))
    }

    /// What the server shows now; nil: it speaks HTTP.
    public var server: TLSServerContext? { material.withLock { $0.server } }

    /// What requests to nodes and workers carry.
    public var client: HTTPClientTLS { material.withLock { $0.client } }

    /// Whether messages of the internal protocol must come with a certificate.
    var internalProtocolIsMutual: Bool { !files.clientAuthority.isEmpty }

    /// Gives the server each new certificate from now on.
    func serve(_ server: HTTPServer) {
        guard !files.certificate.isEmpty else { return }
        servers.withLock { $0.append(server) }
    }

    /// Reads the files again, for new connections.
    public func reload(log: Log) async {
        let pool = BlockingPool(threads: 1, queueLimit: 1)
        do {
            let files = files
            let (server, client) = try await pool.run {
                let new = try Self.read(files)
                return (new.server, new.client)
            }
            if let server, Self.isOver(server.facts), let old = self.server, !Self.isOver(old.facts) {
                throw Failure(description: "\(files.certificate): \(Self.text(server.facts)) has expired")
            }
            material.withLock { $0 = Material(server: server, client: client) }
            if let server { for each in servers.withLock({ $0 }) { each.replace(tls: server) } }
            log.notice("the certificate files were read again; new connections use them")
            report(log)
        } catch {
            log.error(
                "the certificate files were not taken over: \(error). The former ones stay in use; correct the files "
                    + "and send SIGHUP again")
        }
    }

    /// Says what is in use, and what is about to fail.
    func report(_ log: Log) {
        guard let facts = server?.facts else { return }
        let text = "certificate \(Self.text(facts))"
        let left = Duration.seconds(facts.notAfterSeconds - Self.now())
        if left <= .zero {
            log.error("\(text) has expired: no client believes it. Replace \(files.certificate) and send SIGHUP")
        } else if facts.notBeforeSeconds > Self.now() {
            log.error("\(text) is not valid before \(Instant(seconds: facts.notBeforeSeconds).iso8601)")
        } else if left < Self.endIsNear {
            log.warning("\(text) ends soon: replace \(files.certificate) and send SIGHUP")
        } else {
            log.notice("\(text)\(internalProtocolIsMutual ? "; the internal protocol asks for certificates" : "")")
        }
    }

    // MARK: Reading

    private static func read(_ files: Files) throws(Failure) -> Material {
        var client = HTTPClientTLS()
        if !files.authority.isEmpty {
            client.authorities = try bytes(files.authority)
            try naming(files.authority) { () throws(TLSError) in
                _ = try CertificateFacts.first(of: client.authorities)
            }
        }
        guard !files.certificate.isEmpty else { return Material(server: nil, client: client) }
        client.certificate = try bytes(files.certificate)
        client.key = try bytes(files.key)
        let authorities = files.clientAuthority.isEmpty ? [] : try bytes(files.clientAuthority)
        let wanted: TLSServerContext.ClientCertificates =
            files.clientAuthority.isEmpty ? .none : files.requiresClientCertificate ? .required : .optional
        let (certificate, key) = (client.certificate, client.key)
        let paths = [files.certificate, files.key, files.clientAuthority].filter { !$0.isEmpty }
        let server = try naming(paths.joined(separator: ", ")) { () throws(TLSError) in
            try TLSServerContext(
                certificate: certificate, key: key, clientAuthorities: authorities, clientCertificates: wanted)
        }
        return Material(server: server, client: client)
    }

    private static func naming<T>(_ paths: String, _ body: () throws(TLSError) -> T) throws(Failure) -> T {
        do { return try body() } catch { throw Failure(description: "\(paths): \(error.message)") }
    }

    private static func bytes(_ path: String) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure(path) }
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= longestFile else {
                throw Failure(description: "\(path): it is longer than \(longestFile) bytes")
            }
        }
    }

    private static func failure(_ path: String) -> Failure {
        Failure(description: "\(path): \(String(cString: strerror(errno)))")
    }

    private static func now() -> Int64 { Int64(time(nil)) }

    private static func isOver(_ facts: CertificateFacts) -> Bool { facts.notAfterSeconds <= now() }

    private static func text(_ facts: CertificateFacts) -> String {
        "of \(facts.subject), valid until \(Instant(seconds: facts.notAfterSeconds).iso8601)"
    }
}
