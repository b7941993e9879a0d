/* A gRPC server on a loopback port, for tests: one poll loop, in whatever thread runs it. */
#ifndef TESTS_UNIT_GRPC_POLL_SERVER_H
#define TESTS_UNIT_GRPC_POLL_SERVER_H

#include "grpc/grpc.h"

enum { POLL_SERVER_PEERS_MAX = 16 };

struct poll_peer {
    int fd;
    struct grpc_conn *conn; /* NULL: free */
    bool blocked;           /* the socket is full at present */
    bool drop;
    bool flush;
};

struct poll_server {
    struct grpc_server *server;
    int listener;
    uint16_t port;
    struct poll_peer peers[POLL_SERVER_PEERS_MAX];
};

/* Listens on `port`, 0: any free one. False when it is taken. */
bool poll_server_listen(struct poll_server *poll_server, struct grpc_server *server, uint16_t port);
/* Serves until `stop_fd` is readable, then closes everything. */
void poll_server_run(struct poll_server *poll_server, int stop_fd);
/* From a handler: closes the connection as soon as the handler is back, `flush`: after writing what
 * there is to write. */
void poll_server_drop(struct grpc_conn *conn, bool flush);

#endif
