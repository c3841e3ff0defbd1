import CSpawn
public import Domain
import Glibc
public import Runtime
import Synchronization
import Timetable

/// How commands are run on this machine.
public struct SpawnSettings: Sendable {
    /// Absolute path; belongs to this worker alone.
    public var workDirectory: String
    /// PATH of commands.
    public var path: String
    /// Bytes of a run's output that are kept.
    public var logLimit = 16 * 1024 * 1024
    /// Logs of ended runs that no node has stored yet: so many, and so long.
    public var keptLogs = 50_000
    public var keptLogAge: Duration = .seconds(7 * 86_400)
    /// For processes that a command leaves behind when it ends.
    public var remainsGrace: Duration = .seconds(10)
    /// Set-user-id programs (sudo, ping) give a command no rights.
    public var noNewPrivileges = true
    /// Hard limits by control groups.
    public var groups = ControlGroupSettings()
    /// All runs outlive the worker's process, not only detached ones.
    public var supervisesAll = false
    /// Processes and threads of a run whose job names no lower limit; 0: any number.
    public var processLimit: Int64 = 4_096

    public init(workDirectory: String) {
        self.workDirectory = workDirectory
        path = TaskEnvironment.defaultPath
    }
}

/// Starts commands as processes of this machine.
public final class SpawnLauncher: ProcessLauncher {
    let settings: SpawnSettings
    let directory: WorkDirectory
    let loop: EventLoop
    let log: Log
    private let http: (any TaskHTTP)?
    let children = ChildTable.ofThisProcess
    /// What tries have written, while they run and until it is stored.
    public let logs: LogSpool
    let groups: ControlGroups?
    let meter: UsageMeter
    /// What this machine lets the worker enforce.
    public let capabilities: GroupCapabilities
    /// Open for the whole life, for every command's standard input.
    private let null: Int32
    let machineBoot = HostFacts.bootID
    /// The worker's own user, for commands that change to none.
    private let own = UserIdentity.own()
    let active = Mutex<Set<AttemptID>>([])
    /// Directories of detached runs of a former process, found at the start.
    let leftRecords: [String]
    /// Sandboxes of a former process, found at the start.
    private let leftSandboxes: [String]
    /// A start blocks until the kernel has executed the program: 60 to 400 µs.
    private let spawns = BlockingPool(threads: 2, queueLimit: 65_536)
    let files = BlockingPool(threads: 2, queueLimit: 65_536)

    /// Makes this process the reaper of its descendants, and the directories below the work directory.
    /// - Throws: `LaunchError`.
    /// - Parameter http: for the URL plugin; nil: there is none.
    public init(
        _ settings: SpawnSettings, loop: EventLoop, http: (any TaskHTTP)? = nil, log: Log = Log("launcher")
    ) throws(LaunchError) {
        self.settings = settings
        self.http = http
        self.loop = loop
        self.log = log
        directory = try WorkDirectory(root: settings.workDirectory)
        leftSandboxes = directory.sandboxNames()
        leftRecords = directory.detachedNames()
        logs = LogSpool(directory: directory, limit: settings.logLimit, timekeeper: loop)
        meter = UsageMeter(children: children)
        (groups, capabilities) = ControlGroups.detect(settings.groups, owner: directory.mark)
        // At least 3, as the child's part needs it, even where standard descriptors are closed.
        let opened = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else { throw FileFailure.launch("cannot open /dev/null") }
        null = fcntl(opened, F_DUPFD_CLOEXEC, 3)
        close(opened)
        guard null >= 0 else { throw FileFailure.launch("cannot open /dev/null") }
        if cspawn_become_subreaper() != 0 {
            log.warning(
                "cannot become the reaper of descendants: daemons that a command leaves behind will not be found")
        }
        for lack in capabilities.lacks { log.warning("hard limits: \(lack)") }
    }

    deinit { close(null) }

    /// At the worker's end: removes what it has made of control groups, except those in which something runs.
    public func shutDown() { groups?.removeIdle() }

    /// For tests that look behind it.
    var controlGroups: ControlGroups? { groups }

    public func launch(_ order: LaunchOrder) async throws(LaunchError) -> any RunningProcess {
        let attempt = order.offer.attempt
        active.withLock { _ = $0.insert(attempt) }
        if let plugin = order.offer.extras?.plugin, StockPlugin(rawValue: plugin.plugin.command) == .url {
            return try await launchURL(plugin, order)
        }
        let parts: SpawnedProcess.Parts
        do {
            parts = try await spawns.run { try self.start(order) }
        } catch {
            active.withLock { _ = $0.remove(attempt) }
            throw (error as? LaunchError) ?? LaunchError("the command was not started: \(error)")
        }
        return await look(after: parts)
    }

    /// From its start, or from its adoption.
    func look(after parts: SpawnedProcess.Parts) async -> SpawnedProcess {
        let attempt = parts.attempt
        let process = SpawnedProcess(
            parts, loop: loop, files: files, children: children, directory: directory, logs: logs,
            grace: settings.remainsGrace, log: log,
            whenEnded: { [meter, groups] in
                meter.remove(attempt)
                if let group = parts.group { groups?.giveBack(group) }
            }, whenDiscarded: { [weak self] in self?.active.withLock { _ = $0.remove(attempt) } })
        meter.add(
            UsageMeter.Subject(
                attempt: attempt, command: parts.identity.process, sandbox: parts.sandbox, group: parts.group,
                log: parts.log))
        await process.begin(parts)
        return process
    }

    private func launchURL(
        _ plugin: PluginOffer, _ order: LaunchOrder
    ) async throws(LaunchError) -> any RunningProcess {
        let attempt = order.offer.attempt
        let task: URLTask
        do {
            guard let http else { throw LaunchError("this worker has no HTTP client for the URL plugin") }
            let (loop, files, logs) = (self.loop, self.files, self.logs)
            let (log, request) = try await files.run {
                try self.beginningLog(of: order) { log throws(LaunchError) in
                    let parameters = try PluginParameters(plugin)
                    let job = try PluginJob.object(
                        plugin, order, parameters: parameters, logPath: log.path,
                        now: Instant(microseconds: loop.wallMicroseconds))
                    return (log, try URLPlugin(parameters, job: job))
                }
            }
            task = URLTask(
                attempt, request, http: http, log: log, logs: logs, pool: files, loop: loop,
                whenDiscarded: { [weak self] in self?.active.withLock { _ = $0.remove(attempt) } })
        } catch {
            active.withLock { _ = $0.remove(attempt) }
            throw (error as? LaunchError) ?? LaunchError("the request was not sent: \(error)")
        }
        await task.begin()
        return task
    }

    public func sample() async -> [UsageSample] {
        let meter = self.meter
        // A pool that is full or shut down: the next look will do.
        return (try? await files.run { meter.sample() }) ?? []
    }

    /// Keeps the sandbox and the log of a try that is being prepared, or that somebody else runs.
    func hold(_ attempt: AttemptID) { active.withLock { _ = $0.insert(attempt) } }

    func release(_ attempt: AttemptID) { active.withLock { _ = $0.remove(attempt) } }

    var held: Set<AttemptID> { active.withLock { $0 } }

    public func endSurvivors(_ survivors: [Survivor], grace: Duration) async -> [AttemptID: String] {
        let directory = self.directory
        let boot = machineBoot
        let killFrom = loop.monotonicNow.advanced(by: grace)
        let giveUp = killFrom.advanced(by: ExecutionLimits.afterKill)
        var asked: Set<ProcessMember> = []
        while loop.monotonicNow < giveUp {
            // Fails by cancellation only: the rest is left to the next start.
            let left = try? await files.run {
                survivors.flatMap { survivor in
                    let process = survivor.process.flatMap { $0.machineBoot == boot ? $0 : nil }
                    return ProcessTree.survivors(
                        process: process, sandbox: directory.sandbox(survivor.attempt))
                }
            }
            guard let left, !left.isEmpty else { break }
            let mustKill = loop.monotonicNow >= killFrom
            for member in left {
                if mustKill { member.signal(SIGKILL) } else if asked.insert(member).inserted { member.signal(SIGTERM) }
            }
            // A cancelled start of the worker leaves the rest to the next one.
            guard (try? await loop.sleep(for: .milliseconds(50))) != nil else { break }
        }
        let running = Set(active.withLock { $0 }.map(directory.sandboxName))
        // Fails by cancellation only; reports go without the ends of their logs then.
        let now = Instant(microseconds: loop.wallMicroseconds)
        let adopted = active.withLock { $0 }
        let tails = try? await files.run { [leftSandboxes, leftRecords, logs] in
            var tails: [AttemptID: String] = [:]
            for survivor in survivors {
                tails[survivor.attempt] = OutputLog.tail(path: directory.logPath(survivor.attempt))
            }
            let footer = LogText.footer(
                isSuccess: false, description: "the worker restarted while the command ran", now: now)
            logs.recover(
                except: adopted,
                footers: Dictionary(survivors.map { ($0.attempt, footer) }, uniquingKeysWith: { first, _ in first }))
            for name in leftSandboxes where !running.contains(name) { directory.removeSandbox(named: name) }
            for name in leftRecords where !running.contains(name) { directory.detached(named: name).remove() }
            return tails
        }
        // Whatever they have left that no sign of theirs was found on.
        try? await files.run { [groups, children] in
            groups?.removeLeftovers()
            children.reapStrays()
        }
        return tails ?? [:]
    }

    public func freeDisk() async -> Double {
        let root = directory.root
        // Unknown counts as none, which is what a leader should think of a disk that does not answer.
        return (try? await files.run { Double(HostFacts.freeDiskMegabytes(root) ?? 0) }) ?? 0
    }

    public func tidy() async {
        let held = active.withLock { $0 }
        let now = loop.wallMicroseconds / 1_000_000
        let (directory, settings, children, groups) = (self.directory, self.settings, self.children, self.groups)
        // A pool that is shut down has nothing left to tidy.
        try? await files.run {
            children.reapStrays()
            groups?.tidy()
            directory.pruneLogs(
                except: held, count: settings.keptLogs, age: settings.keptLogAge, now: now)
        }
    }

    /// Microseconds to wait after a program was found open for writing, as it is for moments while somebody writes it
    /// and another command is just being started, which inherits the descriptor until it is executed.
    private static let busyPauses: [UInt32] = [1_000, 5_000, 20_000, 100_000, 0]

    // MARK: On the pool

    private func command(of offer: Offer) throws(LaunchError) -> (String, [String]) {
        if offer.shell { return (ExecutablePath.shell, [ExecutablePath.shell, "-c", offer.command]) }
        return (try ExecutablePath.resolve(offer.command, path: settings.path), [offer.command] + offer.arguments)
    }

    private func start(_ order: LaunchOrder) throws(LaunchError) -> SpawnedProcess.Parts {
        try beginningLog(of: order) { log throws(LaunchError) in try start(order, log: log) }
    }

    /// Opens the log with its header. Where the body fails, the log says why, and is closed.
    private func beginningLog<T>(
        of order: LaunchOrder, _ body: (OutputLog) throws(LaunchError) -> T
    ) throws(LaunchError) -> T {
        let log = try logs.open(order.offer.attempt)
        do throws(LaunchError) {
            try log.annotate(LogText.header(order, now: Instant(microseconds: loop.wallMicroseconds)))
            return try body(log)
        } catch {
            logs.close(
                order.offer.attempt,
                footer: LogText.footer(
                    isSuccess: false, description: error.message, retry: LogText.Retry(order.offer),
                    now: Instant(microseconds: loop.wallMicroseconds)))
            throw error
        }
    }

    private func start(_ order: LaunchOrder, log: OutputLog) throws(LaunchError) -> SpawnedProcess.Parts {
        let offer = order.offer
        let extras = offer.extras ?? .none
        var user: UserIdentity? = order.user.isEmpty ? nil : try UserIdentity.named(order.user)
        if !extras.group.isEmpty { user = try (user ?? own).inGroup(extras.group) }
        let shown = user ?? own
        let sandbox =
            order.isSandboxReady
            ? directory.sandbox(offer.attempt) : try directory.makeSandbox(offer.attempt, owner: user)
        var group: RunGroup?
        do throws(LaunchError) {
            group = try groups?.take(
                GroupLimits(offer.resources, extras.limits, processes: settings.processLimit))
            let loop = self.loop
            let task = try extras.plugin.map { plugin throws(LaunchError) in
                try PluginTask(plugin, order, log: log, sandbox: sandbox) {
                    Instant(microseconds: loop.wallMicroseconds)
                }
            }
            let (executable, arguments) =
                if let task {
                    try task.program(path: settings.path, sandbox: sandbox, user: user, children: children)
                } else {
                    try command(of: offer)
                }
            let environment = TaskEnvironment(
                offer: offer, hostName: order.hostName, sandbox: sandbox, userName: shown.name, home: shown.home,
                path: settings.path, plugin: task?.environment)
            for note in order.notes + environment.notes { try log.write(Array("\(note)\n".utf8)) }
            let ownDirectory = extras.workingDirectory.isEmpty ? task?.workingDirectory : nil
            let program = Program(
                executable: executable, arguments: arguments, environment: environment.entries, user: user,
                sandbox: sandbox, workingDirectory: ownDirectory ?? extras.workingDirectory, group: group)
            return try execute(program, order: order, log: log, task: task)
        } catch {
            if let group { groups?.giveBack(group) }
            _ = directory.removeSandbox(offer.attempt)
            throw error
        }
    }

    func outlivesWorker(_ offer: Offer) -> Bool { settings.supervisesAll || offer.extras?.isDetached == true }

    private func execute(
        _ program: Program, order: LaunchOrder, log: OutputLog, task: PluginTask?
    ) throws(LaunchError) -> SpawnedProcess.Parts {
        let record = outlivesWorker(order.offer) ? directory.detached(order.offer.attempt) : nil
        var pipes = try makePipes(program, order, record, separatesErrors: task != nil)
        if let task { pipes.input = try task.openInput() }
        defer { pipes.close() }
        var result = cspawn_result()
        var supervised = cspawn_supervised()
        for pause in Self.busyPauses {
            children.starting {
                let status = program.withRequest(
                    input: pipes.input ?? null, output: pipes.output[1], error: pipes.errors[1],
                    noNewPrivileges: settings.noNewPrivileges
                ) { request in
                    guard let record else { return cspawn_start(request, &result) }
                    return record.supervise(request, held: pipes.held, &result, &supervised)
                }
                return status == 0 ? (record == nil ? result.process : supervised.supervisor) : nil
            }
            guard result.error == ETXTBSY else { break }
            usleep(pause)
        }
        guard result.error == 0 else {
            record?.remove()
            if UInt32(bitPattern: result.step) == CSPAWN_STEP_CONTROL_GROUP.rawValue { program.group?.spoil() }
            if let task, task.stock != .test, UInt32(bitPattern: result.step) == CSPAWN_STEP_EXECUTE.rawValue,
                [ENOENT, EACCES, ENOEXEC].contains(result.error)
            {
                throw task.notExecutable(program.executable, number: result.error)
            }
            throw SpawnFailure.error(
                step: result.step, number: result.error, executable: program.executable,
                user: program.user?.name ?? UserIdentity.own().name)
        }
        let readers = pipes.takeReaders()
        return SpawnedProcess.Parts(
            identity: ProcessIdentity(
                process: result.process,
                // A supervised one may have ended and be gone.
                startTime: record == nil ? Self.member(result.process).startTime : supervised.start_time,
                machineBoot: machineBoot), pidfd: result.pidfd, output: readers.output,
            errors: readers.errors, log: log, task: task, sandbox: program.sandbox, attempt: order.offer.attempt,
            group: program.group,
            supervision: record.map { record in
                Supervision(
                    directory: record, supervisor: Self.member(supervised.supervisor), isOwnChild: true)
            })
    }

    private static func member(_ process: pid_t) -> ProcessMember {
        var facts = cspawn_process()
        // A child cannot have vanished: nobody has waited for it.
        _ = cspawn_read_process(process, &facts)
        return ProcessMember(process: process, startTime: facts.start_time, group: facts.group)
    }

    private func makePipes(
        _ program: Program, _ order: LaunchOrder, _ record: DetachedDirectory?, separatesErrors: Bool
    ) throws(LaunchError) -> PipeSet {
        guard let record else { return try PipeSet(separatesErrors: separatesErrors, user: program.user) }
        try directory.makeDetached()
        try record.make(separatesErrors: separatesErrors, user: program.user)
        do throws(LaunchError) {
            var facts = DetachedRecord(
                offer: order.offer, user: order.user, startedAt: Instant(microseconds: loop.wallMicroseconds),
                machineBoot: machineBoot, group: program.group?.name ?? "")
            facts.groupKills = program.group?.killsBefore ?? 0
            try record.write(facts)
            return try PipeSet(in: record, separatesErrors: separatesErrors)
        } catch {
            record.remove()
            throw error
        }
    }
}
