import Domain
import Foundation
import Runtime
import Testing
import Timetable

@testable import Execution

extension LauncherTests {
    /// Runs that outlive the worker's process; each worker here is one such process.
    @Suite("Detached runs")
    struct DetachedTests {
        struct Worker: Sendable {
            let agent: WorkerAgent
            let launcher: SpawnLauncher
            let journal: FileJournal
            let running: Task<Void, Never>

            /// An orderly end, as for an upgrade.
            func stop() async {
                await agent.shutDown(grace: .milliseconds(200))
                running.cancel()
                await running.value
                await journal.close()
                launcher.shutDown()
            }
        }

        static func start(
            _ loop: EventLoop, _ scratch: Scratch, _ uplink: FakeUplink, boot: String, adoptsAll: Bool = false,
            hasGroups: Bool = true
        ) async throws -> Worker {
            var settings = SpawnSettings(workDirectory: scratch.path)
            settings.groups.isWanted = hasGroups
            settings.supervisesAll = adoptsAll
            settings.remainsGrace = .milliseconds(200)
            let launcher = try SpawnLauncher(settings, loop: loop, log: quiet)
            var description = sampleDescription
            description.boot = boot
            var configuration = WorkerConfiguration(
                description: description, users: .ofThisProcess(allowed: [], defaultUser: UserIdentity.own().name))
            configuration.killGrace = .milliseconds(300)
            configuration.heartbeatInterval = .milliseconds(50)
            configuration.adoptsAll = adoptsAll
            let journal = FileJournal(directory: scratch.path, timekeeper: loop, log: quiet)
            let agent = WorkerAgent(
                configuration: configuration, uplink: uplink, launcher: launcher, journal: journal, timekeeper: loop,
                log: quiet)
            let running = loop.start("agent") { try? await agent.run() }
            try await eventually("the journal is read", on: loop) { await agent.isReady }
            return Worker(agent: agent, launcher: launcher, journal: journal, running: running)
        }

        static func offer(_ number: Int, _ command: String, timeout: Duration? = nil) -> Offer {
            var offer = sampleOffer(
                attempt(number), command: command, resources: Resources(cpus: 1, memory: 64, disk: 1),
                timeout: timeout)
            var extras = OfferExtras.none
            extras.isDetached = true
            offer.extras = extras
            return offer
        }

        static func batch(_ offers: [Offer]) -> OfferBatch {
            OfferBatch(term: Term(timeline: 1, epoch: 1), leader: "n", leaderURL: "http://n", offers: offers)
        }

        /// Names of this process's children.
        static func children() -> [String] {
            ProcessTable.read().filter { $0.parent == getpid() }.compactMap { child in
                // It has ended since.
                guard let name = try? String(contentsOfFile: "/proc/\(child.process)/comm", encoding: .utf8) else {
                    return nil
                }
                return name.split(separator: "\n").first.map(String.init)
            }
        }

        @Test("a supervised run ends like any other", arguments: [true, false])
        func alike(hasGroups: Bool) async throws {
            try await withBench(change: { $0.groups.isWanted = hasGroups }) { bench in
                let good = try await bench.run(Self.offer(1, "echo out; echo err >/dev/stderr; exit 7"))
                #expect(good.status == .exited(code: 7))
                #expect(good.outputTail == "out\nerr\n")
                #expect(!bench.scratch.exists("detached/r1-0"))
                #expect(try await bench.run(Self.offer(2, "kill -SEGV $$")).status == .signalled(11))
                var missing = Self.offer(3, "/no/such/program")
                missing.shell = false
                await #expect { _ = try await bench.run(missing) } throws: { "\($0)".contains("does not exist") }
                #expect(!bench.scratch.exists("detached/r3-0"))
                let deaf = try await bench.launch(
                    Self.offer(4, "(trap '' TERM; setsid sh -c 'echo $$; while :; do sleep 0.1; done') & sleep 1000"))
                try await eventually("it runs", on: bench.loop) {
                    try bench.log(attempt(4)).split(separator: "\n").contains { Int32($0) != nil }
                }
                let line = try #require(try bench.log(attempt(4)).split(separator: "\n").last { Int32($0) != nil })
                await deaf.end(grace: .milliseconds(200))
                let end = await deaf.ended()
                #expect(end.wasEnded)
                #expect(end.survivors == 0)
                #expect(!isAlive(try #require(Int32(line))))
                await deaf.discard()
                let left = try FileManager.default.contentsOfDirectory(atPath: "\(bench.scratch.path)/detached")
                #expect(left.isEmpty)
                try await eventually("no supervisor is left, dead or alive", on: bench.loop) {
                    await bench.launcher.tidy()
                    return !Self.children().contains("carillon-run")
                }
            }
        }

        @Test(
            "an upgrade of the worker loses no detached run, whether it ends before, during or after",
            arguments: [true, false])
        func upgrade(hasGroups: Bool) async throws {
            try await onLoop { loop in
                let scratch = try Scratch()
                let uplink = FakeUplink()
                let first = try await Self.start(loop, scratch, uplink, boot: "b1", hasGroups: hasGroups)
                func waiting(_ number: Int, _ code: Int) -> Offer {
                    Self.offer(
                        number,
                        "echo before; echo x >> \(scratch.path)/ran\(number); "
                            + "while [ ! -e \(scratch.path)/go\(number) ]; do sleep 0.02; done; "
                            + "echo after; exit \(code)")
                }
                var plain = sampleOffer(attempt(3), command: "echo plain; exec sleep 1000")
                plain.resources = .zero
                _ = try await first.agent.offer(Self.batch([waiting(1, 7), waiting(2, 0), plain]))
                try await eventually("all run", on: loop) {
                    scratch.exists("ran1") && scratch.exists("ran2")
                        && first.launcher.running(attempt(3), in: scratch)
                }
                await first.stop()
                #expect(uplink.reports.map(\.attempt) == [attempt(3)])
                #expect(uplink.reports.first?.outcome == .interrupted)
                // While no worker is there, one of them ends.
                #expect(FileManager.default.createFile(atPath: "\(scratch.path)/go1", contents: nil))
                try await eventually("it has ended", on: loop) { scratch.exists("detached/r1-0/status") }

                let second = try await Self.start(loop, scratch, uplink, boot: "b2", hasGroups: hasGroups)
                try await eventually("the first is reported", on: loop) {
                    uplink.reports.contains { $0.attempt == attempt(1) }
                }
                let ended = try #require(uplink.reports.first { $0.attempt == attempt(1) })
                #expect(ended.outcome == .exited(code: 7))
                #expect(ended.boot == "b2")
                #expect(ended.outputTail.hasSuffix("after\n"))
                #expect(await second.agent.held.contains { $0.attempt == attempt(2) && $0.phase == .started })
                try await eventually("its usage is told", on: loop) {
                    uplink.with { state in
                        state.heartbeats.contains { beat in
                            beat.boot == "b2" && beat.held.contains { $0.details?.memory != nil }
                        }
                    }
                }
                #expect(FileManager.default.createFile(atPath: "\(scratch.path)/go2", contents: nil))
                try await eventually("the second is reported", on: loop) {
                    uplink.reports.contains { $0.attempt == attempt(2) }
                }
                let report = try #require(uplink.reports.first { $0.attempt == attempt(2) })
                #expect(report.outcome == .exited(code: 0))
                let log = try scratch.text("logs/r2-0.log")
                #expect(log.contains("before\nafter\n"))
                #expect(try scratch.text("ran2") == "x\n")
                try await eventually("nothing of them is left", on: loop) {
                    try FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/detached").isEmpty
                        && FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/runs").isEmpty
                }
                await second.stop()
            }
        }

        @Test(
            "one that was taken over keeps its limits, and can be ended with all that it has started",
            arguments: [true, false])
        func limits(hasGroups: Bool) async throws {
            try await onLoop { loop in
                let scratch = try Scratch()
                let uplink = FakeUplink()
                let first = try await Self.start(loop, scratch, uplink, boot: "b1", hasGroups: hasGroups)
                let deaf = "trap '' TERM; (setsid sh -c 'echo $$; while :; do sleep 0.1; done' &); touch DIR/up; "
                let offers = [
                    Self.offer(1, "exec sleep 1000", timeout: .milliseconds(1_500)),
                    Self.offer(
                        2, deaf.replacingOccurrences(of: "DIR", with: scratch.path) + "while :; do sleep 0.1; done"),
                ]
                _ = try await first.agent.offer(Self.batch(offers))
                try await eventually("both run", on: loop) {
                    scratch.exists("up") && scratch.exists("detached/r1-0/process")
                        && first.launcher.running(attempt(2), in: scratch)
                }
                await first.stop()
                let second = try await Self.start(loop, scratch, uplink, boot: "b2", hasGroups: hasGroups)
                try await eventually("the timeout comes", on: loop) {
                    uplink.reports.contains { $0.attempt == attempt(1) }
                }
                #expect(uplink.reports.first { $0.attempt == attempt(1) }?.outcome == .timedOut)
                try await second.agent.kill(KillRequest(term: Term(timeline: 1, epoch: 1), attempts: [attempt(2)]))
                try await eventually("the other is reported", on: loop) {
                    uplink.reports.contains { $0.attempt == attempt(2) }
                }
                #expect(uplink.reports.first { $0.attempt == attempt(2) }?.outcome == .aborted)
                let lines = try scratch.text("logs/r2-0.log").split(separator: "\n")
                let child = try #require(lines.compactMap { Int32($0) }.first)
                #expect(!isAlive(child))
                await second.stop()
            }
        }

        @Test(
            "what is not detached is taken over where the operator wants it, and ended where not",
            arguments: [true, false])
        func onRestart(adopts: Bool) async throws {
            try await onLoop { loop in
                let scratch = try Scratch()
                let uplink = FakeUplink()
                let first = try await Self.start(loop, scratch, uplink, boot: "b1", adoptsAll: true)
                _ = try await first.agent.offer(
                    Self.batch([sampleOffer(attempt(1), command: "echo here; exec sleep 1000")]))
                try await eventually("it runs", on: loop) { first.launcher.running(attempt(1), in: scratch) }
                await first.stop()
                #expect(uplink.reports.isEmpty)
                let second = try await Self.start(loop, scratch, uplink, boot: "b2", adoptsAll: adopts)
                if adopts {
                    #expect(await second.agent.held == [HeldAttempt(attempt: attempt(1), phase: .started)])
                    try await second.agent.kill(
                        KillRequest(term: Term(timeline: 1, epoch: 1), attempts: [attempt(1)]))
                }
                try await eventually("it is reported", on: loop) { !uplink.reports.isEmpty }
                #expect(uplink.reports.first?.outcome == (adopts ? .aborted : .interrupted))
                #expect(uplink.reports.first?.outputTail.contains("here") == true)
                try await eventually("nothing is left", on: loop) {
                    try FileManager.default.contentsOfDirectory(atPath: "\(scratch.path)/detached").isEmpty
                }
                await second.stop()
            }
        }

        @Test("what a plugin's task had told goes on with it, and so does a message that was told in part")
        func plugin() async throws {
            try await onLoop { loop in
                let scratch = try Scratch()
                let uplink = FakeUplink()
                let script =
                    #"printf "text\n{\"progress\":0.5,\"perf\":\"a=1\"}\n{\"comp"; "#
                    + "while [ ! -e \(scratch.path)/go ]; do sleep 0.02; done; "
                    + #"printf "lete\":1,\"code\":7,\"description\":\"as told\"}\nmore\n""#
                var offer = pluginJob(attempt(1), samplePlugin("/bin/sh -c '\(script)'"))
                offer.resources = .zero
                offer.extras?.isDetached = true
                let first = try await Self.start(loop, scratch, uplink, boot: "b1")
                _ = try await first.agent.offer(Self.batch([offer]))
                try await eventually("its progress is told", on: loop) {
                    uplink.with { state in
                        state.heartbeats.contains { beat in
                            beat.held.contains { $0.details?.reported.contains("0.5") == true }
                        }
                    }
                }
                await first.stop()
                #expect(uplink.reports.isEmpty)
                let second = try await Self.start(loop, scratch, uplink, boot: "b2")
                #expect(FileManager.default.createFile(atPath: "\(scratch.path)/go", contents: nil))
                try await eventually("it is reported", on: loop) { !uplink.reports.isEmpty }
                let report = try #require(uplink.reports.first)
                #expect(report.outcome == .reported(isSuccess: false))
                #expect(report.reason.contains("as told"))
                let told = try #require(report.details?.reported)
                #expect(told.contains("a=1") && told.contains("7"))
                #expect(try scratch.text("logs/r1-0.log").contains("\ntext\nmore\n"))
                await second.stop()
            }
        }

        @Test("a supervisor that somebody kills costs the exit status, not the report")
        func lostSupervisor() async throws {
            try await withBench { bench in
                let process = try await bench.launch(Self.offer(1, "exec sleep 1000"))
                let files = bench.launcher.directory.detached(attempt(1))
                let (command, supervisor) = try #require(files.processes())
                supervisor.signal(SIGKILL)
                command.signal(SIGKILL)
                let end = await process.ended()
                #expect(end.outputProblem?.contains("supervisor") == true)
            }
        }
    }
}

extension SpawnLauncher {
    /// Its output has come.
    func running(_ attempt: AttemptID, in scratch: Scratch) -> Bool {
        guard let text = try? scratch.text("logs/\(attempt.run.rawValue)-\(attempt.number).log") else { return false }
        return text.split(separator: "\n").contains { !$0.hasPrefix("#") }
    }
}
