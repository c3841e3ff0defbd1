import HTTPTransport
import Node

/// Options of a worker about containers and downloads.
enum OutboundOptions {
    private static let engine = Option<String>.text(
        "container-engine", "SOCKET",
        "unix socket of Docker's or podman's service, or none (default: looked for at the usual places)", default: "")
    private static let volumes = Option<[String]>.list(
        "container-volume", "DIR",
        "a directory that containers may mount, or none (default: all where commands may run as root, else none)")
    private static let privileges = Option<Bool>.flag(
        "container-privileges", "containers may be privileged, have capabilities, devices and the machine's namespaces")
    private static let egress = Option<String>.choice(
        "egress", ["any", "public"], "where downloads may lead: also into private networks, or not", default: "any")
    private static let allowed = Option<[String]>.list(
        "egress-allow", "RANGE", "addresses that downloads may lead to in any case, such as 10.1.0.0/16")
    private static let directories = Option<[String]>.list(
        "fetch-dir", "DIR", "a directory that jobs may fetch files of this machine from")
    private static let limit = Option<Double?>.optionalNumber(
        "fetch-limit", "MB", "what one run may download (default: 1024)", in: 1...1e7)
    private static let cache = Option<Double?>.optionalNumber(
        "fetch-cache", "MB", "downloads that are kept for later runs; 0: none (default: 2048)", in: 0...1e7)
    private static let timeout = Option<Duration>.seconds(
        "fetch-timeout", "for all downloads of a run, and for an image to come", in: 1...86_400, default: 600)

    static let declarations = [
        engine.declaration, volumes.declaration, privileges.declaration, egress.declaration, allowed.declaration,
        directories.declaration, limit.declaration, cache.declaration, timeout.declaration,
    ]

    static func configuration(_ arguments: Arguments) throws -> OutboundConfiguration {
        var configuration = OutboundConfiguration()
        configuration.containerEngine = try arguments.get(engine)
        guard ["", "none"].contains(configuration.containerEngine) || configuration.containerEngine.hasPrefix("/")
        else {
            throw UsageError(
                "--container-engine: '\(configuration.containerEngine)' must be the absolute path of a socket, or none")
        }
        let places = try arguments.get(volumes)
        if !places.isEmpty {
            configuration.containerVolumes = try paths(places.filter { $0 != "none" }, "container-volume")
        }
        configuration.allowsContainerPrivileges = try arguments.get(privileges)
        configuration.egress.reach = EgressPolicy.Reach(rawValue: try arguments.get(egress)) ?? .any
        configuration.egress.allowed = try arguments.get(allowed).map { text in
            guard let range = AddressRange(text) else {
                throw UsageError("--egress-allow: '\(text)' is no range of addresses, such as 10.1.0.0/16 or fd12::/16")
            }
            return range
        }
        configuration.artifacts.fileDirectories = try paths(try arguments.get(directories), "fetch-dir")
        if let megabytes = try arguments.get(limit) {
            configuration.artifacts.byteLimit = Int64(megabytes * 1_048_576)
            configuration.artifacts.unpackedLimit = configuration.artifacts.byteLimit * 4
        }
        if let megabytes = try arguments.get(cache) {
            configuration.artifacts.cacheLimit = Int64(megabytes * 1_048_576)
        }
        configuration.artifacts.timeLimit = try arguments.get(timeout)
        configuration.pullLimit = configuration.artifacts.timeLimit
        return configuration
    }

    private static func paths(_ words: [String], _ option: String) throws -> [String] {
        for word in words where !word.hasPrefix("/") {
            throw UsageError("--\(option): '\(word)' must be an absolute path")
        }
        return words
    }
}
