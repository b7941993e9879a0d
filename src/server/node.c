/* The node's loop. After each poll of the network, `pump` does all that the events asked for:
 *
 *     sessions step, replica_pump, finished log writes, peers and clients get their bytes
 *
 * and repeats while one of these gave another something to do. */

#include "server/node_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/session_int.h"

enum {
    LOG_SLOW_US = 100000,
    TICK_MS_DEFAULT = 50,
    ELECTION_TICKS_DEFAULT = 12,
    HEARTBEAT_TICKS = 2,
    QUORUM_TIMEOUT_US_DEFAULT = 5000000,
    DISK_RESERVE_DEFAULT = 16 << 20,
    DRAIN_US_DEFAULT = 10000000,
    STOP_FLUSH_US = 1000000, /* for clients to read why they were ended */
    CONNECTIONS_MAX = 4096,
    FILES_RESERVE = 64,
    CLOSE_WAIT_MS = 500,         /* for names being looked up */
    REQUEST_SIZE_MAX = 16 << 20, /* bytes of a client's: SQL text and parameters */
    TURN_US = 5000,              /* of the pump, then timers and network are looked at again */
};

/* ---- the log, checkpoint and background threads
 * --------------------------------------------------------------- */

static void log_run(struct job *job)
{
    struct log_job *log = (struct log_job *)job;
    log->status = wal_write(log->batch, &log->error);
}

static void log_done(struct job *job)
{
    struct log_job *log = (struct log_job *)job;
    struct wal_batch *batch = log->batch;
    log->batch = NULL;
    replica_log_done(log->node->replica, batch, log->status, &log->error);
    node_wake(log->node);
}

/* A node alone with one client keeps nobody waiting while its loop writes the log; to have the log
 * thread do it costs two wake-ups, which take about as long as the sync. A disk that takes its time
 * is another matter: who comes, or cancels, would not be heard. */
static bool log_belongs_here(const struct node *node)
{
    uint32_t clients = node->session_count - (node->housekeeping != NULL);
    return !node->peers && clients <= 1 && !node->stopping && !node->log_is_slow;
}

/* True: a batch was written. */
static bool log_start(struct node *node)
{
    if (node->log_job.batch)
        return false;
    struct wal_batch *batch = replica_log_take(node->replica);
    if (!batch)
        return false;
    if (log_belongs_here(node)) {
        struct error error;
        uint64_t begin_us = env_monotonic_us(node->env);
        status_t status = wal_write(batch, &error);
        node->log_is_slow = env_monotonic_us(node->env) - begin_us > LOG_SLOW_US;
        replica_log_done(node->replica, batch, status, &error);
        return true;
    }
    node->log_job.job = (struct job){.run = log_run, .done = log_done};
    node->log_job.node = node;
    node->log_job.batch = batch;
    job_submit(node->log_pool, &node->log_job.job);
    return false;
}

static void checkpoint_run(struct job *job)
{
    struct checkpoint_job *checkpoint = (struct checkpoint_job *)job;
    struct error error;
    if (kv_checkpoint_write(checkpoint->checkpoint, &error) != OK)
        log_error("server", "checkpoint failed: %s", error.message);
}

static void checkpoint_done(struct job *job)
{
    struct checkpoint_job *checkpoint = (struct checkpoint_job *)job;
    struct kv_checkpoint *written = checkpoint->checkpoint;
    checkpoint->checkpoint = NULL;
    replica_checkpoint_done(checkpoint->node->replica, written);
}

static void checkpoint_start(struct node *node)
{
    if (node->checkpoint_job.checkpoint || node->stopping)
        return;
    struct kv_checkpoint *checkpoint = replica_checkpoint_take(node->replica);
    if (!checkpoint)
        return;
    node->checkpoint_job.job = (struct job){.run = checkpoint_run, .done = checkpoint_done};
    node->checkpoint_job.node = node;
    node->checkpoint_job.checkpoint = checkpoint;
    job_submit(node->checkpoint_pool, &node->checkpoint_job.job);
}

static void background_run(struct job *job)
{
    replica_work_run(((struct background_job *)job)->work);
}

static void background_done(struct job *job)
{
    struct background_job *background = (struct background_job *)job;
    struct replica_work *work = background->work;
    background->work = NULL;
    replica_work_done(background->node->replica, work);
    node_wake(background->node);
}

static void background_start(struct node *node)
{
    if (node->background_job.work || node->stopping)
        return;
    struct replica_work *work = replica_work_take(node->replica);
    if (!work)
        return;
    node->background_job.job = (struct job){.run = background_run, .done = background_done};
    node->background_job.node = node;
    node->background_job.work = work;
    job_submit(node->background_pool, &node->background_job.job);
}

/* ---- the pump ---------------------------------------------------------------------------------
 */

static bool node_quiet(const struct node *node)
{
    return !node->log_job.batch && !node->checkpoint_job.checkpoint && !node->background_job.work &&
           node->session_count == 0 && node->client_count == 0 && node->lingering_count == 0 &&
           node->mailbox.out == 0 && !node->handing_over;
}

/* Stopping begins with draining: statements and open transactions get their time, clients without
 * either are told to go as soon as they have none. When it is over all are told, and after another
 * moment cut off. When nothing is out with another thread any more the loop may end. */
static void stop_progress(struct node *node)
{
    if (!node->stopping || node->stopped)
        return;
    uint64_t now_us = env_monotonic_us(node->env);
    node_housekeeping_stop(node);
    sessions_shutdown(node, now_us >= node->drain_end_us);
    bool over = now_us >= node->drain_end_us + STOP_FLUSH_US || node->failed;
    if (node->handing_over && (over || node_hand_over_hopeless(node)))
        node_hand_over_cancel(node);
    if (over)
        conns_close_all(node);
    if (!node_quiet(node))
        return;
    conns_close_all(node);
    node->stopped = true;
    uv_stop(&node->loop);
}

static void members_follow(struct node *node)
{
    if (!node->members_changed)
        return;
    struct replica_members members;
    node->members_changed = false;
    replica_members(node->replica, &members);
    peers_update(node, &members);
}

bool node_turn_over(const struct node *node)
{
    return env_monotonic_us(node->env) >= node->turn_end_us;
}

static void tick(struct node *node)
{
    uint64_t now_us = env_monotonic_us(node->env);
    node->tick_due = false;
    replica_tick(node->replica);
    peers_tick(node, now_us);
    node_admin_tick(node, now_us);
    node_housekeeping_tick(node, now_us);
    conns_tick(node, now_us);
    checkpoint_start(node);
}

static void pump(struct node *node)
{
    uv_idle_stop(&node->idle);
    if (node->tick_due)
        tick(node);
    node->turn_end_us = env_monotonic_us(node->env) + TURN_US;
    bool again = true, wrote = false;
    while (again) {
        bool any = sessions_run(node);
        replica_pump(node->replica);
        wrote = log_start(node);
        background_start(node);
        again = (any || wrote || node->runnable) && !node_turn_over(node);
    }
    members_follow(node);
    peers_flush(node);
    conns_flush(node);
    if (node->runnable || wrote)
        node_wake(node);
    stop_progress(node);
}

static void on_check(uv_check_t *check)
{
    pump(check->data);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* its being active keeps the poll from waiting */
}

void node_wake(struct node *node)
{
    if (!node->stopped)
        uv_idle_start(&node->idle, on_idle);
}

/* Timers come before the poll, the tick's work after it: what has arrived counts before time does.
 * A node that was held up would else take for silent whoever has answered long ago. */
static void on_tick(uv_timer_t *timer)
{
    struct node *node = timer->data;
    node->tick_due = true;
    node_wake(node);
}

/* ---- sleepers ---------------------------------------------------------------------------------
 */

static void sleep_arm(struct node *node);

static void on_sleep_end(uv_timer_t *timer)
{
    struct node *node = timer->data;
    uint64_t now_us = env_monotonic_us(node->env);
    while (node->sleepers && node->sleepers->wake_us <= now_us) {
        struct sleeper *sleeper = node->sleepers;
        node->sleepers = sleeper->next;
        sleeper->wake(sleeper);
    }
    sleep_arm(node);
}

static void sleep_arm(struct node *node)
{
    if (!node->sleepers) {
        uv_timer_stop(&node->sleep_timer);
        return;
    }
    uint64_t now_us = env_monotonic_us(node->env);
    uint64_t wait_us = node->sleepers->wake_us > now_us ? node->sleepers->wake_us - now_us : 0;
    uv_timer_start(&node->sleep_timer, on_sleep_end, (wait_us + 999) / 1000, 0);
}

void node_sleep(struct node *node, struct sleeper *sleeper, uint64_t delay_us)
{
    sleeper->wake_us = env_monotonic_us(node->env) + delay_us;
    struct sleeper **link = &node->sleepers;
    while (*link && (*link)->wake_us <= sleeper->wake_us)
        link = &(*link)->next;
    sleeper->next = *link;
    *link = sleeper;
    sleep_arm(node);
}

void node_sleep_cancel(struct node *node, struct sleeper *sleeper)
{
    for (struct sleeper **link = &node->sleepers; *link; link = &(*link)->next) {
        if (*link == sleeper) {
            *link = sleeper->next;
            return;
        }
    }
}

/* ---- the replica's host
 * --------------------------------------------------------------------------- */

static bool host_send(void *context, const struct replica_message *message)
{
    return peer_send(context, message);
}

static bool host_reachable(void *context, uint64_t node)
{
    return peer_connected(context, node);
}

static void host_failed(void *context, const struct error *error)
{
    struct node *node = context;
    node->failed = true;
    node->failure = *error;
    node_stop(node);
}

/* It may be said in the middle of a message from a connection that is to be closed: so later. */
static void host_members_changed(void *context, const struct replica_members *members)
{
    struct node *node = context;
    MAYBE(members->count == 0);
    node->members_changed = true;
    node_wake(node);
}

/* Of the first start; a directory that knows better is not asked about it. */
static void members_initial(const struct server_config *config, struct replica_config *replica)
{
    if (config->joined) {
        replica->joins = !config->joined->placed;
        replica->members = config->joined->members;
        memcpy(replica->cluster_id, config->joined->cluster_id, sizeof replica->cluster_id);
        return;
    }
    uint32_t count = config->peer_count ? config->peer_count : 1;
    ASSERT(count <= REPLICA_MEMBERS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct replica_member *member = &replica->members.items[i];
        member->id = config->peer_count ? config->peers[i].id : config->id;
        member->voter = true;
        snprintf(member->address, sizeof member->address, "%s",
                 config->peer_count   ? config->peers[i].address
                 : *config->advertise ? config->advertise
                                      : config->listen);
    }
    replica->members.count = count;
}

static status_t replica_start(struct node *node, struct error *error)
{
    const struct server_config *config = &node->config;
    struct replica_config replica = {.env = node->env,
                                     .dir = config->data_dir,
                                     .id = config->id,
                                     .tick_us = config->tick_ms * 1000,
                                     .election_timeout_ticks = config->election_ticks,
                                     .heartbeat_ticks = HEARTBEAT_TICKS,
                                     .read_lease_us = config->read_lease_us,
                                     .log_keep_bytes = config->log_keep_bytes,
                                     .log_keep_max_bytes = config->log_keep_max_bytes,
                                     .snapshot_bytes_per_second = config->snapshot_bytes_per_second,
                                     .disk_reserve_bytes = config->disk_reserve_bytes,
                                     .kv = {.engine = config->engine}};
    members_initial(config, &replica);
    struct replica_host host = {.context = node,
                                .send = host_send,
                                .reachable = host_reachable,
                                .failed = host_failed,
                                .members_changed = host_members_changed};
    return replica_open(&replica, &host, &node->replica, error);
}

static status_t spill_start(struct node *node, struct error *error)
{
    char directory[sizeof node->config.data_dir + 8];
    (void)snprintf(directory, sizeof directory, "%s/spill", node->config.data_dir);
    return sql_engine_spill_set(node->engine, directory, error);
}

/* ---- life -------------------------------------------------------------------------------------
 */

static void config_defaults(struct server_config *config)
{
    if (!config->tick_ms)
        config->tick_ms = TICK_MS_DEFAULT;
    if (!config->election_ticks)
        config->election_ticks = ELECTION_TICKS_DEFAULT;
    if (!config->quorum_timeout_us)
        config->quorum_timeout_us = QUORUM_TIMEOUT_US_DEFAULT;
    if (!config->commit_timeout_us)
        config->commit_timeout_us = 2 * config->quorum_timeout_us;
    if (!config->drain_us)
        config->drain_us = DRAIN_US_DEFAULT;
    if (!config->disk_reserve_bytes)
        config->disk_reserve_bytes = DISK_RESERVE_DEFAULT;
    if (!config->worker_threads) {
        unsigned processors = uv_available_parallelism();
        config->worker_threads = processors < 2 ? 2 : processors;
    }
}

/* Clients must not take the files that the store needs. */
static uint32_t conn_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= CONNECTIONS_MAX + FILES_RESERVE)
        return CONNECTIONS_MAX;
    return limit.rlim_cur > 2 * FILES_RESERVE ? (uint32_t)limit.rlim_cur - FILES_RESERVE
                                              : FILES_RESERVE;
}

static void loop_open(struct node *node)
{
    int result = uv_loop_init(&node->loop);
    ASSERT(result == 0);
    uv_timer_init(&node->loop, &node->tick_timer);
    uv_timer_init(&node->loop, &node->sleep_timer);
    uv_check_init(&node->loop, &node->check);
    uv_idle_init(&node->loop, &node->idle);
    node->tick_timer.data = node;
    node->sleep_timer.data = node;
    node->check.data = node;
    node->idle.data = node;
    mailbox_init(&node->mailbox, &node->loop);
}

static struct grpc_server *grpc_open(struct node *node)
{
    const struct grpc_method methods[] = {
        {.path = "/ToyDB/Status",
         .message_size_max = REQUEST_SIZE_MAX,
         .handlers = service_status_handlers,
         .context = node},
        {.path = "/ToyDB/Execute",
         .message_size_max = REQUEST_SIZE_MAX,
         .handlers = service_execute_handlers,
         .context = node},
        {.path = "/ToyDB/Session",
         .client_streaming = true,
         .message_size_max = REQUEST_SIZE_MAX,
         .handlers = service_session_handlers,
         .context = node},
        {.path = "/ToyDBAdmin/Join", .handlers = service_join_handlers, .context = node},
        {.path = "/ToyDBAdmin/AddNode", .handlers = service_add_handlers, .context = node},
        {.path = "/ToyDBAdmin/RemoveNode", .handlers = service_remove_handlers, .context = node},
        {.path = "/ToyDBAdmin/PromoteNode", .handlers = service_promote_handlers, .context = node},
        {.path = "/ToyDBAdmin/TransferLeader",
         .handlers = service_transfer_handlers,
         .context = node},
        {.path = "/ToyDBAdmin/CheckCluster", .handlers = service_check_handlers, .context = node},
        {.path = "/ToyDBPeer/Exchange",
         .client_streaming = true,
         .handlers = peer_exchange_handlers,
         .context = node},
    };
    /* Room for the largest commit request between nodes. */
    struct grpc_config config = {.message_size_max = 2 * (size_t)REPLICA_REQUEST_SIZE_MAX,
                                 .receive_memory_max = 3 * (size_t)REPLICA_REQUEST_SIZE_MAX};
    return grpc_server_create(methods, sizeof methods / sizeof *methods, &config);
}

/* The members, and this node's own address among them, are known now. */
static status_t listen_start(struct node *node, struct error *error)
{
    struct replica_members members;
    replica_members(node->replica, &members);
    const struct replica_member *own = node_member(&members, node->config.id);
    if (!node->listener && node->config.listen_known && own && *own->address)
        memcpy(node->config.listen, own->address, sizeof own->address);
    if (own &&
        (strncmp(own->address, "0.0.0.0:", 8) == 0 || strncmp(own->address, "[::]:", 5) == 0))
        log_warn("server", "no other node can reach this one at %s: give it --advertise",
                 own->address);
    status_t status = OK;
    if (!node->listener && *node->config.listen)
        status = listener_open(node, node->config.listen, error);
    if (status == OK)
        peers_update(node, &members);
    return status;
}

status_t node_create(const struct server_config *config, struct node **out, struct error *error)
{
    struct node *node = mem_zalloc(1, sizeof *node);
    node->config = *config;
    config_defaults(&node->config);
    node->env = env_real();
    node->conn_max = conn_max();
    node->runnable_last = &node->runnable;
    node->started_us = env_monotonic_us(node->env);
    env_random_bytes(node->env, &node->incarnation, sizeof node->incarnation);
    prng_seed(&node->prng, node->incarnation);
    loop_open(node);
    node->log_pool = job_pool_create("toydb-log", 1, &node->mailbox);
    node->checkpoint_pool = job_pool_create("toydb-checkpnt", 1, &node->mailbox);
    node->background_pool = job_pool_create("toydb-backgrnd", 1, &node->mailbox);
    node->workers = job_pool_create("toydb-worker", node->config.worker_threads, &node->mailbox);
    node->engine = sql_engine_create(node->env);
    unsigned processors = uv_available_parallelism();
    if (processors > 1) {
        node->crew = env_crew_create("toydb-helper", processors - 1);
        sql_engine_crew_set(node->engine, node->crew);
    }
    sql_engine_internal_set(node->engine, node_internal, node);
    node->grpc = grpc_open(node);
    status_t status = OK;
    if (node->config.first)
        status = listener_open(node, node->config.listen, error);
    if (status == OK)
        status = replica_start(node, error);
    if (status == OK) /* the directory is known to be nobody else's */
        status = spill_start(node, error);
    if (status == OK)
        status = listen_start(node, error);
    if (status != OK) {
        node_destroy(node);
        return status;
    }
    uv_check_start(&node->check, on_check);
    uv_timer_start(&node->tick_timer, on_tick, 1, node->config.tick_ms);
    *out = node;
    return OK;
}

status_t node_run(struct node *node, struct error *error)
{
    if (!node->stopped)
        uv_run(&node->loop, UV_RUN_DEFAULT);
    if (!node->failed)
        return OK;
    *error = node->failure;
    return node->failure.status;
}

void node_stop(struct node *node)
{
    if (node->stopping) {
        node->drain_end_us = env_monotonic_us(node->env); /* asked twice: it is urgent */
        node_wake(node);
        return;
    }
    node->stopping = true;
    node->drain_end_us = env_monotonic_us(node->env) + node->config.drain_us;
    listener_close(node);
    conns_shutdown(node);
    node_hand_over(node);
    uv_idle_start(&node->idle, on_idle);
}

static void close_handle(uv_handle_t *handle, void *timer)
{
    if (!uv_is_closing(handle) && handle != timer)
        uv_close(handle, NULL);
}

static void on_close_late(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* False: a thread of libuv's still looks a name up, which may take its time and cannot be called
 * off; it needs the loop. */
static bool loop_close(struct node *node)
{
    uv_walk(&node->loop, close_handle, &node->tick_timer);
    uv_timer_start(&node->tick_timer, on_close_late, CLOSE_WAIT_MS, 0);
    uv_unref((uv_handle_t *)&node->tick_timer);
    if (uv_run(&node->loop, UV_RUN_DEFAULT) != 0)
        return false;
    uv_close((uv_handle_t *)&node->tick_timer, NULL);
    uv_run(&node->loop, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&node->loop);
    ASSERT(busy == 0);
    return true;
}

void node_destroy(struct node *node)
{
    if (!node)
        return;
    listener_close(node);
    peers_close(node);
    conns_close_all(node);
    /* Whatever a thread still had is given back before its owner goes. */
    job_pool_destroy(node->workers);
    job_pool_destroy(node->log_pool);
    job_pool_destroy(node->checkpoint_pool);
    job_pool_destroy(node->background_pool);
    mailbox_drain(&node->mailbox);
    node->turn_end_us = UINT64_MAX;
    sessions_run(node);
    replica_close(node->replica);
    sessions_release(node);
    ASSERT(node->session_count == 0);
    sql_engine_destroy(node->engine);
    env_crew_destroy(node->crew);
    mailbox_close(&node->mailbox);
    bool closed = loop_close(node);
    grpc_server_destroy(node->grpc);
    mem_free(node->read_buffer);
    if (closed)
        mem_free(node);
    else
        log_info("server", "stopped while a peer's name was looked up");
}
