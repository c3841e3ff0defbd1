import CLibPQ

/// Where the database is and what its sessions are to be like.
///
/// Every session speaks UTF-8, keeps its time in UTC, writes ISO dates and takes backslashes literally, whatever the
/// server's configuration says: what results look like must not depend on it.
public struct PostgresConfiguration: Sendable {
    /// A libpq URL (`postgresql://user:password@host:port/database?sslmode=…`) or `key=value` text.
    public var url: String
    /// What `pg_stat_activity` shows.
    public var applicationName: String
    /// Settings of the session, such as `statement_timeout`, given at its start.
    public var serverSettings: [(name: String, value: String)]
    /// For the look-up of the host's name, and for each of its addresses in turn. A `connect_timeout` in the URL, in
    /// seconds, goes before it.
    public var connectTimeout: Duration
    /// Further libpq parameters: `tcp_user_timeout`, `keepalives_idle`, `sslrootcert` …
    public var clientSettings: [(String, String)]
    /// Refuse a server that is a standby or read-only, and try the next of several hosts.
    public var readWriteOnly: Bool

    public init(
        url: String, applicationName: String = "carillon", serverSettings: [(name: String, value: String)] = [],
        connectTimeout: Duration = .seconds(2), clientSettings: [(String, String)] = [], readWriteOnly: Bool = false
    ) {
        self.url = url
        self.applicationName = applicationName
        self.serverSettings = serverSettings
        self.connectTimeout = connectTimeout
        self.clientSettings = clientSettings
        self.readWriteOnly = readWriteOnly
    }

    private static let fixedSettings = [
        (name: "timezone", value: "UTC"), (name: "datestyle", value: "ISO, YMD"),
        (name: "standard_conforming_strings", value: "on"), (name: "bytea_output", value: "hex"),
        (name: "extra_float_digits", value: "1"),
    ]

    /// The parameters for libpq, without those that name the address.
    /// - Throws: `PostgresError.invalidRequest` for a URL that libpq does not understand and for a setting whose name
    ///   is not one.
    func parameters() throws(PostgresError) -> [String: String] {
        var parameters = try Self.parse(url)
        parameters["application_name"] = applicationName
        parameters["client_encoding"] = "UTF8"
        if readWriteOnly { parameters["target_session_attrs"] = "read-write" }
        for (name, value) in clientSettings { parameters[name] = value }
        var options = parameters["options"].map { $0 + " " } ?? ""
        for (name, value) in serverSettings + Self.fixedSettings {
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isNameByte) else {
                throw PostgresError(.invalidRequest, "\(name) is not the name of a server setting")
            }
            options += "-c \(name)=\(Self.escape(value)) "
        }
        parameters["options"] = options
        return parameters
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// The server splits the options at blanks that have no backslash before them.
    private static func escape(_ value: String) -> String {
        var escaped = ""
        for character in value {
            if character == "\\" || character.isWhitespace { escaped += "\\" }
            escaped.append(character)
        }
        return escaped
    }

    private static func parse(_ url: String) throws(PostgresError) -> [String: String] {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(url, &message) else {
            // libpq quotes the part it stumbled over, which may be a piece of a password.
            PQfreemem(message)
            throw PostgresError(
                .invalidRequest,
                "the database URL cannot be read; it looks like postgresql://user:password@host:5432/database, "
                    + "special characters percent-encoded")
        }
        defer { PQconninfoFree(options) }
        var parameters: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { parameters[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return parameters
    }
}
