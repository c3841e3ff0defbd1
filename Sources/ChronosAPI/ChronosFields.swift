import Domain
import JSON

/// The fields of a Chronos job that the core has no meaning for, or whose text the core would lose. They are kept with
/// the job as JSON below the key "chronos", so that two dialects cannot get into each other's way.
struct ChronosFields: Equatable {
    private static let namespace = "chronos"

    var executorFlags = ""
    var taskInfoData = ""
    var dataProcessingJobType = false
    var fetch: [ChronosFetch] = []
    var uris: [String] = []
    /// Normalised: see `ChronosContainer`.
    var container: JSONValue?
    /// As it was posted; nil when it was not.
    var epsilon: String?
    /// Nil when it was not posted.
    var async: Bool?
    /// By its documented name; nil when that was not posted.
    var dataJob: Bool?
    /// The limit of a run's time was posted as `timeout`, not as `maxCompletionTime`.
    var hasTimeout = false

    /// - Throws: `DomainError.invalid`.
    init(posted body: ChronosBody) throws(DomainError) {
        executorFlags = try body.text("executorFlags") ?? ""
        taskInfoData = try body.text("taskInfoData") ?? ""
        dataJob = body.flag("dataJob")
        dataProcessingJobType = body.flag("dataProcessingJobType") ?? dataJob ?? false
        hasTimeout = body.value("timeout") != nil
        for entry in try body.objects("fetch") { fetch.append(try ChronosFetch(entry)) }
        uris = try body.texts("uris")
        if !uris.isEmpty, !fetch.isEmpty {
            guard uris == fetch.map(\.uri) else {
                throw .invalid("uris and fetch are both given and differ: use fetch alone, uris is deprecated")
            }
            // The list of jobs shows each in the other's form too; such an export names everything once.
            uris = []
        }
        container = try body.value("container").map(ChronosContainer.normalized)
        if let posted = try body.text("epsilon"), !posted.isEmpty { epsilon = posted }
        async = body.flag("async")
    }

    /// What a run fetches: first `fetch`, then `uris`, which are unpacked where they can be.
    var artifacts: [Artifact] { fetch.map(\.artifact) + uris.map(Artifact.init(uri:)) }

    /// As they are listed: what was posted, unless something else has changed the job since.
    func listing(
        of definition: JobDefinition
    ) -> (fetch: [ChronosFetch], uris: [String], container: JSONValue?) {
        let isPosted = artifacts == definition.artifacts
        let shown = definition.container.map { spec in
            if let container, ChronosContainer.spec(of: container) == spec { return container }
            return ChronosContainer.json(of: spec)
        }
        return (isPosted ? fetch : definition.artifacts.map(ChronosFetch.init), isPosted ? uris : [], shown)
    }

    /// What is kept of a job; defaults for one that another dialect made.
    init(text: String) {
        // "{}" is what most jobs have, and all that other dialects made.
        guard text != "{}", let kept = (try? JSONValue(parsing: Array(text.utf8)))?[Self.namespace]?.objectValue,
            // Written by `text` below. Something else would be a defect of the store, not of who lists the jobs.
            let fields = try? ChronosFields(posted: ChronosBody(kept))
        else { return }
        self = fields
    }

    /// JSON text; fields that have their default are left out, and what other dialects keep stays as it is.
    func text(within kept: String) -> String {
        // Written by this or by another dialect; what cannot be read means nothing to either.
        var all = (try? JSONValue(parsing: Array(kept.utf8)))?.objectValue ?? JSONObject()
        let own = json
        all[Self.namespace] = own.isEmpty ? nil : .object(own)
        return all.isEmpty ? "{}" : JSONValue.object(all).text
    }

    private var json: JSONObject {
        var kept = JSONObject()
        for (key, value) in [("executorFlags", executorFlags), ("taskInfoData", taskInfoData)] where !value.isEmpty {
            kept[key] = .string(value)
        }
        if dataProcessingJobType { kept["dataProcessingJobType"] = true }
        if !fetch.isEmpty { kept["fetch"] = .array(fetch.map(\.json)) }
        if !uris.isEmpty { kept["uris"] = .array(uris.map(JSONValue.string)) }
        if let container { kept["container"] = container }
        if let epsilon { kept["epsilon"] = .string(epsilon) }
        if let async { kept["async"] = .bool(async) }
        if let dataJob { kept["dataJob"] = .bool(dataJob) }
        if hasTimeout { kept["timeout"] = true }
        return kept
    }
}

/// Something to download before a run.
struct ChronosFetch: Equatable {
    var uri: String
    var executable: Bool
    var cache: Bool
    var extract: Bool
    var outputFile: String

    init(_ body: ChronosBody) throws(DomainError) {
        uri = try body.requiredText("uri")
        executable = body.flag("executable") ?? false
        cache = body.flag("cache") ?? false
        extract = body.flag("extract") ?? true
        outputFile = try body.text("output_file") ?? ""
    }

    init(_ artifact: Artifact) {
        uri = artifact.uri
        executable = artifact.isExecutable
        cache = artifact.mayBeCached
        extract = artifact.isExtracted
        outputFile = artifact.outputFile
    }

    var artifact: Artifact {
        var artifact = Artifact(uri: uri)
        artifact.isExecutable = executable
        artifact.mayBeCached = cache
        artifact.isExtracted = extract
        artifact.outputFile = outputFile
        return artifact
    }

    /// In Chronos' order.
    var json: JSONValue {
        var object: JSONObject = [
            "uri": .string(uri), "executable": .bool(executable), "cache": .bool(cache), "extract": .bool(extract),
        ]
        if !outputFile.isEmpty { object["output_file"] = .string(outputFile) }
        return .object(object)
    }
}
