/* The nodes of a simulated cluster: their life, their disks' work, their clocks. */
#include "cluster.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cluster_int.h"

enum { TICK_US_DEFAULT = 20000, LOG_SEGMENT_DEFAULT = 256 * 1024, LOG_ZERO_STEP = 64 * 1024 };

const char *const cluster_node_dir = "/node";

/* ---- clocks --------------------------------------------------------------------------------- */

/* Brings the node's machine to the cluster's time. */
void cluster__clock(struct cluster_node *node)
{
    struct cluster *c = node->cluster;
    ASSERT(c->now_us >= node->clock_us);
    env_sim_advance_us(node->machine, c->now_us - node->clock_us);
    node->clock_us = c->now_us;
}

void cluster_set_skew_us(struct cluster *c, uint32_t number, int64_t skew_us)
{
    struct cluster_node *node = &c->nodes[number];
    cluster__clock(node);
    uint64_t wall_us = env_wall_us(env_sim_env(node->machine));
    env_sim_set_wall_us(node->machine, (uint64_t)((int64_t)wall_us - node->skew_us + skew_us));
    node->skew_us = skew_us;
}

uint64_t cluster_now_us(const struct cluster *c)
{
    return c->now_us;
}

uint64_t cluster_steps(const struct cluster *c)
{
    return c->steps;
}

struct prng *cluster_prng(struct cluster *c)
{
    return &c->prng;
}

void cluster_pause(struct cluster *c, uint32_t number, uint64_t us)
{
    struct cluster_node *node = &c->nodes[number];
    cluster_note(c, "pause %u for %" PRIu64 " us", number + 1, us);
    if (node->paused_until_us < c->now_us + us)
        node->paused_until_us = c->now_us + us;
}

void cluster_set_log_slow_us(struct cluster *c, uint32_t number, uint64_t us)
{
    cluster_note(c, "log writes of %u take %" PRIu64 " us", number + 1, us);
    c->nodes[number].log_slow_us = us;
}

void cluster_set_log_stalls(struct cluster *c, uint32_t permille)
{
    c->config.stall_permille = permille;
}

/* ---- work of a node's other threads --------------------------------------------------------- */

static void event_for(struct cluster_node *node, enum cluster_event_kind kind, uint64_t us)
{
    struct cluster *c = node->cluster;
    cluster__event_push(c, (struct cluster_event){.time_us = c->now_us + us,
                                                  .kind = kind,
                                                  .node = node->number,
                                                  .start = node->starts});
}

static uint64_t log_write_us(struct cluster_node *node)
{
    struct cluster *c = node->cluster;
    uint64_t us = prng_between(&c->prng, c->config.log_us_min, c->config.log_us_max);
    if (c->config.stall_permille && prng_chance(&c->prng, c->config.stall_permille, 1000))
        us = c->config.stall_us;
    return us > node->log_slow_us ? us : node->log_slow_us;
}

/* Fetches the work that a pump left behind. */
static void work_take(struct cluster_node *node)
{
    struct cluster *c = node->cluster;
    if (!node->batch && (node->batch = replica_log_take(node->replica)) != NULL)
        event_for(node, CLUSTER_LOG_DONE, log_write_us(node));
    if (!node->checkpoint && (node->checkpoint = replica_checkpoint_take(node->replica)) != NULL)
        event_for(node, CLUSTER_CHECKPOINT_DONE,
                  prng_between(&c->prng, c->config.checkpoint_us_min, c->config.checkpoint_us_max));
    if (!node->work && (node->work = replica_work_take(node->replica)) != NULL)
        event_for(node, CLUSTER_WORK_DONE,
                  prng_between(&c->prng, c->config.work_us_min, c->config.work_us_max));
}

static void log_finish(struct cluster_node *node)
{
    struct wal_batch *batch = node->batch;
    ASSERT(batch);
    node->batch = NULL;
    struct error error = {0};
    status_t status = wal_write(batch, &error);
    cluster_trace(node->cluster, "log %u %s", node->number + 1, status_name(status));
    replica_log_done(node->replica, batch, status, &error);
    node->wakes = true;
}

static void checkpoint_finish(struct cluster_node *node)
{
    struct kv_checkpoint *checkpoint = node->checkpoint;
    ASSERT(checkpoint);
    node->checkpoint = NULL;
    struct error error = {0};
    status_t status = kv_checkpoint_write(checkpoint, &error);
    cluster_trace(node->cluster, "checkpoint %u %s", node->number + 1, status_name(status));
    replica_checkpoint_done(node->replica, checkpoint);
    node->wakes = true;
}

static void work_finish(struct cluster_node *node)
{
    struct replica_work *work = node->work;
    ASSERT(work);
    node->work = NULL;
    replica_work_run(work);
    cluster_trace(node->cluster, "work %u", node->number + 1);
    replica_work_done(node->replica, work);
    node->wakes = true;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void node_failed(void *context, const struct error *error)
{
    struct cluster_node *node = context;
    node->failed = true;
    node->failure = *error;
    if (!node->goes_down)
        cluster_note(node->cluster, "failed %u: %s", node->number + 1, error->message);
}

void cluster_set_join(struct cluster *c, uint32_t number, const struct replica_admin *answer)
{
    struct cluster_node *node = &c->nodes[number];
    node->joins = answer != NULL;
    node->members = (struct replica_members){0};
    if (answer) {
        node->members = answer->members;
        memcpy(node->cluster_id, answer->cluster_id, sizeof node->cluster_id);
        return;
    }
    node->members.count = c->config.founders;
    for (uint32_t i = 0; i < c->config.founders; i++)
        node->members.items[i] = (struct replica_member){.id = i + 1, .voter = true};
}

void cluster_wipe(struct cluster *c, uint32_t number)
{
    struct cluster_node *node = &c->nodes[number];
    ASSERT(!node->replica);
    cluster_note(c, "wipe %u", number + 1);
    env_sim_destroy(node->machine);
    node->machine = env_sim_create(prng_next(&c->prng));
    node->clock_us = 0;
    node->skew_us = 0;
}

status_t cluster_start(struct cluster *c, uint32_t number, struct error *error)
{
    struct cluster_node *node = &c->nodes[number];
    ASSERT(!node->replica);
    cluster__clock(node);
    uint32_t segment = c->config.segment_size ? c->config.segment_size : LOG_SEGMENT_DEFAULT;
    struct replica_config config = {
        .env = env_sim_env(node->machine),
        .dir = cluster_node_dir,
        .id = number + 1,
        .members = node->members,
        .joins = node->joins,
        .tick_us = (uint32_t)c->config.tick_us,
        .election_timeout_ticks = 10,
        .heartbeat_ticks = 2,
        .window_keys = c->config.window_keys,
        .checkpoint_bytes = c->config.checkpoint_bytes,
        .checkpoint_us = c->config.checkpoint_us,
        .history_us = number % 2 == 0 ? c->config.history_us : 0, /* they need not agree */
        .append_bytes = c->config.append_bytes,
        .read_lease_us = c->config.read_lease_us,
        .log_keep_bytes = c->config.log_keep_bytes,
        .log_keep_max_bytes = c->config.log_keep_max_bytes,
        .log_cache_bytes = c->config.log_cache_bytes,
        .check_us = c->config.check_us,
        .check_bytes_per_second = c->config.check_bytes_per_second,
        .snapshot_bytes_per_second = c->config.snapshot_bytes_per_second,
        .wal = {.segment_size = segment, .zero_step = LOG_ZERO_STEP},
        .disk_reserve_bytes = c->config.disk_reserve_bytes,
        .kv = {.engine = (c->config.lsm_nodes >> number & 1) != 0 ? KV_ENGINE_LSM : KV_ENGINE_BTREE,
               .run_bytes = c->config.kv_run_bytes,
               .growth_bytes = c->config.kv_growth_bytes},
    };
    memcpy(config.cluster_id, node->cluster_id, sizeof config.cluster_id);
    struct replica_host host = {.context = node,
                                .send = cluster__send,
                                .reachable = cluster__reachable,
                                .failed = node_failed};
    node->failed = node->goes_down = false;
    node->paused_until_us = 0;
    node->starts++;
    status_t status = replica_open(&config, &host, &node->replica, error);
    cluster_note(c, "start %u %s", number + 1, status_name(status));
    if (status != OK) {
        node->replica = NULL;
        return status;
    }
    node->wakes = true;
    event_for(node, CLUSTER_TICK, prng_below(&c->prng, c->config.tick_us));
    return OK;
}

/* Leaves what the disk was doing unfinished: it may have done a part of it. */
static void work_tear(struct cluster_node *node)
{
    struct prng *prng = &node->cluster->prng;
    struct error error = {0};
    bool log_first = prng_chance(prng, 1, 2);
    if (!env_sim_is_off(node->machine))
        env_sim_power_off_after(node->machine, prng_below(prng, 6));
    if (node->batch && log_first)
        (void)wal_write(node->batch, &error);
    if (node->checkpoint)
        (void)kv_checkpoint_write(node->checkpoint, &error);
    if (node->work)
        replica_work_run(node->work);
    if (node->batch && !log_first)
        (void)wal_write(node->batch, &error);
    env_sim_power_off(node->machine);
    error_set(&error, ERR_IO, "power is off");
    if (node->batch)
        replica_log_done(node->replica, node->batch, ERR_IO, &error);
    if (node->checkpoint)
        replica_checkpoint_done(node->replica, node->checkpoint);
    if (node->work)
        replica_work_done(node->replica, node->work);
    node->batch = NULL;
    node->checkpoint = NULL;
    node->work = NULL;
}

void cluster_crash(struct cluster *c, uint32_t number, enum env_sim_survival survival)
{
    struct cluster_node *node = &c->nodes[number];
    ASSERT(node->replica);
    cluster_note(c, "crash %u survival=%d", number + 1, (int)survival);
    if (c->config.hooks.down)
        c->config.hooks.down(c->config.hooks.context, number);
    cluster__clock(node);
    node->goes_down = true;
    env_sim_fail_none(node->machine);
    env_sim_set_survival(node->machine, survival);
    work_tear(node);
    replica_close(node->replica);
    node->replica = NULL;
    env_sim_power_on(node->machine);
}

void cluster_stop(struct cluster *c, uint32_t number)
{
    struct cluster_node *node = &c->nodes[number];
    ASSERT(node->replica);
    cluster_note(c, "stop %u", number + 1);
    if (c->config.hooks.down)
        c->config.hooks.down(c->config.hooks.context, number);
    cluster__clock(node);
    node->goes_down = true;
    if (node->batch)
        log_finish(node);
    if (node->checkpoint)
        checkpoint_finish(node);
    if (node->work)
        work_finish(node);
    replica_close(node->replica);
    node->replica = NULL;
}

struct cluster *cluster_create(const struct cluster_config *config)
{
    ASSERT(config->nodes >= 1 && config->nodes <= CLUSTER_NODES_MAX);
    ASSERT(config->founders <= config->nodes);
    struct cluster *c = mem_zalloc(1, sizeof *c);
    c->config = *config;
    if (!c->config.founders)
        c->config.founders = config->nodes;
    if (!c->config.tick_us)
        c->config.tick_us = TICK_US_DEFAULT;
    c->trace_hash = 0xcbf29ce484222325u;
    prng_seed(&c->prng, config->seed);
    for (uint32_t i = 0; i < config->nodes; i++) {
        c->nodes[i] = (struct cluster_node){
            .cluster = c, .number = i, .machine = env_sim_create(prng_next(&c->prng))};
        cluster_set_join(c, i, NULL);
        struct error error;
        status_t status = i < c->config.founders ? cluster_start(c, i, &error) : OK;
        ASSERT(status == OK);
    }
    return c;
}

void cluster_destroy(struct cluster *c)
{
    for (uint32_t i = 0; i < c->config.nodes; i++) {
        if (c->nodes[i].replica && c->nodes[i].failed)
            cluster_crash(c, i, ENV_SIM_SURVIVE_ALL);
        else if (c->nodes[i].replica)
            cluster_stop(c, i);
        env_sim_destroy(c->nodes[i].machine);
    }
    struct cluster_event event;
    while (cluster__event_pop(c, &event))
        if (event.letter)
            cluster__letter_free(event.letter);
    mem_free(c->events);
    mem_free(c);
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void nodes_pump(struct cluster *c)
{
    for (uint32_t i = 0; i < c->config.nodes; i++) {
        struct cluster_node *node = &c->nodes[i];
        if (!node->wakes || !node->replica || node->paused_until_us > c->now_us)
            continue;
        node->wakes = false;
        cluster__clock(node);
        replica_pump(node->replica);
        work_take(node);
        if (c->config.hooks.stepped)
            c->config.hooks.stepped(c->config.hooks.context, i);
    }
}

static void event_run(struct cluster *c, const struct cluster_event *event)
{
    struct cluster_node *node = &c->nodes[event->node];
    if (event->kind != CLUSTER_CALL && node->paused_until_us > c->now_us) {
        /* It waits, behind what waits already. */
        struct cluster_event later = *event;
        later.time_us = node->paused_until_us;
        cluster__event_push(c, later);
        return;
    }
    if (event->kind == CLUSTER_DELIVER) {
        cluster__deliver(c, event->letter);
        return;
    }
    if (event->kind == CLUSTER_CALL) {
        event->call(event->context);
        return;
    }
    if (!node->replica || event->start != node->starts)
        return;
    cluster__clock(node);
    if (event->kind == CLUSTER_LOG_DONE) {
        log_finish(node);
    } else if (event->kind == CLUSTER_CHECKPOINT_DONE) {
        checkpoint_finish(node);
    } else if (event->kind == CLUSTER_WORK_DONE) {
        work_finish(node);
    } else {
        replica_tick(node->replica);
        node->wakes = true;
        /* No two machines' timers run alike. */
        event_for(node, CLUSTER_TICK, c->config.tick_us + prng_below(&c->prng, 500));
    }
}

void cluster_step(struct cluster *c)
{
    nodes_pump(c);
    struct cluster_event event;
    bool any = cluster__event_pop(c, &event);
    ASSERT(any);
    c->now_us = event.time_us;
    c->steps++;
    event_run(c, &event);
    nodes_pump(c);
}

bool cluster_run_until(struct cluster *c, uint64_t us, bool (*done)(void *context), void *context)
{
    uint64_t end_us = c->now_us + us;
    for (;;) {
        nodes_pump(c); /* what was asked for between steps */
        if (done(context))
            return true;
        if (c->event_count == 0 || c->events[0].time_us > end_us)
            break;
        cluster_step(c);
    }
    c->now_us = end_us;
    return false;
}

static bool never(void *context)
{
    (void)context;
    return false;
}

void cluster_run_us(struct cluster *c, uint64_t us)
{
    (void)cluster_run_until(c, us, never, NULL);
}

void cluster_after(struct cluster *c, uint64_t us, void (*call)(void *context), void *context)
{
    cluster__event_push(
        c, (struct cluster_event){
               .time_us = c->now_us + us, .kind = CLUSTER_CALL, .call = call, .context = context});
}

/* ---- looking at nodes ----------------------------------------------------------------------- */

struct replica *cluster_replica(struct cluster *c, uint32_t node)
{
    ASSERT(node < c->config.nodes);
    return c->nodes[node].replica;
}

struct env_sim *cluster_machine(struct cluster *c, uint32_t node)
{
    ASSERT(node < c->config.nodes);
    return c->nodes[node].machine;
}

void cluster_wake(struct cluster *c, uint32_t node)
{
    ASSERT(node < c->config.nodes);
    c->nodes[node].wakes = true;
}

bool cluster_node_failed(struct cluster *c, uint32_t node)
{
    return c->nodes[node].replica && c->nodes[node].failed;
}

const struct error *cluster_failure(struct cluster *c, uint32_t node)
{
    return &c->nodes[node].failure;
}

int cluster_leader(struct cluster *c)
{
    int leader = -1;
    uint64_t term = 0;
    for (uint32_t i = 0; i < c->config.nodes; i++) {
        if (!c->nodes[i].replica)
            continue;
        struct replica_status status;
        replica_status(c->nodes[i].replica, &status);
        if (status.role == RAFT_LEADER && status.term > term) {
            leader = (int)i;
            term = status.term;
        }
    }
    return leader;
}
