import Glibc

/// Unpacks an archive into a directory of its own, and looks through what came out. All calls block.
struct Unpacker: Sendable {
    let tools: ToolRunner
    /// Bytes that may come out.
    let byteLimit: Int64
    /// Asked while tools run: a reason to stop.
    let isGivenUp: @Sendable () -> Bool

    /// - Parameters:
    ///   - archive: path; the file belongs to the worker.
    ///   - directory: empty, for what comes out; belongs to whoever tools run as afterwards.
    ///   - scratch: path prefix for files of its own.
    ///   - name: of a single file that is expanded.
    /// - Returns: bytes that came out.
    func unpack(
        _ unpacking: ArtifactPlan.Unpacking, archive: String, into directory: String, scratch: String, name: String
    ) throws(LaunchError) -> Int64 {
        switch unpacking {
        case .none: return 0
        case .tar(let compression):
            try checkTar(archive, compression, scratch: scratch, in: directory)
            try run(
                "tar",
                compression + [
                    "--extract", "--no-same-owner", "--no-same-permissions", "--no-acls", "--no-xattrs", "--file=-",
                ],
                input: archive, output: "\(scratch).out", in: directory)
        case .zip:
            try tools.giveAway(archive)
            try checkZip(archive, scratch: scratch, in: directory)
            try run("unzip", ["-qq", "-o", Self.beside(archive)], output: "\(scratch).out", in: directory)
        case .expand(let program):
            // It writes to a descriptor: the file belongs to the worker, in a directory that does not.
            try run(program, ["--decompress", "--stdout"], input: archive, output: "\(scratch).out", in: directory)
            guard rename("\(scratch).out", "\(directory)/\(name)") == 0 else {
                throw FileFailure.launch("cannot move what was unpacked")
            }
        }
        unlink("\(scratch).out")
        let size = try DirectoryCensus.take(directory)
        guard size.bytes <= byteLimit, size.entries <= ArtifactLimits.entries else { throw tooMuch }
        return size.bytes
    }

    private var tooMuch: LaunchError {
        LaunchError(
            "it unpacks to more than this worker allows a run (\(byteLimit) bytes, \(ArtifactLimits.entries) files)")
    }

    private func run(
        _ tool: String, _ arguments: [String], input: String = "", output: String, in directory: String
    ) throws(LaunchError) {
        let (byteLimit, isGivenUp, tooMuch) = (self.byteLimit, self.isGivenUp, self.tooMuch)
        try tools.run(
            ToolRunner.Call(
                tool: tool, arguments: arguments, directory: directory, input: input, output: output,
                objection: {
                    if isGivenUp() { return LaunchError("unpacking took too long, or nobody wants it any more") }
                    var facts = stat()
                    if stat(output, &facts) == 0, Int64(facts.st_size) > byteLimit { return tooMuch }
                    // What cannot be read now is looked at when the tool has ended.
                    guard let size = try? DirectoryCensus.take(directory, isStrict: false) else { return nil }
                    return size.bytes > byteLimit || size.entries > ArtifactLimits.entries ? tooMuch : nil
                }))
    }

    // MARK: Lists of contents, looked through before anything is unpacked

    private func checkTar(
        _ archive: String, _ compression: [String], scratch: String, in directory: String
    ) throws(LaunchError) {
        let list = "\(scratch).list"
        defer { unlink(list) }
        try run(
            "tar",
            compression + [
                "--list", "--verbose", "--numeric-owner", "--quoting-style=escape", "--absolute-names", "--file=-",
            ], input: archive, output: list, in: directory)
        for line in try Self.lines(list) {
            let kind = line.first ?? UInt8(ascii: "?")
            // mode, owner, size, day, time, name
            let parts = line.split(separator: 0x20, maxSplits: 5)
            let name = parts.count == 6 ? String(decoding: parts[5], as: UTF8.self) : "?"
            // Where a link leads is looked at when it is there.
            if kind == UInt8(ascii: "l") {
                try Self.check(name: Self.nameOfLink(name))
                continue
            }
            guard kind == UInt8(ascii: "-") || kind == UInt8(ascii: "d") else {
                throw LaunchError(
                    "the archive contains '\(name.prefix(200))', which is neither a file nor a directory: hard links"
                        + " and devices are not unpacked")
            }
            try Self.check(name: name)
        }
    }

    /// Of `name -> target`. What a name with an arrow of its own hides, tar itself refuses.
    private static func nameOfLink(_ text: String) -> String {
        let separator = Array(" -> ".utf8)
        let bytes = Array(text.utf8)
        let end = bytes.indices.first { bytes[$0...].starts(with: separator) } ?? bytes.count
        return String(decoding: bytes[..<end], as: UTF8.self)
    }

    private func checkZip(_ archive: String, scratch: String, in directory: String) throws(LaunchError) {
        let list = "\(scratch).list"
        defer { unlink(list) }
        try run("unzip", ["-Z1", Self.beside(archive)], output: list, in: directory)
        for line in try Self.lines(list) { try Self.check(name: String(decoding: line, as: UTF8.self)) }
    }

    /// As seen from the directory that it is unpacked into, which is its sibling: directories above need not be open to
    /// whom tools run as.
    private static func beside(_ archive: String) -> String {
        "../" + (archive.split(separator: "/").last.map(String.init) ?? archive)
    }

    private static func check(name: String) throws(LaunchError) {
        guard !name.hasPrefix("/"), !name.split(separator: "/").contains("..") else {
            throw LaunchError("the archive contains '\(name.prefix(200))', which leads out of the directory")
        }
    }

    private static func lines(_ path: String) throws(LaunchError) -> [ArraySlice<UInt8>] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw FileFailure.launch("cannot read the archive's list of contents") }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_size <= ArtifactLimits.listing else {
            throw LaunchError("the archive's list of contents is too long")
        }
        let size = Int(facts.st_size)
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = max(0, read(descriptor, buffer.baseAddress, size))
        }
        return bytes.split(separator: UInt8(ascii: "\n"))
    }
}
