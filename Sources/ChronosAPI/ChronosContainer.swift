import Domain
import JSON
import Operations

/// Checks the description of a container and brings it into the form and order in which Chronos serialises it.
///
/// It stays JSON: only a container runner would give it a meaning. Reading what was written gives the same again, also
/// when a database has sorted its keys.
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
