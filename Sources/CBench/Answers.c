#define _GNU_SOURCE
#include "CBench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { request_limit = 16384, events_per_turn = 64, backlog = 256 };

static int listen_anywhere(uint16_t *port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) return -1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, backlog) == 0
        && getsockname(listener, (struct sockaddr *)&address, &length) == 0) {
        *port = ntohs(address.sin_port);
        return listener;
    }
    int error = errno;
    close(listener);
    errno = error;
    return -1;
}

// A request is what one read brings: the client waits for each answer, and its requests fit into one segment.
static void answer_one(int epoll, int connection, const char *answer, size_t length) {
    char request[request_limit];
    ssize_t got = recv(connection, request, sizeof request, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    for (size_t sent = 0; got > 0 && sent < length;) {
        ssize_t count = send(connection, answer + sent, length - sent, MSG_NOSIGNAL);
        if (count > 0) sent += (size_t)count;
        else if (count < 0 && errno != EINTR) got = -1;
    }
    if (got > 0) return;
    epoll_ctl(epoll, EPOLL_CTL_DEL, connection, NULL);
    close(connection);
}

static void serve(int listener, const char *answer, size_t length) {
    int epoll = epoll_create1(EPOLL_CLOEXEC), one = 1;
    struct epoll_event events[events_per_turn], event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, events_per_turn, -1);
        for (int index = 0; index < count; index++) {
            if (events[index].data.fd != listener) {
                answer_one(epoll, events[index].data.fd, answer, length);
                continue;
            }
            int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            if (connection < 0) continue;
            setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            event.data.fd = connection;
            epoll_ctl(epoll, EPOLL_CTL_ADD, connection, &event);
        }
    }
}

pid_t cbench_serve(const char *answer, size_t length, uint16_t *port) {
    int listener = listen_anywhere(port);
    if (listener < 0) return -1;
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        // It ends with whoever measures, however that ends.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) serve(listener, answer, length);
        _exit(0);
    }
    int error = errno;
    close(listener);
    errno = error;
    return child;
}
