import Foundation

/// The `carillon` executable that was built together with the tests, or that `CARILLON_TEST_EXECUTABLE` names.
enum Executable {
    static let path: String = {
        if let path = ProcessInfo.processInfo.environment["CARILLON_TEST_EXECUTABLE"] { return path }
        // Beside the test bundle, which is this process's executable or named in its arguments; else where SwiftPM
        // puts it below the package.
        var folders = [Bundle.main.executableURL?.deletingLastPathComponent().path].compactMap { $0 }
        folders += CommandLine.arguments.map { URL(fileURLWithPath: $0).deletingLastPathComponent().path }
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        folders.append(package.appendingPathComponent(".build/debug").path)
        let candidates = folders.map { $0 + "/carillon" }
        return candidates.first { candidate in
            var isFolder: ObjCBool = false
            let exists = FileManager.default.fileExists(atPath: candidate, isDirectory: &isFolder)
            return exists && !isFolder.boolValue && FileManager.default.isExecutableFile(atPath: candidate)
        } ?? candidates[candidates.count - 1]
    }()

    struct Result {
        var status: Int32
        var output: String
        var errors: String
    }

    /// The test's environment without what would configure a carillon, and without the seconds that a backtrace takes.
    static func environment(_ more: [String: String]) -> [String: String] {
        var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("CARILLON_") }
        environment["SWIFT_BACKTRACE"] = "enable=no"
        environment.merge(more) { _, new in new }
        return environment
    }

    /// Runs a `carillon` command to its end; killed after the timeout.
    static func run(
        _ words: [String], environment: [String: String] = [:], input: String = "", timeout: Double = 60
    ) throws -> Result {
        try run(path, words, environment: environment, input: input, timeout: timeout)
    }

    /// Runs a script with `sh` and `set -eu`.
    static func shell(_ script: String, environment: [String: String] = [:], timeout: Double = 60) throws -> Result {
        try run("/bin/sh", ["-euc", script], environment: environment, timeout: timeout)
    }

    /// Runs any program, named by its path, to its end; killed after the timeout.
    static func run(
        _ program: String, _ words: [String], environment: [String: String] = [:], input: String = "",
        timeout: Double = 60
    ) throws -> Result {
        let folder = NSTemporaryDirectory() + "carillon-run-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Files rather than pipes: nothing can fill up, and no reader is needed beside the waiting.
        let paths = ["in", "out", "err"].map { "\(folder)/\($0)" }
        for path in paths { try Data(input.utf8).write(to: URL(fileURLWithPath: path)) }
        let descriptors = [
            open(paths[0], O_RDONLY | O_CLOEXEC), open(paths[1], O_WRONLY | O_TRUNC | O_CLOEXEC),
            open(paths[2], O_WRONLY | O_TRUNC | O_CLOEXEC),
        ]
        defer { for descriptor in descriptors { close(descriptor) } }
        let process = try ChildProcess(
            program, words, environment: Self.environment(environment), descriptors: descriptors)
        let end = Date().addingTimeInterval(timeout)
        while process.ending() == nil {
            if Date() > end { process.send(SIGKILL) }
            usleep(5_000)
        }
        return Result(
            status: process.waitForEnd(), output: try String(contentsOfFile: paths[1], encoding: .utf8),
            errors: try String(contentsOfFile: paths[2], encoding: .utf8))
    }
}
