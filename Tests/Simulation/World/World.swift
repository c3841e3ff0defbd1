import Coordination
import Domain
import Runtime

/// One simulated cluster.
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
final class World: @unchecked Sendable {
    let options: Options
    let engine: Engine
    let network: Network
    let checker: Checker
    let database: Database
    let constants = ElectionConstants()
    let policy: SchedulingPolicy
    let nodeHosts: [Host]
    let workerHosts: [Host]
    let client: SimulationExecutor
    private(set) var executors: [SimulationExecutor]
    private var machines: [String: WorkerMachine] = [:]
    private var mainTasks: [Int: Task<Void, Never>] = [:]
    private var stopping: Set<Int> = []

    struct Options: Sendable {
        var seed: UInt64
        var bugs: PlantedBugs = []
        /// Nil: all.
        var traceLimit: Int? = 400
        /// No faults at all.
        var isCalm = false
        /// No other fault than that the leader is stopped after so many more steps, for so long.
        var stoppedLeader: StoppedLeader?
        var nodes = 3
        var workers = 3
        var logLevel = Log.Level.info
    }

    struct StoppedLeader: Sendable {
        /// Jobs of the executor: each ends where the code awaits something.
        var afterJobs: Int
        var time: Duration
    }

    init(_ options: Options) {
        self.options = options
        engine = Engine(seed: options.seed, traceLimit: options.traceLimit)
        network = Network(engine: engine)
        checker = Checker(engine: engine)
        var chance = SeededGenerator(seed: options.seed, stream: 4)
        func host(_ name: String) -> Host {
            Host(
                name: name, uptime: UInt64(chance.number(1...1_000_000)) * 1_000_000_000,
                clockOffset: Int64(chance.number(-20_000...20_000)))
        }
        let server = SimulationExecutor(
            engine: engine, host: host(Database.hostName), name: Database.hostName, number: 0)
        client = SimulationExecutor(engine: engine, host: host("client"), name: "client", number: 1)
        executors = [server, client]
        database = Database(
            engine: engine, network: network, executor: server, bugs: options.bugs, checker: checker,
            idleTimeout: constants.idleSession)
        nodeHosts = (1...options.nodes).map { host("n\($0)") }
        workerHosts = (1...options.workers).map { host("w\($0)") }
        var policy = SchedulingPolicy()
        policy.retryDelay = .seconds(1)
        self.policy = policy
        for (number, worker) in workerHosts.enumerated() {
            machines[worker.name] = WorkerMachine(
                capacity: Resources(cpus: 4, memory: 8_192, disk: 16_384),
                disk: SimulatedDisk(engine: engine, number: number))
        }
        checker.world = self
    }

    func host(at url: String) -> Host? { (nodeHosts + workerHosts).first { $0.url == url } }
    func machine(_ host: Host) -> WorkerMachine? { machines[host.name] }

    func makeExecutor(_ host: Host, name: String) -> SimulationExecutor {
        let executor = SimulationExecutor(engine: engine, host: host, name: name, number: executors.count)
        executors.append(executor)
        return executor
    }

    /// What production code logs becomes part of the trace, without the time, which is not ours.
    func log(_ executor: SimulationExecutor) -> Log {
        let (engine, name) = (engine, executor.name)
        return Log(
            "log", minimum: options.logLevel,
            write: { line in
                engine.note(name, String(decoding: line.dropFirst(25).dropLast(), as: UTF8.self))
            })
    }

    // MARK: Processes

    func startNode(_ host: Host) {
        guard host.node == nil else { return }
        let node = SimulatedNode(world: self, host: host)
        host.node = node
        engine.note(node.executor.name, "starts")
        mainTasks[node.executor.number] = node.executor.start("main") { [self] in
            await node.run()
            ended(node.executor)
        }
    }

    func startWorker(_ host: Host) {
        guard host.worker == nil, let machine = machines[host.name] else { return }
        let worker = SimulatedWorker(world: self, host: host, machine: machine)
        host.worker = worker
        engine.note(worker.executor.name, "starts")
        mainTasks[worker.executor.number] = worker.executor.start("main") { [self] in
            await worker.run()
            ended(worker.executor)
        }
    }

    /// Ends the process on the host at once.
    /// - Parameter losingPower: the whole machine goes: nobody is told that connections have ended.
    func kill(_ host: Host, losingPower: Bool) {
        guard let executor = host.executor else { return }
        engine.note(executor.name, losingPower ? "loses power" : "is killed")
        executor.kill()
        forgetProcess(of: host)
        if losingPower { machines[host.name]?.disk.losePower() } else { closeConnections(of: executor) }
    }

    /// Asks the process to end, as SIGTERM does.
    func stop(_ host: Host) {
        guard let executor = host.executor else { return }
        engine.note(executor.name, "is stopped")
        guard stopping.insert(executor.number).inserted else { return }
        guard let agent = host.worker?.agent else { return mainTasks[executor.number]?.cancel() ?? () }
        executor.start("shut down") { [self] in
            await agent.shutDown(grace: .seconds(2))
            mainTasks[executor.number]?.cancel()
        }
    }

    private func ended(_ executor: SimulationExecutor) {
        guard !executor.isUnwinding else { return }
        guard stopping.contains(executor.number) else {
            return engine.violation("I11", "\(executor.name) has ended by itself")
        }
        engine.note(executor.name, "has ended")
        executor.kill()
        forgetProcess(of: executor.host)
        closeConnections(of: executor)
    }

    private func forgetProcess(of host: Host) {
        host.node = nil
        host.worker = nil
    }

    private func closeConnections(of executor: SimulationExecutor) {
        network.send(from: executor.host.name, to: Database.hostName) { [self] in
            for session in database.openSessions where session.process === executor {
                database.endSession(session.id, because: "its process has ended", tellingClient: false)
            }
        }
    }

    // MARK: The end

    /// Unwinds all processes. Whatever does not end by then would hang in production too.
    func unwind() {
        for executor in executors { executor.unwind() }
        engine.runWhatIsReady()
        for executor in executors where !executor.isIdle {
            engine.violation(
                "unwinding", "\(executor.unfinishedTasks) tasks of \(executor.name) do not end when cancelled")
        }
    }

    /// Lets go of everything that refers back to the world, so that ten thousand of them need no more memory than one.
    func dissolve() {
        engine.dissolve()
        database.dissolve()
        mainTasks = [:]
        machines = [:]
        for host in nodeHosts + workerHosts { forgetProcess(of: host) }
        executors = []
    }
}
