// Detached: runs that outlive the worker's process, and how the next one takes them over.
//
//     worker ── fork ─► supervisor ── clone, exec ─► command
//                          │  waits, writes `status`      │ output
//                          └── holds both ends of ────────┴─► FIFO ─► worker, this one or the next
//
// Each such run has a directory of its own, which only the worker's user can enter:
//
//     <root>/detached/<run>-<attempt>/record    what was offered, when it was started, its control group
//                                     /output   FIFO, and /errors where the two are told apart
//                                     /process  the command and the supervisor, by number and start time
//                                     /status   how the command ended, and when
//
// Invariants
// - How the command ended is never lost while the machine runs: its parent is the supervisor, whose only work it is.
// - Nothing of its output is lost while no worker is there: the supervisor keeps the FIFO open, so the command gets no
//   SIGPIPE; when the pipe is full (1 MiB), it waits in its write until a worker reads again.
// - The record is there before the command is started and goes after its report is in the journal. So a directory whose
//   try the journal does not hold as unfinished has nothing to say any more.
//
// A start of the machine ends all of it: then the tries are interrupted, as others are. Who calls it: `SpawnLauncher`.

public import Domain
public import Timetable

/// A run of a former process of this worker that goes on, or has ended while no worker was there.
public struct AdoptedRun: Sendable {
    public let offer: Offer
    public let user: String
    public let startedAt: Instant
    public let process: any RunningProcess

    public init(offer: Offer, user: String, startedAt: Instant, process: any RunningProcess) {
        self.offer = offer
        self.user = user
        self.startedAt = startedAt
        self.process = process
    }
}

/// A command's supervisor.
struct Supervision: Sendable {
    let directory: DetachedDirectory
    let supervisor: ProcessMember
    /// It is a child of this process, which must wait for it.
    let isOwnChild: Bool
}
