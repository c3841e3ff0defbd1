import Domain
import Glibc
import Runtime

/// Layout of a worker's directory, and what is done to it. All calls block.
///
///     <root>/journal, lock
///     <root>/runs/<run>-<attempt>/      sandbox, while the try runs
///     <root>/spare/                     empty sandboxes of former tries
///     <root>/detached/<run>-<attempt>/  of runs that outlive the worker (see Detached)
///     <root>/logs/<run>-<attempt>.log   output, until it is stored
///     <root>/spare-logs/                emptied files of former logs
struct WorkDirectory: Sendable {
    let root: String
    private var runs: String { "\(root)/runs" }
    private var logs: String { "\(root)/logs" }
    private let spare: SpareSandboxes
    private let spareLogs: SpareLogs

    /// Makes what is missing. Sandboxes must be reachable for other users, everything else is the worker's own.
    /// - Throws: `LaunchError`.
    init(root: String) throws(LaunchError) {
        var path = root
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        guard path.hasPrefix("/") else {
            throw LaunchError("the work directory must be an absolute path, not '\(root)'")
        }
        self.root = path
        try Self.make(path, mode: 0o711, mayBelongToOthers: true)
        try Self.make("\(path)/runs", mode: 0o711, mayBelongToOthers: false)
        try Self.make("\(path)/logs", mode: 0o700, mayBelongToOthers: false)
        try Self.make("\(path)/spare", mode: 0o700, mayBelongToOthers: false)
        try Self.make("\(path)/spare-logs", mode: 0o700, mayBelongToOthers: false)
        spare = SpareSandboxes(directory: "\(path)/spare")
        spareLogs = SpareLogs(directory: "\(path)/spare-logs")
    }

    /// The mode does not depend on the umask. A root that exists keeps its own: it is the operator's.
    private static func make(_ path: String, mode: mode_t, mayBelongToOthers: Bool) throws(LaunchError) {
        let isNew = mkdir(path, mode) == 0
        guard isNew || errno == EEXIST else { throw FileFailure.launch("cannot make the directory \(path)") }
        guard isNew || !mayBelongToOthers else { return }
        guard chmod(path, mode) == 0 else { throw FileFailure.launch("the directory \(path) is not this worker's") }
    }

    /// Unique on this machine, and the same at each start: no two workers share a directory. (FNV-1a of the path.)
    var mark: String {
        let hash = root.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Identifiers are `[a-z0-9]{1,32}` and a number (Acceptance refuses others): nothing to climb out with.
    private func name(_ attempt: AttemptID) -> String { "\(attempt.run.rawValue)-\(attempt.number)" }

    func sandbox(_ attempt: AttemptID) -> String { "\(runs)/\(name(attempt))" }

    func logPath(_ attempt: AttemptID) -> String { "\(logs)/\(name(attempt)).log" }

    /// Where a log can be made: perhaps there is an empty file by now.
    func freshLogPath(_ attempt: AttemptID) -> String {
        let path = logPath(attempt)
        spareLogs.take(at: path)
        return path
    }

    /// Takes the only file of a log away.
    /// - Returns: false when it must be removed.
    func keepLogFile(_ path: String) -> Bool { spareLogs.give(path) }

    func makeDetached() throws(LaunchError) {
        try Self.make("\(root)/detached", mode: 0o700, mayBelongToOthers: false)
    }

    func detached(_ attempt: AttemptID) -> DetachedDirectory { detached(named: name(attempt)) }

    func detached(named name: String) -> DetachedDirectory { DetachedDirectory(path: "\(root)/detached/\(name)") }

    func detachedNames() -> [String] { DirectoryListing.names("\(root)/detached") }

    /// A fresh directory that belongs to the user the command runs as.
    func makeSandbox(_ attempt: AttemptID, owner: UserIdentity?) throws(LaunchError) -> String {
        let path = sandbox(attempt)
        if spare.take(owner: owner, at: path) { return path }
        if mkdir(path, 0o700) != 0 {
            // Left by a former process of the worker: what is in it is another try's.
            guard errno == EEXIST, DirectoryTree.remove(path), mkdir(path, 0o700) == 0 else {
                throw FileFailure.launch("cannot make the working directory")
            }
        }
        if let owner, chown(path, owner.user, owner.group) != 0 {
            let failure = FileFailure.launch("cannot give the working directory to '\(owner.name)'")
            rmdir(path)
            throw failure
        }
        return path
    }

    func removeSandbox(_ attempt: AttemptID) -> Bool {
        spare.give(sandbox(attempt)) || DirectoryTree.remove(sandbox(attempt))
    }

    /// What costs little: false when there is something in it.
    func clearSandbox(_ attempt: AttemptID) -> Bool {
        spare.give(sandbox(attempt)) || rmdir(sandbox(attempt)) == 0
    }

    /// Names of sandboxes that are there, for `removeSandbox(named:)`.
    func sandboxNames() -> [String] { DirectoryListing.names(runs) }

    func removeSandbox(named name: String) { _ = DirectoryTree.remove("\(runs)/\(name)") }

    /// Name of the try's sandbox below `runs`.
    func sandboxName(_ attempt: AttemptID) -> String { name(attempt) }

    /// Tries whose logs are there.
    func logAttempts() -> [AttemptID] {
        DirectoryListing.names(logs).compactMap { name in
            guard name.hasSuffix(".log"), let dash = name.lastIndex(of: "-") else { return nil }
            let number = name[name.index(after: dash)...].dropLast(4)
            guard let number = Int32(number), number >= 0, dash > name.startIndex else { return nil }
            let attempt = AttemptID(run: RunID(String(name[..<dash])), number: Int(number))
            return "\(self.name(attempt)).log" == name ? attempt : nil
        }.sorted()
    }

    /// Removes logs that are too old, and the oldest of those that are too many; never those of tries that are held.
    func pruneLogs(except held: Set<AttemptID>, count: Int, age: Duration, now: Int64) {
        let kept = Set(held.map { "\(name($0)).log" })
        var logs: [(path: String, modified: Int64)] = []
        for entry in DirectoryListing.names(self.logs) {
            let base = entry.range(ofLog: ".log").map { String(entry[..<$0]) } ?? entry
            guard !kept.contains(base) else { continue }
            let path = "\(self.logs)/\(entry)"
            var facts = stat()
            guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { continue }
            logs.append((path, Int64(facts.st_mtim.tv_sec)))
        }
        logs.sort { $0.modified > $1.modified }
        let oldest = now - age.components.seconds
        for (index, log) in logs.enumerated() where index >= count || log.modified < oldest { unlink(log.path) }
    }
}

extension String {
    /// End of the first occurrence: where a log's name ends and a segment's number begins.
    fileprivate func range(ofLog suffix: String) -> Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(suffix) { return self.index(index, offsetBy: suffix.count) }
            index = self.index(after: index)
        }
        return nil
    }
}
