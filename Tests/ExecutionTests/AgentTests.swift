import Domain
import Runtime
import Testing
import Timetable

@testable import Execution

/// A worker whose nodes, launcher and journal the test holds in its hands.
struct Rig: Sendable {
    let agent: WorkerAgent
    let uplink = FakeUplink()
    let launcher = FakeLauncher()
    let journal: MemoryJournal
    let loop: EventLoop
    let running: Task<Void, Never>

    static let term = Term(timeline: 1, epoch: 5)

    init(
        _ loop: EventLoop, journal: MemoryJournal = MemoryJournal(), users: UserPolicy? = nil,
        change: (inout WorkerConfiguration) -> Void = { _ in }
    ) async throws {
        self.loop = loop
        self.journal = journal
        var configuration = WorkerConfiguration(
            description: sampleDescription,
            users: users ?? UserPolicy(allowed: ["backup"], defaultUser: "", ownUser: "worker", mayChange: true))
        configuration.heartbeatInterval = .milliseconds(10)
        change(&configuration)
        let agent = WorkerAgent(
            configuration: configuration, uplink: uplink, launcher: launcher, journal: journal, timekeeper: loop,
            log: quiet)
        self.agent = agent
        running = loop.start("agent") {
            // Cancelled at the end of the test.
            try? await agent.run()
        }
        try await eventually("the journal is read", on: loop) { await agent.isReady }
    }

    func offer(_ offers: [Offer], term: Term = Rig.term) async throws -> OfferReply {
        try await agent.offer(OfferBatch(term: term, leader: "n1", leaderURL: "http://n1", offers: offers))
    }

    func refusals(_ offers: [Offer]) async throws -> [OfferRefusal] {
        guard case .taken(_, let refused) = try await offer(offers) else { return [] }
        return refused
    }

    func stop() async {
        running.cancel()
        await running.value
    }
}

private func withRig(
    journal: MemoryJournal = MemoryJournal(), users: UserPolicy? = nil,
    change: @escaping @Sendable (inout WorkerConfiguration) -> Void = { _ in },
    _ body: @escaping @Sendable (Rig) async throws -> Void
) async throws {
    try await onLoop { loop in
        let rig = try await Rig(loop, journal: journal, users: users, change: change)
        do { try await body(rig) } catch {
            await rig.stop()
            throw error
        }
        await rig.stop()
    }
}

@Suite("Worker agent")
struct AgentTests {
    @Test("an offer is journalled, claimed, started once, and its end is reported until it is acknowledged")
    func wholeWay() async throws {
        try await withRig { rig in
            guard case .taken(let boot, let refused) = try await rig.offer([sampleOffer(attempt(1))]) else {
                Issue.record("stale")
                return
            }
            #expect(boot == "boot-1")
            #expect(refused.isEmpty)
            #expect(rig.journal.records.contains(.accepted([attempt(1)], term: Rig.term)))
            try await eventually("it is started", on: rig.loop) {
                await rig.agent.held == [HeldAttempt(attempt: attempt(1), phase: .started)]
                    && rig.launcher.process(attempt(1)) != nil
            }
            #expect(
                rig.uplink.claims == [ClaimRequest(worker: "w1", boot: "boot-1", attempts: [attempt(1)])])
            rig.launcher.process(attempt(1))?.finish(.exited(code: 3), tail: "bye")
            try await eventually("it is reported", on: rig.loop) { await rig.agent.held.isEmpty }
            let report = try #require(rig.uplink.reports.first)
            #expect(report.outcome == .exited(code: 3))
            #expect(report.reason == "the command exited with status 3")
            #expect(report.outputTail == "bye")
            #expect(report.startedAt != nil)
            try await eventually("all is cleaned", on: rig.loop) {
                rig.launcher.process(attempt(1))?.isDiscarded == true
                    && rig.journal.records.contains(.acknowledged([attempt(1)]))
            }
        }
    }

    @Test("nothing is answered or claimed before the journal is durable")
    func durableFirst() async throws {
        try await withRig { rig in
            rig.journal.holdBack()
            let answered = Flag()
            let task = rig.loop.start("offer") {
                _ = try? await rig.offer([sampleOffer(attempt(1))])
                answered.set()
            }
            try await eventually("it is written", on: rig.loop) { !rig.journal.records.isEmpty }
            for _ in 0..<20 { await Task.yield() }
            #expect(!answered.isSet)
            #expect(rig.uplink.claims.isEmpty)
            rig.journal.release()
            await task.value
            try await eventually("it is claimed", on: rig.loop) { rig.uplink.claims.count == 1 }
        }
    }

    @Test("a journal that cannot be written refuses the offer with its reason")
    func fullDisk() async throws {
        try await withRig { rig in
            rig.journal.fail(JournalError("the worker's disk is full (cannot write the journal)"))
            let refused = try await rig.refusals([sampleOffer(attempt(1))])
            #expect(refused.first?.reason.contains("disk is full") == true)
            #expect(refused.first?.isPermanent == false)
            #expect(await rig.agent.held.isEmpty)
            #expect(rig.uplink.claims.isEmpty)
        }
    }

    @Test("offers that cannot be run here are refused with the reason")
    func refusals() async throws {
        try await withRig { rig in
            let rack = try Constraint(attribute: "rack", comparison: "EQUALS", value: "r2")
            let zone = try Constraint(attribute: "zone", comparison: "UNLIKE", value: "x")
            let refused = try await rig.refusals([
                sampleOffer(attempt(1), resources: Resources(cpus: 5, memory: 1, disk: 1)),
                sampleOffer(attempt(2), constraints: [rack]),
                sampleOffer(attempt(3), constraints: [zone]),
                sampleOffer(attempt(4), user: "root"),
                sampleOffer(attempt(5), startDeadline: Instant(seconds: 1)),
                sampleOffer(attempt(6), command: "echo \0"),
                sampleOffer(AttemptID(run: RunID("../x"), number: 0)),
                sampleOffer(attempt(7), user: "backup"),
            ])
            #expect(refused.map(\.isPermanent) == [true, true, true, true, false, true, true])
            #expect(refused[0].reason == "it needs more than this worker has: cpus 5.0 of 4.0")
            #expect(refused[1].reason == "the constraint 'rack EQUALS r2' is not met: rack is 'r1' here")
            #expect(refused[2].reason == "the constraint 'zone UNLIKE x' is not met: zone is not set here")
            #expect(refused[3].reason.contains("as 'root'"))
            #expect(refused[4].reason.contains("1970-01-01T00:00:01.000Z has passed"))
            #expect(refused[5].reason.contains("NUL"))
            #expect(refused[6].reason.contains("identity"))
            try await eventually("the good one runs", on: rig.loop) { rig.launcher.launched.count == 1 }
            #expect(rig.launcher.launched.first?.user == "backup")
            #expect(rig.launcher.launched.first?.hostName == "host-1")
        }
    }

    @Test("capacity is what is not held, and free again after the end")
    func capacity() async throws {
        try await withRig { rig in
            let need = Resources(cpus: 2.5, memory: 10, disk: 10)
            let refused = try await rig.refusals([
                sampleOffer(attempt(1), resources: need), sampleOffer(attempt(2), resources: need),
            ])
            #expect(refused.map(\.attempt) == [attempt(2)])
            #expect(refused.first?.isPermanent == false)
            #expect(refused.first?.reason == "it needs more than is free on this worker now: cpus 2.5 of 1.5")
            try await eventually("it runs", on: rig.loop) { rig.launcher.process(attempt(1)) != nil }
            rig.launcher.process(attempt(1))?.finish(.exited(code: 0))
            try await eventually("it is over", on: rig.loop) { await rig.agent.held.isEmpty }
            #expect(try await rig.refusals([sampleOffer(attempt(2), resources: need)]).isEmpty)
        }
    }

    @Test("ten tenths of a processor fit into one, again and again")
    func tenths() async throws {
        try await withRig(change: { $0.description.capacity.cpus = 1 }) { rig in
            for round in 0..<3 {
                let attempts = (0..<10).map { attempt(round * 10 + $0) }
                let offers = attempts.map { sampleOffer($0, resources: Resources(cpus: 0.1, memory: 0, disk: 0)) }
                #expect(try await rig.refusals(offers).isEmpty)
                for one in attempts {
                    try await eventually("it runs", on: rig.loop) { rig.launcher.process(one) != nil }
                    rig.launcher.process(one)?.finish(.exited(code: 0))
                }
                try await eventually("all are over", on: rig.loop) { await rig.agent.held.isEmpty }
            }
        }
    }

    @Test("a lower term is refused, with the highest that was seen")
    func stale() async throws {
        try await withRig { rig in
            _ = try await rig.offer([])
            #expect(rig.journal.records.contains(.accepted([], term: Rig.term)))
            let lower = Term(timeline: 1, epoch: 4)
            #expect(try await rig.offer([sampleOffer(attempt(1))], term: lower) == .stale(highest: Rig.term))
            await #expect {
                try await rig.agent.kill(KillRequest(term: lower, attempts: [attempt(1)]))
            } throws: { ($0 as? DomainError)?.code == .conflict }
            #expect(rig.launcher.launched.isEmpty)
        }
    }

    @Test("an attempt offered again and again starts once")
    func repeated() async throws {
        try await withRig { rig in
            for _ in 0..<5 { #expect(try await rig.refusals([sampleOffer(attempt(1))]).isEmpty) }
            try await eventually("it runs", on: rig.loop) { rig.launcher.process(attempt(1)) != nil }
            for _ in 0..<5 { #expect(try await rig.refusals([sampleOffer(attempt(1))]).isEmpty) }
            rig.launcher.process(attempt(1))?.finish(.exited(code: 0))
            try await eventually("it is over", on: rig.loop) { await rig.agent.held.isEmpty }
            let refused = try await rig.refusals([sampleOffer(attempt(1))])
            #expect(refused.first?.reason.contains("has executed the attempt r1/0 before") == true)
            #expect(rig.launcher.launched.count == 1)
            // The next try of the run is another attempt.
            #expect(try await rig.refusals([sampleOffer(attempt(1, try: 1))]).isEmpty)
        }
    }

    @Test("a refused claim is forgotten, and may be offered again")
    func refusedClaim() async throws {
        try await withRig { rig in
            rig.uplink.with {
                $0.whenClaimed = { (request, count) throws(TransportError) in
                    count == 1
                        ? ClaimReply(granted: [], refused: request.attempts)
                        : ClaimReply(granted: request.attempts, refused: [])
                }
            }
            _ = try await rig.offer([sampleOffer(attempt(1))])
            try await eventually("it is forgotten", on: rig.loop) { await rig.agent.held.isEmpty }
            #expect(rig.journal.records.last == .forgotten([attempt(1)]))
            #expect(rig.launcher.launched.isEmpty)
            #expect(try await rig.refusals([sampleOffer(attempt(1))]).isEmpty)
            try await eventually("it runs", on: rig.loop) { rig.launcher.launched.count == 1 }
        }
    }

    @Test("a claim that nobody answers is repeated, and what the answer does not name is claimed again")
    func repeatedClaim() async throws {
        try await withRig { rig in
            rig.uplink.with {
                $0.whenClaimed = { (request, count) throws(TransportError) in
                    if count == 1 { throw TransportError(.unreachable, "no") }
                    return ClaimReply(granted: [request.attempts[0]], refused: [])
                }
            }
            _ = try await rig.offer([sampleOffer(attempt(1)), sampleOffer(attempt(2))])
            try await eventually("both run", on: rig.loop) { rig.launcher.launched.count == 2 }
            #expect(
                rig.uplink.claims.map(\.attempts) == [
                    [attempt(1), attempt(2)], [attempt(1), attempt(2)], [attempt(2)],
                ])
        }
    }

    @Test("a claim that stays unanswered until the start deadline is forgotten")
    func overdueClaim() async throws {
        try await withRig { rig in
            rig.uplink.with {
                $0.whenClaimed = { (_, _) throws(TransportError) in throw TransportError(.unreachable, "no") }
            }
            let soon = Instant(microseconds: rig.loop.wallMicroseconds).advanced(by: .seconds(1))
            _ = try await rig.offer([sampleOffer(attempt(1), startDeadline: soon)])
            try await eventually("it is forgotten", on: rig.loop) { await rig.agent.held.isEmpty }
            #expect(rig.launcher.launched.isEmpty)
            #expect(!rig.uplink.claims.isEmpty)
        }
    }

    @Test("a whole batch costs one claim")
    func batch() async throws {
        try await withRig { rig in
            let offers = (0..<Limits.offersPerRequest).map { sampleOffer(attempt($0)) }
            #expect(try await rig.refusals(offers).isEmpty)
            try await eventually("all run", on: rig.loop) { rig.launcher.launched.count == offers.count }
            #expect(rig.uplink.claims.count == 1)
            #expect(rig.journal.records.count { if case .accepted = $0 { true } else { false } } == 1)
        }
    }

    @Test("what is offered ahead starts when it is due, and not before")
    func ahead() async throws {
        try await withRig { rig in
            let due = Instant(microseconds: rig.loop.wallMicroseconds + 150_000)
            var offer = sampleOffer(attempt(1))
            offer.due = due
            offer.lead = .milliseconds(150)
            #expect(try await rig.refusals([offer]).isEmpty)
            #expect(rig.launcher.launched.isEmpty && rig.uplink.claims.isEmpty)
            try await eventually("it runs", on: rig.loop) { !rig.launcher.launched.isEmpty }
            #expect(rig.loop.wallMicroseconds >= due.microseconds)
            #expect(rig.uplink.claims.count == 1)
        }
    }

    @Test("a worker whose clock is an hour behind waits no longer than the leader says")
    func aheadWithAnotherClock() async throws {
        try await withRig { rig in
            var offer = sampleOffer(attempt(1))
            offer.due = Instant(microseconds: rig.loop.wallMicroseconds + 3_600_000_000)
            offer.lead = .milliseconds(100)
            let offered = rig.loop.monotonicNow
            #expect(try await rig.refusals([offer]).isEmpty)
            try await eventually("it runs", on: rig.loop) { !rig.launcher.launched.isEmpty }
            #expect(offered.duration(to: rig.loop.monotonicNow) >= .milliseconds(99))
        }
    }

    @Test("what is taken back before it is due never starts")
    func takenBack() async throws {
        try await withRig { rig in
            rig.uplink.with {
                $0.whenClaimed = { (request, _) throws(TransportError) in
                    ClaimReply(granted: [], refused: request.attempts)
                }
            }
            var offer = sampleOffer(attempt(1))
            offer.due = Instant(microseconds: rig.loop.wallMicroseconds + 50_000)
            offer.lead = .milliseconds(50)
            #expect(try await rig.refusals([offer]).isEmpty)
            try await eventually("it is forgotten", on: rig.loop) { await rig.agent.held.isEmpty }
            #expect(rig.launcher.launched.isEmpty)
        }
    }

    @Test("a command that cannot be started is reported with the reason")
    func notStarted() async throws {
        try await withRig { rig in
            rig.launcher.refuse(LaunchError("no such file"))
            _ = try await rig.offer([sampleOffer(attempt(1))])
            try await eventually("it is reported", on: rig.loop) { !rig.uplink.reports.isEmpty }
            #expect(rig.uplink.reports[0].outcome == .notStarted)
            #expect(rig.uplink.reports[0].reason == "no such file")
            #expect(rig.uplink.reports[0].startedAt == nil)
        }
    }

    @Test("a kill ends what runs, and what is not started yet is never started")
    func kill() async throws {
        try await withRig(change: { $0.killGrace = .seconds(7) }) { rig in
            let gate = Flag()
            rig.uplink.with {
                $0.whenClaimed = { (request, _) throws(TransportError) in
                    guard request.attempts == [attempt(1)] || gate.isSet else { throw TransportError(.failed, "wait") }
                    return ClaimReply(granted: request.attempts, refused: [])
                }
            }
            _ = try await rig.offer([sampleOffer(attempt(1))])
            _ = try await rig.offer([sampleOffer(attempt(2))])
            try await eventually("the first runs", on: rig.loop) { rig.launcher.process(attempt(1)) != nil }
            try await rig.agent.kill(
                KillRequest(term: Rig.term, attempts: [attempt(1), attempt(2), attempt(3)]))
            gate.set()
            try await eventually("both are reported", on: rig.loop) { rig.uplink.reports.count == 2 }
            #expect(rig.uplink.reports.allSatisfy { $0.outcome == .aborted })
            #expect(
                Set(rig.uplink.reports.map(\.reason)) == ["ended on request", "ended on request before it was started"])
            #expect(rig.launcher.launched.count == 1)
            #expect(rig.launcher.process(attempt(1))?.graces == [.seconds(7)])
        }
    }

    @Test("what takes longer than its limit is ended and reported as timed out")
    func timeout() async throws {
        try await withRig { rig in
            _ = try await rig.offer([sampleOffer(attempt(1), timeout: .milliseconds(50))])
            try await eventually("it is reported", on: rig.loop) { !rig.uplink.reports.isEmpty }
            #expect(rig.uplink.reports[0].outcome == .timedOut)
            #expect(rig.uplink.reports[0].reason == "Exceeded maximum run time (0 seconds)")
        }
    }

    @Test("output that could not be kept makes a success a failure")
    func outputProblem() {
        let end = ProcessEnd(
            status: .exited(code: 0), wasEnded: true, outputTail: "", outputProblem: "the worker's disk is full")
        let (outcome, reason) = AttemptEnd.describe(end, ending: nil, offer: sampleOffer(attempt(1)))
        #expect(outcome == .interrupted)
        #expect(reason == "the worker's disk is full")
    }

    @Test("a command that ended by itself while it was being killed has ended by itself")
    func natural() {
        let end = ProcessEnd(status: .exited(code: 0), wasEnded: false, outputTail: "")
        #expect(AttemptEnd.describe(end, ending: .aborted, offer: sampleOffer(attempt(1))).0 == .exited(code: 0))
    }

    @Test("reports are repeated until acknowledged, and one that is not acknowledged holds up nobody")
    func reports() async throws {
        try await withRig { rig in
            rig.uplink.with {
                $0.whenReported = { (reports, count) throws(TransportError) in
                    if count <= 2 { throw TransportError(.notLeader, "no") }
                    // The first attempt is acknowledged late.
                    return ReportReply(
                        acknowledged: reports.map(\.attempt).filter { $0 != attempt(1) || count > 4 })
                }
            }
            _ = try await rig.offer([sampleOffer(attempt(1)), sampleOffer(attempt(2))])
            for number in [1, 2] {
                try await eventually("it runs", on: rig.loop) { rig.launcher.process(attempt(number)) != nil }
                rig.launcher.process(attempt(number))?.finish(.exited(code: 0))
            }
            try await eventually("the second is acknowledged", on: rig.loop) {
                await rig.agent.held == [HeldAttempt(attempt: attempt(1), phase: .finished)]
            }
            try await eventually("the first is acknowledged", on: rig.loop) { await rig.agent.held.isEmpty }
            #expect(rig.launcher.launched.count == 2)
        }
    }

    @Test("many long reports go in several requests")
    func manyReports() async throws {
        try await withRig { rig in
            let offers = (0..<100).map { sampleOffer(attempt($0)) }
            rig.uplink.with {
                $0.whenReported = { (_, _) throws(TransportError) in throw TransportError(.unreachable, "no") }
            }
            _ = try await rig.offer(offers)
            for offer in offers {
                try await eventually("it runs", on: rig.loop) { rig.launcher.process(offer.attempt) != nil }
                rig.launcher.process(offer.attempt)?
                    .finish(.exited(code: 0), tail: String(repeating: "x", count: Limits.outputTail))
            }
            try await eventually("all wait", on: rig.loop) {
                await rig.agent.held.allSatisfy { $0.phase == .finished }
            }
            rig.uplink.with {
                $0.reports = []
                $0.whenReported = { (reports, _) throws(TransportError) in
                    ReportReply(acknowledged: reports.map(\.attempt))
                }
            }
            try await eventually("all are acknowledged", on: rig.loop) { await rig.agent.held.isEmpty }
            let sizes = rig.uplink.with { $0.reports.map { $0.reduce(0) { $0 + $1.outputTail.utf8.count } } }
            #expect(sizes.allSatisfy { $0 <= ExecutionLimits.reportBytesPerRequest })
            #expect(sizes.count >= 4)
        }
    }

    @Test("a worker registers, says what it holds, registers again when told, and ends what the reply names")
    func heartbeat() async throws {
        try await withRig { rig in
            try await eventually("it says what it holds", on: rig.loop) {
                rig.uplink.with { $0.registered == 1 && !$0.heartbeats.isEmpty }
            }
            _ = try await rig.offer([sampleOffer(attempt(1))])
            try await eventually("the leader hears of it", on: rig.loop) {
                rig.uplink.with { $0.heartbeats.last?.held.first?.phase == .started }
            }
            #expect(rig.uplink.with { $0.heartbeats.last?.freeDisk } == 77)
            rig.uplink.with {
                $0.heartbeatReply = HeartbeatReply(
                    term: Term(timeline: 1, epoch: 6), leaderURL: "http://n2", mustRegister: true,
                    kill: [attempt(1)])
            }
            try await eventually("it registers and ends it", on: rig.loop) {
                rig.uplink.with { $0.registered > 1 && $0.reports.flatMap { $0 }.first?.outcome == .aborted }
            }
            #expect(rig.uplink.with { $0.leaders.contains("http://n2") })
            #expect(try await rig.offer([]) == .stale(highest: Term(timeline: 1, epoch: 6)))
        }
    }

    @Test("a reply of a term that is over ends nothing")
    func staleReply() async throws {
        try await withRig { rig in
            _ = try await rig.offer([sampleOffer(attempt(1))])
            try await eventually("it runs", on: rig.loop) { rig.launcher.process(attempt(1)) != nil }
            rig.uplink.with {
                $0.heartbeats = []
                $0.heartbeatReply = HeartbeatReply(
                    term: Term(timeline: 1, epoch: 4), leaderURL: "http://old", mustRegister: false,
                    kill: [attempt(1)])
            }
            try await eventually("three replies came", on: rig.loop) { rig.uplink.with { $0.heartbeats.count > 3 } }
            #expect(rig.launcher.process(attempt(1))?.graces == [])
            #expect(rig.uplink.with { !$0.leaders.contains("http://old") })
        }
    }

    @Test("after a restart nothing is started again: survivors are ended and all is reported")
    func restart() async throws {
        let identity = ProcessIdentity(process: 5, startTime: 6, machineBoot: "m")
        let finished = AttemptReport(
            attempt: attempt(3), worker: "w1", boot: "boot-0", startedAt: nil, finishedAt: Instant(seconds: 9),
            outcome: .exited(code: 4), reason: "", outputTail: "")
        let journal = MemoryJournal([
            .accepted([attempt(1), attempt(2), attempt(3), attempt(4)], term: Term(timeline: 1, epoch: 8)),
            .started(attempt(1), process: identity, at: Instant(seconds: 7)),
            .finished(finished), .forgotten([attempt(4)]), .acknowledged([attempt(5)]),
        ])
        try await withRig(journal: journal) { rig in
            try await eventually("all is acknowledged", on: rig.loop) { await rig.agent.held.isEmpty }
            let reports = rig.uplink.reports.reduce(into: [:]) { $0[$1.attempt] = $1 }
            #expect(reports.count == 3)
            #expect(reports[attempt(3)] == finished)
            #expect(reports[attempt(1)]?.outcome == .interrupted)
            #expect(reports[attempt(1)]?.outputTail == "tail of r1/0")
            #expect(reports[attempt(1)]?.startedAt == Instant(seconds: 7))
            #expect(reports[attempt(2)]?.outcome == .interrupted)
            #expect(
                rig.launcher.state.withLock { $0.survivors } == [
                    Survivor(attempt: attempt(1), process: identity), Survivor(attempt: attempt(2), process: nil),
                ])
            #expect(try await rig.offer([]) == .stale(highest: Term(timeline: 1, epoch: 8)))
            let again = [1, 2, 3, 5].map { sampleOffer(attempt($0)) }
            guard
                case .taken(_, let refused) = try await rig.offer(again, term: Term(timeline: 1, epoch: 8))
            else { return }
            #expect(refused.count == 4)
            #expect(rig.launcher.launched.isEmpty)
            // For the record only: what nobody may have claimed is, so that its report fits the row.
            #expect(
                rig.uplink.claims == [ClaimRequest(worker: "w1", boot: "boot-1", attempts: [attempt(2)])])
        }
    }

    @Test("a worker that stops ends its commands, says so, and takes nothing new")
    func shutDown() async throws {
        try await withRig { rig in
            _ = try await rig.offer([sampleOffer(attempt(1))])
            try await eventually("it runs", on: rig.loop) { rig.launcher.process(attempt(1)) != nil }
            await rig.agent.shutDown(grace: .seconds(3))
            #expect(rig.uplink.reports.map(\.outcome) == [.interrupted])
            #expect(rig.uplink.reports.first?.reason == "the worker was stopped")
            #expect(rig.launcher.process(attempt(1))?.graces == [.seconds(3)])
            let refused = try await rig.refusals([sampleOffer(attempt(2))])
            #expect(refused.first?.reason == "this worker is shutting down")
        }
    }

    @Test("a worker that drains lets its commands end by themselves")
    func drain() async throws {
        try await withRig { rig in
            _ = try await rig.offer([sampleOffer(attempt(1))])
            try await eventually("it runs", on: rig.loop) { rig.launcher.process(attempt(1)) != nil }
            let drained = rig.loop.start("drain") {
                await rig.agent.shutDown(grace: .seconds(20), awaitingRuns: true)
            }
            try await eventually("it drains", on: rig.loop) { await rig.agent.isDraining }
            rig.launcher.process(attempt(1))?.finish(.exited(code: 0))
            await drained.value
            #expect(rig.uplink.reports.map(\.outcome) == [.exited(code: 0)])
        }
    }

    @Test("a claim that is granted long after the start deadline starts nothing")
    func lateGrant() async throws {
        try await withRig { rig in
            // Decided on the wall clock: what is due an hour ago was accepted by a worker that slept since.
            let offer = sampleOffer(attempt(1), startDeadline: Instant(seconds: 1))
            let late = Instant(seconds: 1).advanced(by: ExecutionLimits.lateStart)
            #expect(late < Instant(microseconds: rig.loop.wallMicroseconds))
            await rig.agent.superviseForTest(offer)
            try await eventually("it is reported", on: rig.loop) { !rig.uplink.reports.isEmpty }
            #expect(rig.uplink.reports[0].outcome == .notStarted)
            #expect(rig.launcher.launched.isEmpty)
        }
    }
}

extension WorkerAgent {
    fileprivate func superviseForTest(_ offer: Offer) async {
        var holding = Holding(offer: offer, user: "", claimUntil: timekeeper.monotonicNow)
        holding.phase = .started
        holdings[offer.attempt] = holding
        await supervise(offer.attempt)
    }
}
