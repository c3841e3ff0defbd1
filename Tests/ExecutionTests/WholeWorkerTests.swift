import Domain
import Foundation
import Runtime
import Testing
import Timetable

@testable import Execution

extension LauncherTests {
    /// The whole worker: real journal, real processes, nodes that the test holds.
    @Suite("Whole worker")
    struct WholeWorkerTests {
        private static func agent(
            _ loop: EventLoop, _ scratch: Scratch, _ uplink: FakeUplink, journal: FileJournal
        ) throws -> WorkerAgent {
            let settings = SpawnSettings(workDirectory: scratch.path)
            let launcher = try SpawnLauncher(settings, loop: loop, log: quiet)
            var configuration = WorkerConfiguration(
                description: sampleDescription, users: .ofThisProcess(allowed: [], defaultUser: UserIdentity.own().name)
            )
            configuration.killGrace = .milliseconds(500)
            return WorkerAgent(
                configuration: configuration, uplink: uplink, launcher: launcher, journal: journal, timekeeper: loop,
                log: quiet)
        }

        @Test("a batch of 256 offers costs one claim, and each command runs once")
        func batch() async throws {
            try await onLoop { loop in
                let scratch = try Scratch()
                let uplink = FakeUplink()
                let journal = FileJournal(directory: scratch.path, timekeeper: loop, log: quiet)
                let agent = try Self.agent(loop, scratch, uplink, journal: journal)
                // Cancelled at the end.
                let running = loop.start("agent") { try? await agent.run() }
                try await eventually("the journal is read", on: loop) { await agent.isReady }
                let runs = "\(scratch.path)/ran"
                let offers = (0..<Limits.offersPerRequest).map {
                    sampleOffer(attempt($0), command: "echo \($0) >> \(runs)")
                }
                let batch = OfferBatch(
                    term: Term(timeline: 1, epoch: 1), leader: "n", leaderURL: "http://n", offers: offers)
                _ = try await agent.offer(batch)
                _ = try await agent.offer(batch)
                try await eventually("all are reported", on: loop) {
                    uplink.reports.count >= offers.count && Set(uplink.reports.map(\.attempt)).count == offers.count
                }
                #expect(uplink.claims.count == 1)
                let lines = try scratch.text("ran").split(separator: "\n").compactMap { Int($0) }
                #expect(lines.sorted() == Array(0..<offers.count))
                #expect(uplink.reports.allSatisfy { $0.outcome == .exited(code: 0) })
                await agent.shutDown(grace: .seconds(1))
                running.cancel()
                await running.value
                await journal.close()
                (await agent.launcher as? SpawnLauncher)?.shutDown()
            }
        }

        @Test("what a crashed worker has left is ended, reported as interrupted and never started again")
        func crash() async throws {
            let scratch = try Scratch()
            try await onLoop { loop in
                let journal = FileJournal(directory: scratch.path, timekeeper: loop, log: quiet)
                let uplink = FakeUplink()
                let first = try Self.agent(loop, scratch, uplink, journal: journal)
                // Cancelled below, which ends no command: the crash.
                let running = loop.start("first") { try? await first.run() }
                try await eventually("the journal is read", on: loop) { await first.isReady }
                let offer = sampleOffer(
                    attempt(1), command: "echo once >> \(scratch.path)/ran; setsid sleep 1000 & exec sleep 1000")
                let batch = OfferBatch(
                    term: Term(timeline: 1, epoch: 3), leader: "n", leaderURL: "http://n", offers: [offer])
                _ = try await first.offer(batch)
                try await eventually("it runs", on: loop) { scratch.exists("ran") }
                // The start is in the journal without a flush; closing waits for it.
                running.cancel()
                await running.value
                await journal.close()

                let again = FileJournal(directory: scratch.path, timekeeper: loop, log: quiet)
                let second = try Self.agent(loop, scratch, uplink, journal: again)
                let runningAgain = loop.start("second") { try? await second.run() }
                try await eventually("it is reported", on: loop) { await second.isReady && !uplink.reports.isEmpty }
                #expect(uplink.reports.map(\.outcome) == [.interrupted])
                try await eventually("it is acknowledged", on: loop) { await second.held.isEmpty }
                guard case .taken(_, let refused) = try await second.offer(batch) else {
                    Issue.record("stale")
                    return
                }
                #expect(refused.map(\.attempt) == [attempt(1)])
                #expect(try scratch.text("ran") == "once\n")
                // The second one, if the start was not in the journal yet, is for the record and starts nothing.
                #expect((1...2).contains(uplink.claims.count))
                let marker = TaskEnvironment.marker(sandbox: "\(scratch.path)/runs/r1-0")
                #expect(try Self.processes(with: marker).isEmpty)
                await second.shutDown(grace: .seconds(1))
                runningAgain.cancel()
                await runningAgain.value
                await again.close()
                (await first.launcher as? SpawnLauncher)?.shutDown()
                (await second.launcher as? SpawnLauncher)?.shutDown()
            }
        }

        /// Live processes whose environment has the entry.
        private static func processes(with entry: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
                guard Int(name) != nil, let data = FileManager.default.contents(atPath: "/proc/\(name)/environ") else {
                    return false
                }
                return data.split(separator: 0).contains { $0.elementsEqual(entry.utf8) }
            }
        }
    }
}
