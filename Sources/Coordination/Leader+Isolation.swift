import Domain

// What happens after the database has refused a turn: its parts are tried one by one, each on a state that has just
// been read, so that the one that cannot be is found and the others are done.

extension Leader {
    /// Repeats a refused turn piece by piece, so that what the database refuses harms nothing else. A job whose
    /// occurrence cannot be recorded is disabled and reported.
    func isolate(_ batch: [Item], _ office: Office) async throws -> [Effect] {
        var effects: [Effect] = []
        var rest = batch[...]
        do {
            try await restart(office)
            // What is due comes first, as in any turn.
            effects += try await isolateTimers(office)
            while let item = rest.first {
                effects += try await isolate(item, office)
                rest = rest.dropFirst()
                effects += try await isolateTimers(office)
            }
        } catch {
            answerUnknown(Array(rest))
            throw error
        }
        return effects
    }

    /// Answers the item exactly once, or throws without having answered it.
    private func isolate(_ item: Item, _ office: Office) async throws -> [Effect] {
        if case .command(.reports(let reports), let continuation) = item, reports.count > 1 {
            // The end of one try must not be lost because another one's is refused.
            var effects: [Effect] = []
            for report in reports { effects += try await isolate(.report(report), office) }
            continuation.resume(returning: .success(.reports(ReportReply(acknowledged: reports.map(\.attempt)))))
            return effects
        }
        do {
            return try await commit([item], office, timers: false)
        } catch let error as StoreError where error.code == .conflict || error.code == .data {
            try await restart(office)
            refuse(item, because: error)
            return []
        }
    }

    /// Decides what is due in a transaction each. What the database refuses twice in the state that it has just given
    /// it will refuse for ever: the job is disabled; where it is no job's doing another node may know better.
    private func isolateTimers(_ office: Office) async throws -> [Effect] {
        var effects: [Effect] = []
        var conflicts: [JobVersion: Int] = [:]
        var others = 0
        try await learnFacts(office)
        while let subject = state?.advanceOne(to: moment()) {
            do {
                effects += try await commit([], office, timers: false)
            } catch let error as StoreError where error.code == .conflict || error.code == .data {
                try await restart(office)
                guard case .job(let version) = subject else {
                    others += 1
                    if others >= Self.refusalsInARow { throw LossOfOffice("the database refuses: \(error.message)") }
                    continue
                }
                conflicts[version, default: 0] += 1
                guard error.code == .data || conflicts[version, default: 0] >= Self.refusalsInARow else { continue }
                log.with("job", version.job).error("the database refused an occurrence of the job: \(error.message)")
                state?.disable(version, reason: "the database refused its occurrence: \(error.message)")
                effects += try await commit([], office, timers: false)
            }
        }
        return effects
    }

    private func restart(_ office: Office) async throws {
        try await reload(office)
        try await extendAgenda(office)
        try await learnFacts(office)
    }

    /// What follows the end of a run must be known before a timer may end it.
    private func learnFacts(_ office: Office) async throws {
        let facts = try await readFacts(for: [], office)
        state?.learn(facts)
    }
}
