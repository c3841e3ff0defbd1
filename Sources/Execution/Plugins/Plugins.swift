// Plugins: jobs that are run by Cronicle's plugin protocol (cronicle.md §3).
//
//     offer ─► PluginTask: parameters, job (JSON on standard input), environment, program
//                 └► process ─► PluginChannel: lines of JSON ─► TaskReport;  all other lines ─► log
//                                                                   └► TaskEnd: outcome, what the leader is told
//
// A plugin is a program of the machine. Three are built in, known by the commands of Cronicle's own: the shell plugin
// executes its script directly, without a program between; the URL plugin is a request of the worker itself, through a
// port; the test plugin is a script of ours.
//
// Invariants
// - A command line is split here, by rules, and never seen by a shell.
// - The environment is built from nothing, as for every other command; nothing of it changes how programs load code.
// - What a task says changes what is shown of its run, whom it tells, and what follows it; never the job, its user or
//   anything else (security.md).
// - No byte of output is lost: what is no message of the protocol is in the log, blank and unterminated lines too.
//   What is kept in memory of a line or of all messages has a limit.

import Domain

/// Bounds of what a task says.
enum PluginLimits {
    /// A longer line is no message, whatever is in it.
    static let line = 1 << 20
    /// Bytes of all that was reported, as JSON. A value that does not fit is left out, with a line in the log.
    static let reported = 384 * 1024
    /// What a heartbeat tells of it while the task runs; beyond that, progress and label alone.
    static let live = 8 * 1024
    /// Bytes of the shell plugin's report of standard error.
    static let errorOutput = 32 * 1024
    /// A first line of standard error that is longer is no part of the description.
    static let errorLine = 256
    /// Bytes of an environment variable's value.
    static let variable = Limits.environmentValue
    /// Bytes of an answer that the URL plugin reads.
    static let answer = 8 * 1024 * 1024
    /// Bytes of it that are searched by patterns.
    static let searched = 1 << 20
    /// Texts up to this size are reported beside the log.
    static let answerReport = 32 * 1024
    static let words = 256
}

/// The plugins that are built in.
enum StockPlugin: String {
    case shell = "bin/shell-plugin.js"
    case url = "bin/url-plugin.js"
    case test = "bin/test-plugin.js"
}
