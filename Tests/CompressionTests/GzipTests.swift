import Compression
import Testing

@Suite("Gzip")
struct GzipTests {
    static let texts: [[UInt8]] = [
        [], [0], Array("abc".utf8), [UInt8](repeating: 7, count: 1_000_000),
        (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) },
    ]

    @Test("what was compressed comes back", arguments: texts.indices, [1, 4, 9, 99])
    func roundTrip(index: Int, level: Int) throws {
        let bytes = Self.texts[index]
        let compressed = try Gzip.compress(bytes, level: level)
        #expect(compressed.starts(with: [0x1f, 0x8b]))
        #expect(try Gzip.decompress(compressed, limit: bytes.count) == bytes)
    }

    @Test("several members are one text")
    func members() throws {
        let both = try Gzip.compress(Array("ab".utf8)) + Gzip.compress(Array("cd".utf8))
        #expect(try Gzip.decompress(both, limit: 100) == Array("abcd".utf8))
    }

    @Test("a bomb stops at the limit")
    func bomb() throws {
        let bomb = try Gzip.compress([UInt8](repeating: 0, count: 8_000_000))
        #expect(bomb.count < 50_000)
        #expect { try Gzip.decompress(bomb, limit: 1_000_000) } throws: { ($0 as? GzipError)?.code == .tooLarge }
        #expect { try Gzip.decompress(bomb, limit: 7_999_999) } throws: { ($0 as? GzipError)?.code == .tooLarge }
    }

    @Test("what is cut short, damaged or something else is an error")
    func damage() throws {
        let good = try Gzip.compress(Array("some text that is long enough".utf8))
        var flipped = good
        flipped[good.count - 6] ^= 1
        let bad: [[UInt8]] = [[], [0x1f], Array(good.dropLast()), flipped, good + [0], Array("plain".utf8)]
        for bytes in bad {
            #expect { try Gzip.decompress(bytes, limit: 1000) } throws: { ($0 as? GzipError)?.code == .damaged }
        }
    }
}

@Suite("Gzip, piece by piece")
struct GzipPieceTests {
    @Test("what was written in pieces is one text, and can be read in pieces", arguments: [1, 1000, 1 << 20])
    func pieces(size: Int) throws {
        let text = GzipTests.texts[4]
        let writer = try GzipWriter()
        var compressed: [UInt8] = []
        var rest = text[...]
        while !rest.isEmpty {
            try writer.write(rest.prefix(size), to: &compressed)
            rest = rest.dropFirst(size)
        }
        try writer.finish(to: &compressed)
        #expect(throws: GzipError.self) { try writer.finish(to: &compressed) }
        #expect(try Gzip.decompress(compressed, limit: text.count) == text)
        #expect(try expand(compressed, size) == text)
    }

    @Test("a frame without compression is gzip, whatever its length", arguments: [0, 1, 65_535, 65_536, 200_000])
    func frames(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        #expect(try Gzip.decompress(Gzip.frame(bytes), limit: count) == bytes)
    }

    @Test("members one behind the other are read as one text; a cut one is refused")
    func members() throws {
        let bytes = Gzip.frame([1, 2]) + (try Gzip.compress([3])) + Gzip.frame([])
        #expect(try expand(bytes, 1) == [1, 2, 3])
        #expect(try expand(bytes, 10) == [1, 2, 3])
        for count in [1, 3, 9] {
            #expect(throws: GzipError.self) { try expand(Array(bytes.dropLast(count)), 10) }
        }
        #expect(throws: GzipError.self) { try expand(bytes + [0], 10) }
        #expect(try expand([], 10) == [])
    }

    private func expand(_ bytes: [UInt8], _ size: Int) throws -> [UInt8] {
        let reader = try GzipReader()
        var read: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            reader.feed(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
            while let piece = try reader.read(64) { read += piece }
        }
        try reader.finish()
        return read
    }
}
