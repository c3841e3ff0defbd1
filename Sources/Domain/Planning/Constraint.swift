/// A condition on one attribute of a worker (seed, "Constraints"; chronos.md §3.15).
public struct Constraint: Hashable, Sendable {
    public enum Operator: String, Sendable, CaseIterable { case equals = "EQUALS", like = "LIKE", unlike = "UNLIKE" }
    public let attribute: String
    public let comparison: Operator
    public let value: String
    /// For LIKE and UNLIKE.
    private let pattern: Pattern?

    /// - Throws: `DomainError.invalid` for an unknown operator, an empty attribute, a pattern that is too long or is
    ///   not a regular expression.
    public init(attribute: String, comparison: String, value: String) throws(DomainError) {
        guard let known = Operator(rawValue: comparison.uppercased()) else {
            throw .invalid("unknown constraint operator '\(comparison)': use EQUALS, LIKE or UNLIKE")
        }
        guard !attribute.isEmpty else { throw .invalid("a constraint needs the name of an attribute") }
        guard value.utf8.count <= Limits.constraintPattern else {
            throw .invalid("the value of a constraint may have at most \(Limits.constraintPattern) bytes")
        }
        if known == .equals {
            pattern = nil
        } else {
            do { pattern = try Pattern(value) } catch {
                throw .invalid(
                    "'\(value)' is not a regular expression, in the constraint on '\(attribute)': \(error.message)")
            }
        }
        self.attribute = attribute
        self.comparison = known
        self.value = value
    }

    /// That a worker runs containers. Never nil: the pattern is right.
    public static let containerEngine = try? Constraint(
        attribute: ContainerSpec.engineAttribute, comparison: "LIKE", value: ".+")

    /// An attribute that the worker lacks satisfies no constraint, UNLIKE included. Patterns match the whole value.
    public func isSatisfied(by attributes: [String: String]) -> Bool {
        guard let actual = attributes[attribute] else { return false }
        switch comparison {
        case .equals: return actual == value
        case .like: return pattern?.matches(actual) == true
        case .unlike: return pattern?.matches(actual) == false
        }
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.attribute == right.attribute && left.comparison == right.comparison && left.value == right.value
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(attribute)
        hasher.combine(comparison)
        hasher.combine(value)
    }

    public var text: String { "\(attribute) \(comparison.rawValue) \(value)" }
}

extension JobDefinition {
    /// The constraints that the job names, and those that lie in what it is.
    public var requirements: [Constraint] {
        guard container != nil, let engine = Constraint.containerEngine else { return constraints }
        return constraints + [engine]
    }
}
