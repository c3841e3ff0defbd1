import Domain
import JSON

/// The variables of a plugin's task, on top of those that every command gets (cronicle.md §3.5): from low to high, the
/// plugin's own, `JOB_*` for what the job says of itself, and the parameters under their names in capitals.
///
/// Unlike Cronicle's, nothing of the worker's own environment is among them, and none changes how programs are found
/// or loaded, whatever a job's parameters are called.
struct PluginEnvironment {
    /// In the order in which they are set; a later one of the same name replaces an earlier one.
    private(set) var variables: [(name: String, value: String)] = []
    private(set) var notes: [String] = []
    private var positions: [String: Int] = [:]

    init(
        _ plugin: PluginOffer, job: JSONObject, parameters: PluginParameters, sandbox: String, version: String
    ) throws(LaunchError) {
        let own = try PluginParameters.parse(plugin.plugin.environment, "the environment of the plugin")?.objectValue
        for (name, value) in own ?? JSONObject() { set(name, PluginParameters.text(value), isOwn: true) }
        set("CRONICLE", version)
        set("JOB_ID", job["id"].map(PluginParameters.text) ?? "")
        set("JOB_LOG", job["log_file"].map(PluginParameters.text) ?? "")
        set("JOB_NOW", job["now"].map(PluginParameters.text) ?? "")
        set("PWD", sandbox)
        for (key, value) in job where value.objectValue == nil && value.arrayValue == nil && !value.isNull {
            guard let name = Self.name(key) else { continue }
            set("JOB_\(name)", PluginParameters.text(value))
        }
        for (key, value) in parameters.values {
            // An object is no variable's value; the task reads it in its job.
            guard let name = Self.name(key), value.objectValue == nil, value.arrayValue == nil else { continue }
            let text = PluginParameters.text(value)
            // A script is no variable's value: its dollar signs are its own, and it is read from elsewhere.
            let isScript = key == "script" && StockPlugin(rawValue: plugin.plugin.command) == .shell
            if isScript, text.utf8.count > PluginLimits.variable { continue }
            set(name, CommandLineWords.expand(text) { positions[$0].map { variables[$0].value } })
        }
    }

    subscript(name: String) -> String? { positions[name].map { variables[$0].value } }

    private static func name(_ key: String) -> String? {
        let isName = key.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        }
        return isName && !key.isEmpty ? key.uppercased() : nil
    }

    /// - Parameter isOwn: an administrator has written it into the plugin; he may set PATH.
    private mutating func set(_ name: String, _ value: String, isOwn: Bool = false) {
        let isPath = isOwn && name == "PATH"
        if !isPath, let reason = TaskEnvironment.objection(toName: name) {
            notes.append("[carillon: the variable \(TaskEnvironment.shown(name)) is not passed on: \(reason)]")
            return
        }
        guard !value.utf8.contains(0), value.utf8.count <= PluginLimits.variable else {
            notes.append(
                "[carillon: the variable \(TaskEnvironment.shown(name)) is not passed on: "
                    + "it has a NUL or more than \(PluginLimits.variable) bytes]")
            return
        }
        if let position = positions[name] {
            variables[position].value = value
        } else {
            positions[name] = variables.count
            variables.append((name, value))
        }
    }
}
