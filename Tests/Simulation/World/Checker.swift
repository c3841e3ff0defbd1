import Coordination
import Domain
import Timetable

/// Watches the cluster from outside, and knows what no part of it can know. The names of rules are those of
/// leadership.md, "Invariants to test".
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
final class Checker: @unchecked Sendable {
    struct Start: Sendable {
        let process: String
        let at: Instant
        let offer: Offer
    }

    private let engine: Engine
    weak var world: World?
    private(set) var starts: [AttemptID: Start] = [:]
    private(set) var commits = 0
    /// When each version of a schedule came into force.
    private(set) var eras: [JobVersion: Instant] = [:]
    private var officers: [Term: (process: Int, url: String)] = [:]
    /// The highest term under which each worker's process has taken something.
    private var heeded: [Int: Term] = [:]
    private var highest = Term.none
    /// Processes whose lock session the server has ended because it was silent, and when.
    private var timedOut: [Int: UInt64] = [:]

    init(engine: Engine) { self.engine = engine }

    var offices: Int { officers.count }

    // MARK: While it runs

    func officeTaken(_ term: Term, by session: Database.Session) {
        engine.note(session.process.name, "takes office: term \(term)")
        if term <= highest { engine.violation("I2", "term \(term) was given after term \(highest)") }
        highest = max(highest, term)
        officers[term] = (session.process.number, session.node.url)
        timedOut[session.process.number] = nil
    }

    /// The leader's write of a term has been committed while another term was the store's.
    func committed(_ term: Term, current: Term, _ changes: Changes, by process: SimulationExecutor) {
        commits += 1
        for era in changes.newEras { eras[era.job] = engine.wall }
        if term != current {
            engine.violation("I3", "\(process.name) committed under term \(term) while the term is \(current)")
        }
        if officers[term]?.process != process.number {
            engine.violation("I1", "\(process.name) committed under term \(term), which is another's")
        }
    }

    func sessionTimedOut(_ session: Database.Session, isHolder: Bool) {
        if isHolder { timedOut[session.process.number] = engine.now }
    }

    /// A process does what only a leader does. One that was stopped meanwhile cannot know that its time is over; the
    /// fence is for that.
    func leaderActs(_ term: Term, _ process: SimulationExecutor) {
        guard !process.isUnwinding, let expiry = timedOut[process.number], let world else { return }
        guard process.host.lastPauseEnd + world.constants.idleSession.nanoseconds < expiry else { return }
        engine.violation(
            "I6", "\(process.name) acts as leader of term \(term), whose lock the server had freed for its silence")
    }

    /// I8: what a leader says whose term is over, because it was stopped meanwhile, has no effect at a worker that has
    /// heard of a later one.
    /// - Parameter known: the highest term that the worker's process had heeded when the message arrived.
    func heeded(_ term: Term, at process: SimulationExecutor, known: Term) {
        if term < known {
            engine.violation("I8", "\(process.name) did what the leader of term \(term) asked, and knew of \(known)")
        }
        heeded[process.number] = max(term, known)
    }

    func highestHeeded(by process: SimulationExecutor) -> Term { heeded[process.number] ?? .none }

    /// I9: callers are sent to the node of the row, never to the node itself, never in a circle.
    func redirected(_ node: SimulatedNode, to url: String, as record: LeaderRecord) {
        let name = node.executor.name
        if url == node.description.url { engine.violation("I9", "\(name) sends its callers to itself") }
        if officers[record.term]?.url != url {
            engine.violation("I9", "\(name) sends its callers to \(url), which does not lead in term \(record.term)")
        }
        guard let target = world?.host(at: url)?.node else { return }
        let view = target.elector.view
        // Views of different terms differ until the older one has been refreshed.
        if view.leader?.term == record.term, view.otherLeader(than: url) == node.description.url {
            engine.violation("I9", "\(name) and \(target.executor.name) send their callers to each other")
        }
    }

    func started(_ offer: Offer, on process: SimulationExecutor) {
        engine.note(process.name, "starts \(offer.attempt) of \(offer.jobName), due \(offer.due.iso8601)")
        if let first = starts[offer.attempt] {
            engine.violation(
                "I4", "\(offer.attempt) was started on \(first.process), and now a second time on \(process.name)")
        }
        starts[offer.attempt] = Start(process: process.name, at: engine.wall, offer: offer)
        // The database's clock is the cluster's, whatever those of nodes show.
        let latest = engine.wall.microseconds + (world?.database.host.clockOffset ?? 0)
        if offer.due.microseconds > latest {
            engine.violation(
                "I12", "\(offer.attempt) was started \(offer.due.microseconds - latest) µs before it was due")
        }
    }

    // MARK: Leadership

    /// I7: after healing somebody leads.
    func checkLeader() {
        if leader() == nil {
            engine.violation("I7", "nobody leads \(engine.now / 1_000_000_000) s after the beginning")
        }
    }

    /// A job whose schedule has no further occurrence is switched off when its last run has ended (chronos.md §3.4).
    func checkExhausted() {
        guard let contents = world?.database.store.contents else { return }
        let busy = Set(contents.tables.runs.values.map(\.run.job.job))
        // One that was stored when nothing was left of its schedule has not run out: it never began.
        let begun = Set(contents.ledger.map(\.job))
        for job in contents.tables.jobs.values.sorted(by: { $0.id < $1.id })
        where job.isEnabled && job.next == nil && !busy.contains(job.id) && begun.contains(job.reference) {
            guard case .schedule = job.definition.trigger, job.modified < engine.wall.advanced(by: .seconds(-2)) else {
                continue
            }
            engine.violation("exhausted", "\(job.definition.name) has no further occurrence and is enabled still")
        }
    }

    /// The one leader that every node's view agrees with the database on; nil while there is none.
    func leader() -> SimulatedNode? {
        guard let world, let record = world.database.record else { return nil }
        return world.nodeHosts.compactMap(\.node).first {
            $0.elector.view.role == .leader && $0.elector.view.term == record.term
                && $0.leader.status.term == record.term && $0.description.boot == record.boot
        }
    }
}
