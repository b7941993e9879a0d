#include "poll_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool poll_server_listen(struct poll_server *poll_server, struct grpc_server *server, uint16_t port)
{
    *poll_server = (struct poll_server){.server = server};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(fd >= 0);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 16) != 0) {
        close(fd);
        return false;
    }
    int result = getsockname(fd, (struct sockaddr *)&address, &size);
    ASSERT(result == 0);
    poll_server->listener = fd;
    poll_server->port = ntohs(address.sin_port);
    return true;
}

static void peer_close(struct poll_peer *peer)
{
    grpc_conn_destroy(peer->conn);
    close(peer->fd);
    *peer = (struct poll_peer){.fd = -1};
}

static void peer_accept(struct poll_server *poll_server)
{
    int fd = accept4(poll_server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (int i = 0; fd >= 0 && i < POLL_SERVER_PEERS_MAX; i++) {
        struct poll_peer *peer = &poll_server->peers[i];
        if (!peer->conn) {
            *peer = (struct poll_peer){
                .fd = fd, .conn = grpc_conn_create_server(poll_server->server, now_us())};
            grpc_conn_user_set(peer->conn, peer);
            return;
        }
    }
    if (fd >= 0)
        close(fd);
}

void poll_server_drop(struct grpc_conn *conn, bool flush)
{
    struct poll_peer *peer = grpc_conn_user(conn);
    peer->flush = flush;
    peer->drop = true;
}

static bool peer_read(struct poll_peer *peer)
{
    static _Thread_local uint8_t bytes[65536];
    ssize_t size = read(peer->fd, bytes, sizeof bytes);
    if (size < 0)
        return errno == EAGAIN;
    if (size == 0)
        return false;
    grpc_conn_receive(peer->conn, slice_make(bytes, (size_t)size), now_us());
    return !peer->drop || peer->flush;
}

/* False when the peer is gone. */
static bool peer_write(struct poll_peer *peer)
{
    peer->blocked = false;
    for (;;) {
        struct slice out = grpc_conn_output(peer->conn);
        if (out.size == 0)
            return true;
        ssize_t size = send(peer->fd, out.data, out.size, MSG_NOSIGNAL);
        if (size < 0) {
            peer->blocked = errno == EAGAIN;
            return peer->blocked;
        }
        grpc_conn_output_consume(peer->conn, (size_t)size);
    }
}

static void peer_serve(struct poll_peer *peer, short revents)
{
    grpc_conn_tick(peer->conn, now_us());
    bool alive = !(revents & ~POLLOUT) || peer_read(peer);
    alive = alive && peer_write(peer);
    if (!alive || peer->drop || grpc_conn_done(peer->conn))
        peer_close(peer);
}

static void round_serve(struct poll_server *poll_server, const struct pollfd *fds)
{
    for (int i = 0; i < POLL_SERVER_PEERS_MAX; i++) {
        if (poll_server->peers[i].conn && fds[i].fd >= 0)
            peer_serve(&poll_server->peers[i], fds[i].revents);
    }
}

void poll_server_run(struct poll_server *poll_server, int stop_fd)
{
    for (;;) {
        struct pollfd fds[POLL_SERVER_PEERS_MAX + 2] = {
            {.fd = stop_fd, .events = POLLIN}, {.fd = poll_server->listener, .events = POLLIN}};
        int timeout_ms = 1000;
        for (int i = 0; i < POLL_SERVER_PEERS_MAX; i++) {
            struct poll_peer *peer = &poll_server->peers[i];
            fds[i + 2].fd = peer->conn ? peer->fd : -1;
            fds[i + 2].events = (short)(POLLIN | (peer->blocked ? POLLOUT : 0));
            if (peer->conn && grpc_conn_tick_at(peer->conn) != UINT64_MAX)
                timeout_ms = 5;
        }
        if (poll(fds, POLL_SERVER_PEERS_MAX + 2, timeout_ms) < 0)
            continue;
        if (fds[0].revents)
            break;
        round_serve(poll_server, fds + 2);
        if (fds[1].revents)
            peer_accept(poll_server);
    }
    for (int i = 0; i < POLL_SERVER_PEERS_MAX; i++) {
        if (poll_server->peers[i].conn)
            peer_close(&poll_server->peers[i]);
    }
    close(poll_server->listener);
}
