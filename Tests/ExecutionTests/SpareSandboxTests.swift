import Domain
import Foundation
import Testing

@testable import Execution

@Suite("Sandboxes that are used again")
struct SpareSandboxTests {
    private static func inode(_ path: String) -> ino_t {
        var facts = stat()
        return lstat(path, &facts) == 0 ? facts.st_ino : 0
    }

    @Test("an empty one is used again by the next run, under its own name")
    func again() throws {
        let scratch = try Scratch()
        let directory = try WorkDirectory(root: scratch.path)
        let first = try directory.makeSandbox(attempt(1), owner: nil)
        let inode = Self.inode(first)
        #expect(directory.removeSandbox(attempt(1)))
        #expect(directory.sandboxNames().isEmpty)
        let second = try directory.makeSandbox(attempt(2), owner: nil)
        #expect(Self.inode(second) == inode)
        #expect(second == directory.sandbox(attempt(2)))
        // There is none left for a third one.
        let third = try directory.makeSandbox(attempt(3), owner: nil)
        #expect(Self.inode(third) != inode)
        #expect(directory.sandboxNames().count == 2)
    }

    @Test("one that a run has changed is not, nor is what a former run of the same name has left mistaken for one")
    func changed() throws {
        let scratch = try Scratch()
        let directory = try WorkDirectory(root: scratch.path)
        let full = try directory.makeSandbox(attempt(1), owner: nil)
        try #require(FileManager.default.createFile(atPath: "\(full)/file", contents: Data("x".utf8)))
        #expect(!directory.clearSandbox(attempt(1)))
        #expect(directory.removeSandbox(attempt(1)))
        let open = try directory.makeSandbox(attempt(2), owner: nil)
        chmod(open, 0o777)
        #expect(directory.clearSandbox(attempt(2)))
        #expect(DirectoryListing.names("\(scratch.path)/spare").isEmpty)

        _ = try directory.makeSandbox(attempt(3), owner: nil)
        #expect(directory.clearSandbox(attempt(3)))
        #expect(DirectoryListing.names("\(scratch.path)/spare").count == 1)
        mkdir(directory.sandbox(attempt(4)), 0o700)
        try #require(
            FileManager.default.createFile(atPath: "\(directory.sandbox(attempt(4)))/left", contents: Data()))
        let fresh = try directory.makeSandbox(attempt(4), owner: nil)
        #expect(DirectoryListing.names(fresh).isEmpty)
    }

    @Test("one of another user is not", .enabled(if: geteuid() == 0, "only root gives directories away"))
    func users() throws {
        let scratch = try Scratch()
        let directory = try WorkDirectory(root: scratch.path)
        let nobody = try UserIdentity.named("nobody")
        let theirs = try directory.makeSandbox(attempt(1), owner: nobody)
        let inode = Self.inode(theirs)
        #expect(directory.removeSandbox(attempt(1)))
        let own = try directory.makeSandbox(attempt(2), owner: nil)
        #expect(Self.inode(own) != inode)
        let again = try directory.makeSandbox(attempt(3), owner: nobody)
        #expect(Self.inode(again) == inode)
        var facts = stat()
        #expect(lstat(again, &facts) == 0 && facts.st_uid == nobody.user && facts.st_mode == S_IFDIR | 0o700)
    }

    @Test("the next start of the worker removes them")
    func start() throws {
        let scratch = try Scratch()
        let directory = try WorkDirectory(root: scratch.path)
        _ = try directory.makeSandbox(attempt(1), owner: nil)
        #expect(directory.removeSandbox(attempt(1)))
        #expect(DirectoryListing.names("\(scratch.path)/spare").count == 1)
        _ = try WorkDirectory(root: scratch.path)
        #expect(DirectoryListing.names("\(scratch.path)/spare").isEmpty)
    }
}
