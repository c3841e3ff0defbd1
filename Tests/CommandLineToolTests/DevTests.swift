import Foundation
import Runtime
import Synchronization
import Testing

@testable import CommandLineTool

@Suite("carillon dev")
struct DevTests {
    private static func withFolder<T>(_ body: (String) throws -> T) throws -> T {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("carillon-dev-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder.path)
    }

    private static func mode(_ path: String) throws -> Int? {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue
    }

    @Test("the plan names nodes and workers, with every node's address for each worker")
    func plan() throws {
        let plan = DevPlan(
            .init(nodes: 2, workers: 1, port: 9000, dataDirectory: "d"), folder: "/data",
            databaseURL: "postgresql:///x",
            secretFile: "/data/secret", workerPorts: [18080, 18081], isRoot: false)
        #expect(plan.nodes.map(\.name) == ["node-1", "node-2"])
        #expect(plan.nodes.map(\.url) == ["http://127.0.0.1:9000", "http://127.0.0.1:9001"])
        #expect(
            plan.nodes[1].words == [
                "node", "--database-url", "postgresql:///x", "--no-migrate", "--listen", "127.0.0.1:9001",
                "--advertise", "http://127.0.0.1:9001", "--name", "node-2", "--secret-file", "/data/secret",
            ])
        #expect(
            plan.workers.map(\.words) == [
                [
                    "worker", "--node", "http://127.0.0.1:9000", "--node", "http://127.0.0.1:9001",
                    "--listen", "127.0.0.1:18080", "--advertise", "http://127.0.0.1:18080", "--name", "worker-1",
                    "--secret-file", "/data/secret", "--work-dir", "/data/worker-1",
                ]
            ])
        let banner = plan.banner(leader: "127.0.0.1:9001", folder: "/data", key: "k.1")
        #expect(banner.contains("  node-1     http://127.0.0.1:9000\n"))
        #expect(banner.contains("  node-2     http://127.0.0.1:9001   leads\n"))
        #expect(banner.contains("  admin key  k.1                     also in /data/admin.key\n"))
    }

    @Test("output is cut into lines with the child's name, however it comes in pieces")
    func prefixes() {
        var prefixer = LinePrefixer("node-1", width: 8)
        func add(_ text: String?) -> [String] {
            prefixer.add(text.map { Array($0.utf8)[...] }).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(add("on") == [])
        #expect(add("e\n\ntwo\nth") == ["node-1   | one", "node-1   | ", "node-1   | two"])
        #expect(add(nil) == ["node-1   | th"])
        #expect(add(nil) == [])
        let long = add(String(repeating: "x", count: LinePrefixer.longestLine + 1) + "\n")
        #expect(long.map(\.count) == [LinePrefixer.longestLine + 11, 12])
    }

    @Test("secrets are written whole, for their owner only, and read back")
    func secrets() throws {
        try Self.withFolder { folder in
            let path = folder + "/admin.key"
            #expect(try DevFiles.readSecret(path) == nil)
            try DevFiles.writeSecret("abc", to: path)
            #expect(try DevFiles.readSecret(path) == "abc")
            #expect(try Self.mode(path) == 0o600)
            try DevFiles.writeSecret("def", to: path)
            #expect(try DevFiles.readSecret(path) == "def")
            #expect(!FileManager.default.fileExists(atPath: path + ".new"))
            try Data().write(to: URL(fileURLWithPath: path))
            #expect(throws: DevFiles.FileError.self) { try DevFiles.readSecret(path) }

            let secret = try DevFiles.secretFile(in: folder)
            let text = try DevFiles.readSecret(secret)
            #expect(text?.count == 64)
            #expect(try DevFiles.secretFile(in: folder) == secret)
            #expect(try DevFiles.readSecret(secret) == text)
        }
    }

    @Test("a folder is made with those above it, and is held by one at a time")
    func folders() throws {
        try Self.withFolder { folder in
            let made = try DevFiles.makeFolder(folder + "/a/b/../c")
            #expect(made.hasSuffix("/a/c"))
            try DevFiles.lock(made)
            let error = #expect(throws: DevFiles.FileError.self) { try DevFiles.lock(made) }
            #expect(error?.description.contains("(process \(getpid()))") == true)
            try Data().write(to: URL(fileURLWithPath: folder + "/file"))
            #expect(throws: DevFiles.FileError.self) { try DevFiles.makeFolder(folder + "/file/x") }
        }
    }

    @Test("ports are taken in order, without those in use and below the ephemeral ones")
    func ports() {
        #expect(LocalPort.free(2, from: 100) { $0 != 101 } == [100, 102])
        #expect(LocalPort.free(2, from: LocalPort.firstEphemeral - 1) { _ in true } == [LocalPort.firstEphemeral - 1])
        #expect(LocalPort.free(1, from: 40_000) { _ in true } == [])
    }

    @Test("PostgreSQL's programs are those of the data's version, or the newest")
    func programs() {
        let folders: [(version: Int?, path: String)] = [(13, "/13"), (15, "/15"), (nil, "/path")]
        #expect(PrivatePostgres.programs(version: nil, among: folders) == "/15")
        #expect(PrivatePostgres.programs(version: 13, among: folders) == "/13")
        #expect(PrivatePostgres.programs(version: 16, among: folders) == "/path")
        #expect(PrivatePostgres.programs(version: 16, among: Array(folders.prefix(2))) == nil)
        #expect(PrivatePostgres.programs(version: nil, among: [(nil, "/path")]) == "/path")
        #expect(PrivatePostgres.programs(version: nil, among: []) == nil)
    }

    @Test("a socket's path longer than the system takes is noticed, and the URL is encoded")
    func sockets() {
        let longest =
            "/" + String(repeating: "d", count: PrivatePostgres.longestSocketPath - 1 - "/.s.PGSQL.5432".count)
        #expect(PostgresFolder.isShortEnough(longest))
        #expect(!PostgresFolder.isShortEnough(longest + "d"))
        let postgres = PrivatePostgres(programs: "/p", folder: "/f", user: nil, socketFolder: "/a b/ü")
        #expect(postgres.url == "postgresql:///carillon?host=/a%20b/%C3%BC&user=carillon")
        #expect(postgres.program.arguments.contains("listen_addresses="))
        #expect(postgres.program.deathSignal == "INT")
    }
}

@Suite("Child processes")
struct ChildProcessTests {
    final class Output: Sendable {
        private let storage = Mutex<(bytes: [UInt8], hasEnded: Bool)>(([], false))
        var text: String { storage.withLock { String(decoding: $0.bytes, as: UTF8.self) } }
        var hasEnded: Bool { storage.withLock { $0.hasEnded } }
        func add(_ bytes: ArraySlice<UInt8>?) {
            storage.withLock { if let bytes { $0.bytes += bytes } else { $0.hasEnded = true } }
        }
    }

    /// Runs a shell command to its end, or until `act` ends it. There is no SIGCHLD here: it is looked for.
    private static func run(
        _ script: String, act: @escaping @Sendable (ChildProcess) async throws -> Void = { _ in }
    ) throws -> (ChildProcess.Ending, Output) {
        let loop = try EventLoop()
        return try loop.runUntilComplete {
            let output = Output()
            let program = ChildProcess.Program(path: "/bin/sh", arguments: ["-c", script])
            let child = try ChildProcess("child", program, loop: loop) { output.add($0) }
            let reaper = loop.start("reaper") {
                while child.ending == nil, (try? await loop.sleep(for: .milliseconds(2))) != nil { child.reap() }
            }
            defer { reaper.cancel() }
            try await act(child)
            return (try await child.waitForEnd(), output)
        }
    }

    @Test("what a child writes on both outputs arrives before its end is told")
    func output() throws {
        let (ending, output) = try Self.run("echo one; echo two >&2; cat; exit 3")
        #expect(ending == .exited(3))
        #expect(output.text == "one\ntwo\n")
        #expect(output.hasEnded)
    }

    @Test("a child has its own process group and no blocked signals, and asks for a signal at its parent's death")
    func attributes() throws {
        let (ending, output) = try Self.run(
            "ps -o pid=,pgid= -p $$; exec grep -E 'SigBlk|SigIgn' /proc/self/status")
        #expect(ending == .exited(0))
        let words = output.text.split(whereSeparator: \.isWhitespace)
        try #require(words.count == 6)
        #expect(words[0] == words[1])
        #expect(words[3] == "0000000000000000")
        // The C library keeps its own two real-time signals ignored.
        #expect((UInt64(words[5], radix: 16) ?? .max) & 0x7FFF_FFFF == 0)
        #expect(
            ChildProcess.words(of: .init(path: "/p", arguments: ["-x"], user: "u", deathSignal: "INT"))
                == ["setpriv", "--pdeathsig", "INT", "--reuid", "u", "--regid", "u", "--init-groups", "--", "/p", "-x"])
    }

    @Test("a child is ended by its signal, and by SIGKILL if it does not mind that one")
    func ending() throws {
        let polite = try Self.run("echo ready; exec sleep 60") { try await $0.end(SIGTERM, patience: .seconds(30)) }
        #expect(polite.0 == .signalled(SIGTERM))
        let stubborn = try Self.run("trap '' TERM; echo ready; while :; do sleep 0.05; done") { child in
            try await child.end(SIGTERM, patience: .milliseconds(300))
        }
        #expect([.signalled(SIGKILL), .signalled(SIGTERM)].contains(stubborn.0))
    }

    @Test("a program that is not there ends with status 127, and its output says so")
    func missing() throws {
        let loop = try EventLoop()
        let output = Output()
        let ending = try loop.runUntilComplete {
            let child = try ChildProcess("x", .init(path: "/nonexistent", arguments: []), loop: loop) { output.add($0) }
            let reaper = loop.start("reaper") {
                while child.ending == nil, (try? await loop.sleep(for: .milliseconds(2))) != nil { child.reap() }
            }
            defer { reaper.cancel() }
            return try await child.waitForEnd()
        }
        #expect(ending == .exited(127) || ending == .exited(1))
        #expect(output.text.contains("/nonexistent"))
    }
}
