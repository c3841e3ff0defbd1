import Testing

@testable import Timetable

@Suite("The reader of zone files")
struct TZifTests {
    /// A file of version 2 with an empty first table.
    static func file(
        version: UInt8 = 50, times: [Int64] = [], kinds: [UInt8] = [], offsets: [Int32] = [0], leaps: UInt32 = 0,
        footer: String = ""
    ) -> [UInt8] {
        func big(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
        func header(_ times: Int, _ types: Int, _ leaps: UInt32) -> [UInt8] {
            var bytes = Array("TZif".utf8) + [version] + [UInt8](repeating: 0, count: 15)
            for count in [0, 0, leaps, UInt32(times), UInt32(types), 4] { bytes += big(count) }
            return bytes
        }
        let name = Array("UTC\0".utf8)
        var bytes = header(0, 1, 0)
        bytes += [0, 0, 0, 0, 0, 0] + name
        bytes += header(times.count, offsets.count, leaps)
        for time in times { bytes += big(time) }
        bytes += kinds
        for offset in offsets { bytes += big(offset) + [0, 0] as [UInt8] }
        bytes += name
        bytes += [UInt8](repeating: 0, count: Int(leaps) * 12)
        return bytes + Array("\n\(footer)\n".utf8)
    }

    func message(_ bytes: [UInt8]) -> String? {
        do {
            _ = try ZoneRules(name: "Test/Zone", tzif: bytes)
            return nil
        } catch {
            return error.message
        }
    }

    @Test("a small file is read")
    func small() throws {
        let bytes = Self.file(times: [0, 1_000], kinds: [1, 0], offsets: [3_600, 7_200])
        let rules = try ZoneRules(name: "Test/Zone", tzif: bytes)
        #expect(rules.offset(at: Instant(seconds: -1)) == 3_600)
        #expect(rules.offset(at: Instant(seconds: 0)) == 7_200)
        #expect(rules.offset(at: Instant(seconds: 1_000)) == 3_600)
    }

    @Test("a file without a table follows its footer from the beginning")
    func onlyFooter() throws {
        let bytes = Self.file(offsets: [-18_000], footer: "EST5EDT,M3.2.0,M11.1.0")
        let rules = try ZoneRules(name: "Test/Zone", tzif: bytes)
        #expect(rules.offset(at: try instant("1999-07-01T00:00:00Z")) == -14_400)
    }

    @Test(
        "rules of the footer are read in all their forms",
        arguments: [
            ("<+0330>-3:30", "2030-07-01T00:00:00Z", 12_600), ("XXX3EDT4,0/0,J365/23", "2030-07-01T00:00:00Z", -14_400),
            ("XXX3EDT4,0/0,J365/23", "2030-12-31T23:59:59Z", -14_400),
            ("AAA0BBB,J60/2,J300/2", "2032-03-01T01:59:59Z", 0),
            ("AAA0BBB,J60/2,J300/2", "2032-03-01T02:00:00Z", 3_600),
            ("AAA0BBB,59/2,J300/2", "2032-02-29T02:00:00Z", 3_600),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", "2040-01-10T00:00:00Z", 0),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2040-03-25T00:59:59Z", -7_200),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2040-03-25T01:00:00Z", -3_600),
            ("EET-2EEST,M3.4.4/50,M10.4.4/50", "2040-03-23T23:59:59Z", 7_200),
            ("EET-2EEST,M3.4.4/50,M10.4.4/50", "2040-03-24T00:00:00Z", 10_800),
        ])
    func footerForms(rule: String, at: String, offset: Int) throws {
        let rules = try ZoneRules(name: "Test/Zone", tzif: Self.file(offsets: [0], footer: rule))
        #expect(rules.offset(at: try instant(at)) == offset)
    }

    @Test(
        "malformed rules of the footer are refused",
        arguments: [
            "A0", "EST", "EST5EDT", "EST5EDT,M3.2.0", "EST5EDT,M13.1.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0",
            "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,J0,J365", "EST5EDT,366,1", "EST5EDT,M3.2.0/168,M11.1.0", "<AB5",
            "EST25", "EST5:60", "EST5 ", "EST5EDT,M3.2.0,M11.1.0,", "AAA-24BBB24,M3.2.0,M11.1.0", "é5",
        ])
    func malformedFooters(rule: String) {
        #expect(message(Self.file(footer: rule)) != nil)
    }

    @Test("malformed files are refused with the reason")
    func malformed() throws {
        #expect(message([])?.contains("cut off") == true)
        #expect(message(Array("PNG file that is long enough to have a header, but is none".utf8)) != nil)
        #expect(message(Self.file(version: 49))?.contains("version") == true)
        #expect(message(Self.file(times: [5, 5], kinds: [0, 0]))?.contains("ascend") == true)
        #expect(message(Self.file(times: [5], kinds: [1]))?.contains("type") == true)
        #expect(message(Self.file(offsets: []))?.contains("no type") == true)
        #expect(message(Self.file(offsets: [93_600]))?.contains("offset") == true)
        #expect(message(Self.file(times: [5], kinds: [1], offsets: [-50_000, 50_000]))?.contains("jump") == true)
        #expect(message(Self.file(leaps: 1))?.contains("leap seconds") == true)
        #expect(message([UInt8](repeating: 84, count: 300_000))?.contains("too large") == true)
        #expect(message(Self.file().dropLast(1).map { $0 })?.contains("missing") == true)
    }

    @Test("a file with leap seconds of the system is refused")
    func leapSeconds() throws {
        guard let bytes = SystemZones.bytes(of: "right/Europe/Berlin") else { return }
        #expect(message(bytes)?.contains("right/") == true)
    }

    @Test("a real file cut off anywhere is refused")
    func truncation() throws {
        let bytes = try #require(SystemZones.bytes(of: "Europe/Berlin"))
        for length in stride(from: 0, to: bytes.count - 1, by: 3) {
            if message(Array(bytes.prefix(length))) == nil { Issue.record("read with \(length) bytes only") }
        }
    }

    @Test("random damage never traps, neither in reading nor in use")
    func damage() throws {
        var random = SeededGenerator(seed: 11)
        for name in ["Europe/Dublin", "Pacific/Apia", "Africa/Cairo"] {
            let original = try #require(SystemZones.bytes(of: name))
            for _ in 0..<150 {
                var bytes = original
                for _ in 0..<Int.random(in: 1...6, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                guard let rules = try? ZoneRules(name: name, tzif: bytes) else { continue }  // refusing is right too
                for seconds in [Int64.min / 2_000_000, -1, 0, 1_700_000_000, 9_000_000_000] {
                    let instant = Instant(seconds: seconds)
                    _ = rules.resolve(rules.local(at: instant))
                }
                let zones = OneZone(rules: rules)
                let daily = try Schedule.repeating(
                    "R/1994-12-25T01:30:00Z/P1D", zone: "Test/Zone", created: .distantPast, zones: zones)
                let nightly = try Schedule.cron("30 1 * * *", zone: "Test/Zone", zones: zones)
                for schedule in [daily, nightly] {
                    _ = schedule.next(after: Instant(seconds: 1_300_000_000))
                    _ = schedule.last(atOrBefore: Instant(seconds: 1_300_000_000))
                    _ = schedule.count(from: 0, through: .max)
                }
            }
        }
    }

    struct OneZone: ZoneDatabase {
        let rules: ZoneRules
        let version = "test"

        func rules(named name: String) -> ZoneRules? { rules }
    }
}
