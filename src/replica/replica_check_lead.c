/* The consistency check, on the leader: it proposes the log entry, collects the hashes and judges.
 *
 *     none --begin: an entry is proposed--> under way --all have answered, or time is up--> last
 *                                               |
 *                                               +--leadership lost--> none
 *
 * A majority of the voters with one hash decides: whoever has another is told to stop, the leader
 * itself not excepted. Without such a majority nobody is judged, for nobody can say who is right.
 * Nodes that cannot be reached are not waited for; an answer that comes late is judged all the
 * same, as long as no other check has begun.
 *
 * A node gives its hash again and again until it is told what became of it. So a leader that hears
 * a hash of a check by a leader before it knows that somebody was not told, perhaps the odd one
 * out: it begins a check of its own.
 *
 * Who asked for a check is told the index it has to wait for (`token`): the check under way, or one
 * begun for it. So whoever asks again after a deadline does not begin anew. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "replica/replica_int.h"

enum {
    SECOND_US = 1000000,
    TIME_MIN_S = 60,  /* a check may last so long, and four times what reading takes, */
    TIME_MORE_S = 10, /* but once a majority has answered only as long again and so much more */
    OWN_VERDICT_US = 2 * SECOND_US, /* the leader stops itself after others could ask who it was */
};

void replica_check_last(const struct replica *r, struct replica_check *out)
{
    *out = r->checks.last;
}

/* ---- beginning --------------------------------------------------------------------------------
 */

static status_t check_propose(struct replica *r, struct error *error)
{
    struct replica__checks *checks = &r->checks;
    ASSERT(checks->now.index == 0);
    uint8_t entry = REPLICA_ENTRY_CHECK;
    struct slice data = slice_make(&entry, sizeof entry);
    uint64_t index;
    status_t status = raft_propose(r->raft, &data, 1, &index);
    if (status != OK)
        return error_set(error, status, "a check cannot begin now: %s", status_text(status));
    struct kv_stats kv;
    kv_stats(r->kv, &kv);
    checks->now = (struct replica_check){.index = index, .count = r->members.count};
    for (uint32_t i = 0; i < r->members.count; i++) {
        checks->now.nodes[i].id = r->members.items[i].id;
        checks->now.nodes[i].voter = r->members.items[i].voter;
    }
    checks->begun_us = env_monotonic_us(r->env);
    uint64_t seconds = TIME_MIN_S + 4 * (kv.file_bytes / r->config.check_bytes_per_second);
    checks->deadline_us = checks->begun_us + seconds * SECOND_US;
    checks->term = r->term;
    checks->majority_seen = false;
    return OK;
}

status_t replica__check_asked(struct replica *r, uint64_t *token, struct replica_check *out,
                              struct error *error)
{
    struct replica__checks *checks = &r->checks;
    *out = checks->last;
    if (*token != 0 && checks->last.index >= *token)
        return OK;
    if (checks->now.index == 0) {
        status_t status = check_propose(r, error);
        if (status != OK)
            return status;
    }
    *token = checks->now.index;
    uint32_t answered = 0;
    for (uint32_t i = 0; i < checks->now.count; i++)
        answered += checks->now.nodes[i].answered;
    return error_set(error, ERR_BUSY, "the nodes are hashing their data: %u of %u have ended",
                     answered, checks->now.count);
}

/* ---- judging ----------------------------------------------------------------------------------
 */

static uint32_t voters_count(const struct replica_check *check, const uint8_t *hash)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < check->count; i++) {
        const struct replica_check_node *node = &check->nodes[i];
        count += node->voter &&
                 (!hash || (node->answered && memcmp(node->hash, hash, REPLICA_HASH_SIZE) == 0));
    }
    return count;
}

/* The hash that more than half of the voters have; NULL: none yet. */
static const uint8_t *majority_hash(const struct replica_check *check)
{
    for (uint32_t i = 0; i < check->count; i++) {
        const struct replica_check_node *node = &check->nodes[i];
        if (node->voter && node->answered &&
            voters_count(check, node->hash) > voters_count(check, NULL) / 2)
            return node->hash;
    }
    return NULL;
}

static void node_judge(struct replica_check *check, struct replica_check_node *node)
{
    const uint8_t *hash = majority_hash(check);
    node->differs = hash && node->answered && memcmp(node->hash, hash, REPLICA_HASH_SIZE) != 0;
    if (node->differs)
        log_error("replica", "node %" PRIu64 " holds other data than the majority at %" PRIu64,
                  node->id, check->index);
}

static void verdict_send(struct replica *r, const struct replica_check_node *node)
{
    const struct replica_check *last = &r->checks.last;
    const uint8_t *hash = majority_hash(last);
    struct replica_message message = {.type = REPLICA_VERDICT,
                                      .to = node->id,
                                      .index = last->index,
                                      .status = !hash           ? ERR_NO_QUORUM
                                                : node->differs ? ERR_CORRUPT
                                                                : OK,
                                      .body = slice_make(hash, hash ? REPLICA_HASH_SIZE : 0)};
    replica__send(r, &message);
}

/* To all but the leader itself, which stops a little later. */
static void verdicts_send(struct replica *r)
{
    const struct replica_check *last = &r->checks.last;
    for (uint32_t i = 0; i < last->count; i++)
        if (last->nodes[i].answered && last->nodes[i].id != r->config.id)
            verdict_send(r, &last->nodes[i]);
}

static void check_end(struct replica *r, uint64_t now_us)
{
    struct replica__checks *checks = &r->checks;
    struct replica_check *last = &checks->last;
    *last = checks->now;
    checks->now = (struct replica_check){0};
    checks->ended_us = now_us;
    last->majority = majority_hash(last) != NULL;
    uint32_t answered = 0;
    for (uint32_t i = 0; i < last->count; i++) {
        answered += last->nodes[i].answered;
        node_judge(last, &last->nodes[i]);
    }
    verdicts_send(r);
    if (last->majority)
        log_info("replica", "consistency check at %" PRIu64 ": %u of %u nodes have answered",
                 last->index, answered, last->count);
    else
        log_warn("replica",
                 "consistency check at %" PRIu64 ": no majority has the same data, "
                 "or too few have answered",
                 last->index);
}

static struct replica_check_node *node_find(struct replica_check *check, uint64_t id)
{
    for (uint32_t i = 0; i < check->count; i++)
        if (check->nodes[i].id == id)
            return &check->nodes[i];
    return NULL;
}

void replica__check_hash(struct replica *r, const struct replica_message *message)
{
    struct replica__checks *checks = &r->checks;
    if (r->role != RAFT_LEADER || message->body.size != REPLICA_HASH_SIZE) {
        r->messages_refused += r->role == RAFT_LEADER;
        return;
    }
    bool under_way = checks->now.index != 0 && message->index == checks->now.index;
    struct replica_check *check = under_way ? &checks->now : &checks->last;
    struct replica_check_node *node = node_find(check, message->from);
    if (message->index > check->index && message->index <= r->applied_index) {
        struct error error;
        if (checks->now.index == 0 && replica__may_judge(r) && check_propose(r, &error) != OK)
            log_warn("replica", "%s", error.message);
        return; /* it goes on to tell this hash until it has the next one */
    }
    if (message->index != check->index || !node) {
        struct replica_message answer = {.type = REPLICA_VERDICT,
                                         .to = message->from,
                                         .index = message->index,
                                         .status = ERR_NOT_FOUND};
        replica__send(r, &answer); /* of a check that nobody waits for */
        return;
    }
    if (!node->answered) {
        node->answered = true;
        memcpy(node->hash, message->body.data, REPLICA_HASH_SIZE);
        if (!under_way)
            node_judge(check, node);
    }
    bool too_early =
        node->id == r->config.id && env_monotonic_us(r->env) - checks->ended_us < OWN_VERDICT_US;
    if (!under_way && !too_early)
        verdict_send(r, node);
}

/* ---- time -------------------------------------------------------------------------------------
 */

/* Nobody who could answer is missing. */
static bool all_answered(const struct replica *r, const struct replica_check *check)
{
    for (uint32_t i = 0; i < check->count; i++) {
        const struct replica_check_node *node = &check->nodes[i];
        bool there = node->id == r->config.id || r->host.reachable(r->host.context, node->id);
        if (!node->answered && there)
            return false;
    }
    return true;
}

void replica__check_tick(struct replica *r, uint64_t now_us)
{
    struct replica__checks *checks = &r->checks;
    replica__check_report(r, now_us);
    if (!replica__may_judge(r) || checks->term != r->term)
        checks->now.index = 0; /* leadership was lost, and perhaps the entry with it */
    if (!replica__may_judge(r))
        return;
    if (checks->now.index == 0) {
        struct error error;
        bool due = r->config.check_us != UINT64_MAX && now_us - r->checked_us >= r->config.check_us;
        if (due && check_propose(r, &error) == OK)
            r->checked_us = now_us;
        return;
    }
    if (!checks->majority_seen && majority_hash(&checks->now)) {
        uint64_t more_us = now_us - checks->begun_us + (uint64_t)TIME_MORE_S * SECOND_US;
        checks->majority_seen = true;
        if (checks->deadline_us > now_us + more_us)
            checks->deadline_us = now_us + more_us;
    }
    if (all_answered(r, &checks->now) || now_us >= checks->deadline_us)
        check_end(r, now_us);
}
