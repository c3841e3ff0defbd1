import Foundation

/// A node or worker as a process that the test can kill, freeze and start again.
final class ClusterProcess {
    let name: String
    let url: String
    /// The command line is made of the wrapper's words, the executable's path, and its own words.
    private let wrapper: [String]
    private let words: [String]
    private var executable: String
    private let logPath: String
    private var guardian: Guardian?

    /// Starts it.
    /// - Parameters:
    ///   - words: what follows `carillon`.
    ///   - wrapper: words of a command that executes those that follow.
    ///   - executable: nil: the one that was built with the tests.
    init(
        _ name: String, url: String, folder: String, words: [String], wrapper: [String] = [], executable: String? = nil
    ) throws {
        self.name = name
        self.url = url
        self.wrapper = wrapper
        self.words = words
        self.executable = executable ?? Executable.path
        logPath = "\(folder)/\(name).log"
        guardian = try Guardian(wrapper + [self.executable] + words, log: logPath)
    }

    var pid: pid_t? { guardian?.pid }

    /// Whether the process is there and not dead yet (a frozen one is).
    var isRunning: Bool { guardian?.isAlive ?? false }

    /// Everything that it has written, over all of its starts.
    var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

    func send(_ signal: Int32) throws {
        guard let guardian, guardian.isAlive else { throw Cluster.Failure(description: "\(name) is not running") }
        Foundation.kill(guardian.pid, signal)
    }

    /// Kills it as a crash would, and waits until it is gone.
    func kill() throws {
        try send(SIGKILL)
        try waitForEnd(within: 10)
    }

    /// Freezes it: connections stay open and nothing answers.
    func freeze() throws { try send(SIGSTOP) }

    func thaw() throws { try send(SIGCONT) }

    /// Asks it to end and waits until it has.
    func stop(within seconds: Double = 20) throws {
        try send(SIGTERM)
        try waitForEnd(within: seconds)
    }

    func waitForEnd(within seconds: Double) throws {
        let end = Date().addingTimeInterval(seconds)
        while isRunning {
            guard Date() < end else { throw Cluster.Failure(description: "\(name) has not ended within \(seconds) s") }
            usleep(Cluster.pollMicroseconds / 4)
        }
    }

    /// Starts it again with the same command line, and another executable if one is given.
    func startAgain(arguments: [String] = [], executable: String? = nil) throws {
        guard !isRunning else { throw Cluster.Failure(description: "\(name) runs already") }
        guardian?.end()
        if let executable { self.executable = executable }
        guardian = try Guardian(wrapper + [self.executable] + words + arguments, log: logPath)
    }

    /// Ends it for good, whatever its state.
    func end() {
        guardian?.end()
        guardian = nil
    }
}

/// A child process and the shell beside it, which kills the child when the pipe to this process closes. As the child's
/// parent the shell also keeps its number from being given to another process until then.
final class Guardian {
    let pid: pid_t
    private let shell: ChildProcess
    /// The writing end of the shell's input; -1 when it is closed.
    private var pipe: Int32

    private static let script = """
        trap '' INT TERM HUP
        log=$1; shift
        "$@" </dev/null >>"$log" 2>&1 3<&- &
        child=$!
        echo $child
        read -r order
        kill -9 $child 2>/dev/null
        wait
        """

    init(_ words: [String], log: String) throws {
        let orders = try ChildProcess.makePipe()
        let answers = try ChildProcess.makePipe()
        defer {
            close(orders.read)
            close(answers.read)
        }
        let nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(nowhere) }
        do {
            // The shell ignores signals, and what is ignored stays so in a child: env makes them count again.
            shell = try ChildProcess(
                "/bin/sh", ["-c", Self.script, "guardian", log, "env", "--default-signal=INT,TERM,HUP"] + words,
                environment: Executable.environment([:]), descriptors: [orders.read, answers.write, nowhere])
        } catch {
            close(orders.write)
            close(answers.write)
            throw error
        }
        close(answers.write)
        pipe = orders.write
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(answers.read, &byte, 1) == 1, byte != 10 { line.append(byte) }
        guard let pid = pid_t(String(decoding: line, as: UTF8.self)) else {
            throw Cluster.Failure(description: "the guardian shell did not start '\(words.first ?? "")'")
        }
        self.pid = pid
    }

    /// A killed child stays as a zombie until the shell ends: it counts as dead.
    var isAlive: Bool {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let state = text[(text.lastIndex(of: ")") ?? text.startIndex)...].dropFirst(2).first
        else { return false }
        return state != "Z" && state != "X"
    }

    func end() {
        guard pipe >= 0 else { return }
        close(pipe)
        pipe = -1
        shell.waitForEnd()
    }

    deinit { end() }
}
