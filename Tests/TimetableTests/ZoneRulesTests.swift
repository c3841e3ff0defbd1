import Foundation
import Testing

@testable import Timetable

@Suite("Zone rules")
struct ZoneRulesTests {
    static let zones = SystemZones.shared

    @Test("every name of the database can be read, and links are what they stand for")
    func everyName() throws {
        #expect(Self.zones.names.count > 400)
        for name in Self.zones.names {
            let rules = try #require(Self.zones.rules(named: name), "\(name) cannot be read")
            #expect(rules.name == name)
            guard let target = Self.zones.links[name] else { continue }
            let other = try #require(Self.zones.rules(named: target))
            #expect(rules.transitions == other.transitions && rules.footer == other.footer, "\(name) is not \(target)")
        }
    }

    @Test("offsets agree with Foundation at every transition of every zone, to 2060")
    func foundationOracle() throws {
        var compared = 0
        // Foundation takes WET and EET, which have no place, for Lisbon and Athens.
        for name in Self.zones.names where name.contains("/") && Self.zones.links[name] == nil {
            guard let theirs = TimeZone(identifier: name) else { continue }
            let ours = try #require(Self.zones.rules(named: name))
            var probes = ours.changes(years: 1970...2_060).flatMap { [$0.start - 1, $0.start] }
            probes += (0..<30).map { Int64($0) * 97_200_123 + 86_399 }
            for probe in probes {
                let expected = theirs.secondsFromGMT(for: Date(timeIntervalSince1970: Double(probe)))
                let found = ours.offset(at: Instant(seconds: probe))
                // Foundation keeps whole minutes of zones that had seconds until 1972 (Monrovia).
                if abs(found - expected) >= 60 {
                    Issue.record("\(name) at \(probe): \(found), Foundation: \(expected)")
                }
                compared += 1
            }
        }
        #expect(compared > 40_000)
    }

    @Test(
        "offsets after the table follow the rule of the footer",
        arguments: [
            ("America/New_York", "2040-07-01T12:00:00Z", -14_400),
            ("America/New_York", "2040-01-01T12:00:00Z", -18_000),
            ("Europe/Berlin", "2100-07-01T00:00:00Z", 7_200), ("Europe/Dublin", "2050-07-01T00:00:00Z", 3_600),
            ("Australia/Lord_Howe", "2040-01-01T00:00:00Z", 39_600),
            ("Australia/Lord_Howe", "2040-07-01T00:00:00Z", 37_800),
            ("Pacific/Chatham", "2045-12-25T00:00:00Z", 49_500), ("Asia/Kathmandu", "2099-01-01T00:00:00Z", 20_700),
            ("America/Nuuk", "2040-07-01T00:00:00Z", -3_600), ("Asia/Tokyo", "2200-01-01T00:00:00Z", 32_400),
        ])
    func footers(name: String, at: String, offset: Int) throws {
        let rules = try #require(Self.zones.rules(named: name))
        #expect(rules.offset(at: try instant(at)) == offset)
    }

    @Test("a reading is resolved as unique, jumped over or repeated")
    func resolving() throws {
        let rules = try #require(Self.zones.rules(named: "America/New_York"))
        func resolve(_ month: Int, _ day: Int, _ hour: Int, _ minute: Int) throws -> LocalResolution {
            rules.resolve(
                try #require(CivilDateTime(year: 2_026, month: month, day: day, hour: hour, minute: minute)))
        }
        #expect(try resolve(7, 1, 12, 0) == .unique(try instant("2026-07-01T16:00:00Z")))
        #expect(
            try resolve(3, 8, 2, 30)
                == .gap(
                    shifted: try instant("2026-03-08T07:30:00Z"), transition: try instant("2026-03-08T07:00:00Z")))
        #expect(try resolve(3, 8, 3, 0) == .unique(try instant("2026-03-08T07:00:00Z")))
        #expect(try resolve(3, 8, 1, 59) == .unique(try instant("2026-03-08T06:59:00Z")))
        #expect(
            try resolve(11, 1, 1, 30)
                == .overlap(first: try instant("2026-11-01T05:30:00Z"), second: try instant("2026-11-01T06:30:00Z")))
        #expect(try resolve(11, 1, 2, 0) == .unique(try instant("2026-11-01T07:00:00Z")))
        #expect(try resolve(11, 1, 0, 59) == .unique(try instant("2026-11-01T04:59:00Z")))
    }

    @Test("resolving agrees with trying every offset around each transition of every zone")
    func resolvingEverywhere() throws {
        for name in Self.zones.names where Self.zones.links[name] == nil {
            let rules = try #require(Self.zones.rules(named: name))
            for change in rules.changes(years: 1970...2_040) {
                let low = change.start + min(change.before, change.after)
                let high = change.start + max(change.before, change.after)
                for local in [low - 1, low, (low + high) / 2, high - 1, high] {
                    let offsets = Set([change.before, change.after])
                    let instants = offsets.map { local - $0 }.filter {
                        local - $0 == rules.span(containing: $0).offset
                    }.sorted()
                    switch rules.resolve(localSeconds: local) {
                    case .unique(let found):
                        if instants != [found] { Issue.record("\(name) \(local): \(found), not \(instants)") }
                    case .overlap(let first, let second):
                        if instants != [first, second] { Issue.record("\(name) \(local): overlap, not \(instants)") }
                    case .gap(let shifted, let transition):
                        if !instants.isEmpty || transition != change.start || shifted != local - change.before {
                            Issue.record("\(name) \(local): gap, not \(instants)")
                        }
                    }
                }
            }
        }
    }

    @Test("a fixed zone has its offset always and the name of it")
    func fixed() {
        #expect(ZoneRules.fixed(offsetSeconds: 19_800).name == "GMT+05:30")
        #expect(ZoneRules.fixed(offsetSeconds: -25_200).offset(at: .distantFuture) == -25_200)
        #expect(ZoneRules.fixed(offsetSeconds: 0) == .utc)
        #expect(ZoneRules.fixed(offsetSeconds: .max).offset(at: .distantPast) == 86_399)
        #expect(ZoneRules.utc.local(at: .distantFuture).year == 294_247)
        #expect(ZoneRules.utc.local(at: .distantPast).year == -290_308)
    }
}
