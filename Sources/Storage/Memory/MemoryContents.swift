public import Domain
import Timetable

/// All that the in-memory store holds: small tables, and logs that only grow.
///
/// They are apart because a commit that fails must leave no trace: the tables are copied before each commit, the logs
/// are cut back to their former length.
public struct MemoryContents: Sendable {
    public internal(set) var term: Term
    public internal(set) var tables = MemoryTables()
    public private(set) var history: [Run] = []
    public private(set) var attempts: [AttemptRecord] = []
    public private(set) var ledger: [LedgerEntry] = []
    public private(set) var outbox: [OutboxMessage] = []

    /// Positions in the ledger of the entries that name a run.
    private var ledgerOfRun: [RunID: [Int]] = [:]
    private var attemptKeys: Set<AttemptKey> = []

    private struct AttemptKey: Hashable {
        let attempt: AttemptID
        let finishedAt: Instant

        init(_ record: AttemptRecord) {
            attempt = record.attempt
            finishedAt = record.finishedAt
        }
    }

    init(term: Term) {
        self.term = term
    }

    func fence(_ wanted: Term) throws(StoreError) {
        guard wanted == term else {
            throw StoreError(.stale, "term \(wanted) is over: the store is at \(term)")
        }
    }

    /// All of it or nothing.
    mutating func commit(_ changes: Changes) throws(StoreError) {
        let former = (tables: tables, history: history.count, attempts: attempts.count)
        do throws(StoreError) {
            let ended = try changes.endedRuns()
            try tables.apply(changes, ended: ended)
            history += ended.map(\.run)
            for attempt in changes.attempts { try record(attempt) }
        } catch {
            tables = former.tables
            history.removeLast(history.count - former.history)
            for attempt in attempts[former.attempts...] { attemptKeys.remove(AttemptKey(attempt)) }
            attempts.removeLast(attempts.count - former.attempts)
            throw error
        }
        // Nothing of what follows can be refused.
        outbox += changes.outbox
        for entry in changes.ledger { record(entry) }
        for revised in changes.revisedVerdicts { revise(revised.run, revised.verdict, revised.reason.withoutNUL) }
    }

    private mutating func record(_ attempt: AttemptRecord) throws(StoreError) {
        guard attemptKeys.insert(AttemptKey(attempt)).inserted else {
            throw StoreError(.conflict, "try \(attempt.attempt) is recorded already")
        }
        var storable = attempt
        storable.reason = attempt.reason.withoutNUL
        storable.outputTail = attempt.outputTail.withoutNUL
        attempts.append(storable)
    }

    private mutating func record(_ entry: LedgerEntry) {
        if let run = entry.run { ledgerOfRun[run, default: []].append(ledger.count) }
        ledger.append(entry)
    }

    private mutating func revise(_ run: RunID, _ verdict: Verdict, _ reason: String) {
        for position in ledgerOfRun[run] ?? [] where ledger[position].verdict == .launched {
            ledger[position].verdict = verdict
            ledger[position].reason = reason
        }
    }
}
