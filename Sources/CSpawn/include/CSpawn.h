// Starting a process, and knowing it again: what must be C because it happens between clone and exec.
//
// The child shares the parent's memory until it executes (CLONE_VM | CLONE_VFORK: 60 to 400 µs whatever the parent's
// size, where fork costs 17 ms from a parent of 1 GB). So the child's part only makes system calls, calls nothing that
// takes a lock, and writes to nothing but its own stack and the result. Swift must never run there.
//
// A process is told from a later one with the same number by its start time (clock ticks since the machine's start).
#ifndef CSPAWN_H
#define CSPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Where the start of a process failed.
enum cspawn_step {
    CSPAWN_STEP_NONE = 0,
    CSPAWN_STEP_CLONE,
    CSPAWN_STEP_SESSION,
    CSPAWN_STEP_DIRECTORY,
    CSPAWN_STEP_STDIO,
    CSPAWN_STEP_GROUPS,
    CSPAWN_STEP_GROUP,
    CSPAWN_STEP_USER,
    CSPAWN_STEP_VERIFY_USER,
    CSPAWN_STEP_PRIVILEGES,
    CSPAWN_STEP_DESCRIPTORS,
    CSPAWN_STEP_EXECUTE,
    CSPAWN_STEP_CONTROL_GROUP,
    CSPAWN_STEP_WORKING_DIRECTORY,
};

struct cspawn_request {
    /// A path; no search is made.
    const char *executable;
    /// Both end with NULL.
    char *const *arguments;
    char *const *environment;
    /// Entered before the user is changed, so that its parents need not be open to that user.
    const char *directory;
    /// At least 3 each; they are duplicated to 0, 1 and 2. All others are closed.
    int input;
    int output;
    int error;
    /// Groups, group and user are set, in this order, and verified.
    bool changes_user;
    uid_t user;
    gid_t group;
    const gid_t *groups;
    size_t group_count;
    /// Sets no_new_privs: set-user-id programs give nothing.
    bool no_new_privileges;
    /// Entered with the rights of the user that was changed to; NULL: `directory` stays.
    const char *working_directory;
    /// Files `tasks` of control groups of version 1, open for writing: the child puts itself into each.
    const int *task_files;
    size_t task_file_count;
    /// Directory of a control group of version 2 in which the child is born; -1: none.
    int control_group;
    /// Its `cgroup.procs`, open for writing, for kernels that cannot bear a child there; -1: none.
    int control_group_processes;
};

struct cspawn_result {
    pid_t process;
    /// Readable when the process has ended; close-on-exec. The caller closes it.
    int pidfd;
    /// `errno` of the step that failed; 0 when the program runs.
    int error;
    int step;
};

/// Starts a program in a new session with no signal blocked or ignored and umask 077.
/// Blocks until the program was executed or that failed. Returns 0, or -1 with error and step in the result; then there
/// is neither a child nor a descriptor left.
int cspawn_start(const struct cspawn_request *request, struct cspawn_result *result);

/// What a supervisor needs.
struct cspawn_supervision {
    /// In which it writes `process` ("<command> <its start time> <supervisor> <its start time>") when the command runs,
    /// and `status` ("exited <status> <microseconds since 1970>" or "signalled <number> …") when it has ended. When the
    /// directory is removed, it does not wait for readers any more.
    int directory;
    /// Stay open in it as long as something of the run lives.
    const int *held;
    size_t held_count;
};

struct cspawn_supervised {
    /// A child of this process, which must wait for it.
    pid_t supervisor;
    /// Of the command.
    uint64_t start_time;
};

/// As `cspawn_start`, with a process in between that outlives this one, waits for the command and writes down how it
/// ended. It ends itself when nothing is left of the run. The result's pidfd is -1 where the command has ended already.
int cspawn_start_supervised(
    const struct cspawn_request *request, const struct cspawn_supervision *supervision, struct cspawn_result *result,
    struct cspawn_supervised *supervised);

/// A pidfd of exactly the process that was started then, whoever's child it is. -1 with errno: ESRCH when it has ended.
int cspawn_open_process(pid_t process, uint64_t start_time);

/// Makes a pipe whose ends are close-on-exec and at least 3. Only the reading end (the first) does not block: the other
/// becomes a command's output. Returns 0, or -1 with errno.
int cspawn_pipe(int ends[2]);

/// Makes a file in memory with this text, to be read from its beginning; close-on-exec and at least 3, for a command's
/// input. Returns its descriptor, or -1 with errno.
int cspawn_text(const void *bytes, size_t count);

/// How a child ended.
struct cspawn_end {
    /// Status of an exit; -1 when a signal ended it.
    int code;
    /// Number of that signal, or 0.
    int signal_number;
    /// Microseconds of processor time that it has used, with those of its descendants that were waited for.
    int64_t processor_time;
};

/// Takes the status of a child that has ended. Returns 1; 0 while it runs; -1 if there is no such child.
int cspawn_reap(pid_t process, struct cspawn_end *end);

struct cspawn_process {
    pid_t process;
    pid_t parent;
    pid_t group;
    pid_t session;
    uint64_t start_time;
    /// Clock ticks of processor time, with those of the children that it has waited for.
    uint64_t processor_ticks;
    /// Pages in memory.
    int64_t resident_pages;
    /// 'Z' for one that has ended and was not waited for.
    char state;
};

/// Reads /proc/<process>/stat. Returns 0, or -1 when there is no such process.
int cspawn_read_process(pid_t process, struct cspawn_process *facts);

/// Pages in memory of a process; -1 when there is no such process.
int64_t cspawn_resident_pages(pid_t process);

/// All processes that /proc shows, at most `capacity`. Returns how many, or -1 with errno.
long cspawn_list_processes(struct cspawn_process *list, size_t capacity);

/// Direct children of this process, of all its threads. Returns how many, or -1 with errno (ENOENT where the kernel
/// does not tell: then the list of all processes must be searched).
long cspawn_list_children(pid_t *list, size_t capacity);

/// Direct children of this process's first thread. To it the kernel gives the orphans of a subreaper, so that these are
/// all of them where commands are started on other threads. Returns as above.
long cspawn_list_inherited(pid_t *list, size_t capacity);

/// Whether the environment with which the process was executed has this entry ("NAME=value").
bool cspawn_has_environment(pid_t process, const char *entry);

/// Sends a signal to exactly the process that was started then. Returns 0, or -1 with errno: ESRCH when it has ended.
int cspawn_signal(pid_t process, uint64_t start_time, int signal_number);

/// Lets orphaned descendants become children of this process instead of process 1. Returns 0, or -1 with errno.
int cspawn_become_subreaper(void);

#endif
