import Domain
import Foundation
import Runtime
import Synchronization
import Testing

@testable import Execution

/// What the machine that runs the tests can enforce; groups that were made to find out are gone again.
enum ThisMachine {
    private static let probe: (groups: ControlGroups?, capabilities: GroupCapabilities) = {
        let probe = ControlGroups.detect(ControlGroupSettings(), owner: "test-probe")
        probe.groups?.removeIdle()
        return probe
    }()
    static let capabilities = probe.capabilities
    static func enforces(_ limit: EnforcedLimit) -> Bool { capabilities.enforced.contains(limit) }
    static let hasGroups = probe.groups != nil
    static let why = Comment(
        rawValue: "this machine enforces \(capabilities.text) (\(capabilities.kind)): "
            + capabilities.lacks.joined(separator: "; "))
}

@Suite("Control groups of this machine, read")
struct GroupHierarchyTests {
    private static let hybridMounts = """
        25 30 0:22 / /proc rw,relatime - proc proc rw
        41 40 0:35 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
        42 40 0:36 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
        43 40 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
        44 40 0:38 / /sys/fs/cgroup/unified rw,relatime shared:7 - cgroup2 cgroup2 rw
        """

    @Test("of both versions, each controller's place is found where it is")
    func hybrid() {
        let found = GroupHierarchies(
            mountInfo: Self.hybridMounts, membership: "9:name=systemd:/\n4:memory:/a/b\n1:cpu:/\n0::/\n")
        #expect(found.kind == "hybrid")
        #expect(found.controllers["memory"]?.path == "/sys/fs/cgroup/memory/a/b")
        #expect(found.controllers["memory"]?.isTop == false)
        #expect(found.controllers["cpu"]?.path == "/sys/fs/cgroup/cpu")
        #expect(found.unified?.path == "/sys/fs/cgroup/unified")
        #expect(found.unified?.isTop == true)
        #expect(found.controllers["pids"] == nil)
    }

    @Test("version 2 alone; the parent that the operator names counts in place of the own group")
    func version2() {
        let mounts = "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate"
        let own = GroupHierarchies(mountInfo: mounts, membership: "0::/system.slice/carillon.service\n")
        #expect(own.kind == "v2")
        #expect(own.unified?.path == "/sys/fs/cgroup/system.slice/carillon.service")
        let named = GroupHierarchies(mountInfo: mounts, membership: "0::/a\n", parent: "/carillon")
        #expect(named.unified?.path == "/sys/fs/cgroup/carillon")
    }

    @Test("controllers that share a mount, a container's part of the tree, and a blank in a path")
    func containers() {
        let mounts = #"""
            31 20 0:27 /docker/x /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct
            32 20 0:28 / /odd\040place rw - cgroup cgroup rw,memory
            """#
        let inside = GroupHierarchies(
            mountInfo: mounts, membership: "3:cpu,cpuacct:/docker/x/y\n2:memory:/m\n")
        #expect(inside.kind == "v1")
        #expect(inside.controllers["cpu"]?.path == "/sys/fs/cgroup/cpu,cpuacct/y")
        #expect(inside.controllers["cpuacct"] == inside.controllers["cpu"])
        #expect(inside.controllers["memory"]?.path == "/odd place/m")
        // What lies outside of what is mounted cannot be reached.
        let outside = GroupHierarchies(mountInfo: mounts, membership: "3:cpu,cpuacct:/docker/z\n2:memory:/../m\n")
        #expect(outside.kind == "none")
    }

    @Test("no mounts, no groups; rubbish is no groups either")
    func nothing() {
        #expect(GroupHierarchies(mountInfo: "", membership: "0::/\n").kind == "none")
        #expect(GroupHierarchies(mountInfo: "a b c\n - cgroup2 x\n", membership: "x").kind == "none")
        let (groups, capabilities) = ControlGroups.detect(ControlGroupSettings(), owner: "x", proc: "/nonexistent")
        #expect(groups == nil)
        #expect(capabilities.text == "none")
        #expect(capabilities.lacks == ["this kernel has no control groups"])
    }

    @Test("resources become limits, and what is not enforced is left out")
    func limits() {
        var job = RunLimits.none
        job.processes = 50
        let limits = GroupLimits(Resources(cpus: 0.25, memory: 128, disk: 1), job, processes: 4_096)
        #expect(limits.memoryBytes == 128 << 20)
        #expect(limits.quota == 250_000)
        #expect(limits.weight == 250)
        #expect(limits.processes == 50)
        #expect(GroupLimits(.zero, .none, processes: 0) == GroupLimits())
        #expect(GroupLimits(.zero, .none, processes: 9).processes == 9)
        // A share that is next to nothing lets a command start all the same.
        let least = GroupLimits(Resources(cpus: 0.001, memory: 0, disk: 0), .none, processes: 0)
        #expect(least.quota == 50_000 && least.weight == 10)
        #expect(GroupLimits(Resources(cpus: .infinity, memory: .nan, disk: 0), .none, processes: 0) == GroupLimits())
        #expect(limits.reduced(to: [.processes], has: GroupRoots()).memoryBytes == nil)
    }

    @Test("small files: values by name, numbers, and what is neither")
    func files() {
        let events = Array("low 0\noom 3\noom_kill 12\noom_group_kill 1\n".utf8)
        #expect(GroupFile.value("oom_kill", in: events) == 12)
        #expect(GroupFile.value("oom", in: events) == 3)
        #expect(GroupFile.value("kill", in: events) == nil)
        #expect(GroupFile.number("99999999999999999999".utf8) == nil)
        #expect(GroupFile.numbers(Array("1\n22\n\nx\n4000000000\n".utf8)) == [1, 22])
        #expect(!GroupFile.write("x", to: "/nonexistent/file"))
    }
}

extension LauncherTests {
    @Suite("Hard limits, by the kernel")
    struct HardLimitTests {
        @Test(
            "a run that needs more memory than it may have is killed, and told apart from others",
            .enabled(if: ThisMachine.enforces(.memory), ThisMachine.why))
        func memory() async throws {
            try await withBench { bench in
                let before = ContinuousClock.now
                let end = try await bench.run(
                    sampleOffer(
                        attempt(1), command: "head -c 300000000 /dev/zero | tail",
                        resources: Resources(cpus: 1, memory: 32, disk: 1)))
                #expect(end.wasKilledForMemory)
                #expect(end.survivors == 0)
                print("killed for memory after \(ContinuousClock.now - before)")
                let offer = sampleOffer(attempt(1), resources: Resources(cpus: 1, memory: 32, disk: 1))
                let (outcome, reason) = AttemptEnd.describe(end, ending: nil, offer: offer)
                #expect(outcome == .exceeded(.hardMemory))
                #expect(reason == "Exceeded memory limit of 32 MB: killed for memory by the kernel")
                // The same group, used again by one that keeps to its limit.
                let modest = try await bench.run(
                    sampleOffer(attempt(2), command: "echo ok", resources: Resources(cpus: 1, memory: 32, disk: 1)))
                #expect(modest.status == .exited(code: 0))
                #expect(!modest.wasKilledForMemory)
                let other = try await bench.run(
                    sampleOffer(attempt(3), command: "kill -9 $$", resources: Resources(cpus: 1, memory: 32, disk: 1)))
                #expect(other.status == .signalled(9))
                #expect(!other.wasKilledForMemory)
            }
        }

        @Test(
            "a run gets no more processor time than its cpus, and a short one is not slowed down",
            .enabled(if: ThisMachine.enforces(.cpu), ThisMachine.why))
        func cpu() async throws {
            try await withBench { bench in
                // Reads its own processor time, in clock ticks of a hundredth of a second.
                let spin = """
                    i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); set -- $(cat /proc/uptime); \
                    [ ${1%.*} -ge $END ] && break; done; cut -d' ' -f14,15,16,17 /proc/$$/stat
                    """
                let uptime = try String(contentsOfFile: "/proc/uptime", encoding: .utf8)
                let end = Int(uptime.prefix { $0 != "." }).map { $0 + 4 } ?? 0
                let result = try await bench.run(
                    sampleOffer(
                        attempt(1), command: spin, environment: [EnvironmentVariable(name: "END", value: "\(end)")],
                        resources: Resources(cpus: 0.2, memory: 0, disk: 0)))
                let ticks = result.outputTail.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.reduce(0, +)
                // 3 to 4 s of a fifth of a core are 60 to 100 ticks; unlimited they would be 300 to 400.
                #expect(ticks > 20 && ticks < 140, "\(ticks) ticks")
            }
        }

        @Test(
            "a fork bomb stays within its number of processes, and nothing of it survives",
            .enabled(if: ThisMachine.enforces(.processes), ThisMachine.why))
        func forkBomb() async throws {
            try await withBench { bench in
                // Each that could fork twice stays, so that it is still to be seen when nobody can fork any more.
                var offer = sampleOffer(attempt(1), command: "b() { b & b & exec sleep 1000; }; b")
                var extras = OfferExtras.none
                extras.limits.processes = 60
                offer.extras = extras
                let process = try await bench.launch(offer)
                let group = try #require(bench.groupNames().first)
                try await eventually("it has spread", on: bench.loop) { bench.processes(in: group).count > 15 }
                #expect(bench.processes(in: group).count <= 60)
                await process.end(grace: .milliseconds(300))
                let end = await process.ended()
                #expect(end.wasEnded)
                #expect(end.survivors == 0)
                #expect(bench.processes(in: group).isEmpty)
            }
        }

        @Test("whatever a run does to get away, it ends", .enabled(if: ThisMachine.hasGroups, ThisMachine.why))
        func torture() async throws {
            try await withBench(change: { $0.remainsGrace = .milliseconds(200) }) { bench in
                // Forked twice, in sessions of their own, deaf to TERM, without the environment they could be known by.
                let script = """
                    for i in 1 2 3 4 5 6 7 8; do
                      setsid sh -c 'trap "" TERM HUP INT; (env -i setsid sh -c "trap \\"\\" TERM; echo x; \
                    while :; do sleep 0.01; done" &) ; :' &
                    done
                    wait
                    while [ $(cat $OUT | wc -l) -lt 8 ]; do sleep 0.02; done
                    """
                for (number, ending) in [(1, "exit 3"), (2, "while :; do sleep 1; done")] {
                    let log = "\(bench.scratch.path)/logs/r\(number)-0.log"
                    let process = try await bench.launch(
                        sampleOffer(
                            attempt(number), command: "\(number == 2 ? "trap '' TERM" : "")\n\(script)\n\(ending)",
                            environment: [EnvironmentVariable(name: "OUT", value: log)]))
                    let group = try #require(bench.groupNames().first)
                    try await eventually("all eight run", on: bench.loop) {
                        try bench.log(attempt(number)).split(separator: "\n").count == 8
                    }
                    if number == 2 { await process.end(grace: .milliseconds(200)) }
                    let end = await process.ended()
                    #expect(end.status == (number == 1 ? .exited(code: 3) : .signalled(9)))
                    #expect(end.survivors == 0)
                    #expect(bench.processes(in: group).isEmpty)
                }
            }
        }

        @Test(
            "groups are used again, a crashed worker's are emptied and removed at the next start, others stay",
            .enabled(if: ThisMachine.hasGroups, ThisMachine.why))
        func leftovers() async throws {
            try await withBench { bench in
                for number in 1...5 { _ = try await bench.run(sampleOffer(attempt(number))) }
                #expect(bench.groupNames().count == 1)
                let left = try await bench.launch(sampleOffer(attempt(9), command: "env -i setsid sleep 1000 & wait"))
                let name = try #require(bench.groupNames().first)
                try await eventually("it runs", on: bench.loop) { bench.processes(in: name).count >= 2 }
                // A second process of the same worker, which knows of nothing.
                let settings = SpawnSettings(workDirectory: bench.scratch.path)
                let later = try SpawnLauncher(settings, loop: bench.loop, log: quiet)
                defer { later.shutDown() }
                _ = await later.endSurvivors([], grace: .milliseconds(50))
                #expect(await left.ended().status == .signalled(9))
                try await eventually("it is gone", on: bench.loop) { bench.processes(in: name).isEmpty }
            }
        }

        @Test(
            "what tidies up takes no group away from a run, however many begin and end meanwhile",
            .enabled(if: ThisMachine.hasGroups, ThisMachine.why))
        func tidying() async throws {
            let groups = try #require(ControlGroups.detect(ControlGroupSettings(), owner: "test-tidying").groups)
            defer {
                groups.tidy()
                groups.removeIdle()
            }
            let pool = BlockingPool(threads: 4, queueLimit: 16)
            let rounds = 100
            final class Flag: Sendable { let value = Atomic(false) }
            let isDone = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await pool.run { while !isDone.value.load(ordering: .relaxed) { groups.tidy() } }
                }
                try await withThrowingTaskGroup(of: Void.self) { runs in
                    for taker in 0..<3 {
                        runs.addTask {
                            try await pool.run {
                                for round in 0..<rounds {
                                    // More at a time than any other has given back.
                                    let taken = try (0...(round % 3)).map { _ in try groups.take(GroupLimits()) }
                                    for each in taken {
                                        #expect(each.occupancy() == .empty, "taker \(taker), round \(round)")
                                        groups.giveBack(each)
                                    }
                                }
                            }
                        }
                    }
                    defer { isDone.value.store(true, ordering: .relaxed) }
                    try await runs.waitForAll()
                }
                try await group.waitForAll()
            }
        }

        @Test(
            "a group that was taken away, or has refused a command, is given to no other run",
            .enabled(if: ThisMachine.hasGroups, ThisMachine.why))
        func lost() throws {
            let groups = try #require(ControlGroups.detect(ControlGroupSettings(), owner: "test-lost").groups)
            defer { groups.removeIdle() }
            let gone = try groups.take(GroupLimits())
            groups.roots.remove(gone.name)
            #expect(gone.occupancy() == .gone)
            groups.giveBack(gone)
            let spoiled = try groups.take(GroupLimits())
            #expect(spoiled.name != gone.name && spoiled.occupancy() == .empty)
            spoiled.spoil()
            groups.giveBack(spoiled)
            let fresh = try groups.take(GroupLimits())
            #expect(fresh.name != spoiled.name && fresh.occupancy() == .empty)
            groups.giveBack(fresh)
            let again = try groups.take(GroupLimits())
            #expect(again.name == fresh.name)
            groups.giveBack(again)
        }

        @Test(
            "runs that follow each other in the same group do not pay for the processor time of the former ones",
            .enabled(if: ThisMachine.enforces(.cpu), ThisMachine.why))
        func freshQuota() async throws {
            try await withBench { bench in
                // Each uses much of what the least quota gives for a second.
                let spin = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"
                let begin = ContinuousClock.now
                for number in 1...12 {
                    let end = try await bench.run(
                        sampleOffer(
                            attempt(number), command: spin, resources: Resources(cpus: 0.001, memory: 0, disk: 0)))
                    #expect(end.status == .exited(code: 0))
                }
                #expect(bench.groupNames().count == 1)
                // Without a quota of their own, each would wait for the next second.
                #expect(ContinuousClock.now - begin < .seconds(8))
            }
        }

        @Test(
            "without control groups a whole tree ends as well, and one that cannot be enforced is announced",
            arguments: [true, false])
        func without(isWanted: Bool) async throws {
            try await withBench(change: {
                $0.groups.isWanted = isWanted
                $0.groups.enforced = [.processes]
                $0.remainsGrace = .milliseconds(200)
            }) { bench in
                #expect(bench.launcher.capabilities.enforced.isSubset(of: isWanted ? [.processes] : []))
                let process = try await bench.launch(
                    sampleOffer(
                        attempt(1),
                        command: "setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.1; done' & sleep 1000",
                        resources: Resources(cpus: 1, memory: 1, disk: 1)))
                try await eventually("it runs", on: bench.loop) { try !bench.log(attempt(1)).isEmpty }
                let deaf = try #require(try Int32(bench.log(attempt(1)).dropLast()))
                await process.end(grace: .milliseconds(100))
                let end = await process.ended()
                #expect(!end.wasKilledForMemory)
                #expect(!isAlive(deaf))
            }
        }
    }
}

extension Bench {
    /// Names of the runs' groups of this bench.
    func groupNames() -> [String] {
        guard let groups = launcher.controlGroups else { return [] }
        return groups.roots.names().sorted()
    }

    func processes(in group: String) -> [Int32] {
        guard let root = launcher.controlGroups?.roots.all.first else { return [] }
        return GroupFile.numbers(GroupFile.read("\(root.path)/\(group)/cgroup.procs"))
    }
}
