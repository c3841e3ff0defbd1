import Crypto
import Glibc
import TestSupport
import Testing

@Suite("Certificates of a server")
struct TLSContextTests {
    private static let authority = Result { try TestAuthority() }

    private func message(
        certificate: [UInt8], key: [UInt8], authorities: [UInt8] = [],
        clients: TLSServerContext.ClientCertificates = .none
    ) -> String? {
        do {
            _ = try TLSServerContext(
                certificate: certificate, key: key, clientAuthorities: authorities, clientCertificates: clients)
            return nil
        } catch {
            #expect(error.code == .material)
            return error.message
        }
    }

    @Test("a pair is taken, and its facts are known", arguments: [TestAuthority.KeyKind.p256, .rsa2048])
    func pair(kind: TestAuthority.KeyKind) throws {
        let (certificate, key) = try Self.authority.get().issue("node-1", days: 2, kind).bytes()
        let context = try TLSServerContext(certificate: certificate, key: key)
        #expect(context.facts.subject == "CN = node-1")
        let now = Int64(time(nil))
        #expect(abs(context.facts.notAfterSeconds - now - 2 * 86_400) < 600)
        #expect(abs(context.facts.notBeforeSeconds - now) < 600)
    }

    @Test("a chain is taken, the server's own certificate first")
    func chain() throws {
        let authority = try Self.authority.get()
        let (certificate, key) = try authority.issue("node-1").bytes()
        let above = try TestAuthority.bytes(authority.certificate)
        #expect(message(certificate: certificate + above, key: key) == nil)
        #expect(message(certificate: above + certificate, key: key)?.contains("stands first") == true)
    }

    @Test("a key of another certificate is told apart")
    func mismatch() throws {
        let one = try Self.authority.get().issue("node-1").bytes()
        let other = try Self.authority.get().issue("node-2").bytes()
        #expect(message(certificate: one.certificate, key: other.key)?.contains("does not belong") == true)
    }

    @Test("what is no certificate or key is refused with what would be right")
    func nonsense() throws {
        let (certificate, key) = try Self.authority.get().issue("node-1").bytes()
        for bytes in [[], Array("hello".utf8), key] {
            #expect(message(certificate: bytes, key: key)?.contains("BEGIN CERTIFICATE") == true)
        }
        for bytes in [[], Array("hello".utf8), certificate] {
            #expect(message(certificate: certificate, key: bytes)?.contains("BEGIN PRIVATE KEY") == true)
        }
        let half = Array(certificate.prefix(certificate.count / 2))
        #expect(message(certificate: half, key: key)?.contains("certificate") == true)
        // A whole one and a broken one behind it: nothing is left out in silence.
        #expect(message(certificate: certificate + half, key: key)?.contains("cannot be read") == true)
    }

    @Test("an encrypted key is refused without asking anybody for its passphrase")
    func encrypted() throws {
        let authority = try Self.authority.get()
        let pair = try authority.issue("node-1")
        let path = authority.folder + "/encrypted.key"
        let made = try TestTool.run(
            ["openssl", "pkey", "-in", pair.key, "-aes256", "-passout", "pass:secret", "-out", path])
        #expect(made.status == 0)
        let text = message(certificate: try pair.bytes().certificate, key: try TestAuthority.bytes(path))
        #expect(text?.contains("encrypted") == true)
    }

    @Test("authorities of clients must be certificates")
    func authorities() throws {
        let authority = try Self.authority.get()
        let (certificate, key) = try authority.issue("node-1").bytes()
        let good = try TestAuthority.bytes(authority.certificate)
        #expect(message(certificate: certificate, key: key, authorities: good, clients: .required) == nil)
        #expect(message(certificate: certificate, key: key, authorities: good + good, clients: .optional) == nil)
        let text = message(certificate: certificate, key: key, authorities: key, clients: .required)
        #expect(text?.hasPrefix("the client authority") == true)
    }
}
