import Domain
import Foundation
import Runtime
import Synchronization
import Testing

@testable import Execution

/// Commands of this machine, in a scratch directory.
struct Bench: Sendable {
    let scratch: Scratch
    let launcher: SpawnLauncher
    let loop: EventLoop

    init(
        _ loop: EventLoop, http: (any TaskHTTP)? = nil, change: (inout SpawnSettings) -> Void = { _ in }
    ) throws {
        self.loop = loop
        scratch = try Scratch()
        var settings = SpawnSettings(workDirectory: scratch.path)
        settings.remainsGrace = .seconds(2)
        change(&settings)
        launcher = try SpawnLauncher(settings, loop: loop, http: http, log: quiet)
    }

    func launch(_ offer: Offer, user: String = "") async throws -> any RunningProcess {
        try await launcher.launch(LaunchOrder(offer: offer, user: user, hostName: "host-1"))
    }

    func run(_ offer: Offer, user: String = "") async throws -> ProcessEnd {
        let process = try await launch(offer, user: user)
        let end = await process.ended()
        await process.conclude("")
        await process.discard()
        return end
    }

    /// What the file of a short log has, without its header.
    func log(_ attempt: AttemptID) throws -> String {
        let text = try scratch.text("logs/\(attempt.run.rawValue)-\(attempt.number).log")
        return String(decoding: LogText.withoutHeader(Array(text.utf8)[...]), as: UTF8.self)
    }

    /// The log as its readers get it, with its header and its footer.
    func wholeLog(_ attempt: AttemptID) async throws -> String {
        var text: [UInt8] = []
        var position: Int64 = 0
        while true {
            let piece = try await launcher.logs.read(
                LogRequest(attempt: attempt, position: position, limit: 1000, waitMilliseconds: 0))
            text += piece.bytes
            position = piece.next
            if piece.bytes.isEmpty || piece.hasEnded { return String(decoding: text, as: UTF8.self) }
        }
    }
}

func withBench(
    change: @Sendable @escaping (inout SpawnSettings) -> Void = { _ in },
    _ body: @Sendable @escaping (Bench) async throws -> Void
) async throws {
    try await onLoop { loop in
        let bench = try Bench(loop, change: change)
        defer { bench.launcher.shutDown() }
        try await body(bench)
    }
}

func isAlive(_ process: Int32) -> Bool {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
    // A zombie is dead.
    return text.split(separator: ")").last?.hasPrefix(" Z") == false
}

@Suite("Real processes", .serialized)
struct LauncherTests {
    @Test("a command's exit code, signal and output come back", arguments: [true, false])
    func ends(shell: Bool) async throws {
        try await withBench { bench in
            func offer(_ number: Int, _ text: String) -> Offer {
                shell
                    ? sampleOffer(attempt(number), command: text)
                    : sampleOffer(attempt(number), command: "sh", shell: false, arguments: ["-c", text])
            }
            let good = try await bench.run(offer(1, "echo out; echo err >&2"))
            #expect(good.status == .exited(code: 0))
            #expect(good.outputTail == "out\nerr\n")
            #expect(!good.wasEnded)
            #expect(try bench.log(attempt(1)) == "out\nerr\n")
            #expect(try await bench.run(offer(2, "exit 7")).status == .exited(code: 7))
            #expect(try await bench.run(offer(3, "kill -SEGV $$")).status == .signalled(11))
        }
    }

    @Test("a command without shell gets its arguments as they are")
    func arguments() async throws {
        try await withBench { bench in
            let strange = ["a b", "", "$HOME", "; rm -rf /", "'\"\\", "ü\n"]
            let end = try await bench.run(
                sampleOffer(attempt(1), command: "printf", shell: false, arguments: ["[%s]"] + strange))
            #expect(end.outputTail == strange.map { "[\($0)]" }.joined())
        }
    }

    @Test("a command finds exactly the environment that is promised, and its own directory")
    func environment() async throws {
        try await withBench { bench in
            let variables = [
                ("MINE", "1"), ("MINE", "2"), ("HOME", "/custom"), ("mesos_task_id", "forged"), ("HOST", "forged"),
                ("LD_PRELOAD", "/x"), ("PATH", "/x"), ("IFS", "x"), ("BASH_ENV", "x"), ("NODE_OPTIONS", "x"),
                ("PYTHONPATH", "x"), ("CARILLON_SANDBOX", "x"), ("", "x"), ("A=B", "x"), ("OLD\nLINE", "x\0"),
            ].map { EnvironmentVariable(name: $0.0, value: $0.1) }
            let end = try await bench.run(
                sampleOffer(
                    attempt(1, try: 2), command: "env", shell: false, environment: variables,
                    resources: Resources(cpus: 0.1, memory: 128, disk: 256)))
            let sandbox = "\(bench.scratch.path)/runs/r1-2"
            let own = UserIdentity.own()
            let lines = end.outputTail.split(separator: "\n").map(String.init)
            #expect(
                Set(lines.filter { !$0.hasPrefix("[carillon") }) == [
                    "PATH=\(TaskEnvironment.defaultPath)", "mesos_task_id=ct:1800000000123:2:job:",
                    "MESOS_TASK_ID=ct:1800000000123:2:job:", "CHRONOS_JOB_OWNER=me@example.org",
                    "CHRONOS_JOB_NAME=job", "HOST=host-1", "CHRONOS_RESOURCE_MEM=128.0", "CHRONOS_RESOURCE_CPU=0.1",
                    "CHRONOS_RESOURCE_DISK=256.0", "CHRONOS_JOB_RUN_TIME=1800000000123", "CHRONOS_JOB_RUN_ATTEMPT=2",
                    "CARILLON_RUN_ID=r1", "CARILLON_SANDBOX=\(sandbox)", "MINE=1", "HOME=/custom",
                    "USER=\(own.name)", "LOGNAME=\(own.name)",
                ])
            let notes = lines.filter { $0.hasPrefix("[carillon") }
            #expect(notes.count == 12)
            #expect(notes.contains { $0.contains("'LD_PRELOAD' is not passed on: it changes how programs") })
            #expect(notes.contains { $0.contains("'mesos_task_id' is not passed on: Carillon sets it") })
            #expect(notes.contains { $0.contains("'OLD?LINE'") })
            let place = try await bench.run(sampleOffer(attempt(2), command: "pwd; umask; ulimit -c >/dev/null"))
            #expect(place.outputTail == "\(bench.scratch.path)/runs/r2-0\n0077\n")
            #expect(!bench.scratch.exists("runs/r2-0"))
        }
    }

    @Test("a command starts with three descriptors, no blocked or ignored signal, and a session of its own")
    func clean() async throws {
        try await withBench { bench in
            let end = try await bench.run(
                sampleOffer(
                    attempt(1),
                    command: """
                        ls /proc/self/fd | tr '\\n' ' '; grep -E '^(SigBlk|SigIgn|NoNewPrivs)' /proc/self/status
                        set -- $(cat /proc/$$/stat); [ $5 = $$ ] && [ $6 = $$ ] && readlink /proc/$$/fd/0
                        """))
            // The fourth descriptor is the directory that ls reads.
            #expect(
                end.outputTail == """
                    0 1 2 3 SigBlk:\t0000000000000000
                    SigIgn:\t0000000000000000
                    NoNewPrivs:\t1
                    /dev/null

                    """)
        }
    }

    @Test("what cannot be executed is told with the reason, and leaves nothing behind")
    func notExecutable() async throws {
        try await withBench { bench in
            func reason(_ offer: Offer, user: String = "") async -> String {
                do {
                    _ = try await bench.run(offer, user: user)
                    return "started"
                } catch {
                    return "\(error)"
                }
            }
            let missing = await reason(sampleOffer(attempt(1), command: "no-such-program", shell: false))
            #expect(missing.contains("'no-such-program' was not found in /usr/local/sbin"))
            let path = await reason(sampleOffer(attempt(2), command: "/no/such/program", shell: false))
            #expect(path.contains("'/no/such/program' does not exist"))
            let plain = await reason(sampleOffer(attempt(3), command: "/etc/passwd", shell: false))
            #expect(plain.contains("may not be executed"))
            #expect(await reason(sampleOffer(attempt(4), command: "", shell: false)) == "the command is empty")
            let long = String(repeating: "x", count: 200_000)
            let big = await reason(sampleOffer(attempt(5), command: "echo", shell: false, arguments: [long]))
            #expect(big.contains("too long"))
            let user = await reason(sampleOffer(attempt(6)), user: "no-such-user")
            #expect(user.contains("no user 'no-such-user'"))
            let left = try FileManager.default.contentsOfDirectory(atPath: "\(bench.scratch.path)/runs")
            #expect(left.isEmpty)
        }
    }

    @Test("a script without a first line is told from a program")
    func script() async throws {
        try await withBench { bench in
            let path = "\(bench.scratch.path)/script"
            try "echo hi\n".write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
            await #expect { _ = try await bench.run(sampleOffer(attempt(1), command: path, shell: false)) } throws: {
                "\($0)".contains("#!/bin/sh")
            }
        }
    }

    @Test("an end with TERM is enough for who obeys; KILL comes after the grace for who does not")
    func termAndKill() async throws {
        try await withBench { bench in
            let obedient = try await bench.launch(sampleOffer(attempt(1), command: "exec sleep 1000"))
            await obedient.end(grace: .seconds(30))
            let end = await obedient.ended()
            #expect(end.status == .signalled(15))
            #expect(end.wasEnded)
            let deaf = try await bench.launch(
                sampleOffer(attempt(2), command: "trap '' TERM; echo ready; while :; do sleep 0.05; done"))
            try await eventually("it is deaf", on: bench.loop) { try bench.log(attempt(2)) == "ready\n" }
            await deaf.end(grace: .milliseconds(200))
            #expect(await deaf.ended().status == .signalled(9))
        }
    }

    @Test("descendants end with their command, double-forked, in sessions of their own and deaf to TERM")
    func tree() async throws {
        try await withBench(change: { $0.remainsGrace = .milliseconds(300) }) { bench in
            let script = """
                (sleep 1000; :) &
                echo $! > a
                setsid sh -c 'trap "" TERM; (trap "" TERM; setsid sleep 1001 & echo $! > c; wait) & echo $$ > b; wait' \
                    >/dev/null 2>&1 </dev/null &
                while [ ! -s a ] || [ ! -s b ] || [ ! -s c ]; do sleep 0.01; done
                cat a b c
                """
            for (number, ending) in [(1, "exit 0"), (2, "sleep 1000"), (3, "trap '' TERM; sleep 1000; sleep 1000")] {
                let process = try await bench.launch(sampleOffer(attempt(number), command: "\(script)\n\(ending)"))
                try await eventually("all three run", on: bench.loop) {
                    try bench.log(attempt(number)).split(separator: "\n").count == 3
                }
                let pids = try bench.log(attempt(number)).split(separator: "\n").compactMap { Int32($0) }
                #expect(pids.count == 3)
                if number > 1 {
                    #expect(pids.allSatisfy(isAlive))
                    await process.end(grace: .milliseconds(300))
                }
                let end = await process.ended()
                #expect(number > 1 || end.status == .exited(code: 0))
                #expect(pids.filter(isAlive) == [], "after \(ending)")
            }
        }
    }

    @Test("of a long output head and tail are kept, with a line between that counts what is missing")
    func boundedOutput() async throws {
        try await withBench(change: { $0.logLimit = 40_000 }) { bench in
            let end = try await bench.run(sampleOffer(attempt(1), command: "seq 1 100000"))
            #expect(end.status == .exited(code: 0))
            #expect(end.outputTail.hasSuffix("\n99999\n100000\n"))
            #expect(end.outputTail.utf8.count <= Limits.outputTail)
            let whole = try await bench.wholeLog(attempt(1))
            let log = String(decoding: LogText.withoutHeader(Array(whole.utf8)[...]), as: UTF8.self)
            #expect(log.hasPrefix("1\n2\n3\n"))
            #expect(log.hasSuffix("\n99999\n100000\n"))
            #expect(log.utf8.count < 41_000)
            #expect(log.utf8.count > 29_000)
            let total = (1...100_000).reduce(0) { $0 + String($1).utf8.count + 1 }
            let marker = try #require(log.split(separator: "\n").first { $0.hasPrefix("[carillon") })
            let missing = try #require(marker.split(separator: " ").compactMap { Int($0) }.first)
            #expect(log.utf8.count - marker.utf8.count - 2 + missing == total)
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(bench.scratch.path)/logs").count == 3)
        }
    }

    @Test("an output below the limit is complete, whatever segments it went through", arguments: [0, 1, 99, 100, 101])
    func outputAtTheLimit(extra: Int) throws {
        let scratch = try Scratch()
        let log = try OutputLog(path: "\(scratch.path)/log", limit: 400)
        let bytes = (0..<(200 + extra)).map { UInt8(ascii: "a") + UInt8($0 % 26) }
        for start in stride(from: 0, to: bytes.count, by: 7) {
            try log.write(Array(bytes[start..<min(start + 7, bytes.count)]))
        }
        log.finish()
        #expect(throws: LaunchError.self) { try log.write([1]) }
        var read: [UInt8] = []
        while true {
            let piece = log.read(from: Int64(read.count), limit: 11)
            read += piece.bytes
            if piece.hasEnded { break }
        }
        #expect(read == bytes)
        #expect(log.tail == String(decoding: bytes, as: UTF8.self))
        #expect(log.extent == LogExtent(whole: Int64(bytes.count)))
    }

    @Test("a tail is text: no NUL, no halved character, never too long")
    func tails() {
        #expect(OutputTail.text(Array("abc".utf8)[...]) == "abc")
        #expect(OutputTail.text([0x61, 0, 0x62]) == "a\u{FFFD}b")
        #expect(OutputTail.text([0xFF, 0x61]) == "\u{FFFD}a")
        let umlauts = Array(String(repeating: "ü", count: 5000).utf8)
        #expect(OutputTail.text((Array("x".utf8) + umlauts)[...]) == String(repeating: "ü", count: 4096))
        #expect(OutputTail.text((umlauts + Array("x".utf8))[...]) == String(repeating: "ü", count: 4095) + "x")
        let rubbish = OutputTail.text([UInt8](repeating: 0xFF, count: 9000)[...])
        #expect(rubbish.utf8.count <= Limits.outputTail)
        #expect(rubbish.utf8.count > Limits.outputTail - 3)
    }

    @Test("a disk without room ends the command and says so")
    func fullDisk() async throws {
        try await withBench { bench in
            // The log is written to a device that is always full.
            try FileManager.default.createSymbolicLink(
                atPath: "\(bench.scratch.path)/full", withDestinationPath: "/dev/full")
            let descriptor = open("/dev/full", O_WRONLY | O_CLOEXEC)
            defer { close(descriptor) }
            #expect { try FileFailure.write([1], to: descriptor) } throws: {
                "\($0)".hasPrefix("the worker's disk is full")
            }
            let log = try OutputLog(path: "\(bench.scratch.path)/log", limit: 100)
            let failed = Mutex<LaunchError?>(nil)
            var ends: [Int32] = [0, 0]
            #expect(pipe(&ends) == 0)
            log.finish()
            let pump = OutputPump(
                descriptor: ends[0], receiver: log, loop: bench.loop, pool: BlockingPool(threads: 1, queueLimit: 9)
            ) { error in failed.withLock { $0 = error } }
            _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
            try await pump.begin()
            #expect(write(ends[1], "x", 1) == 1)
            try await eventually("it is noticed", on: bench.loop) { failed.withLock { $0 } != nil }
            close(ends[1])
            #expect(await pump.end(within: .seconds(5)) != nil)
        }
    }

    @Test("a process that holds the output and has escaped does not hold up the end")
    func escaped() async throws {
        try await withBench(change: { $0.remainsGrace = .milliseconds(200) }) { bench in
            let process = try await bench.launch(
                sampleOffer(
                    attempt(1), command: "env -i setsid sh -c 'sleep 1000 & echo $!' & wait; sleep 0.1; exit 3"))
            let end = await process.ended()
            #expect(end.status == .exited(code: 3))
            let pid = try #require(Int32(end.outputTail.trimmingCharacters(in: .whitespacesAndNewlines)))
            // It cleared its environment and left its session: nothing tells whose it is. Not ours to keep.
            kill(pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
    }

    @Test("200 commands at once all end, and leave no descriptor, process or directory behind")
    func many() async throws {
        try await withBench { bench in
            _ = try await bench.run(sampleOffer(attempt(1000)))
            let before = Self.descriptors(below: bench.scratch.path)
            let ends = try await withThrowingTaskGroup(of: ProcessEnd.self) { group in
                for number in 0..<200 {
                    group.addTask(executorPreference: bench.loop) {
                        try await bench.run(sampleOffer(attempt(number), command: "echo \(number); exit \(number)"))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(ends.map(\.status)) == Set((0..<200).map { .exited(code: $0) }))
            #expect(Set(ends.map(\.outputTail)) == Set((0..<200).map { "\($0)\n" }))
            // Groups that are kept for later have some open.
            bench.launcher.shutDown()
            try await eventually("descriptors are closed", on: bench.loop) {
                Self.descriptors(below: bench.scratch.path) == before
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(bench.scratch.path)/runs").isEmpty)
        }
    }

    /// Process descriptors, and files of the work directory.
    private static func descriptors(below path: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
            .filter { $0.contains("[pidfd]") || $0.hasPrefix(path) }.sorted()
    }

    @Test("old logs and those that are too many are removed, those of running tries are not")
    func logs() async throws {
        try await withBench(change: { $0.keptLogs = 2 }) { bench in
            for number in 1...4 { _ = try await bench.run(sampleOffer(attempt(number), command: "echo \(number)")) }
            let running = try await bench.launch(sampleOffer(attempt(5), command: "exec sleep 1000"))
            let old = [FileAttributeKey.modificationDate: Date(timeIntervalSinceNow: -100 * 86_400)]
            for name in ["r4-0.log", "r5-0.log"] {
                try FileManager.default.setAttributes(old, ofItemAtPath: "\(bench.scratch.path)/logs/\(name)")
            }
            await bench.launcher.tidy()
            let left = try FileManager.default.contentsOfDirectory(atPath: "\(bench.scratch.path)/logs")
            #expect(left.count == 3)
            #expect(!left.contains("r4-0.log"))
            #expect(left.contains("r5-0.log"))
            await running.end(grace: .zero)
            _ = await running.ended()
            await running.discard()
        }
    }

    @Test("what a command has left behind is waited for when it has ended; the children of others are not")
    @MainActor func strays() async throws {
        // On the first thread, to which orphans come as well.
        var foreign: pid_t = 0
        let name = strdup("true")
        defer { free(name) }
        try #require(posix_spawn(&foreign, "/bin/true", nil, nil, [name, nil], environ) == 0)
        try await withBench { bench in
            let end = try await bench.run(
                sampleOffer(attempt(1), command: "mkfifo f; (setsid sh -c 'echo $$ | tee f' &); read line < f"))
            #expect(end.status == .exited(code: 0))
            let stray = try #require(Int32(end.outputTail.split(separator: "\n").first ?? ""))
            try await eventually("it is gone", on: bench.loop) {
                await bench.launcher.tidy()
                return !FileManager.default.fileExists(atPath: "/proc/\(stray)")
            }
        }
        var status: Int32 = 0
        #expect(waitpid(foreign, &status, 0) == foreign)
    }

    @Test("a sandbox is removed with all that a command has made in it")
    func sandbox() async throws {
        try await withBench { bench in
            let end = try await bench.run(
                sampleOffer(
                    attempt(1),
                    command: "mkdir -p a/b/c; touch a/b/f; chmod 0 a/b; ln -s / root; mkfifo p; ln -s /etc a/etc"))
            #expect(end.status == .exited(code: 0))
            #expect(!bench.scratch.exists("runs/r1-0"))
            #expect(FileManager.default.fileExists(atPath: "/etc/passwd"))
        }
    }

    @Test("survivors of a former worker are ended, found by process and by sandbox; others are not")
    func survivors() async throws {
        try await withBench(change: { $0.groups.isWanted = false }) { bench in
            let first = try await bench.launch(
                sampleOffer(attempt(1), command: "echo before; trap '' TERM; sleep 1000; sleep 1000"))
            let second = try await bench.launch(sampleOffer(attempt(2), command: "exec sleep 1000"))
            let third = try await bench.launch(sampleOffer(attempt(3), command: "exec sleep 1000"))
            try await eventually("it runs", on: bench.loop) { try bench.log(attempt(1)) == "before\n" }
            // As a later start of the worker would: it knows the process of the first only.
            var settings = SpawnSettings(workDirectory: bench.scratch.path)
            settings.groups.isWanted = false
            let later = try SpawnLauncher(settings, loop: bench.loop, log: quiet)
            #expect(bench.scratch.exists("runs/r1-0"))
            defer { later.shutDown() }
            let tails = await later.endSurvivors(
                [Survivor(attempt: attempt(1), process: first.identity), Survivor(attempt: attempt(2), process: nil)],
                grace: .milliseconds(200))
            #expect(tails == [attempt(1): "before\n", attempt(2): ""])
            #expect(!bench.scratch.exists("runs/r1-0"))
            #expect(await first.ended().status == .signalled(9))
            #expect(await second.ended().status == .signalled(15))
            #expect(isAlive(third.identity.process))
            // A number that another process has by now ends nobody.
            let wrong = ProcessIdentity(
                process: third.identity.process, startTime: third.identity.startTime &+ 1,
                machineBoot: third.identity.machineBoot)
            _ = await later.endSurvivors(
                [Survivor(attempt: attempt(9), process: wrong)], grace: .milliseconds(50))
            #expect(isAlive(third.identity.process))
            await third.end(grace: .zero)
            _ = await third.ended()
        }
    }

    @Test("a command runs as another user, with that user's groups and no way back", .enabled(if: geteuid() == 0))
    func otherUser() async throws {
        try await withBench { bench in
            let nobody = try UserIdentity.named("nobody")
            let end = try await bench.run(
                sampleOffer(
                    attempt(1),
                    command: "id -u; id -g; echo $HOME $USER; touch mine && stat -c %U:%a mine; "
                        + "cat /etc/shadow >/dev/null 2>&1 || echo denied; cat /proc/self/status | grep ^Uid"),
                user: "nobody")
            #expect(
                end.outputTail == """
                    \(nobody.user)
                    \(nobody.group)
                    \(nobody.home) nobody
                    nobody:600
                    denied
                    Uid:\t\(nobody.user)\t\(nobody.user)\t\(nobody.user)\t\(nobody.user)

                    """)
            #expect(!bench.scratch.exists("runs/r1-0"))
        }
    }

    @Test("a command gets one TERM, and time to use it")
    func oneTerm() async throws {
        try await withBench { bench in
            let process = try await bench.launch(
                sampleOffer(
                    attempt(1),
                    command: "trap 'echo term; n=x$n' TERM; echo ready; while [ -z \"$n\" ]; do sleep 0.02; done; "
                        + "sleep 0.2; exit 4"))
            try await eventually("it is ready", on: bench.loop) { try bench.log(attempt(1)) == "ready\n" }
            await process.end(grace: .seconds(20))
            await process.end(grace: .zero)
            let end = await process.ended()
            #expect(end.status == .exited(code: 4))
            // The shell itself may say that its sleep was ended.
            #expect(end.outputTail.split(separator: "\n").count { $0 == "term" } == 1)
            #expect(end.wasEnded)
        }
    }

    @Test("an existing work directory keeps its mode, and one that is not absolute is refused")
    func workDirectory() async throws {
        let scratch = try Scratch()
        try FileManager.default.setAttributes([.posixPermissions: 0o1777], ofItemAtPath: scratch.path)
        _ = try WorkDirectory(root: scratch.path + "/")
        let mode = try FileManager.default.attributesOfItem(atPath: scratch.path)[.posixPermissions] as? Int
        #expect(mode == 0o1777)
        #expect(throws: LaunchError.self) { try WorkDirectory(root: "relative") }
        #expect { try WorkDirectory(root: "/nonexistent/a/b") } throws: { "\($0)".contains("/nonexistent/a/b") }
    }

    @Test("a process that is gone is not signalled, whoever has its number")
    func exactSignals() async throws {
        try await withBench { bench in
            let process = try await bench.launch(sampleOffer(attempt(1), command: "exec sleep 1000"))
            ProcessMember(
                process: process.identity.process, startTime: process.identity.startTime &- 1, group: 0
            )
            .signal(SIGKILL)
            #expect(isAlive(process.identity.process))
            ProcessMember(
                process: process.identity.process, startTime: process.identity.startTime, group: 0
            ).signal(SIGKILL)
            #expect(await process.ended().status == .signalled(9))
        }
    }
}
