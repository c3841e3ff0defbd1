/// The container that a job runs in (chronos-rest-api.md, "container"; chronos.md §2.1).
public struct ContainerSpec: Hashable, Sendable {
    public enum Network: String, Sendable, CaseIterable { case bridge = "BRIDGE", host = "HOST", user = "USER" }

    public var image: String
    /// The image is pulled before each start, even where the worker has it.
    public var forcePullImage = false
    public var network = Network.bridge
    /// Of a network that the engine knows; only with `.user`.
    public var networkName = ""
    public var volumes: [Volume] = []
    /// Options of the engine in the form of `docker run`'s long options, without dashes.
    public var parameters: [Parameter] = []

    public init(image: String) { self.image = image }

    /// The attribute by which a worker says that it runs containers, and by what.
    public static let engineAttribute = "container_engine"

    public struct Volume: Hashable, Sendable {
        public enum Mode: String, Sendable, CaseIterable { case readOnly = "RO", readWrite = "RW" }
        public var containerPath: String
        /// Empty: an anonymous volume, or the external one.
        public var hostPath: String
        public var mode: Mode
        public var external: External?
        public init(containerPath: String, hostPath: String, mode: Mode, external: External? = nil) {
            self.containerPath = containerPath
            self.hostPath = hostPath
            self.mode = mode
            self.external = external
        }
    }

    /// A volume that a driver of the engine provides.
    public struct External: Hashable, Sendable {
        public var name: String
        public var provider: String
        public var options: [Parameter]
        public init(name: String, provider: String, options: [Parameter]) {
            self.name = name
            self.provider = provider
            self.options = options
        }
    }

    public struct Parameter: Hashable, Sendable {
        public var key: String
        public var value: String
        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }
}
