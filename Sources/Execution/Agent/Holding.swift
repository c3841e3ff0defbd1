import Domain
import Runtime
import Timetable

/// An attempt that a worker has in its journal, with what is known of it in memory.
struct Holding: Sendable {
    /// Why somebody ended it. The first one counts.
    enum Ending: Sendable, Hashable {
        case aborted, timedOut, stopped
        case exceeded(ExceededLimit, reason: String)
    }

    /// Nil for one of a former process of the worker.
    var offer: Offer?
    /// To change to; empty: none.
    var user = ""
    var phase: HeldAttempt.Phase = .accepted
    /// Its claim is given up then.
    var claimUntil: MonotonicInstant
    /// Not to be started before; nil: at once.
    var startAt: MonotonicInstant?
    var startedAt: Instant?
    var process: (any RunningProcess)?
    /// Signalled to break off what comes before the start.
    var preparation: WakeUp?
    var ending: Ending?
    /// Of an aborted one, why; empty: nobody said.
    var abortReason = ""
    var report: AttemptReport?
    /// What is known of it while it runs.
    var details = AttemptDetails()
    /// What a heartbeat has told of that.
    var toldDetails: AttemptDetails?
    var limits: LimitWatch?

    init(offer: Offer, user: String, claimUntil: MonotonicInstant) {
        self.offer = offer
        self.user = user
        self.claimUntil = claimUntil
    }

    init(recovered entry: JournalImage.Entry, now: MonotonicInstant) {
        phase = entry.phase
        startedAt = entry.startedAt
        report = entry.report
        claimUntil = now
    }
}
