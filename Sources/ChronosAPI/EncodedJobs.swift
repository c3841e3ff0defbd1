import Domain
import Synchronization
import Timetable

/// Jobs as JSON, kept as long as they are equal to what was encoded: a list of a thousand jobs is half a megabyte of
/// text of which nothing has changed since it was last asked for.
final class EncodedJobs: Sendable {
    private struct Entry {
        var job: Job
        var bytes: [UInt8]
    }

    /// Bytes that are kept at most.
    private static let limit = 4 * 1_024 * 1_024

    private let zones: any ZoneDatabase
    private let state = Mutex<(entries: [JobID: Entry], bytes: Int)>(([:], 0))

    init(zones: any ZoneDatabase) { self.zones = zones }

    func bytes(of job: Job) -> [UInt8] {
        if let known = state.withLock({ $0.entries[job.id] }), known.job == job { return known.bytes }
        let bytes = ChronosJobCoding.encode(job, zones: zones)
        state.withLock { state in
            if state.bytes > Self.limit { state = ([:], 0) }
            state.bytes += bytes.count - (state.entries[job.id]?.bytes.count ?? 0)
            state.entries[job.id] = Entry(job: job, bytes: bytes)
        }
        return bytes
    }
}
