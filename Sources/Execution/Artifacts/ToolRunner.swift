import CSpawn
import Glibc
import Runtime
import Synchronization

/// Runs the system's own programs on files of the worker: without a shell, in a directory, with files as their input
/// and output, and never longer or larger than allowed. All calls block, and belong on the fetcher's pool.
final class ToolRunner: Sendable {
    struct Call: Sendable {
        let tool: String
        let arguments: [String]
        /// Working directory.
        let directory: String
        /// Path of the file on its standard input; empty: none.
        var input = ""
        /// Path of the file for its output.
        var output: String
        /// Asked five times a second: a reason to stop it.
        let objection: @Sendable () -> LaunchError?
    }

    private let children: ChildTable
    /// As whom tools run where the worker is root: a number that no user has, nobody's own commands included.
    private let nobody: (user: uid_t, group: gid_t)?

    init(children: ChildTable) {
        self.children = children
        nobody = geteuid() == 0 ? (65_533, 65_533) : nil
    }

    /// Lets a tool write there, and nobody else.
    func giveAway(_ path: String) throws(LaunchError) {
        guard let nobody else { return }
        guard lchown(path, nobody.user, nobody.group) == 0 else {
            throw FileFailure.launch("cannot prepare a directory for unpacking")
        }
    }

    /// - Returns: what it wrote to its standard error, when its status is 0.
    /// - Throws: `LaunchError` with the tool's own words when it is not.
    func run(_ call: Call) throws(LaunchError) {
        let executable: String
        do throws(LaunchError) {
            executable = try ExecutablePath.resolve(call.tool, path: TaskEnvironment.defaultPath)
        } catch {
            throw LaunchError("\(call.tool) is not installed on this worker's machine, which unpacking needs")
        }
        let input = try Self.open(call.input.isEmpty ? "/dev/null" : call.input, O_RDONLY)
        defer { close(input) }
        let output = try Self.open(call.output, O_WRONLY | O_CREAT | O_TRUNC)
        defer { close(output) }
        let complaintPath = call.output + ".err"
        let complaint = try Self.open(complaintPath, O_RDWR | O_CREAT | O_TRUNC)
        defer {
            close(complaint)
            unlink(complaintPath)
        }
        let result = try start(executable, call, input: input, output: output, error: complaint)
        defer { close(result.pidfd) }
        let (end, objection) = wait(for: result, call)
        if let objection { throw objection }
        guard end.code == 0 else {
            let words = Self.text(complaint)
            throw LaunchError("\(call.tool) has failed\(words.isEmpty ? "" : ": \(words)")")
        }
    }

    private func start(
        _ executable: String, _ call: Call, input: Int32, output: Int32, error: Int32
    ) throws(LaunchError) -> cspawn_result {
        var result = cspawn_result()
        let environment = [
            "PATH=\(TaskEnvironment.defaultPath)", "LC_ALL=C.UTF-8", "TAR_OPTIONS=", "UNZIP=",
            // A file's first bytes say how much it takes to expand it: up to 4 GB.
            "XZ_DEFAULTS=--memlimit-decompress=\(ArtifactLimits.expansionMemory)", "XZ_OPT=",
        ]
        children.starting {
            let status = Program(
                executable: executable, arguments: [call.tool] + call.arguments, environment: environment,
                user: nobody.map { UserIdentity(name: "tools", user: $0.user, group: $0.group, groups: [], home: "/") },
                sandbox: call.directory, workingDirectory: "", group: nil
            ).withRequest(input: input, output: output, error: error, noNewPrivileges: true) {
                cspawn_start($0, &result)
            }
            return status == 0 ? result.process : nil
        }
        guard result.error == 0 else {
            throw SpawnFailure.error(step: result.step, number: result.error, executable: executable, user: "tools")
        }
        return result
    }

    private func wait(for child: cspawn_result, _ call: Call) -> (cspawn_end, LaunchError?) {
        var end = cspawn_end()
        var objection: LaunchError?
        while true {
            var poll = pollfd(fd: child.pidfd, events: Int16(POLLIN), revents: 0)
            if Glibc.poll(&poll, 1, 200) > 0 {
                // Not reaped yet, so the group is its own: what it started ends with it.
                kill(-child.process, SIGKILL)
                if cspawn_reap(child.process, &end) != 0 { break }
            }
            if objection == nil { objection = call.objection() }
            if objection != nil { kill(-child.process, SIGKILL) }
        }
        children.remove(child.process)
        return (end, objection)
    }

    /// At least 3, as the child's part needs it.
    private static func open(_ path: String, _ flags: Int32) throws(LaunchError) -> Int32 {
        let opened = Glibc.open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard opened >= 0 else { throw FileFailure.launch("cannot open a file for unpacking") }
        guard opened < 3 else { return opened }
        defer { close(opened) }
        let raised = fcntl(opened, F_DUPFD_CLOEXEC, 3)
        guard raised >= 0 else { throw FileFailure.launch("cannot open a file for unpacking") }
        return raised
    }

    /// The first line or two, without control characters.
    private static func text(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: ArtifactLimits.complaint)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        return String(text.map { $0.isNewline ? " " : $0 }).trimmed
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
