import CSpawn
import Glibc

/// All that is known of a command before it is executed.
struct Program: Sendable {
    /// A path; no search is made.
    var executable: String
    var arguments: [String]
    /// "NAME=value".
    var environment: [String]
    /// Nil: the worker's own user.
    var user: UserIdentity?
    var sandbox: String
    /// Empty: the sandbox. Relative ones begin there.
    var workingDirectory: String
    var group: RunGroup?

    /// The request points into memory that lives as long as the body runs.
    func withRequest(
        input: Int32, output: Int32, error: Int32, noNewPrivileges: Bool,
        _ body: (UnsafePointer<cspawn_request>) -> Int32
    ) -> Int32 {
        CStrings.with(arguments) { arguments in
            CStrings.with(environment) { environment in
                CStrings.with([executable, sandbox, workingDirectory]) { paths in
                    (user?.groups ?? []).withUnsafeBufferPointer { groups in
                        (group?.tasks ?? []).withUnsafeBufferPointer { tasks in
                            var request = cspawn_request(
                                executable: paths[0], arguments: arguments, environment: environment,
                                directory: paths[1], input: input, output: output, error: error,
                                changes_user: user != nil, user: user?.user ?? 0, group: user?.group ?? 0,
                                groups: groups.baseAddress, group_count: groups.count,
                                no_new_privileges: noNewPrivileges,
                                working_directory: workingDirectory.isEmpty ? nil : paths[2],
                                task_files: tasks.baseAddress, task_file_count: tasks.count,
                                control_group: group?.unified ?? -1,
                                control_group_processes: group?.unifiedProcesses ?? -1)
                            return body(&request)
                        }
                    }
                }
            }
        }
    }
}

/// Lists of C strings that end with a null pointer.
private enum CStrings {
    static func with<T>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> T
    ) -> T {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeBufferPointer { buffer in
            // Never empty: it has its end.
            body(buffer.baseAddress.unsafelyUnwrapped)
        }
    }
}
