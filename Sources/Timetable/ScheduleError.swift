/// Why a schedule, a duration or a zone name was refused.
public struct ScheduleError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of refusal; closed, so that callers may switch over them.
    public enum Code: String, Sendable, Hashable {
        /// The text does not follow the grammar.
        case syntax
        /// The text is well formed, but a number in it is out of its range.
        case outOfRange
        /// The period is zero, negative or shorter than a second.
        case period
        /// The time zone is not known.
        case unknownZone
        /// The text asks for something other schedulers have and this one does not.
        case unsupported
    }

    public let code: Code
    /// One sentence for people that says what would be right.
    public let message: String

    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
