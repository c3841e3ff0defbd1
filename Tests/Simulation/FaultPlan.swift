import Domain

/// What goes wrong in one simulation, drawn from its seed before it begins.
struct FaultPlan: Sendable {
    enum Fault: Sendable {
        case killNode(Int, losingPower: Bool, down: Duration)
        case stopNode(Int, down: Duration)
        case pauseNode(Int, afterJobs: Int, Duration)
        case pauseLeader(afterJobs: Int, Duration)
        case killWorker(Int, losingPower: Bool, down: Duration)
        case stopWorker(Int, down: Duration)
        case pauseWorker(Int, afterJobs: Int, Duration)
        /// Hosts on one side, for so long.
        case partition([String], Duration)
        /// Only the way between two hosts.
        case cut(String, String, Duration)
        /// What the first one sends to the second one, and not what it is sent.
        case mute(String, String, Duration)
        case endLockSession(tellingClient: Bool)
        case endAllSessions
        case restartDatabase(down: Duration)
        case readOnly(Duration)
        /// All sessions end and no new one is to be had (SQLSTATE 53300).
        case noConnections(Duration)
        case stepClock(Int, microseconds: Int64, Duration)
        case stepAside(Int)
        case weather(Network.Weather, Duration)
        case lostAnswers(Double, Duration)
        case badDisk(Int, Double, Duration)
        case badLauncher(Int, Double, Duration)
    }

    static let none = FaultPlan(faults: [])
    static let nodes = ["n1", "n2", "n3"]
    static let workers = ["w1", "w2", "w3"]

    private let faults: [(at: Duration, fault: Fault)]

    init(_ options: World.Options) {
        if let stop = options.stoppedLeader {
            self.init(faults: [(Scenario.faultsBegin, .pauseLeader(afterJobs: stop.afterJobs, stop.time))])
        } else if options.isCalm {
            self = .none
        } else {
            self.init(seed: options.seed)
        }
    }

    private init(faults: [(Duration, Fault)]) { self.faults = faults }

    init(seed: UInt64) {
        var chance = SeededGenerator(seed: seed, stream: 6)
        let stepsClocks = chance.happens(0.15)
        let span = (Scenario.healed - Scenario.faultsBegin).nanoseconds / 1_000_000
        var drawn: [(at: Duration, fault: Fault)] = []
        for _ in 0..<chance.number(1...12) {
            let at = Scenario.faultsBegin + chance.duration(0...Int(span))
            drawn.append((at, Self.draw(&chance, stepsClocks: stepsClocks)))
        }
        faults = drawn.sorted { $0.at < $1.at }
    }

    var descriptions: [String] { faults.map { "\($0.at): \($0.fault)" } }

    private static func draw(_ chance: inout SeededGenerator, stepsClocks: Bool) -> Fault {
        let down = chance.duration(100...10_000)
        let pause = chance.happens(0.5) ? chance.duration(100...3_000) : chance.duration(3_000...20_000)
        let time = chance.duration(200...18_000)
        let node = chance.below(nodes.count)
        let worker = chance.below(workers.count)
        if stepsClocks, chance.happens(0.25) {
            let step = chance.pick([3_600, -3_600, 3_600, -3_600, 30, -30, 2, -2])
            return .stepClock(node, microseconds: Int64(step) * 1_000_000, time)
        }
        switch chance.below(27) {
        case 0, 1: return .killNode(node, losingPower: chance.happens(0.4), down: down)
        case 2: return .stopNode(node, down: down)
        case 3, 4, 5, 6: return .pauseNode(node, afterJobs: chance.number(1...60), pause)
        case 7, 8: return .killWorker(worker, losingPower: chance.happens(0.4), down: down)
        case 9: return .stopWorker(worker, down: down)
        case 10, 11: return .pauseWorker(worker, afterJobs: chance.number(1...30), pause)
        case 12, 13: return .partition(side(&chance), time)
        case 14: return .cut(nodes[node], Database.hostName, time)
        case 15: return .cut(nodes[node], workers[worker], time)
        case 16: return .endLockSession(tellingClient: chance.happens(0.5))
        case 17: return .restartDatabase(down: chance.duration(100...6_000))
        case 18: return chance.happens(0.5) ? .readOnly(chance.duration(500...6_000)) : .endAllSessions
        case 19: return .stepAside(node)
        case 20: return .lostAnswers(chance.pick([0.01, 0.05, 0.3]), time)
        case 21: return chance.happens(0.5) ? .badDisk(worker, 0.3, time) : .badLauncher(worker, 0.5, time)
        case 22, 23:
            let hosts = everywhere
            let first = chance.pick(hosts)
            return .mute(first, chance.pick(hosts.filter { $0 != first }), time)
        case 24: return .noConnections(chance.duration(200...6_000))
        default: return .weather(weather(&chance), time)
        }
    }

    private static let everywhere = nodes + workers + [Database.hostName, "client"]

    private static func side(_ chance: inout SeededGenerator) -> [String] {
        if chance.happens(0.5) { return [chance.pick(everywhere)] }
        return everywhere.filter { _ in chance.happens(0.5) }
    }

    private static func weather(_ chance: inout SeededGenerator) -> Network.Weather {
        var weather = Network.Weather()
        weather.loss = chance.pick([0, 0.01, 0.1, 0.4])
        weather.doubling = chance.pick([0, 0.1, 0.5])
        weather.slowness = chance.pick([0, 0.1, 0.5])
        weather.lateness = chance.pick([0, 0.01, 0.1])
        weather.databaseDelay = chance.pick([nil, nil, 100...300, 200...3_000])
        return weather
    }

    // MARK: Doing it

    func begin(_ world: World) {
        for (at, fault) in faults {
            world.engine.after(at) {
                world.engine.note("FAULT", "\(fault)")
                Self.perform(fault, world)
            }
        }
    }

    private static func perform(_ fault: Fault, _ world: World) {
        switch fault {
        case .killNode(let number, let losingPower, let down):
            let host = world.nodeHosts[number]
            world.kill(host, losingPower: losingPower)
            world.engine.after(down) { world.startNode(host) }
        case .stopNode(let number, let down):
            let host = world.nodeHosts[number]
            world.stop(host)
            world.engine.after(down) { world.startNode(host) }
        case .pauseNode(let number, let jobs, let time):
            world.nodeHosts[number].executor?.pause(afterJobs: jobs, for: time)
        case .pauseLeader(let jobs, let time):
            world.checker.leader()?.executor.pause(afterJobs: jobs, for: time)
        case .killWorker(let number, let losingPower, let down):
            let host = world.workerHosts[number]
            world.kill(host, losingPower: losingPower)
            world.engine.after(down) { world.startWorker(host) }
        case .stopWorker(let number, let down):
            let host = world.workerHosts[number]
            world.stop(host)
            world.engine.after(down) { world.startWorker(host) }
        case .pauseWorker(let number, let jobs, let time):
            world.workerHosts[number].executor?.pause(afterJobs: jobs, for: time)
        case .partition(let side, let time): partition(side, time, world)
        case .cut(let one, let other, let time): cut([(one, other), (other, one)], time, world)
        case .mute(let one, let other, let time): cut([(one, other)], time, world)
        case .stepClock(let number, let step, let time): stepClock(world.nodeHosts[number], step, time, world)
        case .stepAside(let number): world.nodeHosts[number].node?.elector.stepAside(for: .seconds(5))
        case .weather(let weather, let time):
            world.network.weather = weather
            world.engine.after(time) { world.network.weather = .calm }
        case .badDisk(let number, let probability, let time):
            let machine = world.machine(world.workerHosts[number])
            machine?.disk.failures = probability
            world.engine.after(time) { machine?.disk.failures = 0 }
        case .badLauncher(let number, let probability, let time):
            let machine = world.machine(world.workerHosts[number])
            machine?.launchFailures = probability
            world.engine.after(time) { machine?.launchFailures = 0 }
        default: performOnDatabase(fault, world.database)
        }
    }

    private static func performOnDatabase(_ fault: Fault, _ database: Database) {
        switch fault {
        case .endLockSession(let tellingClient):
            guard let holder = database.holder else { return }
            database.endSession(holder, because: "it was terminated", tellingClient: tellingClient)
        case .endAllSessions:
            for session in database.openSessions {
                database.endSession(session.id, because: "it was terminated", tellingClient: true)
            }
        case .restartDatabase(let down):
            database.crash()
            database.engine.after(down) { database.restart() }
        case .readOnly(let time):
            database.isReadOnly = true
            database.engine.after(time) { database.isReadOnly = false }
        case .noConnections(let time):
            database.refuseConnections()
            database.engine.after(time) { database.refusesConnections = false }
        case .lostAnswers(let probability, let time):
            database.lostAnswers = probability
            database.engine.after(time) { database.lostAnswers = 0 }
        default: break
        }
    }

    private static func partition(_ side: [String], _ time: Duration, _ world: World) {
        let others = everywhere.filter { !side.contains($0) }
        cut(side.flatMap { one in others.flatMap { [(one, $0), ($0, one)] } }, time, world)
    }

    private static func cut(_ links: [(from: String, to: String)], _ time: Duration, _ world: World) {
        for link in links { world.network.cut(from: link.from, to: link.to) }
        world.engine.after(time) { for link in links { world.network.heal(from: link.from, to: link.to) } }
    }

    private static func stepClock(_ host: Host, _ step: Int64, _ time: Duration, _ world: World) {
        host.clockOffset += step
        world.engine.after(time) { host.clockOffset = host.naturalOffset }
    }

    /// Whatever is still wrong is put right; what was planned for later finds nothing to do.
    static func heal(_ world: World) {
        world.engine.note("FAULT", "everything is healed")
        let network = world.network
        network.weather = .calm
        network.healAll()
        world.database.restart()
        world.database.isReadOnly = false
        world.database.refusesConnections = false
        world.database.lostAnswers = 0
        for host in world.nodeHosts + world.workerHosts {
            host.clockOffset = host.naturalOffset
            host.executor?.resume()
            world.machine(host)?.disk.failures = 0
            world.machine(host)?.launchFailures = 0
        }
        world.nodeHosts.forEach(world.startNode)
        world.workerHosts.forEach(world.startWorker)
    }
}
