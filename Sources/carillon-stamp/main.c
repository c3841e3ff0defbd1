// carillon-stamp FILE: appends the wall clock as it was when this process began. For carillon-bench: a command whose
// own start costs next to nothing, so that what is measured is the scheduler's lateness and not a shell's.
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **arguments) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (count != 2) return 2;
    int file = open(arguments[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0) return 1;
    char line[40];
    int length = snprintf(line, sizeof line, "%lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
    return write(file, line, (size_t)length) == length ? 0 : 1;
}
