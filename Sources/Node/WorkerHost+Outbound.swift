public import Execution
import Glibc
public import HTTPTransport
import Outbound
import Runtime

/// What a worker fetches, and what its containers may have.
public struct OutboundConfiguration: Sendable {
    /// Path of the engine's unix socket; empty: looked for at the usual places; "none": no containers.
    public var containerEngine = ""
    /// Directories of the machine that containers may mount; nil: where commands may run as root anyway all, else none.
    public var containerVolumes: [String]?
    /// Privileged containers, capabilities, devices and the like.
    public var allowsContainerPrivileges = false
    public var egress = EgressPolicy()
    public var artifacts = ArtifactSettings()
    /// For an image to come.
    public var pullLimit = Duration.seconds(600)

    public init() {}
}

/// A worker's engine, found at its start.
struct FoundEngine: Sendable {
    let engine: DockerEngine
    let kind: String
    let version: String
    let socket: String
}

extension OutboundConfiguration {
    /// Looks for an engine. One that was named and does not answer is tried for some seconds: it may be starting too.
    func findEngine(client: HTTPClient, loop: EventLoop, log: Log) async -> FoundEngine? {
        if containerEngine == "none" { return nil }
        let isNamed = !containerEngine.isEmpty
        let sockets = isNamed ? [containerEngine] : DockerEngine.usualSockets.filter { access($0, R_OK | W_OK) == 0 }
        for number in 1...Self.tries {
            for socket in sockets {
                do {
                    let (engine, identity) = try await DockerEngine.connect(socket: socket, client: client)
                    log.notice("runs containers by \(identity.kind) \(identity.version) at \(socket)")
                    return FoundEngine(
                        engine: engine, kind: identity.kind, version: identity.version, socket: socket)
                } catch {
                    if number == Self.tries {
                        log.warning("runs no containers: \(error); start it and restart this worker")
                    }
                }
            }
            guard isNamed, number < Self.tries else { return nil }
            // Cancelled: the worker is being stopped before it has begun.
            guard (try? await loop.sleep(for: .seconds(1))) != nil else { return nil }
        }
        return nil
    }

    private static let tries = 5

    /// Where commands may run as root, a mount gives a container nothing that a command has not.
    func policy(users: UserPolicy) -> ContainerPolicy {
        let mayBeRoot =
            users.ownUser == "root" && (users.decide("") == .runAs("") || users.decide("root") == .runAs(""))
        let paths: ContainerPolicy.HostPaths =
            containerVolumes.map { .below($0) } ?? (mayBeRoot ? .any : .below([]))
        return ContainerPolicy(hostPaths: paths, mayDemand: allowsContainerPrivileges)
    }
}
