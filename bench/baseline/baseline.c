//go:build ignore

// baseline: the bare send() loop that parses nothing.
//
// It is the yardstick for an event-stream server: what the kernel itself charges to accept a stream and
// to send it an event. It answers every connection with a fixed head and treats it as a stream of the one
// topic there is; a connection whose first bytes are "POST" is a publisher, and each request on it makes
// every thread send one event to every stream it holds. Nothing else of HTTP is looked at.
//
//   cc -O2 -pthread -o baseline baseline.c
//   ./baseline -p 8080 -t 2 -s 100 -d 60
//
//   -p port      on 127.0.0.1
//   -t threads   each has its own SO_REUSEPORT listener, epoll set and streams; nothing is shared but a counter
//   -s bytes     data bytes of an event
//   -d seconds   life of the process; it exits by itself
//
// A stream that cannot take a whole event at once is closed and counted: there is no buffering to fall back on,
// and a half-sent event would no longer be comparable. A run that reports closed streams is void.
//
// The Go package around it is what measurements use, and is held against this. The first line keeps the Go tool from
// compiling it.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS_MAX = 64, DATA_BYTES_MAX = 60000, EVENTS_PER_WAIT = 512, BACKLOG = 4096 };

static const char STREAM_HEAD[] =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/event-stream; charset=utf-8\r\n"
    "Cache-Control: no-cache, no-transform\r\n"
    "X-Accel-Buffering: no\r\n"
    "Connection: close\r\n"
    "\r\n"
    ":\nretry: 3000\n\n";

static const char PUBLISHED[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

// The id's milliseconds, 13 digits: event n carries ID_FIRST + n, so ids rise and keep their width.
static const uint64_t ID_FIRST = 1763880000000ull;
enum { ID_DIGITS = 13 };

struct thread {
    int listener, epoll, wake;
    uint64_t sent;      // events sent to every stream of this thread
    int *streams;       // dense: the fds the send loop walks
    int *place;         // fd -> 1 + its index in streams; 0: not a stream
    int count;
    char *event;
    size_t event_bytes;
    char *id;           // inside event
    atomic_ulong accepted, cut;
    pthread_t handle;
};

static struct thread threads[THREADS_MAX];
static int thread_count = 1, port = 8080, data_bytes = 100, life_seconds = 60, fds_max;
static atomic_ulong published;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void add_stream(struct thread *t, int fd) {
    t->streams[t->count++] = fd;
    t->place[fd] = t->count;
}

static void close_connection(struct thread *t, int fd) {
    int place = t->place[fd];
    if (place) {
        int last = t->streams[--t->count];
        t->streams[place - 1] = last;
        t->place[last] = place;
        t->place[fd] = 0;
    }
    close(fd);
}

static void watch(struct thread *t, int op, int fd, uint32_t events) {
    struct epoll_event e = {.events = events, .data.fd = fd};
    if (epoll_ctl(t->epoll, op, fd, &e) < 0) fail("epoll_ctl");
}

// publish answers first and only raises the counter: every thread, this one too, sends when it sees it risen.
static void publish(struct thread *t, int fd) {
    if (send(fd, PUBLISHED, sizeof PUBLISHED - 1, MSG_NOSIGNAL) < 0) {
        close_connection(t, fd);
        return;
    }
    atomic_fetch_add(&published, 1);
    for (int i = 0; i < thread_count; i++)
        if (&threads[i] != t && eventfd_write(threads[i].wake, 1) < 0) fail("eventfd_write");
}

static void broadcast(struct thread *t) {
    uint64_t id = ID_FIRST + ++t->sent;
    for (int i = ID_DIGITS - 1; i >= 0; i--, id /= 10) t->id[i] = '0' + id % 10;
    // Backwards, because closing a stream moves the last one, already served, into its place.
    for (int i = t->count - 1; i >= 0; i--) {
        int fd = t->streams[i];
        if (send(fd, t->event, t->event_bytes, MSG_NOSIGNAL) != (ssize_t)t->event_bytes) {
            atomic_fetch_add(&t->cut, 1);
            close_connection(t, fd);
        }
    }
}

// first_bytes decides what a connection is. fresh: it is not in the epoll set yet.
static void first_bytes(struct thread *t, int fd, int fresh) {
    char request[4096];
    ssize_t n = recv(fd, request, sizeof request, 0);
    if (n < 0 && errno == EAGAIN) {
        if (fresh) watch(t, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
        return;
    }
    if (n <= 0) {
        close_connection(t, fd);
        return;
    }
    int op = fresh ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (n >= 4 && memcmp(request, "POST", 4) == 0) {
        watch(t, op, fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
        publish(t, fd);
        return;
    }
    if (send(fd, STREAM_HEAD, sizeof STREAM_HEAD - 1, MSG_NOSIGNAL) < 0) {
        close_connection(t, fd);
        return;
    }
    watch(t, op, fd, EPOLLRDHUP | EPOLLET);
    add_stream(t, fd);
}

static void accept_all(struct thread *t) {
    for (;;) {
        int fd = accept4(t->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return; // EAGAIN: all taken; anything else concerns one connection and epoll reports the rest
        if (fd >= fds_max) {
            close(fd);
            continue;
        }
        atomic_fetch_add(&t->accepted, 1);
        first_bytes(t, fd, 1);
    }
}

static void *run(void *arg) {
    struct thread *t = arg;
    struct epoll_event events[EVENTS_PER_WAIT];
    for (;;) {
        int n = epoll_wait(t->epoll, events, EVENTS_PER_WAIT, -1);
        if (n < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == t->listener) {
                accept_all(t);
            } else if (fd == t->wake) {
                eventfd_t ignored;
                eventfd_read(t->wake, &ignored);
            } else if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
                close_connection(t, fd);
            } else if (t->place[fd] == 0) {
                first_bytes(t, fd, 0);
            }
        }
        while (t->sent < atomic_load(&published)) broadcast(t);
    }
    return NULL;
}

// untouched is zeroed memory straight from the kernel: pages that no stream has reached yet are not there and cost
// nothing. calloc may clear them by hand.
static void *untouched(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fail("mmap");
    return p;
}

static void prepare(struct thread *t) {
    int on = 1, defer_seconds = 5;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    t->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (t->listener < 0) fail("socket");
    setsockopt(t->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(t->listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(t->listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_seconds, sizeof defer_seconds);
    // Accepted sockets inherit it, so it costs nothing per stream.
    setsockopt(t->listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(t->listener, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
    if (listen(t->listener, BACKLOG) < 0) fail("listen");

    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    t->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (t->epoll < 0 || t->wake < 0) fail("epoll_create1, eventfd");
    watch(t, EPOLL_CTL_ADD, t->listener, EPOLLIN);
    watch(t, EPOLL_CTL_ADD, t->wake, EPOLLIN);

    t->streams = untouched(fds_max * sizeof *t->streams);
    t->place = untouched(fds_max * sizeof *t->place);
    t->event = malloc(data_bytes + 64);
    if (!t->event) fail("malloc");
    int at = sprintf(t->event, "data: ");
    memset(t->event + at, 'x', data_bytes);
    at += data_bytes;
    at += sprintf(t->event + at, "\nid: ");
    t->id = t->event + at;
    at += ID_DIGITS;
    at += sprintf(t->event + at, "-0\n\n");
    t->event_bytes = at;
}

int main(int argc, char **argv) {
    for (int o; (o = getopt(argc, argv, "p:t:s:d:")) != -1;) {
        switch (o) {
        case 'p': port = atoi(optarg); break;
        case 't': thread_count = atoi(optarg); break;
        case 's': data_bytes = atoi(optarg); break;
        case 'd': life_seconds = atoi(optarg); break;
        default: fprintf(stderr, "usage: baseline [-p port] [-t threads] [-s data bytes] [-d seconds]\n"); return 2;
        }
    }
    if (thread_count < 1 || thread_count > THREADS_MAX || data_bytes < 1 || data_bytes > DATA_BYTES_MAX || life_seconds < 1) {
        fprintf(stderr, "baseline: threads 1..%d, data bytes 1..%d, seconds 1 or more; found %d, %d, %d\n", THREADS_MAX, DATA_BYTES_MAX,
                thread_count, data_bytes, life_seconds);
        return 2;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) fail("getrlimit");
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    fds_max = files.rlim_cur > (1 << 24) ? 1 << 24 : (int)files.rlim_cur;

    // All of them before the first runs: a publish wakes every thread.
    for (int i = 0; i < thread_count; i++) prepare(&threads[i]);
    for (int i = 0; i < thread_count; i++) {
        errno = pthread_create(&threads[i].handle, NULL, run, &threads[i]);
        if (errno) fail("pthread_create");
    }
    for (unsigned left = life_seconds; left > 0;) left = sleep(left);

    unsigned long accepted = 0, cut = 0;
    for (int i = 0; i < thread_count; i++) accepted += threads[i].accepted, cut += threads[i].cut;
    fprintf(stderr, "baseline: accepted %lu, published %lu, streams cut because a send was short %lu\n", accepted, published, cut);
    return 0;
}
