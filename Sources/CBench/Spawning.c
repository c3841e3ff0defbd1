#define _GNU_SOURCE
#include "CBench.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t cbench_spawn_and_reap(char *const arguments[], int count, int alive) {
    int64_t start = now();
    int started = 0, running = 0;
    while (started < count || running > 0) {
        if (started < count && running < alive) {
            pid_t child = vfork();
            if (child < 0) return -1;
            if (child == 0) {
                execve(arguments[0], arguments, environ);
                _exit(127);
            }
            started++;
            running++;
        } else {
            pid_t ended = waitpid(-1, NULL, 0);
            if (ended < 0 && errno != EINTR) return -1;
            if (ended > 0) running--;
        }
    }
    return now() - start;
}

pid_t cbench_start(char *const arguments[], int output) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    pid_t child = -1;
    int status = posix_spawn(&child, arguments[0], &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (status == 0) return child;
    errno = status;
    return -1;
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *place) {
    (void)facts;
    (void)kind;
    (void)place;
    remove(path);
    return 0;
}

void cbench_remove(const char *path) { nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS); }
