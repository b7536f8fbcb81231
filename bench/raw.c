// The floor: what the kernel alone takes for a small request. One thread, one epoll, one read and
// one write for each request, and an answer of the same bytes as the Lua handlers' hello. It is no
// HTTP server: it takes a read for a request, so it cannot pipeline, and knows one path.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 1024, BACKLOG = 4096 };

static const char HELLO[] =
    "HTTP/1.1 200 OK\r\n"
    "Date: Sun, 22 Nov 2026 12:04:27 GMT\r\n"
    "Server: httpng\r\n"
    "Content-Length: 14\r\n"
    "content-type: text/plain\r\n"
    "\r\n"
    "Hello, World!\n";
static const char NOT_FOUND[] =
    "HTTP/1.1 404 Not Found\r\n"
    "Content-Length: 0\r\n"
    "\r\n";
static const char PATH[] = "GET /hello ";

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int listen_at(int port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((unsigned short)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) die("setsockopt");
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
    if (listen(fd, BACKLOG) < 0) die("listen");
    return fd;
}

static void watch(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void accept_all(int epoll, int listener) {
    int fd;
    int on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(epoll, fd);
    }
}

static void answer(int fd) {
    char request[4096];
    ssize_t got = recv(fd, request, sizeof request, 0);
    // Level-triggered: what woke us is there, or the client is gone.
    if (got <= 0) {
        close(fd);
        return;
    }
    int is_hello = (size_t)got >= sizeof PATH - 1 && memcmp(request, PATH, sizeof PATH - 1) == 0;
    const char *bytes = is_hello ? HELLO : NOT_FOUND;
    size_t length = is_hello ? sizeof HELLO - 1 : sizeof NOT_FOUND - 1;
    // So few bytes fit into an empty socket at once, or the client is gone.
    if (send(fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) close(fd);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_at(atoi(argv[1]));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) die("epoll_create1");
    watch(epoll, listener);
    static struct epoll_event events[EVENTS];
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_all(epoll, listener);
            } else {
                answer(fd);
            }
        }
    }
}
