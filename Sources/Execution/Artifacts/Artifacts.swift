// Artifacts: what a run wants in its working directory before its command starts.
//
//     offer ─► ArtifactPlan ─► download (cache, resume, limits) ─► unpack ─► into the sandbox ─► handed to the user
//
// Invariants
// - Nothing but this worker can reach the sandbox until everything is in it and has been given to the run's user: so
//   no link that somebody plants can lead a write astray. Paths come from `Artifact.path()`, which knows no `..`.
// - Bytes and time are bounded for each run, and transfers at once for the worker. Redirects and addresses are the
//   downloader's to judge, who connects.
// - An archive is unpacked by the system's tools, without a shell, as a user of no rights where the worker is root,
//   in a directory of its own; what comes out is looked through before it goes anywhere: devices, anything with
//   two names, and links that lead out of the archive are refused.
// - No file is put through a link: of two archives each may be harmless, and both together not.
// - What is kept (`cache`) is known by its whole address and by what the server says of its version, which is
//   asked each time. A run gets a copy.
//
// A fetch that fails fails the run with its reason; one that is cancelled leaves nothing behind.
//
// It refuses to know: HTTP, FTP, sockets. `Downloader` is the port.

import Domain

/// Bounds and places of a worker's downloads.
public struct ArtifactSettings: Sendable, Hashable {
    /// Bytes that one run may download.
    public var byteLimit: Int64 = 1 << 30
    /// Bytes that its archives may become.
    public var unpackedLimit: Int64 = 4 << 30
    /// For all of a run's artifacts, unpacking included.
    public var timeLimit: Duration = .seconds(600)
    /// Bytes of what is kept for later runs; 0: nothing is.
    public var cacheLimit: Int64 = 2 << 30
    /// Directories of this machine that `file://` may read from; none: it is refused.
    public var fileDirectories: [String] = []

    public init() {}
}

enum ArtifactLimits {
    /// Transfers of a worker at once; others wait, within their time.
    static let transfers = 8
    /// Tools at once.
    static let tools = 2
    /// Times that one artifact is tried, resumed where the server can.
    static let tries = 4
    /// Files and directories in one archive.
    static let entries = 100_000
    /// Bytes of the list of an archive's contents, and of a tool's complaint that is shown.
    static let listing = 32 * 1024 * 1024
    static let complaint = 500
    /// Bytes of memory for expanding one file; the strongest preset of xz wants 65 MB.
    static let expansionMemory = 256 * 1024 * 1024
    static let copyChunk = 1 << 20
}

/// Gets one file from elsewhere.
public protocol Downloader: Sendable {
    /// One transfer. What has come is in the sink, also when it breaks off.
    /// - Throws: `DownloadError`; `CancellationError`.
    func download(_ request: DownloadRequest, into sink: any DownloadSink) async throws -> DownloadResult
}

public struct DownloadRequest: Sendable {
    /// What the caller has of it already.
    public enum Possession: Sendable, Hashable {
        case nothing
        /// The first bytes of the version that the validator names: only the rest is wanted.
        case part(bytes: Int64, validator: String)
        /// All of that version: it is wanted only if there is another one by now.
        case copy(validator: String)
    }

    public let uri: String
    public let possession: Possession
    /// A longer file is an error.
    public let byteLimit: Int64
    public let timeLimit: Duration
}

/// Takes what comes.
public protocol DownloadSink: Sendable {
    /// Before the first byte, once for each transfer.
    /// - Parameters:
    ///   - isContinuation: what comes follows the part that the caller has; otherwise it is the whole file.
    ///   - validator: names this version of the file, in the downloader's own terms; nil where the server says nothing.
    func begin(isContinuation: Bool, validator: String?) async throws
    func write(_ bytes: [UInt8]) async throws
}

public enum DownloadResult: Sendable, Hashable {
    /// - Parameter validator: where it is only known at the end.
    case complete(validator: String?)
    /// The caller's copy is what the server has.
    case unchanged
}

public struct DownloadError: Error, Sendable, CustomStringConvertible {
    /// For people, without secrets of the address.
    public let message: String
    /// Another try may do better.
    public let mayRetry: Bool
    public init(_ message: String, mayRetry: Bool = false) {
        self.message = message
        self.mayRetry = mayRetry
    }
    public var description: String { message }
}

extension Offer {
    /// Whether something must be fetched or pulled before its start, which may take long and can be broken off.
    var needsPreparation: Bool {
        if let extras, extras.container != nil || !extras.artifacts.isEmpty { return true }
        return commandURL != nil
    }

    /// Nil for plugins: their commands are the administrator's.
    var commandURL: CommandURL? { extras?.plugin == nil ? CommandURL(command: command) : nil }
}
