import Glibc
import Runtime
import Synchronization

/// A file that is being downloaded: bounded, written on a pool, and continued where a transfer broke off.
final class StagedFile: DownloadSink {
    private struct State {
        var descriptor: Int32
        var bytes: Int64 = 0
        var validator: String?
    }

    let path: String
    let byteLimit: Int64
    private let pool: BlockingPool
    private let state: Mutex<State>

    /// Blocks.
    init(path: String, byteLimit: Int64, pool: BlockingPool) throws(LaunchError) {
        self.path = path
        self.byteLimit = byteLimit
        self.pool = pool
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw FileFailure.launch("cannot make a file for the download") }
        state = Mutex(State(descriptor: descriptor))
    }

    deinit {
        state.withLock { if $0.descriptor >= 0 { close($0.descriptor) } }
    }

    var bytes: Int64 { state.withLock { $0.bytes } }
    var validator: String? { state.withLock { $0.validator } }

    /// What the next try may leave out.
    var possession: DownloadRequest.Possession {
        state.withLock { state in
            guard state.bytes > 0, let validator = state.validator else { return .nothing }
            return .part(bytes: state.bytes, validator: validator)
        }
    }

    func begin(isContinuation: Bool, validator: String?) async throws {
        try await pool.run { [self] in
            try state.withLock { state in
                if let validator { state.validator = validator }
                guard !isContinuation else { return }
                state.validator = validator
                guard ftruncate(state.descriptor, 0) == 0, lseek(state.descriptor, 0, SEEK_SET) == 0 else {
                    throw DownloadError(FileFailure.launch("cannot begin anew").message)
                }
                state.bytes = 0
            }
        }
    }

    func write(_ bytes: [UInt8]) async throws {
        try await pool.run { [self] in
            let failure = state.withLock { state -> DownloadError? in
                guard Int64(bytes.count) <= byteLimit - state.bytes else {
                    return DownloadError(
                        "it is larger than what this worker allows a run to download (\(byteLimit) bytes)")
                }
                do throws(LaunchError) { try FileFailure.write(bytes[...], to: state.descriptor) } catch {
                    return DownloadError(error.message)
                }
                state.bytes += Int64(bytes.count)
                return nil
            }
            if let failure { throw failure }
        }
    }
}
