import JSON
import Testing

private func parse(_ text: String, limits: JSONLimits = .standard) throws(JSONError) -> JSONValue {
    try JSONValue(parsing: Array(text.utf8), limits: limits)
}

struct Accepted: CustomTestStringConvertible, Sendable {
    let text: String
    let value: JSONValue

    init(_ text: String, _ value: JSONValue) {
        self.text = text
        self.value = value
    }

    var testDescription: String { text }
}

struct Refused: CustomTestStringConvertible, Sendable {
    let bytes: [UInt8]
    let offset: Int
    /// Part of the message.
    let message: String

    init(_ text: String, at offset: Int, _ message: String) {
        self.init(Array(text.utf8), at: offset, message)
    }

    init(_ bytes: [UInt8], at offset: Int, _ message: String) {
        self.bytes = bytes
        self.offset = offset
        self.message = message
    }

    var testDescription: String { String(decoding: bytes, as: UTF8.self) }
}

struct JSONReaderTests {
    private static let accepted: [Accepted] = [
        Accepted("null", nil), Accepted("true", true), Accepted("false", false),
        Accepted(" \t\r\n7 \n", 7), Accepted("0", 0), Accepted("-1", -1),
        Accepted("9007199254740993", 9_007_199_254_740_993),
        Accepted("9223372036854775807", .integer(.max)), Accepted("-9223372036854775808", .integer(.min)),
        Accepted("9223372036854775808", 9_223_372_036_854_775_808.0),
        Accepted("-9223372036854775809", -9_223_372_036_854_775_809.0),
        Accepted("123456789012345678901234567890", 123456789012345678901234567890.0),
        Accepted("-0", -0.0), Accepted("0.5", 0.5), Accepted("1e3", 1000.0), Accepted("1E+2", 100.0),
        Accepted("-1.5e-2", -0.015), Accepted("0e0", 0.0), Accepted("1e-400", 0.0),
        Accepted("1.7976931348623157e308", .number(.greatestFiniteMagnitude)),
        Accepted("5e-324", .number(.leastNonzeroMagnitude)),
        Accepted(#""""#, ""), Accepted(#""a/b""#, "a/b"), Accepted(#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        Accepted(#""Z\u00fcrich""#, "Zürich"), Accepted("\"Zürich 🕰\"", "Zürich 🕰"),
        Accepted(#""\ud83d\udd70x""#, "🕰x"), Accepted(#""\u0000""#, "\0"), Accepted(#""\uFFFF""#, "\u{FFFF}"),
        Accepted("\"\u{7F}\"", "\u{7F}"), Accepted("\"\u{2028}\"", "\u{2028}"),
        Accepted("[]", []), Accepted("[ ]", []), Accepted("[1,[2],{}]", [1, [2], [:]]),
        Accepted("{}", [:]), Accepted("{ }", [:]), Accepted(#"{"":0}"#, ["": 0]),
        Accepted(#" { "a" : [ 1 , 2 ] , "b" : null } "#, ["a": [1, 2], "b": nil]),
        Accepted(#"{"a":1,"b":2,"a":3}"#, ["a": 3, "b": 2]), Accepted(#"{"a":1,"\u0061":2}"#, ["a": 2]),
    ]

    @Test("well-formed text is read", arguments: accepted)
    func accepts(_ sample: Accepted) throws {
        #expect(try parse(sample.text) == sample.value)
    }

    private static let refused: [Refused] = [
        Refused("", at: 0, "ends where a value"), Refused("  ", at: 2, "ends where a value"),
        Refused("nul", at: 0, "null"), Refused("True", at: 0, "found \"T\""), Refused("nan", at: 0, "null"),
        Refused("undefined", at: 0, "found \"u\", expected a value"), Refused("Infinity", at: 0, "expected a value"),
        Refused("1 2", at: 2, "found \"2\", expected the end"), Refused("{}x", at: 2, "found \"x\""),
        Refused("[1]]", at: 3, "found \"]\""), Refused("truefalse", at: 4, "the end of the text"),
        Refused("01", at: 0, "leading zero"), Refused("-01", at: 1, "leading zero"), Refused("-", at: 1, "a digit"),
        Refused("+1", at: 0, "found \"+\""), Refused(".5", at: 0, "found \".\""), Refused("1.", at: 2, "a digit"),
        Refused("1.e3", at: 2, "found \"e\", expected a digit"), Refused("1e", at: 2, "a digit of the exponent"),
        Refused("1e+", at: 3, "exponent"), Refused("0x1", at: 1, "found \"x\""), Refused("1_000", at: 1, "found \"_\""),
        Refused("--1", at: 1, "found \"-\""), Refused("1e400", at: 0, "1.7976931348623157e308"),
        Refused("-1e400", at: 0, "largest"),
        Refused("\"abc", at: 4, "closing quote"), Refused("'a'", at: 0, "expected a value"),
        Refused("\"a\nb\"", at: 2, "a line feed in a string, expected an escape"),
        Refused("\"a\tb\"", at: 2, "0x09"), Refused("\"\0\"", at: 1, "0x00"),
        Refused(#""\x41""#, at: 2, "after the backslash"), Refused(#""\"#, at: 2, "after the backslash"),
        Refused(#""\u12""#, at: 5, "four hexadecimal digits"), Refused(#""\u12G4""#, at: 5, "four hexadecimal"),
        Refused(#""\u+123""#, at: 3, "four hexadecimal"), Refused("\"\\n\u{1}\"", at: 3, "0x01"),
        Refused(#""\ud83d""#, at: 3, "surrogate"), Refused(#""\udd70""#, at: 3, "surrogate"),
        Refused(#""\ud83dx""#, at: 3, "surrogate"),
        Refused(#""\udd70\udd70""#, at: 3, "surrogate"), Refused(#""\ud83d\n""#, at: 3, "surrogate"),
        Refused(#""\ud83d\ud83d""#, at: 3, "surrogate"), Refused(#""\ud83d\u0041""#, at: 3, "surrogate"),
        Refused("[1,]", at: 3, "found \"]\", expected a value"), Refused("[,1]", at: 1, "found \",\""),
        Refused("[1 2]", at: 3, "expected \",\" or \"]\""), Refused("[1", at: 2, "ends where"),
        Refused("[", at: 1, "ends"),
        Refused("]", at: 0, "found \"]\""), Refused("[1}", at: 2, "found \"}\""),
        Refused("{\"a\":1,}", at: 7, "name in double quotes"), Refused("{a:1}", at: 1, "name in double quotes"),
        Refused("{'a':1}", at: 1, "found \"'\""), Refused("{\"a\"}", at: 4, "expected \":\""),
        Refused("{\"a\":}", at: 5, "expected a value"), Refused("{\"a\":1 \"b\":2}", at: 7, "\",\" or \"}\""),
        Refused("{1:2}", at: 1, "name"), Refused("{\"a\":1", at: 6, "ends where"), Refused("{", at: 1, "ends where"),
        Refused("/*c*/1", at: 0, "found \"/\""), Refused("1//c", at: 1, "found \"/\""),
        Refused([0xEF, 0xBB, 0xBF, 0x31], at: 0, "0xef"),
        Refused([0x22, 0xFF, 0x22], at: 1, "UTF-8"), Refused([0x22, 0xC3, 0x22], at: 1, "UTF-8"),
        Refused([0x22, 0xC0, 0xAF, 0x22], at: 1, "UTF-8"), Refused([0x22, 0xED, 0xA0, 0x80, 0x22], at: 1, "UTF-8"),
        Refused([0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], at: 1, "UTF-8"),
        Refused([0x22, 0x5C, 0x6E, 0x80, 0x22], at: 1, "UTF-8"), Refused([0x5B, 0xA0, 0x31, 0x5D], at: 1, "0xa0"),
    ]

    @Test("anything else is refused at its place, with what would be right", arguments: refused)
    func refuses(_ sample: Refused) throws {
        let error = try #require(throws: JSONError.self) { try JSONValue(parsing: sample.bytes) }
        #expect(error.offset == sample.offset)
        #expect(error.message.contains(sample.message), "\(error.message)")
    }

    @Test("every proper beginning of a text is refused")
    func refusesBeginnings() throws {
        let whole = Array(#"{"name":"Z\u00fcrich \ud83d\udd70","n":[-1,null,true,{"x":{}}]}"#.utf8)
        #expect(throws: Never.self) { try JSONValue(parsing: whole) }
        for length in 0..<whole.count {
            let error = #expect(throws: JSONError.self) { try JSONValue(parsing: Array(whole[..<length])) }
            #expect((error?.offset ?? .max) <= length)
        }
    }

    @Test("integers that fit 64 bits stay integers, other numbers become doubles")
    func numberTypes() throws {
        #expect(try parse("9007199254740993").int64Value == 9_007_199_254_740_993)
        #expect(try parse("9223372036854775808").int64Value == nil)
        #expect(try parse("9223372036854775808").doubleValue == 9_223_372_036_854_775_808)
        #expect(try parse("1.0").int64Value == nil)
        #expect(try parse("7").doubleValue == 7)
        #expect(try parse("-0").doubleValue?.sign == .minus)
    }

    @Test("accessors give nothing for a value of another type")
    func strictAccessors() throws {
        let text: JSONValue = "5"
        #expect(text.int64Value == nil && text.doubleValue == nil && text.boolValue == nil && text["a"] == nil)
        #expect(JSONValue.integer(1).boolValue == nil && JSONValue.integer(1).stringValue == nil)
        #expect(JSONValue.null.isNull && !JSONValue.bool(false).isNull)
        #expect(JSONValue.array([]).objectValue == nil && JSONValue.object([:]).arrayValue == nil)
    }

    @Test("64 levels are read, 65 are not, however the limit is set")
    func depth() throws {
        func nested(_ levels: Int) -> String {
            String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        }
        #expect(throws: Never.self) { try parse(nested(64)) }
        let error = try #require(throws: JSONError.self) { try parse(nested(65)) }
        #expect(error.offset == 64 && error.message.contains("64 levels"))
        #expect(throws: JSONError.self) { try parse(String(repeating: "{\"a\":", count: 65)) }
        #expect(throws: JSONError.self) {
            try parse(nested(100_000), limits: JSONLimits(depth: .max))
        }
    }

    @Test("size, number of values and length of a number are limited")
    func limits() throws {
        #expect(throws: Never.self) { try parse("[1,2]", limits: JSONLimits(bytes: 5, values: 3)) }
        #expect(try #require(throws: JSONError.self) { try parse("[1,2]", limits: JSONLimits(bytes: 4)) }.offset == 4)
        #expect(try #require(throws: JSONError.self) { try parse("[1,2]", limits: JSONLimits(values: 2)) }.offset == 3)
        #expect(throws: Never.self) { try parse("0.12", limits: JSONLimits(numberLength: 4)) }
        #expect(throws: JSONError.self) { try parse("0.123", limits: JSONLimits(numberLength: 4)) }
    }

    @Test("an error reads as a sentence with its place")
    func errorDescription() throws {
        let error = try #require(throws: JSONError.self) { try parse("[1,]") }
        #expect(error.description == "invalid JSON at byte 3: found \"]\", expected a value")
    }
}
