// Reading /proc. Everything here may be called from any thread but not between clone and exec.
#define _GNU_SOURCE
#include "CSpawn.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// A stat line has 52 numbers and a name of at most 64 bytes.
#define STAT_CAPACITY 2048
#define PATH_CAPACITY 96
// What is read of an environment at once.
#define CHUNK 4096

static int open_of(pid_t process, const char *file) {
    char path[PATH_CAPACITY];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)process, file);
    return open(path, O_RDONLY | O_CLOEXEC);
}

int cspawn_read_process(pid_t process, struct cspawn_process *facts) {
    int descriptor = open_of(process, "stat");
    if (descriptor < 0) return -1;
    char text[STAT_CAPACITY];
    ssize_t count = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    if (count <= 0) return -1;
    text[count] = 0;
    // The name stands in parentheses and may contain any character, so the fields are counted from the last one.
    char *after_name = strrchr(text, ')');
    if (after_name == NULL) return -1;
    int parent = 0, group = 0, session = 0;
    char state = 0;
    unsigned long long start_time = 0;
    unsigned long user = 0, system = 0;
    long children_user = 0, children_system = 0, resident = 0;
    int read_fields = sscanf(
        after_name + 1, " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld %*d %*d %*d %*d %llu %*u %ld", &state,
        &parent, &group, &session, &user, &system, &children_user, &children_system, &start_time, &resident);
    if (read_fields != 10) return -1;
    facts->process = process;
    facts->parent = parent;
    facts->group = group;
    facts->session = session;
    facts->start_time = start_time;
    facts->processor_ticks = user + system + (unsigned long)children_user + (unsigned long)children_system;
    facts->resident_pages = resident;
    facts->state = state;
    return 0;
}

int64_t cspawn_resident_pages(pid_t process) {
    int descriptor = open_of(process, "statm");
    if (descriptor < 0) return -1;
    char text[STAT_CAPACITY];
    ssize_t count = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    if (count <= 0) return -1;
    text[count] = 0;
    long long resident = 0;
    return sscanf(text, "%*d %lld", &resident) == 1 ? resident : -1;
}

long cspawn_list_processes(struct cspawn_process *list, size_t capacity) {
    DIR *directory = opendir("/proc");
    if (directory == NULL) return -1;
    size_t count = 0;
    struct dirent *entry;
    while (count < capacity && (entry = readdir(directory)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        if (cspawn_read_process((pid_t)atoi(entry->d_name), &list[count]) == 0) count++;
    }
    closedir(directory);
    return (long)count;
}

static int append_children(const char *thread, pid_t *list, size_t capacity, size_t *count) {
    char path[PATH_CAPACITY];
    snprintf(path, sizeof path, "/proc/self/task/%.20s/children", thread);
    FILE *file = fopen(path, "re");
    // A thread that has just ended is no error; a kernel without this file is.
    if (file == NULL) return errno == ENOENT && access("/proc/thread-self/children", F_OK) == 0 ? 0 : -1;
    int process = 0;
    while (*count < capacity && fscanf(file, "%d", &process) == 1) list[(*count)++] = process;
    fclose(file);
    return 0;
}

long cspawn_list_inherited(pid_t *list, size_t capacity) {
    char leader[16];
    snprintf(leader, sizeof leader, "%d", (int)getpid());
    size_t count = 0;
    return append_children(leader, list, capacity, &count) == 0 ? (long)count : -1;
}

long cspawn_list_children(pid_t *list, size_t capacity) {
    DIR *directory = opendir("/proc/self/task");
    if (directory == NULL) return -1;
    size_t count = 0;
    int failure = 0;
    struct dirent *entry;
    while (failure == 0 && (entry = readdir(directory)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) failure = append_children(entry->d_name, list, capacity, &count);
    }
    int error = errno;
    closedir(directory);
    errno = error;
    return failure == 0 ? (long)count : -1;
}

bool cspawn_has_environment(pid_t process, const char *entry) {
    int descriptor = open_of(process, "environ");
    if (descriptor < 0) return false;
    // Compared as it streams by, one entry after the other: `matched` bytes of this one are the same so far, or -1.
    size_t length = strlen(entry);
    ssize_t matched = 0;
    bool found = false;
    char chunk[CHUNK];
    ssize_t count;
    while (!found && (count = read(descriptor, chunk, sizeof chunk)) > 0) {
        for (ssize_t index = 0; index < count && !found; index++) {
            char byte = chunk[index];
            if (byte == 0) {
                found = matched == (ssize_t)length;
                matched = 0;
            } else if (matched >= 0) {
                matched = (size_t)matched < length && entry[matched] == byte ? matched + 1 : -1;
            }
        }
    }
    close(descriptor);
    return found;
}

int cspawn_signal(pid_t process, uint64_t start_time, int signal_number) {
    int pidfd = (int)syscall(SYS_pidfd_open, process, 0);
    if (pidfd < 0) return -1;
    // Compared after the descriptor was opened: from here on it can only mean this one process.
    struct cspawn_process facts;
    int status = -1;
    if (cspawn_read_process(process, &facts) != 0 || facts.start_time != start_time) {
        errno = ESRCH;
    } else {
        status = (int)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
    }
    int error = errno;
    close(pidfd);
    errno = error;
    return status;
}
