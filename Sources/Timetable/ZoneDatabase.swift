/// Where the rules of time zones come from.
///
/// This target reads no files: the node's adapter reads the system's tzdata, tests read it themselves, the simulation
/// holds a table.
public protocol ZoneDatabase: Sendable {
    /// The rules under exactly this name (case counts), nil when there are none.
    ///
    /// Names arrive checked: at most 64 letters, digits, `_`, `+`, `-` and `/`; neither absolute nor with dots.
    func rules(named name: String) -> ZoneRules?

    /// The release of the data, such as `2025b`: nodes log it and should agree on it.
    var version: String { get }
}

/// Why the bytes of a time zone were refused.
public struct ZoneError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String

    public init(message: String) {
        self.message = message
    }

    public var description: String { message }
}
