public import Domain

/// A job as a client wants it to be.
public struct JobDraft: Hashable, Sendable {
    public var definition: JobDefinition
    public var isEnabled: Bool
    /// Nil: start counting anew.
    public var counters: JobCounters?

    public init(definition: JobDefinition, isEnabled: Bool = true, counters: JobCounters? = nil) {
        self.definition = definition
        self.isEnabled = isEnabled
        self.counters = counters
    }
}
