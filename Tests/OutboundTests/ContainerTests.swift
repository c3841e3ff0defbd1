import Domain
import Foundation
import HTTPTransport
import Runtime
import Synchronization
import Testing

@testable import Execution
@testable import Outbound

@Suite(
    "Containers", .serialized,
    .enabled(if: Podman.obstacle == nil, Comment(rawValue: Podman.obstacle ?? "")))
struct ContainerTests {
    private func withMachine(
        policy: ContainerPolicy = ContainerPolicy(hostPaths: .below([])), scratch: Scratch? = nil,
        _ body: @Sendable (Machine, DockerEngine) async throws -> Void
    ) async throws {
        let podman = try Podman.shared()
        try await onLoop { loop in
            let client = HTTPClient(loop: loop)
            defer { client.close() }
            let (engine, identity) = try await DockerEngine.connect(socket: podman.socket, client: client)
            #expect(identity.kind == "podman" && identity.version.hasPrefix("4."))
            let machine = try Machine(loop: loop, scratch: try scratch ?? Scratch(), engine: engine, policy: policy)
            defer { machine.client.close() }
            try await body(machine, engine)
            // What engines leave behind comes to this process, like the orphans of commands.
            await machine.launcher.tidy()
        }
    }

    private func spec(_ change: (inout ContainerSpec) -> Void = { _ in }) -> ContainerSpec {
        var spec = ContainerSpec(image: Podman.image)
        spec.network = .host
        change(&spec)
        return spec
    }

    private func parameter(_ key: String, _ value: String) -> ContainerSpec.Parameter { .init(key: key, value: value) }

    @Test("a command runs in its image with Chronos' environment; output and status come back, and nothing is left")
    func run() async throws {
        try await withMachine { machine, _ in
            let offer = sampleOffer(
                "crun1", command: "echo out; echo err >&2; echo $MODE $CHRONOS_JOB_NAME $HOST $MESOS_SANDBOX; exit 3",
                environment: [EnvironmentVariable(name: "MODE", value: "a b")], container: spec())
            let (end, log) = try await machine.run(offer)
            #expect(end.status == .exited(code: 3) && !end.wasEnded && end.outputProblem == nil)
            #expect(log.contains("out\n") && log.contains("err\n"))
            #expect(log.contains("a b job host-1 /mnt/mesos/sandbox\n"), "\(log)")
            #expect(end.outputTail == log)
            #expect(try !Podman.shared().command("ps -a --format '{{.Names}}'").contains("crun1"))
            #expect(machine.scratch.names("worker/runs") == [])
        }
    }

    @Test("without a shell the image's entry point gets command and arguments; with one it is overridden")
    func entryPoint() async throws {
        try await withMachine { machine, _ in
            let echo = spec { $0.parameters = [parameter("entrypoint", "/bin/echo")] }
            let plain = sampleOffer(
                "centry1", command: "a b", shell: false, arguments: ["c", "$HOME"], container: echo)
            let first = try await machine.run(plain)
            #expect(first.log == "a b c $HOME\n")
            let direct = sampleOffer("centry2", command: "echo", shell: false, arguments: ["x;y"], container: spec())
            let second = try await machine.run(direct)
            #expect(second.log == "x;y\n")
            let missing = await machine.refusal(
                sampleOffer("centry3", command: "nothing", shell: false, container: spec()))
            #expect(missing.contains("nothing") && missing.contains("container engine"), "\(missing)")
        }
    }

    @Test("limits reach the kernel: memory, processor and processes")
    func limits() async throws {
        try await withMachine { machine, engine in
            var offer = sampleOffer(
                "climit1", command: "sleep 100", resources: Resources(cpus: 0.25, memory: 48, disk: 1),
                container: spec { $0.parameters = [parameter("cap-drop", "ALL")] })
            offer.extras?.limits.processes = 17
            let process = try await machine.launcher.launch(LaunchOrder(offer: offer, user: "", hostName: "h"))
            let facts = try Podman.shared().command(
                "inspect carillon-climit1-0 --format "
                    + "'{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.CpuShares}}'"
            )
            #expect(facts == "50331648 250000000 17 256\n")
            let samples = await machine.launcher.sample()
            #expect(samples.first?.memory ?? 0 > 0)
            await process.end(grace: .zero)
            _ = await process.ended()
            await process.discard()
        }
    }

    @Test("a container that needs more memory than its job has is killed, and that is told apart")
    func memory() async throws {
        try await withMachine { machine, _ in
            let hog = sampleOffer(
                "cmem1", command: "exec tail /dev/zero", resources: Resources(cpus: 1, memory: 32, disk: 1),
                container: spec())
            let (end, _) = try await machine.run(hog)
            #expect(end.status == .exited(code: 137) && end.wasKilledForMemory)
            let other = sampleOffer("cmem2", command: "sh -c 'kill -9 $$'; exit $?", container: spec())
            let (killed, _) = try await machine.run(other)
            #expect(killed.status == .exited(code: 137) && !killed.wasKilledForMemory)
        }
    }

    @Test("the output is in the log while the container runs")
    func live() async throws {
        try await withMachine { machine, _ in
            let offer = sampleOffer("clive1", command: "echo begun; sleep 100", container: spec())
            let process = try await machine.launcher.launch(LaunchOrder(offer: offer, user: "", hostName: "h"))
            async let end = process.ended()
            try await eventually("the first line is there", on: machine.loop) { machine.log(offer) == "begun\n" }
            await process.end(grace: .zero)
            #expect(await end.wasEnded)
            await process.discard()
        }
    }

    @Test("what does not end by TERM is killed after the grace")
    func stop() async throws {
        try await withMachine { machine, _ in
            let polite = sampleOffer(
                "cstop1", command: "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.1; done",
                container: spec())
            let stubborn = sampleOffer(
                "cstop2", command: "trap '' TERM; echo up; while :; do sleep 0.1; done", container: spec())
            for (offer, code, grace) in [(polite, 4, Duration.seconds(30)), (stubborn, 137, .seconds(1))] {
                let process = try await machine.launcher.launch(LaunchOrder(offer: offer, user: "", hostName: "h"))
                async let ended = process.ended()
                try await eventually("it is up", on: machine.loop) { machine.log(offer).hasPrefix("up\n") }
                await process.end(grace: grace)
                let end = await ended
                #expect(end.status == .exited(code: code) && end.wasEnded, "\(end)")
                await process.discard()
            }
            #expect(machine.log(polite) == "up\nbye\n")
        }
    }

    @Test("volumes are mounted with their modes, and artifacts are in the sandbox")
    func volumes() async throws {
        let scratch = try Scratch()
        try shell("mkdir open && echo given >open/f && echo fetched >art", in: scratch.path)
        let policy = ContainerPolicy(hostPaths: .below([scratch.path + "/open"]))
        try await withMachine(policy: policy) { machine, _ in
            let volumes: [ContainerSpec.Volume] = [
                .init(containerPath: "/ro", hostPath: scratch.path + "/open", mode: .readOnly),
                .init(containerPath: "/rw", hostPath: scratch.path + "/open", mode: .readWrite),
                .init(containerPath: "/anonymous", hostPath: "", mode: .readWrite),
                .init(
                    containerPath: "/named", hostPath: "", mode: .readWrite,
                    external: .init(name: "carillon-test", provider: "local", options: [])),
            ]
            let offer = sampleOffer(
                "cvol1",
                command:
                    "cat /ro/f; echo new >/rw/g; (echo no >/ro/h) 2>&1 | grep -o 'Read-only'; touch /named/x /anonymous/y"
                    + "; ls -d $MESOS_SANDBOX; touch $MESOS_SANDBOX/z && echo writable",
                container: spec { $0.volumes = volumes })
            let (end, log) = try await machine.run(offer)
            #expect(end.status == .exited(code: 0))
            #expect(log == "given\nRead-only\n/mnt/mesos/sandbox\nwritable\n", "\(log)")
            #expect(try scratch.text("open/g") == "new\n")
            let volumesLeft = try Podman.shared().command("volume ls --format '{{.Name}}'")
            #expect(volumesLeft == "carillon-test\n")
        }
    }

    @Test("a link that leads out of what may be mounted is found before the start")
    func mountedLinks() async throws {
        let scratch = try Scratch()
        try shell("mkdir open && ln -s /etc open/link", in: scratch.path)
        let policy = ContainerPolicy(hostPaths: .below([scratch.path + "/open"]))
        try await withMachine(policy: policy) { machine, _ in
            let link = ContainerSpec.Volume(
                containerPath: "/x", hostPath: scratch.path + "/open/link", mode: .readOnly)
            let reason = await machine.refusal(
                sampleOffer("clink1", container: spec { $0.volumes = [link] }))
            #expect(reason.contains("leads to '/etc'"), "\(reason)")
        }
    }

    @Test("a run as a user of the machine has that user's numbers, and its files")
    func users() async throws {
        try await withMachine { machine, _ in
            let offer = sampleOffer(
                "cuser1", command: "id -u; echo x >$MESOS_SANDBOX/f && echo written", container: spec())
            let (_, log) = try await machine.run(offer, user: "nobody")
            #expect(log == "65534\nwritten\n")
        }
    }

    @Test("parameters become what the engine knows by those names")
    func parameters() async throws {
        try await withMachine(policy: ContainerPolicy(hostPaths: .any, mayDemand: true)) { machine, _ in
            let spec = spec {
                $0.parameters = [
                    parameter("env", "A=1"), parameter("workdir", "/tmp"), parameter("tmpfs", "/t:size=1m"),
                    parameter("read-only", "true"), parameter("ulimit", "nofile=77:77"),
                    // Without it the engine would raise it to more than this machine may have.
                    parameter("ulimit", "nproc=4096:4096"),
                ]
            }
            let offer = sampleOffer(
                "cparam1",
                command: "echo $A; pwd; ulimit -n; (echo >/etc/x) 2>&1 | grep -o Read-only; df /t | grep -c tmpfs",
                container: spec)
            let (_, log) = try await machine.run(offer)
            #expect(log == "1\n/tmp\n77\nRead-only\n1\n", "\(log)")
        }
    }

    @Test("an image that cannot be had is a reason, in the registry's words")
    func images() async throws {
        try await withMachine { machine, engine in
            let missing = spec { $0.image = "127.0.0.1:1/no/such:1" }
            let reason = await machine.refusal(sampleOffer("cimage1", container: missing))
            #expect(reason.contains("'127.0.0.1:1/no/such:1' cannot be had"), "\(reason)")
            let forced = spec { ($0.image, $0.forcePullImage) = ("127.0.0.1:1/carillon:1", true) }
            let second = await machine.refusal(sampleOffer("cimage2", container: forced))
            #expect(second.contains("cannot be had"))
            let (own, other) = (try await engine.hasImage(Podman.image), try await engine.hasImage("no-such-image"))
            #expect(own && !other)
        }
    }

    @Test(
        "after a crash of the worker its containers are found, their output is read, and they are removed; others stay")
    func leftovers() async throws {
        let scratch = try Scratch()
        let offer = sampleOffer("ccrash1", command: "echo before; sleep 1000", container: spec())
        let unknown = sampleOffer("ccrash2", command: "sleep 1000", container: spec())
        try await withMachine(scratch: scratch) { machine, _ in
            for offer in [offer, unknown] {
                _ = try await machine.launcher.launch(LaunchOrder(offer: offer, user: "", hostName: "h"))
            }
            // The worker is gone here: nobody waits for them.
        }
        try await withMachine { other, engine in
            let foreign = sampleOffer("ccrash3", command: "sleep 1000", container: spec())
            let process = try await other.launcher.launch(LaunchOrder(offer: foreign, user: "", hostName: "h"))
            try await withMachine(scratch: scratch) { machine, _ in
                let tails = await machine.launcher.endSurvivors(
                    [Survivor(attempt: offer.attempt, process: nil)], grace: .zero)
                #expect(tails == [offer.attempt: "before\n"])
                #expect(machine.log(offer).hasPrefix("before\n"))
                #expect(machine.scratch.names("worker/runs") == [])
            }
            let left = try Podman.shared().command("ps -a --format '{{.Names}}'")
            #expect(left.contains("ccrash3") && !left.contains("ccrash1") && !left.contains("ccrash2"), "\(left)")
            await process.end(grace: .zero)
            _ = await process.ended()
            await process.discard()
        }
    }

    @Test("a detached container goes on when its worker's process ends; the next one takes it over")
    func detached() async throws {
        let scratch = try Scratch()
        var offer = sampleOffer(
            "cdetach1",
            command: "echo before; while [ ! -e $MESOS_SANDBOX/go ]; do sleep 0.1; done; echo after; exit 5",
            container: spec())
        offer.extras?.isDetached = true
        let detached = offer
        try await withMachine(scratch: scratch) { machine, _ in
            let process = try await machine.launcher.launch(LaunchOrder(offer: detached, user: "", hostName: "h"))
            #expect(process.outlivesWorker)
            async let end = process.ended()
            try await eventually("it has begun", on: machine.loop) { machine.log(detached) == "before\n" }
            await process.leave()
            #expect(await end.wasLeft)
        }
        try await withMachine(scratch: scratch) { machine, _ in
            let runs = await machine.launcher.adopt { $0.attempt == detached.attempt }
            let run = try #require(runs.first)
            #expect(runs.count == 1 && run.offer.command == detached.command)
            // What was taken over is nothing to clear away.
            _ = await machine.launcher.endSurvivors([], grace: .zero)
            let box = scratch.path + "/worker/runs/cdetach1-0/box"
            #expect(FileManager.default.createFile(atPath: box + "/go", contents: nil))
            let end = await run.process.ended()
            #expect(end.status == .exited(code: 5) && !end.wasLeft && end.outputProblem == nil)
            #expect(end.outputTail == "before\nafter\n")
            #expect(machine.log(detached) == "before\nafter\n")
            await run.process.discard()
            #expect(try !Podman.shared().command("ps -a --format '{{.Names}}'").contains("cdetach1"))
            #expect(machine.scratch.names("worker/runs") == [] && machine.scratch.names("worker/detached") == [])
        }
    }

    @Test("a megabyte of output comes whole and in order")
    func output() async throws {
        try await withMachine { machine, _ in
            let offer = sampleOffer("cout1", command: "seq 1 150000; printf end", container: spec())
            let (_, log) = try await machine.run(offer)
            #expect(log.utf8.count == 938_898 && log.hasPrefix("1\n2\n"), "\(log.utf8.count) \(log.prefix(20))")
            #expect(log.contains("\n149999\n150000\nend"), "\(log.suffix(50))")
        }
    }
}
