import Domain
import Glibc
import Runtime
import Synchronization

/// Brings what runs want into their sandboxes.
final class ArtifactFetcher: Sendable {
    private let settings: ArtifactSettings
    private let downloader: any Downloader
    private let directory: WorkDirectory
    private let tools: ToolRunner
    private let cache: ArtifactCache
    private let timekeeper: any Timekeeper
    private let slots = TransferSlots(ArtifactLimits.transfers)
    private let files = BlockingPool(threads: 2, queueLimit: 65_536)
    /// Tools run for minutes: they hold up nobody's files.
    private let unpackings = BlockingPool(threads: ArtifactLimits.tools, queueLimit: 65_536)

    init(
        _ settings: ArtifactSettings, downloader: any Downloader, directory: WorkDirectory, children: ChildTable,
        timekeeper: any Timekeeper
    ) {
        self.settings = settings
        self.downloader = downloader
        self.directory = directory
        self.timekeeper = timekeeper
        tools = ToolRunner(children: children)
        cache = ArtifactCache(directory: "\(directory.root)/cache", limit: settings.cacheLimit)
    }

    /// Fetches everything, in order, into a sandbox that belongs to the worker still.
    /// - Parameters:
    ///   - isShared: others than the owner may read it.
    /// - Returns: lines for the run's log.
    /// - Throws: `LaunchError` for the run's reason, also when the task is cancelled. Whatever it has left in the
    ///   sandbox is the caller's to remove.
    func fetch(
        _ plan: ArtifactPlan, attempt: AttemptID, into sandbox: String, owner: DirectoryCensus.Owner?, isShared: Bool
    ) async throws(LaunchError) -> [String] {
        guard !plan.items.isEmpty else { return [] }
        let staging = "\(directory.root)/fetch/\(directory.sandboxName(attempt))"
        let result: Result<[String], LaunchError>
        do {
            let notes = try await withDeadline(settings.timeLimit, on: timekeeper, "fetching") {
                try await self.fetchAll(plan, staging: staging, into: sandbox)
            }
            try await files.run { try DirectoryCensus.handOver(sandbox, to: owner, isShared: isShared) }
            result = .success(notes)
        } catch let error as LaunchError {
            result = .failure(error)
        } catch is DeadlineExceeded {
            let seconds = settings.timeLimit.components.seconds
            result = .failure(LaunchError("its downloads were not there within \(seconds) s, the worker's limit"))
        } catch is CancellationError {
            result = .failure(LaunchError("ended while its downloads were fetched"))
        } catch {
            result = .failure(LaunchError("its downloads failed: \(error)"))
        }
        let files = self.files
        // A task of its own: the caller's may be cancelled. A pool that is shut down leaves it to the next start.
        await timekeeper.start("clear") { _ = try? await files.run { DirectoryTree.remove(staging) } }.value
        return try result.get()
    }

    /// Removes what a former process has left. Blocks.
    func removeLeftovers() {
        for name in DirectoryListing.names("\(directory.root)/fetch") {
            _ = DirectoryTree.remove("\(directory.root)/fetch/\(name)")
        }
    }

    private func fetchAll(_ plan: ArtifactPlan, staging: String, into sandbox: String) async throws -> [String] {
        let root = "\(directory.root)/fetch"
        try await files.run {
            // Tools that run as nobody must be able to pass, and see nothing.
            guard mkdir(root, 0o711) == 0 || errno == EEXIST else {
                throw FileFailure.launch("cannot make a directory for downloads")
            }
            guard DirectoryTree.remove(staging), mkdir(staging, 0o711) == 0 else {
                throw FileFailure.launch("cannot make a directory for downloads")
            }
        }
        var notes: [String] = []
        var downloadsLeft = settings.byteLimit
        var unpackedLeft = settings.unpackedLimit
        for (number, item) in plan.items.enumerated() {
            let begun = timekeeper.monotonicNow
            do {
                let file = "\(staging)/\(number)"
                let (bytes, isKept) = try await obtain(item, to: file, byteLimit: downloadsLeft)
                downloadsLeft -= bytes
                unpackedLeft -= try await place(item, file: file, into: sandbox, unpackedLimit: unpackedLeft)
                let time = Self.seconds(begun.duration(to: timekeeper.monotonicNow))
                let origin = isKept ? "kept here since an earlier run" : time
                notes.append("[carillon: fetched \(item.shownURI): \(bytes) bytes, \(origin)]")
            } catch let error as LaunchError {
                throw LaunchError("cannot fetch \(item.shownURI): \(error.message)")
            } catch let error as DownloadError {
                throw LaunchError("cannot fetch \(item.shownURI): \(error.message)")
            }
        }
        return notes
    }

    // MARK: Getting

    private func obtain(
        _ item: ArtifactPlan.Item, to file: String, byteLimit: Int64
    ) async throws -> (bytes: Int64, isKept: Bool) {
        if case .file(let path) = item.source {
            let directories = settings.fileDirectories
            return (
                try await files.run { try Self.copy(path, allowed: directories, to: file, limit: byteLimit) }, false
            )
        }
        let (cache, files, slots) = (self.cache, self.files, self.slots)
        let kept = item.mayBeCached ? try await files.run { cache.validator(of: item.uri) } : nil
        let staged = try await files.run { try StagedFile(path: file, byteLimit: byteLimit, pool: files) }
        let result = try await slots.use { try await self.transfer(item, into: staged, kept: kept) }
        switch result {
        case .unchanged:
            guard let kept, try await files.run({ try cache.copy(item.uri, validator: kept, to: file) }) else {
                // Its place was needed for another meanwhile.
                let again = try await slots.use { try await self.transfer(item, into: staged, kept: nil) }
                guard case .complete = again else { throw DownloadError("the server says that nothing has changed") }
                return (staged.bytes, false)
            }
            return (try await files.run { Self.size(file) }, true)
        case .complete(let validator):
            if item.mayBeCached, let validator = validator ?? staged.validator {
                try await files.run { cache.keep(file, of: item.uri, validator: validator) }
            }
            return (staged.bytes, false)
        }
    }

    /// Tries several times, each from where the last one broke off.
    private func transfer(
        _ item: ArtifactPlan.Item, into staged: StagedFile, kept: String?
    ) async throws -> DownloadResult {
        var pauses = Backoff(initial: .milliseconds(500), maximum: .seconds(5))
        var possession = kept.map(DownloadRequest.Possession.copy) ?? .nothing
        for number in 1... {
            do {
                return try await downloader.download(
                    DownloadRequest(
                        uri: item.uri, possession: possession, byteLimit: staged.byteLimit,
                        timeLimit: settings.timeLimit), into: staged)
            } catch let error as DownloadError where error.mayRetry && number < ArtifactLimits.tries {
                if staged.bytes > 0 { possession = staged.possession }
            }
            try await timekeeper.sleep(for: pauses.next(on: timekeeper))
        }
        throw DownloadError("it was given up")
    }

    private static func copy(
        _ path: String, allowed: [String], to file: String, limit: Int64
    ) throws(LaunchError) -> Int64 {
        guard !allowed.isEmpty else {
            throw LaunchError("this worker reads no files of its machine for jobs (--fetch-dir names directories)")
        }
        guard let real = realpath(path, nil) else { throw FileFailure.launch("cannot read it") }
        defer { free(real) }
        let resolved = String(cString: real)
        guard allowed.contains(where: { HostPath.isInside(resolved, $0) }) else {
            throw LaunchError("this worker reads files of its machine in \(allowed.joined(separator: ", ")) only")
        }
        let source = open(resolved, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard source >= 0 else { throw FileFailure.launch("cannot read it") }
        defer { close(source) }
        var facts = stat()
        guard fstat(source, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
            throw LaunchError("it is not a plain file")
        }
        guard Int64(facts.st_size) <= limit else { throw LaunchError("it is larger than a run may download") }
        try FileCopy.copy(from: source, to: file)
        return Int64(facts.st_size)
    }

    // MARK: Placing

    private func place(
        _ item: ArtifactPlan.Item, file: String, into sandbox: String, unpackedLimit: Int64
    ) async throws -> Int64 {
        guard item.unpacking != .none else {
            try await files.run { try Self.move(file, to: item.path, below: sandbox, isExecutable: item.isExecutable) }
            return 0
        }
        let (tools, unpackings) = (self.tools, self.unpackings)
        let isGivenUp = GiveUp()
        return try await withTaskCancellationHandler {
            try await unpackings.run {
                let target = "\(file).d"
                guard mkdir(target, 0o700) == 0 else {
                    throw FileFailure.launch("cannot make a directory to unpack to")
                }
                try tools.giveAway(target)
                let unpacker = Unpacker(tools: tools, byteLimit: unpackedLimit) { isGivenUp.isSet }
                let bytes = try unpacker.unpack(
                    item.unpacking, archive: file, into: target, scratch: file, name: Self.expandedName(item.path))
                try DirectoryCensus.handOver(
                    target, to: geteuid() == 0 ? DirectoryCensus.Owner(user: 0, group: 0) : nil, isShared: false)
                try DirectoryCensus.merge(target, into: sandbox)
                unlink(file)
                return bytes
            }
        } onCancel: {
            isGivenUp.set()
        }
    }

    private static func move(
        _ file: String, to path: String, below sandbox: String, isExecutable: Bool
    ) throws(LaunchError) {
        var directory = sandbox
        for part in path.split(separator: "/").dropLast() {
            directory += "/\(part)"
            guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
                throw FileFailure.launch("cannot make the directory '\(part)'")
            }
            // An archive may have put a link there: with another one's, it may lead anywhere.
            var facts = stat()
            guard lstat(directory, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR else {
                throw LaunchError("'\(part)' of '\(path.prefix(200))' is no directory in the sandbox")
            }
        }
        guard chmod(file, isExecutable ? 0o700 : 0o600) == 0, rename(file, "\(sandbox)/\(path)") == 0 else {
            throw FileFailure.launch("cannot place '\(path)'")
        }
    }

    /// The last part of the path without its ending.
    private static func expandedName(_ path: String) -> String {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
    }

    private static func size(_ file: String) -> Int64 {
        var facts = stat()
        return stat(file, &facts) == 0 ? Int64(facts.st_size) : 0
    }

    private static func seconds(_ duration: Duration) -> String {
        let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        return "\(Double(milliseconds) / 1000) s"
    }
}

/// Set once, from anywhere.
private final class GiveUp: Sendable {
    private let flag = Atomic<Bool>(false)
    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
}

/// Paths of this machine that an operator permits.
enum HostPath {
    /// - Parameters:
    ///   - path: absolute, without links.
    static func isInside(_ path: String, _ directory: String) -> Bool {
        var directory = directory
        while directory.count > 1, directory.hasSuffix("/") { directory.removeLast() }
        return directory == "/" || path == directory || path.hasPrefix(directory + "/")
    }
}
