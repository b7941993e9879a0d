#include "replica/replica.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "replica/replica_int.h"

enum {
    WINDOW_KEYS_DEFAULT = 65536,
    CHECKPOINT_BYTES_DEFAULT = 32 << 20,
    CHECKPOINT_US_DEFAULT = 30 * 1000000,
    CHECK_BYTES_PER_SECOND_DEFAULT = 32 << 20,
    LOG_KEEP_DEFAULT = 64 << 20,
    LOG_KEEP_MAX_DEFAULT = 512 << 20,
    SNAPSHOT_RATE_DEFAULT = 32 << 20,
};

/* ---- failure ----------------------------------------------------------------------------------
 */

void replica__fail(struct replica *r, const struct error *error)
{
    if (r->failed)
        return;
    r->failed = true;
    r->failure = *error;
    log_error("replica", "stopped: %s", error->message);
    r->host.failed(r->host.context, error);
}

void replica__fail_status(struct replica *r, status_t status, const char *what)
{
    struct error error;
    error_set(&error, status, "%s: %s", what, status_text(status));
    replica__fail(r, &error);
}

/* ---- opening and closing ------------------------------------------------------------------------
 */

status_t replica__storage_open(struct replica *r, struct error *error)
{
    status_t status = replica__identity_load(r->env, r->dir, r->config.id, &r->identity, error);
    if (status == OK)
        status = replica__identity_place(r, error);
    if (status != OK)
        return status;
    char path[1024];
    snprintf(path, sizeof path, "%s/data.toydb", r->dir);
    status = kv_open(r->env, path, &r->config.kv, &r->kv, error);
    if (status != OK)
        return status;
    status = replica__meta_load(r, error);
    if (status != OK)
        return status;
    snprintf(path, sizeof path, "%s/log", r->dir);
    r->wal_dir = mem_strdup(path);
    struct wal_config wal = r->config.wal;
    wal.dir = r->wal_dir;
    wal.node_id = r->config.id;
    status = wal_open(r->env, &wal, &r->wal, error);
    if (status == OK)
        status = replica__receiver_clean(r, error); /* nobody else has the directory now */
    return status == OK ? replica__log_reconcile(r, error) : status;
}

static status_t raft_start(struct replica *r, struct error *error)
{
    struct raft_config config;
    raft_config_default(&config);
    config.id = r->config.id;
    replica__members_to_raft(&r->members_applied, &config.members);
    if (r->config.election_timeout_ticks)
        config.election_timeout_ticks = r->config.election_timeout_ticks;
    if (r->config.heartbeat_ticks)
        config.heartbeat_ticks = r->config.heartbeat_ticks;
    if (r->config.log_cache_bytes)
        config.max_cached_bytes = (size_t)r->config.log_cache_bytes;
    config.max_entry_bytes = REPLICA_REQUEST_SIZE_MAX;
    config.members_since = r->identity.joins ? r->identity.first.index : 0;
    config.max_append_bytes = (size_t)r->config.append_bytes; /* 0: raft's own default */
    config.max_uncommitted_bytes = 2 * (size_t)REPLICA_REQUEST_SIZE_MAX;
    config.lease_us = r->config.read_lease_us;
    config.applied = r->applied_index;
    config.seed = r->config.seed;
    if (config.seed == 0)
        env_random_bytes(r->env, &config.seed, sizeof config.seed);
    struct raft_storage storage = wal_storage(r->wal);
    struct raft_hard_state hard_state = wal_hard_state(r->wal);
    status_t status = raft_create(&config, &storage, &hard_state, &r->raft);
    if (status == ERR_CORRUPT)
        return replica__log_lost(r, error);
    if (status != OK)
        return error_set(error, status, "could not start raft: %s", status_text(status));
    return replica__members_fetch(r, error);
}

void replica__release(struct replica *r)
{
    replica__sends_destroy(r);
    replica__receiver_destroy(r);
    replica__check_destroy(r);
    raft_destroy(r->raft);
    wal_close(r->wal);
    kv_close(r->kv);
    replica__retired_free(r);
    txn_certifier_destroy(r->certifier);
    replica__collect_destroy(r);
    replica__care_destroy(r);
    replica__proposals_free(r);
    replica__ring_free(&r->bundles);
    replica__ring_free(&r->committed);
    replica__ring_free(&r->proposals);
    replica__ring_free(&r->reads_asked);
    for (uint32_t i = 0; i < r->loopback.count; i++)
        mem_free(*(struct replica__loopback **)replica__ring_at(&r->loopback, i));
    replica__ring_free(&r->loopback);
    mem_free(r->wal_dir);
    mem_free(r->dir);
    mem_free(r);
}

static void config_defaults(struct replica_config *config)
{
    if (!config->checkpoint_bytes)
        config->checkpoint_bytes = CHECKPOINT_BYTES_DEFAULT;
    if (!config->checkpoint_us)
        config->checkpoint_us = CHECKPOINT_US_DEFAULT;
    if (!config->check_us)
        config->check_us = 3600 * (uint64_t)1000000;
    if (!config->check_bytes_per_second)
        config->check_bytes_per_second = CHECK_BYTES_PER_SECOND_DEFAULT;
    if (!config->log_keep_bytes)
        config->log_keep_bytes = LOG_KEEP_DEFAULT;
    if (!config->log_keep_max_bytes)
        config->log_keep_max_bytes = LOG_KEEP_MAX_DEFAULT;
    if (!config->snapshot_bytes_per_second)
        config->snapshot_bytes_per_second = SNAPSHOT_RATE_DEFAULT;
    if (config->log_keep_max_bytes < config->log_keep_bytes)
        config->log_keep_max_bytes = config->log_keep_bytes;
}

struct replica *replica__create(const struct replica_config *config,
                                const struct replica_host *host)
{
    ASSERT(config->env && config->dir && config->id && config->tick_us);
    struct replica *r = mem_zalloc(1, sizeof *r);
    r->config = *config;
    r->host = *host;
    r->env = config->env;
    r->dir = mem_strdup(config->dir);
    r->config.dir = r->dir;
    config_defaults(&r->config);
    r->reads_tail = &r->reads;
    r->batch_next = 1;
    /* Numbers not used before the last restart: answers to that time's requests may still come. */
    env_random_bytes(r->env, &r->read_batch, sizeof r->read_batch);
    env_random_bytes(r->env, &r->commit_id, sizeof r->commit_id);
    env_random_bytes(r->env, &r->admin_id, sizeof r->admin_id);
    r->read_batch >>= 1;
    r->commit_id >>= 1;
    r->admin_id >>= 1;
    replica__ring_init(&r->bundles, sizeof(struct replica__bundle));
    replica__ring_init(&r->committed, sizeof(struct replica__committed));
    replica__ring_init(&r->proposals, sizeof(struct replica__proposal));
    replica__ring_init(&r->reads_asked, sizeof(struct replica__read_asked));
    replica__ring_init(&r->loopback, sizeof(struct replica__loopback *));
    replica__sends_create(r);
    replica__receiver_create(r);
    uint32_t window = config->window_keys ? config->window_keys : WINDOW_KEYS_DEFAULT;
    r->certifier = txn_certifier_create(window);
    replica__collect_create(r);
    replica__care_create(r);
    r->heard_us = r->checked_us = env_monotonic_us(r->env);
    return r;
}

/* The only voter has nobody to wait for, whose leader it might disturb: it leads from its first
 * pump on, and not after a timeout. */
static void lead_alone(struct replica *r)
{
    uint32_t voters = 0;
    const struct replica_member *own = replica__member_find(&r->members, r->config.id);
    for (uint32_t i = 0; i < r->members.count; i++)
        voters += r->members.items[i].voter;
    if (own && own->voter && voters == 1 && !replica__receiver_holds(r))
        raft_campaign(r->raft);
}

status_t replica_open(const struct replica_config *config, const struct replica_host *host,
                      struct replica **out, struct error *error)
{
    struct replica *r = replica__create(config, host);
    status_t status = replica__storage_open(r, error);
    if (status == OK)
        status = raft_start(r, error);
    if (status != OK) {
        replica__release(r);
        return status;
    }
    txn_certifier_start(r->certifier, r->applied_version);
    r->version_last = r->applied_version;
    r->checkpoint_index = r->applied_index;
    r->checkpoint_time_us = env_monotonic_us(r->env);
    lead_alone(r);
    *out = r;
    return OK;
}

void replica_close(struct replica *r)
{
    if (!r)
        return;
    ASSERT(!r->checkpoint_out && !r->work_out);
    replica__reads_fail(r, ERR_SHUTDOWN);
    replica__commits_fail(r, ERR_SHUTDOWN);
    replica__admins_fail(r, ERR_SHUTDOWN);
    if (r->batch_out) {
        ASSERT(r->batch_blocked);
        wal_finish(r->wal, r->batch_out, ERR_DISK_FULL);
    }
    replica__checkpoint_last(r);
    replica__release(r);
}

/* Room in the tree for what is committed already when the disk becomes full: a leader refuses new
 * commits then, but reads wait until what was committed before is applied. */
static void reserve_keep(struct replica *r)
{
    if (r->config.disk_reserve_bytes == 0)
        return;
    struct error error;
    status_t status = kv_reserve(r->kv, r->config.disk_reserve_bytes / 2, &error);
    r->reserve_scarce = status != OK;
    if (status != OK && status != ERR_DISK_FULL)
        replica__fail(r, &error);
}

void replica_tick(struct replica *r)
{
    if (r->failed)
        return;
    uint64_t now_us = env_monotonic_us(r->env);
    raft_time(r->raft, now_us);
    if (!replica__receiver_holds(r))
        raft_tick(r->raft);
    replica__sends_tick(r);
    replica__reads_tick(r, now_us);
    replica__commits_tick(r, now_us);
    replica__admins_tick(r, now_us);
    replica__members_tick(r, now_us);
    replica__hello_tick(r, now_us);
    replica__check_tick(r, now_us);
    r->apply_retry = r->apply_blocked;
    r->batch_retry = r->batch_blocked;
    reserve_keep(r);
    replica__collect_tick(r);
    replica__care_tick(r);
}

/* ---- the pump ---------------------------------------------------------------------------------
 */

static void raft_messages_send(struct replica *r, const struct raft_message *messages,
                               uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct replica_message message = {
            .type = REPLICA_RAFT, .to = messages[i].to, .raft = &messages[i]};
        replica__send(r, &message);
    }
}

/* Everything of the bundles whose writes are done: their messages go out, raft hears of it. */
static void bundles_finish(struct replica *r)
{
    while (r->bundles.count) {
        struct replica__bundle bundle;
        memcpy(&bundle, replica__ring_at(&r->bundles, 0), sizeof bundle);
        if (bundle.batch >= r->batch_next || (r->batch_out && bundle.batch >= r->batch_out_number))
            return;
        replica__ring_pop(&r->bundles);
        raft_messages_send(r, bundle.messages, bundle.message_count);
        raft_persisted(r->raft, bundle.sequence);
    }
}

static void bundle_stage(struct replica *r, const struct raft_ready *ready)
{
    if (ready->has_hard_state || ready->entry_count) {
        status_t status = wal_stage(r->wal, ready->has_hard_state ? &ready->hard_state : NULL,
                                    ready->entries, ready->entry_count);
        if (status != OK) {
            replica__fail_status(r, status, "could not write to the log");
            return;
        }
        r->staged = true;
    }
    /* It is done with the batch its writes are in; without any, with what was written before it. */
    uint64_t batch = r->staged      ? r->batch_next
                     : r->batch_out ? r->batch_out_number
                                    : r->batch_next - 1;
    struct replica__bundle bundle = {.sequence = ready->sequence,
                                     .batch = batch,
                                     .messages = ready->messages_after_persist,
                                     .message_count = ready->messages_after_persist_count};
    replica__ring_push(&r->bundles, &bundle);
}

/* The first leader of an empty cluster gives it its identity. */
static void cluster_propose(struct replica *r)
{
    if (r->identity.has_cluster_id || r->cluster_proposed || !replica__may_judge(r))
        return;
    uint8_t entry[1 + REPLICA_CLUSTER_ID_SIZE] = {REPLICA_ENTRY_CLUSTER};
    env_random_bytes(r->env, entry + 1, REPLICA_CLUSTER_ID_SIZE);
    struct slice data = slice_make(entry, sizeof entry);
    uint64_t index;
    r->cluster_proposed = raft_propose(r->raft, &data, 1, &index) == OK;
}

static void leadership_update(struct replica *r, const struct raft_ready *ready)
{
    bool led = r->role == RAFT_LEADER;
    bool leader_changed = ready->leader != r->leader || ready->term != r->term;
    bool dropped = led && (ready->role != RAFT_LEADER || ready->term != r->term);
    r->leader = ready->leader;
    r->role = ready->role;
    r->term = ready->term;
    if (!led && r->role == RAFT_LEADER)
        r->led_us = env_monotonic_us(r->env);
    if (dropped)
        replica__proposals_drop(r);
    if (leader_changed) {
        log_info("replica", "node %" PRIu64 ": %s in term %" PRIu64 ", leader %" PRIu64,
                 r->config.id, raft_role_name(r->role), r->term, r->leader);
        replica__reads_leader_changed(r);
        replica__commits_leader_changed(r);
        replica__admins_leader_changed(r);
    }
}

/* One bundle from raft. */
static bool bundle_take(struct replica *r)
{
    struct raft_ready ready;
    status_t status = raft_ready(r->raft, &ready);
    if (status != OK) {
        replica__fail_status(r, status, "could not read the log");
        return false;
    }
    raft_messages_send(r, ready.messages, ready.message_count);
    if (ready.sequence)
        bundle_stage(r, &ready);
    for (uint32_t i = 0; i < ready.read_count; i++)
        replica__read_state(r, &ready.reads[i]);
    if (ready.committed_count) {
        struct replica__committed committed = {.entries = ready.committed,
                                               .count = ready.committed_count};
        replica__ring_push(&r->committed, &committed);
    }
    raft_advance(r->raft);
    if (r->failed)
        return false;
    if (ready.members_changed)
        replica__members_refresh(r);
    if (ready.soft_changed)
        leadership_update(r, &ready);
    for (uint32_t i = 0; i < ready.snapshot_count; i++)
        replica__snapshot_needed(r, ready.snapshots[i]);
    return true;
}

void replica_pump(struct replica *r)
{
    /* Each round may give raft new inputs (answers begin new requests); it ends when nothing is
     * left that can be done without another thread or the network. */
    bool again = true;
    while (again && !r->failed) {
        replica__loopback_drain(r);
        replica__reads_flush(r);
        bundles_finish(r);
        again = false;
        while (!r->failed && !replica__receiver_holds(r) && raft_has_ready(r->raft)) {
            again = true;
            if (!bundle_take(r))
                return;
            bundles_finish(r);
        }
        if (!r->apply_blocked || r->apply_retry)
            replica__apply(r);
        replica__reads_applied(r);
        cluster_propose(r);
        if (r->removed_index && r->role != RAFT_LEADER && !r->failed)
            replica__removed_stop(r, r->removed_index); /* one that leads hands over first */
        replica__receiver_pump(r);
        again = again || r->loopback.count > 0 ||
                (!replica__receiver_holds(r) && raft_has_ready(r->raft));
    }
}

/* ---- work for other threads ---------------------------------------------------------------------
 */

struct wal_batch *replica_log_take(struct replica *r)
{
    if (r->failed)
        return NULL;
    if (r->batch_out) {
        /* Blocked by a full disk: it is tried again after a tick. */
        bool retry = r->batch_blocked && r->batch_retry;
        if (retry)
            r->batch_blocked = r->batch_retry = false;
        return retry ? r->batch_out : NULL;
    }
    if (!r->staged)
        return NULL;
    r->batch_out = wal_take(r->wal);
    ASSERT(r->batch_out);
    r->batch_out_number = r->batch_next++;
    r->staged = false;
    return r->batch_out;
}

void replica_log_done(struct replica *r, struct wal_batch *batch, status_t status,
                      const struct error *error)
{
    ASSERT(batch == r->batch_out);
    r->log_full = status == ERR_DISK_FULL;
    if (status == ERR_DISK_FULL) {
        r->batch_blocked = true;
        return;
    }
    wal_finish(r->wal, batch, status);
    r->batch_out = NULL;
    if (status != OK)
        replica__fail(r, error);
    else if (r->batch_out_number >= r->reset_batch)
        r->received = false;
}

/* ---- transactions and inspection ----------------------------------------------------------------
 */

status_t replica_txn_begin(struct replica *r, struct txn *txn, bool read_only, struct error *error)
{
    if (r->failed)
        return error_set(error, ERR_SHUTDOWN, "node has stopped: %s", r->failure.message);
    struct kv_snapshot *snapshot;
    status_t status = kv_snapshot_open(r->kv, &snapshot, error);
    if (status == OK)
        txn_init(txn, snapshot, r->applied_version, read_only);
    return status;
}

status_t replica_outcome(struct replica *r, struct slice origin, uint8_t *reply,
                         uint32_t *reply_size, struct error *error)
{
    struct txn_outcome outcome;
    status_t status = txn_outcome_get(r->kv, origin, &outcome, error);
    if (status != OK)
        return status;
    if (outcome.refused)
        return ERR_NOT_FOUND;
    ASSERT(outcome.reply.size <= TXN_REPLY_MAX);
    if (outcome.reply.size)
        memcpy(reply, outcome.reply.data, outcome.reply.size);
    *reply_size = (uint32_t)outcome.reply.size;
    return OK;
}

void replica_status(struct replica *r, struct replica_status *out)
{
    *out = (struct replica_status){.id = r->config.id,
                                   .leader = r->leader,
                                   .role = r->role,
                                   .term = r->term,
                                   .applied_index = r->applied_index,
                                   .first_index = wal_first_index(r->wal),
                                   .version = r->applied_version,
                                   .checkpoint_index = r->checkpoint_index,
                                   .has_cluster_id = r->identity.has_cluster_id,
                                   .messages_refused = r->messages_refused,
                                   .pages_damaged = replica__care_damaged(r),
                                   .snapshot_bytes_sent = r->snapshot_bytes_sent,
                                   .snapshot_bytes_received = r->snapshot_bytes_received};
    memcpy(out->cluster_id, r->identity.cluster_id, REPLICA_CLUSTER_ID_SIZE);
    raft_status(r->raft, &out->raft);
    out->commit_index = out->raft.commit;
    out->last_index = out->raft.last_index;
    kv_stats(r->kv, &out->kv);
    out->wal = wal_stats(r->wal);
    for (struct replica_read *read = r->reads; read; read = read->next)
        out->reads_waiting++;
    for (struct replica_commit *commit = r->commits; commit; commit = commit->next)
        out->commits_waiting++;
}

struct kv *replica_kv(struct replica *r)
{
    return r->kv;
}
