public import Timetable

/// Decides what becomes of the occurrences of one job that are due: each gets exactly one verdict.
///
/// Order of the rules: start window (older ones are missed), catch-up (without a window: at most one late run by
/// default), overlap (what if earlier runs have not ended). Nothing here depends on who asks or when it was asked
/// before: the answer follows from the schedule, the last decided index, and now.
public enum LaunchPlanner {
    public struct Situation: Sendable {
        public var schedule: Schedule
        public var definition: JobDefinition
        /// The first occurrence without a verdict.
        public var next: Occurrence
        public var now: Instant
        /// Runs of the job that have not ended.
        public var active: Int
        /// Those of them that wait for an earlier one.
        public var waiting: Int
        /// Why nothing of the schedule may be launched now; nil: it may.
        public var suspension: String?
        public var policy: SchedulingPolicy

        public init(
            schedule: Schedule, definition: JobDefinition, next: Occurrence, now: Instant, active: Int, waiting: Int,
            suspension: String? = nil, policy: SchedulingPolicy
        ) {
            self.schedule = schedule
            self.definition = definition
            self.next = next
            self.now = now
            self.active = active
            self.waiting = waiting
            self.suspension = suspension
            self.policy = policy
        }
    }

    public struct Finding: Hashable, Sendable {
        public var first: Occurrence
        public var last: Occurrence
        public var count: Int64
        public var verdict: Verdict
        public var reason: String
        /// Launched ones: not to be started later than this.
        public var startDeadline: Instant?
    }

    public struct Decision: Sendable {
        public var findings: [Finding]
        public var decidedThrough: Int64
        /// Nil: the schedule is exhausted.
        public var next: Occurrence?
        /// `next` is due and has no verdict: it waits until what keeps it out has gone.
        public var isHeld = false
        /// The last one that the job's own bounds have kept out, or the first of those that are held for their sake.
        public var refused: Occurrence?
    }

    /// Nil where nothing is due. Without findings everything that is due is held.
    public static func decide(_ situation: Situation) -> Decision? {
        guard situation.next.due <= situation.now,
            let last = situation.schedule.last(atOrBefore: situation.now), last.index >= situation.next.index
        else { return nil }
        var run = Deliberation(situation: situation)
        run.decide(through: last)
        guard !run.findings.isEmpty else {
            return Decision(
                findings: [], decidedThrough: .min, next: situation.next, isHeld: true, refused: run.refused)
        }
        return Decision(
            findings: run.findings, decidedThrough: run.decided.index,
            next: situation.schedule.next(afterIndex: run.decided.index), isHeld: run.isHeld, refused: run.refused)
    }
}

/// The state of one decision while it is being made.
private struct Deliberation {
    let situation: LaunchPlanner.Situation
    var findings: [LaunchPlanner.Finding] = []
    var decided: Occurrence
    private(set) var isHeld = false
    private(set) var refused: Occurrence?
    private var active: Int
    private var waiting: Int

    init(situation: LaunchPlanner.Situation) {
        self.situation = situation
        decided = situation.next
        active = situation.active
        waiting = situation.waiting
    }

    private var schedule: Schedule { situation.schedule }
    private var maximum: Int { max(1, situation.definition.maximumActive) }
    private var explicitWindow: Duration? { situation.definition.startWindow ?? situation.policy.defaultStartWindow }
    /// Without catch-up an occurrence is on time for a minute.
    private var window: Duration? {
        explicitWindow ?? (situation.definition.catchUp == .none ? .seconds(60) : nil)
    }

    mutating func decide(through last: Occurrence) {
        var first = situation.next
        if let window {
            guard let open = dropMissed(from: first, through: last, window: window) else { return }
            first = open
        } else if situation.definition.catchUp == .latest, first.index < last.index {
            let before = previous(of: last, from: first)
            note(first, before, .coalesced, "the later occurrence at \(last.due.iso8601) stands for it")
            first = last
        }
        if let suspension = situation.suspension {
            keepOut(first, last, suspension)
            return
        }
        for occurrence in schedule.occurrences(
            from: first.index, through: last.due, limit: max(1, situation.policy.launchesPerTurn))
        {
            if let refusal = refusal(for: situation.definition) {
                // What keeps this one out keeps all later ones of this decision out: nothing ends meanwhile.
                keepOut(occurrence, last, refusal)
                refused = isHeld ? occurrence : last
                return
            }
            launch(occurrence)
        }
    }

    /// A job that catches up on all loses nothing to what will pass.
    private mutating func keepOut(_ first: Occurrence, _ last: Occurrence, _ reason: String) {
        if situation.definition.catchUp == .all {
            isHeld = true
        } else {
            note(first, last, .skipped, reason)
        }
    }

    /// Records what is older than the window; returns the first occurrence that is not, or nil where none is left.
    private mutating func dropMissed(from first: Occurrence, through last: Occurrence, window: Duration) -> Occurrence?
    {
        let opens = situation.now.advanced(by: .zero - window)
        guard first.due < opens else { return first }
        guard let lastMissed = schedule.last(atOrBefore: Instant(microseconds: opens.microseconds - 1)) else {
            return first
        }
        let end = min(lastMissed.index, last.index) == last.index ? last : lastMissed
        note(first, end, .missed, "no leader decided it within its start window of \(window.secondsText)")
        return end.index == last.index ? nil : schedule.next(afterIndex: end.index)
    }

    private func previous(of last: Occurrence, from first: Occurrence) -> Occurrence {
        schedule.last(atOrBefore: Instant(microseconds: last.due.microseconds - 1)) ?? first
    }

    private mutating func launch(_ occurrence: Occurrence) {
        if situation.definition.overlap != .allow, active >= maximum { waiting += 1 }
        active += 1
        // What a queue has taken stays in it, however long that is.
        let limit = situation.definition.overlap == .queue ? explicitWindow : window
        note(occurrence, occurrence, .launched, "", startDeadline: limit.map { occurrence.due.advanced(by: $0) })
    }

    /// Why the overlap policy does not let another run in; nil where it does.
    private func refusal(for definition: JobDefinition) -> String? {
        guard active < Limits.activePerJob else {
            return "\(active) runs of the job have not ended, which is the most that one job may have"
        }
        guard active >= maximum else { return nil }
        switch definition.overlap {
        case .allow: return nil
        case .queue:
            guard definition.queueLimit > 0, waiting >= definition.queueLimit else { return nil }
            return waiting == 1
                ? "a run of the job waits already for the active one to end"
                : "\(waiting) runs of the job wait already, which is the most that its queue takes"
        case .skip:
            // Within an explicit start window an occurrence waits for the earlier run instead of being skipped.
            guard explicitWindow != nil else {
                return maximum == 1
                    ? "an earlier run of the job has not ended"
                    : "\(active) runs of the job have not ended, which is the most that it allows"
            }
            return waiting < Limits.heldPerJob ? nil : "\(waiting) runs of the job wait already for the active one"
        }
    }

    private mutating func note(
        _ first: Occurrence, _ last: Occurrence, _ verdict: Verdict, _ reason: String, startDeadline: Instant? = nil
    ) {
        let count = first == last ? 1 : schedule.count(from: first.index, through: last.index)
        findings.append(
            .init(
                first: first, last: last, count: count, verdict: verdict, reason: reason, startDeadline: startDeadline))
        decided = last
    }
}

extension Duration {
    /// "90 s" or "0.25 s", for messages.
    var secondsText: String {
        let (seconds, attoseconds) = components
        guard attoseconds != 0 else { return "\(seconds) s" }
        return "\(Double(seconds) + Double(attoseconds) / 1e18) s"
    }
}
