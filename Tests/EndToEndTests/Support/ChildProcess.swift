import Foundation

/// A child of this process. Not Foundation's: that one takes a child for running as long as any other child, started at
/// the same time by another thread, has inherited its descriptors, and here others run for long.
final class ChildProcess {
    let pid: pid_t
    /// As waitpid tells it; nil while the child runs.
    private var status: Int32?

    /// - Parameter descriptors: what becomes its standard input, output and error. Others are to be made close-on-exec.
    init(_ program: String, _ words: [String], environment: [String: String], descriptors: [Int32]) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(target))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var arguments: [UnsafeMutablePointer<CChar>?] = ([program] + words).map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, program, &actions, &attributes, &arguments, &variables)
        guard failure == 0 else {
            throw Cluster.Failure(description: "cannot start \(program): \(String(cString: strerror(failure)))")
        }
        self.pid = pid
    }

    /// What a child reads or writes at its other end. Another child that held it open would keep this one alive:
    /// sockets, unlike pipes, are made close-on-exec in one step.
    static func makePipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw Cluster.Failure(description: "no sockets can be made: \(String(cString: strerror(errno)))")
        }
        return (ends[0], ends[1])
    }

    /// Its end: the exit status, or 128 and the signal's number; nil while it runs.
    func ending() -> Int32? {
        if status == nil {
            var value: Int32 = 0
            if waitpid(pid, &value, WNOHANG) == pid { status = value }
        }
        return status.map { $0 & 0x7F == 0 ? ($0 >> 8) & 0xFF : 128 + ($0 & 0x7F) }
    }

    func send(_ signal: Int32) {
        // Once it has been waited for, its number may be another process's.
        if ending() == nil { kill(pid, signal) }
    }

    @discardableResult
    func waitForEnd(pollMicroseconds: UInt32 = 5_000) -> Int32 {
        while true {
            if let ending = ending() { return ending }
            usleep(pollMicroseconds)
        }
    }
}
