import Crypto
import Testing

@Suite("Crypto")
struct CryptoTests {
    @Test(
        "SHA-256 gives the digests of FIPS 180-4",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func digest(text: String, expected: String) {
        #expect(Hex.encode(Digest.sha256(Array(text.utf8))) == expected)
    }

    @Test("SHA-256 of a million times the letter a")
    func longDigest() {
        let bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
        #expect(
            Hex.encode(Digest.sha256(bytes)) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    struct MACCase: Sendable {
        let key: [UInt8]
        let message: [UInt8]
        let expected: String
    }

    static let rfc4231: [MACCase] = [
        MACCase(
            key: .init(repeating: 0x0b, count: 20), message: Array("Hi There".utf8),
            expected: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        MACCase(
            key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8),
            expected: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        MACCase(
            key: .init(repeating: 0xaa, count: 20), message: .init(repeating: 0xdd, count: 50),
            expected: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        MACCase(
            key: Array(1...25), message: .init(repeating: 0xcd, count: 50),
            expected: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        MACCase(
            key: .init(repeating: 0xaa, count: 131),
            message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            expected: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        MACCase(
            key: [], message: [], expected: "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ]

    @Test("HMAC-SHA256 gives the codes of RFC 4231, and that of an empty key", arguments: rfc4231)
    func mac(example: MACCase) {
        #expect(Hex.encode(MAC.hmacSHA256(key: example.key, example.message)) == example.expected)
    }

    @Test("random bytes have the length asked for and do not repeat")
    func random() throws {
        let first = try RandomBytes.make(32)
        let second = try RandomBytes.make(32)
        #expect(first.count == 32 && second.count == 32 && first != second)
        #expect(try RandomBytes.make(0).isEmpty)
        #expect(throws: RandomBytesError.self) { try RandomBytes.make(-1) }
        #expect(throws: RandomBytesError.self) { try RandomBytes.make(RandomBytes.maximumCount + 1) }
    }

    @Test("constant-time comparison agrees with plain comparison")
    func comparison() {
        #expect(constantTimeEqual([], []))
        #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2, 4]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2]))
        #expect(!constantTimeEqual([], [0]))
    }
}
