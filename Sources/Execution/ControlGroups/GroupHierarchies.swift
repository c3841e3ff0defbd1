/// Which control groups this machine has and where this process stands in them, read from what the kernel says.
struct GroupHierarchies: Hashable, Sendable {
    /// A place in a hierarchy: directories, and whether they are of version 2.
    struct Place: Hashable, Sendable {
        var path: String
        var isVersion2: Bool
        /// The top of the whole hierarchy; there, groups with processes may have children with controllers.
        var isTop: Bool
    }

    /// Own group by controller, of version 1.
    private(set) var controllers: [String: Place] = [:]
    /// Own group of version 2.
    private(set) var unified: Place?

    /// - Parameters:
    ///   - mountInfo: text of `/proc/self/mountinfo`.
    ///   - membership: text of `/proc/self/cgroup`.
    ///   - parent: path of a group to use in place of the own one; empty: the own one.
    init(mountInfo: String, membership: String, parent: String = "") {
        var ownPaths: [String: String] = [:]
        for line in membership.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            for name in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
                ownPaths[String(name)] = parent.isEmpty ? String(parts[2]) : parent
            }
        }
        for line in mountInfo.split(separator: "\n") { take(line, ownPaths) }
    }

    var kind: String {
        let isOne = ["memory", "cpu", "pids", "freezer"].contains { controllers[$0] != nil }
        return unified == nil ? (isOne ? "v1" : "none") : (isOne ? "hybrid" : "v2")
    }

    private mutating func take(_ line: Substring, _ ownPaths: [String: String]) {
        // 36 35 98:0 <root> <mount point> <options> [<tags>] - <type> <source> <super options>
        let fields = line.split(separator: " ").map(String.init)
        guard fields.count > 6, let dash = fields.firstIndex(of: "-"), dash + 3 < fields.count, dash >= 6 else {
            return
        }
        let (root, mount) = (Self.unescaped(fields[3]), Self.unescaped(fields[4]))
        switch fields[dash + 1] {
        case "cgroup2":
            guard unified == nil, let own = ownPaths[""] else { return }
            unified = Self.place(own, root: root, mount: mount, isVersion2: true)
        case "cgroup":
            for option in fields[dash + 3].split(separator: ",").map(String.init) {
                guard controllers[option] == nil, let own = ownPaths[option] else { continue }
                controllers[option] = Self.place(own, root: root, mount: mount, isVersion2: false)
            }
        default: break
        }
    }

    /// Nil when the group cannot be reached through this mount, as in a container that sees a part only.
    private static func place(_ own: String, root: String, mount: String, isVersion2: Bool) -> Place? {
        guard !own.contains("/..") else { return nil }
        let base = root == "/" ? "" : root
        guard own == base || own.hasPrefix(base + "/") || base.isEmpty else { return nil }
        var rest = String(own.dropFirst(base.count))
        while rest.hasSuffix("/") { rest.removeLast() }
        return Place(path: mount + rest, isVersion2: isVersion2, isTop: rest.isEmpty && base.isEmpty)
    }

    /// Blanks in paths are written `\040`.
    private static func unescaped(_ text: String) -> String {
        guard text.contains("\\") else { return text }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
