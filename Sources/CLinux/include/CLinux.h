// The Linux system calls that Swift's Glibc module does not show: epoll, eventfd, timerfd, signalfd, pidfd, accept4.
// Types come from the system's own headers, so they are the same types everywhere. What is a GNU extension or needs a
// macro has a small function here. Nothing in this target keeps state but the one flag that is named below.
#ifndef CLINUX_H
#define CLINUX_H

#include <stdint.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <time.h>

/// Waits for events; the timeout is in nanoseconds (epoll_wait's milliseconds are too coarse for a scheduler).
/// Negative: without limit. Uses epoll_pwait2, or ppoll on kernels and sandboxes that do not have it.
int clinux_epoll_wait(int epoll, struct epoll_event *events, int capacity, int64_t timeout_nanoseconds);

/// CLOCK_BOOTTIME in nanoseconds: monotonic, and it runs on while the machine is suspended.
uint64_t clinux_boottime_nanoseconds(void);

/// CLOCK_REALTIME in microseconds since 1970.
int64_t clinux_realtime_microseconds(void);

/// accept4 with SOCK_NONBLOCK and SOCK_CLOEXEC.
int clinux_accept(int listener, struct sockaddr *address, socklen_t *length);

/// A descriptor that becomes readable when the process ends; close-on-exec.
int clinux_pidfd_open(pid_t process);

/// Sends a signal through a pidfd, so that it can never reach another process that got the same number.
int clinux_pidfd_send_signal(int pidfd, int signal_number);

/// Names the calling thread (at most 15 bytes are kept).
void clinux_name_thread(const char *name);

/// Lets timers of the calling thread fire within this many nanoseconds of their time (the default is 50 000).
void clinux_set_timer_slack(unsigned long nanoseconds);

#endif
