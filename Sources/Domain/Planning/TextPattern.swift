/// A regular expression that is searched for in a text, in the syntax of constraints and in time that is proportional
/// to both.
public struct TextPattern: Sendable {
    private let pattern: Pattern

    /// - Throws: `DomainError.invalid` that says what is wrong.
    public init(_ text: String) throws(DomainError) {
        do throws(PatternError) { pattern = try Pattern(text) } catch { throw .invalid(error.message) }
    }

    /// Whether it occurs anywhere.
    public func occurs(in text: String) -> Bool { pattern.occurs(in: text) }
}
