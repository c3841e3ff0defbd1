public import Domain
import Timetable

/// How long the runs of every job take, for what lists them all.
///
/// Computed from history, and computed anew only for jobs that have succeeded or changed since they were last asked
/// for; so asking often costs one look at the jobs' counters.
public actor RunStatistics {
    /// After this everything is computed anew: history is dropped by days, which no counter tells.
    static let lifetime = Duration.seconds(3_600)

    private let reading: any JobReading
    private let runs: any RunReading
    private let clock: any WallClock
    private var known: [JobID: Entry] = [:]
    private var since = Instant.distantPast

    private struct Entry {
        let version: Int64
        let successes: Int64
        let lastSuccess: Instant?
        let durations: RunDurations

        init(_ mark: JobMark, _ durations: RunDurations) {
            version = mark.version
            successes = mark.counters.successes
            lastSuccess = mark.counters.lastSuccess
            self.durations = durations
        }

        func isCurrent(for mark: JobMark) -> Bool {
            version == mark.version && successes == mark.counters.successes && lastSuccess == mark.counters.lastSuccess
        }
    }

    public init(reading: any JobReading, runs: any RunReading, clock: any WallClock) {
        self.reading = reading
        self.runs = runs
        self.clock = clock
    }

    /// Every job, in the order of the names, with `RunDurations.none` for those that never succeeded.
    public func all(_ principal: Principal) async throws(DomainError) -> [(job: JobMark, durations: RunDurations)] {
        do {
            let marks = try await reading.marks()
            let age = since.duration(to: clock.now())
            if age < .zero || age > Self.lifetime {
                known = [:]
                since = clock.now()
            }
            let stale = marks.filter { known[$0.id]?.isCurrent(for: $0) != true }
            let fresh = stale.isEmpty ? [:] : try await runs.durations(of: stale.map(\.id))
            // Built from these marks alone, whatever another caller has stored meanwhile: deleted jobs are forgotten.
            var entries: [JobID: Entry] = [:]
            for mark in marks {
                if let entry = known[mark.id], entry.isCurrent(for: mark) { entries[mark.id] = entry }
            }
            for mark in stale { entries[mark.id] = Entry(mark, fresh[mark.id] ?? .none) }
            known = entries
            return marks.map { ($0, entries[$0.id]?.durations ?? .none) }
        } catch {
            throw DomainError(error)
        }
    }
}
