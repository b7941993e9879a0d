/* `toydb cluster`: starts the nodes of a local cluster as processes of their own and stops them
 * when it is stopped itself. */

#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/check.h"
#include "base/mem.h"
#include "env/env.h"
#include "replica/replica.h"
#include "server/server.h"
#include "toydb/toydb.h"

enum {
    POLL_MS = 100,
    LEADER_WAIT_MS = 60000,
    STOP_WAIT_MS = 20000, /* more than nodes take to drain */
    PEERS_TEXT_MAX = SERVER_NODES_MAX * 40,
    PORT_STEP = 10,   /* from one base port that is tried to the next, */
    PORT_END = 32000, /* below those that the system gives to connections */
};

struct member {
    struct cluster *cluster;
    uint32_t id;
    uv_process_t process;
    bool started;
    bool running;
    bool removed; /* from the cluster, with `toydb node remove`: it does not run, and need not */
};

struct cluster {
    const struct cluster_config *config;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t signals[2];
    struct member members[SERVER_NODES_MAX];
    uint16_t base_port;
    int held[2 * SERVER_NODES_MAX]; /* sockets that keep the nodes' ports until these listen */
    uint32_t held_count;
    char peers[PEERS_TEXT_MAX];
    uint64_t waited_ms;
    bool has_leader;
    bool stopping;
    status_t status;
    struct error error;
};

static void cluster_stop(struct cluster *cluster);

/* ---- ports ------------------------------------------------------------------------------------
 */

static void ports_release(struct cluster *cluster)
{
    while (cluster->held_count)
        close(cluster->held[--cluster->held_count]);
}

/* Binds a socket of this type to the port, and keeps it; whether it could. */
static bool port_bind(struct cluster *cluster, uint16_t port, int type, int share)
{
    ASSERT(cluster->held_count < sizeof cluster->held / sizeof cluster->held[0]);
    struct sockaddr_in where = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &share, sizeof share) == 0 &&
        bind(fd, (struct sockaddr *)&where, sizeof where) == 0) {
        cluster->held[cluster->held_count++] = fd;
        return true;
    }
    close(fd);
    return false;
}

/* A port found free and let go again may be somebody else's by the time a node listens on it, so
 * it is bound here until then. The TCP socket has to share: a node, which asks for sharing too
 * (libuv), is to listen beside it, and without sharing the connections of the cluster that ended a
 * moment ago (TIME_WAIT) would count as somebody who has the port. A socket that listens does not
 * share; but another supervisor that looks for ports at the same moment does, and it is the UDP
 * socket of the same number, which shares with nobody and never lingers, that keeps it away. */
static bool port_hold(struct cluster *cluster, uint16_t port)
{
    return port_bind(cluster, port, SOCK_DGRAM, 0) && port_bind(cluster, port, SOCK_STREAM, 1);
}

static status_t ports_find(struct cluster *cluster, struct error *error)
{
    uint32_t nodes = cluster->config->nodes;
    for (uint32_t base = SERVER_PORT_DEFAULT; base + nodes <= PORT_END; base += PORT_STEP) {
        cluster->base_port = (uint16_t)base;
        uint32_t held = 0;
        while (held < nodes && port_hold(cluster, (uint16_t)(base + held)))
            held++;
        if (held == nodes)
            return OK;
        ports_release(cluster);
    }
    return error_set(error, ERR_UNREACHABLE, "no %u free ports in a row were found", nodes);
}

/* Whoever types the commands of the manual next would not reach this cluster. */
static void ports_explain(const struct cluster *cluster)
{
    uint32_t more = cluster->config->nodes - 1, first = 0;
    ASSERT(more < SERVER_NODES_MAX);
    while (first < more && cluster->members[first].removed)
        first++;
    fprintf(stderr,
            "toydb: ports %u to %u are in use; this cluster is at %u to %u: "
            "toysql -H localhost:%u\n",
            SERVER_PORT_DEFAULT, SERVER_PORT_DEFAULT + more, cluster->base_port,
            cluster->base_port + more, cluster->base_port + first);
}

/* ---- nodes ------------------------------------------------------------------------------------
 */

static void log_path(const struct cluster *cluster, uint32_t id, char *out, size_t size)
{
    snprintf(out, size, "%s/node%u.log", cluster->config->dir, id);
}

static void data_path(const struct cluster *cluster, uint32_t id, char *out, size_t size)
{
    snprintf(out, size, "%s/node%u", cluster->config->dir, id);
}

/* Why a node ended stands at the end of its log: what `toydb start` said, which may be several
 * lines, or else the last line. */
static void log_last_words(const char *path, char *out, size_t size)
{
    static const char mark[] = "toydb start: ";
    out[0] = '\0';
    struct env_file *file;
    if (env_file_open(env_real(), path, ENV_OPEN_READ_ONLY, &file, NULL) != OK)
        return;
    uint64_t end = 0;
    char tail[4096];
    size_t got = 0;
    if (env_file_size(file, &end, NULL) == OK) {
        uint64_t from = end > sizeof tail - 1 ? end - (sizeof tail - 1) : 0;
        if (env_file_read(file, from, tail, sizeof tail - 1, &got, NULL) != OK)
            got = 0;
    }
    env_file_close(file);
    while (got && tail[got - 1] == '\n')
        got--;
    tail[got] = '\0';
    const char *words = strrchr(tail, '\n');
    words = words ? words + 1 : tail;
    for (const char *at = tail; (at = strstr(at, mark)) != NULL; at++)
        if (at == tail || at[-1] == '\n')
            words = at + sizeof mark - 1;
    snprintf(out, size, "%s", words);
}

/* Notes it, and says so; what became of its process is `so`. */
static bool member_removed(struct member *member, const char *so)
{
    char data[512];
    data_path(member->cluster, member->id, data, sizeof data);
    member->removed = replica_identity_removed(env_real(), data);
    if (member->removed)
        fprintf(stderr,
                "toydb: node %u was removed from the cluster and %s; its data is kept in %s\n",
                member->id, so, data);
    return member->removed;
}

static void exit_explain(const struct member *member, int64_t exit_status, int signal_number)
{
    const struct cluster *cluster = member->cluster;
    char path[512], words[4096];
    log_path(cluster, member->id, path, sizeof path);
    log_last_words(path, words, sizeof words);
    if (signal_number)
        fprintf(stderr,
                "toydb: node %u was ended by signal %d; start it again with\n"
                "  %s start --id %u --data %s/node%u --listen 127.0.0.1:%u --peers %s\n",
                member->id, signal_number, cluster->config->program, member->id,
                cluster->config->dir, member->id, cluster->base_port + member->id - 1,
                cluster->peers);
    else
        fprintf(stderr, "toydb: node %u ended with exit code %" PRId64 ": %s\n", member->id,
                exit_status, words);
}

static void on_exit_of(uv_process_t *process, int64_t exit_status, int signal_number)
{
    struct member *member = process->data;
    struct cluster *cluster = member->cluster;
    member->running = false;
    uv_close((uv_handle_t *)process, NULL);
    bool any = false;
    for (uint32_t i = 0; i < cluster->config->nodes; i++)
        any = any || cluster->members[i].running;
    if (!cluster->stopping) {
        bool removed = !signal_number && member_removed(member, "has stopped");
        if (!removed)
            exit_explain(member, exit_status, signal_number);
        if ((!cluster->has_leader && !removed) || !any) {
            char path[512];
            log_path(cluster, member->id, path, sizeof path);
            cluster->status =
                error_set(&cluster->error, ERR_UNREACHABLE,
                          cluster->has_leader || removed ? "no node is left"
                                                         : "could not start node %u; see %s",
                          member->id, path);
            cluster_stop(cluster);
        }
    }
    if (!any) {
        uv_timer_stop(&cluster->timer);
        uv_stop(&cluster->loop);
    }
}

static status_t member_start(struct cluster *cluster, uint32_t id, struct error *error)
{
    const struct cluster_config *config = cluster->config;
    struct member *member = &cluster->members[id - 1];
    char id_text[16], data[512], listen[64], path[512];
    member->cluster = cluster;
    member->id = id;
    if (member_removed(member, "is not started"))
        return OK;
    snprintf(id_text, sizeof id_text, "%u", id);
    data_path(cluster, id, data, sizeof data);
    snprintf(listen, sizeof listen, "127.0.0.1:%u", cluster->base_port + id - 1);
    log_path(cluster, id, path, sizeof path);
    uv_fs_t request;
    int log = uv_fs_open(&cluster->loop, &request, path,
                         UV_FS_O_CREAT | UV_FS_O_WRONLY | UV_FS_O_APPEND, 0644, NULL);
    uv_fs_req_cleanup(&request);
    if (log < 0)
        return error_set(error, ERR_IO, "could not open \"%s\": %s", path, uv_strerror(log));
    /* Without one the arguments end there. */
    const char *engine = config->engine != KV_ENGINE_ANY ? "--engine" : NULL;
    const char *engine_name = kv_engine_name(config->engine);
    const char *args[] = {
        config->program, "start",   "--id",         id_text, "--data",    data, "--listen",
        listen,          "--peers", cluster->peers, engine,  engine_name, NULL};
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE},
                                     {.flags = UV_INHERIT_FD, .data.fd = log},
                                     {.flags = UV_INHERIT_FD, .data.fd = log}};
    /* Its own process group, so that Ctrl-C in the terminal reaches the supervisor only. */
    uv_process_options_t options = {.file = config->program,
                                    .args = (char **)(uintptr_t)args,
                                    .exit_cb = on_exit_of,
                                    .stdio = stdio,
                                    .stdio_count = 3,
                                    .flags = UV_PROCESS_DETACHED};
    member->process.data = member;
    int result = uv_spawn(&cluster->loop, &member->process, &options);
    uv_fs_close(&cluster->loop, &request, log, NULL);
    uv_fs_req_cleanup(&request);
    member->started = true;
    if (result != 0)
        return error_set(error, ERR_IO, "could not start %s: %s", config->program,
                         uv_strerror(result));
    member->running = true;
    if (!config->quiet)
        printf("node %u: %s  pid %d  data %s\n", id, listen, member->process.pid, data);
    return OK;
}

static void on_stop_late(uv_timer_t *timer)
{
    struct cluster *cluster = timer->data;
    for (uint32_t i = 0; i < cluster->config->nodes; i++)
        if (cluster->members[i].running)
            uv_process_kill(&cluster->members[i].process, SIGKILL);
}

static void cluster_stop(struct cluster *cluster)
{
    if (cluster->stopping)
        return;
    cluster->stopping = true;
    bool any = false;
    for (uint32_t i = 0; i < cluster->config->nodes; i++) {
        if (!cluster->members[i].running)
            continue;
        any = true;
        uv_process_kill(&cluster->members[i].process, SIGTERM);
    }
    uv_timer_start(&cluster->timer, on_stop_late, STOP_WAIT_MS, 0);
    if (!any)
        uv_stop(&cluster->loop);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    cluster_stop(signal->data);
}

/* The leader as node `id` knows it; 0 for none. */
static uint32_t leader_ask(const struct cluster *cluster, uint32_t id)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", cluster->base_port + id - 1);
    struct toydb_options options = {.connect_timeout_ms = 500, .keepalive_ms = 500};
    struct toydb_session *session = toydb_session_open(address, &options, NULL);
    struct toydb_status *status = NULL;
    uint32_t leader = 0;
    if (session && toydb_status(session, &status, NULL) == TOYDB_OK) {
        leader = status->leader;
        toydb_status_free(status);
    }
    toydb_session_close(session);
    return leader;
}

static void on_poll(uv_timer_t *timer)
{
    struct cluster *cluster = timer->data;
    cluster->waited_ms += POLL_MS;
    uint32_t leader = 0, first = 0;
    for (uint32_t i = 0; i < cluster->config->nodes; i++) {
        if (cluster->members[i].removed)
            continue;
        if (!cluster->members[i].running)
            return;
        leader = leader_ask(cluster, i + 1);
        if (leader == 0)
            break;
        first = first ? first : i + 1;
    }
    if (leader) {
        cluster->has_leader = true;
        ports_release(cluster); /* each node has answered at its own */
        uv_timer_stop(timer);
        if (!cluster->config->quiet)
            printf("ready: node %u leads. Connect with: toysql -H 127.0.0.1:%u\n", leader,
                   cluster->base_port + first - 1);
        fflush(stdout);
    } else if (cluster->waited_ms >= LEADER_WAIT_MS) {
        cluster->status =
            error_set(&cluster->error, ERR_NO_QUORUM,
                      "the nodes elected no leader; see their logs in %s", cluster->config->dir);
        cluster_stop(cluster);
    }
}

static void close_handle(uv_handle_t *handle, void *argument)
{
    (void)argument;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static status_t config_check(const struct cluster_config *config, struct error *error)
{
    if (config->nodes < 1 || config->nodes > SERVER_NODES_MAX)
        return error_set(error, ERR_INVALID, "a cluster has 1 to %d nodes", SERVER_NODES_MAX);
    if (config->base_port + config->nodes - 1 > UINT16_MAX)
        return error_set(error, ERR_INVALID, "base port is out of range");
    return env_dir_create(env_real(), config->dir, error);
}

static void peers_text(struct cluster *cluster)
{
    size_t used = 0;
    for (uint32_t i = 0; i < cluster->config->nodes; i++)
        used += (size_t)snprintf(cluster->peers + used, sizeof cluster->peers - used,
                                 "%s%u=127.0.0.1:%u", i ? "," : "", i + 1, cluster->base_port + i);
    ASSERT(used < sizeof cluster->peers);
}

static void cluster_loop_open(struct cluster *cluster)
{
    int result = uv_loop_init(&cluster->loop);
    ASSERT(result == 0);
    uv_timer_init(&cluster->loop, &cluster->timer);
    cluster->timer.data = cluster;
    static const int numbers[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&cluster->loop, &cluster->signals[i]);
        cluster->signals[i].data = cluster;
        uv_signal_start(&cluster->signals[i], on_signal, numbers[i]);
    }
}

status_t cluster_run(const struct cluster_config *config, struct error *error)
{
    status_t status = config_check(config, error);
    if (status != OK)
        return status;
    struct cluster *cluster = mem_zalloc(1, sizeof *cluster);
    cluster->config = config;
    cluster->base_port = config->base_port;
    if (config->base_port == 0)
        status = ports_find(cluster, error);
    if (status != OK) {
        mem_free(cluster);
        return status;
    }
    peers_text(cluster);
    cluster_loop_open(cluster);
    for (uint32_t i = 1; i <= config->nodes && cluster->status == OK; i++)
        cluster->status = member_start(cluster, i, &cluster->error);
    if (config->base_port == 0 && cluster->base_port != SERVER_PORT_DEFAULT && !config->quiet)
        ports_explain(cluster);
    fflush(stdout);
    if (cluster->status == OK)
        uv_timer_start(&cluster->timer, on_poll, POLL_MS, POLL_MS);
    else
        cluster_stop(cluster);
    bool any = false;
    for (uint32_t i = 0; i < config->nodes; i++)
        any = any || cluster->members[i].running;
    if (!any && cluster->status == OK)
        cluster->status = error_set(&cluster->error, ERR_UNREACHABLE, "no node is left");
    if (any)
        uv_run(&cluster->loop, UV_RUN_DEFAULT);
    uv_walk(&cluster->loop, close_handle, NULL);
    uv_run(&cluster->loop, UV_RUN_DEFAULT);
    uv_loop_close(&cluster->loop);
    status = cluster->status;
    if (status != OK)
        *error = cluster->error;
    ports_release(cluster);
    mem_free(cluster);
    return status;
}
