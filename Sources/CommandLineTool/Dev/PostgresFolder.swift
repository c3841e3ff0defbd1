import Glibc

/// Where a private PostgreSQL keeps its files, and what must be so for its user.
enum PostgresFolder {
    /// Where data go that cannot be below the folder asked for.
    static let fallback = "/var/lib/carillon-dev"

    /// Makes `parent/postgres` for the server, owned by its user.
    ///
    /// If root asks for a folder that the server's user has no way into, as below /root, the data go to a folder of
    /// their own elsewhere, and `parent/postgres` is a link to it.
    static func make(
        in parent: String, owner: String?, isReachable: (_ path: String, _ user: String) async throws -> Bool
    ) async throws -> String {
        let wanted = parent + "/postgres"
        try makeOwned(wanted, owner: owner)
        guard let owner else { return wanted }
        let resolved = try resolve(wanted)
        if try await isReachable(resolved, owner) { return resolved }
        guard resolved == wanted, rmdir(wanted) == 0 else {
            throw PrivatePostgres.Failure(
                description: "the user '\(owner)', whom PostgreSQL runs as, has no way into '\(resolved)': permit it, "
                    + "choose another --data-dir, or start this as another user than root")
        }
        guard mkdir(fallback, 0o711) == 0 || errno == EEXIST else {
            throw DevFiles.FileError("cannot make '\(fallback)'")
        }
        var template = Array((fallback + "/XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw DevFiles.FileError("cannot make a folder in '\(fallback)'") }
        let elsewhere = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try makeOwned(elsewhere, owner: owner)
        guard symlink(elsewhere, wanted) == 0 else { throw DevFiles.FileError("cannot link '\(wanted)'") }
        Console.error("the user '\(owner)' has no way into '\(parent)': the database's files are in '\(elsewhere)'")
        return elsewhere
    }

    /// A folder for the socket: below the given one, or in /tmp if the path would be too long for a socket.
    static func socketFolder(below folder: String, owner: String?) throws -> String {
        let usual = folder + "/socket"
        if isShortEnough(usual) {
            try makeOwned(usual, owner: owner)
            return usual
        }
        var template = Array("/tmp/carillon-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw DevFiles.FileError("cannot make a folder in /tmp") }
        let short = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try makeOwned(short, owner: owner)
        return short
    }

    /// Removes a socket's folder that is not below the data.
    static func removeSocketFolder(_ path: String) {
        if path.hasPrefix("/tmp/carillon-") { rmdir(path) }
    }

    static func isShortEnough(_ socketFolder: String) -> Bool {
        (socketFolder + "/.s.PGSQL.5432").utf8.count <= PrivatePostgres.longestSocketPath
    }

    private static func makeOwned(_ path: String, owner: String?) throws {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw DevFiles.FileError("cannot make '\(path)'") }
        guard let owner, let entry = getpwnam(owner) else { return }
        guard chown(path, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0 else {
            throw DevFiles.FileError("cannot give '\(path)' to '\(owner)'")
        }
    }

    private static func resolve(_ path: String) throws -> String {
        guard let resolved = realpath(path, nil) else { throw DevFiles.FileError("cannot use '\(path)'") }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
