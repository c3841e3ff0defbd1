public import Domain
public import Storage
public import Timetable

/// Runs as the Cronicle dialect shows them: those that have not ended from the leader's memory, the others from
/// history.
public struct RunRecords: Sendable {
    /// A run with all that is known of it.
    public struct Record: Sendable {
        public var run: Run
        public var definition: JobDefinition
        /// Of the last try.
        public var details: AttemptDetails?
        /// Of the last try that has ended.
        public var attempt: AttemptRecord?
        public var firstStart: Instant?

        public init(
            run: Run, definition: JobDefinition, details: AttemptDetails?, attempt: AttemptRecord?, firstStart: Instant?
        ) {
            self.run = run
            self.definition = definition
            self.details = details
            self.attempt = attempt
            self.firstStart = firstStart
        }

        public var waitsInQueue: Bool { run.waitsInQueue(of: definition) }
    }

    private let stores: Stores
    private let office: any LeaderOffice
    private let clock: any WallClock

    public init(stores: Stores, office: any LeaderOffice, clock: any WallClock) {
        self.stores = stores
        self.office = office
        self.clock = clock
    }

    /// Runs that have not ended, of one job or of all.
    public func active(of job: JobID? = nil) async throws(DomainError) -> [Record] {
        let active = await office.activeRuns(of: job, limit: Limits.activeRuns)
        guard !active.isEmpty else { return [] }
        // Tries that have ended count for those that are being repeated only.
        let repeated = active.filter { $0.run.attempt > 0 }.map(\.run.id)
        let ended = repeated.isEmpty ? [:] : try await attempts(of: repeated)
        return active.map { overview in
            Record(
                run: overview.run, definition: overview.definition, details: overview.details,
                attempt: ended[overview.run.id]?.record,
                firstStart: ended[overview.run.id]?.firstStart ?? overview.run.startedAt)
        }
    }

    /// - Returns: nil for a run that is unknown, or whose record was deleted.
    public func record(_ id: RunID) async throws(DomainError) -> Record? {
        if let overview = await office.activeRun(id) {
            let ended = overview.run.attempt > 0 ? try await attempts(of: [id])[id] : nil
            var run = overview.run
            if !overview.explanation.isEmpty, !run.isAbortRequested { run.reason = overview.explanation }
            return Record(
                run: run, definition: overview.definition, details: overview.details,
                attempt: ended?.record, firstStart: ended?.firstStart ?? overview.run.startedAt)
        }
        do {
            guard let run = try await stores.runs.run(id) else { return nil }
            guard try await !stores.runs.deleted(among: [id]).contains(id) else { return nil }
            let attempts = try await stores.runs.attempts(of: id)
            return Record(
                run: run, definition: try await definition(of: run), details: attempts.last?.details,
                attempt: attempts.last, firstStart: attempts.first?.startedAt ?? run.startedAt)
        } catch { throw DomainError(error) }
    }

    private func definition(of run: Run) async throws(StoreError) -> JobDefinition {
        if let definition = run.context?.definition { return definition }
        // Superseded definitions go with the retention; the run may be younger.
        return try await stores.jobs.definition(run.job) ?? JobDefinition(name: run.jobName)
    }

    /// Ended runs by pages, the one that ended last first. A record that was deleted has no definition any more.
    public func history(
        of job: JobID?, offset: Int, limit: Int
    ) async throws(DomainError) -> [(record: Record, isDeleted: Bool)] {
        do {
            let runs = try await stores.runs.endedPage(of: job, offset: offset, limit: limit)
            let deleted = try await stores.runs.deleted(among: runs.map(\.id))
            let attempts = try await stores.runs.lastAttempts(of: runs.map(\.id))
            var definitions: [JobVersion: JobDefinition] = [:]
            var records: [(record: Record, isDeleted: Bool)] = []
            for run in runs {
                let definition: JobDefinition
                if run.context?.definition == nil, let known = definitions[run.job] {
                    definition = known
                } else {
                    definition = try await self.definition(of: run)
                    if run.context?.definition == nil { definitions[run.job] = definition }
                }
                let last = attempts[run.id]
                records.append(
                    (
                        Record(
                            run: run, definition: definition, details: last?.record.details, attempt: last?.record,
                            firstStart: last?.firstStart ?? run.startedAt), deleted.contains(run.id)
                    ))
            }
            return records
        } catch { throw DomainError(error) }
    }

    public func count(of job: JobID?) async throws(DomainError) -> Int64 {
        do { return try await stores.runs.endedCount(of: job) } catch { throw DomainError(error) }
    }

    private func attempts(
        of runs: [RunID]
    ) async throws(DomainError) -> [RunID: (record: AttemptRecord, firstStart: Instant?)] {
        do { return try await stores.runs.lastAttempts(of: runs) } catch { throw DomainError(error) }
    }

    // MARK: Writing

    /// Ends runs; `rewinds`: occurrences of jobs with full catch-up are run once more.
    public func abort(
        _ principal: Principal, _ runs: [RunID], reason: String, rewinds: Bool
    ) async throws(DomainError) -> [RunID] {
        try principal.require(.abortEvents)
        guard
            case .runs(let ended) = try await office.submit(.abortRuns(runs, reason: reason, rewinds: rewinds))
        else { return [] }
        return ended
    }

    /// Replaces what a run is carried out by, for the rest of it.
    public func update(
        _ principal: Principal, _ run: RunID, _ definition: JobDefinition
    ) async throws(DomainError) {
        try principal.require(.editEvents)
        _ = try await office.submit(.updateRun(run, definition))
    }

    public func deleteRecord(_ principal: Principal, _ run: RunID) async throws(DomainError) {
        try principal.require(.admin)
        do { try await stores.runs.deleteRecord(of: run, at: clock.now()) } catch { throw DomainError(error) }
    }
}
