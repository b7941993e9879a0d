/* Sockets: a TCP listener, connections coming in and going out, and gRPC between them and the rest.
 *
 * A connection writes with one uv_try_write a pump; what the socket does not take is copied and
 * left to libuv, and nothing more is asked of gRPC until it is written. So libuv never points into
 * gRPC's memory, and a connection that is given up ends its calls at once, whatever is in flight.
 *
 * A connection that is not of use is given up: one we open that takes too long, one that came in
 * and says nothing. A client that has vanished without a word is found out by TCP's keepalive, not
 * by HTTP/2's: a blocking client answers nothing while its program does something else.
 *
 * A connection that came in, is in use and has served its time lingers: this side says that it has
 * ended, and reads on until the client closes, too. A client that has not read yet that new calls
 * belong elsewhere (GOAWAY) may have begun one; were the socket closed, the kernel would answer
 * that with a reset, and the client could not know that nobody has seen its call. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/node_int.h"

enum {
    BACKLOG = 512,
    READ_SIZE = 64 * 1024,
    CONNECT_US = 3000000,      /* for a connection of ours to come about, once the name is known */
    FIRST_BYTES_US = 10000000, /* for the first bytes of one that came in */
    /* Ticks, not time: a node that was held up has not waited. */
    LINGER_TICKS = 40, /* for a client to close, too */
    QUIET_TICKS = 20,  /* who has sent nothing for so long is not in the middle of anything */
    KEEPALIVE_SECONDS = 60,
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
    uint8_t *rest; /* what `write` writes; NULL: no write in flight */
    uv_getaddrinfo_t resolve;
    bool resolving;
    bool connecting;
    bool closing;
    bool closed; /* libuv is done with the handle */
    bool outgoing;
    bool accepted;   /* from the listener */
    bool heard;      /* something was received */
    uint32_t quiet;  /* ticks since something was received */
    uint32_t linger; /* ticks left for the client to close; 0: it serves */
    uv_shutdown_t shutdown;
    uint64_t since_us; /* when it was begun or, while connecting, when the name was known */
    void (*on_state)(void *context, struct conn *conn, bool up);
    void *context;
    struct conn *next_dirty, **dirty_link; /* node->dirty; no link: not in it */
    struct conn *next, **link;             /* node->conns */
};

struct grpc_conn *conn_grpc(struct conn *conn)
{
    return conn->grpc;
}

/* Goes when libuv is done with both its handle and its name. */
static void conn_release(struct conn *conn)
{
    ASSERT(conn->closing && !conn->rest && !conn->dirty_link);
    if (conn->closed && !conn->resolving)
        mem_free(conn);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    conn->closed = true;
    conn_release(conn);
}

static void dirty_unlink(struct conn *conn)
{
    if (!conn->dirty_link)
        return;
    *conn->dirty_link = conn->next_dirty;
    if (conn->next_dirty)
        conn->next_dirty->dirty_link = conn->dirty_link;
    conn->dirty_link = NULL;
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
    ASSERT(conn->node->conn_count > 0);
    conn->node->conn_count--;
    conn->node->lingering_count -= conn->linger > 0;
    dirty_unlink(conn);
    if (conn->on_state)
        conn->on_state(conn->context, conn, false);
    grpc_conn_destroy(conn->grpc);
    conn->grpc = NULL;
    if (conn->resolving)
        uv_cancel((uv_req_t *)&conn->resolve); /* on_resolved comes in any case */
    uv_close(&conn->as.handle, on_closed);
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
    if (conn->dirty_link || conn->closing || conn->linger)
        return;
    conn->next_dirty = conn->node->dirty;
    conn->dirty_link = &conn->node->dirty;
    if (conn->next_dirty)
        conn->next_dirty->dirty_link = &conn->next_dirty;
    conn->node->dirty = conn;
    node_wake(conn->node);
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static void conn_write(struct conn *conn);

static void on_written(uv_write_t *request, int result)
{
    struct conn *conn = request->data;
    mem_free(conn->rest);
    conn->rest = NULL;
    if (conn->closing)
        return;
    if (result < 0)
        conn_destroy(conn);
    else
        conn_write(conn);
}

static void rest_write(struct conn *conn, struct slice rest)
{
    ASSERT(!conn->rest && rest.size > 0);
    conn->rest = mem_alloc(rest.size);
    memcpy(conn->rest, rest.data, rest.size);
    conn->write.data = conn;
    uv_buf_t buf = uv_buf_init((char *)conn->rest, (unsigned)rest.size);
    if (uv_write(&conn->write, &conn->as.stream, &buf, 1, on_written) != 0) {
        mem_free(conn->rest);
        conn->rest = NULL;
        conn_destroy(conn);
    }
}

static void on_shutdown(uv_shutdown_t *request, int result)
{
    (void)request;
    (void)result; /* what went wrong the reading end hears, too */
}

/* Everything is said. */
static void conn_end(struct conn *conn)
{
    if (!conn->accepted || conn->quiet >= QUIET_TICKS ||
        uv_shutdown(&conn->shutdown, &conn->as.stream, on_shutdown) != 0) {
        conn_destroy(conn);
        return;
    }
    conn->linger = LINGER_TICKS;
    conn->node->lingering_count++;
}

/* A client that comes in speaks first: HTTP/2's preface (RFC 9113, 3.4), or something else, to
 * which an answer in HTTP/2 would be noise. */
static bool waits_for_first(const struct conn *conn)
{
    return conn->accepted && !conn->heard;
}

static void conn_write(struct conn *conn)
{
    while (!conn->rest && !conn->connecting && !conn->closing && !conn->linger &&
           !waits_for_first(conn)) {
        struct slice output = grpc_conn_output(conn->grpc);
        if (output.size == 0) {
            if (grpc_conn_done(conn->grpc))
                conn_end(conn);
            return;
        }
        uv_buf_t buf = uv_buf_init((char *)(uintptr_t)output.data, (unsigned)output.size);
        int wrote = uv_try_write(&conn->as.stream, &buf, 1);
        if (wrote < 0 && wrote != UV_EAGAIN) {
            conn_destroy(conn);
            return;
        }
        size_t done = wrote > 0 ? (size_t)wrote : 0;
        grpc_conn_output_consume(conn->grpc, output.size);
        if (done < output.size)
            rest_write(conn, slice_make(output.data + done, output.size - done));
    }
}

void conns_flush(struct node *node)
{
    while (node->dirty) {
        struct conn *conn = node->dirty;
        dirty_unlink(conn);
        conn_write(conn);
    }
}

/* ---- reading ------------------------------------------------------------------------------------
 */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct node *node = ((struct conn *)handle->data)->node;
    if (!node->read_buffer)
        node->read_buffer = mem_alloc(READ_SIZE);
    *buf = uv_buf_init(node->read_buffer, READ_SIZE);
}

/* True: it is another protocol's, and has been told. */
static bool is_stranger(struct conn *conn, struct slice first)
{
    struct buffer answer = {0};
    enum stranger stranger = stranger_answer(first, &answer);
    if (stranger != STRANGER_NOT) {
        uv_buf_t buf = uv_buf_init((char *)answer.data, (unsigned)answer.size);
        int wrote = uv_try_write(&conn->as.stream, &buf, 1);
        if (stranger == STRANGER_TOLD || wrote != (int)answer.size) {
            log_debug("server", "a client of another protocol: closed");
            conn_destroy(conn);
        }
    }
    buffer_free(&answer);
    return stranger != STRANGER_NOT;
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
    if (conn->linger)
        return;
    if (waits_for_first(conn) && is_stranger(conn, slice_make(buf->base, (size_t)got)))
        return;
    conn->heard = true;
    conn->quiet = 0;
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
    conn->since_us = now_us;
    node->conn_count++;
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
    if (uv_accept(stream, &conn->as.stream) != 0 || node->conn_count > node->conn_max) {
        conn_destroy(conn);
        return;
    }
    conn->accepted = true;
    uv_tcp_nodelay(&conn->as.tcp, 1);
    uv_tcp_keepalive(&conn->as.tcp, 1, KEEPALIVE_SECONDS);
    conn_start(conn);
}

/* ---- opening ------------------------------------------------------------------------------------
 */

/* 1 to 65535, digits only; 0 for anything else. */
static uint16_t port_parse(const char *text)
{
    unsigned long number = 0;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9' || number > UINT16_MAX)
            return 0;
        number = number * 10 + (unsigned long)(*at - '0');
    }
    return number <= UINT16_MAX ? (uint16_t)number : 0;
}

status_t server_address_parse(const char *text, char *host, size_t host_size, uint16_t *port,
                              struct error *error)
{
    const char *colon = strrchr(text, ':');
    uint16_t number = colon ? port_parse(colon + 1) : 0;
    const char *first = text;
    size_t size = number ? (size_t)(colon - text) : 0;
    if (size > 1 && text[0] == '[' && colon[-1] == ']') {
        first++;
        size -= 2;
    }
    if (size == 0 || size >= host_size)
        return error_set(error, ERR_INVALID, "\"%s\" is not an address of the form host:port",
                         text);
    memcpy(host, first, size);
    host[size] = '\0';
    *port = number;
    return OK;
}

/* An address in numbers needs nobody to be asked. */
static bool address_numeric(const char *host, uint16_t port, struct sockaddr_storage *out)
{
    return uv_ip4_addr(host, port, (struct sockaddr_in *)out) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)out) == 0;
}

static status_t address_resolve(uv_loop_t *loop, const char *address, struct sockaddr_storage *out,
                                struct error *error)
{
    char host[SERVER_ADDRESS_MAX];
    uint16_t port;
    status_t status = server_address_parse(address, host, sizeof host, &port, error);
    if (status != OK || address_numeric(host, port, out))
        return status;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    uv_getaddrinfo_t request;
    int result = uv_getaddrinfo(loop, &request, NULL, host, service, &hints);
    if (result != 0)
        return error_set(error, ERR_UNREACHABLE, "could not resolve \"%s\": %s", host,
                         uv_strerror(result));
    memcpy(out, request.addrinfo->ai_addr, request.addrinfo->ai_addrlen);
    uv_freeaddrinfo(request.addrinfo);
    return OK;
}

static status_t listen_at(uv_tcp_t *tcp, const char *address, struct error *error)
{
    struct sockaddr_storage where = {0};
    status_t status = address_resolve(tcp->loop, address, &where, error);
    if (status != OK)
        return status;
    int result = uv_tcp_bind(tcp, (struct sockaddr *)&where, 0);
    if (result == 0)
        result = uv_listen((uv_stream_t *)tcp, BACKLOG, on_connection);
    if (result != 0)
        return error_set(error, ERR_UNREACHABLE, "could not listen on %s: %s", address,
                         uv_strerror(result));
    return OK;
}

status_t listener_open(struct node *node, const char *address, struct error *error)
{
    ASSERT(!node->listener);
    struct listener *listener = mem_zalloc(1, sizeof *listener);
    listener->node = node;
    uv_tcp_init(&node->loop, &listener->tcp);
    listener->tcp.data = listener;
    node->listener = listener;
    return listen_at(&listener->tcp, address, error);
}

status_t listener_try(const char *address, struct error *error)
{
    uv_loop_t loop;
    uv_tcp_t tcp;
    int result = uv_loop_init(&loop);
    ASSERT(result == 0);
    uv_tcp_init(&loop, &tcp);
    status_t status = listen_at(&tcp, address, error);
    uv_close((uv_handle_t *)&tcp, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    result = uv_loop_close(&loop);
    ASSERT(result == 0);
    return status;
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
        close(fd);
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
    conn->since_us = env_monotonic_us(conn->node->env);
    if (uv_tcp_connect(&conn->connect, &conn->as.tcp, where, on_connected) != 0)
        conn_destroy(conn);
}

static void on_resolved(uv_getaddrinfo_t *request, int result, struct addrinfo *found)
{
    struct conn *conn = request->data;
    conn->resolving = false;
    if (conn->closing)
        conn_release(conn);
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
    if (server_address_parse(address, host, sizeof host, &port, &error) != OK) {
        log_warn("server", "%s", error.message);
        return NULL;
    }
    snprintf(service, sizeof service, "%u", port);
    struct conn *conn = conn_create(node, true);
    uv_tcp_init(&node->loop, &conn->as.tcp);
    conn->as.handle.data = conn;
    conn->connecting = true;
    struct sockaddr_storage where = {0};
    if (address_numeric(host, port, &where)) {
        connect_start(conn, (struct sockaddr *)&where);
        if (conn->closing)
            return NULL;
        conn->on_state = on_state;
        conn->context = context;
        return conn;
    }
    conn->resolving = true;
    conn->resolve.data = conn;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (uv_getaddrinfo(&node->loop, &conn->resolve, on_resolved, host, service, &hints) != 0) {
        conn->resolving = false;
        conn_close(conn);
        return NULL;
    }
    conn->on_state = on_state;
    conn->context = context;
    return conn;
}

/* ---- all of them
 * ---------------------------------------------------------------------------------- */

/* Has it had its time without becoming of use, or after? */
static bool conn_is_late(const struct conn *conn, uint64_t now_us)
{
    if (conn->linger)
        return conn->linger == 1;
    if (conn->outgoing)
        return conn->connecting && !conn->resolving && now_us >= conn->since_us + CONNECT_US;
    return !conn->heard && now_us >= conn->since_us + FIRST_BYTES_US;
}

void conns_tick(struct node *node, uint64_t now_us)
{
    struct conn *next;
    for (struct conn *conn = node->conns; conn; conn = next) {
        next = conn->next;
        if (conn_is_late(conn, now_us)) {
            conn_destroy(conn);
            continue;
        }
        conn->quiet++;
        conn->linger -= conn->linger > 0;
        if (conn->linger || conn->connecting || grpc_conn_tick_at(conn->grpc) > now_us)
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
        if (conn->outgoing || conn->linger)
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
