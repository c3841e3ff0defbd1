import CSpawn
import Domain
import Glibc

/// The files of one detached run. All calls block.
struct DetachedDirectory: Hashable, Sendable {
    let path: String

    var output: String { "\(path)/output" }
    var errors: String { "\(path)/errors" }

    /// Fresh, with nothing in it.
    /// - Throws: `LaunchError`; then nothing is left of it.
    func make() throws(LaunchError) {
        remove()
        guard mkdir(path, 0o700) == 0 else { throw FileFailure.launch("cannot make the directory \(path)") }
    }

    /// Fresh, with its FIFOs.
    /// - Parameter user: whom the command runs as: it may open its own output once more.
    /// - Throws: `LaunchError`; then nothing is left of it.
    func make(separatesErrors: Bool, user: UserIdentity?) throws(LaunchError) {
        try make()
        for pipe in separatesErrors ? [output, errors] : [output] {
            guard mkfifo(pipe, 0o600) == 0 else {
                let failure = FileFailure.launch("cannot make a pipe for the output")
                remove()
                throw failure
            }
            if let user { _ = chown(pipe, user.user, user.group) }
        }
    }

    func remove() { _ = DirectoryTree.remove(path) }

    /// Before the command is started.
    /// - Throws: `LaunchError`.
    func write(_ record: DetachedRecord) throws(LaunchError) { try write(record.encoded, "record") }

    /// Whole or not at all.
    /// - Throws: `LaunchError`.
    func write(_ bytes: [UInt8], _ name: String) throws(LaunchError) {
        let fresh = "\(path)/\(name).new"
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw FileFailure.launch("cannot write \(path)/\(name)") }
        defer { close(descriptor) }
        try FileFailure.write(bytes[...], to: descriptor)
        guard rename(fresh, "\(path)/\(name)") == 0 else { throw FileFailure.launch("cannot write \(path)/\(name)") }
    }

    func read(_ name: String) -> [UInt8]? { GroupFile.read("\(path)/\(name)") }

    /// The run has other limits now.
    func update(_ offer: Offer) throws(LaunchError) {
        guard var record = record() else { return }
        record.offer = offer
        try write(record)
    }

    /// Starts the command below a supervisor.
    func supervise(
        _ request: UnsafePointer<cspawn_request>, held: [Int32], _ result: inout cspawn_result,
        _ supervised: inout cspawn_supervised
    ) -> Int32 {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            result.error = errno
            return -1
        }
        defer { close(descriptor) }
        return held.withUnsafeBufferPointer { held in
            var supervision = cspawn_supervision(
                directory: descriptor, held: held.baseAddress, held_count: held.count)
            return cspawn_start_supervised(request, &supervision, &result, &supervised)
        }
    }

    func record() -> DetachedRecord? { read("record").flatMap(DetachedRecord.init(decoding:)) }

    /// The command and its supervisor; nil when the command was never started.
    func processes() -> (command: ProcessMember, supervisor: ProcessMember)? {
        let words = (GroupFile.text("\(path)/process") ?? "").split(whereSeparator: \.isWhitespace)
        guard words.count == 4, let command = Int32(words[0]), let commandStart = UInt64(words[1]),
            let supervisor = Int32(words[2]), let supervisorStart = UInt64(words[3])
        else { return nil }
        return (
            ProcessMember(process: command, startTime: commandStart, group: command),
            ProcessMember(process: supervisor, startTime: supervisorStart, group: supervisor)
        )
    }

    /// How the command has ended; nil while it runs, or when nobody was left to write it down.
    func status() -> ProcessEnd.Status? {
        let words = (GroupFile.text("\(path)/status") ?? "").split(whereSeparator: \.isWhitespace)
        guard words.count == 3, let number = Int(words[1]) else { return nil }
        return words[0] == "exited" ? .exited(code: number) : .signalled(number)
    }
}
