/// Names one state of everything that people define: jobs, catalogue, workers. What runs and what schedules do
/// meanwhile changes nothing of it. What was read between two equal marks is what is stored now.
public struct DefinitionsMark: Hashable, Sendable {
    public let term: Term
    public let generation: UInt64

    public init(term: Term, generation: UInt64) {
        self.term = term
        self.generation = generation
    }
}
