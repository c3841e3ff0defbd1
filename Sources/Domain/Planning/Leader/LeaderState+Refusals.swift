// Occurrences that are not launched: who is told, and what follows (cronicle.md §2.7).

import Timetable

extension LeaderState {
    /// What is older was missed while nobody could decide it, or has been told of.
    private static let refusalsTold = Duration.seconds(30)

    /// Whether anybody is told of an occurrence that the job's own bounds keep out: of each once, though it may be
    /// held and decided again.
    func isToldOf(_ refused: Occurrence, _ version: JobVersion, now: Moment) -> Bool {
        refused.due.duration(to: now.wall) <= Self.refusalsTold && lastRefused[version] != refused.index
    }

    mutating func refuse(_ refused: Occurrence, of job: Job, now: Moment) {
        if lastRefused.count > 10_000 { lastRefused.removeAll() }
        lastRefused[job.reference] = refused.index
        var reason = refusalText(of: job.definition)
        if let obstacle = follow(refused, of: job, reason, now: now) { reason += "; \(obstacle)" }
        tell(.launchRefused, job: job.id, definition: job.definition, reason: reason, at: now.wall)
    }

    private func refusalText(of definition: JobDefinition) -> String {
        if definition.overlap == .queue {
            return "Job could not be queued: Event queue reached max of \(definition.queueLimit) items"
        }
        return Self.maximum(max(1, definition.maximumActive), "event: \(definition.displayTitle)")
    }

    /// Launches what follows the failure of a job whose occurrence was refused; returns why it could not.
    private mutating func follow(
        _ refused: Occurrence, of job: Job, _ reason: String, now: Moment
    ) -> String? {
        let title = job.definition.displayTitle
        guard !job.definition.onFailure.isEmpty else { return nil }
        guard let next = chained(job.definition.onFailure) else {
            let name = job.definition.onFailure
            return notChained(
                job.id, job.definition, "job '\(name)' not found", "Event ID not found: \(name)", now)
        }
        // It would only fill its own queue.
        guard next.id != job.id else { return nil }
        if let full = refusal(of: next) {
            let told = "\(next.definition.displayTitle): \(full.message)"
            return notChained(job.id, job.definition, full.message, told, now)
        }
        let link = ChainLink(
            run: RunID(""), job: job.id, jobTitle: title, data: "{}", code: Self.launchFailure, description: reason,
            length: 1)
        launch(
            next,
            Launch(
                cause: .chain(key: "refused-\(job.id.rawValue)-\(job.version)-\(refused.index)"),
                due: uniqueDue(next.id, now: now),
                context: RunContext(source: "Chain Reaction (\(title))", chain: link)), now: now)
        return nil
    }
}
