// Bench: how fast Carillon is on this machine, each figure beside what the machine itself can do.
//
// A part starts a cluster of its own (`carillon dev`: a private PostgreSQL, real nodes and workers), drives it as a
// client does, over the API, and looks at what the commands wrote, at the database and at /proc. The physical limits
// are measured in the same run: a plain C loop that starts and reaps processes, one that answers requests with as many
// bytes, and PostgreSQL's commits of one row.
// Figures of the parts that fill the database go through SQL where an API would take hours.
//
// Invariants: whatever was started is ended, whatever was made is removed, also after an error; a figure is never
// given without having been measured in this run. It refuses to know how Carillon works inside: what it measures is
// what a user can see.

import Glibc
import Runtime

/// Entry point: measures the parts that the words name, and ends the process.
public enum BenchProgram {
    static let usage = """
        usage: carillon-bench [PART...] [--json] [--quick] [--nodes N] [--workers N] [--port P] [--dir DIR]

        Measures Carillon on this machine and prints each figure beside what is to be reached and the physical limit.
        It starts clusters of its own, with the `carillon` that stands in the same folder.

          --json       data on standard output instead of a table
          --quick      shorter and fewer measurements
          --nodes N    scheduler nodes of each cluster (3)
          --workers N  workers of each cluster (2)
          --port P     first port of the nodes (21080)
          --dir DIR    where the clusters keep their data; removed afterwards (a folder below /tmp)

        Parts (without any: those that are not marked as long):

        """ + Part.allCases.map { $0.usage }.joined(separator: "\n")

    public static func main() -> Never {
        signal(SIGPIPE, SIG_IGN)
        let words = Array(CommandLine.arguments.dropFirst())
        if words.contains("--help") || words.contains("-h") {
            Output.line(usage)
            exit(0)
        }
        do {
            let options = try BenchOptions(words)
            let loop = try EventLoop()
            try loop.runUntilComplete { try await run(options, loop: loop) }
            exit(0)
        } catch let error as BenchOptions.Wrong {
            Output.note("carillon-bench: \(error.description)\n\n\(usage)")
            exit(2)
        } catch {
            Output.note("carillon-bench: \(error)")
            exit(1)
        }
    }

    private static func run(_ options: BenchOptions, loop: EventLoop) async throws {
        var report = Report(machine: Machine.description, isQuick: options.isQuick)
        Output.note("measuring the limits of this machine")
        let limits = try await PhysicalLimits.measure(options)
        if options.parts.contains(.limits) { report.figures += limits.figures }
        for part in options.parts where part != .limits {
            Output.note("measuring \(part.rawValue)")
            do {
                report.figures += try await part.measure(options, limits: limits, loop: loop)
            } catch {
                report.failures.append("\(part.rawValue): \(error)")
                Output.note("\(part.rawValue) failed: \(error)")
            }
        }
        Output.line(options.isJSON ? report.json : report.table)
        if !report.failures.isEmpty { throw BenchError("\(report.failures.count) parts could not be measured") }
    }
}

struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

enum Output {
    static func line(_ text: String) { write(text, STDOUT_FILENO) }
    /// Progress and errors.
    static func note(_ text: String) { write(text, STDERR_FILENO) }

    private static func write(_ text: String, _ descriptor: Int32) {
        var rest = Array((text + "\n").utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // Nobody reads: there is nobody to tell either.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

/// What the machine is, for the head of the table.
enum Machine {
    static var description: String {
        let memory = HostFacts.memoryMegabytes / 1024
        return "\(HostFacts.processorCount) cores, \(memory) GB"
    }
}
