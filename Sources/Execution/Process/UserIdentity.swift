import Glibc

/// A user of this machine, as the C library knows it. Look-ups may ask a directory server: never on the loop.
struct UserIdentity: Sendable {
    let name: String
    let user: uid_t
    let group: gid_t
    let groups: [gid_t]
    let home: String

    private static let bufferBytes = 16 * 1024
    private static let groupBytes = 4 * 1024 * 1024
    /// More groups than the kernel takes.
    private static let groupLimit: Int32 = 65_536

    /// - Parameter name: or a number.
    /// - Throws: `LaunchError` when there is no such user, or the look-up failed.
    static func named(_ name: String) throws(LaunchError) -> UserIdentity {
        var found = try entry({ getpwnam_r(name, $0, $1, $2, $3) })
        if found == nil, let number = number(name) { found = try entry({ getpwuid_r(number, $0, $1, $2, $3) }) }
        guard let entry = found else {
            throw LaunchError("this worker's machine has no user '\(name)'")
        }
        return UserIdentity(
            name: entry.name, user: entry.user, group: entry.group, groups: groups(of: entry.name, entry.group),
            home: entry.home)
    }

    /// The worker's own. A number without a name will do: then it is its own name, and its home is `/`.
    static func own() -> UserIdentity {
        let user = geteuid()
        // Containers run with numbers that no file names.
        let entry = try? entry({ getpwuid_r(user, $0, $1, $2, $3) })
        return UserIdentity(
            name: entry?.name ?? String(user), user: user, group: getegid(), groups: [], home: entry?.home ?? "/")
    }

    /// The same user with another first group: one that it is in, or any if it is root.
    /// - Parameter name: or a number.
    /// - Throws: `LaunchError` when there is no such group, or the user is not in it.
    func inGroup(_ name: String) throws(LaunchError) -> UserIdentity {
        guard let wanted = try Self.groupNumber(name) else {
            throw LaunchError("this worker's machine has no group '\(name)'")
        }
        guard user == 0 || wanted == group || groups.contains(wanted) else {
            throw LaunchError("the user '\(self.name)' is not in the group '\(name)'")
        }
        return UserIdentity(name: self.name, user: user, group: wanted, groups: groups, home: home)
    }

    /// Decimal digits only, as nobody writes "+0" for root.
    static func number(_ text: String) -> UInt32? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return UInt32(text)
    }

    private static func groupNumber(_ name: String) throws(LaunchError) -> gid_t? {
        var capacity = bufferBytes
        while true {
            var record = Glibc.group()
            var found: UnsafeMutablePointer<Glibc.group>?
            let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: capacity)
            defer { buffer.deallocate() }
            let status = getgrnam_r(name, &record, buffer, capacity, &found)
            if status == 0 { return found.map { $0.pointee.gr_gid } ?? number(name) }
            // Its members do not fit.
            guard status == ERANGE, capacity < groupBytes else {
                throw LaunchError("cannot look up the group: \(String(cString: strerror(status)))")
            }
            capacity *= 4
        }
    }

    private typealias Entry = (name: String, user: uid_t, group: gid_t, home: String)

    private static func entry(
        _ ask: (
            UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
            UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
        ) -> Int32
    ) throws(LaunchError) -> Entry? {
        var record = passwd()
        var found: UnsafeMutablePointer<passwd>?
        let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: bufferBytes)
        defer { buffer.deallocate() }
        let status = ask(&record, buffer, bufferBytes, &found)
        guard status == 0 else {
            throw LaunchError("cannot look up the user: \(String(cString: strerror(status)))")
        }
        guard found != nil, let name = record.pw_name, let home = record.pw_dir else { return nil }
        return (String(cString: name), record.pw_uid, record.pw_gid, String(cString: home))
    }

    private static func groups(of name: String, _ group: gid_t) -> [gid_t] {
        var count: Int32 = 64
        while true {
            var groups = [gid_t](repeating: 0, count: Int(count))
            if getgrouplist(name, group, &groups, &count) >= 0 { return Array(groups.prefix(Int(max(0, count)))) }
            // It has written how many there are.
            guard count > groups.count, count <= groupLimit else { return [group] }
        }
    }
}
