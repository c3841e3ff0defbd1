import Domain
import Operations
import Storage

/// Keeps keys that are limited to categories or groups of workers to their jobs, on routes of no dialect.
struct LimitedAccess: Sendable {
    let stores: Stores

    /// What the caller may see; nil: everything.
    func limits() async throws(DomainError) -> JobAccess? {
        let principal = try ManagementAnswers.principal()
        guard !principal.seesAll else { return nil }
        do { return JobAccess(principal, try await stores.catalogue.catalogue()) } catch {
            throw DomainError(store: error)
        }
    }

    /// - Throws: `.forbidden`.
    func require(_ job: Job) async throws(DomainError) { try await limits()?.require(job.definition) }

    /// By the definition that the run is carried out by.
    /// - Throws: `.forbidden`.
    func require(_ run: Run) async throws(DomainError) {
        guard let limits = try await limits() else { return }
        guard let definition = try await definition(of: run) else {
            throw DomainError(.forbidden, "the definition of run '\(run.id)' is known no more, nor who may see it")
        }
        try limits.require(definition)
    }

    /// Those of the runs that the caller may see.
    func visible(_ runs: [Run]) async throws(DomainError) -> [Run] {
        guard let limits = try await limits() else { return runs }
        var known: [JobVersion: Bool] = [:]
        var visible: [Run] = []
        for run in runs {
            // A run may have a definition of its own.
            let isVisible: Bool
            if run.context?.definition == nil, let answer = known[run.job] {
                isVisible = answer
            } else {
                // A definition that is known no more is nobody's who is limited.
                isVisible = try await definition(of: run).map { limits.maySee($0) } ?? false
                if run.context?.definition == nil { known[run.job] = isVisible }
            }
            if isVisible { visible.append(run) }
        }
        return visible
    }

    /// Nil where it is known no more.
    private func definition(of run: Run) async throws(DomainError) -> JobDefinition? {
        if let definition = run.context?.definition { return definition }
        do { return try await stores.jobs.definition(run.job) } catch { throw DomainError(store: error) }
    }
}
