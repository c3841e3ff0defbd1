import Crypto
import Glibc
import HTTPTransport

/// The certificates of `carillon dev --tls`: an authority of the folder's own, and one certificate for all members,
/// which are all on this machine.
struct DevCertificates: Equatable, Sendable {
    /// PEM files.
    let authority: String
    let certificate: String
    let key: String

    /// As long as a browser believes one.
    static let days = 397
    /// One that ends sooner is replaced at the start.
    static let leastSeconds: Int64 = 30 * 86_400

    init(folder: String) {
        let folder = folder + "/tls"
        authority = folder + "/ca.pem"
        certificate = folder + "/server.pem"
        key = folder + "/server.key"
    }

    /// Options of a member: it serves HTTPS, and nodes and workers show each other certificates.
    var words: [String] {
        [
            "--tls-certificate", certificate, "--tls-key", key, "--tls-ca", authority, "--tls-client-ca", authority,
        ]
    }

    /// Makes what is missing or ends soon, by the openssl command.
    func prepare(_ perform: (ChildProcess.Program) async throws -> Void) async throws {
        let folder = String(authority.dropLast("/ca.pem".count))
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw DevFiles.FileError("cannot make the folder '\(folder)'")
        }
        let authorityKey = folder + "/ca.key"
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        if !Self.isGood(authority) {
            try await perform(
                Self.openssl(
                    ["req", "-x509"] + key + ["-subj", "/CN=Carillon dev", "-days", "3650"]
                        + ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
                        + ["-keyout", authorityKey, "-out", authority]))
            unlink(certificate)
        }
        guard !Self.isGood(certificate) else { return }
        try await perform(
            Self.openssl(
                ["req", "-x509", "-CA", authority, "-CAkey", authorityKey] + key
                    + ["-subj", "/CN=localhost", "-days", "\(Self.days)"]
                    + ["-addext", "subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost"]
                    + ["-addext", "basicConstraints=critical,CA:false"]
                    + ["-addext", "extendedKeyUsage=serverAuth,clientAuth"]
                    + ["-keyout", self.key, "-out", certificate]))
    }

    /// What a client of these members trusts and shows.
    func client() throws -> HTTPClientTLS {
        HTTPClientTLS(authorities: try Self.bytes(authority))
    }

    private static func openssl(_ words: [String]) -> ChildProcess.Program {
        .init(path: "openssl", arguments: words)
    }

    private static func isGood(_ path: String) -> Bool {
        // A file that cannot be read, or is none, is made anew.
        guard let bytes = try? bytes(path), let facts = try? CertificateFacts.first(of: bytes) else { return false }
        return facts.notAfterSeconds - Int64(time(nil)) > leastSeconds
    }

    private static func bytes(_ path: String) throws -> [UInt8] {
        Array(try SmallFile.read(path, limit: 64 << 10).utf8)
    }
}
