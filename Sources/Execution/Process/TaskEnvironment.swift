import Domain
import JSON

/// The environment of a command: built from nothing (chronos.md §3.13, security.md).
///
/// Of the worker's own environment nothing is passed on. Chronos' ten variables are there with Chronos' spelling of
/// doubles (`128.0`); of a job's variables the first of a name counts, and what would change how programs load code is
/// dropped.
struct TaskEnvironment: Sendable {
    /// "NAME=value", for exec.
    private(set) var entries: [String] = []
    /// Lines for the log of the run: which variables of the job were not passed on, and why.
    private(set) var notes: [String] = []

    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    /// By this a descendant is known that has left its session: the path is unique on the machine.
    static let sandboxVariable = "CARILLON_SANDBOX"

    private static let forbidden: Set<String> = [
        "PATH", "IFS", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "NODE_OPTIONS", "GLIBC_TUNABLES",
    ]
    private static let forbiddenPrefixes = ["LD_", "PYTHON", "BASH_FUNC_"]

    /// - Parameter plugin: what a plugin's task finds on top of it.
    init(
        offer: Offer, hostName: String, sandbox: String, userName: String, home: String, path: String,
        plugin: PluginEnvironment? = nil
    ) {
        let fixed =
            [("PATH", plugin?["PATH"] ?? path)] + Self.chronos(offer, hostName: hostName)
            + [(Self.sandboxVariable, sandbox)]
        var names: Set<String> = []
        for (name, value) in fixed { add(name, value, &names) }
        let reserved = names
        for variable in offer.environment {
            if let reason = Self.objection(to: variable, reserved: reserved) {
                notes.append("[carillon: the job's variable \(Self.shown(variable.name)) is not passed on: \(reason)]")
            } else {
                add(variable.name, variable.value, &names)
            }
        }
        for (name, value) in plugin?.variables ?? [] where !reserved.contains(name) { add(name, value, &names) }
        notes += plugin?.notes ?? []
        // What a job may set itself, so behind its variables.
        for (name, value) in [("HOME", home), ("USER", userName), ("LOGNAME", userName)] { add(name, value, &names) }
    }

    /// What every run is told of itself, in a container too.
    static func chronos(_ offer: Offer, hostName: String) -> [(String, String)] {
        [
            ("mesos_task_id", offer.taskID),
            ("MESOS_TASK_ID", offer.taskID),
            ("CHRONOS_JOB_OWNER", offer.owner),
            ("CHRONOS_JOB_NAME", offer.jobName),
            ("HOST", hostName),
            ("CHRONOS_RESOURCE_MEM", JSONWriter.javaDouble(offer.resources.memory)),
            ("CHRONOS_RESOURCE_CPU", JSONWriter.javaDouble(offer.resources.cpus)),
            ("CHRONOS_RESOURCE_DISK", JSONWriter.javaDouble(offer.resources.disk)),
            ("CHRONOS_JOB_RUN_TIME", String(offer.due.milliseconds)),
            ("CHRONOS_JOB_RUN_ATTEMPT", String(offer.attempt.number)),
            ("CARILLON_RUN_ID", offer.attempt.run.rawValue),
        ] + (offer.extras?.trace.map { [("TRACEPARENT", $0.text)] } ?? [])
    }

    static func marker(sandbox: String) -> String { "\(sandboxVariable)=\(sandbox)" }

    private mutating func add(_ name: String, _ value: String, _ names: inout Set<String>) {
        guard names.insert(name).inserted else { return }
        entries.append("\(name)=\(value)")
    }

    private static func objection(to variable: EnvironmentVariable, reserved: Set<String>) -> String? {
        let name = variable.name
        if name.isEmpty || name.utf8.contains(UInt8(ascii: "=")) || name.utf8.contains(0) {
            return "this is no name of a variable"
        }
        if variable.value.utf8.contains(0) { return "its value contains a NUL" }
        if let objection = objection(toName: name) { return objection }
        if reserved.contains(name) { return "Carillon sets it" }
        return nil
    }

    /// What a variable of that name would do, if nobody may do that.
    static func objection(toName name: String) -> String? {
        guard forbidden.contains(name) || forbiddenPrefixes.contains(where: name.hasPrefix) else { return nil }
        return "it changes how programs are found or loaded"
    }

    /// One line of the log, whatever the name contains.
    static func shown(_ name: String) -> String {
        var shown = ""
        for scalar in name.unicodeScalars.prefix(100) {
            shown.unicodeScalars.append(scalar.properties.generalCategory == .control ? "?" : scalar)
        }
        return "'\(shown)'"
    }
}
