import Coordination
import Domain
import HTTPTransport
import Runtime
import Storage
import Timetable

/// What each node does now and then beside the election: its own row, expired redirects, partitions and retention, and
/// a look at whether it reaches any worker.
///
/// A leader that reaches none while another node does is useless, and steps aside (leadership.md §1, step 7). A leader
/// that no node could replace stays: then the workers are what is missing.
actor Housekeeper: Service {
    nonisolated let name = "housekeeper"
    private let parts: Parts
    private let retention: Retention
    private let log: Log
    private var pulses = 0
    /// Since when no worker has answered this node; nil while one does, or there is none.
    private var cutOffSince: MonotonicInstant?

    static let pulse = Duration.seconds(5)
    static let replayPulses = 6
    static let upkeepPulses = 720
    static let probeTimeout = Duration.seconds(1)
    /// Workers asked in one pulse; one answer is enough.
    static let probes = 16
    static let uselessAfter = Duration.seconds(10)
    static let staysOut = Duration.seconds(30)
    /// A row that is older says nothing about now.
    static let rowFreshness = Duration.seconds(15)

    init(parts: Parts, retention: Retention, log: Log) {
        self.parts = parts
        self.retention = retention
        self.log = log
    }

    func run() async throws {
        while true {
            do { try await keepHouse() } catch let error as StoreError {
                log.warning("housekeeping failed and will be tried again: \(error)")
            }
            pulses += 1
            try await parts.loop.sleep(for: Self.pulse)
        }
    }

    private func keepHouse() async throws {
        let reaches = try await reachesWorkers()
        try await parts.stores.nodes.put(parts.node, seen: parts.clock.now(), reachesWorkers: reaches)
        try await considerSteppingAside()
        if pulses % Self.replayPulses == 0 { _ = try await parts.stores.replays.purge(now: parts.clock.now()) }
        if pulses % Self.upkeepPulses == Self.upkeepPulses - 1 {
            let changed = try await parts.stores.upkeep.maintain(now: parts.clock.now(), retention: retention)
            if changed > 0 { log.info("made or dropped \(changed) partitions") }
        }
    }

    /// Asks some workers for a sign of life; with none registered, there is nothing to reach.
    private func reachesWorkers() async throws -> Bool {
        let workers = try await parts.stores.workers.list().shuffled().prefix(Self.probes)
        let (client, tls) = (parts.client, parts.tls?.client)
        let answered = await withTaskGroup(of: Bool.self) { group in
            for worker in workers {
                group.addTask {
                    var request = HTTPClientRequest(
                        url: worker.description.url + "/ping", timeout: Self.probeTimeout,
                        connectTimeout: Self.probeTimeout, maximumResponseBytes: 4_096)
                    request.tls = tls
                    // Whatever the failure is, this worker is not reached.
                    return (try? await client.execute(request))?.status == 200
                }
            }
            return await group.contains(true)
        }
        if answered || workers.isEmpty {
            cutOffSince = nil
        } else if cutOffSince == nil {
            cutOffSince = parts.loop.monotonicNow
        }
        return answered
    }

    private func considerSteppingAside() async throws {
        guard parts.elector.view.role == .leader, let since = cutOffSince,
            since.duration(to: parts.loop.monotonicNow) >= Self.uselessAfter
        else { return }
        let now = parts.clock.now()
        let other = try await parts.stores.nodes.list().first {
            $0.node.name != parts.node.name && $0.reachesWorkers && $0.seen.duration(to: now) < Self.rowFreshness
        }
        guard let other else { return }
        log.warning("this leader reaches no worker and node \(other.node.name) does: it steps aside")
        cutOffSince = nil
        parts.elector.stepAside(for: Self.staysOut)
    }
}
