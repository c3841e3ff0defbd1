import Foundation

/// A program that a test runs to its end.
public enum TestTool {
    public struct Result: Sendable {
        public let status: Int32
        /// Standard output and standard error, as they came.
        public let output: String
    }

    /// Runs a program of the path; killed after the timeout. Blocks the calling thread.
    public static func run(_ words: [String], input: String = "", timeout: Double = 60) throws -> Result {
        let folder = NSTemporaryDirectory() + "carillon-tool-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // What cannot be removed is in the system's folder for temporary files.
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Files rather than pipes: nothing can fill up, and no reader is needed beside the waiting.
        try Data(input.utf8).write(to: URL(fileURLWithPath: folder + "/in"))
        try Data().write(to: URL(fileURLWithPath: folder + "/out"))
        guard let inputs = FileHandle(forReadingAtPath: folder + "/in"),
            let outputs = FileHandle(forWritingAtPath: folder + "/out")
        else { throw TestPostgres.Failure(description: "cannot open files in \(folder)") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["timeout", "-k", "1", "\(timeout)"] + words
        process.standardInput = inputs
        process.standardOutput = outputs
        process.standardError = outputs
        try process.run()
        process.waitUntilExit()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: folder + "/out"))
        return Result(status: process.terminationStatus, output: String(decoding: bytes, as: UTF8.self))
    }
}
