/// The names of time zones as users write them.
///
/// Chronos looked names up in Java's table: three-letter ids mean a region there (`EST` is New York with daylight
/// saving, not the tz database's fixed offset), `GMT+5` is five hours east, and whatever was unknown silently became
/// GMT. The last is the one thing that is not kept: an unknown name is an error that says what would be right.
public enum ZoneName {
    /// Whose meaning three-letter ids have.
    public enum Dialect: Sendable {
        /// Chronos' (Joda-Time's table).
        case chronos
        /// The tz database's own, as Cronicle and cron use it.
        case database
    }

    /// The rules for a name; throws `.unknownZone`. Case counts. An empty name is UTC.
    public static func resolve(
        _ name: String, in zones: some ZoneDatabase, as dialect: Dialect
    ) throws(ScheduleError) -> ZoneRules {
        if name.isEmpty || universal.contains(name) { return .utc }
        if let offset = offset(custom: name) { return .fixed(offsetSeconds: offset) }
        guard isWellFormed(name) else { throw unknown(name, offsetAdvice(for: name) ?? generalAdvice) }
        let target = dialect == .chronos ? chronosAliases[name] ?? name : name
        if let rules = zones.rules(named: target) { return rules }
        throw unknown(name, advice(for: name, in: zones))
    }

    private static let universal: Set<String> = ["UTC", "GMT", "Z", "Etc/UTC", "Etc/GMT", "UCT", "Zulu", "Universal"]

    /// Joda-Time's table of the ids that Java knew before it had the tz database.
    private static let chronosAliases: [String: String] = [
        "ACT": "Australia/Darwin", "AET": "Australia/Sydney", "AGT": "America/Argentina/Buenos_Aires",
        "ART": "Africa/Cairo", "AST": "America/Anchorage", "BET": "America/Sao_Paulo", "BST": "Asia/Dhaka",
        "CAT": "Africa/Harare", "CNT": "America/St_Johns", "CST": "America/Chicago", "CTT": "Asia/Shanghai",
        "EAT": "Africa/Addis_Ababa", "ECT": "CET", "EST": "America/New_York", "HST": "Pacific/Honolulu",
        "IET": "America/Indiana/Indianapolis", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo", "MIT": "Pacific/Apia",
        "MST": "America/Denver", "NET": "Asia/Yerevan", "NST": "Pacific/Auckland", "PLT": "Asia/Karachi",
        "PNT": "America/Phoenix", "PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles",
        "SST": "Pacific/Guadalcanal", "VST": "Asia/Ho_Chi_Minh",
    ]

    /// Letters, digits, `_`, `+`, `-` and `/` only, so that a database may use it in a file's path.
    private static func isWellFormed(_ name: String) -> Bool {
        guard name.utf8.count <= Limits.zoneNameLength, !name.hasPrefix("/"), !name.hasSuffix("/") else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "/"): true
            default: false
            }
        }
    }

    /// Java's custom ids, in seconds east: `GMT+5`, `GMT+05`, `GMT+0530`, `GMT+5:30`.
    private static func offset(custom name: String) -> Int? {
        guard name.hasPrefix("GMT") else { return nil }
        return offset(signed: name.dropFirst(3))
    }

    private static func offset(signed text: Substring) -> Int? {
        var scanner = TextScanner(text)
        guard let sign = scanner.take(anyOf: "+-"), let digits = scanner.takeDigits(limit: 4) else { return nil }
        var hours = digits.value
        var minutes: Int64 = 0
        if digits.count > 2 {
            (hours, minutes) = (digits.value / 100, digits.value % 100)
        } else if scanner.take(":") {
            guard let part = scanner.takeDigits(limit: 2), part.count == 2 else { return nil }
            minutes = part.value
        }
        guard scanner.isAtEnd, hours <= 23, minutes <= 59 else { return nil }
        let size = Int(hours * 3_600 + minutes * 60)
        return sign == UInt8(ascii: "-") ? -size : size
    }

    private static func unknown(_ name: String, _ advice: String) -> ScheduleError {
        ScheduleError(code: .unknownZone, message: "the time zone \(quoted(name)) is unknown: \(advice)")
    }
}

extension ZoneName {
    /// What the writer probably meant.
    private static func advice(for name: String, in zones: some ZoneDatabase) -> String {
        if let alias = chronosAliases[name.uppercased()] { return "did you mean \(alias)?" }
        if let advice = offsetAdvice(for: name) { return advice }
        for candidate in spellings(of: name) where universal.contains(candidate) || zones.rules(named: candidate) != nil
        {
            return "did you mean \(candidate)? Capital letters count"
        }
        if !name.contains("/") {
            for area in areas {
                for candidate in spellings(of: "\(area)/\(name)") where zones.rules(named: candidate) != nil {
                    return "did you mean \(candidate)?"
                }
            }
        }
        return generalAdvice
    }

    private static let generalAdvice = "write a name of the tz database such as Europe/Berlin, or GMT+05:30"

    private static func offsetAdvice(for name: String) -> String? {
        for prefix in ["UTC", "utc", "gmt", "Gmt", ""] where name.hasPrefix(prefix) {
            if let offset = offset(signed: name.dropFirst(prefix.count)) {
                return "did you mean \(ZoneRules.fixed(offsetSeconds: offset).name)?"
            }
        }
        return nil
    }

    private static let areas = [
        "Europe", "America", "Asia", "Africa", "Australia", "Pacific", "Atlantic", "Indian", "Antarctica",
    ]

    /// The words that the database writes differently within a name.
    private static let oddWords: [String: String] = [
        "of": "of", "es": "es", "au": "au", "mcmurdo": "McMurdo", "dumontdurville": "DumontDUrville", "us": "US",
        "nsw": "NSW", "act": "ACT", "lhi": "LHI", "gb": "GB", "nz": "NZ", "chat": "CHAT", "gmt": "GMT", "utc": "UTC",
        "uct": "UCT", "prc": "PRC", "rok": "ROK",
    ]

    /// The ways the database may spell a name that came in other letters.
    private static func spellings(of name: String) -> [String] {
        var words = ""
        var word = ""
        func flush() {
            words += oddWords[word] ?? word.prefix(1).uppercased() + word.dropFirst()
            word = ""
        }
        for character in name.lowercased() {
            if "/_-".contains(character) {
                flush()
                words.append(character)
            } else {
                word.append(character)
            }
        }
        flush()
        return [words, name.uppercased()]
    }
}
