import CLinux

/// A descriptor that becomes readable when a process ends, also one that is nobody's child here.
public enum ProcessHandle {
    /// - Returns: close-on-exec, the caller's to close; -1 when there is no such process, or the kernel cannot do that.
    public static func open(_ process: Int32) -> Int32 { clinux_pidfd_open(process) }
}
