import Glibc

/// Finds programs as a shell would, but before the clone: a search between clone and exec would have to be C.
enum ExecutablePath {
    static let shell = "/bin/sh"

    /// - Throws: `LaunchError` that says where it was looked for.
    static func resolve(_ command: String, path: String) throws(LaunchError) -> String {
        guard !command.isEmpty else { throw LaunchError("the command is empty") }
        // Relative to the sandbox, where exec happens; whether it is there, exec will say.
        guard !command.utf8.contains(UInt8(ascii: "/")) else { return command }
        for directory in path.split(separator: ":") {
            let candidate = "\(directory)/\(command)"
            if isExecutable(candidate) { return candidate }
        }
        throw LaunchError("the command '\(command)' was not found in \(path)")
    }

    private static func isExecutable(_ path: String) -> Bool {
        var facts = stat()
        guard stat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return false }
        return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0
    }
}
