public import Domain
public import Timetable

/// A run as people ask for it: with its tries, and what they are called outside.
public struct RunView: Hashable, Sendable {
    public var run: Run
    /// Tries that have ended, first one first.
    public var attempts: [AttemptRecord]
    /// The definition that it was launched with.
    public var definition: JobDefinition
    /// What its tries say they have processed, by their numbers.
    public var progress: [Int: Int64]

    public init(run: Run, attempts: [AttemptRecord], definition: JobDefinition, progress: [Int: Int64]) {
        self.run = run
        self.attempts = attempts
        self.definition = definition
        self.progress = progress
    }

    public func taskID(attempt: Int) -> String { run.taskID(definition, attempt: attempt) }
}

/// A page of a job's runs, newest first.
public struct RunPage: Sendable {
    public var job: Job
    public var runs: [RunView]
    /// Where the next page goes on; nil on the last one.
    public var next: HistoryPosition?
}

/// What jobs did and will do.
extension JobOperations {
    /// Runs in one page.
    public static let historyLimit = 1_000
    /// Occurrences that one request may ask for.
    public static let occurrenceLimit = 1_000

    /// What has not ended, by job.
    public func activity(_ principal: Principal) async throws(DomainError) -> [JobID: JobActivity] {
        do { return try await runs.activity() } catch { throw DomainError(error) }
    }

    /// How long the last successful runs of a job took.
    public func durations(_ principal: Principal, of job: Job) async throws(DomainError) -> RunDurations {
        do { return try await runs.durations(of: [job.id])[job.id] ?? .none } catch { throw DomainError(error) }
    }

    /// Runs of a job: on the first page those that have not ended, then those that have.
    /// - Throws: `.notFound`.
    public func history(
        _ principal: Principal, name: String, before position: HistoryPosition? = nil, limit: Int
    ) async throws(DomainError) -> RunPage {
        guard (1...Self.historyLimit).contains(limit) else {
            throw .invalid("a page of history has 1 to \(Self.historyLimit) runs, not \(limit)")
        }
        let job = try await job(principal, named: name)
        do {
            var found: [Run] = []
            if position == nil { found = try await runs.active(of: job.id).reversed().prefix(limit).map(\.self) }
            var next: HistoryPosition?
            if found.count < limit {
                let ended = try await runs.history(of: job.id, before: position, limit: limit - found.count)
                if ended.count == limit - found.count { next = ended.last.flatMap(HistoryPosition.init(after:)) }
                found += ended
            } else {
                next = HistoryPosition(finishedAt: .distantFuture, run: RunID("~"))
            }
            return RunPage(job: job, runs: try await views(of: found, job: job), next: next)
        } catch {
            throw DomainError(error)
        }
    }

    /// The next instants at which a job is due, none for one that no schedule starts.
    /// - Throws: `.notFound`.
    public func next(
        _ principal: Principal, name: String, count: Int
    ) async throws(DomainError) -> (job: Job, due: [Instant]) {
        guard (1...Self.occurrenceLimit).contains(count) else {
            throw .invalid("n must be a number from 1 to \(Self.occurrenceLimit), not \(count)")
        }
        let job = try await job(principal, named: name)
        guard job.isEnabled, var next = job.next, case .schedule(let text) = job.definition.trigger else {
            return (job, [])
        }
        let schedule: Schedule
        do { schedule = try text.schedule(zones: zones) } catch {
            throw .invalid("the schedule of \(quoted(name)) cannot be computed any more: \(error.message)")
        }
        var due = [next.due]
        while due.count < count, let following = schedule.next(afterIndex: next.index) {
            next = following
            due.append(following.due)
        }
        return (job, due)
    }

    /// Adds to what a try of a job says that it has processed.
    /// - Throws: `.notFound` where the job has no such task, `.invalid` for what is no task id.
    public func addProgress(
        _ principal: Principal, job: Job, taskID text: String, count: Int64, at now: Instant
    ) async throws(DomainError) {
        try principal.require(.runEvents)
        guard let task = TaskID(text), !text.utf8.contains(0) else {
            throw .invalid("\(quoted(text)) is no task id: it must be like ct:1420843781398:0:job:")
        }
        guard count >= 0 else { throw .invalid("the number of additional elements must not be negative") }
        let run: Run?
        do { run = try await runs.run(of: job.id, dueMilliseconds: task.dueMilliseconds) } catch {
            throw DomainError(error)
        }
        guard let run, task.jobName == job.definition.name, task.attempt >= 0, task.attempt <= run.attempt else {
            throw .notFound("task \(quoted(text)) not found")
        }
        let attempt = AttemptID(run: run.id, number: task.attempt)
        do { try await runs.addProgress(count, to: attempt, at: now) } catch { throw DomainError(error) }
    }

    private func views(of runs: [Run], job: Job) async throws(StoreError) -> [RunView] {
        guard !runs.isEmpty else { return [] }
        let attempts = Dictionary(grouping: try await self.runs.attempts(of: runs), by: \.attempt.run)
        let progress = try await self.runs.progress(of: runs.map(\.id))
        var counted: [RunID: [Int: Int64]] = [:]
        for (attempt, count) in progress { counted[attempt.run, default: [:]][attempt.number] = count }
        var definitions = [job.reference: job.definition]
        for version in Set(runs.map(\.job)).sorted(by: { $0.version < $1.version }) where definitions[version] == nil {
            // One that upkeep has dropped: the current one tells as much as there is.
            definitions[version] = try await reading.definition(version) ?? job.definition
        }
        return runs.map { run in
            RunView(
                run: run, attempts: attempts[run.id] ?? [], definition: definitions[run.job] ?? job.definition,
                progress: counted[run.id] ?? [:])
        }
    }
}
