import Domain
import Execution
import Runtime

/// A worker's process: the production agent and its link to the nodes, with simulated disk and commands.
final class SimulatedWorker: Sendable {
    let executor: SimulationExecutor
    let agent: WorkerAgent
    let description: WorkerDescription
    private let world: World

    init(world: World, host: Host, machine: WorkerMachine) {
        host.starts += 1
        let executor = world.makeExecutor(host, name: "\(host.name)#\(host.starts)")
        let description = WorkerDescription(
            name: host.name, url: host.url, boot: "\(host.name)-boot\(host.starts)", capacity: machine.capacity,
            attributes: ["hostname": host.name], version: "0")
        var configuration = WorkerConfiguration(
            description: description, users: UserPolicy(allowed: [], defaultUser: "", ownUser: "me", mayChange: false))
        configuration.killGrace = .seconds(2)
        let uplink = FailoverSink(nodes: world.nodeHosts.map(\.url), timekeeper: executor) { url in
            SimulatedSink(world: world, process: executor, url: url)
        }
        self.world = world
        self.executor = executor
        self.description = description
        agent = WorkerAgent(
            configuration: configuration, uplink: uplink,
            launcher: SimulatedLauncher(world: world, process: executor, machine: machine),
            journal: SimulatedJournal(disk: machine.disk, process: executor), timekeeper: executor,
            log: world.log(executor))
    }

    func run() async {
        do { try await agent.run() } catch { world.engine.note(executor.name, "agent threw \(error)") }
    }
}

/// What of a worker's machine outlives its process.
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
final class WorkerMachine: @unchecked Sendable {
    let capacity: Resources
    let disk: SimulatedDisk
    /// Probability that a command cannot be executed.
    var launchFailures = 0.0

    init(capacity: Resources, disk: SimulatedDisk) {
        self.capacity = capacity
        self.disk = disk
    }
}
