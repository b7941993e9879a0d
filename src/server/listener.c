/* Sockets: a TCP listener, connections coming in and going out, and gRPC between them and the rest.
 *
 * A connection writes with one uv_try_write a pump; what the socket does not take is written by
 * libuv, pointing into the gRPC connection's own output, and nothing more is asked for meanwhile.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/node_int.h"

enum {
    BACKLOG = 512,
    READ_SIZE = 64 * 1024,
    CONNECTIONS_MAX = 4096,
};

struct listener {
    uv_tcp_t tcp;
    struct node *node;
};

struct conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe; /* an adopted local socket */
    } as;
    struct node *node;
    struct grpc_conn *grpc;
    uv_connect_t connect;
    uv_write_t write;
    struct slice written; /* all of the output that `write` finishes */
    uv_getaddrinfo_t resolve;
    bool resolving;
    bool connecting;
    bool writing;
    bool closing;
    bool dirty;
    bool outgoing;
    void (*on_state)(void *context, struct conn *conn, bool up);
    void *context;
    struct conn *next_dirty;
    struct conn *next, **link; /* node->conns */
};

struct grpc_conn *conn_grpc(struct conn *conn)
{
    return conn->grpc;
}

static void conn_free(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    mem_free(conn);
}

/* Ends its calls (their handlers run now) and its socket. */
static void conn_destroy(struct conn *conn)
{
    if (conn->closing)
        return;
    conn->closing = true;
    *conn->link = conn->next;
    if (conn->next)
        conn->next->link = conn->link;
    struct grpc_conn *grpc = conn->grpc;
    void (*on_state)(void *, struct conn *, bool) = conn->on_state;
    if (on_state)
        on_state(conn->context, conn, false);
    /* A write in flight points into grpc's output: libuv must be done with it first. */
    if (!conn->writing) {
        conn->grpc = NULL;
        grpc_conn_destroy(grpc);
    }
    if (!conn->resolving)
        uv_close(&conn->as.handle, conn_free);
}

void conn_close(struct conn *conn)
{
    conn->on_state = NULL;
    conn_destroy(conn);
}

static void on_wake(struct grpc_conn *grpc, void *context)
{
    (void)grpc;
    struct conn *conn = context;
    if (conn->dirty || conn->closing)
        return;
    conn->dirty = true;
    conn->next_dirty = conn->node->dirty;
    conn->node->dirty = conn;
    node_wake(conn->node);
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static void conn_write(struct conn *conn);

static void on_written(uv_write_t *request, int result)
{
    struct conn *conn = request->data;
    conn->writing = false;
    if (conn->closing) {
        struct grpc_conn *grpc = conn->grpc;
        conn->grpc = NULL;
        grpc_conn_destroy(grpc);
        return;
    }
    if (result < 0) {
        conn_destroy(conn);
        return;
    }
    /* libuv has written all that was left of the output. */
    grpc_conn_output_consume(conn->grpc, conn->written.size);
    conn_write(conn);
}

static void conn_write(struct conn *conn)
{
    while (!conn->writing && !conn->connecting && !conn->closing) {
        struct slice output = grpc_conn_output(conn->grpc);
        if (output.size == 0) {
            if (grpc_conn_done(conn->grpc))
                conn_destroy(conn);
            return;
        }
        uv_buf_t buf = uv_buf_init((char *)(uintptr_t)output.data, (unsigned)output.size);
        int wrote = uv_try_write(&conn->as.stream, &buf, 1);
        if (wrote < 0 && wrote != UV_EAGAIN) {
            conn_destroy(conn);
            return;
        }
        size_t done = wrote > 0 ? (size_t)wrote : 0;
        if (done == output.size) {
            grpc_conn_output_consume(conn->grpc, done);
            continue;
        }
        /* The rest: the slice stays where it is until it is consumed as a whole. */
        buf = uv_buf_init((char *)(uintptr_t)output.data + done, (unsigned)(output.size - done));
        conn->written = output;
        conn->write.data = conn;
        conn->writing = true;
        if (uv_write(&conn->write, &conn->as.stream, &buf, 1, on_written) != 0) {
            conn->writing = false;
            conn_destroy(conn);
        }
    }
}

void conns_flush(struct node *node)
{
    while (node->dirty) {
        struct conn *conn = node->dirty;
        node->dirty = conn->next_dirty;
        conn->dirty = false;
        conn_write(conn);
    }
}

/* ---- reading ------------------------------------------------------------------------------------
 */

/* One buffer serves all connections: gRPC takes what it needs during the callback. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    static char buffer[READ_SIZE];
    *buf = uv_buf_init(buffer, sizeof buffer);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct conn *conn = stream->data;
    if (conn->closing || got == 0)
        return;
    if (got < 0) {
        conn_destroy(conn);
        return;
    }
    status_t status = grpc_conn_receive(conn->grpc, slice_make(buf->base, (size_t)got),
                                        env_monotonic_us(conn->node->env));
    if (status != OK) {
        log_debug("server", "connection broke the protocol: closed");
        conn_write(conn); /* tells the peer why, as far as the socket takes it */
        conn_destroy(conn);
        return;
    }
    on_wake(conn->grpc, conn);
}

static struct conn *conn_create(struct node *node, bool outgoing)
{
    struct conn *conn = mem_zalloc(1, sizeof *conn);
    conn->node = node;
    conn->outgoing = outgoing;
    uint64_t now_us = env_monotonic_us(node->env);
    struct grpc_config config = {.message_size_max = 2 * (size_t)REPLICA_REQUEST_SIZE_MAX,
                                 .keepalive_us = 3000000};
    conn->grpc = outgoing ? grpc_conn_create_client(&config, now_us)
                          : grpc_conn_create_server(node->grpc, now_us);
    grpc_conn_user_set(conn->grpc, conn);
    grpc_conn_wake_set(conn->grpc, on_wake, conn);
    conn->next = node->conns;
    conn->link = &node->conns;
    if (conn->next)
        conn->next->link = &conn->next;
    node->conns = conn;
    return conn;
}

static void conn_start(struct conn *conn)
{
    if (uv_read_start(&conn->as.stream, on_alloc, on_read) != 0)
        conn_destroy(conn);
    else
        on_wake(conn->grpc, conn);
}

static uint32_t conn_count(const struct node *node)
{
    uint32_t count = 0;
    for (struct conn *conn = node->conns; conn; conn = conn->next)
        count++;
    return count;
}

static void on_connection(uv_stream_t *stream, int result)
{
    struct listener *listener = stream->data;
    struct node *node = listener->node;
    if (result < 0) {
        log_warn("server", "could not accept a connection: %s", uv_strerror(result));
        return;
    }
    struct conn *conn = conn_create(node, false);
    uv_tcp_init(&node->loop, &conn->as.tcp);
    conn->as.handle.data = conn;
    if (uv_accept(stream, &conn->as.stream) != 0 || conn_count(node) > CONNECTIONS_MAX) {
        conn_destroy(conn);
        return;
    }
    uv_tcp_nodelay(&conn->as.tcp, 1);
    conn_start(conn);
}

/* ---- opening ------------------------------------------------------------------------------------
 */

status_t server_address_parse(const char *text, char *host, size_t host_size, uint16_t *port,
                              struct error *error)
{
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    unsigned long number = colon ? strtoul(colon + 1, &end, 10) : 0;
    bool valid = colon && colon != text && end != colon + 1 && *end == '\0' && number >= 1 &&
                 number <= UINT16_MAX;
    const char *first = text;
    size_t size = valid ? (size_t)(colon - text) : 0;
    if (valid && text[0] == '[' && colon[-1] == ']') {
        first++;
        size -= 2;
    }
    if (!valid || size == 0 || size >= host_size)
        return error_set(error, ERR_INVALID, "\"%s\" is not an address of the form host:port",
                         text);
    memcpy(host, first, size);
    host[size] = '\0';
    *port = (uint16_t)number;
    return OK;
}

static status_t address_resolve(struct node *node, const char *address,
                                struct sockaddr_storage *out, struct error *error)
{
    char host[SERVER_ADDRESS_MAX];
    uint16_t port;
    status_t status = server_address_parse(address, host, sizeof host, &port, error);
    if (status != OK)
        return status;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    uv_getaddrinfo_t request;
    int result = uv_getaddrinfo(&node->loop, &request, NULL, host, service, &hints);
    if (result != 0)
        return error_set(error, ERR_UNREACHABLE, "could not resolve \"%s\": %s", host,
                         uv_strerror(result));
    memcpy(out, request.addrinfo->ai_addr, request.addrinfo->ai_addrlen);
    uv_freeaddrinfo(request.addrinfo);
    return OK;
}

status_t listener_open(struct node *node, const char *address, struct error *error)
{
    struct sockaddr_storage where = {0};
    status_t status = address_resolve(node, address, &where, error);
    if (status != OK)
        return status;
    struct listener *listener = mem_zalloc(1, sizeof *listener);
    listener->node = node;
    uv_tcp_init(&node->loop, &listener->tcp);
    listener->tcp.data = listener;
    node->listener = listener;
    int result = uv_tcp_bind(&listener->tcp, (struct sockaddr *)&where, 0);
    if (result == 0)
        result = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_connection);
    if (result != 0)
        return error_set(error, ERR_UNREACHABLE, "could not listen on %s: %s", address,
                         uv_strerror(result));
    return OK;
}

static void listener_free(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void listener_close(struct node *node)
{
    if (!node->listener)
        return;
    uv_close((uv_handle_t *)&node->listener->tcp, listener_free);
    node->listener = NULL;
}

status_t conn_adopt(struct node *node, int fd, struct error *error)
{
    struct conn *conn = conn_create(node, false);
    uv_pipe_init(&node->loop, &conn->as.pipe, 0);
    conn->as.handle.data = conn;
    int result = uv_pipe_open(&conn->as.pipe, fd);
    if (result != 0) {
        conn_destroy(conn);
        return error_set(error, ERR_INTERNAL, "could not use socket: %s", uv_strerror(result));
    }
    conn_start(conn);
    return OK;
}

static void on_connected(uv_connect_t *request, int result)
{
    struct conn *conn = request->data;
    conn->connecting = false;
    if (conn->closing)
        return;
    if (result < 0) {
        conn_destroy(conn);
        return;
    }
    uv_tcp_nodelay(&conn->as.tcp, 1);
    if (conn->on_state)
        conn->on_state(conn->context, conn, true);
    conn_start(conn);
}

static void connect_start(struct conn *conn, const struct sockaddr *where)
{
    conn->connect.data = conn;
    if (uv_tcp_connect(&conn->connect, &conn->as.tcp, where, on_connected) != 0)
        conn_destroy(conn);
}

/* The handle stays open until the answer is here: conn_free must not come first. */
static void on_resolved(uv_getaddrinfo_t *request, int result, struct addrinfo *found)
{
    struct conn *conn = request->data;
    conn->resolving = false;
    if (conn->closing)
        uv_close(&conn->as.handle, conn_free);
    else if (result < 0)
        conn_destroy(conn);
    else
        connect_start(conn, found->ai_addr);
    uv_freeaddrinfo(found);
}

struct conn *conn_connect(struct node *node, const char *address,
                          void (*on_state)(void *context, struct conn *conn, bool up),
                          void *context)
{
    char host[SERVER_ADDRESS_MAX], service[8];
    uint16_t port;
    struct error error;
    if (server_address_parse(address, host, sizeof host, &port, &error) != OK)
        return NULL;
    snprintf(service, sizeof service, "%u", port);
    struct conn *conn = conn_create(node, true);
    conn->on_state = on_state;
    conn->context = context;
    uv_tcp_init(&node->loop, &conn->as.tcp);
    conn->as.handle.data = conn;
    conn->connecting = true;
    conn->resolving = true;
    conn->resolve.data = conn;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (uv_getaddrinfo(&node->loop, &conn->resolve, on_resolved, host, service, &hints) != 0) {
        conn->resolving = false;
        conn_close(conn);
        return NULL;
    }
    return conn;
}

/* ---- all of them
 * ---------------------------------------------------------------------------------- */

void conns_tick(struct node *node, uint64_t now_us)
{
    struct conn *next;
    for (struct conn *conn = node->conns; conn; conn = next) {
        next = conn->next;
        if (conn->connecting || grpc_conn_tick_at(conn->grpc) > now_us)
            continue;
        if (grpc_conn_tick(conn->grpc, now_us) == OK)
            on_wake(conn->grpc, conn);
        else
            conn_destroy(conn);
    }
}

void conns_shutdown(struct node *node)
{
    for (struct conn *conn = node->conns; conn; conn = conn->next) {
        if (conn->outgoing)
            continue;
        grpc_conn_shutdown(conn->grpc);
        on_wake(conn->grpc, conn);
    }
}

void conns_close_all(struct node *node)
{
    while (node->conns)
        conn_destroy(node->conns);
}
