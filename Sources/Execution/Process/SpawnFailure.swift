import CSpawn
import Glibc

/// Where a start failed, for people.
enum SpawnFailure {
    static func error(step: Int32, number: Int32, executable: String, user: String) -> LaunchError {
        let words = String(cString: strerror(number))
        switch (UInt32(bitPattern: step), number) {
        case (CSPAWN_STEP_EXECUTE.rawValue, ENOENT):
            return LaunchError("the command '\(executable)' does not exist (or the interpreter that it names)")
        case (CSPAWN_STEP_EXECUTE.rawValue, EACCES):
            return LaunchError("the command '\(executable)' may not be executed: \(words)")
        case (CSPAWN_STEP_EXECUTE.rawValue, ENOEXEC):
            return LaunchError("'\(executable)' is no program (a script needs a first line such as #!/bin/sh)")
        case (CSPAWN_STEP_EXECUTE.rawValue, E2BIG):
            return LaunchError("the arguments and the environment of '\(executable)' are too long for this machine")
        case (CSPAWN_STEP_EXECUTE.rawValue, _):
            return LaunchError("the command '\(executable)' could not be executed: \(words)")
        case (CSPAWN_STEP_CLONE.rawValue, EAGAIN):
            return LaunchError("the worker's machine has no room for another process: \(words)")
        case (CSPAWN_STEP_CONTROL_GROUP.rawValue, _):
            return LaunchError("the command could not be put into its control group: \(words)")
        case (CSPAWN_STEP_WORKING_DIRECTORY.rawValue, _):
            return LaunchError("the command's working directory cannot be entered as '\(user)': \(words)")
        case (CSPAWN_STEP_GROUPS.rawValue, _), (CSPAWN_STEP_GROUP.rawValue, _), (CSPAWN_STEP_USER.rawValue, _),
            (CSPAWN_STEP_VERIFY_USER.rawValue, _):
            return LaunchError("the worker cannot run a command as '\(user)': \(words)")
        default:
            return LaunchError("the command could not be started (step \(step)): \(words)")
        }
    }
}
