// Tests of the worker in three parts: the journal, the agent with a launcher and nodes that tests control, and the real
// launcher with real processes.

import Domain
import Foundation
import Runtime
import Synchronization
import TestSupport
import Testing
import Timetable

@testable import Execution

/// Runs the body on a loop of its own.
func onLoop<T: Sendable>(_ body: @Sendable (EventLoop) async throws -> T) async throws -> T {
    let loop = try EventLoop.startThread(named: "test loop")
    defer { loop.stop() }
    return try await withTaskExecutorPreference(loop) { try await body(loop) }
}

struct Unmet: Error, CustomStringConvertible {
    let description: String
}

/// Waits until the condition holds; fails after two minutes, which is for what never comes true: a machine that is busy
/// with other things must not make a test fail.
func eventually(
    _ what: String, on loop: EventLoop, _ condition: @Sendable () async throws -> Bool
) async throws {
    let deadline = loop.monotonicNow.advanced(by: .seconds(120))
    while try await !condition() {
        guard loop.monotonicNow < deadline else { throw Unmet(description: "never came true: \(what)") }
        try await loop.sleep(for: .milliseconds(2))
    }
}

/// A directory that is removed at the end.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "carillon-test-" + UUID().uuidString.lowercased()
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        // Commands run as other users in some tests.
        try FileManager.default.setAttributes([.posixPermissions: 0o711], ofItemAtPath: path)
    }

    deinit {
        WorkerGroups.remove(ofWorkerIn: path)
        // Nothing depends on it.
        try? FileManager.default.removeItem(atPath: path)
    }

    func text(_ file: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(file)")), as: UTF8.self)
    }

    func exists(_ file: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(file)") }
}

func attempt(_ number: Int, try attempt: Int = 0) -> AttemptID {
    AttemptID(run: RunID("r\(number)"), number: attempt)
}

func sampleOffer(
    _ attempt: AttemptID, command: String = "true", shell: Bool = true, arguments: [String] = [],
    environment: [EnvironmentVariable] = [], user: String = "", resources: Resources = .zero,
    constraints: [Constraint] = [], timeout: Duration? = nil, startDeadline: Instant? = nil
) -> Offer {
    Offer(
        attempt: attempt, job: JobVersion(job: JobID("e1"), version: 1), jobName: "job", owner: "me@example.org",
        taskID: "ct:1800000000123:\(attempt.number):job:", due: Instant(milliseconds: 1_800_000_000_123),
        command: command, shell: shell, arguments: arguments, environment: environment, user: user,
        resources: resources, constraints: constraints, timeout: timeout, startDeadline: startDeadline)
}

let sampleDescription = WorkerDescription(
    name: "w1", url: "http://w1", boot: "boot-1", capacity: Resources(cpus: 4, memory: 1000, disk: 1000),
    attributes: ["hostname": "host-1", "rack": "r1"], version: "0")

let quiet = Log("test", minimum: .error)

/// Keeps records in memory, and can refuse.
final class MemoryJournal: AttemptJournal {
    struct State {
        var records: [JournalRecord] = []
        var failure: JournalError?
        var isHeldBack = false
        var waiting: [@Sendable () -> Void] = []
    }
    let state: Mutex<State>

    init(_ records: [JournalRecord] = []) { state = Mutex(State(records: records)) }

    var records: [JournalRecord] { state.withLock { $0.records } }

    func fail(_ failure: JournalError?) { state.withLock { $0.failure = failure } }

    /// Completions wait until `release`, as for a slow disk.
    func holdBack() { state.withLock { $0.isHeldBack = true } }

    func release() {
        let waiting = state.withLock { state in
            state.isHeldBack = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for completion in waiting { completion() }
    }

    func open() async throws(JournalError) -> JournalImage {
        var image = JournalImage()
        for record in records { image.apply(record) }
        return image
    }

    func enqueue(
        _ records: [JournalRecord], durable: Bool, completion: @escaping @Sendable (JournalError?) -> Void
    ) {
        let isWaiting = state.withLock { state in
            if state.failure == nil { state.records += records }
            if state.isHeldBack {
                let failure = state.failure
                state.waiting.append { completion(failure) }
            }
            return state.isHeldBack
        }
        if !isWaiting { completion(state.withLock { $0.failure }) }
    }
}

/// Nodes as the test says they are.
final class FakeUplink: WorkerUplink {
    struct State {
        var claims: [ClaimRequest] = []
        var reports: [[AttemptReport]] = []
        var registered = 0
        var heartbeats: [WorkerHeartbeat] = []
        var leaders: [String] = []
        var whenClaimed: @Sendable (ClaimRequest, Int) throws(TransportError) -> ClaimReply = {
            (request, _) throws(TransportError) in
            ClaimReply(granted: request.attempts, refused: [])
        }
        var whenReported: @Sendable ([AttemptReport], Int) throws(TransportError) -> ReportReply = {
            (reports, _) throws(TransportError) in
            ReportReply(acknowledged: reports.map(\.attempt))
        }
        var heartbeatReply = HeartbeatReply(term: .none, leaderURL: "", mustRegister: false, kill: [])
    }
    let state = Mutex(State())

    func with<T>(_ body: (inout sending State) -> sending T) -> sending T { state.withLock(body) }

    var claims: [ClaimRequest] { state.withLock { $0.claims } }
    var reports: [AttemptReport] { state.withLock { $0.reports.flatMap { $0 } } }

    func leaderAnnounced(url: String, term: Term) async { state.withLock { $0.leaders.append(url) } }

    func register(_ worker: WorkerDescription) async throws(TransportError) -> HeartbeatReply {
        state.withLock { state in
            state.registered += 1
            var reply = state.heartbeatReply
            reply.mustRegister = false
            return reply
        }
    }

    func heartbeat(_ heartbeat: WorkerHeartbeat) async throws(TransportError) -> HeartbeatReply {
        state.withLock { state in
            state.heartbeats.append(heartbeat)
            return state.heartbeatReply
        }
    }

    func claim(_ request: ClaimRequest) async throws(TransportError) -> ClaimReply {
        let (answer, count) = state.withLock { state in
            state.claims.append(request)
            return (state.whenClaimed, state.claims.count)
        }
        return try answer(request, count)
    }

    func report(_ reports: [AttemptReport]) async throws(TransportError) -> ReportReply {
        let (answer, count) = state.withLock { state in
            state.reports.append(reports)
            return (state.whenReported, state.reports.count)
        }
        return try answer(reports, count)
    }
}

/// Commands that end when the test says so.
final class FakeLauncher: ProcessLauncher {
    struct State {
        var launched: [LaunchOrder] = []
        var processes: [AttemptID: FakeProcess] = [:]
        var refusal: LaunchError?
        var survivors: [Survivor] = []
    }
    let state = Mutex(State())

    var launched: [LaunchOrder] { state.withLock { $0.launched } }
    func process(_ attempt: AttemptID) -> FakeProcess? { state.withLock { $0.processes[attempt] } }
    func refuse(_ error: LaunchError) { state.withLock { $0.refusal = error } }

    func launch(_ order: LaunchOrder) async throws(LaunchError) -> any RunningProcess {
        let attempt = order.offer.attempt
        let (process, refusal) = state.withLock { state in
            state.launched.append(order)
            let process = FakeProcess(number: Int32(1000 + state.launched.count))
            state.processes[attempt] = process
            return (process, state.refusal)
        }
        if let refusal { throw refusal }
        return process
    }

    func endSurvivors(_ survivors: [Survivor], grace: Duration) async -> [AttemptID: String] {
        state.withLock { $0.survivors = survivors }
        return Dictionary(uniqueKeysWithValues: survivors.map { ($0.attempt, "tail of \($0.attempt)") })
    }

    func freeDisk() async -> Double { 77 }
    func tidy() async {}
}

final class FakeProcess: RunningProcess {
    private struct State {
        var end: ProcessEnd?
        var waiter: CheckedContinuation<ProcessEnd, Never>?
        var graces: [Duration] = []
        var isDiscarded = false
    }
    let identity: ProcessIdentity
    private let state = Mutex(State())

    init(number: Int32) { identity = ProcessIdentity(process: number, startTime: 1, machineBoot: "m") }

    var graces: [Duration] { state.withLock { $0.graces } }
    var isDiscarded: Bool { state.withLock { $0.isDiscarded } }

    func finish(_ status: ProcessEnd.Status, wasEnded: Bool = false, tail: String = "", problem: String? = nil) {
        let end = ProcessEnd(status: status, wasEnded: wasEnded, outputTail: tail, outputProblem: problem)
        let waiter = state.withLock { state in
            state.end = state.end ?? end
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: end)
    }

    func ended() async -> ProcessEnd {
        await withCheckedContinuation { continuation in
            let end = state.withLock { state in
                if state.end == nil { state.waiter = continuation }
                return state.end
            }
            if let end { continuation.resume(returning: end) }
        }
    }

    func end(grace: Duration) async {
        state.withLock { $0.graces.append(grace) }
        finish(.signalled(15), wasEnded: true)
    }

    func discard() async { state.withLock { $0.isDiscarded = true } }
}

final class Flag: Sendable {
    private let state = Mutex(false)
    var isSet: Bool { state.withLock { $0 } }
    func set() { state.withLock { $0 = true } }
}
