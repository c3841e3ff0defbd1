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

    public init() {}
    public static let none = OfferExtras()
}

/// A try that is run by a plugin, with all that the plugin is told (cronicle.md §2.4, §3.1).
public struct PluginOffer: Hashable, Sendable {
    public var plugin: Plugin
    /// JSON object text of the job's values for the plugin's parameters; the worker merges the plugin's defaults.
    public var parameters = "{}"
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
