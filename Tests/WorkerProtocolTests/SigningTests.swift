import Domain
import HTTP
import Testing
import Timetable

@testable import WorkerProtocol

private let secretA = String(repeating: "a", count: 64)
private let secretB = String(repeating: "b", count: 64)
private let now = Instant(seconds: 1_800_000_000)
private let sampleBody = Array(#"{"worker":"w1"}"#.utf8)

private func ring(_ lines: String...) throws -> SecretRing { try SecretRing(parsing: lines.joined(separator: "\n")) }

private func nonce(_ value: UInt8) -> [UInt8] { [UInt8](repeating: value, count: WireLimits.nonceBytes) }

/// A request as it arrives.
private struct Wire {
    var method = HTTPMethod.post
    var path = WorkerPath.claim
    var query: String? = "a=1"
    var headers = HTTPHeaders()
    var body = sampleBody
    func verified(by verifier: inout MessageVerifier, at time: Instant = now) throws -> VerifiedMessage {
        try verifier.verify(method: method, path: path, query: query, headers: headers, body: body, now: time)
    }
}

private func signed(
    _ ring: SecretRing, direction: MessageDirection = .workerToNode, receiver: String = MessageVerifier.anyNode,
    nonce value: UInt8 = 1
) throws -> (Wire, MessageSigner, MessageSigner.Pending) {
    let signer = try MessageSigner(ring: ring, direction: direction, sender: "w1")
    var wire = Wire()
    let (headers, pending) = try signer.sign(
        method: wire.method, path: wire.path, query: wire.query, body: wire.body, receiver: receiver, now: now,
        nonce: nonce(value))
    wire.headers = headers
    return (wire, signer, pending)
}

private func verifier(
    _ ring: SecretRing, direction: MessageDirection = .workerToNode, capacity: Int = 1000
) throws -> MessageVerifier {
    try MessageVerifier(
        ring: ring, direction: direction, name: "node-1", aliases: [MessageVerifier.anyNode], nonceCapacity: capacity)
}

@Suite("Signatures")
struct SigningTests {
    @Test("a signed request is believed and names its sender")
    func believed() throws {
        let (wire, _, _) = try signed(ring(secretA))
        var receiver = try verifier(ring(secretA))
        let message = try wire.verified(by: &receiver)
        #expect(message.sender == "w1")
        try message.requireSender("w1")
        #expect(throws: DomainError.self) { try message.requireSender("w2") }
    }

    @Test("a request that differs in any signed part is refused", arguments: 0..<12)
    func tampered(part: Int) throws {
        var (wire, _, _) = try signed(ring(secretA))
        switch part {
        case 0: wire.method = .put
        case 1: wire.path = WorkerPath.report
        case 2: wire.query = "a=2"
        case 3: wire.query = nil
        case 4: wire.body[3] ^= 1
        case 5: wire.body.append(0x20)
        case 6: wire.headers[WireHeader.sender] = "w2"
        case 7: wire.headers[WireHeader.receiver] = "node-1"
        case 8: wire.headers[WireHeader.time] = String(now.milliseconds + 1)
        case 9: wire.headers[WireHeader.nonce] = String(repeating: "0f", count: WireLimits.nonceBytes)
        case 10: wire.headers[WireHeader.version] = "2"
        default: wire.headers[WireHeader.key] = String(repeating: "0", count: 16)
        }
        var receiver = try verifier(ring(secretA))
        #expect { try wire.verified(by: &receiver) } throws: { ($0 as? DomainError)?.code == .unauthenticated }
    }

    @Test(
        "a request without one of the fields, or with it twice, is refused",
        arguments: [
            WireHeader.version, WireHeader.sender, WireHeader.receiver, WireHeader.time, WireHeader.nonce,
            WireHeader.key, WireHeader.signature,
        ])
    func fields(name: String) throws {
        var receiver = try verifier(ring(secretA))
        var (wire, _, _) = try signed(ring(secretA))
        wire.headers.add(name, wire.headers[name] ?? "")
        #expect { try wire.verified(by: &receiver) } throws: { ($0 as? DomainError)?.code == .unauthenticated }
        wire.headers[name] = nil
        #expect { try wire.verified(by: &receiver) } throws: { ($0 as? DomainError)?.code == .unauthenticated }
    }

    @Test("each changed digit of the signature is noticed")
    func signatureDigits() throws {
        let (wire, _, _) = try signed(ring(secretA))
        let signature = try #require(wire.headers[WireHeader.signature])
        #expect(signature.count == 64)
        for index in signature.indices {
            var changed = wire
            var digits = signature
            digits.replaceSubrange(index...index, with: digits[index] == "0" ? "1" : "0")
            changed.headers[WireHeader.signature] = digits
            var receiver = try verifier(ring(secretA))
            #expect(throws: DomainError.self) { try changed.verified(by: &receiver) }
        }
        var short = wire
        short.headers[WireHeader.signature] = String(signature.dropLast(2))
        var receiver = try verifier(ring(secretA))
        #expect(throws: DomainError.self) { try short.verified(by: &receiver) }
    }

    @Test("a request can be used once, and a second spelling of its nonce does not help")
    func replay() throws {
        var (wire, _, _) = try signed(ring(secretA), nonce: 0xAB)
        var receiver = try verifier(ring(secretA))
        _ = try wire.verified(by: &receiver)
        #expect { try wire.verified(by: &receiver) } throws: { "\($0)".contains("before") }
        #expect { try wire.verified(by: &receiver, at: now.advanced(by: .seconds(30))) } throws: {
            "\($0)".contains("before")
        }
        wire.headers[WireHeader.nonce] = wire.headers[WireHeader.nonce]?.uppercased()
        #expect(throws: DomainError.self) { try wire.verified(by: &receiver) }
    }

    @Test("a refused request does not use up its nonce")
    func refusedNonce() throws {
        let (wire, _, _) = try signed(ring(secretA))
        var forged = wire
        forged.body = []
        var receiver = try verifier(ring(secretA))
        #expect(throws: DomainError.self) { try forged.verified(by: &receiver) }
        _ = try wire.verified(by: &receiver)
    }

    @Test("the window is 30 seconds to both sides", arguments: [-30_001, -30_000, 0, 30_000, 30_001])
    func window(milliseconds: Int) throws {
        let (wire, _, _) = try signed(ring(secretA))
        var receiver = try verifier(ring(secretA))
        let time = now.advanced(by: .milliseconds(milliseconds))
        if abs(milliseconds) <= 30_000 {
            _ = try wire.verified(by: &receiver, at: time)
        } else {
            #expect { try wire.verified(by: &receiver, at: time) } throws: { "\($0)".contains("clocks") }
        }
    }

    @Test("a time that would overflow is refused, not trapped on")
    func absurdTime() throws {
        var (wire, _, _) = try signed(ring(secretA))
        for text in [String(Int64.min), String(Int64.max), "+1", "01", "", " 1", "1.0", "99999999999999999999"] {
            wire.headers[WireHeader.time] = text
            var receiver = try verifier(ring(secretA))
            #expect(throws: DomainError.self) { try wire.verified(by: &receiver) }
        }
    }

    @Test("what goes one way is not believed on the other, nor a request for somebody else")
    func direction() throws {
        let (wire, _, _) = try signed(ring(secretA), direction: .nodeToWorker)
        var receiver = try verifier(ring(secretA))
        #expect(throws: DomainError.self) { try wire.verified(by: &receiver) }
        let (other, _, _) = try signed(ring(secretA), receiver: "node-2")
        #expect { try other.verified(by: &receiver) } throws: { "\($0)".contains("node-2") }
    }

    @Test("during a rotation both secrets are accepted; before and after only one")
    func rotation() throws {
        let (old, _, _) = try signed(ring(secretA), nonce: 1)
        let (new, _, _) = try signed(ring(secretB, secretA), nonce: 2)
        var both = try verifier(ring(secretA, secretB))
        _ = try old.verified(by: &both)
        _ = try new.verified(by: &both)
        var onlyNew = try verifier(ring(secretB))
        _ = try new.verified(by: &onlyNew)
        #expect { try old.verified(by: &onlyNew) } throws: { "\($0)".contains("another secret") }
    }

    @Test("an answer is believed for its own request only")
    func response() throws {
        let (wire, signer, pending) = try signed(ring(secretA), nonce: 1)
        let (_, _, other) = try signed(ring(secretA), nonce: 2)
        var receiver = try verifier(ring(secretB, secretA))
        let message = try wire.verified(by: &receiver)
        let answer = Array("{}".utf8)
        let headers = receiver.signResponse(status: 200, body: answer, to: message, now: now)
        #expect(
            try signer.verifyResponse(status: 200, headers: headers, body: answer, to: pending, now: now) == "node-1")
        func isRefused(
            _ status: Int, _ headers: HTTPHeaders, _ body: [UInt8], _ pending: MessageSigner.Pending,
            _ time: Instant = now
        ) -> Bool {
            (try? signer.verifyResponse(status: status, headers: headers, body: body, to: pending, now: time)) == nil
        }
        #expect(isRefused(201, headers, answer, pending))
        #expect(isRefused(200, headers, Array("{ }".utf8), pending))
        #expect(isRefused(200, headers, answer, other))
        #expect(isRefused(200, headers, answer, pending, now.advanced(by: .seconds(31))))
        #expect(isRefused(200, [:], answer, pending))
        // A request of ours sent back at us is no answer.
        #expect(isRefused(200, wire.headers, wire.body, pending))
        for name in [WireHeader.sender, WireHeader.receiver, WireHeader.time, WireHeader.nonce, WireHeader.key] {
            var changed = headers
            changed[name] = (changed[name] ?? "") + "0"
            #expect(isRefused(200, changed, answer, pending), "\(name)")
        }
    }

    @Test("nonces are remembered for more than the window, then forgotten, and never too many")
    func memory() throws {
        var memory = NonceMemory(capacity: 3)
        func text(_ value: Int) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: 32 - digits.count) + digits
        }
        #expect(memory.insert(text(1), now: now) == .new)
        #expect(memory.insert(text(2), now: now.advanced(by: .seconds(59))) == .new)
        #expect(memory.insert(text(1), now: now.advanced(by: .seconds(60))) == .repeated)
        #expect(memory.insert(text(2), now: now.advanced(by: .seconds(118))) == .repeated)
        #expect(memory.insert(text(3), now: now.advanced(by: .seconds(118))) == .new)
        #expect(memory.insert(text(4), now: now.advanced(by: .seconds(118))) == .full)
        #expect(memory.insert(text(4), now: now.advanced(by: .seconds(120))) == .new)
        #expect(memory.insert(text(1), now: now.advanced(by: .seconds(1000))) == .new)
    }

    @Test("a receiver whose memory is full refuses instead of forgetting")
    func full() throws {
        var receiver = try verifier(ring(secretA), capacity: 1)
        let (first, _, _) = try signed(ring(secretA), nonce: 1)
        let (second, _, _) = try signed(ring(secretA), nonce: 2)
        _ = try first.verified(by: &receiver)
        #expect { try second.verified(by: &receiver) } throws: { ($0 as? DomainError)?.code == .tooMany }
    }
}

@Suite("Secret files")
struct SecretRingTests {
    @Test("one or two lines are taken, with comments and empty lines between")
    func accepted() throws {
        _ = try SecretRing(parsing: secretA)
        _ = try SecretRing(parsing: "# new\n\(secretB)\r\n\n  \(secretA)  \n")
    }

    @Test(
        "anything else is refused, without repeating it",
        arguments: [
            "", "\n# only a comment\n", "short", String(repeating: "x", count: 1025),
            "\(secretA)\n\(secretB)\n\(secretA)c", "\(secretA)\n\(secretA)", "\(secretA) blank inside",
            String(repeating: "ä", count: 40),
        ])
    func refused(text: String) {
        #expect {
            try SecretRing(parsing: text)
        } throws: { error in
            let error = error as? DomainError
            return error?.code == .invalid && (text.count < 6 || error?.message.contains(text) == false)
        }
    }

    @Test("its description shows no secret")
    func description() throws {
        #expect(try "\(ring(secretA))" == "SecretRing(1)")
    }
}

@Test("a secret that may be guessed is told from a good one; one that is no secret is refused")
func shortSecrets() throws {
    #expect(try SecretRing(parsing: "test-secret").isShort)
    #expect(try !SecretRing(parsing: secretA).isShort)
    #expect(try SecretRing(parsing: "\(secretA)\ntest-secret").isShort)
    #expect(throws: DomainError.self) { try SecretRing(parsing: "seven77") }
}
