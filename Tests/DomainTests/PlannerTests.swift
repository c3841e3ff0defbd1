import Testing
import Timetable

@testable import Domain

@Suite struct LaunchPlannerTests {
    private func decide(
        _ schedule: String, now: String, next: Int64 = 0, active: Int = 0, waiting: Int = 0,
        policy: SchedulingPolicy = SchedulingPolicy(), _ change: (inout JobDefinition) -> Void = { _ in }
    ) throws -> LaunchPlanner.Decision? {
        let schedule = try text(schedule).schedule(zones: NoZones())
        var definition = JobDefinition(name: "a")
        change(&definition)
        let first = try #require(schedule.next(afterIndex: next - 1))
        return LaunchPlanner.decide(
            .init(
                schedule: schedule, definition: definition, next: first, now: instant(now), active: active,
                waiting: waiting, policy: policy))
    }

    private static let hourly = "R/2026-01-01T00:00:00Z/PT1H"

    @Test("nothing is due before its instant, and at it it is")
    func early() throws {
        #expect(try decide(Self.hourly, now: "2025-12-31T23:59:59.999Z") == nil)
        #expect(try decide(Self.hourly, now: "2026-01-01T00:00:00Z")?.findings.map(\.verdict) == [.launched])
    }

    @Test("a clock that was stepped back decides nothing")
    func back() throws {
        #expect(try decide(Self.hourly, now: "2026-01-01T02:30:00Z", next: 3) == nil)
    }

    @Test("without a window the latest of those that were missed is launched and stands for the others")
    func latest() throws {
        let decision = try #require(try decide(Self.hourly, now: "2026-01-01T05:30:00Z"))
        #expect(decision.findings.map(\.verdict) == [.coalesced, .launched])
        #expect(decision.findings.map(\.count) == [5, 1])
        #expect(decision.decidedThrough == 5 && decision.next?.index == 6)
    }

    @Test("a window separates what was missed from what is launched, to the microsecond")
    func window() throws {
        let decision = try #require(
            try decide(Self.hourly, now: "2026-01-01T05:00:10Z") {
                $0.startWindow = .seconds(3_610)
                $0.overlap = .allow
            })
        #expect(decision.findings.map(\.verdict) == [.missed, .launched, .launched])
        #expect(decision.findings[0].count == 4)
        #expect(decision.findings[1].startDeadline == instant("2026-01-01T05:00:10Z"))
    }

    @Test("without catch-up an occurrence is on time for a minute")
    func none() throws {
        let late = try #require(try decide(Self.hourly, now: "2026-01-01T00:01:00.001Z") { $0.catchUp = .none })
        #expect(late.findings.map(\.verdict) == [.missed])
        let onTime = try #require(try decide(Self.hourly, now: "2026-01-01T00:01:00Z") { $0.catchUp = .none })
        #expect(onTime.findings.map(\.verdict) == [.launched])
    }

    @Test(
        "what an earlier run does to an occurrence",
        arguments: [
            (OverlapPolicy.skip, 1, 0, Verdict.skipped), (.queue, 1, 0, .launched), (.queue, 2, 1, .skipped),
            (.allow, 999, 0, .launched), (.allow, 1_000, 0, .skipped),
        ])
    func overlap(_ policy: OverlapPolicy, _ active: Int, _ waiting: Int, _ verdict: Verdict) throws {
        let decision = try decide(Self.hourly, now: "2026-01-01T00:00:00Z", active: active, waiting: waiting) {
            $0.overlap = policy
        }
        #expect(decision?.findings.map(\.verdict) == [verdict])
    }

    @Test("within a window occurrences are held back up to a limit")
    func held() throws {
        let decision = try #require(
            try decide("R/2026-01-01T00:00:00Z/PT1S", now: "2026-01-01T00:00:59Z", active: 1) {
                $0.startWindow = .seconds(100)
            })
        #expect(decision.findings.filter { $0.verdict == .launched }.count == Limits.heldPerJob)
        #expect(decision.findings.last?.verdict == .skipped)
        #expect(decision.findings.last?.count == Int64(60 - Limits.heldPerJob))
        #expect(decision.decidedThrough == 59)
    }

    @Test("one turn launches no more than its portion")
    func portion() throws {
        var policy = SchedulingPolicy()
        policy.launchesPerTurn = 7
        let decision = try #require(
            try decide("R/2026-01-01T00:00:00Z/PT1S", now: "2026-01-01T00:00:59Z", policy: policy) {
                $0.catchUp = .all
                $0.overlap = .allow
            })
        #expect(decision.findings.count == 7)
        #expect(decision.next?.index == 7)
    }

    @Test("years of outage of a job that is due each second are decided at once", arguments: CatchUpPolicy.allCases)
    func outage(catchUp: CatchUpPolicy) throws {
        let spent = try ContinuousClock().measure {
            let decision = try #require(
                try decide("R/2026-01-01T00:00:00Z/PT1S", now: "2036-01-01T00:00:00Z") { $0.catchUp = catchUp })
            // A job that catches up on all runs the first one, and keeps the others for when that has ended.
            #expect(decision.isHeld == (catchUp == .all))
            #expect(decision.findings.reduce(0) { $0 + $1.count } == (catchUp == .all ? 1 : 315_532_801))
        }
        #expect(spent < .seconds(1))
    }

    @Test("a suspended schedule skips with its reason, or keeps what is due")
    func suspension() throws {
        let schedule = try text("R/2026-01-01T00:00:00Z/PT1M").schedule(zones: NoZones())
        for catchUp in CatchUpPolicy.allCases {
            var definition = JobDefinition(name: "a")
            definition.catchUp = catchUp
            let next = try #require(schedule.next(afterIndex: nil))
            let decision = try #require(
                LaunchPlanner.decide(
                    .init(
                        schedule: schedule, definition: definition, next: next, now: instant("2026-01-01T00:00:30Z"),
                        active: 0, waiting: 0, suspension: "off", policy: SchedulingPolicy())))
            #expect(decision.isHeld == (catchUp == .all))
            #expect(decision.findings.map(\.verdict) == (catchUp == .all ? [] : [.skipped]))
            #expect(decision.findings.allSatisfy { $0.reason == "off" })
        }
    }

    @Test(
        "a queue takes as many as it may, and as many as the job allows run at once",
        arguments: [
            (1, 1, 2), (3, 1, 4), (1, 3, 4), (2, 0, 10),
        ])
    func queueing(maximum: Int, limit: Int, launched: Int) throws {
        let decision = try #require(
            try decide("R10/2026-01-01T00:00:00Z/PT1S", now: "2026-01-01T00:00:59Z") {
                $0.overlap = .queue
                $0.maximumActive = maximum
                $0.queueLimit = limit
                $0.catchUp = .all
            })
        #expect(decision.findings.count { $0.verdict == .launched } == launched)
        #expect(decision.isHeld == (launched < 10))
    }

    @Test("the last occurrence exhausts the schedule")
    func exhaustion() throws {
        let decision = try #require(try decide("R3/2026-01-01T00:00:00Z/PT1H", now: "2027-01-01T00:00:00Z"))
        #expect(decision.next == nil && decision.decidedThrough == 2)
    }

    @Test("each occurrence gets exactly one verdict, in order, whatever the times", arguments: 0..<60)
    func tiling(seed: UInt64) throws {
        var chance = Seeded(seed)
        let period = Int.random(in: 1...5_000, using: &chance)
        let repeats = Bool.random(using: &chance) ? "\(Int.random(in: 1...400, using: &chance))" : ""
        let cron = Int.random(in: 0..<3, using: &chance) == 0
        let written =
            cron
            ? text("*/\(Int.random(in: 1...30, using: &chance)) * * * *", .cron)
            : text("R\(repeats)/2026-01-01T00:00:00Z/PT\(period)S")
        let schedule = try written.schedule(zones: NoZones())
        var definition = JobDefinition(name: "a")
        definition.overlap = OverlapPolicy.allCases.randomElement(using: &chance) ?? .skip
        definition.catchUp = CatchUpPolicy.allCases.randomElement(using: &chance) ?? .all
        definition.startWindow = Bool.random(using: &chance) ? .seconds(Int.random(in: 0...9_000, using: &chance)) : nil
        var policy = SchedulingPolicy()
        policy.launchesPerTurn = Int.random(in: 1...20, using: &chance)
        let start = instant("2026-01-01T00:00:00Z")
        var next = schedule.next(after: start.advanced(by: .microseconds(-1)))
        let origin = try #require(next)
        var covered: [LaunchPlanner.Finding] = []
        var now = start
        for _ in 0..<60 {
            now = now.advanced(by: .milliseconds(Int.random(in: -3_600_000...9_000_000, using: &chance)))
            guard let due = next else { break }
            let active = Int.random(in: 0...2, using: &chance)
            guard
                let decision = LaunchPlanner.decide(
                    .init(
                        schedule: schedule, definition: definition, next: due, now: now, active: active,
                        waiting: max(0, active - 1), policy: policy))
            else {
                #expect(due.due > now)
                continue
            }
            if decision.isHeld {
                #expect(definition.catchUp == .all && definition.overlap != .allow)
                let waiting = try #require(decision.next)
                #expect(waiting.due <= now)
            }
            if decision.findings.isEmpty {
                #expect(decision.isHeld && decision.next == due)
                continue
            }
            #expect(decision.findings.last?.last.index == decision.decidedThrough)
            #expect(decision.findings.filter { $0.verdict == .launched }.count <= policy.launchesPerTurn)
            #expect(decision.findings.allSatisfy { $0.last.due <= now })
            covered += decision.findings
            next = decision.next
        }
        var expected: Occurrence? = origin
        for finding in covered {
            #expect(finding.first == expected)
            #expect(finding.count == schedule.count(from: finding.first.index, through: finding.last.index))
            expected = schedule.next(afterIndex: finding.last.index)
        }
        #expect(expected == next)
    }
}

@Suite struct RetryPlannerTests {
    private static let now = instant("2026-01-01T00:00:00Z")

    private func consequence(_ state: RunState, attempt: Int, retries: Int, abort: Bool = false)
        -> RetryPlanner.Consequence
    {
        var definition = JobDefinition(name: "a")
        definition.retries = retries
        return RetryPlanner.consequence(
            of: state, attempt: attempt, definition: definition, abortRequested: abort, now: Self.now,
            policy: SchedulingPolicy())
    }

    @Test("failed and lost tries are repeated while retries are left, others never")
    func consequences() {
        let later = RetryPlanner.Consequence.retry(notBefore: Self.now.advanced(by: .seconds(60)))
        #expect(consequence(.failed, attempt: 0, retries: 1) == later)
        #expect(consequence(.lost, attempt: 0, retries: 1) == later)
        #expect(consequence(.failed, attempt: 1, retries: 1) == .end(.failed))
        #expect(consequence(.aborted, attempt: 0, retries: 1) == .end(.aborted))
        #expect(consequence(.succeeded, attempt: 0, retries: 1) == .end(.succeeded))
        #expect(consequence(.failed, attempt: 0, retries: 1, abort: true) == .end(.aborted))
    }

    @Test(
        "delays grow by the factor up to the maximum",
        arguments: [(1, 60), (2, 120), (3, 240), (7, 3_600), (500, 3_600)])
    func growth(attempt: Int, seconds: Int) {
        var policy = SchedulingPolicy()
        policy.retryFactor = 2
        let delay = RetryPlanner.delay(before: attempt, definition: JobDefinition(name: "a"), policy: policy)
        #expect(delay == .seconds(seconds))
    }

    @Test("a job's own delay is never cut to the cluster's maximum")
    func own() {
        var policy = SchedulingPolicy()
        policy.retryFactor = 2
        var definition = JobDefinition(name: "a")
        definition.retryDelay = .seconds(7_200)
        #expect(RetryPlanner.delay(before: 9, definition: definition, policy: policy) == .seconds(7_200))
    }
}

@Suite struct PlacementPlannerTests {
    private func candidate(_ name: String, free: Double, of capacity: Double = 4) -> PlacementPlanner.Candidate {
        .init(
            name: name, attributes: ["rack": name], free: Resources(cpus: free, memory: 1e3, disk: 1e3),
            capacity: Resources(cpus: capacity, memory: 1e3, disk: 1e3))
    }

    private func choose(
        _ cpus: Double, _ candidates: [PlacementPlanner.Candidate], _ constraints: [Constraint] = [],
        excluded: Set<String> = []
    ) -> PlacementPlanner.Choice {
        PlacementPlanner.choose(
            resources: Resources(cpus: cpus, memory: 1, disk: 1), constraints: constraints, excluded: excluded,
            among: candidates)
    }

    @Test("the freest worker is chosen, equal ones by name, in whatever order they come")
    func freest() {
        let workers = [candidate("b", free: 3), candidate("a", free: 3), candidate("c", free: 1)]
        #expect(choose(1, workers) == .worker("a"))
        #expect(choose(1, workers.reversed()) == .worker("a"))
    }

    @Test("reasons tell what would help")
    func reasons() throws {
        #expect(choose(1, []) == .impossible(reason: "no worker is alive"))
        guard case .busy = choose(2, [candidate("a", free: 1)]) else { return #expect(Bool(false)) }
        guard case .impossible(let large) = choose(9, [candidate("a", free: 4)]) else { return #expect(Bool(false)) }
        #expect(large.contains("more than any"))
        let constraint = try Constraint(attribute: "rack", comparison: "EQUALS", value: "z")
        guard case .impossible(let unmet) = choose(1, [candidate("a", free: 4)], [constraint]) else {
            return #expect(Bool(false))
        }
        #expect(unmet.contains("rack EQUALS z"))
        #expect(
            choose(1, [candidate("a", free: 4)], excluded: ["a"]) == .impossible(reason: "every worker has refused it"))
    }

    @Test("ten tenths fill one cpu, and eleven do not fit")
    func tenths() {
        var free = Resources(cpus: 1, memory: 1, disk: 1)
        let tenth = Resources(cpus: 0.1, memory: 0, disk: 0)
        for _ in 0..<10 {
            #expect(tenth.fits(in: free))
            free = free - tenth
        }
        #expect(!tenth.fits(in: free))
    }

    @Test("numbers that are none fit nowhere")
    func notANumber() {
        #expect(!Resources(cpus: .nan, memory: 1, disk: 1).fits(in: Resources(cpus: 9, memory: 9, disk: 9)))
    }
}
