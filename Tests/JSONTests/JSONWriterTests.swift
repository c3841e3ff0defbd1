import Foundation
import JSON
import Testing

private func written(_ write: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter(reserving: 16)
    write(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
}

struct JSONWriterTests {
    @Test("commas and colons come by themselves")
    func structure() {
        let text = written {
            $0.beginObject()
            $0.key("a")
            $0.integer(Int64(-12))
            $0.key("b")
            $0.beginArray()
            $0.bool(true)
            $0.null()
            $0.beginObject()
            $0.endObject()
            $0.beginArray()
            $0.endArray()
            $0.raw(Array("[0]".utf8))
            $0.string("x")
            $0.endArray()
            $0.key("c")
            $0.javaDouble(256)
            $0.key("d")
            $0.value(["x": 1, "y": [1.5, nil]])
            $0.endObject()
        }
        #expect(text == #"{"a":-12,"b":[true,null,{},[],[0],"x"],"c":256.0,"d":{"x":1,"y":[1.5,null]}}"#)
    }

    @Test("only what must be escaped is")
    func escapes() {
        #expect(written { $0.string("a/b<>&'é🕰\u{7f}\u{2028}") } == "\"a/b<>&'é🕰\u{7f}\u{2028}\"")
        #expect(written { $0.string("\"\\") } == #""\"\\""#)
        #expect(written { $0.string("\u{8}\t\n\u{c}\r\0\u{1f}\u{10}x") } == #""\b\t\n\f\r\u0000\u001f\u0010x""#)
        #expect(written { $0.string("") } == "\"\"")
    }

    @Test(
        "integers are written whole",
        arguments: [0, 1, -1, 9, 10, 99, 100, -100, 1_234_567_890, Int64.max, Int64.min])
    func integers(value: Int64) {
        #expect(written { $0.integer(value) } == "\(value)")
        #expect(written { $0.integer(Int128(value) * 10) } == "\(Int128(value) * 10)")
        #expect(written { $0.integer(7) } == "7")
    }

    @Test(
        "doubles are the shortest text that reads back, integral ones without a fraction",
        arguments: [
            (0.0, "0"), (-0.0, "-0"), (256, "256"), (0.1, "0.1"), (-1.5, "-1.5"), (1e21, "1e+21"),
            (.leastNonzeroMagnitude, "5e-324"),
            (1e7, "10000000"), (.infinity, "null"), (.nan, "null"), (1.0 / 3, "0.3333333333333333"),
        ])
    func doubles(value: Double, text: String) {
        #expect(written { $0.double(value) } == text)
    }

    @Test(
        "Java's text of a double",
        arguments: [
            (256.0, "256.0"), (0.1, "0.1"), (0, "0.0"), (-0.0, "-0.0"), (1, "1.0"), (-2.5, "-2.5"), (100, "100.0"),
            (9_999_999, "9999999.0"), (1e7, "1.0E7"), (12_345_678, "1.2345678E7"), (0.001, "0.001"),
            (0.00099, "9.9E-4"), (0.012, "0.012"), (1e-4, "1.0E-4"), (1e-5, "1.0E-5"), (1.5e-7, "1.5E-7"),
            (1e16, "1.0E16"), (1e17, "1.0E17"), (1.234e22, "1.234E22"), (1e100, "1.0E100"),
            (.greatestFiniteMagnitude, "1.7976931348623157E308"), (123.456, "123.456"), (1_000_000, "1000000.0"),
            (.infinity, "Infinity"), (-.infinity, "-Infinity"), (.nan, "NaN"),
        ])
    func javaDoubles(value: Double, text: String) {
        #expect(JSONWriter.javaDouble(value) == text)
    }

    @Test("JSON has no infinity, in Java's form neither")
    func javaInfinity() {
        #expect(written { $0.javaDouble(.infinity) } == "null")
        #expect(written { $0.javaDouble(.nan) } == "null")
    }

    @Test("pretty text has a member a line")
    func pretty() {
        let value: JSONValue = ["a": 1, "b": [true, ["c": []]], "d": [:]]
        let text = """
            {
              "a": 1,
              "b": [
                true,
                {
                  "c": []
                }
              ],
              "d": {}
            }
            """
        #expect(String(decoding: value.serialized(pretty: true), as: UTF8.self) == text)
        #expect(throws: Never.self) {
            let readBack = try JSONValue(parsing: value.serialized(pretty: true))
            #expect(readBack == value)
        }
    }

    // MARK: Foundation as oracle

    /// The same value for Foundation's serializer.
    private static func bridged(_ value: JSONValue) -> Any {
        switch value {
        case .null: NSNull()
        case .bool(let value): value
        case .integer(let value): value
        case .number(let value): value
        case .string(let value): value
        case .array(let values): values.map(bridged)
        case .object(let members): Dictionary(uniqueKeysWithValues: members.map { ($0.key, bridged($0.value)) })
        }
    }

    /// What Foundation's decoder sees. `JSONSerialization` would do, did it not round small doubles.
    private struct Decoded: Decodable {
        let value: JSONValue

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            // Each attempt that fails means another type: that is how Decodable tells them apart.
            if container.decodeNil() {
                value = nil
            } else if let bool = try? container.decode(Bool.self) {
                value = .bool(bool)
            } else if let integer = try? container.decode(Int64.self) {
                value = .integer(integer)
            } else if let number = try? container.decode(Double.self) {
                value = .number(number)
            } else if let text = try? container.decode(String.self) {
                value = .string(text)
            } else if let array = try? container.decode([Decoded].self) {
                value = .array(array.map(\.value))
            } else {
                let members = try container.decode([String: Decoded].self)
                value = .object(JSONObject(members.map { ($0.key, $0.value.value) }))
            }
        }
    }

    private static func random(_ generator: inout some RandomNumberGenerator, depth: Int) -> JSONValue {
        let alphabet = Array("abcXYZ019 /\\\"\n\r\t\u{1}\u{1f}\u{7f}éß€🕰\u{2028}")
        func text() -> String {
            String(
                (0..<Int.random(in: 0...12, using: &generator)).compactMap { _ in
                    alphabet.randomElement(using: &generator)
                })
        }
        switch Int.random(in: 0...(depth > 0 ? 7 : 5), using: &generator) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &generator))
        case 2: return .integer(Int64.random(in: .min ... .max, using: &generator))
        case 3: return .number(Double.random(in: -1e6...1e6, using: &generator))
        // Not beyond 2⁵³: Foundation would take 1e18's decimals, rather than the double's own value, for an integer.
        case 4:
            return .number(Double(sign: .plus, exponent: .random(in: -60...52, using: &generator), significand: 1.1))
        case 5: return .string(text())
        case 6:
            return .array(
                (0..<Int.random(in: 0...4, using: &generator)).map { _ in random(&generator, depth: depth - 1) })
        default:
            return .object(
                JSONObject(
                    (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                        (text(), random(&generator, depth: depth - 1))
                    }))
        }
    }

    @Test("Foundation reads what we write, and we read what Foundation writes")
    func foundation() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let value: JSONValue = [Self.random(&generator, depth: 4)]
            let theirs = try JSONSerialization.data(withJSONObject: Self.bridged(value), options: [.sortedKeys])
            #expect(try JSONValue(parsing: Array(theirs)) == value)
            #expect(try JSONDecoder().decode(Decoded.self, from: Data(value.serialized())).value == value)
        }
    }

    @Test("what was written reads back as the same value, and is written the same again")
    func roundTrip() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let value = Self.random(&generator, depth: 4)
            let bytes = value.serialized()
            let readBack = try JSONValue(parsing: bytes)
            #expect(readBack == value)
            #expect(readBack.serialized() == bytes)
        }
    }
}
