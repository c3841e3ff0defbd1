public import Domain

/// A job as a client wants it to be.
public struct JobDraft: Hashable, Sendable {
    public var definition: JobDefinition
    public var isEnabled: Bool
    /// Nil: start counting anew, unless they are kept.
    public var counters: JobCounters?
    /// Where there are no other ones, the job's own go on.
    public var keepsCounters = false

    public init(definition: JobDefinition, isEnabled: Bool = true, counters: JobCounters? = nil) {
        self.definition = definition
        self.isEnabled = isEnabled
        self.counters = counters
    }
}

/// What must hold of a job for it to be put.
public enum PutCondition: Hashable, Sendable {
    case none
    /// There is none of that name.
    case isNew
    case exists
    /// Its current definition is one of these versions.
    case hasVersion([Int64])

    /// - Throws: `.conflict` where it does not hold.
    func check(_ existing: Job?, named name: String) throws(DomainError) {
        switch (self, existing) {
        case (.none, _), (.isNew, nil), (.exists, .some): return
        case (.isNew, .some):
            throw DomainError(.conflict, "Job \(quoted(name)) exists already, and only a new one was wanted")
        case (.exists, nil), (.hasVersion, nil):
            throw DomainError(.conflict, "Job \(quoted(name)) not found, and only an existing one was to be changed")
        case (.hasVersion(let versions), .some(let job)):
            guard !versions.contains(job.version) else { return }
            throw DomainError(
                .conflict,
                "Job \(quoted(name)) has been changed since it was read: it is at version \(job.version) now; read it"
                    + " again and repeat the change")
        }
    }
}
