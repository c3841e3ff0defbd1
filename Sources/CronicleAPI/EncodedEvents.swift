import Domain
import JSON
import Synchronization
import Timetable

/// Events as JSON text, kept as long as they are what was written.
final class EncodedEvents: Sendable {
    private struct Entry {
        var version: Int64
        var isEnabled: Bool
        var modified: Instant
        var bytes: [UInt8]
    }

    /// Bytes that are kept at most.
    private static let limit = 4 * 1_024 * 1_024

    private let state = Mutex<(entries: [JobID: Entry], bytes: Int)>(([:], 0))

    /// An identifier that is used once more has another moment of change.
    func bytes(of job: Job) -> [UInt8] {
        if let known = state.withLock({ $0.entries[job.id] }), known.version == job.version,
            known.isEnabled == job.isEnabled, known.modified == job.modified
        {
            return known.bytes
        }
        let bytes = JSONValue.object(EventShape(job).object).serialized()
        state.withLock { state in
            if state.bytes > Self.limit { state = ([:], 0) }
            state.bytes += bytes.count - (state.entries[job.id]?.bytes.count ?? 0)
            state.entries[job.id] = Entry(
                version: job.version, isEnabled: job.isEnabled, modified: job.modified, bytes: bytes)
        }
        return bytes
    }
}
