import Glibc
import Runtime

/// The file behind a journal. All its calls block.
///
/// `@unchecked Sendable`: everything in it is touched on the single thread of the journal's pool.
final class JournalFile: @unchecked Sendable {
    private let directory: String
    private let log: Log
    private var descriptor: Int32 = -1
    private var lock: Int32 = -1
    /// Bytes that are known to be whole records.
    private var length = 0
    private var compactAt = ExecutionLimits.journalCompactedFrom
    private(set) var image = JournalImage()

    private static let lockTries = 50
    /// Microseconds.
    private static let lockPause: UInt32 = 10_000

    private var path: String { "\(directory)/journal" }

    init(directory: String, log: Log) {
        self.directory = directory
        self.log = log
    }

    deinit { close() }

    func close() {
        giveUp()
        guard lock >= 0 else { return }
        // Said, not only closed: a command that is just being started shares the descriptor until it is executed.
        flock(lock, LOCK_UN)
        Glibc.close(lock)
        lock = -1
    }

    func open() throws(JournalError) -> JournalImage {
        try takeLock()
        descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure("cannot open the journal") }
        let bytes = try readAll()
        let (payloads, whole) = JournalFrame.read(bytes)
        if whole < bytes.count {
            log.warning("ignored the last \(bytes.count - whole) bytes of the journal: they are not whole records")
            guard ftruncate(descriptor, whole) == 0 else { throw failure("cannot cut the journal") }
        }
        length = whole
        var unknown = 0
        for payload in payloads {
            if let record = JournalRecord(decoding: payload) { image.apply(record) } else { unknown += 1 }
        }
        if unknown > 0 { log.warning("skipped \(unknown) records of the journal that this version does not know") }
        compactIfLarge()
        return image
    }

    /// Appends all of the records in one write, or none.
    func append(_ records: [JournalRecord], durable: Bool) throws(JournalError) {
        guard descriptor >= 0 else { throw JournalError("the journal is not open") }
        var bytes: [UInt8] = []
        for record in records { JournalFrame.append(record.encoded, to: &bytes) }
        do throws(JournalError) {
            try Self.write(bytes, to: descriptor)
            if durable, fdatasync(descriptor) != 0 { throw failure("cannot flush the journal") }
        } catch {
            // What comes next must not stand behind half a record, where nobody would find it.
            if ftruncate(descriptor, length) != 0 { giveUp() }
            throw error
        }
        length += bytes.count
        for record in records { image.apply(record) }
        compactIfLarge()
    }

    /// After a failure that leaves half a record behind: better no journal than one that cannot be read.
    private func giveUp() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// Two workers in one directory would end each other's commands.
    private func takeLock() throws(JournalError) {
        lock = Glibc.open("\(directory)/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw failure("cannot open the lock of the work directory \(directory)") }
        // A former process that was killed may have left a command that is just being started, and holds it till then.
        for _ in 0..<Self.lockTries {
            if flock(lock, LOCK_EX | LOCK_NB) == 0 { return }
            usleep(Self.lockPause)
        }
        throw JournalError("another worker uses the work directory \(directory): give each its own")
    }

    private func readAll() throws(JournalError) -> [UInt8] {
        let size = lseek(descriptor, 0, SEEK_END)
        guard size >= 0 else { throw failure("cannot read the journal") }
        var bytes = [UInt8](repeating: 0, count: size)
        var offset = 0
        while offset < size {
            let count = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + offset }, size - offset, off_t(offset))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("cannot read the journal") }
            if count == 0 { break }
            offset += count
        }
        return Array(bytes[..<offset])
    }

    /// Replaces the file by one that holds the present state only. The old one stays until the new one is durable; a
    /// failure costs nothing but room on the disk.
    private func compactIfLarge() {
        guard length >= compactAt else { return }
        do throws(JournalError) {
            try compact()
            compactAt = max(ExecutionLimits.journalCompactedFrom, length * 4)
        } catch {
            compactAt = length * 2
            log.warning("cannot compact the journal: \(error)")
        }
    }

    private func compact() throws(JournalError) {
        let fresh = "\(path).new"
        let replacement = Glibc.open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard replacement >= 0 else { throw failure("cannot open \(fresh)") }
        var bytes: [UInt8] = []
        for record in image.records { JournalFrame.append(record.encoded, to: &bytes) }
        do throws(JournalError) {
            try Self.write(bytes, to: replacement)
            guard fsync(replacement) == 0 else { throw failure("cannot flush \(fresh)") }
            guard rename(fresh, path) == 0 else { throw failure("cannot rename \(fresh)") }
        } catch {
            Glibc.close(replacement)
            unlink(fresh)
            throw error
        }
        Glibc.close(descriptor)
        descriptor = replacement
        length = bytes.count
        flushDirectory()
    }

    /// So that the new name survives a power cut. When that fails, the old file is found instead: it is longer and says
    /// the same up to here, but not what follows, so the next flush of the new one is no promise. Said in the log.
    private func flushDirectory() {
        let opened = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if opened >= 0 { Glibc.close(opened) } }
        if opened < 0 || fsync(opened) != 0 { log.warning("cannot flush the work directory \(directory)") }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) throws(JournalError) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress.map { $0 + offset }, bytes.count - offset)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("cannot write the journal") }
            offset += count
        }
    }

    private func failure(_ what: String) -> JournalError { Self.failure(what) }

    private static func failure(_ what: String) -> JournalError {
        let number = errno
        if number == ENOSPC || number == EDQUOT { return JournalError("the worker's disk is full (\(what))") }
        return JournalError("\(what): \(String(cString: strerror(number)))")
    }
}
