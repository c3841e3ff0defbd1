import Crypto
import Testing

@Suite("Text codings")
struct CodingTests {
    @Test("hexadecimal text comes back as it went, in either case")
    func hex() {
        let all = [UInt8](0...255)
        #expect(Hex.decode(Hex.encode(all)) == all)
        #expect(Hex.decode(Hex.encode(all).uppercased()) == all)
        #expect(Hex.encode([0x00, 0xff, 0x1a]) == "00ff1a")
        #expect(Hex.decode("") == [])
    }

    @Test("text that is not hexadecimal is refused", arguments: ["0", "0g", "abc", "é", "0x10", " 00"])
    func badHex(text: String) {
        #expect(Hex.decode(text) == nil)
    }

    @Test(
        "base 64 gives the texts of RFC 4648 without padding",
        arguments: [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ])
    func base64(text: String, expected: String) {
        #expect(Base64URL.encode(Array(text.utf8)) == expected)
        #expect(Base64URL.decode(expected) == Array(text.utf8))
    }

    @Test("base 64 uses the alphabet that is safe in URLs")
    func alphabet() {
        #expect(Base64URL.encode([0xfb, 0xff, 0xfe]) == "-__-")
        #expect(Base64URL.decode("-__-") == [0xfb, 0xff, 0xfe])
    }

    @Test("every length comes back as it went")
    func lengths() throws {
        for count in 0...70 {
            let bytes = try RandomBytes.make(count)
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
        }
    }

    @Test(
        "text that is not canonical base 64 is refused",
        arguments: ["Z", "Zg==", "Zh", "Zm9", "+/+/", "Zm9v\n", "Zm 9"])
    func badBase64(text: String) {
        #expect(Base64URL.decode(text) == nil)
    }
}
