import Foundation
import TestSupport

/// PostgreSQL's own programs, as an operator uses them.
enum DatabasePrograms {
    /// The folder of the newest version that is installed.
    static func path(_ program: String) throws -> String {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        guard let newest = versions.compactMap({ Int($0) }).max() else {
            throw Cluster.Failure(description: "PostgreSQL is not installed")
        }
        return "/usr/lib/postgresql/\(newest)/bin/\(program)"
    }

    @discardableResult
    static func run(_ program: String, _ words: [String], environment: [String: String] = [:]) throws -> String {
        let result = try Executable.run(try path(program), words, environment: environment, timeout: 120)
        guard result.status == 0 else {
            throw Cluster.Failure(description: "\(program): status \(result.status): \(result.errors)\(result.output)")
        }
        return result.output
    }
}
