// What carillon-bench measures without Swift in the way: the physical limits, and a load that costs little itself.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Starts a program `count` times and waits for each, with at most `alive` at a time.
/// Returns the nanoseconds from the first start to the last end; -1 with errno.
int64_t cbench_spawn_and_reap(char *const arguments[], int count, int alive);

/// Starts a program with a group of its own whose standard output and error go to `output`. Returns the process or -1.
pid_t cbench_start(char *const arguments[], int output);

/// Removes a folder with all that is in it, as far as that may be; links are not followed.
void cbench_remove(const char *path);

/// Starts a process that answers every request on 127.0.0.1 with the same bytes, in one loop, and does nothing else; it
/// ends with the thread that started it, or by SIGKILL. Returns the process, which listens on `port`, or -1 with errno.
pid_t cbench_serve(const char *answer, size_t length, uint16_t *port);

struct cbench_load {
    uint64_t answers;
    /// Answers whose status is not 200, and connections that broke.
    uint64_t failures;
    uint64_t bytes;
    int64_t nanoseconds;
};

/// Sends the same request again and again over `connections` connections to 127.0.0.1, each waiting for its answer,
/// which must have a Content-Length or be chunked. Returns 0, or -1 with errno when it cannot connect.
int cbench_load(uint16_t port, const char *request, int connections, int64_t nanoseconds, struct cbench_load *result);
