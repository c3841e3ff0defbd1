#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Set once the kernel has refused epoll_pwait2 (before 5.11, or a sandbox's filter); never cleared.
static atomic_bool epoll_pwait2_refused = 0;

int clinux_epoll_wait(int epoll, struct epoll_event *events, int capacity, int64_t timeout_nanoseconds) {
    struct timespec timeout;
    struct timespec *limit = NULL;
    if (timeout_nanoseconds == 0) return epoll_wait(epoll, events, capacity, 0);
    if (timeout_nanoseconds > 0) {
        timeout.tv_sec = timeout_nanoseconds / 1000000000;
        timeout.tv_nsec = timeout_nanoseconds % 1000000000;
        limit = &timeout;
    }
#ifdef SYS_epoll_pwait2
    if (!atomic_load_explicit(&epoll_pwait2_refused, memory_order_relaxed)) {
        int count = (int)syscall(SYS_epoll_pwait2, epoll, events, capacity, limit, NULL, 0);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
        atomic_store_explicit(&epoll_pwait2_refused, 1, memory_order_relaxed);
    }
#endif
    struct pollfd waiting = {.fd = epoll, .events = POLLIN, .revents = 0};
    int ready = ppoll(&waiting, 1, limit, NULL);
    if (ready <= 0) return ready;
    return epoll_wait(epoll, events, capacity, 0);
}

uint64_t clinux_boottime_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t clinux_realtime_microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int clinux_accept(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int clinux_pidfd_open(pid_t process) {
    return (int)syscall(SYS_pidfd_open, process, 0);
}

int clinux_pidfd_send_signal(int pidfd, int signal_number) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
}

void clinux_name_thread(const char *name) {
    char kept[16];
    strncpy(kept, name, sizeof kept - 1);
    kept[sizeof kept - 1] = 0;
    pthread_setname_np(pthread_self(), kept);
}

void clinux_set_timer_slack(unsigned long nanoseconds) {
    prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0);
}
