import Domain
import Execution
import Runtime

/// Commands of the simulated workers. A command's text says what it does: `run <milliseconds> exit <status>`, with
/// `stubborn` behind it for one that only KILL ends.
final class SimulatedLauncher: ProcessLauncher {
    private let world: World
    private let process: SimulationExecutor
    private let machine: WorkerMachine

    init(world: World, process: SimulationExecutor, machine: WorkerMachine) {
        self.world = world
        self.process = process
        self.machine = machine
    }

    func launch(_ order: LaunchOrder) async throws(LaunchError) -> any RunningProcess {
        var chance = Chance(of: process)
        do { try await process.sleep(for: .microseconds(Int.random(in: 300...9_000, using: &chance))) } catch {
            throw LaunchError("the simulation is over")
        }
        guard !process.isUnwinding else { throw LaunchError("the simulation is over") }
        guard Double.random(in: 0..<1, using: &chance) >= machine.launchFailures else {
            throw LaunchError("no such file or directory")
        }
        world.checker.started(order.offer, on: process)
        return SimulatedCommand(order.offer, process: process)
    }

    func endSurvivors(_ survivors: [Survivor], grace: Duration) async -> [AttemptID: String] {
        // Interrupted at the end of the simulation only.
        try? await process.sleep(for: .milliseconds(20))
        return [:]
    }

    func freeDisk() async -> Double { 1_000 }
    func tidy() async {}
}

/// A running command.
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
final class SimulatedCommand: RunningProcess, @unchecked Sendable {
    let identity: ProcessIdentity
    private let process: SimulationExecutor
    private let isStubborn: Bool
    private let ends: UInt64
    private let status: Int
    private var end: ProcessEnd?
    private var waiter: (@Sendable (ProcessEnd) -> Void)?
    private var isEnding = false

    init(_ offer: Offer, process: SimulationExecutor) {
        self.process = process
        let words = offer.command.split(separator: " ")
        let numbers = words.compactMap { Int($0) }
        let milliseconds = numbers.first ?? 0
        status = numbers.count > 1 ? numbers[1] : 0
        isStubborn = words.last == "stubborn"
        ends = process.engine.now + UInt64(milliseconds) * 1_000_000
        identity = ProcessIdentity(
            process: Int32(truncatingIfNeeded: process.engine.jobsRun), startTime: 1, machineBoot: "m")
        process.engine.after(.milliseconds(milliseconds)) { self.finish(.exited(code: self.status), wasEnded: false) }
    }

    func ended() async -> ProcessEnd {
        if let end { return end }
        let end: ProcessEnd? = await process.wait { finish in waiter = finish }
        return end ?? ProcessEnd(status: .signalled(9), wasEnded: true, outputTail: "")
    }

    func end(grace: Duration) async {
        guard !isEnding else { return }
        isEnding = true
        process.engine.after(isStubborn ? grace : .milliseconds(3)) {
            self.finish(.signalled(self.isStubborn ? 9 : 15), wasEnded: true)
        }
    }

    func discard() async {}

    private func finish(_ status: ProcessEnd.Status, wasEnded: Bool) {
        guard end == nil else { return }
        end = ProcessEnd(status: status, wasEnded: wasEnded, outputTail: "")
        if let end { waiter.take()?(end) }
    }
}
