/* The echo service on a loopback port, for clients that are not ours. Prints its port, serves until
 * standard input ends. One poll loop, no threads. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "echo_service.h"

enum { PEERS_MAX = 16, POLL_MAX = PEERS_MAX + 2 };

struct peer {
    int fd;
    struct grpc_conn *conn; /* NULL: free */
};

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int listen_on_loopback(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(fd >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int result = bind(fd, (struct sockaddr *)&address, size);
    ASSERT(result == 0);
    result = listen(fd, 16);
    ASSERT(result == 0);
    result = getsockname(fd, (struct sockaddr *)&address, &size);
    ASSERT(result == 0);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void peer_close(struct peer *peer)
{
    grpc_conn_destroy(peer->conn);
    close(peer->fd);
    peer->conn = NULL;
}

static void peer_accept(struct peer *peers, int listener, struct grpc_server *server)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (int i = 0; fd >= 0 && i < PEERS_MAX; i++) {
        if (!peers[i].conn) {
            peers[i] = (struct peer){fd, grpc_conn_create_server(server, now_us())};
            return;
        }
    }
    if (fd >= 0)
        close(fd);
}

static bool peer_read(struct peer *peer)
{
    static uint8_t bytes[65536];
    ssize_t size = read(peer->fd, bytes, sizeof bytes);
    if (size < 0)
        return errno == EAGAIN;
    if (size == 0)
        return false;
    grpc_conn_receive(peer->conn, slice_make(bytes, (size_t)size), now_us());
    return true;
}

/* True when the socket has taken all there was. */
static bool peer_write(struct peer *peer)
{
    for (;;) {
        struct slice out = grpc_conn_output(peer->conn);
        if (out.size == 0)
            return true;
        ssize_t size = send(peer->fd, out.data, out.size, MSG_NOSIGNAL);
        if (size < 0)
            return errno != EAGAIN;
        grpc_conn_output_consume(peer->conn, (size_t)size);
    }
}

static void serve(struct peer *peers, int listener, struct grpc_server *server)
{
    bool blocked[PEERS_MAX] = {0};
    for (;;) {
        struct pollfd fds[POLL_MAX] = {{.fd = 0, .events = POLLIN},
                                       {.fd = listener, .events = POLLIN}};
        int timeout_ms = 1000;
        for (int i = 0; i < PEERS_MAX; i++) {
            fds[i + 2].fd = peers[i].conn ? peers[i].fd : -1;
            fds[i + 2].events = (short)(POLLIN | (blocked[i] ? POLLOUT : 0));
            if (peers[i].conn && grpc_conn_tick_at(peers[i].conn) != UINT64_MAX)
                timeout_ms = 5;
        }
        if (poll(fds, POLL_MAX, timeout_ms) < 0 || fds[0].revents)
            return;
        if (fds[1].revents)
            peer_accept(peers, listener, server);
        for (int i = 0; i < PEERS_MAX; i++) {
            if (!peers[i].conn)
                continue;
            grpc_conn_tick(peers[i].conn, now_us());
            bool alive =
                !(fds[i + 2].fd >= 0 && fds[i + 2].revents & ~POLLOUT) || peer_read(&peers[i]);
            blocked[i] = alive && !peer_write(&peers[i]);
            if (!alive || grpc_conn_done(peers[i].conn))
                peer_close(&peers[i]);
        }
    }
}

int main(void)
{
    struct echo_service service;
    struct grpc_config config = {.message_size_max = 8 << 20};
    echo_service_init(&service, &config);
    int listener = listen_on_loopback();
    struct peer peers[PEERS_MAX] = {0};
    serve(peers, listener, service.server);
    for (int i = 0; i < PEERS_MAX; i++) {
        if (peers[i].conn)
            peer_close(&peers[i]);
    }
    close(listener);
    echo_service_free(&service);
    return 0;
}
