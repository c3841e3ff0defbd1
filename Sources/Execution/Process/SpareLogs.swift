import Glibc
import Synchronization

/// Emptied files of logs that were stored, for runs that come: to rename one costs a twentieth of making one where the
/// file system looks for long for an inode that was not freed just now (ext4).
///
/// They never leave the worker's own directories, and nobody else may open them. All calls block.
final class SpareLogs: Sendable {
    private let directory: String
    private let state = Mutex<(idle: [String], next: Int)>(([], 0))

    private static let limit = 128
    /// To give the blocks of a longer one back costs more than another file.
    private static let largest: off_t = 64 * 1_024

    /// - Parameter directory: exists. What is in it is removed.
    init(directory: String) {
        self.directory = directory
        for name in DirectoryListing.names(directory) { unlink("\(directory)/\(name)") }
    }

    /// Puts an empty file at the path, where there is one to spare.
    func take(at path: String) {
        guard let spare = state.withLock({ $0.idle.popLast() }) else { return }
        if rename(spare, path) != 0 { unlink(spare) }
    }

    /// Takes the file away. Whoever has opened it before reads nothing of it afterwards, and finds no file at the path.
    /// - Returns: false when it is not one to keep; then it is where it was.
    func give(_ path: String) -> Bool {
        var facts = stat()
        guard lstat(path, &facts) == 0, facts.st_mode == S_IFREG | 0o600, facts.st_uid == geteuid(),
            facts.st_nlink == 1, facts.st_size <= Self.largest
        else { return false }
        let spare = state.withLock { state -> String? in
            guard state.idle.count < Self.limit else { return nil }
            state.next += 1
            return "\(directory)/\(state.next)"
        }
        guard let spare, rename(path, spare) == 0 else { return false }
        guard truncate(spare, 0) == 0 else {
            unlink(spare)
            return true
        }
        state.withLock { $0.idle.append(spare) }
        return true
    }
}
