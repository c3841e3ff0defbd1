import CSpawn
import Domain
import Glibc
import JSON
import Timetable

/// A plugin's task, ready to be started: what it reads, finds and executes, and who listens to it.
struct PluginTask: Sendable {
    let plugin: PluginOffer
    let stock: StockPlugin?
    let parameters: PluginParameters
    let job: JSONObject
    let environment: PluginEnvironment
    let channel: PluginChannel
    /// Takes standard error; nil: it goes to the log as it comes.
    let errors: ErrorOutput?
    private let isDetached: Bool

    /// Cronicle's version whose protocol this is, as its plugins ask for it.
    static let protocolVersion = "0.9.129"
    /// As Cronicle's own ends, since shells put it before what they complain of.
    private let scriptName: String

    init(
        _ plugin: PluginOffer, _ order: LaunchOrder, log: OutputLog, sandbox: String,
        now: @escaping @Sendable () -> Instant
    ) throws(LaunchError) {
        self.plugin = plugin
        stock = StockPlugin(rawValue: plugin.plugin.command)
        parameters = try PluginParameters(plugin)
        job = try PluginJob.object(plugin, order, parameters: parameters, logPath: log.path, now: now())
        environment = try PluginEnvironment(
            plugin, job: job, parameters: parameters, sandbox: sandbox, version: Self.protocolVersion)
        isDetached = order.offer.extras?.isDetached ?? false
        scriptName = ".cronicle-script-temp-\(order.offer.attempt.run).sh"
        var grammar = PluginChannel.Grammar()
        if stock == .shell {
            grammar.takesPercent = true
            grammar.takesJSON = parameters.flag("json")
            grammar.annotates = parameters.flag("annotate")
        }
        channel = PluginChannel(log: log, grammar: grammar, now: now)
        errors = stock == .shell ? ErrorOutput(log: log) : nil
    }

    var workingDirectory: String { plugin.plugin.workingDirectory }

    /// What is executed. Writes the shell plugin's script into the sandbox. Blocks.
    func program(
        path: String, sandbox: String, user: UserIdentity?, children: ChildTable
    ) throws(LaunchError) -> (String, [String]) {
        switch stock {
        case .shell:
            let file = "\(sandbox)/\(scriptName)"
            let script = parameters.text("script")
            try children.withoutStarts { () throws(LaunchError) in try Self.writeScript(script, file, user: user) }
            // What names no interpreter is the shell's, as it is to the C library's execvp.
            guard script.utf8.starts(with: "#!".utf8) else {
                return (ExecutablePath.shell, [ExecutablePath.shell, file])
            }
            return (file, [file])
        case .test:
            return (ExecutablePath.shell, [ExecutablePath.shell, "-c", TestPlugin.script(parameters), "test-plugin"])
        case .url: throw LaunchError("the URL plugin is no program")
        case nil:
            let words = try CommandLineWords.split(plugin.plugin.command) { environment[$0] }
            do throws(LaunchError) {
                return (try ExecutablePath.resolve(words[0], path: environment["PATH"] ?? path), words)
            } catch { throw notExecutable(words[0]) }
        }
    }

    /// In Cronicle's words, which its users know.
    /// - Parameter number: why the kernel refused to execute it.
    func notExecutable(_ executable: String, number: Int32 = ENOENT) -> LaunchError {
        if stock == .shell {
            let (words, name) =
                switch number {
                case EACCES: ("Permission denied", "EACCES")
                case ENOEXEC: ("Exec format error", "ENOEXEC")
                default: ("No such file or directory", "ENOENT")
                }
            return LaunchError("Script failed: \(words) (spawn \(executable) \(name))")
        }
        return LaunchError(
            "Child spawn error: \(executable): Child process failed to spawn "
                + "(Check executable location, permissions, or EOL format?)")
    }

    /// Its standard input: the job as one line, and nothing after it. The caller closes it. Blocks.
    func openInput() throws(LaunchError) -> Int32 {
        let line = JSONValue.object(job).serialized() + [UInt8(ascii: "\n")]
        let descriptor = line.withUnsafeBytes { cspawn_text($0.baseAddress, $0.count) }
        guard descriptor >= 0 else { throw FileFailure.launch("cannot make the plugin's standard input") }
        return descriptor
    }

    /// What it told, and how it ended, after its last process has.
    func end(status: ProcessEnd.Status, process: Int32) -> TaskEnd {
        var report = channel.report
        guard stock == .shell else {
            return TaskEnd.of(report, status: status, process: process, isDetached: isDetached)
        }
        var said = JSONObject()
        if let errors, report.values["html"] == nil, let html = errors.html { said["html"] = html }
        if !report.isComplete {
            switch status {
            case .exited(let code):
                said["code"] = .integer(Int64(code))
                said["description"] = .string(code == 0 ? "" : description("Script exited with code: \(code)"))
            case .signalled(let number):
                said["code"] = .string(Self.signalName(number))
                said["description"] = .string(description("Script exited with code: \(Self.signalName(number))"))
            }
        }
        report.add(said)
        var end = TaskEnd.of(report.completed, status: status, process: process, isDetached: isDetached)
        // What the script did is known better than that something was reported.
        switch status {
        case .exited(let code) where code != 0 && !channel.report.isComplete: end.outcome = .exited(code: code)
        case .signalled(let number) where !channel.report.isComplete: end.outcome = .signalled(number)
        default: break
        }
        return end
    }

    /// For the worker's next process. Blocks.
    /// - Parameter isLast: nothing more is read here: also what was read of a line that has not ended.
    /// - Throws: `LaunchError`.
    func save(in files: DetachedDirectory, isLast: Bool) throws(LaunchError) {
        try files.write(Array(channel.report.text.utf8), "report")
        guard isLast else { return }
        try files.write(channel.held, "line")
        if let errors { try files.write(errors.beginning, "error-output") }
    }

    /// What a former process of the worker has saved. Blocks.
    func restore(from files: DetachedDirectory) {
        // Not there, or damaged: what the task tells from now on counts.
        let report = files.read("report").flatMap { try? JSONValue(parsing: $0) }?.objectValue
        channel.resume(report ?? JSONObject(), held: files.read("line") ?? [])
        errors?.resume(files.read("error-output") ?? [])
    }

    private func description(_ text: String) -> String {
        guard let line = errors?.firstLine else { return text }
        return "\(text): \(line)"
    }

    private static func signalName(_ number: Int) -> String {
        let names: [Int32: String] = [
            SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP",
            SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGUSR1: "SIGUSR1",
            SIGSEGV: "SIGSEGV", SIGUSR2: "SIGUSR2", SIGPIPE: "SIGPIPE", SIGALRM: "SIGALRM", SIGTERM: "SIGTERM",
            SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ", SIGSYS: "SIGSYS",
        ]
        return names[Int32(clamping: number)] ?? "SIG\(number)"
    }

    private static func writeScript(_ script: String, _ path: String, user: UserIdentity?) throws(LaunchError) {
        var bytes = Array(script.utf8)
        // A browser's text field ends its lines with two characters, of which the kernel would take one for a part of
        // the interpreter's name.
        if let end = bytes.firstIndex(of: UInt8(ascii: "\n")), end > 0, bytes[end - 1] == UInt8(ascii: "\r") {
            bytes.removeAll { $0 == UInt8(ascii: "\r") }
        }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o700)
        guard descriptor >= 0 else { throw FileFailure.launch("cannot write the script") }
        defer { close(descriptor) }
        // Whatever the umask is.
        guard fchmod(descriptor, 0o700) == 0 else { throw FileFailure.launch("cannot write the script") }
        if let user, fchown(descriptor, user.user, user.group) != 0 {
            throw FileFailure.launch("cannot give the script to '\(user.name)'")
        }
        try FileFailure.write(bytes[...], to: descriptor)
    }
}
