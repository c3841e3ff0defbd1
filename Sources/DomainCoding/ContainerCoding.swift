public import Domain
public import JSON

/// Containers and artifacts of jobs.
public enum ContainerCoding {
    public static func encode(_ container: ContainerSpec) -> JSONValue {
        var object: JSONObject = ["image": .string(container.image)]
        if container.forcePullImage { object["force_pull"] = true }
        if container.network != .bridge { object["network"] = .string(container.network.rawValue) }
        if !container.networkName.isEmpty { object["network_name"] = .string(container.networkName) }
        if !container.volumes.isEmpty { object["volumes"] = .array(container.volumes.map(encode)) }
        if !container.parameters.isEmpty { object["parameters"] = encode(container.parameters) }
        return .object(object)
    }

    public static func decode(_ value: JSONValue) throws(StoreError) -> ContainerSpec {
        let fields = try Fields(value, of: "a container")
        var container = ContainerSpec(image: try fields.string("image", else: ""))
        container.forcePullImage = try fields.bool("force_pull", else: false)
        container.network = try fields.word("network", else: container.network)
        container.networkName = try fields.string("network_name", else: "")
        container.volumes = try fields.list("volumes", decodeVolume)
        container.parameters = try fields.list("parameters", decodeParameter)
        return container
    }

    public static func encode(_ artifact: Artifact) -> JSONValue {
        var object: JSONObject = ["uri": .string(artifact.uri)]
        if !artifact.outputFile.isEmpty { object["output_file"] = .string(artifact.outputFile) }
        if artifact.isExecutable { object["executable"] = true }
        if artifact.mayBeCached { object["cache"] = true }
        if !artifact.isExtracted { object["extract"] = false }
        return .object(object)
    }

    public static func decodeArtifact(_ value: JSONValue) throws(StoreError) -> Artifact {
        let fields = try Fields(value, of: "an artifact")
        var artifact = Artifact(uri: try fields.string("uri", else: ""))
        artifact.outputFile = try fields.string("output_file", else: "")
        artifact.isExecutable = try fields.bool("executable", else: false)
        artifact.mayBeCached = try fields.bool("cache", else: false)
        artifact.isExtracted = try fields.bool("extract", else: true)
        return artifact
    }

    private static func encode(_ volume: ContainerSpec.Volume) -> JSONValue {
        var object: JSONObject = [
            "container_path": .string(volume.containerPath), "host_path": .string(volume.hostPath),
            "mode": .string(volume.mode.rawValue),
        ]
        if let external = volume.external {
            object["external"] = [
                "name": .string(external.name), "provider": .string(external.provider),
                "options": encode(external.options),
            ]
        }
        return .object(object)
    }

    private static func decodeVolume(_ value: JSONValue) throws(StoreError) -> ContainerSpec.Volume {
        let fields = try Fields(value, of: "a volume")
        var volume = ContainerSpec.Volume(
            containerPath: try fields.string("container_path", else: ""),
            hostPath: try fields.string("host_path", else: ""), mode: try fields.word("mode", else: .readWrite))
        if let external = fields["external"] {
            let fields = try Fields(external, of: "an external volume")
            volume.external = ContainerSpec.External(
                name: try fields.string("name", else: ""), provider: try fields.string("provider", else: ""),
                options: try fields.list("options", decodeParameter))
        }
        return volume
    }

    private static func encode(_ parameters: [ContainerSpec.Parameter]) -> JSONValue {
        .array(parameters.map { ["key": .string($0.key), "value": .string($0.value)] })
    }

    private static func decodeParameter(_ value: JSONValue) throws(StoreError) -> ContainerSpec.Parameter {
        let fields = try Fields(value, of: "a parameter of a container")
        return .init(key: try fields.string("key", else: ""), value: try fields.string("value", else: ""))
    }
}
