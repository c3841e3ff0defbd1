import Compression
import Domain
import Timetable

/// Makes of a closed log what is stored: gzip, within the bound of a stored log. Blocks.
enum LogPacker {
    private static let piece = 128 * 1024

    /// - Returns: nil when the log has no file any more.
    static func pack(_ log: OutputLog, of attempt: AttemptID) throws(GzipError) -> AttemptLog? {
        let modified = log.modified
        guard modified > 0 else { return nil }
        let extent = log.extent
        var packed = try pack(log, extent, limit: Limits.storedLog)
        if packed == nil {
            // It does not get shorter by being compressed: then its middle must go.
            let part = OutputLimits.recutPart
            let head = min(extent.head, part)
            let tail = min(extent.isCut ? extent.tail : extent.total - head, part)
            let mark = Int64(LogExtent.mark(missing: extent.total - head - tail).utf8.count)
            let cut = LogExtent(total: extent.total, head: head, tail: tail, size: head + mark + tail)
            packed = try pack(log, cut, limit: Limits.storedLog)
        }
        guard let packed else { throw GzipError(code: .tooLarge, message: "the log does not fit, although it was cut") }
        return AttemptLog(
            attempt: attempt, finishedAt: Instant(microseconds: modified), extent: packed.extent, gzip: packed.gzip)
    }

    /// Nil when it takes more than the limit.
    private static func pack(
        _ log: OutputLog, _ extent: LogExtent, limit: Int
    ) throws(GzipError) -> (extent: LogExtent, gzip: [UInt8])? {
        if extent.total <= OutputLimits.framed {
            return (extent, Gzip.frame(log.read(from: 0, limit: OutputLimits.framed).bytes))
        }
        let writer = try GzipWriter()
        var output: [UInt8] = []
        func copy(from first: Int64, to end: Int64) throws(GzipError) -> Bool {
            var position = first
            while position < end {
                let part = log.read(from: position, limit: Int(min(Int64(piece), end - position)))
                guard part.next > position else { break }
                position = part.next
                try writer.write(part.bytes[...], to: &output)
                if output.count > limit { return false }
            }
            return true
        }
        guard try copy(from: 0, to: extent.head) else { return nil }
        if extent.isCut {
            let mark = LogExtent.mark(missing: extent.total - extent.head - extent.tail)
            try writer.write(Array(mark.utf8)[...], to: &output)
            guard try copy(from: extent.total - extent.tail, to: extent.total) else { return nil }
        }
        try writer.finish(to: &output)
        return output.count <= limit ? (extent, output) : nil
    }
}
