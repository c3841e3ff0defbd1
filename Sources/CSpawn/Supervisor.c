// The supervisor of a run that must outlive the worker: a process of its own between the two, which waits for the
// command and writes down how it ended. It is made by fork and executes nothing, so it shares the worker's memory until
// one of them writes to it; it runs no Swift, takes no lock and needs no file of the program, which may be replaced.
#define _GNU_SOURCE
#include "CSpawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// Descriptors that may have to stay open: at most eight of the request's, a few groups, what is held.
#define KEPT 32
#define LINE 160

struct kept {
    int list[KEPT];
    size_t count;
};

static void keep(struct kept *kept, int descriptor) {
    if (descriptor < 0 || kept->count == KEPT) return;
    size_t place = kept->count;
    while (place > 0 && kept->list[place - 1] > descriptor) {
        kept->list[place] = kept->list[place - 1];
        place--;
    }
    kept->list[place] = descriptor;
    kept->count++;
}

static void close_between(unsigned first, unsigned last) {
    if (first > last || syscall(SYS_close_range, first, last, 0u) == 0) return;
    struct rlimit limit;
    unsigned most = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (unsigned)limit.rlim_cur : 1024;
    for (unsigned descriptor = first; descriptor <= last && descriptor < most; descriptor++) close((int)descriptor);
}

static void close_others(const struct kept *kept) {
    unsigned next = 0;
    for (size_t index = 0; index < kept->count; index++) {
        unsigned descriptor = (unsigned)kept->list[index];
        if (descriptor > next) close_between(next, descriptor - 1);
        next = descriptor + 1;
    }
    close_between(next, ~0u);
}

static char *put_text(char *end, const char *text) {
    while (*text != 0) *end++ = *text++;
    return end;
}

static char *put_number(char *end, uint64_t number) {
    char digits[24];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0) *end++ = digits[--count];
    return end;
}

// Whole or not at all: readers never see a part of it. What is there of the fresh file is written over, so that one
// that was made in advance needs no more room on the disk. Filled with blanks up to LINE.
static bool put_file(int directory, const char *fresh, const char *name, const char *line, size_t length) {
    char text[LINE];
    memset(text, ' ', sizeof text);
    memcpy(text, line, length);
    text[LINE - 1] = '\n';
    int file = openat(directory, fresh, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return false;
    ssize_t written = write(file, text, sizeof text);
    close(file);
    if (written != (ssize_t)sizeof text) return false;
    return name == NULL || renameat(directory, fresh, directory, name) == 0;
}

// Field 22 of /proc/<process>/stat, without the C library's parser, which may allocate.
static uint64_t start_time_of(pid_t process) {
    char path[LINE];
    char *end = put_number(put_text(path, "/proc/"), (uint64_t)process);
    end = put_text(end, "/stat");
    *end = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    char text[1024];
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    if (count <= 0) return 0;
    text[count] = 0;
    const char *rest = strrchr(text, ')');
    for (int blanks = 0; rest != NULL && blanks < 20; blanks++) {
        rest = strchr(rest, ' ');
        if (rest != NULL) rest++;
    }
    uint64_t value = 0;
    while (rest != NULL && *rest >= '0' && *rest <= '9') value = value * 10 + (uint64_t)(*rest++ - '0');
    return value;
}

static void note_process(int directory, pid_t process, uint64_t start_time) {
    char line[LINE];
    char *end = put_number(line, (uint64_t)process);
    end = put_number(put_text(end, " "), start_time);
    end = put_number(put_text(end, " "), (uint64_t)getpid());
    end = put_number(put_text(end, " "), start_time_of(getpid()));
    put_file(directory, "process.new", "process", line, (size_t)(end - line));
    // The room for how it ends, should the disk be full then.
    put_file(directory, "status.new", NULL, "", 0);
}

// Not its link count, which some file systems leave as it was.
static bool is_there(int directory) { return faccessat(directory, "record", F_OK, 0) == 0; }

static void note_end(int directory, int status) {
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    bool is_signalled = WIFSIGNALED(status);
    char line[LINE];
    char *end = put_text(line, is_signalled ? "signalled " : "exited ");
    end = put_number(end, (uint64_t)(is_signalled ? WTERMSIG(status) : WEXITSTATUS(status)));
    end = put_number(put_text(end, " "), (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u);
    struct timespec pause = {.tv_nsec = 500000000};
    // Nobody else knows it. Gone is the directory when nobody wants to.
    while (!put_file(directory, "status.new", "status", line, (size_t)(end - line)) && is_there(directory)) {
        nanosleep(&pause, NULL);
    }
}

// A FIFO that nobody holds loses what is in it. So the last output waits here for a worker, unless the run's folder is
// gone: then nobody will come.
static void await_readers(const struct cspawn_supervision *supervision) {
    struct timespec pause = {.tv_sec = 0, .tv_nsec = 2000000};
    while (is_there(supervision->directory)) {
        bool is_empty = true;
        for (size_t index = 0; index < supervision->held_count; index++) {
            int waiting = 0;
            if (ioctl(supervision->held[index], FIONREAD, &waiting) == 0 && waiting > 0) is_empty = false;
        }
        if (is_empty) return;
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 500000000) pause.tv_nsec *= 2;
    }
}

// What the worker is told of the start.
struct report {
    struct cspawn_result result;
    uint64_t start_time;
};

static void supervise(
    const struct cspawn_request *request, const struct cspawn_supervision *supervision, int report
) {
    setsid();
    prctl(PR_SET_NAME, "carillon-run", 0, 0, 0);
    // What the command leaves behind comes here, and can be waited for here.
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    umask(077);
    struct kept own = {.count = 0};
    keep(&own, supervision->directory);
    for (size_t index = 0; index < supervision->held_count; index++) keep(&own, supervision->held[index]);
    struct kept all = own;
    keep(&all, report);
    keep(&all, request->input);
    keep(&all, request->output);
    keep(&all, request->error);
    keep(&all, request->control_group);
    keep(&all, request->control_group_processes);
    for (size_t index = 0; index < request->task_file_count; index++) keep(&all, request->task_files[index]);
    close_others(&all);

    struct report told = {0};
    if (cspawn_start(request, &told.result) == 0) {
        told.start_time = start_time_of(told.result.process);
        note_process(supervision->directory, told.result.process, told.start_time);
    }
    // Where the worker has died since, the next one finds what was noted: the command goes on in any case.
    bool is_told = write(report, &told, sizeof told) == (ssize_t)sizeof told;
    if (told.result.error != 0) _exit(is_told ? 0 : 1);
    // Nobody's directory is kept from being unmounted. It is the same where that cannot be.
    if (chdir("/") != 0) errno = 0;
    close_others(&own);
    while (true) {
        int status = 0;
        pid_t ended = waitpid(-1, &status, 0);
        if (ended < 0 && errno == EINTR) continue;
        if (ended < 0) break;
        if (ended == told.result.process) note_end(supervision->directory, status);
    }
    await_readers(supervision);
    _exit(0);
}

int cspawn_start_supervised(
    const struct cspawn_request *request, const struct cspawn_supervision *supervision, struct cspawn_result *result,
    struct cspawn_supervised *supervised
) {
    int ends[2];
    supervised->supervisor = -1;
    supervised->start_time = 0;
    memset(result, 0, sizeof *result);
    result->process = -1;
    result->pidfd = -1;
    result->step = CSPAWN_STEP_CLONE;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        result->error = errno;
        return -1;
    }
    // No handler of the worker may run in the other one; there they stay blocked for ever, and KILL alone ends it.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t process = _Fork();
    if (process == 0) {
        supervise(request, supervision, ends[1]);
        _exit(1);
    }
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (process < 0) {
        close(ends[0]);
        result->error = error;
        return -1;
    }
    struct report told;
    size_t filled = 0;
    while (filled < sizeof told) {
        ssize_t count = read(ends[0], (char *)&told + filled, sizeof told - filled);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        filled += (size_t)count;
    }
    close(ends[0]);
    if (filled == sizeof told) {
        *result = told.result;
    } else {
        // It was killed before it could say anything.
        result->error = EINTR;
    }
    result->pidfd = -1;
    if (result->error != 0) {
        while (waitpid(process, NULL, 0) < 0 && errno == EINTR) {}
        return -1;
    }
    supervised->supervisor = process;
    supervised->start_time = told.start_time;
    // Its number may be another's already: it is not this process's child.
    result->pidfd = cspawn_open_process(result->process, told.start_time);
    return 0;
}

int cspawn_open_process(pid_t process, uint64_t start_time) {
    int pidfd = (int)syscall(SYS_pidfd_open, process, 0);
    if (pidfd < 0) return -1;
    struct cspawn_process facts;
    if (cspawn_read_process(process, &facts) == 0 && facts.start_time == start_time) return pidfd;
    close(pidfd);
    errno = ESRCH;
    return -1;
}
