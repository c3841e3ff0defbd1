import CSpawn
import Glibc

/// The descriptors of a command that is being started. Whoever made it closes it; what was taken out of it stays open.
struct PipeSet {
    /// Reading end, writing end.
    private(set) var output: [Int32] = [-1, -1]
    /// The same writing end as the output's, and no reading end, where the two are not told apart.
    private(set) var errors: [Int32] = [-1, -1]
    private let isSeparate: Bool
    /// Nil: the command reads nothing.
    var input: Int32?
    /// Of a run that outlives the worker: both ends of each FIFO, for its supervisor.
    private(set) var held: [Int32] = []

    /// - Parameter user: whom the command runs as, if not as the worker: else `echo >/dev/stderr` would be refused.
    init(separatesErrors: Bool, user: UserIdentity?) throws(LaunchError) {
        isSeparate = separatesErrors
        guard cspawn_pipe(&output) == 0 else { throw FileFailure.launch("cannot make a pipe for the output") }
        if separatesErrors {
            guard cspawn_pipe(&errors) == 0 else {
                let failure = FileFailure.launch("cannot make a pipe for the errors")
                close()
                throw failure
            }
        } else {
            errors[1] = output[1]
        }
        if let user {
            for end in Set([output[1], errors[1]]) { _ = fchown(end, user.user, user.group) }
        }
    }

    /// FIFOs in place of pipes: the next process of the worker can open them again.
    init(in directory: DetachedDirectory, separatesErrors: Bool) throws(LaunchError) {
        isSeparate = separatesErrors
        output = try open(directory.output)
        if separatesErrors { errors = try open(directory.errors) } else { errors[1] = output[1] }
    }

    private mutating func open(_ path: String) throws(LaunchError) -> [Int32] {
        // Held first: who opens the writing end would else wait for a reader.
        let both = Self.raised(Glibc.open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC))
        held.append(both)
        _ = fcntl(both, Self.setPipeSize, Self.pipeSize)
        let ends = [
            Self.raised(Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)),
            Self.raised(Glibc.open(path, O_WRONLY | O_CLOEXEC)),
        ]
        guard both >= 0, !ends.contains(where: { $0 < 0 }) else {
            let failure = FileFailure.launch("cannot open \(path)")
            for end in ends where end >= 0 { Glibc.close(end) }
            close()
            throw failure
        }
        return ends
    }

    /// Numbers below 3 belong to standard streams, even where they are closed.
    private static func raised(_ descriptor: Int32) -> Int32 {
        guard (0..<3).contains(descriptor) else { return descriptor }
        defer { Glibc.close(descriptor) }
        return fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
    }

    /// F_SETPIPE_SZ, which the C library's module does not show; and the most that a user may ask for by default.
    private static let setPipeSize: Int32 = 1031
    private static let pipeSize: Int32 = 1 << 20

    /// The reading ends, which the caller closes; the second is -1 where there is one for both.
    mutating func takeReaders() -> (output: Int32, errors: Int32) {
        defer {
            output[0] = -1
            errors[0] = -1
        }
        return (output[0], errors[0])
    }

    mutating func close() {
        var ends = output + [errors[0], input ?? -1]
        if isSeparate { ends.append(errors[1]) }
        for end in ends + held where end >= 0 { Glibc.close(end) }
        held = []
        output = [-1, -1]
        errors = [-1, -1]
        input = nil
    }
}
