import Domain
import Runtime
import Storage
import Timetable

/// What each node does now and then beside the election: its own row, expired redirects, partitions and retention.
struct Housekeeper: Service {
    let name = "housekeeper"
    let parts: Parts
    let retention: Duration
    let log: Log

    static let pulse = Duration.seconds(5)
    static let replayPulses = 6
    static let upkeepPulses = 720

    func run() async throws {
        var count = 0
        while true {
            do {
                try await parts.stores.nodes.put(parts.node, seen: parts.clock.now())
                if count % Self.replayPulses == 0 { _ = try await parts.stores.replays.purge(now: parts.clock.now()) }
                if count % Self.upkeepPulses == 0 {
                    let changed = try await parts.stores.upkeep.maintain(now: parts.clock.now(), retention: retention)
                    if changed > 0 { log.info("made or dropped \(changed) partitions") }
                }
                count += 1
            } catch {
                log.warning("housekeeping failed and will be tried again: \(error)")
            }
            try await parts.loop.sleep(for: Self.pulse)
        }
    }
}
