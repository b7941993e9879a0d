/* One TCP connection with gRPC on it: the only place of the client that touches sockets, and the
 * only one that waits. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "client/client_int.h"

uint64_t client__now_us(void)
{
    return env_monotonic_us(env_real());
}

/* For poll: rounded up, so that the time has come when it returns. */
static int timeout_ms(uint64_t now_us, uint64_t until_us)
{
    if (until_us == UINT64_MAX)
        return -1;
    if (until_us <= now_us)
        return 0;
    uint64_t ms = (until_us - now_us + 999) / 1000;
    return ms > 3600000 ? 3600000 : (int)ms;
}

/* ---- cancelling ----------------------------------------------------------------------------- */

int client__cancel_create(void)
{
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

void client__cancel_fire(int fd)
{
    int saved = errno; /* a signal handler must not change it */
    uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof one);
    MAYBE(written == sizeof one); /* else it was fired 2^64 - 2 times already */
    errno = saved;
}

void client__cancel_clear(int fd)
{
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    MAYBE(got == sizeof count); /* or nothing was fired */
}

void client__cancel_destroy(int fd)
{
    close(fd);
}

bool client__pause(int cancel_fd, uint64_t us)
{
    uint64_t until_us = client__now_us() + us;
    struct pollfd fds = {.fd = cancel_fd, .events = POLLIN};
    for (;;) {
        uint64_t now_us = client__now_us();
        if (now_us >= until_us)
            return true;
        if (poll(&fds, 1, timeout_ms(now_us, until_us)) > 0)
            return false;
    }
}

/* ---- connecting ----------------------------------------------------------------------------- */

/* A connected non-blocking socket, or -1 with errno. */
static int socket_connect(const struct addrinfo *info, uint64_t until_us)
{
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    info->ai_protocol);
    if (fd < 0)
        return -1;
    int result = connect(fd, info->ai_addr, info->ai_addrlen) == 0 ? 0 : errno;
    while (result == EINPROGRESS || result == EINTR) {
        struct pollfd fds = {.fd = fd, .events = POLLOUT};
        uint64_t now_us = client__now_us();
        int count = poll(&fds, 1, timeout_ms(now_us, until_us));
        if (count > 0) {
            socklen_t size = sizeof result;
            if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size) != 0)
                result = errno;
        } else if (client__now_us() >= until_us) {
            result = ETIMEDOUT;
        }
    }
    if (result == 0) {
        int on = 1;
        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0)
            return fd;
        result = errno;
    }
    close(fd);
    errno = result;
    return -1;
}

static status_t connect_any(const struct client__address *address, uint64_t until_us, int *fd,
                            struct toydb_error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int result = getaddrinfo(address->host, address->port, &hints, &list);
    if (result != 0) {
        client__error_set(error, TOYDB_UNREACHABLE, "08001", "could not connect to %s: %s",
                          address->text, gai_strerror(result));
        return ERR_UNREACHABLE;
    }
    *fd = -1;
    for (struct addrinfo *info = list; info && *fd < 0; info = info->ai_next)
        *fd = socket_connect(info, until_us);
    if (*fd < 0)
        client__error_set(error, TOYDB_UNREACHABLE, "08001", "could not connect to %s: %s",
                          address->text, strerror(errno));
    freeaddrinfo(list);
    return *fd < 0 ? ERR_UNREACHABLE : OK;
}

/* Begins gRPC on the socket, and waits for the peer to speak it too. Failing, closes it. */
static status_t connection_begin(struct client__connection *connection, const char *name,
                                 const struct toydb_options *options, uint64_t until_us,
                                 struct toydb_error *error)
{
    ASSERT(connection->fd >= 0 && !connection->conn);
    struct grpc_config config = {.message_size_max = CLIENT__MESSAGE_MAX,
                                 .receive_memory_max = CLIENT__MESSAGE_MAX + (1 << 20),
                                 .stream_window = 1 << 20,
                                 .keepalive_us = (uint64_t)options->keepalive_ms * 1000,
                                 .authority = name};
    connection->conn = grpc_conn_create_client(&config, client__now_us());
    connection->answered = false;
    while (!connection->answered) {
        enum client__wait wait = client__connection_wait(connection, -1, until_us);
        if (wait == CLIENT__WAIT_LOST || wait == CLIENT__WAIT_TIMEOUT) {
            client__error_set(error, TOYDB_UNREACHABLE, "08001", "could not connect to %s: %s",
                              name, wait == CLIENT__WAIT_LOST ? "no gRPC there" : "no answer");
            client__connection_close(connection);
            return ERR_UNREACHABLE;
        }
    }
    return OK;
}

static uint64_t connect_until(const struct toydb_options *options)
{
    return client__now_us() + (uint64_t)options->connect_timeout_ms * 1000;
}

status_t client__connection_open(struct client__connection *connection,
                                 const struct client__address *address,
                                 const struct toydb_options *options, struct toydb_error *error)
{
    ASSERT(connection->fd < 0 && !connection->conn);
    uint64_t until_us = connect_until(options);
    status_t status = connect_any(address, until_us, &connection->fd, error);
    return status == OK ? connection_begin(connection, address->text, options, until_us, error)
                        : status;
}

status_t client__connection_adopt(struct client__connection *connection, int fd, const char *name,
                                  const struct toydb_options *options, struct toydb_error *error)
{
    ASSERT(connection->fd < 0 && fd >= 0);
    connection->fd = fd;
    return connection_begin(connection, name, options, connect_until(options), error);
}

void client__connection_close(struct client__connection *connection)
{
    grpc_conn_destroy(connection->conn);
    connection->conn = NULL;
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
}

/* ---- moving bytes --------------------------------------------------------------------------- */

/* ERR_BUSY: the socket is full at present. */
static status_t connection_write(struct client__connection *connection)
{
    for (;;) {
        struct slice out = grpc_conn_output(connection->conn);
        if (out.size == 0)
            return OK;
        ssize_t count = send(connection->fd, out.data, out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0)
            grpc_conn_output_consume(connection->conn, (size_t)count);
        else if (errno == EAGAIN)
            return ERR_BUSY;
        else if (errno != EINTR)
            return ERR_UNREACHABLE;
    }
}

static status_t connection_read(struct client__connection *connection)
{
    uint8_t bytes[64 << 10];
    ssize_t count = recv(connection->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count == 0)
        return ERR_UNREACHABLE;
    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? OK : ERR_UNREACHABLE;
    status_t status =
        grpc_conn_receive(connection->conn, slice_make(bytes, (size_t)count), client__now_us());
    if (status == OK)
        connection->answered = true;
    return status;
}

/* Deadlines and keepalive. What has arrived is read first: whoever was held up until now would
 * miss an answer that came in time. */
static status_t connection_tick(struct client__connection *connection, uint64_t now_us)
{
    struct pollfd fds = {.fd = connection->fd, .events = POLLIN};
    bool due = now_us >= grpc_conn_tick_at(connection->conn);
    if (due && poll(&fds, 1, 0) > 0 && connection_read(connection) != OK)
        return ERR_UNREACHABLE;
    return grpc_conn_tick(connection->conn, now_us);
}

enum client__wait client__connection_wait(struct client__connection *connection, int cancel_fd,
                                          uint64_t until_us)
{
    ASSERT(connection->fd >= 0 && connection->conn);
    uint64_t now_us = client__now_us();
    if (connection_tick(connection, now_us) != OK)
        return CLIENT__WAIT_LOST;
    status_t status = connection_write(connection);
    if (status == ERR_UNREACHABLE || grpc_conn_done(connection->conn))
        return CLIENT__WAIT_LOST;

    struct pollfd fds[] = {
        {.fd = connection->fd, .events = (short)(POLLIN | (status == ERR_BUSY ? POLLOUT : 0))},
        {.fd = cancel_fd, .events = POLLIN},
    };
    uint64_t tick_us = grpc_conn_tick_at(connection->conn);
    int count = poll(fds, 2, timeout_ms(now_us, until_us < tick_us ? until_us : tick_us));
    if (count < 0)
        return errno == EINTR ? CLIENT__WAIT_MOVED : CLIENT__WAIT_LOST;
    if (fds[1].revents) {
        client__cancel_clear(cancel_fd);
        return CLIENT__WAIT_CANCEL;
    }
    if (fds[0].revents & ~POLLOUT)
        return connection_read(connection) == OK ? CLIENT__WAIT_MOVED : CLIENT__WAIT_LOST;
    return count == 0 && client__now_us() >= until_us ? CLIENT__WAIT_TIMEOUT : CLIENT__WAIT_MOVED;
}

enum client__wait client__connection_poll(struct client__connection *connection)
{
    return client__connection_wait(connection, -1, 0);
}
