import Foundation

/// The `carillon` executable that was built together with the tests.
enum Executable {
    static let path: String = {
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

    /// Runs a command to its end; killed after the timeout.
    static func run(
        _ words: [String], environment: [String: String] = [:], input: String = "", timeout: Double = 60
    ) throws -> Result {
        let folder = NSTemporaryDirectory() + "carillon-run-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Files rather than pipes: nothing can fill up, and no reader is needed beside the waiting.
        let paths = ["in", "out", "err"].map { "\(folder)/\($0)" }
        for path in paths { try Data(input.utf8).write(to: URL(fileURLWithPath: path)) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = words
        process.environment = Self.environment(environment)
        process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: paths[0]))
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: paths[1]))
        let errors = try FileHandle(forWritingTo: URL(fileURLWithPath: paths[2]))
        try output.truncate(atOffset: 0)
        try errors.truncate(atOffset: 0)
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let end = Date().addingTimeInterval(timeout)
        while process.isRunning {
            if Date() > end { kill(process.processIdentifier, SIGKILL) }
            usleep(5_000)
        }
        return Result(
            status: process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus,
            output: try String(contentsOfFile: paths[1], encoding: .utf8),
            errors: try String(contentsOfFile: paths[2], encoding: .utf8))
    }
}
