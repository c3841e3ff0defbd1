import Testing

@testable import Timetable

@Suite("Zone names")
struct ZoneNameTests {
    static let zones = SystemZones.shared

    @Test(
        "three-letter ids mean what they meant to Chronos",
        arguments: [
            ("EST", "America/New_York"), ("MST", "America/Denver"), ("PST", "America/Los_Angeles"),
            ("CST", "America/Chicago"), ("HST", "Pacific/Honolulu"), ("AST", "America/Anchorage"),
            ("PNT", "America/Phoenix"), ("IET", "America/Indiana/Indianapolis"), ("IST", "Asia/Kolkata"),
            ("BST", "Asia/Dhaka"), ("JST", "Asia/Tokyo"), ("ECT", "CET"), ("ACT", "Australia/Darwin"),
            ("AET", "Australia/Sydney"), ("NST", "Pacific/Auckland"), ("SST", "Pacific/Guadalcanal"),
            ("MIT", "Pacific/Apia"), ("PRT", "America/Puerto_Rico"), ("CNT", "America/St_Johns"),
            ("AGT", "America/Argentina/Buenos_Aires"), ("BET", "America/Sao_Paulo"), ("ART", "Africa/Cairo"),
            ("CAT", "Africa/Harare"), ("EAT", "Africa/Addis_Ababa"), ("NET", "Asia/Yerevan"), ("PLT", "Asia/Karachi"),
            ("VST", "Asia/Ho_Chi_Minh"), ("CTT", "Asia/Shanghai"),
        ])
    func aliases(id: String, name: String) throws {
        #expect(try ZoneName.resolve(id, in: Self.zones, as: .chronos).name == name)
    }

    @Test("for cron the same ids mean what the tz database says")
    func databaseDialect() throws {
        #expect(try ZoneName.resolve("EST", in: Self.zones, as: .database).name == "EST")
        let error = #expect(throws: ScheduleError.self) {
            try ZoneName.resolve("PST", in: Self.zones, as: .database)
        }
        #expect(error?.message.contains("America/Los_Angeles") == true)
    }

    @Test(
        "offsets from GMT are counted east",
        arguments: [
            ("GMT+5", 18_000), ("GMT+05:30", 19_800), ("GMT-0800", -28_800), ("GMT+530", 19_800), ("GMT-12", -43_200),
            ("UTC", 0), ("Z", 0), ("GMT", 0), ("", 0), ("GMT+0", 0), ("Etc/GMT+5", -18_000),
        ])
    func offsets(name: String, seconds: Int) throws {
        let rules = try ZoneName.resolve(name, in: Self.zones, as: .chronos)
        #expect(rules.offset(at: Instant(seconds: 1_700_000_000)) == seconds)
    }

    @Test(
        "an unknown name says what would be right",
        arguments: [
            ("america/los_angeles", "America/Los_Angeles"), ("EUROPE/BERLIN", "Europe/Berlin"),
            ("america/port-au-prince", "America/Port-au-Prince"), ("Berlin", "Europe/Berlin"),
            ("new_york", "America/New_York"), ("utc", "UTC"), ("pst", "America/Los_Angeles"), ("UTC+5", "GMT+05:00"),
            ("+02:00", "GMT+02:00"), ("us/pacific", "US/Pacific"), ("antarctica/mcmurdo", "Antarctica/McMurdo"),
            ("Mars/Olympus", "Europe/Berlin"), ("GMT+24", "Europe/Berlin"), ("GMT+5:3", "Europe/Berlin"),
            ("America/New York", "Europe/Berlin"), ("gmt+1", "GMT+01:00"), ("america/argentina/ushuaia", "Ushuaia"),
        ])
    func unknown(name: String, hint: String) {
        let error = #expect(throws: ScheduleError.self) {
            try ZoneName.resolve(name, in: Self.zones, as: .chronos)
        }
        #expect(error?.code == .unknownZone)
        #expect(error?.message.contains(hint) == true, "\(error?.message ?? "")")
    }

    @Test(
        "names that could leave the database's folder never reach it",
        arguments: [
            "../../etc/passwd", "/etc/passwd", "a\0b", "Europe/../Berlin", "Europe/", "é", "Europe Berlin", ".",
        ])
    func pathsAreRefused(name: String) {
        struct Trap: ZoneDatabase {
            let version = "test"
            func rules(named name: String) -> ZoneRules? {
                Issue.record("the database was asked for \(name)")
                return nil
            }
        }
        #expect(throws: ScheduleError.self) { try ZoneName.resolve(name, in: Trap(), as: .chronos) }
        let long = String(repeating: "a", count: 65)
        #expect(throws: ScheduleError.self) { try ZoneName.resolve(long, in: Trap(), as: .chronos) }
    }

    @Test("every name of the database resolves to itself unless Chronos knew it otherwise")
    func everyName() throws {
        for name in Self.zones.names {
            let found = try ZoneName.resolve(name, in: Self.zones, as: .database)
            let expected = try #require(Self.zones.rules(named: name))
            #expect(found.transitions == expected.transitions && found.footer?.daylight == expected.footer?.daylight)
        }
    }
}
