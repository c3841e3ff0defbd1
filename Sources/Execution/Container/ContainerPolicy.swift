public import Domain

/// What containers may ask of a worker. Whoever may create a job is whatever is allowed here.
public struct ContainerPolicy: Sendable, Hashable {
    public enum HostPaths: Sendable, Hashable {
        /// Where commands run as root anyway, a mount gives nobody more than a command has.
        case any
        /// In these directories; links are followed first.
        case below([String])
    }

    public var hostPaths: HostPaths
    /// Privileged containers, capabilities, devices, namespaces of the machine and the like.
    public var mayDemand: Bool

    public init(hostPaths: HostPaths, mayDemand: Bool = false) {
        self.hostPaths = hostPaths
        self.mayDemand = mayDemand
    }

    /// Why a container cannot run here; nil when it can. What the paths lead to is looked at before the start.
    /// - Parameter user: as whom the worker's users decided; empty: the worker's own.
    public func objection(to spec: ContainerSpec, user: String) -> String? {
        let options: ContainerOptions
        do throws(DomainError) { options = try ContainerOptions(spec.parameters) } catch { return error.message }
        if let demand = options.demands.first, !mayDemand {
            return "this worker runs no containers with '\(demand.prefix(100))'"
                + " (--container-privileges allows what leads out of a container)"
        }
        if !options.user.isEmpty, !user.isEmpty {
            return "containers run as '\(user)' here: the parameter 'user' cannot change that"
        }
        for volume in spec.volumes + options.volumes {
            if let external = volume.external {
                // A driver's options may name any directory of the machine.
                if !external.options.isEmpty, hostPaths != .any, !mayDemand {
                    return "this worker makes no external volumes with options"
                        + " (--container-privileges allows what leads out of a container)"
                }
            } else if !volume.hostPath.isEmpty, !permits(volume.hostPath) {
                return "this worker does not mount '\(volume.hostPath.prefix(200))' into containers"
                    + " (--container-volume names directories that may be)"
            }
        }
        return nil
    }

    func permits(_ path: String) -> Bool {
        switch hostPaths {
        case .any: true
        case .below(let directories): directories.contains { HostPath.isInside(path, $0) }
        }
    }
}
