import Crypto
import HTTP
import HTTPTransport
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import CommandLineTool

@Suite("Options of TLS")
struct TLSOptionTests {
    private static let authority = Result { try TestAuthority() }

    private func arguments(_ words: [String]) throws -> Arguments {
        let command = Command(path: ["x"], summary: "", options: TLSOptions.declarations, run: { _ in 0 })
        let program = Program(name: "carillon", version: "1", summary: "", commands: [command])
        guard case .run(_, let arguments) = try program.parse(["x"] + words, environment: [:], readFile: { _ in "" })
        else { throw CancellationError() }
        return arguments
    }

    private func failure(_ words: [String], advertised: String = "https://a:1") throws -> String? {
        let arguments = try arguments(words)
        do {
            _ = try TLSOptions.cluster(arguments, advertised: advertised)
            return nil
        } catch let error as UsageError { return error.message }
    }

    @Test("without any there is no TLS, whatever is advertised: a proxy may end it")
    func none() throws {
        #expect(try TLSOptions.cluster(try arguments([]), advertised: "https://a:1") == nil)
        #expect(try TLSOptions.cluster(try arguments([]), advertised: "http://a:1") == nil)
    }

    @Test("what belongs together must be given together, and the message says what is missing")
    func incomplete() throws {
        let pair = try Self.authority.get().issue()
        let authority = try Self.authority.get().certificate
        let both = ["--tls-certificate", pair.certificate, "--tls-key", pair.key]
        #expect(try failure(both) == nil)
        #expect(try failure(both + ["--tls-ca", authority, "--tls-client-ca", authority]) == nil)
        #expect(try failure(["--tls-ca", authority], advertised: "http://a:1") == nil)
        #expect(try failure(["--tls-certificate", pair.certificate])?.contains("--tls-key") == true)
        #expect(try failure(["--tls-key", pair.key])?.contains("give --tls-certificate") == true)
        #expect(try failure(["--tls-client-ca", authority])?.contains("--tls-certificate") == true)
        #expect(try failure(both + ["--require-client-certificate"])?.contains("--tls-client-ca") == true)
        #expect(try failure(both, advertised: "http://a:1")?.contains("https://") == true)
    }

    @Test("files that cannot be used are refused before anything is started")
    func files() throws {
        let pair = try Self.authority.get().issue()
        let other = try Self.authority.get().issue()
        let missing = try failure(["--tls-certificate", "/nonexistent/a.pem", "--tls-key", pair.key])
        #expect(missing?.contains("/nonexistent/a.pem: No such file") == true)
        let mixed = try failure(["--tls-certificate", pair.certificate, "--tls-key", other.key])
        #expect(mixed?.contains("does not belong") == true && mixed?.contains(other.key) == true)
        #expect(try failure(["--tls-ca", pair.key])?.contains("BEGIN CERTIFICATE") == true)
    }

    @Test("the plan of a cluster with TLS names https addresses and certificates")
    func dev() throws {
        let settings = DevCommand.Settings(nodes: 1, workers: 1, port: 9000, dataDirectory: "d", hasTLS: true)
        let plan = DevPlan(
            settings, folder: "/data", databaseURL: "postgresql:///x", secretFile: "/data/secret",
            workerPorts: [18080], isRoot: false)
        #expect(plan.nodes.map(\.url) == ["https://127.0.0.1:9000"])
        #expect(plan.workers.map(\.url) == ["https://127.0.0.1:18080"])
        for words in (plan.nodes + plan.workers).map(\.words) {
            #expect(words.contains("/data/tls/server.pem") && words.contains("--tls-client-ca"))
            #expect(!words.contains { $0.hasPrefix("http://") })
        }
        #expect(plan.banner(leader: nil, folder: "/data", key: "k").contains("--cacert /data/tls/ca.pem"))
    }
}

@Suite("The API client with TLS")
struct TLSClientTests {
    @Test("a redirect from https to http is not followed: the key would go there in the clear")
    func downgrade() throws {
        let authority = try TestAuthority()
        let (certificate, key) = try authority.issue().bytes()
        let trusted = try TestAuthority.bytes(authority.certificate)
        let asked = Mutex(0)
        let loop = try EventLoop()
        let failure = try loop.runUntilComplete {
            let plain = HTTPServer(HTTPServerConfiguration(), loop: loop, log: Log("test")) { _ in
                asked.withLock { $0 += 1 }
                return .json(["leader": "x"])
            }
            let plainPort = try await plain.start()
            var configuration = HTTPServerConfiguration()
            configuration.tls = try TLSServerContext(certificate: certificate, key: key)
            let secured = HTTPServer(configuration, loop: loop, log: Log("test")) { request in
                HTTPResponse(
                    status: 302, headers: ["Location": "http://127.0.0.1:\(plainPort)\(request.target)"])
            }
            let port = try await secured.start()
            let http = HTTPClient(loop: loop)
            defer { http.close() }
            var settings = HTTPClientTLS()
            settings.authorities = trusted
            let client = APIClient(
                url: "https://127.0.0.1:\(port)", key: "secret", http: http, timekeeper: loop, tls: settings)
            do {
                _ = try await client.json(.get, "/v1/scheduler/leader")
                return ""
            } catch let error as APIClient.Failure { return error.message }
        }
        #expect(failure.contains("in the clear"), "\(failure)")
        #expect(asked.withLock { $0 } == 0)
    }
}
