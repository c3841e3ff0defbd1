#define _GNU_SOURCE
#include "CSpawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// The child's part needs a few hundred bytes; the rest is what a page fault handler or a debugger may want.
static const size_t child_stack_size = 64 * 1024;
// The kernel's signal set, not the C library's: 64 signals.
static const size_t kernel_signal_set_size = 8;
static const int highest_signal = 64;

struct child {
    const struct cspawn_request *request;
    // Written by the child, read by the parent, which the kernel suspends until the child has executed or ended.
    volatile int error;
    volatile int step;
    // It was not born in its control group of version 2.
    bool must_join;
};

static void fail(struct child *child, int step) {
    child->error = errno;
    child->step = step;
    _exit(127);
}

// Raw system calls: the C library's wrappers would pass the change on to all threads of the parent, whose memory this
// child shares.
static void change_user(struct child *child) {
    const struct cspawn_request *request = child->request;
    if (syscall(SYS_setgroups, request->group_count, request->groups) != 0) fail(child, CSPAWN_STEP_GROUPS);
    if (syscall(SYS_setresgid, request->group, request->group, request->group) != 0) fail(child, CSPAWN_STEP_GROUP);
    if (syscall(SYS_setresuid, request->user, request->user, request->user) != 0) fail(child, CSPAWN_STEP_USER);
    uid_t real = 0, effective = 0, saved = 0;
    gid_t real_group = 0, effective_group = 0, saved_group = 0;
    if (syscall(SYS_getresuid, &real, &effective, &saved) != 0) fail(child, CSPAWN_STEP_VERIFY_USER);
    if (syscall(SYS_getresgid, &real_group, &effective_group, &saved_group) != 0) fail(child, CSPAWN_STEP_VERIFY_USER);
    bool holds = real == request->user && effective == request->user && saved == request->user
        && real_group == request->group && effective_group == request->group && saved_group == request->group;
    // Whoever can become root again has not left it.
    bool can_return = request->user != 0 && syscall(SYS_setresuid, -1, 0, -1) == 0;
    if (!holds || can_return) {
        errno = EPERM;
        fail(child, CSPAWN_STEP_VERIFY_USER);
    }
}

// While the child has one thread and writes "0", no lock of the whole machine is needed: the file `tasks` costs a few
// microseconds, `cgroup.procs` a millisecond.
static void join_groups(struct child *child) {
    const struct cspawn_request *request = child->request;
    for (size_t index = 0; index < request->task_file_count; index++) {
        if (write(request->task_files[index], "0", 1) != 1) fail(child, CSPAWN_STEP_CONTROL_GROUP);
    }
    if (!child->must_join) return;
    if (write(request->control_group_processes, "0", 1) != 1) fail(child, CSPAWN_STEP_CONTROL_GROUP);
}

static void close_from_three(struct child *child) {
    if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0) return;
    if (errno != ENOSYS && errno != EPERM) fail(child, CSPAWN_STEP_DESCRIPTORS);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail(child, CSPAWN_STEP_DESCRIPTORS);
    for (rlim_t descriptor = 3; descriptor < limit.rlim_cur; descriptor++) close((int)descriptor);
}

static int run_child(void *argument) {
    struct child *child = argument;
    const struct cspawn_request *request = child->request;
    // Handlers of the parent must not run here: back to the default before any signal is let in.
    // The kernel's own structure, all zero: the C library's call leaves out 32 and 33, which a parent may ignore.
    static const uint64_t standard[8] = {0};
    for (int number = 1; number <= highest_signal; number++) {
        syscall(SYS_rt_sigaction, number, standard, NULL, kernel_signal_set_size);
    }

    join_groups(child);
    if (setsid() < 0) fail(child, CSPAWN_STEP_SESSION);
    if (chdir(request->directory) != 0) fail(child, CSPAWN_STEP_DIRECTORY);
    if (dup2(request->input, 0) < 0 || dup2(request->output, 1) < 0 || dup2(request->error, 2) < 0) {
        fail(child, CSPAWN_STEP_STDIO);
    }
    umask(077);
    if (request->changes_user) change_user(child);
    if (request->working_directory != NULL && chdir(request->working_directory) != 0) {
        fail(child, CSPAWN_STEP_WORKING_DIRECTORY);
    }
    if (request->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(child, CSPAWN_STEP_PRIVILEGES);
    close_from_three(child);
    uint64_t none = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, kernel_signal_set_size);
    execve(request->executable, request->arguments, request->environment);
    fail(child, CSPAWN_STEP_EXECUTE);
    return 127;
}

static int failed(struct cspawn_result *result, int error, int step) {
    result->process = -1;
    result->pidfd = -1;
    result->error = error;
    result->step = step;
    return -1;
}

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif

// As the kernel has it since 5.7, where the last field came.
struct clone3_arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

// The C library offers no clone3, and a plain system call cannot give the child a stack of its own: the child comes
// back on an empty stack and may only go on from here. Returns in the parent only.
static long call_clone3(struct clone3_arguments *arguments, struct child *child) {
#if defined(__x86_64__)
    long result;
    register int (*body)(void *) __asm__("r12") = run_child;
    register void *argument __asm__("r13") = child;
    __asm__ volatile(
        "syscall\n\t"
        "test %%rax, %%rax\n\t"
        "jnz 1f\n\t"
        "xor %%ebp, %%ebp\n\t"
        "mov %[argument], %%rdi\n\t"
        "call *%[body]\n\t"
        "hlt\n"
        "1:"
        : "=a"(result)
        : "0"((long)SYS_clone3), "D"(arguments), "S"(sizeof *arguments), [body] "r"(body), [argument] "r"(argument)
        : "rcx", "r11", "memory");
    if (result >= 0) return result;
    errno = (int)-result;
    return -1;
#elif defined(__aarch64__)
    register long number __asm__("x8") = SYS_clone3;
    register long result __asm__("x0") = (long)arguments;
    register long size __asm__("x1") = sizeof *arguments;
    register int (*body)(void *) __asm__("x20") = run_child;
    register void *argument __asm__("x21") = child;
    __asm__ volatile(
        "svc 0\n\t"
        "cbnz x0, 1f\n\t"
        "mov x29, xzr\n\t"
        "mov x0, %[argument]\n\t"
        "blr %[body]\n\t"
        "brk 1\n"
        "1:"
        : "+r"(result)
        : "r"(number), "r"(size), [body] "r"(body), [argument] "r"(argument)
        : "memory");
    if (result >= 0) return result;
    errno = (int)-result;
    return -1;
#else
    (void)arguments;
    (void)child;
    errno = ENOSYS;
    return -1;
#endif
}

// -1 where the kernel or a sandbox forbids it, whatever the reason: the other way says more.
static pid_t clone_into_group(char *stack, struct child *child, int *pidfd) {
    struct clone3_arguments arguments = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .stack = (uint64_t)(uintptr_t)stack,
        .stack_size = child_stack_size,
        .cgroup = (uint64_t)child->request->control_group,
    };
    return (pid_t)call_clone3(&arguments, child);
}

static pid_t clone_child(char *stack, struct child *child, int *pidfd) {
    char *stack_top = stack + child_stack_size;
    *pidfd = -1;
    if (child->request->control_group >= 0) {
        pid_t born = clone_into_group(stack, child, pidfd);
        if (born >= 0) return born;
        *pidfd = -1;
        child->must_join = true;
    }
    pid_t process = clone(run_child, stack_top, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, child, pidfd);
    if (process >= 0 || (errno != EINVAL && errno != ENOSYS && errno != EPERM)) return process;
    // Kernels before 5.2 and some sandboxes know no CLONE_PIDFD. Nobody else waits for this child, so its number is
    // its own until the caller reaps it.
    *pidfd = -1;
    process = clone(run_child, stack_top, CLONE_VM | CLONE_VFORK | SIGCHLD, child);
    if (process < 0) return process;
    *pidfd = (int)syscall(SYS_pidfd_open, process, 0);
    return process;
}

// One for each thread that starts commands, kept: to map and unmap it each time makes the other threads look at their
// memory anew. The thread is suspended as long as the child is on it.
static char *child_stack(void) {
    static _Thread_local char *stack = NULL;
    if (stack != NULL) return stack;
    char *made = mmap(NULL, child_stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (made != MAP_FAILED) stack = made;
    return stack;
}

int cspawn_start(const struct cspawn_request *request, struct cspawn_result *result) {
    if (request->input < 3 || request->output < 3 || request->error < 3) {
        return failed(result, EINVAL, CSPAWN_STEP_STDIO);
    }
    char *stack = child_stack();
    if (stack == NULL) return failed(result, errno, CSPAWN_STEP_CLONE);

    uint64_t all = ~(uint64_t)0, before = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, kernel_signal_set_size);
    struct child child = {.request = request, .error = 0, .step = CSPAWN_STEP_NONE, .must_join = false};
    int pidfd = -1;
    pid_t process = clone_child(stack, &child, &pidfd);
    int clone_error = errno;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, kernel_signal_set_size);

    if (process < 0) return failed(result, clone_error, CSPAWN_STEP_CLONE);
    if (child.error == 0 && pidfd < 0) {
        // Without a pidfd its end would go unnoticed.
        kill(process, SIGKILL);
        child.error = clone_error;
        child.step = CSPAWN_STEP_CLONE;
    }
    if (child.error != 0) {
        while (waitpid(process, NULL, 0) < 0 && errno == EINTR) {}
        if (pidfd >= 0) close(pidfd);
        return failed(result, child.error, child.step);
    }
    result->process = process;
    result->pidfd = pidfd;
    result->error = 0;
    result->step = CSPAWN_STEP_NONE;
    return 0;
}

// Standard descriptors may be closed in the parent; then a pipe would take their numbers.
static int raised(int descriptor) {
    if (descriptor >= 3) return descriptor;
    int higher = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    int error = errno;
    close(descriptor);
    errno = error;
    return higher;
}

int cspawn_pipe(int ends[2]) {
    int made[2];
    if (pipe2(made, O_CLOEXEC) != 0) return -1;
    ends[0] = raised(made[0]);
    ends[1] = raised(made[1]);
    if (ends[0] >= 0 && ends[1] >= 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0) return 0;
    int error = errno;
    if (ends[0] >= 0) close(ends[0]);
    if (ends[1] >= 0) close(ends[1]);
    errno = error;
    return -1;
}

int cspawn_text(const void *bytes, size_t count) {
    // As wide as a command's input may be: closing on exec is for everybody else.
    int made = memfd_create("input", MFD_CLOEXEC);
    if (made < 0) return -1;
    const char *rest = bytes;
    while (count > 0) {
        ssize_t written = write(made, rest, count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) goto failed;
        rest += written;
        count -= (size_t)written;
    }
    if (lseek(made, 0, SEEK_SET) == 0) return raised(made);
failed:;
    int error = errno;
    close(made);
    errno = error;
    return -1;
}

int cspawn_reap(pid_t process, struct cspawn_end *end) {
    int status = 0;
    pid_t reaped;
    struct rusage usage = {0};
    do { reaped = wait4(process, &status, WNOHANG, &usage); } while (reaped < 0 && errno == EINTR);
    if (reaped <= 0) return (int)reaped;
    end->processor_time = (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000
        + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    end->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    end->signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return 1;
}

int cspawn_become_subreaper(void) {
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}
