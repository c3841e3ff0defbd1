import Domain
import Glibc
import Runtime
import Testing

@testable import Execution

@Suite("Files of former logs") struct SpareLogTests {
    private func spares(_ scratch: Scratch) -> Int { DirectoryListing.names("\(scratch.path)/spare-logs").count }

    private func withSpool(limit: Int = 1 << 20, _ body: @escaping @Sendable (Scratch, LogSpool) throws -> Void)
        async throws
    {
        let scratch = try Scratch()
        let directory = try WorkDirectory(root: scratch.path)
        try await onLoop { loop in
            try body(scratch, LogSpool(directory: directory, limit: limit, timekeeper: loop))
        }
    }

    private func inode(_ path: String) -> UInt {
        var facts = stat()
        return lstat(path, &facts) == 0 ? UInt(facts.st_ino) : 0
    }

    private func text(_ log: OutputLog) -> String {
        String(decoding: log.read(from: 0, limit: 1_000).bytes, as: UTF8.self)
    }

    @Test("the file of a log that was stored is the next one's, and empty")
    func again() async throws {
        try await withSpool { scratch, spool in
            let first = try spool.open(attempt(1))
            try first.write(Array("a secret of somebody's".utf8))
            spool.close(attempt(1), footer: "end\n")
            let number = inode(first.path)
            spool.forget([attempt(1)])
            #expect(!scratch.exists("logs/r1-0.log") && spares(scratch) == 1)

            let second = try spool.open(attempt(2))
            #expect(inode(second.path) == number && spares(scratch) == 0)
            #expect(second.total == 0 && text(second) == "")
            try second.write(Array("mine\n".utf8))
            #expect(text(second) == "mine\n")
            #expect(try scratch.text("logs/r2-0.log") == "mine\n")
            #expect(first.read(from: 0, limit: 100).isMissing, "whoever still reads the first one learns of its end")
        }
    }

    @Test("long files, cut logs and files that somebody else has a name for are not kept")
    func notKept() async throws {
        try await withSpool(limit: 1_000_000) { scratch, spool in
            let long = try spool.open(attempt(1))
            try long.write([UInt8](repeating: 0x61, count: 100_000))
            spool.close(attempt(1), footer: "")
            let linked = try spool.open(attempt(2))
            try linked.write(Array("x".utf8))
            spool.close(attempt(2), footer: "")
            #expect(link(linked.path, "\(scratch.path)/other") == 0)
            spool.forget([attempt(1), attempt(2)])
            #expect(spares(scratch) == 0 && DirectoryListing.names("\(scratch.path)/logs").isEmpty)
            #expect(try scratch.text("other") == "x")
        }
        try await withSpool(limit: 100) { scratch, spool in
            let cut = try spool.open(attempt(1))
            try cut.write([UInt8](repeating: 0x61, count: 1_000))
            spool.close(attempt(1), footer: "")
            spool.forget([attempt(1)])
            #expect(spares(scratch) == 0 && DirectoryListing.names("\(scratch.path)/logs").isEmpty)
        }
    }

    @Test("what a former process has kept is removed")
    func restart() throws {
        let scratch = try Scratch()
        _ = try WorkDirectory(root: scratch.path)
        let file = open("\(scratch.path)/spare-logs/7", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        #expect(file >= 0)
        close(file)
        _ = try WorkDirectory(root: scratch.path)
        #expect(spares(scratch) == 0)
    }
}
