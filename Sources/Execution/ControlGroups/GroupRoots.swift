import Glibc

/// The directories of one worker in the hierarchies that it uses, and the runs' groups below them.
struct GroupRoots: Hashable, Sendable {
    struct Root: Hashable, Sendable {
        var path: String
        var isVersion2: Bool
    }

    var memory: Root?
    var cpu: Root?
    var processes: Root?
    /// Version 1 only, and only where nothing of version 2 can be had.
    var freezer: Root?
    var accounting: Root?
    /// Version 2, with or without controllers: born there, killed and counted there.
    var unified: Root?

    /// Each directory once.
    var all: [Root] {
        var all: [Root] = []
        for root in [unified, memory, cpu, processes, freezer, accounting] {
            if let root, !all.contains(root) { all.append(root) }
        }
        return all
    }

    /// Where a child must put itself.
    var version1: [Root] { all.filter { !$0.isVersion2 } }

    static func name(_ number: Int) -> String { "run-\(number)" }

    /// Nil for what is no group of a run.
    static func number(of name: String) -> Int? {
        guard name.hasPrefix("run-"), let number = Int(name.dropFirst(4)), number >= 0, number < 1 << 40 else {
            return nil
        }
        return number
    }

    func exists(_ name: String) -> Bool { all.contains { access("\($0.path)/\(name)", F_OK) == 0 } }

    /// In the first of the hierarchies: who removes groups removes them in all.
    func stands(_ name: String) -> Bool { all.first.map { access("\($0.path)/\(name)", F_OK) == 0 } ?? false }

    /// Groups of runs, whoever has made them.
    func names() -> Set<String> {
        var names: Set<String> = []
        for root in all { names.formUnion(DirectoryListing.names(root.path).filter { Self.number(of: $0) != nil }) }
        return names
    }

    /// - Throws: `LaunchError`; then none of the directories is left.
    func make(_ name: String) throws(LaunchError) {
        for root in all where mkdir("\(root.path)/\(name)", 0o755) != 0 && errno != EEXIST {
            let failure = FileFailure.launch("cannot make the control group \(root.path)/\(name)")
            remove(name)
            throw failure
        }
    }

    /// Those of its directories that are empty of processes.
    func remove(_ name: String) {
        for root in all { rmdir("\(root.path)/\(name)") }
    }

    func removeIfEmpty() {
        for root in all { rmdir(root.path) }
    }
}
