/* What clients were told, held against what the log says.
 *
 *   1. A transaction that reads at version R saw exactly the model's state at R, with its own
 *      writes on top.
 *   2. One that committed at C would have seen the same just before C: running all of them in the
 *      order of their versions gives the same history (serializable).
 *   3. R is at least as new as everything acknowledged to anyone before it began (strict). C is
 *      greater than R.
 *   4. What was acknowledged at C is in the log once, at C; what was refused never is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "replica/replica_int.h"
#include "sim.h"

void sim_history_free(struct sim *sim)
{
    while (sim->finished) {
        struct sim_attempt *next = sim->finished->next;
        sim_attempt_free(sim->finished);
        sim->finished = next;
    }
    for (uint32_t i = 0; i < SIM_CLIENTS_MAX; i++)
        mem_free(sim->verdicts[i].items);
    uint32_t place = 0;
    struct slice origin;
    void *value;
    while (map_next(&sim->others, &place, &origin, &value))
        mem_free(value);
    map_free(&sim->others);
    sim_model_free(&sim->model);
}

struct sim_verdict *sim_verdict_of(struct sim *sim, uint32_t client, uint64_t sequence)
{
    ASSERT(client < sim->client_count && sequence < UINT32_MAX);
    struct sim_verdicts *of = &sim->verdicts[client];
    while (of->count <= sequence) {
        of->items = vec_grow(of->items, &of->capacity, of->count + 1, sizeof *of->items);
        of->items[of->count++] = (struct sim_verdict){0};
    }
    return &of->items[sequence];
}

void sim_attempt_free(struct sim_attempt *attempt)
{
    for (uint32_t i = 0; i < attempt->look_count; i++) {
        buffer_free(&attempt->looks[i].low);
        buffer_free(&attempt->looks[i].high);
        buffer_free(&attempt->looks[i].seen);
    }
    for (uint32_t i = 0; i < attempt->write_count; i++) {
        buffer_free(&attempt->writes[i].key);
        buffer_free(&attempt->writes[i].value);
    }
    mem_free(attempt->looks);
    mem_free(attempt->writes);
    mem_free(attempt);
}

/* ---- the log -------------------------------------------------------------------------------- */

static void effect_write(struct sim *sim, const struct txn_effect *effect)
{
    struct txn_write_cursor cursor;
    struct slice key, value;
    bool tombstone;
    txn_writes_begin(effect->writes, &cursor);
    while (txn_writes_next(&cursor, &key, &value, &tombstone))
        sim_model_write(&sim->model, key, effect->version, value, tombstone);
}

/* Of a client here: its origin is "c" and two digits. Each sequence is used once. */
static bool client_effect_counts(struct sim *sim, const struct txn_effect *effect, bool refusal)
{
    uint32_t client = (uint32_t)(effect->id.origin.data[1] - '0') * 10 +
                      (uint32_t)(effect->id.origin.data[2] - '0');
    uint64_t sequence = effect->id.sequence;
    struct sim_verdict *verdict = sim_verdict_of(sim, client, sequence);
    if (sequence <= sim->verdicts[client].last)
        return false; /* a second copy: it changes nothing */
    sim->verdicts[client].last = sequence;
    if (refusal)
        return false;
    verdict->log_version = effect->version;
    if (verdict->told_refused)
        sim_fail(sim, "c%02u.%" PRIu64 " was refused, but committed at version %" PRIu64, client,
                 sequence, effect->version);
    return true;
}

/* Of a SQL session or request (exactly once, txn.h): a sequence that was refused may come again. */
static bool other_effect_counts(struct sim *sim, const struct txn_effect *effect, bool refusal)
{
    struct sim_origin *origin = map_get(&sim->others, effect->id.origin);
    if (!origin) {
        origin = mem_zalloc(1, sizeof *origin);
        (void)map_put(&sim->others, effect->id.origin, origin);
    }
    uint64_t sequence = effect->id.sequence;
    if (sequence < origin->last || (sequence == origin->last && !origin->refused))
        return false;
    origin->last = sequence;
    origin->refused = refusal;
    return !refusal;
}

static void effect_take(struct sim *sim, uint64_t index, const struct txn_effect *effect,
                        bool refusal)
{
    if (effect->version <= sim->model.version)
        sim_fail(sim, "entry %" PRIu64 " has version %" PRIu64 " after %" PRIu64, index,
                 effect->version, sim->model.version);
    sim->model.version = effect->version;
    struct slice origin = effect->id.origin;
    bool counts = origin.size == 3 && origin.data[0] == 'c'
                      ? client_effect_counts(sim, effect, refusal)
                      : other_effect_counts(sim, effect, refusal);
    if (counts)
        effect_write(sim, effect);
}

static void members_take(struct sim *sim, const struct raft_entry *entry)
{
    if (raft_members_decode(entry->data, &sim->members) != OK) {
        sim_fail(sim, "membership %" PRIu64 " cannot be decoded", entry->index);
        return;
    }
    struct buffer text = {0};
    for (uint32_t i = 0; i < sim->members.count; i++)
        buffer_printf(&text, " %" PRIu64 "%s", sim->members.items[i].id,
                      sim->members.items[i].voter ? "" : " (learner)");
    buffer_append_byte(&text, '\0');
    cluster_note(sim->cluster, "members from %" PRIu64 " on:%s", entry->index,
                 (const char *)text.data);
    buffer_free(&text);
}

void sim_entry(struct sim *sim, const struct raft_entry *entry)
{
    struct slice data = entry->data;
    if (entry->type == RAFT_ENTRY_MEMBERS) {
        members_take(sim, entry);
        return;
    }
    bool refusal = data.size && data.data[0] == REPLICA_ENTRY_REFUSAL;
    if (data.size == 0 || (data.data[0] != REPLICA_ENTRY_EFFECT && !refusal))
        return;
    struct txn_effect effect;
    if (txn_effect_decode(slice_make(data.data + 1, data.size - 1), &effect) != OK)
        sim_fail(sim, "entry %" PRIu64 " cannot be decoded", entry->index);
    else
        effect_take(sim, entry->index, &effect, refusal);
}

/* ---- the clients ---------------------------------------------------------------------------- */

void sim_told_refused(struct sim *sim, uint32_t client, uint64_t sequence)
{
    struct sim_verdict *verdict = sim_verdict_of(sim, client, sequence);
    verdict->told_refused = true;
    if (verdict->log_version)
        sim_fail(sim, "c%02u.%" PRIu64 " was refused, but had committed at version %" PRIu64,
                 client, sequence, verdict->log_version);
}

void sim_finish(struct sim *sim, struct sim_attempt *attempt)
{
    uint64_t version = attempt->version ? attempt->version : attempt->read_version;
    if (version > sim->acknowledged)
        sim->acknowledged = version;
    attempt->next = sim->finished;
    sim->finished = attempt;
}

static void look_check(struct sim *sim, const struct sim_attempt *attempt,
                       const struct sim_look *look, uint64_t version, const char *when)
{
    struct buffer expected = {0};
    struct slice low = buffer_slice(&look->low);
    if (look->scan)
        sim_model_scan(&sim->model, low, buffer_slice(&look->high), look->reverse, look->limit,
                       version, attempt->writes, look->write_count, &expected);
    else
        sim_model_get(&sim->model, low, version, attempt->writes, look->write_count, &expected);
    if (!slice_equal(buffer_slice(&expected), buffer_slice(&look->seen)))
        sim_fail(sim,
                 "c%02u.%" PRIu64 " (read at %" PRIu64 ", committed at %" PRIu64 ") %s %.*s: saw "
                 "\"%.150s\", %s it was \"%.150s\"",
                 attempt->client, attempt->sequence, attempt->read_version, attempt->version,
                 look->scan ? "scanned from" : "read", (int)low.size, (const char *)low.data,
                 look->seen.size ? (const char *)look->seen.data : "", when,
                 expected.size ? (const char *)expected.data : "");
    buffer_free(&expected);
}

/* Accounts only change by transfers, so every look at all of them gives the same sum. */
static void sum_check(struct sim *sim, const struct sim_attempt *attempt,
                      const struct sim_look *look)
{
    if (!look->scan || look->write_count || look->limit != UINT32_MAX || look->low.data[0] != 'a' ||
        look->seen.size <= 1)
        return;
    long sum = 0;
    const char *at = (const char *)look->seen.data;
    while ((at = strchr(at, '=')) != NULL)
        sum += strtol(++at, NULL, 10);
    if (sum != SIM_ACCOUNTS * SIM_ACCOUNT_START)
        sim_fail(sim, "c%02u.%" PRIu64 " found %ld in all accounts", attempt->client,
                 attempt->sequence, sum);
}

static void attempt_check(struct sim *sim, struct sim_attempt *attempt)
{
    if (attempt->read_version < attempt->floor)
        sim_fail(sim, "c%02u.%" PRIu64 " reads at %" PRIu64 ", but %" PRIu64 " was known before",
                 attempt->client, attempt->sequence, attempt->read_version, attempt->floor);
    for (uint32_t i = 0; i < attempt->look_count; i++) {
        buffer_append_byte(&attempt->looks[i].seen, '\0');
        attempt->looks[i].seen.size--;
        look_check(sim, attempt, &attempt->looks[i], attempt->read_version, "at its read version");
        sum_check(sim, attempt, &attempt->looks[i]);
    }
    if (attempt->version == 0)
        return;
    if (attempt->version <= attempt->read_version)
        sim_fail(sim, "c%02u.%" PRIu64 " committed at %" PRIu64 ", read at %" PRIu64,
                 attempt->client, attempt->sequence, attempt->version, attempt->read_version);
    for (uint32_t i = 0; i < attempt->look_count; i++)
        look_check(sim, attempt, &attempt->looks[i], attempt->version - 1, "before its commit");
    struct sim_verdict *verdict = sim_verdict_of(sim, attempt->client, attempt->sequence);
    verdict->told_version = attempt->version;
    if (verdict->log_version != attempt->version)
        sim_fail(sim,
                 "c%02u.%" PRIu64 " was told it committed at %" PRIu64 ", the log says %" PRIu64,
                 attempt->client, attempt->sequence, attempt->version, verdict->log_version);
}

void sim_finished_check(struct sim *sim)
{
    while (sim->finished) {
        struct sim_attempt *attempt = sim->finished;
        sim->finished = attempt->next;
        attempt_check(sim, attempt);
        sim_attempt_free(attempt);
    }
}
