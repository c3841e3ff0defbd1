import Domain
import Execution
import Foundation
import HTTPTransport
import Runtime
import Synchronization
import Testing

@testable import Outbound

@Suite("Downloads before a run", .serialized)
struct FetchTests {
    /// A machine and a server of files, stopped at the end.
    private func withMachine(
        _ settings: ArtifactSettings = ArtifactSettings(), egress: EgressPolicy = EgressPolicy(),
        _ body: @Sendable (Machine, FileServer) async throws -> Void
    ) async throws {
        try await onLoop { loop in
            let machine = try Machine(loop: loop, scratch: try Scratch(), artifacts: settings, egress: egress)
            let server = FileServer()
            try await server.start(on: loop)
            do { try await body(machine, server) } catch {
                await server.stop()
                throw error
            }
            await server.stop()
            machine.client.close()
        }
    }

    private func artifact(_ uri: String, _ change: (inout Artifact) -> Void = { _ in }) -> Artifact {
        var artifact = Artifact(uri: uri)
        change(&artifact)
        return artifact
    }

    @Test("a file is there before the command runs, under its name or the one that was wished, and the log says so")
    func plain() async throws {
        try await withMachine { machine, server in
            server.put("/a/data.txt", Array("hello".utf8))
            server.put("/tool", Array("#!/bin/sh\necho tool $1\n".utf8))
            let offer = sampleOffer(
                "plain", command: "cat data.txt; ./bin/run x; ls -ld bin/run data.txt | cut -c1-10",
                artifacts: [
                    artifact(server.url("/a/data.txt?token=secret")),
                    artifact(server.url("/tool")) { ($0.outputFile, $0.isExecutable) = ("bin/run", true) },
                ])
            let (end, log) = try await machine.run(offer)
            #expect(end.status == .exited(code: 0))
            #expect(log.hasSuffix("hellotool x\n-rwx------\n-rw-------\n"), "\(log)")
            #expect(log.contains("[carillon: fetched http://127.0.0.1:\(server.port)/a/data.txt: 5 bytes"))
            #expect(!log.contains("secret"))
            #expect(machine.scratch.names("worker/runs") == [] && machine.scratch.names("worker/fetch") == [])
        }
    }

    @Test("a transfer that breaks off goes on where it was, and begins anew when the file has changed meanwhile")
    func resumed() async throws {
        try await withMachine { machine, server in
            let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
            server.put("/big", bytes, tag: "\"1\"", breaksAfter: [100_000, 50_000])
            let offer = sampleOffer(
                "resume", command: "wc -c <big; cksum <big", artifacts: [artifact(server.url("/big"))])
            let (_, log) = try await machine.run(offer)
            try Data(bytes).write(to: URL(fileURLWithPath: machine.scratch.path + "/expected"))
            let expected = try shell("wc -c <expected; cksum <expected", in: machine.scratch.path)
            #expect(log.hasSuffix(expected), "\(log) \(expected)")
            #expect(server.requests.map(\.range) == [nil, "bytes=100000-", "bytes=150000-"])

            // Half of one version and half of another would be neither.
            server.put("/other", Array("first version".utf8), tag: "\"1\"", breaksAfter: [5])
            let second = sampleOffer("anew", command: "cat other", artifacts: [artifact(server.url("/other"))])
            let changed = Mutex(false)
            async let outcome = machine.run(second)
            while !changed.withLock({ $0 }) {
                if server.requests.last?.path == "/other" {
                    server.put("/other", Array("second".utf8), tag: "\"2\"")
                    changed.withLock { $0 = true }
                } else {
                    try await machine.loop.sleep(for: .milliseconds(1))
                }
            }
            let finished = try await outcome
            #expect(finished.log.hasSuffix("]\nsecond"))
        }
    }

    @Test("a download that fails fails the run, with the reason and without secrets")
    func failures() async throws {
        var settings = ArtifactSettings()
        settings.byteLimit = 1000
        try await withMachine(settings) { machine, server in
            server.put("/large", [UInt8](repeating: 1, count: 1001))
            server.put("/half", [UInt8](repeating: 1, count: 501))
            server.put("/broken", [1, 2], breaksAfter: [1, 1, 1, 1])
            server.redirect("/metadata", to: "http://169.254.169.254/latest/")
            server.redirect("/loop", to: server.url("/loop"))
            let half = artifact(server.url("/half"))
            let cases: [([Artifact], String)] = [
                ([artifact(server.url("/none?key=secret"))], "status 404"),
                ([artifact(server.url("/large"))], "larger"),
                ([half, artifact(server.url("/half")) { $0.outputFile = "b" }], "larger"),
                ([artifact("http://user:secret@127.0.0.1:1/x")], "127.0.0.1:1/x"),
                ([artifact(server.url("/metadata"))], "169.254.169.254 are not permitted"),
                ([artifact(server.url("/loop"))], "redirects"), ([artifact("file:///etc/passwd")], "--fetch-dir"),
                ([artifact("/etc/passwd")], "--fetch-dir"), ([artifact("hdfs://a/b")], "hdfs"),
                ([artifact(server.url("/half")) { $0.outputFile = "../x" }], "output_file"),
            ]
            for (number, (artifacts, expected)) in cases.enumerated() {
                let reason = await machine.refusal(sampleOffer("fail\(number)", artifacts: artifacts))
                #expect(reason.contains(expected) && !reason.contains("secret"), "\(reason)")
            }
            #expect(machine.scratch.names("worker/runs") == [] && machine.scratch.names("worker/fetch") == [])
        }
    }

    @Test("with --egress public this machine's own servers are out of reach, unless they are allowed")
    func egress() async throws {
        try await withMachine(egress: EgressPolicy(reach: .public)) { machine, server in
            server.put("/a", [1])
            let reason = await machine.refusal(sampleOffer("egress", artifacts: [artifact(server.url("/a"))]))
            #expect(reason.contains("127.0.0.1 are not permitted") && reason.contains("--egress"), "\(reason)")
            #expect(server.requests.isEmpty)
        }
        let own = try #require(AddressRange("127.0.0.0/8"))
        try await withMachine(egress: EgressPolicy(reach: .public, allowed: [own])) { machine, server in
            server.put("/a", Array("a".utf8))
            let offer = sampleOffer("allowed", command: "cat a", artifacts: [artifact(server.url("/a"))])
            let log1 = try await machine.run(offer).log
            #expect(log1.hasSuffix("]\na"))
        }
    }

    @Test("what is kept is asked for each time, and fetched again only when it has changed")
    func cache() async throws {
        try await withMachine { machine, server in
            server.put("/lib", Array("one".utf8), tag: "\"1\"")
            func run(_ name: String) async throws -> String {
                let kept = artifact(server.url("/lib")) { $0.mayBeCached = true }
                return try await machine.run(sampleOffer(name, command: "cat lib; echo >>lib", artifacts: [kept])).log
            }
            let cache1 = try await run("cache1")
            #expect(cache1.hasSuffix("]\none"))
            let second = try await run("cache2")
            // The command has written to its own copy.
            #expect(second.hasSuffix("]\none") && second.contains("kept here since an earlier run"))
            server.put("/lib", Array("two".utf8), tag: "\"2\"")
            let cache3 = try await run("cache3")
            #expect(cache3.hasSuffix("]\ntwo"))
            #expect(server.requests.map(\.condition) == [nil, "\"1\"", "\"1\""])
        }
    }

    @Test("what is kept is bounded: what was not used for longest goes")
    func cacheLimit() async throws {
        var settings = ArtifactSettings()
        settings.cacheLimit = 2500
        try await withMachine(settings) { machine, server in
            for name in ["a", "b", "c"] { server.put("/\(name)", [UInt8](repeating: 65, count: 1000), tag: "\"1\"") }
            for (number, name) in ["a", "b", "a", "c", "a", "b"].enumerated() {
                let kept = artifact(server.url("/\(name)")) { $0.mayBeCached = true }
                _ = try await machine.run(sampleOffer("bound\(number)", artifacts: [kept]))
            }
            #expect(server.requests.map(\.condition) == [nil, nil, "\"1\"", nil, "\"1\"", nil])
            #expect(machine.scratch.names("worker/cache").filter { $0.hasSuffix(".data") }.count == 2)
        }
    }

    @Test("a command that is an address is fetched and run, with and without a shell")
    func commands() async throws {
        try await withMachine { machine, server in
            server.put("/it's", Array("#!/bin/sh\necho \"$0|$1|$2\"\n".utf8))
            let byShell = sampleOffer("url1", command: "\(server.url("/it's"))  a 'b c'")
            let log2 = try await machine.run(byShell).log
            #expect(log2.hasSuffix("/it's|a|b c\n"))
            let direct = sampleOffer("url2", command: server.url("/it's"), shell: false, arguments: ["a b", "c"])
            let log3 = try await machine.run(direct).log
            #expect(log3.hasSuffix("/it's|a b|c\n"))
            let reason = await machine.refusal(sampleOffer("url3", command: server.url("/gone")))
            #expect(reason.contains("status 404"))
        }
    }

    @Test(
        "a run as another user finds its files as its own, and nothing of the worker's",
        .enabled(if: geteuid() == 0, "only root can run commands as another user"))
    func users() async throws {
        try await withMachine { machine, server in
            server.put("/f", Array("data".utf8))
            try shell("mkdir d && echo x >d/e && tar -czf a.tar.gz d", in: machine.scratch.path)
            server.put(
                "/a.tar.gz", [UInt8](try Data(contentsOf: URL(fileURLWithPath: machine.scratch.path + "/a.tar.gz"))))
            let offer = sampleOffer(
                "user",
                command: "id -un; cat f d/e; echo more >>f; touch d/new; stat -c %U . f d d/e | uniq; ls ../../fetch",
                artifacts: [artifact(server.url("/f")), artifact(server.url("/a.tar.gz"))])
            let (_, log) = try await machine.run(offer, user: "nobody")
            #expect(log.contains("nobody\ndatax\nnobody\n") && log.contains("ermission denied"), "\(log)")
        }
    }

    @Test("a fetch that nobody wants any more ends at once and leaves nothing")
    func cancelled() async throws {
        try await withMachine { machine, server in
            // Nobody answers there, but the connection stands.
            let silent = Silence()
            let port = try silent.listen()
            let offer = sampleOffer("cancel", artifacts: [artifact("http://127.0.0.1:\(port)/x")])
            let reason = Mutex("")
            let task = machine.loop.start("launch") {
                let text = await machine.refusal(offer)
                reason.withLock { $0 = text }
            }
            try await eventually("the download has begun", on: machine.loop) { silent.hasConnection() }
            task.cancel()
            await task.value
            #expect(reason.withLock { $0 } == "ended while its downloads were fetched")
            #expect(machine.scratch.names("worker/runs") == [] && machine.scratch.names("worker/fetch") == [])
        }
    }

    @Test("all downloads of a run together have a time limit")
    func timeLimit() async throws {
        var settings = ArtifactSettings()
        settings.timeLimit = .milliseconds(300)
        try await withMachine(settings) { machine, _ in
            let silent = Silence()
            let port = try silent.listen()
            let reason = await machine.refusal(
                sampleOffer("slow", artifacts: [artifact("http://127.0.0.1:\(port)/x")]))
            #expect(
                reason.contains("within 0 s") || reason.contains("Timeout") || reason.contains("timed out"), "\(reason)"
            )
        }
    }

    @Test("files of the machine come from the directories that the operator names, and from nowhere else")
    func localFiles() async throws {
        let scratch = try Scratch()
        try shell(
            "mkdir open closed && echo yes >open/f && echo no >closed/f && ln -s ../closed/f open/link",
            in: scratch.path)
        var settings = ArtifactSettings()
        settings.fileDirectories = [scratch.path + "/open"]
        try await withMachine(settings) { machine, _ in
            let good = sampleOffer("file1", command: "cat f", artifacts: [artifact("file://\(scratch.path)/open/f")])
            let log4 = try await machine.run(good).log
            #expect(log4.hasSuffix("yes\n"))
            for path in ["/closed/f", "/open/link", "/open/../closed/f", "/open"] {
                let reason = await machine.refusal(
                    sampleOffer("file2", artifacts: [artifact(scratch.path + path) { $0.outputFile = "x" }]))
                #expect(reason.contains("only") || reason.contains("plain file"), "\(reason)")
            }
        }
    }
}

/// A port that accepts connections and never answers.
final class Silence: Sendable {
    private let descriptor = socket(AF_INET, 1, 0)

    deinit { close(descriptor) }

    func listen() throws -> Int {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(descriptor, raw, size) == 0 && Foundation.listen(descriptor, 8) == 0
                    && getsockname(descriptor, raw, &size) == 0
            }
        }
        guard result else { throw Unmet(description: "cannot listen: \(errno)") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    func hasConnection() -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return Foundation.poll(&poll, 1, 0) > 0
    }
}
