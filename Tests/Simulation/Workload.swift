import Domain
import Runtime
import Timetable

/// What clients ask of the cluster, and what they may rely on afterwards.
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
final class Workload: @unchecked Sendable {
    /// What a name may stand for at the end.
    enum State: Hashable, Sendable {
        case absent
        /// The job with this text in its description.
        case version(String)
    }

    struct Expectation: Sendable {
        var acknowledged = State.absent
        /// Requests whose outcome nobody has told: they may have taken effect, or may yet.
        var doubtful: Set<State> = []
        /// The definition that was sent last.
        var definition: JobDefinition

        var mayExist: Bool {
            acknowledged != .absent || doubtful.contains { $0 != .absent }
        }
        func allows(_ state: State) -> Bool { acknowledged == state || doubtful.contains(state) }
    }

    enum Answer {
        case done(LeaderReply)
        /// Nothing was done.
        case refused(DomainError.Code)
        case unknown
    }

    private let world: World
    private let process: SimulationExecutor
    private let generator: JobGenerator
    private var chance: SeededGenerator
    private(set) var expectations: [String: Expectation] = [:]
    private(set) var acknowledgedRuns: [RunID] = []
    private(set) var acknowledged = 0
    private(set) var isDisabled = false
    private var versions = 0
    private var believedLeader: Host

    static let patience = Duration.seconds(4)

    init(world: World) {
        self.world = world
        process = world.client
        chance = SeededGenerator(seed: world.options.seed, stream: 5)
        generator = JobGenerator()
        believedLeader = world.nodeHosts[0]
    }

    var names: [String] { expectations.keys.sorted() }

    // MARK: Phases

    /// Creates jobs, and then changes, runs and deletes them until the time has come.
    func run(until end: UInt64) async {
        for _ in 0..<chance.number(6...12) {
            guard world.engine.now < end, !process.isUnwinding else { return }
            await create()
        }
        while world.engine.now < end, !process.isUnwinding {
            do { try await process.sleep(for: chance.duration(100...2_500)) } catch { return }
            await step()
        }
    }

    /// Switches every job off, however often that takes, so that all runs come to an end.
    func disableAll() async {
        for name in names {
            while expectations[name]?.mayExist == true, !process.isUnwinding {
                guard let definition = expectations[name]?.definition else { break }
                switch await put(name, definition, isEnabled: false, mode: .updateOnly) {
                case .done: break
                case .refused(.notFound): note(name, .absent)
                case .refused(.invalid):
                    // Its parents are gone.
                    expectations[name]?.definition.trigger = .manual
                    continue
                default: continue
                }
                break
            }
        }
        isDisabled = true
    }

    private func step() async {
        let existing = names.filter { expectations[$0]?.mayExist == true }
        guard !existing.isEmpty else { return await create() }
        let name = chance.pick(existing)
        switch chance.below(20) {
        case 0...3: await create()
        case 4...7: await update(name)
        case 8, 9: await delete(name)
        case 10...14: await runNow(name)
        case 15: _ = await send(.killRuns(jobName: name, includingQueued: chance.happens(0.5)), "kill \(name)")
        case 16: _ = await send(.markSuccess(name: name), "mark \(name)")
        case 17:
            let worker = chance.pick(world.workerHosts).name
            _ = await send(.drainWorker(name: worker, isDrained: true), "drain \(worker)")
            // Not all of them for long.
            _ = await send(.drainWorker(name: worker, isDrained: false), "resume \(worker)")
        default: await lie()
        }
    }

    // MARK: Requests

    private func create() async {
        let name = "job-\(chance.number(1...30))"
        let parents = names.filter { expectations[$0]?.acknowledged != .absent && $0 != name }
        _ = await put(name, generator.definition(name, parents: parents, now: world.engine.wall, &chance))
    }

    private func update(_ name: String) async {
        guard var definition = expectations[name]?.definition else { return }
        if chance.happens(0.5) {
            definition = generator.definition(name, parents: [], now: world.engine.wall, &chance)
        }
        _ = await put(name, definition, isEnabled: chance.happens(0.85))
    }

    private func put(
        _ name: String, _ definition: JobDefinition, isEnabled: Bool = true, mode: PutMode = .upsert
    ) async -> Answer {
        versions += 1
        var definition = definition
        definition.description = "\(name) as of \(versions)"
        let state = State.version(definition.description)
        expectations[name, default: Expectation(definition: definition)].definition = definition
        let answer = await send(
            .putJob(definition, isEnabled: isEnabled, counters: nil, mode: mode), "put \(definition.description)")
        switch answer {
        case .done: note(name, state)
        case .refused: break
        case .unknown: expectations[name]?.doubtful.insert(state)
        }
        return answer
    }

    private func delete(_ name: String) async {
        switch await send(.deleteJob(name: name), "delete \(name)") {
        case .done, .refused(.notFound): note(name, .absent)
        case .refused: break
        case .unknown: expectations[name]?.doubtful.insert(.absent)
        }
    }

    private func runNow(_ name: String) async {
        if case .done(let reply) = await send(.runJob(name: name, arguments: ""), "run \(name)") {
            if let id = reply.launchedRun { acknowledgedRuns.append(id) }
        }
    }

    /// Deleting a parent changes its children: they keep their text, so that nothing is to be noted for them.
    private func note(_ name: String, _ state: State) { expectations[name]?.acknowledged = state }

    /// A worker that nobody knows claims, and reports the end of, what others have.
    private func lie() async {
        let runs = world.database.store.contents.tables.runs.values.map(\.run.attemptID).sorted()
        guard !runs.isEmpty else { return }
        let attempt = chance.pick(runs)
        let sink = SimulatedSink(world: world, process: process, url: chance.pick(world.nodeHosts).url)
        let report = AttemptReport(
            attempt: attempt, worker: "liar", boot: "liar", startedAt: nil, finishedAt: world.engine.wall,
            outcome: .exited(code: 0), reason: "", outputTail: "")
        // What is answered does not matter.
        if chance.happens(0.5) {
            if let reply = try? await sink.claim(ClaimRequest(worker: "liar", boot: "liar", attempts: [attempt])),
                !reply.granted.isEmpty, !world.options.bugs.contains(.noClaim)
            {
                world.engine.violation("I4", "\(attempt) was granted to a worker that it was not offered to")
            }
        } else {
            _ = try? await sink.report([report])
        }
    }

    // MARK: Sending

    private func send(_ command: LeaderCommand, _ what: String) async -> Answer {
        for _ in 0..<40 where !process.isUnwinding {
            switch await sendOnce(command) {
            case .some(let answer):
                world.engine.note("client", "\(what): \(Self.text(answer))")
                if case .done = answer { acknowledged += 1 }
                return answer
            case nil: do { try await process.sleep(for: chance.duration(50...500)) } catch { return .unknown }
            }
        }
        return .refused(.notLeader)
    }

    private static func text(_ answer: Answer) -> String {
        switch answer {
        case .done(.job(let job)): "done, \(job.reference.job) version \(job.version)"
        case .done(.launched(let report)): "done, \(report.runs)"
        case .done: "done"
        case .refused(let code): "refused, \(code.rawValue)"
        case .unknown: "unknown"
        }
    }

    /// Nil: this node did nothing; another may.
    private func sendOnce(_ command: LeaderCommand) async -> Answer? {
        let target = believedLeader
        let result: Result<LeaderReply, ClientError>
        do throws(Network.Failure) {
            result = try await world.network.call(
                from: process, to: target, timeout: Self.patience, mayDouble: false
            ) { host in
                guard let node = host.node else { return nil }
                return { await Self.serve(node, command) }
            }
        } catch {
            believedLeader = chance.pick(world.nodeHosts)
            return error == .refused ? nil : .unknown
        }
        switch result {
        case .success(let reply): return .done(reply)
        case .failure(let failure):
            guard failure.error.code == .notLeader else {
                return failure.error.code == .unavailable ? .unknown : .refused(failure.error.code)
            }
            believedLeader = failure.leader.flatMap { world.host(at: $0) } ?? chance.pick(world.nodeHosts)
            return nil
        }
    }

    private struct ClientError: Error, Sendable {
        let error: DomainError
        let leader: String?
    }

    private static func serve(
        _ node: SimulatedNode, _ command: LeaderCommand
    ) async -> Result<LeaderReply, ClientError> {
        do throws(DomainError) { return .success(try await node.submit(command)) } catch {
            return .failure(ClientError(error: error, leader: error.code == .notLeader ? node.otherLeader : nil))
        }
    }
}
