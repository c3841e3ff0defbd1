import Domain

// What can be told of a job's container and downloads without a worker.
extension JobValidator {
    /// - Throws: `DomainError.invalid`.
    static func validateContainer(_ definition: JobDefinition) throws(DomainError) {
        guard let container = definition.container else { return }
        try validate(image: container.image)
        try validateNetwork(container)
        guard container.volumes.count <= Limits.volumes else {
            throw .invalid("a container may have at most \(Limits.volumes) volumes, not \(container.volumes.count)")
        }
        for (position, volume) in container.volumes.enumerated() { try validate(volume, at: position) }
        guard container.parameters.count <= Limits.containerParameters else {
            throw .invalid("a container may have at most \(Limits.containerParameters) parameters")
        }
        for parameter in container.parameters {
            guard parameter.value.utf8.count <= Limits.environmentValue else {
                throw .invalid("the container parameter \(quoted(parameter.key)) is too long")
            }
            try refuseNUL(parameter.value, in: "the container parameter \(quoted(parameter.key))")
        }
        let options = try ContainerOptions(container.parameters)
        if definition.shell, !definition.command.isEmpty, options.settings.contains(where: { $0.field == "Entrypoint" })
        {
            throw .invalid(
                "the container parameter 'entrypoint' has no effect where shell is true, since the command is run by"
                    + " /bin/sh -c: set shell to false or leave entrypoint out")
        }
        if options.settings.contains(where: { setting in
            if case .member(let name, _) = setting.value { return name.hasPrefix("io.carillon.") }
            return false
        }) {
            throw .invalid("labels of containers that begin with io.carillon. are Carillon's own")
        }
        try validate(options, within: definition.resources)
    }

    /// - Throws: `DomainError.invalid`.
    static func validateArtifacts(_ definition: JobDefinition) throws(DomainError) {
        guard definition.artifacts.count <= Limits.artifacts else {
            throw .invalid("a job may have at most \(Limits.artifacts) downloads, not \(definition.artifacts.count)")
        }
        var artifacts = definition.artifacts
        if definition.plugin.isEmpty, let command = CommandURL(command: definition.command) {
            artifacts.append(command.artifact)
        }
        var paths: Set<String> = []
        for artifact in artifacts {
            _ = try artifact.source()
            let path = try artifact.path()
            guard paths.insert(path).inserted else {
                throw .invalid("two downloads would be the same file \(quoted(path)): name one by output_file")
            }
        }
    }

    private static func validate(image: String) throws(DomainError) {
        let isGood =
            !image.isEmpty && image.utf8.count <= Limits.text && !image.hasPrefix("-")
            && image.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "._-/:@+".utf8.contains(byte)
            }
            && image.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty && $0 != ".." }
        guard isGood else {
            throw .invalid("\(quoted(image)) is no name of an image: write it like registry.example.org/tool:1.2")
        }
    }

    private static func validateNetwork(_ container: ContainerSpec) throws(DomainError) {
        guard container.network == .user || container.networkName.isEmpty else {
            throw .invalid("networkName is for the network USER, not for \(container.network.rawValue)")
        }
        if container.network == .user, !ContainerOptions.isVolumeName(container.networkName) {
            throw .invalid(
                "the network USER needs the name of a network, by networkName or by the first of networkInfos")
        }
    }

    private static func validate(_ volume: ContainerSpec.Volume, at position: Int) throws(DomainError) {
        let place = "the volume \(position + 1) of the container"
        try validate(path: volume.containerPath, "\(place): containerPath")
        guard let external = volume.external else {
            if !volume.hostPath.isEmpty { try validate(path: volume.hostPath, "\(place): hostPath") }
            return
        }
        guard volume.hostPath.isEmpty else {
            throw .invalid("\(place) has both a hostPath and an external volume: leave one of the two out")
        }
        guard ContainerOptions.isVolumeName(external.name) else {
            throw .invalid("\(place): \(quoted(external.name)) is no name of an external volume")
        }
        guard external.options.count <= Limits.containerParameters else {
            throw .invalid("\(place) may have at most \(Limits.containerParameters) options")
        }
        for text in [external.provider] + external.options.flatMap({ [$0.key, $0.value] }) {
            guard text.utf8.count <= Limits.text else { throw .invalid("\(place): an option is too long") }
            try refuseNUL(text, in: place)
        }
    }

    /// Engines separate the parts of a volume by colons.
    private static func validate(path: String, _ what: String) throws(DomainError) {
        guard path.hasPrefix("/"), path.utf8.count <= Limits.uri, path.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x3A }),
            !path.split(separator: "/").contains("..")
        else { throw .invalid("\(what) must be an absolute path without .. and colons, not \(quoted(path))") }
    }

    /// What a job was given of a worker bounds it; its parameters may only lower it.
    private static func validate(_ options: ContainerOptions, within resources: Resources) throws(DomainError) {
        if let memory = options.integer("Memory"), memory <= 0 || Double(memory) > resources.memory * 1_048_576 {
            throw .invalid(
                "the container parameter 'memory' must be above 0 and at most the job's mem of \(resources.memory) MB")
        }
        if let nano = options.integer("NanoCpus"), Double(nano) > max(resources.cpus, 1) * 1e9 {
            throw .invalid("the container parameter 'cpus' must be at most what the job's cpus allow it")
        }
        if options.integer("NanoCpus") != nil, options.integer("CpuQuota") != nil {
            throw .invalid("the container parameters 'cpus' and 'cpu-quota' say the same: leave one of the two out")
        }
    }
}
