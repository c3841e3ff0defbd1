/// Which parameters of a container there are, and what becomes of them.
enum ContainerParameterTable {
    enum Kind {
        case text
        case user
        case flag
        case integer(ClosedRange<Int64>)
        case bytes
        case nanoCPUs
        case element(Form)
        case member(separator: Character, needsValue: Bool)
        case volume
        case limit
        case device
        case port
    }

    /// What an element of a list must look like, in words for the message.
    enum Form: String {
        case word = "a text"
        case assignment = "of the form NAME=VALUE"
        case hostAndAddress = "of the form HOST:ADDRESS"

        func fits(_ value: String) -> Bool {
            switch self {
            case .word: return !value.isEmpty
            case .assignment:
                guard let sign = value.firstIndex(of: "=") else { return false }
                return sign > value.startIndex
            case .hostAndAddress:
                guard let colon = value.firstIndex(of: ":") else { return false }
                return colon > value.startIndex && value.index(after: colon) < value.endIndex
            }
        }
    }

    enum Power {
        case none
        /// Whoever sets it may leave the container.
        case always
        /// With another value than these.
        case unless(Set<String>)
    }

    struct Rule {
        let place: ContainerOptions.Place
        let field: String
        let kind: Kind
        var power = Power.none

        func isDemand(_ value: String) -> Bool {
            switch power {
            case .none: false
            case .always: true
            case .unless(let harmless): !harmless.contains(value)
            }
        }
    }

    private static func config(_ field: String, _ kind: Kind) -> Rule { Rule(place: .config, field: field, kind: kind) }

    private static func host(_ field: String, _ kind: Kind, _ power: Power = .none) -> Rule {
        Rule(place: .hostConfig, field: field, kind: kind, power: power)
    }

    private static let amount: ClosedRange<Int64> = 0...Int64(Int32.max)

    static let rules: [String: Rule] = [
        "add-host": host("ExtraHosts", .element(.hostAndAddress)),
        "blkio-weight": host("BlkioWeight", .integer(10...1000)),
        "cap-add": host("CapAdd", .element(.word), .always),
        "cap-drop": host("CapDrop", .element(.word)),
        "cgroup-parent": host("CgroupParent", .text, .always),
        "cgroupns": host("CgroupnsMode", .text, .unless(["private"])),
        "cpu-period": host("CpuPeriod", .integer(1000...1_000_000)),
        "cpu-quota": host("CpuQuota", .integer(1000...amount.upperBound)),
        "cpu-shares": host("CpuShares", .integer(2...262_144)),
        "cpus": host("NanoCpus", .nanoCPUs),
        "cpuset-cpus": host("CpusetCpus", .text),
        "cpuset-mems": host("CpusetMems", .text),
        "device": host("Devices", .device, .always),
        "device-cgroup-rule": host("DeviceCgroupRules", .element(.word), .always),
        "dns": host("Dns", .element(.word)),
        "dns-opt": host("DnsOptions", .element(.word)),
        "dns-option": host("DnsOptions", .element(.word)),
        "dns-search": host("DnsSearch", .element(.word)),
        "domainname": config("Domainname", .text),
        "entrypoint": config("Entrypoint", .element(.word)),
        "env": config("Env", .element(.assignment)),
        "group-add": host("GroupAdd", .element(.word), .always),
        "hostname": config("Hostname", .text),
        "init": host("Init", .flag),
        "ipc": host("IpcMode", .text, .unless(["private", "none", "shareable"])),
        "label": config("Labels", .member(separator: "=", needsValue: false)),
        "link": host("Links", .element(.word)),
        "memory": host("Memory", .bytes),
        "memory-reservation": host("MemoryReservation", .bytes),
        "memory-swap": host("MemorySwap", .bytes),
        "memory-swappiness": host("MemorySwappiness", .integer(0...100)),
        "oom-kill-disable": host("OomKillDisable", .flag, .unless(["false"])),
        "oom-score-adj": host("OomScoreAdj", .integer(-1000...1000), .always),
        "pid": host("PidMode", .text, .always),
        "pids-limit": host("PidsLimit", .integer(1...amount.upperBound)),
        "privileged": host("Privileged", .flag, .unless(["false"])),
        "publish": host("PortBindings", .port),
        "publish-all": host("PublishAllPorts", .flag),
        "read-only": host("ReadonlyRootfs", .flag),
        "runtime": host("Runtime", .text, .always),
        "security-opt": host("SecurityOpt", .element(.word), .unless(["no-new-privileges", "no-new-privileges=true"])),
        "shm-size": host("ShmSize", .bytes),
        "stop-signal": config("StopSignal", .text),
        "storage-opt": host("StorageOpt", .member(separator: "=", needsValue: true)),
        "sysctl": host("Sysctls", .member(separator: "=", needsValue: true), .always),
        "tmpfs": host("Tmpfs", .member(separator: ":", needsValue: false)),
        "ulimit": host("Ulimits", .limit),
        "user": config("User", .user),
        "userns": host("UsernsMode", .text, .always),
        "uts": host("UTSMode", .text, .always),
        "volume": host("Binds", .volume),
        "volumes-from": host("VolumesFrom", .element(.word), .always),
        "workdir": config("WorkingDir", .text),
    ]

    /// Options of `docker run` that many know and that have no place here, with what there is instead.
    static let advice: [String: String] = [
        "attach": "the output of a run is always read",
        "detach": "Carillon itself starts the container and waits for its end",
        "env-file": "name the variables in environmentVariables",
        "interactive": "a run has no standard input",
        "label-file": "name each label by the parameter label",
        "log-driver": "the output must be readable through the engine; its default driver is used",
        "log-opt": "the output must be readable through the engine; its default driver is used",
        "mount": "use volumes, or the parameter volume",
        "name": "the container is named after its run",
        "net": "use the field network",
        "network": "use the field network, with networkName where it is USER",
        "pull": "use forcePullImage",
        "restart": "Carillon itself repeats what has failed, as often as retries says",
        "rm": "Carillon removes the container in any case",
        "stop-timeout": "the worker's grace between TERM and KILL counts",
        "tty": "a run has no terminal",
    ]
}
