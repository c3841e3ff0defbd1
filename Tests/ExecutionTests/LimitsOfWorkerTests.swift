import Domain
import Foundation
import Runtime
import Testing

@testable import Execution

extension LauncherTests {
    /// A whole agent with real processes; nodes are the test's.
    @Suite("Limits at the worker")
    struct LimitsOfWorkerTests {
        struct Worker: Sendable {
            let agent: WorkerAgent
            let uplink: FakeUplink
            let loop: EventLoop
            let scratch: Scratch

            func offer(_ offers: [Offer]) async throws {
                _ = try await agent.offer(
                    OfferBatch(term: Term(timeline: 1, epoch: 1), leader: "n", leaderURL: "http://n", offers: offers))
            }

            func report(_ attempt: AttemptID) async throws -> AttemptReport {
                try await eventually("\(attempt) is reported", on: loop) {
                    uplink.reports.contains { $0.attempt == attempt }
                }
                return try #require(uplink.reports.first { $0.attempt == attempt })
            }
        }

        static func withWorker(
            change: (inout SpawnSettings) -> Void = { _ in },
            _ body: @Sendable (Worker) async throws -> Void
        ) async throws {
            let loop = try EventLoop.startThread(named: "test loop")
            defer { loop.stop() }
            let scratch = try Scratch()
            var settings = SpawnSettings(workDirectory: scratch.path)
            change(&settings)
            let launcher = try SpawnLauncher(settings, loop: loop, log: quiet)
            var configuration = WorkerConfiguration(
                description: sampleDescription,
                users: .ofThisProcess(allowed: [], defaultUser: UserIdentity.own().name))
            configuration.killGrace = .milliseconds(300)
            configuration.heartbeatInterval = .milliseconds(100)
            let uplink = FakeUplink()
            let journal = FileJournal(directory: scratch.path, timekeeper: loop, log: quiet)
            let agent = WorkerAgent(
                configuration: configuration, uplink: uplink, launcher: launcher, journal: journal, timekeeper: loop,
                log: quiet)
            try await withTaskExecutorPreference(loop) {
                let running = loop.start("agent") { try? await agent.run() }
                try await eventually("the journal is read", on: loop) { await agent.isReady }
                try await body(Worker(agent: agent, uplink: uplink, loop: loop, scratch: scratch))
                await agent.shutDown(grace: .milliseconds(100))
                running.cancel()
                await running.value
                await journal.close()
                launcher.shutDown()
            }
        }

        @Test("a run that exceeds its timeout is gone within 1.5 s, children in sessions of their own as well")
        func timeout() async throws {
            try await Self.withWorker { worker in
                let started = ContinuousClock.now
                try await worker.offer([
                    sampleOffer(attempt(1), command: "setsid sleep 1000 & sleep 1000", timeout: .seconds(1))
                ])
                let report = try await worker.report(attempt(1))
                let took = ContinuousClock.now - started
                #expect(report.outcome == .timedOut)
                #expect(report.reason == "Exceeded maximum run time (1 second)")
                #expect(took >= .seconds(1) && took < .seconds(2.5), "\(took)")
                print("timeout of 1 s: reported after \(took)")
            }
        }

        @Test("sampled limits end a run with their own outcome and reason", arguments: [true, false])
        func sampled(hasGroups: Bool) async throws {
            try await Self.withWorker(change: { $0.groups.isWanted = hasGroups }) { worker in
                func limited(_ number: Int, _ command: String, _ change: (inout RunLimits) -> Void) -> Offer {
                    var offer = sampleOffer(attempt(number), command: command)
                    var extras = OfferExtras.none
                    change(&extras.limits)
                    offer.extras = extras
                    return offer
                }
                let offers = [
                    limited(1, "while :; do :; done") {
                        $0.cpuPercent = 20
                        $0.cpuSustain = .seconds(1)
                    },
                    limited(2, "(head -c 50000000 /dev/zero; sleep 1000) | tail") { $0.memoryBytes = 20 << 20 },
                    limited(3, "yes | head -c 100000; sleep 1000") { $0.logBytes = 50_000 },
                    limited(4, "sleep 1") {
                        $0.cpuPercent = 90
                        $0.memoryBytes = 1 << 30
                        $0.logBytes = 10
                    },
                ]
                try await worker.offer(offers)
                let cpu = try await worker.report(attempt(1))
                #expect(cpu.outcome == .exceeded(.cpu))
                #expect(cpu.reason == "Exceeded CPU limit of 20% for over 1 second")
                #expect(cpu.details?.cpu?.maximum ?? 0 > 20)
                let memory = try await worker.report(attempt(2))
                #expect(memory.outcome == .exceeded(.memory))
                #expect(memory.reason == "Exceeded memory limit of 20 MB")
                #expect(memory.details?.memory?.maximum ?? 0 > 20_000_000)
                let log = try await worker.report(attempt(3))
                #expect(log.outcome == .exceeded(.logSize))
                #expect(log.reason == "Exceeded log file size limit of 48.8 K")
                #expect(log.details?.logBytes == 100_000)
                let modest = try await worker.report(attempt(4))
                #expect(modest.outcome == .exited(code: 0))
            }
        }

        @Test(
            "a run whose child the kernel has killed for memory ends, though it would go on",
            .enabled(if: ThisMachine.enforces(.memory), ThisMachine.why))
        func childKilled() async throws {
            try await Self.withWorker { worker in
                let started = ContinuousClock.now
                try await worker.offer([
                    sampleOffer(
                        attempt(1),
                        command: "(head -c 300000000 /dev/zero | tail) ; trap '' TERM; sleep 1000; sleep 1000",
                        resources: Resources(cpus: 2, memory: 32, disk: 1))
                ])
                let report = try await worker.report(attempt(1))
                #expect(report.outcome == .exceeded(.hardMemory))
                #expect(report.reason == "Exceeded memory limit of 32 MB: killed for memory by the kernel")
                print("child killed for memory: reported after \(ContinuousClock.now - started)")
            }
        }

        @Test("heartbeats tell how a run goes, and say nothing where nothing has changed")
        func heartbeats() async throws {
            try await Self.withWorker { worker in
                try await worker.offer([sampleOffer(attempt(1), command: "echo hello; exec sleep 1000")])
                try await eventually("usage was told", on: worker.loop) {
                    worker.uplink.with { state in
                        state.heartbeats.contains { $0.held.first?.details?.cpu != nil }
                    }
                }
                let told = worker.uplink.with { $0.heartbeats }
                let details = try #require(told.last { $0.held.first?.details != nil }?.held.first?.details)
                #expect(details.logBytes == 6)
                #expect(details.process ?? 0 > 1)
                #expect(details.memory?.current ?? 0 > 100_000)
                try await eventually("silence", on: worker.loop) {
                    worker.uplink.with { $0.heartbeats.last?.held.first.map { $0.details == nil } ?? false }
                }
                try await worker.agent.kill(KillRequest(term: Term(timeline: 1, epoch: 1), attempts: [attempt(1)]))
                let report = try await worker.report(attempt(1))
                #expect(report.outcome == .aborted)
                #expect(report.details?.cpu != nil)
                #expect(await worker.agent.survivors == 0)
            }
        }
    }
}
