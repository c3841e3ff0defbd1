/// What an offer says beyond command and arguments. Most offers have none of it.
public struct OfferExtras: Hashable, Sendable {
    public var container: ContainerSpec?
    public var artifacts: [Artifact] = []
    public var limits = RunLimits.none
    public var isDetached = false
    /// Name or number; empty: the user's own.
    public var group = ""
    /// Empty: the try's own directory.
    public var workingDirectory = ""
    public var plugin: PluginOffer?
    /// Handed on to the task.
    public var trace: TraceContext?

    public init() {}
    public static let none = OfferExtras()
}

/// A try that is run by a plugin, with all that the plugin is told (cronicle.md §2.4, §3.1).
public struct PluginOffer: Hashable, Sendable {
    public var plugin: Plugin
    /// JSON object text of the job's values for the plugin's parameters; the worker merges the plugin's defaults.
    public var parameters = "{}"
    /// They were given for this run: those that the plugin does not declare reach the task too.
    public var hasOwnParameters = false
    public var job: JobID
    public var jobTitle = ""
    public var category = ""
    public var categoryTitle = ""
    public var target = ""
    public var targetTitle = ""
    public var notifications = NotificationSettings.none
    public var retriesLeft = 0
    public var onSuccess = ""
    public var onFailure = ""
    public var notes = ""
    public var source = ""
    public var chain: ChainLink?
    public var postData = ""
    /// JSON object text of what the dialect keeps in the job: passed on as it is.
    public var dialectFields = "{}"

    public init(plugin: Plugin, job: JobID) {
        self.plugin = plugin
        self.job = job
    }
}

extension OfferExtras {
    /// About as many as it takes on the wire, for keeping requests within their size.
    var bytes: Int {
        var bytes = artifacts.reduce(0) { $0 + $1.uri.utf8.count }
        for volume in container?.volumes ?? [] { bytes += volume.hostPath.utf8.count + volume.containerPath.utf8.count }
        for parameter in container?.parameters ?? [] { bytes += parameter.value.utf8.count }
        guard let plugin else { return bytes }
        bytes += plugin.parameters.utf8.count + plugin.plugin.parameters.utf8.count + plugin.postData.utf8.count
        bytes += plugin.plugin.environment.utf8.count + plugin.dialectFields.utf8.count + plugin.notes.utf8.count
        return bytes + (plugin.chain?.data.utf8.count ?? 0) + (plugin.chain?.parameters.utf8.count ?? 0)
    }
}
