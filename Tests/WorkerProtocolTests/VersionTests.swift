import Domain
import HTTP
import Testing
import Timetable

@testable import WorkerProtocol

@Suite("Versions of the protocol")
struct VersionTests {
    private static let now = Instant(seconds: 1_800_000_000)
    private static let body = Array("{}".utf8)
    private static func versions(_ oldest: Int, _ newest: Int) -> ProtocolVersions {
        ProtocolVersions(oldest: oldest, newest: newest)
    }

    @Test("their text has one spelling")
    func text() {
        #expect(ProtocolVersions("1-2") == Self.versions(1, 2))
        #expect(Self.versions(1, 2).description == "1-2")
        for text in ["", "1", "2-1", "01-2", "1-+2", "0-1", "1-2-3", "1-2 ", "a-b", "1-9999999999"] {
            #expect(ProtocolVersions(text) == nil, "\(text)")
        }
    }

    @Test("the newest that both speak is found, where there is one")
    func common() {
        let cases = [((1, 1), (1, 2), 1), ((1, 2), (1, 2), 2), ((2, 3), (1, 2), 2), ((2, 3), (3, 9), 3)]
        for ((a, b), (c, d), version) in cases {
            #expect(Self.versions(a, b).common(with: Self.versions(c, d)) == version)
            #expect(Self.versions(c, d).common(with: Self.versions(a, b)) == version)
        }
        #expect(Self.versions(1, 1).common(with: Self.versions(2, 3)) == nil)
    }

    /// One side asks, the other answers; each of its own release.
    private struct Pair {
        let signer: MessageSigner
        var verifier: MessageVerifier
        var peers: PeerVersions
        var nonces: UInt8 = 0
        /// Versions of what was sent.
        var sent: [Int] = []

        init(asking: ProtocolVersions, answering: ProtocolVersions) throws {
            let ring = try SecretRing(parsing: String(repeating: "s", count: 64))
            signer = try MessageSigner(ring: ring, direction: .workerToNode, sender: "w1", versions: asking)
            verifier = try MessageVerifier(
                ring: ring, direction: .workerToNode, name: "n1", versions: answering)
            peers = PeerVersions(own: asking)
        }

        /// Asks until it is answered or that is of no use; as Node does, which adds the network.
        mutating func ask() throws -> Bool {
            var version = peers.version(for: "n1")
            while true {
                nonces += 1
                sent.append(version)
                let (headers, pending) = try signer.sign(
                    method: .post, path: WorkerPath.claim, body: VersionTests.body, receiver: "n1",
                    now: VersionTests.now,
                    nonce: [UInt8](repeating: nonces, count: WireLimits.nonceBytes), version: version)
                guard
                    let message = try? verifier.verify(
                        method: .post, path: WorkerPath.claim, query: nil, headers: headers, body: VersionTests.body,
                        now: VersionTests.now)
                else {
                    // A refusal is not signed, but says what its sender speaks.
                    let text = verifier.versions.description
                    guard let again = peers.answered(by: "n1", to: version, speaking: text) else { return false }
                    version = again
                    continue
                }
                let answer = verifier.signResponse(
                    status: 200, body: VersionTests.body, to: message, now: VersionTests.now)
                try signer.verifyResponse(
                    status: 200, headers: answer, body: VersionTests.body, to: pending, now: VersionTests.now)
                #expect(message.version == version)
                #expect(
                    peers.answered(by: "n1", to: version, speaking: answer[WireHeader.versions]) == nil)
                return true
            }
        }
    }

    @Test("a new side asks an old one twice the first time, and in its version from then on")
    func newAsksOld() throws {
        var pair = try Pair(asking: Self.versions(1, 2), answering: Self.versions(1, 1))
        #expect(try pair.ask())
        #expect(try pair.ask())
        #expect(pair.sent == [2, 1, 1])
    }

    @Test("an old side asks a new one in its own version")
    func oldAsksNew() throws {
        var pair = try Pair(asking: Self.versions(1, 1), answering: Self.versions(1, 2))
        #expect(try pair.ask())
        #expect(pair.sent == [1])
    }

    @Test("once the old side has been upgraded it is spoken to in the new version")
    func upgraded() throws {
        var pair = try Pair(asking: Self.versions(1, 2), answering: Self.versions(1, 1))
        #expect(try pair.ask())
        let newer = try Pair(asking: Self.versions(1, 2), answering: Self.versions(1, 2))
        pair.verifier = newer.verifier
        #expect(try pair.ask())
        #expect(try pair.ask())
        #expect(pair.sent == [2, 1, 1, 2])
    }

    @Test("releases that are too far apart are refused with what to do, and not asked for ever")
    func tooFarApart() throws {
        var pair = try Pair(asking: Self.versions(2, 3), answering: Self.versions(1, 1))
        #expect(try pair.ask() == false)
        #expect(pair.sent == [3])
        let fields = HTTPHeaders([(WireHeader.version, "3")])
        #expect {
            _ = try SignatureFields(fields, versions: Self.versions(1, 1))
        } throws: {
            ($0 as? DomainError)?.message.contains("upgrade the older") == true
        }
    }

    @Test("what a peer says of itself cannot make the asker use a version that it does not speak, or repeat for ever")
    func forged() {
        var peers = PeerVersions(own: Self.versions(2, 3))
        for text in ["1-1", "9-9", "x", ""] {
            #expect(peers.answered(by: "p", to: 3, speaking: text) == nil)
        }
        #expect(peers.answered(by: "p", to: 3, speaking: "1-2") == 2)
        #expect(peers.answered(by: "p", to: 2, speaking: "1-2") == nil)
        #expect(peers.version(for: "p") == 2)
    }
}
