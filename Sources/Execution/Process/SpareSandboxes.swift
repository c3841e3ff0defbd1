import Glibc
import Synchronization

/// Empty directories of runs that have ended, for runs of the same user that come: to rename one costs a fifth of
/// making and removing one, and a fiftieth where the file system looks for long for an inode that was not freed just
/// now (ext4).
///
/// A directory is kept only if there is nothing in it and it is as it was made. Whatever else a run can have done to
/// it, it could have done to that of any other run of its user. All calls block.
final class SpareSandboxes: Sendable {
    private struct Owner: Hashable {
        let user: uid_t
        let group: gid_t
    }

    private struct State {
        var idle: [Owner: [String]] = [:]
        var count = 0
        var next = 0
    }

    private let directory: String
    private let state = Mutex(State())

    private static let limit = 128
    /// One that has had many entries stays large, and slow to read.
    private static let largest: off_t = 4_096

    /// - Parameter directory: exists, and nobody else can look into it. What is in it is removed.
    init(directory: String) {
        self.directory = directory
        for name in DirectoryListing.names(directory) { _ = DirectoryTree.remove("\(directory)/\(name)") }
    }

    /// Puts an empty directory of the user's at the path.
    /// - Returns: false when there is none; then nothing has changed.
    func take(owner: UserIdentity?, at path: String) -> Bool {
        let owner = Owner(user: owner?.user ?? geteuid(), group: owner?.group ?? getegid())
        let spare = state.withLock { state in
            guard let spare = state.idle[owner]?.popLast() else { return nil as String? }
            state.count -= 1
            return spare
        }
        guard let spare else { return false }
        if rename(spare, path) == 0 { return true }
        rmdir(spare)
        return false
    }

    /// Takes the directory away.
    /// - Returns: false when it is not one to keep; then it is where it was.
    func give(_ path: String) -> Bool {
        var facts = stat()
        guard lstat(path, &facts) == 0, facts.st_mode == S_IFDIR | 0o700, facts.st_size <= Self.largest,
            let listing = opendir(path)
        else { return false }
        defer { closedir(listing) }
        guard DirectoryListing.names(in: listing).isEmpty else { return false }
        let spare = state.withLock { state in
            guard state.count < Self.limit else { return nil as String? }
            state.count += 1
            state.next += 1
            return "\(directory)/\(state.next)"
        }
        guard let spare else { return false }
        guard rename(path, spare) == 0 else {
            state.withLock { $0.count -= 1 }
            return false
        }
        state.withLock { state in
            state.idle[Owner(user: facts.st_uid, group: facts.st_gid), default: []].append(spare)
        }
        return true
    }
}
