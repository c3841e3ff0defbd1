#define _GNU_SOURCE
#include "CBench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { head_limit = 16384, read_size = 262144, events_per_turn = 64 };

// One connection and how far its answer has come. Bodies are counted, not kept.
struct connection {
    int descriptor;
    size_t head_length;
    int status;
    // Bytes of the body that are still to come; -1: it is chunked, and its end is looked for.
    int64_t rest;
    int in_body;
    char tail[5];
    char head[head_limit + 1];
};

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int open_connection(uint16_t port) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

static void read_head(struct connection *connection) {
    connection->head[connection->head_length] = 0;
    connection->status = connection->head_length > 12 ? atoi(connection->head + 9) : 0;
    connection->rest = 0;
    char *length = strcasestr(connection->head, "\r\ncontent-length:");
    if (length) connection->rest = atoll(length + 17);
    else if (strcasestr(connection->head, "\r\ntransfer-encoding: chunked")) connection->rest = -1;
    connection->in_body = 1;
    memset(connection->tail, 0, sizeof connection->tail);
}

// Takes bytes of an answer. Returns 1 when it is complete; nothing follows it, for one request is out at a time.
static int take(struct connection *connection, const char *bytes, size_t count) {
    if (!connection->in_body) {
        size_t room = head_limit - connection->head_length;
        size_t taken = count < room ? count : room;
        memcpy(connection->head + connection->head_length, bytes, taken);
        connection->head[connection->head_length + taken] = 0;
        char *end = strstr(connection->head, "\r\n\r\n");
        if (!end) {
            connection->head_length += taken;
            return taken < count ? -1 : 0;
        }
        size_t before = connection->head_length;
        connection->head_length = (size_t)(end - connection->head) + 4;
        size_t used = connection->head_length - before;
        read_head(connection);
        bytes += used;
        count -= used;
    }
    if (connection->rest >= 0) {
        connection->rest -= (int64_t)count;
        return connection->rest <= 0;
    }
    // The last chunk is "0\r\n\r\n"; JSON holds no such line.
    char joined[10];
    size_t kept = count < 5 ? count : 5;
    memcpy(joined, connection->tail, 5);
    memcpy(joined + 5, bytes + count - kept, kept);
    memmove(connection->tail, joined + kept, 5);
    return memcmp(connection->tail, "0\r\n\r\n", 5) == 0;
}

static int ask(struct connection *connection, const char *request, size_t length) {
    connection->in_body = 0;
    connection->head_length = 0;
    return send(connection->descriptor, request, length, MSG_NOSIGNAL) == (ssize_t)length ? 0 : -1;
}

int cbench_load(uint16_t port, const char *request, int connections, int64_t nanoseconds, struct cbench_load *result) {
    memset(result, 0, sizeof *result);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    char *buffer = malloc(read_size);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    size_t length = strlen(request);
    int open = 0, error = 0;
    for (; open < connections && error == 0; open++) {
        all[open].descriptor = open_connection(port);
        if (all[open].descriptor < 0) { error = errno; break; }
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[open]};
        epoll_ctl(epoll, EPOLL_CTL_ADD, all[open].descriptor, &event);
    }
    int64_t start = now(), end = start + nanoseconds;
    int living = error == 0 ? connections : 0;
    for (int index = 0; index < living; index++) ask(&all[index], request, length);
    struct epoll_event events[events_per_turn];
    while (living > 0 && now() < end) {
        int count = epoll_wait(epoll, events, events_per_turn, 100);
        for (int index = 0; index < count; index++) {
            struct connection *connection = events[index].data.ptr;
            ssize_t got = recv(connection->descriptor, buffer, read_size, MSG_DONTWAIT);
            if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            int state = got > 0 ? take(connection, buffer, (size_t)got) : -1;
            if (got > 0) result->bytes += (uint64_t)got;
            if (state == 1) {
                if (connection->status == 200) result->answers++;
                else result->failures++;
                state = ask(connection, request, length);
            }
            if (state < 0) {
                result->failures++;
                epoll_ctl(epoll, EPOLL_CTL_DEL, connection->descriptor, NULL);
                living--;
            }
        }
    }
    result->nanoseconds = now() - start;
    for (int index = 0; index < open; index++) close(all[index].descriptor);
    close(epoll);
    free(buffer);
    free(all);
    errno = error;
    return error == 0 ? 0 : -1;
}
