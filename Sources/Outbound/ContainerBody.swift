import Domain
import Execution
import JSON

/// The body of "create a container".
enum ContainerBody {
    static func make(_ order: ContainerOrder) -> JSONValue {
        var config: JSONObject = [
            "Image": .string(order.image), "Env": .array(order.environment.map(JSONValue.string)),
            "AttachStdin": false, "OpenStdin": false, "Tty": false,
        ]
        if let entryPoint = order.entryPoint { config["Entrypoint"] = .array(entryPoint.map(JSONValue.string)) }
        if !order.command.isEmpty { config["Cmd"] = .array(order.command.map(JSONValue.string)) }
        if !order.user.isEmpty { config["User"] = .string(order.user) }
        if !order.anonymousVolumes.isEmpty {
            var volumes = JSONObject()
            for path in order.anonymousVolumes { volumes[path] = [:] }
            config["Volumes"] = .object(volumes)
        }
        var host: JSONObject = [
            "NetworkMode": .string(order.network), "RestartPolicy": ["Name": "no"], "AutoRemove": false,
            "Binds": .array(
                order.mounts.map { .string("\($0.source):\($0.target):\($0.isReadOnly ? "ro" : "rw")") }),
            "CpuShares": .integer(max(2, min(262_144, Int64(min(order.weight, 256) * 1024)))),
        ]
        if let memory = order.memoryBytes { host["Memory"] = .integer(memory) }
        if let processes = order.processes { host["PidsLimit"] = .integer(processes) }
        if let cpus = order.cpus, !order.settings.contains(where: { ["CpuQuota", "CpuPeriod"].contains($0.field) }) {
            host["NanoCpus"] = .integer(Int64((cpus * 1e9).rounded()))
        }
        if !order.groups.isEmpty { host["GroupAdd"] = .array(order.groups.map(JSONValue.string)) }
        for setting in order.settings { add(setting, to: &config, &host) }
        // No swap beyond the memory, unless the job says otherwise: what needs more dies, as a command would.
        if let memory = host["Memory"], !order.settings.contains(where: { $0.field == "MemorySwap" }) {
            host["MemorySwap"] = memory
        }
        var labels = config["Labels"]?.objectValue ?? [:]
        for (name, value) in order.labels { labels[name] = .string(value) }
        config["Labels"] = .object(labels)
        config["HostConfig"] = .object(host)
        return .object(config)
    }

    private static func add(
        _ setting: ContainerOptions.Setting, to config: inout JSONObject, _ host: inout JSONObject
    ) {
        if case .port(let container, let address, let hostPort) = portParts(setting.value) {
            var exposed = config["ExposedPorts"]?.objectValue ?? [:]
            exposed[container] = [:]
            config["ExposedPorts"] = .object(exposed)
            var bindings = host[setting.field]?.objectValue ?? [:]
            let binding: JSONValue = ["HostIp": .string(address), "HostPort": .string(hostPort)]
            bindings[container] = .array((bindings[container]?.arrayValue ?? []) + [binding])
            host[setting.field] = .object(bindings)
            return
        }
        switch setting.place {
        case .config: apply(setting, to: &config)
        case .hostConfig: apply(setting, to: &host)
        }
    }

    private enum PortParts {
        case none
        case port(container: String, address: String, host: String)
    }

    private static func portParts(_ value: ContainerOptions.Value) -> PortParts {
        guard case .port(let container, let host, let address) = value else { return .none }
        return .port(container: container, address: address, host: host)
    }

    private static func apply(_ setting: ContainerOptions.Setting, to object: inout JSONObject) {
        let field = setting.field
        switch setting.value {
        case .text(let text): object[field] = .string(text)
        case .flag(let flag): object[field] = .bool(flag)
        case .integer(let number): object[field] = .integer(number)
        case .element(let text): append(.string(text), to: field, of: &object)
        case .member(let name, let value):
            var members = object[field]?.objectValue ?? [:]
            members[name] = .string(value)
            object[field] = .object(members)
        case .limit(let name, let soft, let hard):
            append(["Name": .string(name), "Soft": .integer(soft), "Hard": .integer(hard)], to: field, of: &object)
        case .device(let host, let container, let permissions):
            append(
                [
                    "PathOnHost": .string(host), "PathInContainer": .string(container),
                    "CgroupPermissions": .string(permissions),
                ], to: field, of: &object)
        case .port: break
        }
    }

    private static func append(_ element: JSONValue, to field: String, of object: inout JSONObject) {
        object[field] = .array((object[field]?.arrayValue ?? []) + [element])
    }
}
