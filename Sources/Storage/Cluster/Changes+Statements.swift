import Domain
import PostgresClient
import Timetable

// A commit as statements: at most one for each list, in the order of the lists. Each takes its list as arrays, one for
// each column, so that its text is constant (and prepared once) and its cost is one round of parsing however long the
// list is.

extension Changes {
    /// - Throws: `.data` for a run that ends without saying when.
    func statements() throws(StoreError) -> [Statement] {
        let ended = try endedRuns()
        let begun = newRuns.filter { !$0.state.isTerminal }
        return [
            // First: it shows the counters from before, those of deleted jobs too.
            outbox.isEmpty ? nil : OutboxSQL.put(outbox),
            putJobs.isEmpty ? nil : JobSQL.put(putJobs),
            newEras.isEmpty ? nil : JobSQL.open(newEras),
            closedEras.isEmpty ? nil : JobSQL.close(closedEras),
            deletedJobs.isEmpty ? nil : JobSQL.delete(deletedJobs),
            replacedEdges.isEmpty ? nil : JobSQL.replaceEdges(replacedEdges),
            edges.isEmpty ? nil : JobSQL.update(edges),
            advances.isEmpty ? nil : JobSQL.advance(advances),
            begun.isEmpty ? nil : RunSQL.begin(begun),
            runs.isEmpty ? nil : RunSQL.update(runs),
            ended.isEmpty ? nil : RunSQL.finish(ended),
            attempts.isEmpty ? nil : RunSQL.record(attempts),
            ledger.isEmpty ? nil : RunSQL.record(ledger),
            revisedVerdicts.isEmpty ? nil : RunSQL.revise(revisedVerdicts),
            tallies.isEmpty ? nil : JobSQL.add(TallySum.all(of: tallies)),
            disabled.isEmpty ? nil : JobSQL.disable(disabled),
            putWorkers.isEmpty ? nil : JobSQL.put(putWorkers),
            contexts.isEmpty ? nil : CatalogueSQL.put(contexts),
            putCatalogue.isEmpty ? nil : CatalogueSQL.put(putCatalogue),
            deletedCatalogue.isEmpty ? nil : CatalogueSQL.delete(deletedCatalogue),
            isSchedulingEnabled.map(CatalogueSQL.setScheduling),
        ].compactMap { $0 }
    }

    /// Runs that go to history: those listed as finished, and new ones that were never anything else.
    func endedRuns() throws(StoreError) -> [RunUpdate] {
        let bornEnded = newRuns.filter(\.state.isTerminal)
            .map { RunUpdate(run: $0, expectedStates: [], expectedAttempt: $0.attempt) }
        let ended = bornEnded + finishedRuns
        for update in ended where update.run.finishedAt == nil || !update.run.state.isTerminal {
            throw StoreError(.data, "run \(update.run.id) cannot move to history as \(update.run.state.rawValue)")
        }
        return ended
    }
}

/// The tallies of one job in one commit, added up. A success ends the row of errors that came before it.
struct TallySum: Equatable {
    var job: JobID
    var successes: Int64 = 0
    var errors: Int64 = 0
    /// Errors after the last success of the commit, or all of them.
    var errorsSinceSuccess: Int64 = 0
    var lastSuccess: Instant?
    var lastError: Instant?

    /// In the order in which the jobs first appear.
    static func all(of tallies: [Tally]) -> [TallySum] {
        var sums: [TallySum] = []
        var positions: [JobID: Int] = [:]
        for tally in tallies {
            let position = positions[tally.job] ?? sums.count
            if position == sums.count {
                sums.append(TallySum(job: tally.job))
                positions[tally.job] = position
            }
            sums[position].add(tally)
        }
        return sums
    }

    private mutating func add(_ tally: Tally) {
        if tally.isSuccess {
            successes += 1
            errorsSinceSuccess = 0
            lastSuccess = max(lastSuccess ?? tally.at, tally.at)
        } else {
            errors += 1
            errorsSinceSuccess += 1
            lastError = max(lastError ?? tally.at, tally.at)
        }
    }

    func apply(to counters: inout JobCounters) {
        counters.successes += successes
        counters.errors += errors
        counters.errorsSinceLastSuccess = (successes > 0 ? 0 : counters.errorsSinceLastSuccess) + errorsSinceSuccess
        counters.lastSuccess = [counters.lastSuccess, lastSuccess].compactMap { $0 }.max()
        counters.lastError = [counters.lastError, lastError].compactMap { $0 }.max()
    }
}
