public import Domain
public import Runtime
import Synchronization

/// Holds this node's place in the election (leadership.md §1, "Recommended protocol").
///
/// Runs until cancelled. Whatever goes wrong with the database, the lock or the office, it steps down, closes the
/// session, rests a random time and comes back; it never ends the process. On cancellation it resigns, so that a
/// successor needs one poll.
public final class Elector: Service {
    public let name = "elector"
    private let node: NodeDescription
    private let lock: any LeaderLock
    private let leader: Leader
    private let timekeeper: any Timekeeper
    private let constants: ElectionConstants
    private let clock: ClusterClock?
    private let log: Log
    private let epoch: LogNumber?
    private let current = Mutex(LeadershipView(role: .starting))
    private let failovers = Mutex(0)
    /// Before this the node does not stand for election.
    private let staysOutUntil = Mutex<MonotonicInstant?>(nil)
    private let asked = WakeUp()

    /// - Parameters:
    ///   - clock: is told of the database's time with each of its answers.
    ///   - epoch: is told of the latest epoch, for the lines of logs.
    public init(
        node: NodeDescription, lock: any LeaderLock, leader: Leader, timekeeper: any Timekeeper,
        constants: ElectionConstants, clock: ClusterClock? = nil, log: Log, epoch: LogNumber? = nil
    ) {
        self.epoch = epoch
        self.node = node
        self.lock = lock
        self.leader = leader
        self.timekeeper = timekeeper
        self.constants = constants
        self.clock = clock
        self.log = log
    }

    /// What was last seen. Safe from any thread.
    public var view: LeadershipView { current.withLock { $0 } }
    /// Times that this node took office.
    public var offices: Int { failovers.withLock { $0 } }

    /// Leaves office, if this node holds it, and lets others lead for a while: for a leader that can do nothing while
    /// another node could (leadership.md §1, step 7).
    public func stepAside(for time: Duration) {
        staysOutUntil.withLock { $0 = timekeeper.monotonicNow.advanced(by: time) }
        asked.signal()
    }

    public func run() async throws {
        var backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(2))
        var chance = Chance(of: timekeeper)
        while !Task.isCancelled {
            do {
                try await lock.open()
                backoff.reset()
                try await lookOn()
                try await follow()
                try await office()
            } catch let loss as LossOfOffice {
                log.warning("left office: \(loss.reason)")
            } catch is CancellationError {
                break
            } catch {
                log.warning("no session for the election: \(error); trying again")
            }
            await lock.close()
            current.withLock {
                $0.role = .follower
                $0.term = nil
            }
            // A loss rests a random time, a database that is away longer and longer.
            let rest =
                min(backoff.next(using: &chance), .seconds(2)) + constants.rest
                * Double.random(in: 0...1, using: &chance)
            do { try await timekeeper.sleep(for: rest) } catch { break }
        }
        await lock.close()
    }

    /// Does not stand for election for a while, and knows meanwhile who leads.
    private func lookOn() async throws {
        while let until = staysOutUntil.withLock({ $0 }), timekeeper.monotonicNow < until {
            let sent = timekeeper.monotonicNow
            note(try await lock.look(), sent: sent)
            try await restBetweenPolls()
        }
        staysOutUntil.withLock { $0 = nil }
    }

    /// Tries for the lock until it is won.
    private func follow() async throws {
        while true {
            let sent = timekeeper.monotonicNow
            let attempt = try await lock.attempt()
            note(attempt, sent: sent)
            if attempt.won { return }
            try await restBetweenPolls()
        }
    }

    private func restBetweenPolls() async throws {
        var chance = Chance(of: timekeeper)
        try await timekeeper.sleep(for: constants.poll * Double.random(in: 0.8...1.2, using: &chance))
    }

    private func note(_ attempt: LockAttempt, sent: MonotonicInstant) {
        if let shown = attempt.clock { clock?.observe(shown, sent: sent) }
        if let leader = attempt.leader { epoch?.set(leader.term.epoch) }
        current.withLock {
            $0.leader = attempt.leader
            $0.isHeld = attempt.isHeld || attempt.won
            $0.seen = timekeeper.monotonicNow
            if $0.role == .starting { $0.role = .follower }
        }
    }

    /// One office, from winning the lock to its end.
    private func office() async throws {
        // Trust counts from before the statement was sent: the server's timer cannot have started earlier.
        let start = timekeeper.monotonicNow
        let term = try await lock.takeOffice()
        let trust = Trust(until: start.advanced(by: constants.trust))
        failovers.withLock { $0 += 1 }
        epoch?.set(term.epoch)
        log.notice("elected: term \(term)")
        current.withLock {
            $0.role = .leader
            $0.term = term
            $0.isHeld = true
            $0.leader = LeaderRecord(term: term, node: node.name, url: node.url, boot: node.boot, resigned: false)
        }
        defer {
            current.withLock {
                $0.role = .follower
                $0.term = nil
                // Until the row is read again nobody is known to lead: better 503 than a redirect to this node.
                $0.isHeld = false
            }
        }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.leader.holdOffice(term: term, trust: trust) }
                group.addTask { try await self.keepTrust(trust, term: term) }
                group.addTask {
                    await self.lock.closed()
                    try Task.checkCancellation()
                    throw LossOfOffice("the database ended the lock session")
                }
                group.addTask {
                    repeat { try await self.asked.wait() } while self.staysOutUntil.withLock { $0 == nil }
                    throw LossOfOffice("it steps aside for another node")
                }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch {
            if Task.isCancelled {
                await resign(term)
                throw CancellationError()
            }
            if staysOutUntil.withLock({ $0 != nil }) { await resign(term) }
            if let loss = error as? LossOfOffice { throw loss }
            throw LossOfOffice("\(error)")
        }
    }

    private func keepTrust(_ trust: Trust, term: Term) async throws {
        while true {
            try await timekeeper.sleep(for: constants.heartbeat)
            let start = timekeeper.monotonicNow
            let answer = try await lock.heartbeat()
            if let shown = answer.clock { clock?.observe(shown, sent: start) }
            guard answer.holdsLock else { throw LossOfOffice("the session no longer holds the lock") }
            guard !answer.isReadOnly else { throw LossOfOffice("the database has become read-only") }
            guard answer.term == term else { throw LossOfOffice("term \(answer.term) has followed this one") }
            trust.extend(until: start.advanced(by: constants.trust))
            current.withLock { $0.seen = timekeeper.monotonicNow }
        }
    }

    /// In a task of its own: that of the office may have been cancelled, and what it then asks for be refused at once.
    private func resign(_ term: Term) async {
        let (lock, log) = (lock, log)
        await timekeeper.start("resign") {
            do {
                try await lock.resign(term)
                log.notice("resigned from term \(term)")
            } catch {
                log.warning("could not mark term \(term) as resigned: \(error); closing the session frees the lock")
            }
        }.value
    }
}
