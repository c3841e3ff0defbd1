import Glibc

// What there is on this machine, tried out: a hierarchy counts as usable when a group with its files could be made.
extension ControlGroups {
    /// - Parameters:
    ///   - owner: unique on this machine and the same at each start of the worker; names its groups.
    ///   - proc: where the kernel's files are; tests have their own.
    /// - Returns: nil when no group can be made here; the capabilities say why.
    static func detect(
        _ settings: ControlGroupSettings, owner: String, proc: String = "/proc"
    ) -> (groups: ControlGroups?, capabilities: GroupCapabilities) {
        guard settings.isWanted else { return (nil, .none) }
        guard let mountInfo = GroupFile.text("\(proc)/self/mountinfo"),
            let membership = GroupFile.text("\(proc)/self/cgroup")
        else {
            return (nil, lacking(settings, kind: "none", "this kernel has no control groups"))
        }
        let hierarchies = GroupHierarchies(mountInfo: mountInfo, membership: membership, parent: settings.parent)
        var finder = GroupFinder(hierarchies: hierarchies, isNamed: !settings.parent.isEmpty, owner: owner)
        let roots = finder.find()
        guard !roots.all.isEmpty else {
            return (nil, lacking(settings, kind: hierarchies.kind, finder.lacks.first ?? "none is mounted"))
        }
        var enforced: Set<EnforcedLimit> = []
        if roots.memory != nil { enforced.insert(.memory) }
        if roots.cpu != nil { enforced.insert(.cpu) }
        if roots.processes != nil { enforced.insert(.processes) }
        let capabilities = GroupCapabilities(
            kind: hierarchies.kind, enforced: enforced.intersection(settings.enforced),
            lacks: settings.enforced.isSubset(of: enforced) ? [] : finder.lacks)
        return (ControlGroups(roots: roots, capabilities: capabilities), capabilities)
    }

    private static func lacking(
        _ settings: ControlGroupSettings, kind: String, _ reason: String
    ) -> GroupCapabilities {
        GroupCapabilities(kind: kind, enforced: [], lacks: settings.enforced.isEmpty ? [] : [reason])
    }
}

/// Makes the worker's own directories, in each hierarchy where that is possible.
private struct GroupFinder {
    let hierarchies: GroupHierarchies
    /// The operator has named the parent: then it is the worker's to arrange.
    let isNamed: Bool
    let owner: String
    private(set) var lacks: [String] = []

    init(hierarchies: GroupHierarchies, isNamed: Bool, owner: String) {
        self.hierarchies = hierarchies
        self.isNamed = isNamed
        self.owner = owner
    }

    private static let version2Controllers = ["memory", "cpu", "pids"]

    mutating func find() -> GroupRoots {
        var roots = GroupRoots()
        if let root = unified() {
            roots.unified = root
            let has = Set(
                (GroupFile.text("\(root.path)/cgroup.subtree_control") ?? "").split(whereSeparator: \.isWhitespace))
            if has.contains("memory") { roots.memory = root }
            if has.contains("cpu") { roots.cpu = root }
            if has.contains("pids") { roots.processes = root }
        }
        // Of a machine that has both, version 1 has what version 2 lacks.
        if roots.memory == nil { roots.memory = version1("memory") }
        if roots.cpu == nil { roots.cpu = version1("cpu") }
        if roots.processes == nil { roots.processes = version1("pids") }
        if roots.unified == nil {
            roots.freezer = version1("freezer")
            roots.accounting = version1("cpuacct")
        }
        return roots
    }

    private mutating func version1(_ controller: String) -> GroupRoots.Root? {
        guard let place = hierarchies.controllers[controller] else {
            if hierarchies.unified == nil { lacks.append("the controller '\(controller)' is not mounted") }
            return nil
        }
        return make(in: place.path, isVersion2: false)
    }

    private mutating func make(in parent: String, isVersion2: Bool) -> GroupRoots.Root? {
        let path = "\(parent)/carillon-\(owner)"
        if isNamed, access(parent, F_OK) != 0 { mkdir(parent, 0o755) }
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
            lacks.append("cannot make groups in \(parent): \(String(cString: strerror(errno)))")
            return nil
        }
        let probe = isVersion2 ? "cgroup.procs" : "tasks"
        guard access("\(path)/\(probe)", W_OK) == 0 else {
            lacks.append("cannot write to \(path)/\(probe): \(String(cString: strerror(errno)))")
            return nil
        }
        return GroupRoots.Root(path: path, isVersion2: isVersion2)
    }

    private mutating func unified() -> GroupRoots.Root? {
        guard var place = hierarchies.unified else { return nil }
        // A start from within a former process's leaf: its parent is meant.
        if !isNamed, let slash = place.path.lastIndex(of: "/"), place.path[slash...] == "/\(leaf)" {
            place.path = String(place.path[..<slash])
        }
        guard let root = make(in: place.path, isVersion2: true) else { return nil }
        let available = Set(
            (GroupFile.text("\(place.path)/cgroup.controllers") ?? "").split(whereSeparator: \.isWhitespace)
                .map(String.init))
        let wanted = Self.version2Controllers.filter { available.contains($0) && hierarchies.controllers[$0] == nil }
        guard !wanted.isEmpty else {
            if hierarchies.controllers.isEmpty {
                lacks.append("\(place.path) has no controllers of memory, cpu and pids to give on")
            }
            return root
        }
        enable(wanted, in: place)
        // Fails for those that the parent does not give on; the caller looks at what came of it.
        for controller in wanted { _ = GroupFile.write("+\(controller)", to: "\(root.path)/cgroup.subtree_control") }
        return root
    }

    private var leaf: String { "carillon-\(owner)-worker" }

    /// A group of version 2 gives controllers on only while it has no processes itself: so this process moves into a
    /// leaf, provided it is alone in its group, as a service with `Delegate=yes` is.
    private mutating func enable(_ controllers: [String], in place: GroupHierarchies.Place) {
        let file = "\(place.path)/cgroup.subtree_control"
        let enabled = Set((GroupFile.text(file) ?? "").split(whereSeparator: \.isWhitespace).map(String.init))
        let missing = controllers.filter { !enabled.contains($0) }
        guard !missing.isEmpty else { return }
        if place.isTop, access("\(place.path)/cgroup.type", F_OK) != 0, !isNamed {
            lacks.append(
                "the top group does not give on \(missing.joined(separator: ", ")): name one by --cgroup-parent")
            return
        }
        let inside = GroupFile.numbers(GroupFile.read("\(place.path)/cgroup.procs"))
        if !isNamed, inside.contains(getpid()) {
            guard inside.allSatisfy({ $0 == getpid() }) else {
                lacks.append(
                    "its group \(place.path) has other processes: run the worker as a service of its own with "
                        + "Delegate=yes, or name a group by --cgroup-parent")
                return
            }
            mkdir("\(place.path)/\(leaf)", 0o755)
            guard GroupFile.write("0", to: "\(place.path)/\(leaf)/cgroup.procs") else {
                lacks.append("cannot move into \(place.path)/\(leaf): \(String(cString: strerror(errno)))")
                return
            }
        }
        for controller in missing where !GroupFile.write("+\(controller)", to: file) {
            lacks.append("\(place.path) does not give on '\(controller)': \(String(cString: strerror(errno)))")
        }
    }
}
