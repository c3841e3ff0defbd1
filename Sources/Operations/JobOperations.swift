public import Domain
public import Timetable

/// Use cases on jobs and their runs.
///
/// Errors: `DomainError`. `.unavailable` after a write means that its outcome is unknown: repeating it is safe for all
/// but `run`. Cancellation abandons the answer, not the command.
public struct JobOperations: Sendable {
    /// A job that is changed by others more often than this while one change is tried is left to them.
    private static let putTries = 5

    let reading: any JobReading
    let catalogue: any PluginReading
    let runs: any RunReading
    let office: any LeaderOffice
    let zones: any ZoneDatabase
    private let validator: JobValidator

    public init(
        reading: any JobReading, catalogue: any PluginReading, runs: any RunReading, office: any LeaderOffice,
        zones: any ZoneDatabase
    ) {
        self.reading = reading
        self.catalogue = catalogue
        self.runs = runs
        self.office = office
        self.zones = zones
        validator = JobValidator(zones: zones)
    }

    // MARK: Reading

    /// - Throws: `.notFound`.
    public func job(_ principal: Principal, named name: String) async throws(DomainError) -> Job {
        guard let job = try await existing(name) else { throw Self.unknown(name) }
        return job
    }

    /// The jobs after the one of that name (nil: from the first), in the order of their names.
    public func list(
        _ principal: Principal, after name: String? = nil, limit: Int
    ) async throws(DomainError) -> [Job] {
        do { return try await reading.jobs(after: name, limit: limit) } catch { throw DomainError(error) }
    }

    public func search(_ principal: Principal, _ search: JobSearch) async throws(DomainError) -> [Job] {
        guard search.limit >= 0, search.offset >= 0 else {
            throw .invalid("limit and offset of a search must not be negative")
        }
        for term in [search.name, search.command, search.any] {
            guard let term else { continue }
            try JobValidator.refuseNUL(term, in: "a search term")
        }
        do { return try await reading.search(search) } catch { throw DomainError(error) }
    }

    // MARK: Writing

    /// Creates the job, or replaces the one with that name, which needs another privilege.
    ///
    /// A draft is made from the job as it is, so that it can keep what its author's dialect does not know. Should
    /// somebody change the job between the look at it and the leader's turn, it is made again from what there is then.
    /// - Parameter draft: may be called several times; nil: there is no job of that name yet.
    /// - Returns: the job as it was stored.
    @discardableResult
    public func put(
        _ principal: Principal, name: String, where condition: PutCondition = .none,
        draft: @Sendable (Job?) throws(DomainError) -> JobDraft
    ) async throws(DomainError) -> Job {
        // Neither privilege: refused before anything is looked up.
        guard principal.has(.createEvents) || principal.has(.editEvents) else {
            throw DomainError(
                .forbidden,
                "'\(principal.name)' lacks the privileges '\(Privilege.createEvents.rawValue)' and"
                    + " '\(Privilege.editEvents.rawValue)', one of which this request needs")
        }
        var tries = 0
        while true {
            tries += 1
            let existing = try await existing(name)
            let made = try draft(existing)
            try validator.validate(made.definition)
            try principal.require(existing == nil ? .createEvents : .editEvents)
            try condition.check(existing, named: name)
            try await requireReferences(of: made.definition, existing?.definition)
            var options = PutOptions()
            options.keepsCounters = made.keepsCounters
            let mode = existing.map { PutMode.replace(version: $0.version) } ?? .createOnly
            let outcome: LeaderReply
            do {
                outcome = try await office.submit(
                    .putJob(
                        made.definition, isEnabled: made.isEnabled, counters: made.counters, mode: mode,
                        options: options))
            } catch {
                guard error.code == .conflict, tries < Self.putTries else { throw error }
                continue
            }
            guard case .job(let job) = outcome else { throw .unavailable("the leader answered something else") }
            return job
        }
    }

    /// Deletes the job, ends its runs and rewires its dependants.
    public func delete(_ principal: Principal, name: String) async throws(DomainError) -> JobDeletion {
        try principal.require(.deleteEvents)
        try requirePossible(name)
        return try await office.submit(.deleteJob(name: name)).deletion()
    }

    /// Makes a run that is due now. Each accepted request is a run of its own.
    /// - Parameter arguments: empty for the job's own ones.
    /// - Returns: the run, where the leader made one.
    @discardableResult
    public func run(
        _ principal: Principal, name: String, arguments: String = ""
    ) async throws(DomainError) -> RunID? {
        try principal.require(.runEvents)
        try requirePossible(name)
        try JobValidator.refuseNUL(arguments, in: "the arguments")
        guard arguments.isEmpty || !principal.limits.runsUnchanged || principal.has(.admin) else {
            throw DomainError(
                .forbidden,
                "'\(principal.name)' may run jobs only as they are (job_read_only): leave the arguments out")
        }
        guard arguments.utf8.count <= Limits.argument else {
            throw .invalid("the arguments of a run may have at most \(Limits.argument) bytes")
        }
        let context = RequestContext.trace.map { RunContext(trace: $0) }
        return try await office.submit(.runJob(.name(name), RunRequest(arguments: arguments, context: context)))
            .launchedRun
    }

    /// Ends what runs of the job; runs that have not started yet go ahead.
    public func kill(_ principal: Principal, name: String) async throws(DomainError) {
        try principal.require(.abortEvents)
        try requirePossible(name)
        _ = try await office.submit(.killRuns(jobName: name, includingQueued: false))
    }

    /// Ends all that the job has: what runs, what waits for a worker, what waits for its next try.
    public func endAll(_ principal: Principal, name: String) async throws(DomainError) {
        try principal.require(.abortEvents)
        try requirePossible(name)
        _ = try await office.submit(.killRuns(jobName: name, includingQueued: true))
    }

    /// Ends the runs of all jobs that no worker has.
    public func dropWaitingRuns(_ principal: Principal) async throws(DomainError) {
        try principal.require(.abortEvents)
        _ = try await office.submit(.dropWaitingRuns)
    }

    /// Counts a success that no run had, which lets dependants go ahead.
    public func markSuccess(_ principal: Principal, name: String) async throws(DomainError) {
        try principal.require(.runEvents)
        try requirePossible(name)
        if case .flag(false) = try await office.submit(.markSuccess(name: name)) { throw Self.unknown(name) }
    }

    /// Takes a client's word for how a run of an asynchronous job ended; status 0 is success.
    /// - Throws: `.notFound` when no run that has not ended goes by that task id.
    public func complete(_ principal: Principal, taskID: String, statusCode: Int) async throws(DomainError) {
        try principal.require(.runEvents)
        let unknown = DomainError.notFound("task \(quoted(taskID)) not found")
        guard !taskID.utf8.contains(0) else { throw unknown }
        if case .flag(false) = try await office.submit(.completeRun(taskID: taskID, statusCode: statusCode)) {
            throw unknown
        }
    }

    // MARK: Parts

    /// What a job newly refers to must be there: a plugin, and the jobs of its chains. What it referred to before may
    /// have gone, and it can still be changed.
    private func requireReferences(of job: JobDefinition, _ former: JobDefinition?) async throws(DomainError) {
        do {
            if !job.plugin.isEmpty, job.plugin != former?.plugin, try await catalogue.plugin(job.plugin) == nil {
                throw DomainError.invalid(
                    "the executor \(quoted(job.plugin)) not found: it must be empty or the identifier of a plugin")
            }
            for (next, before) in [(job.onFailure, former?.onFailure), (job.onSuccess, former?.onSuccess)]
            where !next.isEmpty && next != before && next != job.name {
                if try await reading.job(named: next) != nil { continue }
                if try await reading.job(JobID(next)) != nil { continue }
                throw DomainError.invalid("the job \(quoted(next)), which is to run next, not found: create it first")
            }
        } catch let error as DomainError {
            throw error
        } catch let error as StoreError {
            throw DomainError(error)
        } catch {
            throw .unavailable("\(error)")
        }
    }

    static func unknown(_ name: String) -> DomainError { .notFound("Job \(quoted(name)) not found") }

    private func existing(_ name: String) async throws(DomainError) -> Job? {
        guard Self.isPossible(name) else { return nil }
        do { return try await reading.job(named: name) } catch { throw DomainError(error) }
    }

    private func requirePossible(_ name: String) throws(DomainError) {
        guard Self.isPossible(name) else { throw Self.unknown(name) }
    }

    /// No job can have any other name, so that nobody needs to be asked.
    private static func isPossible(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= Limits.jobName && !name.utf8.contains(0)
    }
}
