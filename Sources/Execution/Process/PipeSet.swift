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
        for end in ends where end >= 0 { Glibc.close(end) }
        output = [-1, -1]
        errors = [-1, -1]
        input = nil
    }
}
