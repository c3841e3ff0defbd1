import Domain
import Runtime
import Storage
import Synchronization
import Testing
import Timetable

@testable import Coordination

@Suite struct LeaderTests {
    @Test("without office every command is refused at once")
    func outOfOffice() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            await #expect { try await stage.put("a") } throws: { ($0 as? DomainError)?.code == .notLeader }
        }
    }

    @Test("a due job reaches its worker after the commit")
    func due() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            let office = try await stage.begin()
            try await stage.worker("w1")
            try await stage.put("a", stage.soon())
            try await loop.until { stage.transport.offered.count == 1 }
            #expect(stage.store.memory.contents.tables.runs.values.map(\.run.state) == [.offered])
            office.cancel()
            await office.value
            #expect(stage.end.error.withLock { $0 is CancellationError })
            await #expect { try await stage.put("b") } throws: { ($0 as? DomainError)?.code == .notLeader }
        }
    }

    @Test(
        "what the database refuses of a batch harms nothing else of it", arguments: [StoreError.Code.data, .conflict])
    func isolation(code: StoreError.Code) async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            let office = try await stage.begin()
            stage.store.refuse { changes in
                changes.putJobs.contains { $0.definition.name == "bad" } ? StoreError(code, "no") : nil
            }
            stage.store.shut()
            // The first is in flight while the others gather.
            let results = try await withThrowingTaskGroup(of: (String, DomainError?).self) { group in
                for name in ["first", "a", "bad", "b"] {
                    group.addTask {
                        do { try await stage.put(name) } catch let error as DomainError { return (name, error) }
                        return (name, nil)
                    }
                    if name == "first" { try await loop.until { stage.store.inFlight == 1 } }
                }
                try await loop.sleep(for: .milliseconds(5))
                stage.store.open()
                return try await group.reduce(into: [String: DomainError?]()) { $0[$1.0] = $1.1 }
            }
            #expect(results["a"] == .some(nil) && results["b"] == .some(nil) && results["first"] == .some(nil))
            #expect(results["bad"]??.code == (code == .data ? .invalid : .conflict))
            #expect(Set(stage.store.memory.contents.tables.jobs.values.map(\.definition.name)) == ["first", "a", "b"])
            office.cancel()
            await office.value
        }
    }

    @Test(
        "a job whose occurrence is refused is disabled, and others go on", arguments: [StoreError.Code.data, .conflict])
    func poison(code: StoreError.Code) async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            let office = try await stage.begin()
            try await stage.worker("w1")
            stage.store.refuse { changes in
                changes.ledger.contains { $0.jobName == "bad" } ? StoreError(code, "no") : nil
            }
            try await stage.put("bad", stage.soon(50))
            try await stage.put("good", stage.soon(50))
            try await loop.until { stage.transport.offered.contains { $0.jobName == "good" } }
            try await loop.until { stage.job("bad")?.isEnabled == false }
            #expect(stage.job("bad")?.disabledReason.contains("refused") == true)
            try await stage.put("later")
            #expect(stage.end.text == nil)
            office.cancel()
            await office.value
        }
    }

    @Test("identifiers that were given before a refused turn are not given again")
    func identifiers() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            let office = try await stage.begin()
            try await stage.put("a")
            stage.store.refuse { $0.putJobs.contains { $0.definition.name == "bad" } ? StoreError(.data, "no") : nil }
            await #expect(throws: DomainError.self) { try await stage.put("bad") }
            try await stage.put("b")
            #expect(Set(stage.store.memory.contents.tables.jobs.values.map(\.definition.name)) == ["a", "b"])
            office.cancel()
            await office.value
        }
    }

    @Test("of commands at the loss of the database the one in flight is unknown, those that wait are not done")
    func loss() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            let office = try await stage.begin()
            stage.store.shut()
            stage.store.refuse { _ in StoreError(.connection, "gone") }
            let codes = try await withThrowingTaskGroup(of: (String, DomainError.Code?).self) { group in
                for name in ["first", "second", "third"] {
                    group.addTask {
                        do { try await stage.put(name) } catch let error as DomainError { return (name, error.code) }
                        return (name, nil)
                    }
                    if name == "first" { try await loop.until { stage.store.inFlight == 1 } }
                }
                try await loop.sleep(for: .milliseconds(5))
                stage.store.open()
                return try await group.reduce(into: [String: DomainError.Code?]()) { $0[$1.0] = $1.1 }
            }
            #expect(codes == ["first": .unavailable, "second": .notLeader, "third": .notLeader])
            await office.value
            #expect(stage.end.text?.contains("gone") == true)
        }
    }

    @Test("a stale term ends the office")
    func stale() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            let office = try await stage.begin()
            stage.store.memory.currentTerm = Term(timeline: 1, epoch: 2)
            await #expect(throws: DomainError.self) { try await stage.put("a") }
            await office.value
            #expect(stage.end.text?.contains("stale") == true)
        }
    }

    @Test("once trust has lapsed nothing is committed")
    func lapse() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            let trust = Trust(until: loop.monotonicNow.advanced(by: .milliseconds(100)))
            let office = try await stage.begin(trust: trust)
            try await loop.until { !trust.isValid(at: loop.monotonicNow) }
            await #expect(throws: DomainError.self) { try await stage.put("a") }
            await office.value
            #expect(stage.job("a") == nil)
            #expect(stage.end.error.withLock { $0 is LossOfOffice })
        }
    }

    @Test("where trust lapses during a commit the answer is true, given once, and nothing is sent")
    func lapseInFlight() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            let trust = Trust(until: loop.monotonicNow.advanced(by: .milliseconds(300)))
            let office = try await stage.begin(trust: trust)
            try await stage.worker("w1")
            try await stage.put("a")
            stage.store.shut()
            async let reply = stage.leader.submit(.runJob(name: "a", arguments: ""))
            try await loop.until { stage.store.inFlight == 1 }
            try await loop.until { !trust.isValid(at: loop.monotonicNow) }
            stage.store.open()
            guard case .launched = try await reply else { throw Timeout() }
            await office.value
            #expect(stage.end.error.withLock { $0 is LossOfOffice })
            #expect(stage.transport.offered.isEmpty)
            #expect(stage.store.memory.contents.tables.runs.count == 1)
        }
    }

    @Test("a worker that has seen a later term ends the office")
    func laterTerm() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            stage.transport.reply.withLock { $0 = .stale(highest: Term(timeline: 1, epoch: 9)) }
            let office = try await stage.begin()
            try await stage.worker("w1")
            try await stage.put("a")
            _ = try await stage.leader.submit(.runJob(name: "a", arguments: ""))
            await office.value
            #expect(stage.end.text?.contains("1/9") == true)
        }
    }

    @Test("a report that contradicts the database does not take others with it")
    func reports() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            let office = try await stage.begin()
            try await stage.worker("w1")
            try await stage.put("a")
            try await stage.put("b")
            _ = try await stage.leader.submit(.runJob(name: "a", arguments: ""))
            _ = try await stage.leader.submit(.runJob(name: "b", arguments: ""))
            try await loop.until { stage.transport.offered.count == 2 }
            let offers = stage.transport.offered
            let good = try #require(offers.first { $0.jobName == "a" }).attempt
            let bad = try #require(offers.first { $0.jobName == "b" }).attempt
            let now = LoopClock(loop: loop).now()
            let claim = ClaimRequest(worker: "w1", boot: "1", attempts: [good])
            #expect(try await stage.store.claim(claim, now: now).granted == [good])
            // The other was never claimed.
            let reports = [bad, good].map {
                AttemptReport(
                    attempt: $0, worker: "w1", boot: "1", startedAt: now, finishedAt: now, outcome: .exited(code: 0),
                    reason: "", outputTail: "")
            }
            guard case .reports(let reply) = try await stage.leader.submit(.reports(reports)) else { return }
            #expect(reply.acknowledged == [bad, good])
            #expect(stage.store.memory.contents.history.map(\.jobName) == ["a"])
            #expect(stage.store.memory.contents.tables.runs[bad.run]?.run.state == .offered)
            office.cancel()
            await office.value
        }
    }

    @Test("a worker that cannot be reached does not stop the turns")
    func unreachable() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            stage.transport.reply.withLock { $0 = nil }
            let office = try await stage.begin()
            try await stage.worker("w1")
            try await stage.put("a")
            let reply = try await stage.leader.submit(.runJob(name: "a", arguments: ""))
            let id = try #require(reply.launchedRun)
            try await loop.until { stage.store.memory.contents.tables.runs[id]?.run.state == .queued }
            let turns = stage.leader.status.turns
            try await loop.sleep(for: .milliseconds(300))
            // Two seconds of avoidance, not one turn after the other.
            #expect(stage.leader.status.turns - turns < 20)
            office.cancel()
            await office.value
        }
    }

    @Test("more jobs than a page are due at one instant, and all are decided")
    func pages() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            let due = LoopClock(loop: loop).now().advanced(by: .seconds(-5))
            var changes = Changes()
            let count = Leader.agendaPage + 700
            for number in 0..<count {
                var definition = JobDefinition(name: "j\(number)")
                let text = ScheduleText(notation: .iso8601, text: "R/\(due.iso8601)/PT1H", zone: "", anchor: due)
                definition.trigger = .schedule(text)
                let first = try text.schedule(zones: NoZones()).next(afterIndex: nil)
                changes.putJobs.append(
                    Job(
                        id: JobID("e\(number)"), version: 1, definition: definition, isEnabled: true, next: first,
                        created: due, modified: due))
            }
            try await stage.store.memory.commit(stage.term, changes)
            let office = try await stage.begin()
            try await loop.until { stage.store.memory.contents.ledger.count == count }
            #expect(stage.leader.status.activeRuns == count)
            office.cancel()
            await office.value
        }
    }

    @Test("a job is written and used within one batch in the order of arrival")
    func order() async throws {
        try await onLoop { loop in
            let stage = Stage(loop)
            let office = try await stage.begin()
            stage.store.shut()
            let codes = try await withThrowingTaskGroup(of: (Int, DomainError.Code?).self) { group in
                for step in 0..<5 {
                    group.addTask {
                        do throws(DomainError) {
                            switch step {
                            case 0: _ = try await stage.leader.submit(.drainWorker(name: "none", isDrained: true))
                            case 2: _ = try await stage.leader.submit(.runJob(name: "a", arguments: ""))
                            case 3: _ = try await stage.leader.submit(.deleteJob(name: "a"))
                            case 4: _ = try await stage.leader.submit(.runJob(name: "a", arguments: ""))
                            default:
                                let job = JobDefinition(name: "a")
                                _ = try await stage.leader.submit(
                                    .putJob(job, isEnabled: true, counters: nil, mode: .createOnly))
                            }
                        } catch { return (step, error.code) }
                        return (step, nil)
                    }
                    try await loop.sleep(for: .milliseconds(3))
                }
                stage.store.open()
                return try await group.reduce(into: [Int: DomainError.Code?]()) { $0[$1.0] = $1.1 }
            }
            #expect(codes == [0: .notFound, 1: nil, 2: nil, 3: nil, 4: .notFound])
            office.cancel()
            await office.value
        }
    }
}
