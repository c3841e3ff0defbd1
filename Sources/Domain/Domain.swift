// Domain: what Carillon knows about jobs, runs, workers and leadership, as values.
//
// Everything that decides lives here and nothing that performs: no clock, no randomness, no logging, no I/O. Time is a
// parameter, identifiers are counted per term, and each decision comes back as a value that the shell (Coordination,
// Execution, Operations) carries out. Whoever calls a planner twice with the same input gets the same answer, which is
// what lets the whole cluster be simulated from one seed.
//
// Folders: Job (the stored definition), Run (one execution wanted of a job, and its state machine), Cluster (term,
// election, workers), Planning (what is launched, where, what follows a result), Access (who may do what), Ports (what
// the shell must provide).
//
// It refuses to know: SQL, HTTP, JSON, processes, dialects.

import Timetable

/// Bounds on everything that comes from outside. A value beyond its bound is refused with a message, never cut.
public enum Limits {
    public static let jobName = 255
    /// Bytes of the identifier of a job.
    public static let identifier = 64
    /// Categories, groups and plugins together.
    public static let catalogueItems = 10_000
    /// Bytes of what running tasks have told of themselves that the leader keeps at once.
    public static let liveDetails = 64 * 1024 * 1024
    public static let command = 64 * 1024
    public static let text = 8 * 1024
    public static let arguments = 256
    public static let argument = 32 * 1024
    public static let environmentVariables = 256
    public static let environmentValue = 32 * 1024
    public static let constraints = 32
    public static let constraintPattern = 256
    public static let attributes = 64
    public static let attributeValue = 256
    public static let parents = 256
    public static let retries = 1_000
    public static let dialectFields = 128 * 1024
    /// Occurrences held back while an earlier run of the job is active and their start window is open.
    public static let heldPerJob = 16
    /// Runs of one job that may wait or be active at once.
    public static let activePerJob = 1_000
    /// Runs of the cluster that may wait or be active at once.
    public static let activeRuns = 200_000
    /// Offers in one request to a worker.
    public static let offersPerRequest = 256
    /// How long before its due instant a run may be offered at most, in seconds.
    public static let leadSeconds: Int64 = 60
    /// Bytes of commands, arguments and environments in one such request, beyond the first offer's.
    public static let offerBytesPerRequest = 2 * 1024 * 1024
    /// Bytes of output that travel with a report; the whole log stays with the worker.
    public static let outputTail = 8 * 1024
    /// Bytes of the log of a try, compressed, that are kept after its end.
    public static let storedLog = 4 * 1024 * 1024
    /// Bytes of what a task may tell of itself by the plugin protocol.
    public static let reported = 1024 * 1024
    /// Runs that may follow one another by chains.
    public static let chainLength = 100
    /// Bytes of the values of a plugin's parameters.
    public static let pluginParameters = 256 * 1024
    public static let artifacts = 64
    public static let volumes = 64
    public static let containerParameters = 64
    public static let uri = 4 * 1024
    public static let runSeconds: Int64 = 366 * 86_400
}
