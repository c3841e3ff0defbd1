import Domain
import JSON
import Operations
import Timetable

/// Servers, in terms of Carillon: its nodes and its workers. Both join by themselves; what these calls change is
/// whether a worker is given anything to do. To remove or to shut down a worker is to drain it, to add or to restart it
/// is to let it work again; processes of other machines are their operators' to start and to stop.
struct ServerCalls: Sendable {
    let dependencies: CronicleDependencies

    init(_ dependencies: CronicleDependencies) { self.dependencies = dependencies }

    var all: [Call] {
        [
            Call("get_servers", .anyNode) { context in
                _ = try await context.requireAdministrator()
                return ["servers": .object(try await Self.servers(dependencies))]
            },
            Call("add_server") { try await add($0) },
            Call("remove_server") { try await remove($0) },
            Call("restart_server") { try await restart($0) },
            Call("shutdown_server") { try await shutDown($0) },
        ]
    }

    /// A node that has not been seen for so long is shown as disabled.
    private static let silence = EventOperations.silence

    static func servers(_ dependencies: CronicleDependencies) async throws -> JSONObject {
        let now = dependencies.clock.now()
        let system = dependencies.system
        let leader = try await system.leaderName()
        var servers = JSONObject()
        for entry in try await dependencies.events.nodes() {
            let isSelf = entry.node.name == system.nodeName
            let host = isSelf ? system.hostName : entry.node.name
            let isSilent = !isSelf && entry.seen.duration(to: now) >= Self.silence
            servers[host] = .object([
                "hostname": .string(host), "ip": .string(Self.address(entry.node.url)),
                "master": entry.node.name == leader ? 1 : 0,
                "uptime": .integer(isSelf ? system.facts.uptime.components.seconds : 0),
                "data": ["cpu": 0, "mem": .integer(isSelf ? system.facts.residentBytes : 0)],
                "disabled": isSilent ? 1 : 0,
            ])
        }
        for worker in try await dependencies.events.workers() {
            let description = worker.description
            // On a machine of its own a worker is the machine; beside a node or another worker it has its own name.
            let host = servers[description.hostName] == nil ? description.hostName : description.name
            servers[host] = .object([
                "hostname": .string(host), "ip": .string(Self.address(description.url)), "master": 0,
                "uptime": .integer(max(0, worker.registered.duration(to: now).components.seconds)),
                "data": ["cpu": 0, "mem": 0], "disabled": worker.isDrained ? 1 : 0,
                "worker": .string(description.name),
            ])
        }
        return servers
    }

    /// The host of an address.
    private static func address(_ url: String) -> String {
        let rest = url.split(separator: "/").dropFirst().first ?? ""
        guard !rest.hasPrefix("[") else { return String(rest.dropFirst().prefix { $0 != "]" }) }
        return String(rest.prefix { $0 != ":" })
    }

    // MARK: Changing

    private func host(_ context: CallContext) async throws -> (String, Principal) {
        try Validation.require(context.values, [("hostname", Validation.isHost)])
        let principal = try await context.requireAdministrator()
        return (context.values["hostname"]?.scriptText ?? "", principal)
    }

    private func worker(_ host: String) async throws -> Worker? {
        let workers = try await dependencies.events.workers()
        let wanted = host.lowercased()
        return workers.first { $0.description.name.lowercased() == wanted }
            ?? workers.first { $0.description.hostName.lowercased() == wanted }
    }

    /// Another node than this one, by its name.
    private func node(_ host: String) async throws -> (name: String, isSilent: Bool)? {
        let now = dependencies.clock.now()
        for entry in try await dependencies.events.nodes() where entry.node.name != dependencies.system.nodeName {
            guard entry.node.name.lowercased() == host.lowercased() else { continue }
            return (entry.node.name, entry.seen.duration(to: now) >= Self.silence)
        }
        return nil
    }

    private func add(_ context: CallContext) async throws -> JSONObject {
        let (sent, principal) = try await host(context)
        let host = sent.lowercased()
        if try await node(host) != nil { throw CronicleFailure("server", "Server is already in cluster: \(host)") }
        if let worker = try await worker(host) {
            guard worker.isDrained else {
                throw CronicleFailure("server", "Server is already in cluster: \(host)")
            }
            try await drain(worker, false, principal, context, "server_add")
            return [:]
        }
        switch await dependencies.system.contact(host) {
        case .refused(let reason): throw CronicleFailure("server", "Failed to contact server: \(reason)")
        case .isNode:
            throw CronicleFailure(
                "server",
                "Failed to add server to cluster: \(host): Server is already a master server, controlling its own "
                    + "cluster.")
        case .other:
            throw CronicleFailure(
                "server",
                "Failed to add server to cluster: \(host): a worker joins by itself: start 'carillon worker' there.")
        }
    }

    private func remove(_ context: CallContext) async throws -> JSONObject {
        let (sent, principal) = try await host(context)
        let host = sent.lowercased()
        let isNamed = try await dependencies.events.workers().contains { $0.description.name.lowercased() == host }
        if !isNamed, host == dependencies.system.hostName.lowercased() {
            throw CronicleFailure("server", "Cannot remove current master server: \(host)")
        }
        guard let worker = try await worker(host) else {
            guard let node = try await node(host) else {
                throw CronicleFailure("server", "Server not found in cluster: \(host)")
            }
            guard node.isSilent, try await dependencies.events.forget(principal, node: node.name) else {
                throw CronicleFailure(
                    "server", "Failed to remove server: node '\(node.name)' is running: stop it where it runs first")
            }
            await note("server_remove", node.name, principal, context)
            return [:]
        }
        let isBusy = try await dependencies.runs.active().contains { record in
            record.run.worker == worker.description.name && [.offered, .started].contains(record.run.state)
        }
        guard !isBusy else { throw CronicleFailure("server", "Failed to remove server: Still has running jobs") }
        try await drain(worker, true, principal, context, "server_remove")
        return [:]
    }

    private func known(_ host: String) async throws -> Worker {
        if let worker = try await worker(host) { return worker }
        guard let node = try await node(host) else {
            throw CronicleFailure(1, "Could not locate server: \(host)")
        }
        throw CronicleFailure(1, "Node '\(node.name)' is stopped and started where it runs, not by a call.")
    }

    private func restart(_ context: CallContext) async throws -> JSONObject {
        let (host, principal) = try await host(context)
        let worker = try await known(host)
        try await drain(worker, false, principal, context, "server_restart")
        return [:]
    }

    private func shutDown(_ context: CallContext) async throws -> JSONObject {
        let (host, principal) = try await host(context)
        let worker = try await known(host)
        try await drain(worker, true, principal, context, "server_shutdown")
        return [:]
    }

    private func drain(
        _ worker: Worker, _ isDrained: Bool, _ principal: Principal, _ context: CallContext, _ action: String
    ) async throws {
        try await dependencies.events.drain(principal, worker: worker.description.name, isDrained)
        await note(action, worker.description.name, principal, context)
    }

    private func note(_ action: String, _ name: String, _ principal: Principal, _ context: CallContext) async {
        await dependencies.activity.record(
            action, by: principal, from: context.request.remoteAddress, ["hostname": .string(name)])
    }
}
