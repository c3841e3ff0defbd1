/// What the parameters of a container ask of its engine, in the engine's own terms.
///
/// Parameters have the form of `docker run`'s long options (Chronos hands them to that command). Here they become
/// fields of the Docker Engine API, by `ContainerParameterTable`; one that has no field is refused when the job is
/// created, not when it runs. Whether a worker grants what they ask for is its own policy: `demands` says what it must
/// be asked for.
public struct ContainerOptions: Hashable, Sendable {
    /// Where in the body of the API's "create a container" a setting stands.
    public enum Place: Hashable, Sendable {
        case config
        case hostConfig
    }

    public enum Value: Hashable, Sendable {
        case text(String)
        case flag(Bool)
        case integer(Int64)
        /// One more element of a list.
        case element(String)
        /// One more member of an object.
        case member(String, String)
        case limit(name: String, soft: Int64, hard: Int64)
        case device(host: String, container: String, permissions: String)
        case port(container: String, host: String, address: String)
    }

    public struct Setting: Hashable, Sendable {
        public let place: Place
        public let field: String
        public let value: Value
    }

    public private(set) var settings: [Setting] = []
    /// Those of the parameters; the ones of the spec itself are not among them.
    public private(set) var volumes: [ContainerSpec.Volume] = []
    /// Parameters by which a container gets power over the machine, as "key=value".
    public private(set) var demands: [String] = []
    /// The user that the container's command shall run as; empty: not said.
    public private(set) var user = ""

    /// - Throws: `DomainError.invalid` for a parameter that cannot be mapped or has a value that the field cannot have.
    public init(_ parameters: [ContainerSpec.Parameter]) throws(DomainError) {
        for parameter in parameters { try add(parameter) }
    }

    /// The value of a field that is a number; nil where no parameter sets it.
    public func integer(_ field: String) -> Int64? {
        for setting in settings.reversed() where setting.field == field {
            if case .integer(let number) = setting.value { return number }
        }
        return nil
    }

    private mutating func add(_ parameter: ContainerSpec.Parameter) throws(DomainError) {
        let (key, value) = (parameter.key, parameter.value)
        guard let rule = ContainerParameterTable.rules[key] else {
            throw .invalid(Self.reasonToRefuse(key))
        }
        if rule.isDemand(value) { demands.append("\(key)=\(value)") }
        switch rule.kind {
        case .volume: volumes.append(try Self.volume(value))
        case .user:
            user = value
            try append(rule, .text(value), unless: value.isEmpty, key, "a user")
        case .text: try append(rule, .text(value), unless: value.isEmpty, key, "a text")
        case .flag:
            guard let flag = ["true": true, "": true, "false": false][value] else {
                throw Self.wrong(key, value, "true or false")
            }
            settings.append(Setting(place: rule.place, field: rule.field, value: .flag(flag)))
        case .integer(let range):
            let number = Int64(value)
            try append(
                rule, .integer(number ?? 0), unless: !(number.map(range.contains) ?? false), key,
                "a number from \(range.lowerBound) to \(range.upperBound)")
        case .bytes:
            let bytes = ByteCount.parse(value)
            try append(rule, .integer(bytes ?? 0), unless: bytes == nil, key, "an amount such as 64m or 1g")
        case .nanoCPUs:
            let nano = Double(value).flatMap { (0.001...100_000).contains($0) ? Int64($0 * 1e9) : nil }
            try append(rule, .integer(nano ?? 0), unless: nano == nil, key, "a number of cpus such as 0.5")
        case .element(let form):
            try append(rule, .element(value), unless: !form.fits(value), key, form.rawValue)
        case .member(let separator, let needsValue):
            let parts = value.split(separator: separator, maxSplits: 1, omittingEmptySubsequences: false).map(
                String.init)
            let isGood = !(parts.first ?? "").isEmpty && (parts.count == 2 || !needsValue)
            try append(
                rule, .member(parts.first ?? "", parts.count == 2 ? parts[1] : ""), unless: !isGood, key,
                "of the form NAME\(separator)VALUE")
        case .limit: settings.append(Setting(place: rule.place, field: rule.field, value: try Self.limit(key, value)))
        case .device: settings.append(Setting(place: rule.place, field: rule.field, value: try Self.device(key, value)))
        case .port: settings.append(Setting(place: rule.place, field: rule.field, value: try Self.port(key, value)))
        }
    }

    private mutating func append(
        _ rule: ContainerParameterTable.Rule, _ value: Value, unless isWrong: Bool, _ key: String, _ expected: String
    ) throws(DomainError) {
        if isWrong {
            var text = ""
            if case .text(let given) = value { text = given }
            if case .element(let given) = value { text = given }
            throw Self.wrong(key, text, expected)
        }
        settings.append(Setting(place: rule.place, field: rule.field, value: value))
    }

    private static func wrong(_ key: String, _ value: String, _ expected: String) -> DomainError {
        let shown = value.isEmpty ? "" : ", not '\(value.prefix(80))'"
        return .invalid("the container parameter '\(key)' must be \(expected)\(shown)")
    }

    private static func reasonToRefuse(_ key: String) -> String {
        let shown = key.prefix(80)
        if let advice = ContainerParameterTable.advice[key] {
            return "the container parameter '\(shown)' cannot be used: \(advice)"
        }
        if key.hasPrefix("-") {
            return "the container parameter '\(shown)' must be written without dashes, as in {\"key\": \"dns\", …}"
        }
        let known = ContainerParameterTable.rules.keys.sorted().joined(separator: ", ")
        return
            "the container parameter '\(shown)' is none that Carillon can hand to an engine; these are: \(known)"
    }

    // MARK: Values with parts

    /// `[SOURCE:]TARGET[:MODE]` with an absolute path or the name of a volume as the source.
    private static func volume(_ value: String) throws(DomainError) -> ContainerSpec.Volume {
        var parts = value.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        var mode = ContainerSpec.Volume.Mode.readWrite
        if parts.count > 1, let word = parts.last, ["ro", "rw"].contains(word) {
            if word == "ro" { mode = .readOnly }
            parts.removeLast()
        }
        guard (1...2).contains(parts.count), let target = parts.last, target.hasPrefix("/") else {
            throw wrong("volume", value, "of the form /host/path:/container/path:ro or name:/container/path")
        }
        guard parts.count == 2 else { return .init(containerPath: target, hostPath: "", mode: mode) }
        if parts[0].hasPrefix("/") { return .init(containerPath: target, hostPath: parts[0], mode: mode) }
        guard isVolumeName(parts[0]) else {
            throw wrong("volume", value, "an absolute path or the name of a volume before the colon")
        }
        return .init(
            containerPath: target, hostPath: "", mode: mode, external: .init(name: parts[0], provider: "", options: []))
    }

    /// What engines take as the name of a volume.
    public static func isVolumeName(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= Limits.attributeValue, isWord(first) else { return false }
        return text.utf8.allSatisfy { isWord($0) || "_.-".utf8.contains($0) }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// `NAME=SOFT[:HARD]`.
    private static func limit(_ key: String, _ value: String) throws(DomainError) -> Value {
        let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = parts.count == 2 ? parts[1].split(separator: ":").map { Int64($0) } : []
        guard let name = parts.first, !name.isEmpty, let soft = numbers.first ?? nil, numbers.count <= 2,
            let hard = numbers.last ?? nil, soft >= -1, hard >= -1
        else { throw wrong(key, value, "of the form nofile=1024:4096") }
        return .limit(name: String(name), soft: soft, hard: hard)
    }

    /// `HOST[:CONTAINER[:PERMISSIONS]]`.
    private static func device(_ key: String, _ value: String) throws(DomainError) -> Value {
        let parts = value.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let permissions = parts.count == 3 ? parts[2] : "rwm"
        guard (1...3).contains(parts.count), parts[0].hasPrefix("/"), parts.count == 1 || parts[1].hasPrefix("/"),
            !permissions.isEmpty, permissions.allSatisfy({ "rwm".contains($0) })
        else { throw wrong(key, value, "of the form /dev/host:/dev/container:rwm") }
        return .device(host: parts[0], container: parts.count > 1 ? parts[1] : parts[0], permissions: permissions)
    }

    /// `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`; ranges are not taken.
    private static func port(_ key: String, _ value: String) throws(DomainError) -> Value {
        let sides = value.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let transport = sides.count == 2 ? sides[1] : "tcp"
        var parts = (sides.first ?? "").split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let container = parts.popLast() ?? ""
        let host = parts.popLast() ?? ""
        let address = parts.joined(separator: ":")
        guard let number = UInt16(container), number > 0, host.isEmpty || UInt16(host) != nil,
            ["tcp", "udp", "sctp"].contains(transport)
        else { throw wrong(key, value, "of the form 8080:80 or 127.0.0.1:8080:80/tcp") }
        return .port(container: "\(number)/\(transport)", host: host, address: address)
    }
}

/// Amounts as Docker writes them: `64m`, `1g`, `512k`, `1024`; -1 for "no limit".
enum ByteCount {
    static func parse(_ text: String) -> Int64? {
        if text == "-1" { return -1 }
        var digits = text.lowercased()
        if digits.hasSuffix("b") { digits.removeLast() }
        var factor: Int64 = 1
        if let unit = digits.last, let shift = ["k": 10, "m": 20, "g": 30, "t": 40][unit] {
            factor = 1 << Int64(shift)
            digits.removeLast()
        }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(digits) else {
            return nil
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : bytes
    }
}
