import Glibc
import Runtime

/// A process that this one has started and looks after.
///
/// It is started through setpriv, which asks the kernel to send it a signal when this process dies, however that
/// happens, and changes the user where that is wanted. It has a process group of its own, so that a ctrl-C in the
/// terminal reaches this process only, which then ends its children in the right order. Its standard input is empty;
/// its output is read here.
///
/// Confined to the loop's thread, which must be the process's first one (the kernel's signal is sent when the *thread*
/// that started the child ends): that is the reason for `@unchecked Sendable`.
final class ChildProcess: @unchecked Sendable {
    struct Program: Sendable {
        /// A path; children are not looked for in PATH.
        var path: String
        var arguments: [String]
        /// Nil: the user that this process runs as.
        var user: String?
        /// What the kernel sends it if this process dies: a name without "SIG".
        var deathSignal = "TERM"
    }

    enum Ending: Equatable, CustomStringConvertible {
        case exited(Int32)
        case signalled(Int32)

        var description: String {
            switch self {
            case .exited(let status): "exit status \(status)"
            case .signalled(let signal): "signal \(signal)"
            }
        }
    }

    struct StartError: Error, CustomStringConvertible {
        let description: String
    }

    /// How long what a child wrote is waited for after its end (a grandchild may hold the pipe open).
    private static let outputGrace = Duration.milliseconds(200)

    let name: String
    let pid: pid_t
    private(set) var ending: Ending?
    private let loop: EventLoop
    private let ended = WakeUp()
    private var output: Int32
    private var watch: Watch?
    private let outputEnded = WakeUp()
    private let take: @Sendable (ArraySlice<UInt8>?) -> Void

    /// Starts the program.
    /// - Parameters:
    ///   - errorOutput: where standard error goes; nil: to where standard output goes, to `take`.
    ///   - take: gets what the child writes, piece by piece, and nil at the end.
    /// - Throws: `StartError`. That the program itself cannot be executed shows in its ending: status 127.
    init(
        _ name: String, _ program: Program, loop: EventLoop, errorOutput: Int32? = nil,
        take: @escaping @Sendable (ArraySlice<UInt8>?) -> Void
    ) throws {
        self.name = name
        self.loop = loop
        self.take = take
        let pipe = try Self.makePipe()
        do {
            pid = try Self.spawn(Self.words(of: program), output: pipe.write, errorOutput: errorOutput ?? pipe.write)
        } catch {
            close(pipe.read)
            close(pipe.write)
            throw error
        }
        close(pipe.write)
        output = pipe.read
        watch = try loop.watch(output, .read) { [weak self] _ in self?.readOutput() }
    }

    /// The command line of setpriv that becomes the program.
    static func words(of program: Program) -> [String] {
        var words = ["setpriv", "--pdeathsig", program.deathSignal]
        if let user = program.user { words += ["--reuid", user, "--regid", user, "--init-groups"] }
        return words + ["--", program.path] + program.arguments
    }

    /// Sends a signal, unless it has ended and been reaped: then its number may be another process's.
    func send(_ signal: Int32) {
        if ending == nil { kill(pid, signal) }
    }

    /// Waits for its end.
    /// - Throws: `CancellationError`.
    func waitForEnd() async throws -> Ending {
        while true {
            if let ending {
                // Whoever else waits.
                ended.signal()
                _ = try await outputEnded.wait(atMost: Self.outputGrace, on: loop)
                outputEnded.signal()
                return ending
            }
            try await ended.wait()
        }
    }

    /// Ends it: the signal, then SIGKILL if it takes longer than the patience.
    /// - Throws: `CancellationError`.
    func end(_ signal: Int32, patience: Duration) async throws {
        send(signal)
        do {
            _ = try await withDeadline(patience, on: loop, name) { try await self.waitForEnd() }
        } catch is DeadlineExceeded {
            Console.error("\(name) has not ended within \(patience): killing it")
            send(SIGKILL)
            _ = try await waitForEnd()
        }
    }

    /// Looks whether it has ended: to be called on SIGCHLD.
    func reap() {
        var status: Int32 = 0
        guard ending == nil, waitpid(pid, &status, WNOHANG) == pid else { return }
        let signal = status & 0x7F
        ending = signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
        ended.signal()
    }

    // MARK: Output

    private func readOutput() {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(output, &buffer, buffer.count)
            if count > 0 {
                take(buffer[..<count])
            } else if count < 0, errno == EINTR {
                continue
            } else if count < 0, errno == EAGAIN {
                return
            } else {
                watch?.cancel()
                close(output)
                take(nil)
                outputEnded.signal()
                return
            }
        }
    }

    // MARK: Starting

    private static func makePipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw StartError(description: "pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        return (ends[0], ends[1])
    }

    private static func spawn(_ words: [String], output: Int32, errorOutput: Int32) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, errorOutput, STDERR_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own, and neither the blocked signals nor the ignored ones of this process.
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))
        posix_spawnattr_setpgroup(&attributes, 0)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)

        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, words[0], &actions, &attributes, &arguments, environ)
        guard result == 0 else {
            throw StartError(
                description: "cannot start \(words[0]) (package util-linux): \(String(cString: strerror(result)))")
        }
        return pid
    }
}
