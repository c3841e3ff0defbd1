// CommandLineTool: the commands of the `carillon` executable.
//
// Arguments turns words into checked values, Server holds the commands that run a part of the cluster or touch its
// database, Client those that speak to a cluster over its API, Dev the one that runs a whole cluster. Each command
// decodes its options, calls one thing, and prints; it knows no rule of scheduling.

import Glibc
import Node

/// Entry point: performs the command that the process was called with, and ends the process with its status.
public enum CarillonProgram {
    static let program: Program = Program(
        name: "carillon", version: Carillon.version, summary: "a clustered job scheduler",
        commands: [DevCommand.command, NodeCommand.command, WorkerCommand.command, MigrateCommand.command]
            + KeyCommand.all + UserCommand.all + [VerifyCommand.command, DoctorCommand.command] + ImportCommands.all
            + ClientCommands.all
            + [Completions.command { program }, ManPage.command { program }])

    public static func main() -> Never {
        // A peer that has gone is an error of a write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let words = Array(CommandLine.arguments.dropFirst())
        exit(program.run(words, environment: environment()))
    }

    private static func environment() -> [String: String] {
        var result: [String: String] = [:]
        var entry = environ
        while let pointer = entry.pointee {
            let parts = String(cString: pointer).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { result[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return result
    }
}
