import Foundation

extension Process {
    /// Starts it with no signal blocked. A child inherits the mask of the thread that starts it, and threads that
    /// Dispatch made, with all theirs, block nearly everything: `sh` would wait forever for a SIGCHLD.
    func runUnblocked() throws {
        var none = sigset_t()
        var former = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &former)
        defer { pthread_sigmask(SIG_SETMASK, &former, nil) }
        try run()
    }
}
