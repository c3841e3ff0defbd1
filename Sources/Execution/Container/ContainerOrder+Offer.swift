import Domain
import Glibc
import JSON

// What an offer becomes as a container.
extension ContainerOrder {
    struct Place: Sendable {
        /// Of the machine, with the artifacts.
        var sandbox: String
        /// Marks the worker's containers.
        var workDirectory: String
        var hostName: String
        var processorCount: Int
        var processLimit: Int64
        var enforced: Set<EnforcedLimit>
    }

    /// - Parameter user: to run as; nil: the image's own.
    init(_ offer: Offer, _ spec: ContainerSpec, user: UserIdentity?, at place: Place) throws(LaunchError) {
        let options: ContainerOptions
        do throws(DomainError) { options = try ContainerOptions(spec.parameters) } catch {
            throw LaunchError(error.message)
        }
        name = Self.name(of: offer.attempt)
        image = spec.image
        settings = options.settings
        switch spec.network {
        case .bridge: network = "bridge"
        case .host: network = "host"
        case .user: network = spec.networkName
        }
        weight = offer.resources.cpus
        let limit = offer.extras?.limits.processes ?? 0
        let processLimit = limit > 0 ? limit : place.processLimit
        if place.enforced.contains(.processes), processLimit > 0 { processes = processLimit }
        if place.enforced.contains(.memory) {
            let bytes = offer.resources.memory * 1_048_576
            memoryBytes = max(ContainerLimits.leastMemory, Int64(exactly: bytes.rounded(.up)) ?? .max)
        }
        if place.enforced.contains(.cpu) {
            cpus = min(max(offer.resources.cpus, ContainerLimits.leastCPUs), Double(place.processorCount))
        }
        labels = [
            (ContainerLabel.attempt, offer.attempt.description), (ContainerLabel.job, offer.jobName),
            (ContainerLabel.workDirectory, place.workDirectory),
        ]
        if let user {
            self.user = "\(user.user):\(user.group)"
            groups = user.groups.filter { $0 != user.group }.map(String.init)
        }
        environment = Self.environment(offer, hostName: place.hostName)
        setCommand(try ArtifactPlan.command(of: offer, in: ContainerLimits.sandbox))
        mounts = [Mount(source: place.sandbox, target: ContainerLimits.sandbox, isReadOnly: false)]
        for volume in spec.volumes + options.volumes { add(volume) }
    }

    static func name(of attempt: AttemptID) -> String { "carillon-\(attempt.run.rawValue)-\(attempt.number)" }

    private mutating func setCommand(_ offer: Offer) {
        if offer.shell, !offer.command.isEmpty {
            entryPoint = [ExecutablePath.shell, "-c"]
            command = [offer.command]
        } else if offer.commandURL == nil, offer.command.hasPrefix(ContainerLimits.sandbox + "/") {
            // A program that was fetched is no argument of the image's entry point.
            entryPoint = [offer.command]
            command = offer.arguments
        } else {
            command = (offer.command.isEmpty ? [] : [offer.command]) + offer.arguments
        }
    }

    private mutating func add(_ volume: ContainerSpec.Volume) {
        let isReadOnly = volume.mode == .readOnly
        if let external = volume.external {
            mounts.append(Mount(source: external.name, target: volume.containerPath, isReadOnly: isReadOnly))
        } else if !volume.hostPath.isEmpty {
            mounts.append(Mount(source: volume.hostPath, target: volume.containerPath, isReadOnly: isReadOnly))
        } else {
            anonymousVolumes.append(volume.containerPath)
        }
    }

    /// Chronos' variables and the job's; paths and names of users are the image's. What of a job's variables would be
    /// dangerous on the machine is only its own affair in a container.
    private static func environment(_ offer: Offer, hostName: String) -> [String] {
        var names: Set<String> = []
        var entries: [String] = []
        let fixed = TaskEnvironment.chronos(offer, hostName: hostName) + [("MESOS_SANDBOX", ContainerLimits.sandbox)]
        for (name, value) in fixed + offer.environment.map({ ($0.name, $0.value) })
        where !name.isEmpty && !name.utf8.contains(0x3D) && names.insert(name).inserted {
            entries.append("\(name)=\(value)")
        }
        return entries
    }
}
