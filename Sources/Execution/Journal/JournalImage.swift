public import Domain
public import Timetable

/// What the records of a journal add up to.
public struct JournalImage: Sendable {
    /// A try that was accepted and is neither forgotten nor acknowledged.
    public struct Entry: Hashable, Sendable {
        public var phase: HeldAttempt.Phase
        public var process: ProcessIdentity?
        public var startedAt: Instant?
        public var report: AttemptReport?
    }

    public private(set) var highestTerm = Term.none
    public private(set) var held: [AttemptID: Entry] = [:]
    public private(set) var executed = RecentAttempts(limit: ExecutionLimits.rememberedAttempts)

    public init() {}

    public mutating func apply(_ record: JournalRecord) {
        switch record {
        case .accepted(let attempts, let term):
            highestTerm = max(highestTerm, term)
            for attempt in attempts where held[attempt] == nil { held[attempt] = Entry(phase: .accepted) }
        case .forgotten(let attempts):
            for attempt in attempts { held[attempt] = nil }
        case .started(let attempt, let process, let at):
            var entry = held[attempt] ?? Entry(phase: .accepted)
            if entry.phase == .accepted { entry.phase = .started }
            entry.process = process
            entry.startedAt = at
            held[attempt] = entry
            executed.insert(attempt)
        case .finished(let report):
            var entry = held[report.attempt] ?? Entry(phase: .finished)
            entry.phase = .finished
            entry.report = report
            held[report.attempt] = entry
            executed.insert(report.attempt)
        case .acknowledged(let attempts):
            for attempt in attempts {
                held[attempt] = nil
                executed.insert(attempt)
            }
        case .term(let term):
            highestTerm = max(highestTerm, term)
        case .executed(let attempts):
            for attempt in attempts { executed.insert(attempt) }
        }
    }

    /// Records that add up to the same.
    var records: [JournalRecord] {
        let attempts = held.keys.sorted()
        var records: [JournalRecord] = [.executed(executed.oldestFirst), .accepted(attempts, term: highestTerm)]
        for attempt in attempts {
            guard let entry = held[attempt] else { continue }
            if let process = entry.process, let at = entry.startedAt {
                records.append(.started(attempt, process: process, at: at))
            }
            if let report = entry.report { records.append(.finished(report)) }
        }
        return records
    }
}
