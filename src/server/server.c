#include "server/server.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "server/node_int.h"

/* ---- configuration ------------------------------------------------------------------------------
 */

/* An address that was read already; names of hosts know no case. */
static bool address_is(const char *address, const char *host, uint16_t port)
{
    char other_host[SERVER_ADDRESS_MAX];
    uint16_t other_port;
    struct error ignored;
    status_t status =
        server_address_parse(address, other_host, sizeof other_host, &other_port, &ignored);
    ASSERT(status == OK);
    return port == other_port && strcasecmp(host, other_host) == 0;
}

static status_t peer_parse(const char *text, size_t size, struct server_config *config,
                           struct error *error)
{
    char item[SERVER_ADDRESS_MAX + 24];
    if (size >= sizeof item)
        return error_set(error, ERR_INVALID, "a peer's address is too long");
    memcpy(item, text, size);
    item[size] = '\0';
    char *end;
    unsigned long long id = strtoull(item, &end, 10);
    if (end == item || *end != '=' || id == 0 || id > UINT32_MAX)
        return error_set(error, ERR_INVALID, "\"%s\" is not a peer of the form id=host:port", item);
    char host[SERVER_ADDRESS_MAX];
    uint16_t port;
    status_t status = server_address_parse(end + 1, host, sizeof host, &port, error);
    if (status != OK)
        return status;
    for (uint32_t i = 0; i < config->peer_count; i++) {
        if (config->peers[i].id == id)
            return error_set(error, ERR_INVALID, "node %llu is named twice among the peers", id);
        if (address_is(config->peers[i].address, host, port))
            return error_set(error, ERR_INVALID,
                             "nodes %" PRIu64 " and %llu have the same address, %s",
                             config->peers[i].id, id, end + 1);
    }
    if (config->peer_count == SERVER_NODES_MAX)
        return error_set(error, ERR_INVALID, "more than %d peers", SERVER_NODES_MAX);
    struct server_peer *peer = &config->peers[config->peer_count];
    peer->id = id;
    int length = snprintf(peer->address, sizeof peer->address, "%s", end + 1);
    if (length >= (int)sizeof peer->address)
        return error_set(error, ERR_INVALID, "a peer's address is too long");
    config->peer_count++;
    return OK;
}

status_t server_peers_parse(const char *text, struct server_config *config, struct error *error)
{
    config->peer_count = 0;
    while (*text) {
        size_t size = strcspn(text, ",");
        status_t status = peer_parse(text, size, config, error);
        if (status != OK)
            return status;
        text += size;
        if (*text == ',')
            text++;
    }
    return OK;
}

static status_t config_check(const struct server_config *config, struct error *error)
{
    if (config->id == 0 || config->id > UINT32_MAX)
        return error_set(error, ERR_INVALID, "node id must be between 1 and %u", UINT32_MAX);
    if (config->data_dir[0] == '\0')
        return error_set(error, ERR_INVALID, "no data directory given");
    if (*config->join && config->peer_count)
        return error_set(error, ERR_INVALID,
                         "a node joins a cluster or begins one with its peers, "
                         "not both");
    bool named = config->peer_count == 0;
    for (uint32_t i = 0; i < config->peer_count; i++)
        named = named || config->peers[i].id == config->id;
    if (!named)
        return error_set(error, ERR_INVALID, "node %" PRIu64 " is not among the peers", config->id);
    return OK;
}

/* ---- toydb start --------------------------------------------------------------------------------
 */

static void sink_stderr(void *context, enum log_level level, const char *line)
{
    (void)level;
    struct env *env = context;
    uint64_t now_us = env_wall_us(env);
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm when;
    gmtime_r(&seconds, &when);
    char stamp[32];
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &when);
    fprintf(stderr, "%s.%06uZ %s\n", stamp, (unsigned)(now_us % 1000000), line);
}

static void on_signal(uv_signal_t *signal, int number)
{
    log_info("server", "stopping on signal %d", number);
    node_stop(signal->data);
}

/* As many connections as the system grants. */
static void files_limit_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("server", "could not raise the limit of open files");
}

/* Of a directory that knows its cluster: who is a member is its to say, and whoever gave other
 * peers should know. Where the others are, though, the peers say as well as it does (peer.c); and
 * where this one is, which it tells the cluster (node_admin.c). */
static void peers_compare(const struct server_config *config, struct node *node)
{
    struct replica_members members;
    replica_members(node->replica, &members);
    uint32_t named = 0, moved = 0;
    for (uint32_t i = 0; i < config->peer_count; i++) {
        const struct replica_member *member = node_member(&members, config->peers[i].id);
        named += member != NULL;
        moved += member && member->id != config->id &&
                 strcmp(member->address, config->peers[i].address) != 0;
    }
    bool same = named == config->peer_count && named == members.count;
    if (config->peer_count == 0 || (same && !moved))
        return;
    struct buffer text = {0};
    for (uint32_t i = 0; i < members.count; i++)
        buffer_printf(&text, "%s%" PRIu64 "=%s", i ? "," : "", members.items[i].id,
                      members.items[i].address);
    if (!same)
        log_warn("server",
                 "--peers names other nodes than the members, which it can do at the first start "
                 "only: the data directory knows the cluster as %.*s",
                 (int)text.size, (const char *)text.data);
    if (moved)
        log_info("server",
                 "--peers has other addresses for %" PRIu32 " of the other nodes, which are tried "
                 "as well: the data directory knows the cluster as %.*s",
                 moved, (int)text.size, (const char *)text.data);
    buffer_free(&text);
}

/* A directory that knows no address of the node cannot tell where to listen: then it is where the
 * others are told. */
static void first_start(const struct server_config *config, const struct replica_identity *identity,
                        struct server_config *complete)
{
    complete->first = !identity->placed && *config->listen;
    if (complete->first && config->listen_known && *config->advertise)
        memcpy(complete->listen, config->advertise, sizeof complete->listen);
}

/* Nobody was told of the directory, and nothing is in it. */
static void forget(const struct server_config *config)
{
    struct error error;
    if (replica_identity_forget(env_real(), config->data_dir, &error) != OK)
        log_warn("server", "could not clear the data directory: %s", error.message);
}

static status_t create(const struct server_config *config, struct node **out, struct error *error)
{
    struct server_config complete = *config;
    struct server_joined joined;
    struct replica_identity identity;
    status_t status = replica_identity(env_real(), config->data_dir, config->id, &identity, error);
    if (status != OK)
        return status;
    first_start(config, &identity, &complete);
    if (complete.first && *config->join) /* before the cluster takes it in */
        status = listener_try(complete.listen, error);
    bool asked = status == OK && *config->join;
    if (asked)
        status = join_ask(&complete, &identity, &joined, error);
    complete.joined = asked ? &joined : NULL;
    if (status == OK)
        status = node_create(&complete, out, error);
    if (status != OK && identity.fresh && !asked)
        forget(config);
    if (status != OK || *config->join)
        return status;
    if (identity.placed)
        peers_compare(config, *out);
    else if (config->peer_count == 0)
        log_warn("server",
                 "\"%s\" held no data: node %" PRIu64 " begins a new cluster of its own there. To "
                 "belong to another, it starts with an empty directory and --join or --peers",
                 config->data_dir, config->id);
    return OK;
}

status_t server_run(const struct server_config *config, struct error *error)
{
    status_t status = config_check(config, error);
    if (status != OK)
        return status;
    log_configure(config->log_level, sink_stderr, env_real());
    signal(SIGPIPE, SIG_IGN);
    files_limit_raise();
    struct node *node;
    status = create(config, &node, error);
    if (status != OK)
        return status;
    static const int numbers[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&node->loop, &node->signals[i]);
        node->signals[i].data = node;
        uv_signal_start(&node->signals[i], on_signal, numbers[i]);
    }
    log_info("server", "node %" PRIu64 " listens on %s, data in %s", config->id,
             node->config.listen, config->data_dir);
    status = node_run(node, error);
    node_destroy(node);
    log_info("server", "node %" PRIu64 " stopped", config->id);
    return status;
}

status_t server_recover(const char *dir, uint64_t id, const char *address, struct error *error)
{
    char host[SERVER_ADDRESS_MAX];
    uint16_t port;
    if (id == 0 || id > UINT32_MAX)
        return error_set(error, ERR_INVALID, "node id must be between 1 and %u", UINT32_MAX);
    if (strlen(address) >= REPLICA_ADDRESS_MAX)
        return error_set(error, ERR_INVALID, "address is too long");
    status_t status = server_address_parse(address, host, sizeof host, &port, error);
    return status == OK ? replica_recover(env_real(), dir, id, address, error) : status;
}

/* ---- embedded
 * ------------------------------------------------------------------------------------- */

struct embedded {
    struct node *node;
    struct env_thread *thread;
    uv_async_t async; /* wakes the loop for what is asked below */
    struct env_mutex *mutex;
    int adopt[64]; /* sockets waiting to be taken by the loop */
    uint32_t adopt_count;
    bool stop;
    bool ended; /* the loop runs no more */
};

static void on_embedded_async(uv_async_t *async)
{
    struct embedded *embedded = async->data;
    env_mutex_lock(embedded->mutex);
    uint32_t count = embedded->adopt_count;
    embedded->adopt_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct error error;
        if (conn_adopt(embedded->node, embedded->adopt[i], &error) != OK)
            log_warn("server", "%s", error.message);
    }
    bool stop = embedded->stop;
    env_mutex_unlock(embedded->mutex);
    if (stop) {
        uv_close((uv_handle_t *)&embedded->async, NULL);
        node_stop(embedded->node);
    }
}

static void embedded_thread(void *argument)
{
    struct embedded *embedded = argument;
    struct error error;
    if (node_run(embedded->node, &error) != OK)
        log_error("server", "%s", error.message);
    env_mutex_lock(embedded->mutex);
    embedded->ended = true;
    while (embedded->adopt_count)
        close(embedded->adopt[--embedded->adopt_count]); /* who waits there is told so */
    env_mutex_unlock(embedded->mutex);
}

status_t embedded_open(const char *dir, enum kv_engine engine, struct embedded **out,
                       struct error *error)
{
    struct server_config config = {.id = 1, .tick_ms = 10, .election_ticks = 4, .engine = engine};
    if (snprintf(config.data_dir, sizeof config.data_dir, "%s", dir) >= (int)sizeof config.data_dir)
        return error_set(error, ERR_INVALID, "path of the data directory is too long");
    signal(SIGPIPE, SIG_IGN);
    struct embedded *embedded = mem_zalloc(1, sizeof *embedded);
    status_t status = node_create(&config, &embedded->node, error);
    if (status != OK) {
        mem_free(embedded);
        return status;
    }
    embedded->mutex = env_mutex_create();
    uv_async_init(&embedded->node->loop, &embedded->async, on_embedded_async);
    embedded->async.data = embedded;
    embedded->thread = env_thread_start("toydb", embedded_thread, embedded);
    *out = embedded;
    return OK;
}

status_t embedded_connect(struct embedded *embedded, int *fd, struct error *error)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return error_set(error, ERR_IO, "could not create a socket pair");
    env_mutex_lock(embedded->mutex);
    bool ended = embedded->ended;
    bool room = !ended && embedded->adopt_count < sizeof embedded->adopt / sizeof *embedded->adopt;
    if (room)
        embedded->adopt[embedded->adopt_count++] = pair[0];
    env_mutex_unlock(embedded->mutex);
    if (!room) {
        close(pair[0]);
        close(pair[1]);
        return ended ? error_set(error, ERR_SHUTDOWN, "node has stopped")
                     : error_set(error, ERR_BUSY, "too many connections at once");
    }
    uv_async_send(&embedded->async);
    *fd = pair[1];
    return OK;
}

void embedded_close(struct embedded *embedded)
{
    if (!embedded)
        return;
    env_mutex_lock(embedded->mutex);
    embedded->stop = true;
    env_mutex_unlock(embedded->mutex);
    uv_async_send(&embedded->async);
    env_thread_join(embedded->thread);
    node_destroy(embedded->node);
    env_mutex_destroy(embedded->mutex);
    mem_free(embedded);
}
