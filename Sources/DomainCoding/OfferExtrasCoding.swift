public import Domain
public import JSON

/// What an offer says beyond command and arguments.
public enum OfferExtrasCoding {
    public static func encode(_ extras: OfferExtras) -> JSONValue {
        var object = JSONObject()
        object["container"] = extras.container.map(ContainerCoding.encode)
        if !extras.artifacts.isEmpty { object["artifacts"] = .array(extras.artifacts.map(ContainerCoding.encode)) }
        if extras.limits != .none { object["limits"] = LimitsCoding.encode(extras.limits) }
        if extras.isDetached { object["detached"] = true }
        if !extras.group.isEmpty { object["group"] = .string(extras.group) }
        if !extras.workingDirectory.isEmpty { object["working_directory"] = .string(extras.workingDirectory) }
        object["plugin"] = extras.plugin.map(encode)
        object["trace"] = extras.trace.map { .string($0.text) }
        return .object(object)
    }

    public static func decode(_ value: JSONValue) throws(StoreError) -> OfferExtras {
        let fields = try Fields(value, of: "an offer")
        var extras = OfferExtras()
        extras.container = try fields["container"].map(ContainerCoding.decode)
        extras.artifacts = try fields.list("artifacts", ContainerCoding.decodeArtifact)
        if let limits = fields["limits"] { extras.limits = try LimitsCoding.decode(limits) }
        extras.isDetached = try fields.bool("detached", else: false)
        extras.group = try fields.string("group", else: "")
        extras.workingDirectory = try fields.string("working_directory", else: "")
        extras.plugin = try fields["plugin"].map(decodePlugin)
        extras.trace = TraceContext(try fields.string("trace", else: ""))
        return extras
    }

    private static func encode(_ offer: PluginOffer) -> JSONValue {
        var object: JSONObject = [
            "plugin": CatalogueCoding.encode(offer.plugin), "parameters": .string(offer.parameters),
            "job": .string(offer.job.rawValue), "job_title": .string(offer.jobTitle),
            "category": .string(offer.category), "category_title": .string(offer.categoryTitle),
            "target": .string(offer.target), "target_title": .string(offer.targetTitle),
            "notifications": LimitsCoding.encode(offer.notifications),
            "retries_left": .integer(Int64(offer.retriesLeft)), "on_success": .string(offer.onSuccess),
            "on_failure": .string(offer.onFailure), "notes": .string(offer.notes), "source": .string(offer.source),
            "post_data": .string(offer.postData), "dialect_fields": .string(offer.dialectFields),
        ]
        object["chain"] = offer.chain.map(RunContextCoding.encode)
        if offer.hasOwnParameters { object["own_parameters"] = true }
        return .object(object)
    }

    private static func decodePlugin(_ value: JSONValue) throws(StoreError) -> PluginOffer {
        let fields = try Fields(value, of: "the plugin of an offer")
        guard let plugin = fields["plugin"] else { throw StoreError(.data, "the plugin of an offer is missing") }
        var offer = PluginOffer(
            plugin: try CatalogueCoding.decodePlugin(plugin), job: JobID(try fields.string("job", else: "")))
        offer.parameters = try fields.string("parameters", else: "{}")
        offer.hasOwnParameters = try fields.bool("own_parameters", else: false)
        offer.jobTitle = try fields.string("job_title", else: "")
        offer.category = try fields.string("category", else: "")
        offer.categoryTitle = try fields.string("category_title", else: "")
        offer.target = try fields.string("target", else: "")
        offer.targetTitle = try fields.string("target_title", else: "")
        if let settings = fields["notifications"] {
            offer.notifications = try LimitsCoding.decodeNotifications(settings)
        }
        offer.retriesLeft = Int(clamping: try fields.integer("retries_left", else: 0))
        offer.onSuccess = try fields.string("on_success", else: "")
        offer.onFailure = try fields.string("on_failure", else: "")
        offer.notes = try fields.string("notes", else: "")
        offer.source = try fields.string("source", else: "")
        offer.chain = try fields["chain"].map(RunContextCoding.decodeChain)
        offer.postData = try fields.string("post_data", else: "")
        offer.dialectFields = try fields.string("dialect_fields", else: "{}")
        return offer
    }
}
