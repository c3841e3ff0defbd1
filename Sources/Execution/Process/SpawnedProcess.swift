import CSpawn
import Domain
import Glibc
import Runtime

/// A command that was started on this machine, with its descendants and its output.
actor SpawnedProcess: RunningProcess {
    nonisolated let identity: ProcessIdentity
    let loop: EventLoop
    let files: BlockingPool
    let children: ChildTable
    let directory: WorkDirectory
    let attempt: AttemptID
    let sandbox: String
    private let grace: Duration
    let group: RunGroup?
    let log: OutputLog
    private let logs: LogSpool
    let task: PluginTask?
    private let whenEnded: @Sendable () -> Void
    private let whenDiscarded: @Sendable () -> Void
    let logOutput: @Sendable (String) -> Void

    var pidfd: Int32
    var watch: Watch?
    var pumps: [OutputPump] = []
    private var toldNews = 0
    var status: ProcessEnd.Status?
    /// From then on what still lives is killed.
    private var killFrom: MonotonicInstant?
    var wasEnded = false
    var outputProblem: String?
    private var isSandboxCleared = false
    var whenExited: CheckedContinuation<Void, Never>?

    /// Nil: it ends with the worker.
    let supervision: Supervision?
    var wasLeft = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    struct Parts: Sendable {
        let identity: ProcessIdentity
        let pidfd: Int32
        let output: Int32
        /// -1: in the same pipe as the output.
        let errors: Int32
        let log: OutputLog
        /// Nil for a command.
        let task: PluginTask?
        let sandbox: String
        let attempt: AttemptID
        let group: RunGroup?
        let supervision: Supervision?
    }

    /// - Parameters:
    ///   - whenEnded: called once when all of it has ended, its output included.
    ///   - whenDiscarded: called once after its sandbox was removed.
    init(
        _ parts: Parts, loop: EventLoop, files: BlockingPool, children: ChildTable, directory: WorkDirectory,
        logs: LogSpool, grace: Duration, log: Log, whenEnded: @escaping @Sendable () -> Void,
        whenDiscarded: @escaping @Sendable () -> Void
    ) {
        identity = parts.identity
        pidfd = parts.pidfd
        attempt = parts.attempt
        sandbox = parts.sandbox
        self.loop = loop
        self.files = files
        self.children = children
        self.directory = directory
        self.grace = grace
        group = parts.group
        supervision = parts.supervision
        self.log = parts.log
        self.logs = logs
        task = parts.task
        self.whenEnded = whenEnded
        self.whenDiscarded = whenDiscarded
        logOutput = { log.warning($0) }
    }

    /// Takes the descriptors over. When the loop refuses them, the command is killed and its end found at once.
    func begin(_ parts: Parts) async {
        var receivers: [(Int32, any OutputReceiver)] = [(parts.output, parts.task?.channel ?? parts.log)]
        if parts.errors >= 0 { receivers.append((parts.errors, parts.task?.errors ?? parts.log)) }
        pumps = receivers.map { descriptor, receiver in
            OutputPump(descriptor: descriptor, receiver: receiver, loop: loop, pool: files) { [weak self] error in
                self?.assumeIsolated { $0.outputFailed(error) }
            }
        }
        do {
            for pump in pumps { try await pump.begin() }
            guard pidfd >= 0 else { return awaitStatus() }
            watch = try loop.watch(pidfd, .read) { [weak self] _ in self?.assumeIsolated { $0.reap() } }
        } catch {
            outputFailed(LaunchError("the worker cannot watch the command: \(error)"))
            guard supervision == nil else { return awaitStatus() }
            // A full pool leaves it running; the next start of the worker ends it.
            _ = try? await files.run { [identity] in
                // Nobody would notice its end.
                kill(-identity.process, SIGKILL)
                var end = cspawn_end()
                while cspawn_reap(identity.process, &end) == 0 { usleep(1000) }
            }
            finish(.signalled(Int(SIGKILL)))
        }
    }

    func ended() async -> ProcessEnd {
        // Not cancellable: somebody must wait for the command in any case.
        if status == nil, !wasLeft { await withCheckedContinuation { whenExited = $0 } }
        if wasLeft { return .left }
        let endedByCommand = !wasEnded
        let wasKilledForMemory = group?.wasKilledForMemory() ?? false
        // What is left of it is as the kernel would have it: gone.
        if wasKilledForMemory { killFrom = loop.monotonicNow }
        let survivors = await endRemains()
        // A pool that is full or shut down: the regular cleaning waits for them.
        if !children.hasNoStrays() { try? await files.run { [children] in children.reapStrays() } }
        var failure: LaunchError?
        for pump in pumps {
            let failed = await pump.end(within: ExecutionLimits.outputEnd)
            failure = failure ?? failed
        }
        bury()
        whenEnded()
        var end = ProcessEnd(
            status: status ?? .signalled(Int(SIGKILL)), wasEnded: !endedByCommand, outputTail: log.tail,
            outputProblem: outputProblem ?? failure?.message)
        if let task {
            // A pool that is shut down: the worker ends, and so does this.
            try? await files.run { try task.channel.finish() }
            end.task = task.end(status: end.status, process: identity.process)
        }
        end.wasKilledForMemory = wasKilledForMemory
        end.survivors = survivors
        end.outputBytes = log.outputBytes
        return end
    }

    func end(grace: Duration) async {
        guard !wasEnded, status == nil else { return }
        wasEnded = true
        killFrom = loop.monotonicNow.advanced(by: grace)
        // Not reaped, so the group is its own. A supervisor reaps on its own account.
        if supervision == nil { kill(-identity.process, SIGTERM) }
        group?.liftQuota()
        loop.start("end \(attempt)") {
            await self.signalMembers(SIGTERM)
            await self.killAfterGrace()
        }
    }

    func conclude(_ footer: String) async {
        let (logs, attempt, directory) = (self.logs, self.attempt, self.directory)
        // A pool that is shut down leaves the log to the next start, which sends it as it is.
        let isCleared = try? await files.run {
            logs.close(attempt, footer: footer)
            // Most sandboxes are empty: one way to the pool will do. What takes longer must not hold up the report.
            return directory.clearSandbox(attempt)
        }
        isSandboxCleared = isCleared ?? false
    }

    func news() async -> String? {
        guard let channel = task?.channel, channel.news != toldNews else { return nil }
        toldNews = channel.news
        await saveTask(isLast: false)
        return channel.report.liveText
    }

    func discard() async {
        let directory = self.directory
        let attempt = self.attempt
        let record = supervision?.directory
        let isCleared = isSandboxCleared
        var isRemoved: Bool? = true
        if record != nil || !isCleared {
            // A pool that is shut down leaves the sandbox to the next start, which removes it.
            isRemoved = try? await files.run {
                record?.remove()
                return isCleared || directory.removeSandbox(attempt)
            }
        }
        // It has seen by now that its directory is gone, or the next look finds it.
        if supervision != nil { children.reapAbandoned() }
        if isRemoved == false {
            logOutput("the working directory of \(attempt) could not be removed")
        }
        whenDiscarded()
    }

    private func killAfterGrace() async {
        while status == nil, let killFrom {
            let now = loop.monotonicNow
            if now >= killFrom {
                // The group at once, so that nothing in it can outrun the list; then all others.
                if supervision == nil { kill(-identity.process, SIGKILL) }
                if group == nil { await signalMembers(SIGKILL) } else { await killGroup() }
                // Again, for those that were born while the list was made.
                try? await loop.sleep(for: .milliseconds(100))
            } else {
                try? await loop.sleep(for: min(now.duration(to: killFrom), .milliseconds(200)))
            }
        }
    }

    /// While the command has not been reaped.
    private func signalMembers(_ number: Int32) async {
        let command = identity.process
        let sandbox = self.sandbox
        let children = self.children
        // Fails when the pool is full or shut down: the next round, or the group's own signal, must do.
        let members = try? await files.run { [group, supervision, identity] in
            Self.known(by: group, supervision, identity, sandbox)
                ?? ProcessTree.members(command: command, sandbox: sandbox, children: children)
        }
        // Reaped meanwhile: its number is free, and what is left is found by `endRemains`.
        guard status == nil else { return }
        // The command's group has its TERM already; a handler that counts them need not get two.
        let isTold = number == SIGTERM && supervision == nil
        for member in members ?? [] where !isTold || member.group != command { member.signal(number) }
    }

    /// What lives of the run; nil where it has neither a group nor a supervisor to tell. Blocks.
    private static func known(
        by group: RunGroup?, _ supervision: Supervision?, _ command: ProcessIdentity, _ sandbox: String
    ) -> [ProcessMember]? {
        if let group { return group.members() }
        return supervision.map {
            ProcessTree.supervised(command, sandbox: sandbox, supervisor: $0.supervisor)
        }
    }

    private func killGroup() async {
        // Fails when the pool is full or shut down: the next round must do.
        try? await files.run { [group] in group?.kill() }
    }

    /// After the command's end its descendants are ended as well: TERM once each, KILL after the grace.
    /// - Returns: how many could not be ended.
    private func endRemains() async -> Int {
        // The usual case, and one small read.
        if let group, group.isEmpty() { return 0 }
        group?.noteUse(microseconds: nil)
        if group == nil, supervision == nil, children.hasNoStrays() { return 0 }
        let command = identity.process
        let sandbox = self.sandbox
        let children = self.children
        var killFrom = self.killFrom ?? loop.monotonicNow.advanced(by: grace)
        killFrom = min(killFrom, loop.monotonicNow.advanced(by: grace))
        let giveUp = max(killFrom, loop.monotonicNow).advanced(by: ExecutionLimits.afterKill)
        var asked: Set<ProcessMember> = []
        var pause = Duration.milliseconds(5)
        while true {
            // Fails when the pool is full or shut down: what is left is then left to the next start of the worker.
            let remains = try? await files.run { [group, supervision, identity] in
                Self.known(by: group, supervision, identity, sandbox)
                    ?? ProcessTree.remains(command: command, sandbox: sandbox, children: children)
            }
            guard let remains, !remains.isEmpty else { return 0 }
            let now = loop.monotonicNow
            if now >= giveUp {
                logOutput("\(remains.count) processes of \(attempt) do not end, although they were killed")
                return remains.count
            }
            if now >= killFrom { await killGroup() }
            for member in remains {
                if now >= killFrom {
                    member.signal(SIGKILL)
                } else if asked.insert(member).inserted {
                    member.signal(SIGTERM)
                }
            }
            // Nobody cancels the task of a try.
            try? await loop.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(100))
        }
    }

    private func reap() {
        guard supervision == nil else { return awaitStatus() }
        var end = cspawn_end()
        let answer = cspawn_reap(identity.process, &end)
        guard answer != 0 else { return }
        if answer > 0 { group?.noteUse(microseconds: end.processor_time) }
        // -1: somebody else has waited for it, and how it ended is lost. That must not happen, and must not hang.
        if answer < 0 { logOutput("the exit status of \(attempt) was lost") }
        let signalled = answer < 0 ? Int(SIGKILL) : Int(end.signal_number)
        finish(signalled > 0 ? .signalled(signalled) : .exited(code: Int(end.code)))
    }

    func finish(_ status: ProcessEnd.Status) {
        self.status = status
        watch?.cancel()
        watch = nil
        if pidfd >= 0 { close(pidfd) }
        pidfd = -1
        children.remove(identity.process)
        whenExited.take()?.resume()
    }

    func outputFailed(_ error: LaunchError) {
        guard outputProblem == nil else { return }
        outputProblem = error.message
        loop.start("end \(attempt)") { await self.end(grace: self.grace) }
    }
}
