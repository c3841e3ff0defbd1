import Foundation
import Synchronization

/// A certificate authority of a test's own, made by the openssl command. Its files go with the last reference.
public final class TestAuthority: Sendable {
    /// PEM files.
    public struct Pair: Sendable {
        public let certificate: String
        public let key: String

        public func bytes() throws -> (certificate: [UInt8], key: [UInt8]) {
            (try TestAuthority.bytes(certificate), try TestAuthority.bytes(key))
        }
    }

    public enum KeyKind: String, Sendable {
        case p256, rsa2048

        var words: [String] {
            switch self {
            case .p256: ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            case .rsa2048: ["rsa:2048"]
            }
        }
    }

    public let folder: String
    private let issued = Atomic<Int>(0)

    /// The authority's own certificate.
    public var certificate: String { folder + "/ca.pem" }

    public init(name: String = "Carillon Test CA") throws {
        folder = NSTemporaryDirectory() + "carillon-ca-\(UUID().uuidString.prefix(8))"
        // Others may pass: a server that runs as another user reads its files.
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        try openssl(
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)"]
                + ["-days", "100", "-keyout", folder + "/ca.key", "-out", certificate]
                + ["-addext", "keyUsage=critical,keyCertSign,cRLSign"])
    }

    deinit {
        // What cannot be removed is in the system's folder for temporary files.
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Issues a certificate for server and client.
    /// - Parameters:
    ///   - name: its subject's common name.
    ///   - hosts: its alternative names, such as `IP:127.0.0.1`.
    ///   - days: negative: it has ended already.
    public func issue(
        _ name: String = "server", hosts: String = "IP:127.0.0.1,DNS:localhost", days: Int = 60, _ kind: KeyKind = .p256
    ) throws -> Pair {
        let base = "\(folder)/\(issued.wrappingAdd(1, ordering: .relaxed).newValue)-\(name)"
        let pair = Pair(certificate: base + ".pem", key: base + ".key")
        try openssl(
            ["req", "-new", "-newkey"] + kind.words
                + ["-nodes", "-subj", "/CN=\(name)", "-keyout", pair.key, "-out", base + ".csr"])
        let extensions = """
            subjectAltName=\(hosts)
            basicConstraints=critical,CA:false
            extendedKeyUsage=serverAuth,clientAuth

            """
        try extensions.write(toFile: base + ".ext", atomically: true, encoding: .utf8)
        try openssl(
            ["x509", "-req", "-in", base + ".csr", "-CA", certificate, "-CAkey", folder + "/ca.key"]
                + ["-CAcreateserial", "-days", "\(days)", "-out", pair.certificate, "-extfile", base + ".ext"])
        return pair
    }

    private func openssl(_ words: [String]) throws {
        let result = try TestTool.run(["openssl"] + words)
        guard result.status == 0 else {
            throw TestPostgres.Failure(description: "openssl \(words[0]): \(result.output)")
        }
    }

    public static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }
}
