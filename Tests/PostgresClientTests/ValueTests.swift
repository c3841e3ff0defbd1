import Foundation
import PostgresClient
import Runtime
import TestSupport
import Testing

private let limit = Duration.seconds(60)

@Suite("Values", .timeLimit(.minutes(2)))
struct ValueTests {
    private func row(_ sql: String, _ parameters: PostgresValue...) async throws -> PostgresRow {
        let url = try TestPostgres.shared().url()
        let statement = Statement(sql, parameters: parameters)
        return try await onLoop { loop in
            let connection = try await PostgresConnection.connect(PostgresConfiguration(url: url), loop: loop)
            let result = try await connection.query(statement, deadline: limit)
            await connection.close()
            return result.rows[0]
        }
    }

    @Test("integers, numbers and booleans come back as they went")
    func scalars() async throws {
        let row = try await row(
            "SELECT $1::bigint, $2::bigint, $3::float8, $4::float8, $5::bool, $6::float8, $7::float8, $8::bool",
            .int(.min), .int(.max), .double(0.1), .double(-.infinity), true, .double(.nan), .double(1e308), false)
        #expect(row.int64(0) == .min)
        #expect(row.int64(1) == .max)
        #expect(row.double(2) == 0.1)
        #expect(row.double(3) == -.infinity)
        #expect(row.bool(4) == true)
        #expect(row.double(5)?.isNaN == true)
        #expect(row.double(6) == 1e308)
        #expect(row.bool(7) == false)
    }

    @Test(
        "text of any kind comes back as it went",
        arguments: [
            "", " ", "NULL", "null", "'", "\"", "\\", "\\\\x41", "{}", "{a,b}", ",", "a\nb\r\tc", "ÄÖÜ ß 日本語 🎻👩‍👩‍👧",
            "\u{1}\u{7f}", "%s $1 ;--", String(repeating: "x", count: 100_000),
        ])
    func texts(text: String) async throws {
        let row = try await row(
            "SELECT $1::text, $2::text[], $3::text[]", .text(text), .textArray([text, nil, text]), .textArray([]))
        #expect(row.string(0) == text)
        #expect(row.textArray(1) == [text, nil, text])
        #expect(row.textArray(2) == [])
    }

    @Test("arrays of every kind come back as they went")
    func arrays() async throws {
        let row = try await row(
            """
            SELECT $1::bigint[], $2::float8[], $3::bool[], $4::timestamptz[], $5::bytea[], $6::bigint[],
                ($5::bytea[])[1], ($4::timestamptz[])[1]
            """, .intArray([1, nil, .min, .max]), .doubleArray([0.5, nil, .infinity]), .boolArray([true, nil, false]),
            .timestampArray([1_763_763_101_123_456, nil]), .bytesArray([[0, 34, 92, 255], nil, []]), .intArray([]))
        #expect(row.int64Array(0) == [1, nil, .min, .max])
        #expect(row.doubleArray(1) == [0.5, nil, .infinity])
        #expect(row.textArray(2) == ["t", nil, "f"])
        #expect(row.textArray(3)?.count == 2)
        #expect(row.int64Array(5) == [])
        #expect(row.bytes(6) == [0, 34, 92, 255])
        #expect(row.microseconds(7) == 1_763_763_101_123_456)
        let cardinality = try await self.row("SELECT cardinality($1::bytea[])", .bytesArray([nil, [1], []])).int64(0)
        #expect(cardinality == 3)
    }

    @Test("arrays of several dimensions and malformed ones are not taken for flat ones")
    func oddArrays() async throws {
        let row = try await row("SELECT '{{1,2},{3,4}}'::int[], 'x'::text, '[0:1]={1,2}'::int[]")
        #expect(row.textArray(0) == nil)
        #expect(row.textArray(1) == nil)
        #expect(row.textArray(2) == nil)
        #expect(throws: PostgresError.self) { try row.requireTextArray(0) }
    }

    @Test("NULL of every kind is nil, and an error where a value is required")
    func nulls() async throws {
        let row = try await row("SELECT $1::text AS a, $2::bigint, $3::bytea, $4::timestamptz", nil, nil, nil, nil)
        #expect(row.string(0) == nil)
        #expect(row.int64(1) == nil)
        #expect(row.bytes(2) == nil)
        #expect(row.microseconds(3) == nil)
        let error = #expect(throws: PostgresError.self) { try row.requireString("a") }
        #expect(error?.code == .decoding)
        #expect(error?.message == "column a should be text and is NULL")
        let missing = #expect(throws: PostgresError.self) { try row.requireInt64("b") }
        #expect(missing?.message.contains("no column b") == true)
        #expect(throws: PostgresError.self) { try row.requireInt64(17) }
    }

    @Test("a value of another kind is nil, and an error where it is required")
    func wrongKind() async throws {
        let row = try await row("SELECT 'abc', '9223372036854775808', '1.5', '\\\\xg0'")
        #expect(row.int64(0) == nil)
        #expect(row.int64(1) == nil)
        #expect(row.int64(2) == nil)
        #expect(row.bool(0) == nil)
        #expect(row.bytes(3) == nil)
        #expect(row.microseconds(0) == nil)
        #expect(throws: PostgresError.self) { try row.requireInt64(0) }
    }

    @Test("bytes come back as they went")
    func bytes() async throws {
        let all = (0...255).map { UInt8($0) }
        let row = try await row("SELECT $1::bytea, $2::bytea, length($1)", .bytes(all), .bytes([]))
        #expect(row.bytes(0) == all)
        #expect(row.bytes(1) == [])
        #expect(row.int64(2) == 256)
    }

    @Test("JSON is kept as it is")
    func json() async throws {
        let row = try await row("SELECT $1::jsonb ->> 'a', $1::json", .json(#"{"a": "x\"\\y", "b": [1, null]}"#))
        #expect(row.string(0) == #"x"\y"#)
        #expect(row.string(1) == #"{"a": "x\"\\y", "b": [1, null]}"#)
    }

    @Test(
        "timestamps agree with the server's own arithmetic, over its whole range",
        arguments: [
            0, 1, -1, 999_999, -999_999, 1_763_763_101_123_456, 951_782_400_000_000, 951_868_799_999_999,
            -2_208_988_800_000_000, -62_135_596_800_000_000, -62_135_596_800_000_001, -62_198_755_200_000_000,
            -210_866_803_200_000_000, 253_402_300_799_999_999, 253_402_300_800_000_000, 9_000_000_000_000_000_000,
        ] as [Int64])
    func timestamps(microseconds: Int64) async throws {
        let row = try await row(
            """
            SELECT $1::timestamptz, (extract(epoch FROM $1::timestamptz) * 1000000)::bigint,
                to_timestamp(0) + make_interval(secs => 0) + $2::bigint / 1000000 * interval '1 second'
                    + $2::bigint % 1000000 * interval '1 microsecond'
            """, .timestamp(microseconds: microseconds), .int(microseconds))
        #expect(row.microseconds(0) == microseconds)
        #expect(row.int64(1) == microseconds)
    }

    @Test("what lies outside the server's range becomes infinity and comes back as the end of the range")
    func infinities() async throws {
        let row = try await row(
            "SELECT $1::timestamptz, $2::timestamptz, $1::timestamptz::text, $2::timestamptz::text",
            .timestamp(microseconds: .max), .timestamp(microseconds: .min))
        #expect(row.microseconds(0) == .max)
        #expect(row.microseconds(1) == .min)
        #expect(row.string(2) == "infinity")
        #expect(row.string(3) == "-infinity")
    }

    @Test("text with a NUL character is refused before it is sent")
    func nul() async throws {
        let error = await #expect(throws: PostgresError.self) { try await row("SELECT $1::text", .text("a\0b")) }
        #expect(error?.code == .invalidRequest)
        #expect(error?.message.contains("$1") == true)
        await #expect(throws: PostgresError.self) { try await row("SELECT $1::text[]", .textArray(["a\0b"])) }
    }
}
