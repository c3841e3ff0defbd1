import Domain
import Synchronization
import Timetable

/// Jobs as JSON, kept as long as they are equal to what was encoded: a list of a thousand jobs is half a megabyte of
/// text of which nothing has changed since it was last asked for.
final class EncodedJobs: Sendable {
    /// A class, so that to look at it copies nothing.
    private final class Entry: Sendable {
        let job: Job
        let bytes: [UInt8]

        init(_ job: Job, _ bytes: [UInt8]) {
            self.job = job
            self.bytes = bytes
        }
    }

    /// Some jobs in a row. Two lists that were read only once are the same array, which is seen at once.
    private final class Page: Sendable {
        let jobs: [Job]
        let bytes: [UInt8]

        init(_ jobs: [Job], _ bytes: [UInt8]) {
            self.jobs = jobs
            self.bytes = bytes
        }
    }

    private struct State {
        var entries: [JobID: Entry] = [:]
        var bytes = 0
        /// The newest first.
        var pages: [Page] = []
    }

    /// Bytes of single jobs that are kept at most.
    private static let limit = 4 * 1_024 * 1_024
    /// Pages that are kept, and the bytes of the largest of them.
    private static let pages = 4
    private static let largestPage = 1_024 * 1_024

    private let zones: any ZoneDatabase
    private let state = Mutex(State())

    init(zones: any ZoneDatabase) { self.zones = zones }

    func bytes(of job: Job) -> [UInt8] {
        if let known = state.withLock({ $0.entries[job.id] }), known.job == job { return known.bytes }
        let bytes = ChronosJobCoding.encode(job, zones: zones)
        state.withLock { state in
            if state.bytes > Self.limit { (state.entries, state.bytes) = ([:], 0) }
            state.bytes += bytes.count - (state.entries[job.id]?.bytes.count ?? 0)
            state.entries[job.id] = Entry(job, bytes)
        }
        return bytes
    }

    /// All of them, with commas between them.
    func bytes(of jobs: [Job]) -> [UInt8] {
        guard let first = jobs.first?.id else { return [] }
        if let known = state.withLock({ $0.pages.first { $0.jobs.first?.id == first } }), known.jobs == jobs {
            return known.bytes
        }
        let typicalSize = 1_024
        var bytes: [UInt8] = []
        bytes.reserveCapacity(jobs.count * typicalSize)
        for (position, job) in jobs.enumerated() {
            if position > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += self.bytes(of: job)
        }
        guard bytes.count <= Self.largestPage else { return bytes }
        let page = Page(jobs, bytes)
        state.withLock { state in
            state.pages.removeAll { $0.jobs.first?.id == first }
            state.pages = [page] + state.pages.prefix(Self.pages - 1)
        }
        return bytes
    }
}
