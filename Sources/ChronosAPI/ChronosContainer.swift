import Domain
import JSON
import Operations

/// Checks the description of a container and brings it into the form and order in which Chronos serialises it.
///
/// The JSON is kept for the listing, which must show what was posted (a volume without a mode, the type MESOS, port
/// mappings); what it means for a run is the `ContainerSpec` made from it. Reading what was written gives the same
/// again, also when a database has sorted its keys.
///
/// An image of the type MESOS is run by the container engine as well. Of `networkInfos` the first one's name is the
/// network, where the network is USER and has no `networkName`; the rest is kept and shown, as in Chronos.
enum ChronosContainer {
    private static let key = "container"

    static func normalized(_ value: JSONValue) throws(DomainError) -> JSONValue {
        guard let object = value.objectValue else {
            throw .invalid("\(key) must be an object with at least an image, not \(value.kind)")
        }
        let body = ChronosBody(object, at: key)
        guard let image = try body.text("image"), !image.isEmpty else {
            throw .invalid("\(key).image is missing: a container needs the name of an image")
        }
        var result = JSONObject()
        result["type"] = .string(try choice(body, "type", of: ["DOCKER", "MESOS"]) ?? "DOCKER")
        result["image"] = .string(image)
        result["network"] = .string(try choice(body, "network", of: ["BRIDGE", "HOST", "USER"]) ?? "HOST")
        if let name = try body.text("networkName"), !name.isEmpty { result["networkName"] = .string(name) }
        result["networkInfos"] = try array(body, "networkInfos", networkInfo)
        result["volumes"] = try array(body, "volumes", volume)
        result["forcePullImage"] = .bool(body.flag("forcePullImage") ?? false)
        result["parameters"] = try array(body, "parameters", pair)
        return .object(result)
    }

    /// What a normalised container means.
    static func spec(of container: JSONValue) -> ContainerSpec {
        var spec = ContainerSpec(image: text(container, "image"))
        spec.forcePullImage = container["forcePullImage"]?.boolValue ?? false
        spec.network = ContainerSpec.Network(rawValue: text(container, "network")) ?? .host
        if spec.network == .user {
            let firstName = container["networkInfos"]?.arrayValue?.first.map { text($0, "name") }
            spec.networkName = container["networkName"]?.stringValue ?? firstName ?? ""
        }
        spec.volumes = (container["volumes"]?.arrayValue ?? []).map(volumeSpec)
        spec.parameters = pairs(container["parameters"])
        return spec
    }

    /// The listing of a container that was not posted in this dialect.
    static func json(of spec: ContainerSpec) -> JSONValue {
        var result: JSONObject = [
            "type": "DOCKER", "image": .string(spec.image), "network": .string(spec.network.rawValue),
        ]
        if !spec.networkName.isEmpty { result["networkName"] = .string(spec.networkName) }
        result["networkInfos"] = []
        result["volumes"] = .array(
            spec.volumes.map { volume in
                var object = JSONObject()
                if !volume.hostPath.isEmpty { object["hostPath"] = .string(volume.hostPath) }
                object["containerPath"] = .string(volume.containerPath)
                object["mode"] = .string(volume.mode.rawValue)
                if let external = volume.external {
                    object["external"] = [
                        "name": .string(external.name), "provider": .string(external.provider),
                        "options": json(of: external.options),
                    ]
                }
                return .object(object)
            })
        result["forcePullImage"] = .bool(spec.forcePullImage)
        result["parameters"] = json(of: spec.parameters)
        return .object(result)
    }

    private static func json(of parameters: [ContainerSpec.Parameter]) -> JSONValue {
        .array(parameters.map { ["key": .string($0.key), "value": .string($0.value)] })
    }

    private static func text(_ value: JSONValue, _ key: String) -> String { value[key]?.stringValue ?? "" }

    private static func volumeSpec(_ value: JSONValue) -> ContainerSpec.Volume {
        ContainerSpec.Volume(
            containerPath: text(value, "containerPath"), hostPath: text(value, "hostPath"),
            mode: ContainerSpec.Volume.Mode(rawValue: text(value, "mode")) ?? .readWrite,
            external: value["external"].map { external in
                ContainerSpec.External(
                    name: text(external, "name"), provider: text(external, "provider"),
                    options: pairs(external["options"]))
            })
    }

    private static func pairs(_ value: JSONValue?) -> [ContainerSpec.Parameter] {
        (value?.arrayValue ?? []).map { ContainerSpec.Parameter(key: text($0, "key"), value: text($0, "value")) }
    }

    // MARK: Parts

    private static func networkInfo(_ body: ChronosBody) throws(DomainError) -> JSONValue {
        var result: JSONObject = ["name": .string(try body.requiredText("name"))]
        if let protocolName = try body.text("protocol") {
            guard let known = ["IPv4", "IPv6"].first(where: { $0.lowercased() == protocolName.lowercased() }) else {
                throw .invalid("\(body.path("protocol")) must be IPv4 or IPv6, not \(quoted(protocolName))")
            }
            result["protocol"] = .string(known)
        }
        result["labels"] = try array(body, "labels", pair)
        result["portMappings"] = try array(body, "portMappings", portMapping)
        return .object(result)
    }

    /// Ports are texts in Chronos' output.
    private static func portMapping(_ body: ChronosBody) throws(DomainError) -> JSONValue {
        var result = JSONObject()
        for side in ["hostPort", "containerPort"] {
            guard let port = try body.strictInteger(side), (0...65_535).contains(port) else {
                throw .invalid("\(body.path(side)) must be a port from 0 to 65535")
            }
            result[side] = .string(String(port))
        }
        if let transport = try body.text("protocol"), !transport.isEmpty { result["protocol"] = .string(transport) }
        return .object(result)
    }

    private static func volume(_ body: ChronosBody) throws(DomainError) -> JSONValue {
        var result = JSONObject()
        if let hostPath = try body.text("hostPath") { result["hostPath"] = .string(hostPath) }
        result["containerPath"] = .string(try body.requiredText("containerPath"))
        if let mode = try choice(body, "mode", of: ["RW", "RO"]) { result["mode"] = .string(mode) }
        if let external = body.value("external") {
            guard let object = external.objectValue else {
                throw .invalid("\(body.path("external")) must be an object, not \(external.kind)")
            }
            let driver = ChronosBody(object, at: body.path("external"))
            result["external"] = .object([
                "name": .string(try driver.requiredText("name")),
                "provider": .string(try driver.requiredText("provider")),
                "options": try array(driver, "options", pair),
            ])
        }
        return .object(result)
    }

    private static func pair(_ body: ChronosBody) throws(DomainError) -> JSONValue {
        .object(["key": .string(try body.requiredText("key")), "value": .string(try body.requiredText("value"))])
    }

    private static func array(
        _ body: ChronosBody, _ key: String, _ element: (ChronosBody) throws(DomainError) -> JSONValue
    ) throws(DomainError) -> JSONValue {
        var elements: [JSONValue] = []
        for entry in try body.objects(key) { elements.append(try element(entry)) }
        return .array(elements)
    }

    /// One of the words, in any case; nil when absent or empty.
    private static func choice(
        _ body: ChronosBody, _ key: String, of words: [String]
    ) throws(DomainError) -> String? {
        guard let posted = try body.text(key), !posted.isEmpty else { return nil }
        let word = posted.uppercased()
        guard words.contains(word) else {
            let list = words.joined(separator: ", ")
            throw .invalid("\(body.path(key)) must be one of \(list), not \(quoted(posted))")
        }
        return word
    }
}
