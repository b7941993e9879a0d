/* Clients. Each runs one transaction after another, on any node that is up:
 *
 *     IDLE --read_begin--> READ --answered--> RUN --its steps--> COMMIT --answer--> IDLE
 *                                                                  | node down, outcome unknown
 *                                                                  v
 *                                                                ASK: the same request again, from
 *                                                                any node, until there is an answer
 *
 * What it sees and is told goes to sim_history.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "sim.h"

enum {
    ASKS_MAX = 1000,
    STEPS_MAX = 6,
    MASS_KEYS = 400,
    MASS_WRITES_MAX = 200,
    MASS_SHARE = 25, /* one transaction of so many */
};

enum client_state { CLIENT_IDLE, CLIENT_READ, CLIENT_RUN, CLIENT_COMMIT, CLIENT_ASK };

enum client_kind {
    KIND_REGISTERS, /* reads and writes of any registers, one by one */
    KIND_TRANSFER,  /* from one account to another */
    KIND_COUNT,     /* adds one to a counter, and its name to the counter's list */
    KIND_SCAN,      /* a part of the registers, forward or backward, then a write or a deletion */
    KIND_AUDIT,     /* all accounts, read only */
    KIND_BLIND,     /* writes what it has not read */
    KIND_SKEW,      /* reads two registers, writes one */
    KIND_MASS,      /* many neighbours at once: they come, change or go, some leaves full */
    KIND_TOTAL,
};

struct sim_client {
    struct sim *sim;
    uint32_t number;
    enum client_state state;
    enum client_kind kind;
    uint32_t node, steps, asks;
    bool timer;
    uint64_t sequence, floor;
    struct replica_read read;
    struct replica_commit commit;
    struct txn txn;
    struct sim_attempt *attempt;
};

static void client_timer(void *context);

static void client_later(struct sim_client *client, uint64_t us)
{
    if (client->timer)
        return;
    client->timer = true;
    cluster_after(client->sim->cluster, us, client_timer, client);
}

static void client_rest(struct sim_client *client, enum client_state state)
{
    client->state = state;
    client_later(client, prng_between(&client->sim->prng, 500, 40000));
}

static uint64_t node_now_us(struct sim_client *client)
{
    return env_monotonic_us(env_sim_env(cluster_machine(client->sim->cluster, client->node)));
}

/* Any node that runs; false when there is none. */
static bool node_choose(struct sim_client *client)
{
    struct sim *sim = client->sim;
    uint32_t first = (uint32_t)prng_below(&sim->prng, sim->nodes);
    for (uint32_t i = 0; i < sim->nodes; i++) {
        uint32_t node = (first + i) % sim->nodes;
        if (!cluster_replica(sim->cluster, node) || cluster_node_failed(sim->cluster, node))
            continue;
        client->node = node;
        return true;
    }
    return false;
}

/* ---- one transaction ------------------------------------------------------------------------ */

static struct sim_look *look_add(struct sim_client *client)
{
    struct sim_attempt *attempt = client->attempt;
    attempt->looks = vec_grow(attempt->looks, &attempt->look_capacity, attempt->look_count + 1,
                              sizeof *attempt->looks);
    struct sim_look *look = &attempt->looks[attempt->look_count++];
    *look = (struct sim_look){.write_count = attempt->write_count};
    return look;
}

static void read_failed(struct sim_client *client, const char *what, const struct error *error)
{
    if (!sim_disk_met_damage(client->sim, client->node, error))
        sim_fail(client->sim, "%s: %s", what, error->message);
}

static struct slice key_make(char key[SIM_KEY_MAX], char kind, uint64_t number)
{
    int size = snprintf(key, SIM_KEY_MAX, "%c/%02u", kind, (unsigned)number);
    ASSERT(size == 4);
    return slice_make(key, 4);
}

static bool client_get(struct sim_client *client, struct slice key, struct slice *value)
{
    struct error error;
    struct sim_look *look = look_add(client);
    buffer_append_slice(&look->low, key);
    status_t status = txn_get(&client->txn, key, value, &error);
    if (status != OK && status != ERR_NOT_FOUND)
        read_failed(client, "get", &error);
    sim_seen(&look->seen, key, status == OK, status == OK ? *value : (struct slice){0});
    return status == OK;
}

static void client_scan(struct sim_client *client, struct slice low, struct slice high,
                        bool reverse, uint32_t limit)
{
    struct sim_look *look = look_add(client);
    look->scan = true;
    look->reverse = reverse;
    look->limit = limit;
    buffer_append_slice(&look->low, low);
    buffer_append_slice(&look->high, high);
    struct txn_scan scan;
    struct error error;
    status_t status = txn_scan_open(&client->txn, &scan, low, high, reverse, &error);
    for (uint32_t i = 0; status == OK && i < limit; i++) {
        struct slice key, value;
        status = txn_scan_next(&scan, &key, &value, &error);
        if (status == OK)
            sim_seen(&look->seen, key, true, value);
    }
    if (status != OK && status != ERR_NOT_FOUND)
        read_failed(client, "scan", &error);
    txn_scan_close(&scan);
}

static void client_put(struct sim_client *client, struct slice key, struct slice value,
                       bool tombstone)
{
    struct sim_attempt *attempt = client->attempt;
    attempt->writes = vec_grow(attempt->writes, &attempt->write_capacity, attempt->write_count + 1,
                               sizeof *attempt->writes);
    struct sim_write *write = &attempt->writes[attempt->write_count++];
    *write = (struct sim_write){.tombstone = tombstone};
    buffer_append_slice(&write->key, key);
    buffer_append_slice(&write->value, value);
    status_t status = txn_write(&client->txn, key, tombstone ? NULL : &value);
    if (status != OK)
        sim_fail(client->sim, "write: %s", status_name(status));
}

/* A value that nobody else writes; now and then one that fills pages. */
static void put_new(struct sim_client *client, struct slice key)
{
    struct buffer value = {0};
    buffer_printf(&value, "c%02u.%" PRIu64 ".%u", client->number, client->sequence,
                  client->attempt->write_count);
    if (prng_chance(&client->sim->prng, 1, 40)) {
        uint64_t size = prng_between(&client->sim->prng, 1000, 12000);
        while (value.size < size)
            buffer_append_byte(&value, '.');
    }
    client_put(client, key, buffer_slice(&value), false);
    buffer_free(&value);
}

static long number_of(struct slice value)
{
    char text[24] = {0};
    memcpy(text, value.data, value.size < sizeof text - 1 ? value.size : sizeof text - 1);
    return strtol(text, NULL, 10);
}

static void put_number(struct sim_client *client, struct slice key, long number)
{
    char text[48];
    snprintf(text, sizeof text, "%ld c%02u.%" PRIu64, number, client->number, client->sequence);
    client_put(client, key, slice_from_string(text), false);
}

static void transfer(struct sim_client *client)
{
    struct prng *prng = &client->sim->prng;
    char key[2][SIM_KEY_MAX];
    uint64_t one = prng_below(prng, SIM_ACCOUNTS);
    uint64_t other = (one + 1 + prng_below(prng, SIM_ACCOUNTS - 1)) % SIM_ACCOUNTS;
    struct slice from = key_make(key[0], 'a', one), to = key_make(key[1], 'a', other);
    struct slice value = {0};
    if (!client_get(client, from, &value)) {
        /* Nobody has opened the accounts yet. */
        for (uint32_t i = 0; i < SIM_ACCOUNTS; i++)
            put_number(client, key_make(key[0], 'a', i), SIM_ACCOUNT_START);
        return;
    }
    long amount = (long)prng_between(prng, 1, 20);
    long have = number_of(value);
    if (!client_get(client, to, &value)) {
        if (client->sim->damage[client->node] != SIM_LOST)
            sim_fail(client->sim, "account %.4s is missing", key[1]);
        return;
    }
    long had = number_of(value);
    put_number(client, from, have - amount);
    put_number(client, to, had + amount);
}

static void count(struct sim_client *client)
{
    char key[SIM_KEY_MAX];
    struct slice value = {0};
    struct slice at = key_make(key, 'n', prng_below(&client->sim->prng, SIM_COUNTERS));
    long number = client_get(client, at, &value) ? number_of(value) : 0;
    put_number(client, at, number + 1);
}

static void scan(struct sim_client *client)
{
    struct prng *prng = &client->sim->prng;
    char low[SIM_KEY_MAX], high[SIM_KEY_MAX], key[SIM_KEY_MAX];
    uint64_t from = prng_below(prng, SIM_REGISTERS);
    struct slice end = key_make(high, 'r', prng_between(prng, from, SIM_REGISTERS));
    if (prng_chance(prng, 1, 4))
        end = (struct slice){0};
    uint32_t limit = prng_chance(prng, 1, 3) ? (uint32_t)prng_between(prng, 1, 4) : UINT32_MAX;
    client_scan(client, key_make(low, 'r', from), end, prng_chance(prng, 1, 2), limit);
    struct slice to = key_make(key, 'r', prng_below(prng, SIM_REGISTERS));
    if (prng_chance(prng, 1, 2))
        client_put(client, to, (struct slice){0}, true);
    else
        put_new(client, to);
}

static struct slice mass_key(char key[SIM_KEY_MAX], uint64_t number)
{
    int size = snprintf(key, SIM_KEY_MAX, "m/%03u", (unsigned)number);
    ASSERT(size == 5);
    return slice_make(key, 5);
}

/* What was there is looked at first, or not; then it goes, or something takes its place, of one
 * size or of any. */
static void mass(struct sim_client *client)
{
    struct prng *prng = &client->sim->prng;
    char key[SIM_KEY_MAX], end[SIM_KEY_MAX];
    uint64_t from = prng_below(prng, MASS_KEYS), to = from + prng_below(prng, MASS_WRITES_MAX);
    uint64_t removed = prng_chance(prng, 1, 3) ? 100 : prng_below(prng, 50);
    uint64_t wide = prng_chance(prng, 1, 2) ? 0 : prng_below(prng, 200);
    if (prng_chance(prng, 1, 2))
        client_scan(client, mass_key(key, from), mass_key(end, to + 1), prng_chance(prng, 1, 2),
                    prng_chance(prng, 1, 3) ? (uint32_t)prng_between(prng, 1, 20) : UINT32_MAX);
    for (uint64_t i = from; i <= to && i < MASS_KEYS; i++) {
        struct buffer value = {0};
        bool goes = prng_chance(prng, removed, 100);
        if (!goes)
            buffer_printf(&value, "c%02u.%07" PRIu64 ".%03u", client->number, client->sequence,
                          client->attempt->write_count);
        for (uint64_t more = wide ? prng_below(prng, wide) : 0; more > 0 && !goes; more--)
            buffer_append_byte(&value, '.');
        client_put(client, mass_key(key, i), buffer_slice(&value), goes);
        buffer_free(&value);
    }
}

static struct slice any_register(struct sim_client *client, char key[SIM_KEY_MAX])
{
    return key_make(key, 'r', prng_below(&client->sim->prng, SIM_REGISTERS));
}

/* One step; the transaction ends after its last. */
static void client_work(struct sim_client *client)
{
    struct prng *prng = &client->sim->prng;
    char key[SIM_KEY_MAX];
    struct slice value = {0};
    switch (client->kind) {
    case KIND_REGISTERS:
        if (prng_chance(prng, 1, 2))
            (void)client_get(client, any_register(client, key), &value);
        else
            put_new(client, any_register(client, key));
        return;
    case KIND_TRANSFER:
        transfer(client);
        break;
    case KIND_COUNT:
        count(client);
        break;
    case KIND_SCAN:
        scan(client);
        return;
    case KIND_AUDIT:
        client_scan(client, slice_from_string("a/"), slice_from_string("a0"),
                    prng_chance(prng, 1, 2), UINT32_MAX);
        break;
    case KIND_BLIND:
        put_new(client, any_register(client, key));
        return;
    case KIND_SKEW:
        (void)client_get(client, any_register(client, key), &value);
        (void)client_get(client, any_register(client, key), &value);
        put_new(client, any_register(client, key));
        break;
    case KIND_MASS:
        mass(client);
        break;
    case KIND_TOTAL:
        UNREACHABLE();
    }
    client->steps = 0;
}

/* ---- its life ------------------------------------------------------------------------------- */

static void on_read(struct replica_read *read, status_t status)
{
    struct sim_client *client = read->context;
    ASSERT(client->state == CLIENT_READ);
    if (status != OK) {
        client_rest(client, CLIENT_IDLE);
        return;
    }
    struct error error;
    status = replica_txn_begin(cluster_replica(client->sim->cluster, client->node), &client->txn,
                               client->kind == KIND_AUDIT, &error);
    if (status != OK) {
        client_rest(client, CLIENT_IDLE);
        return;
    }
    client->sequence++;
    client->attempt = mem_zalloc(1, sizeof *client->attempt);
    client->attempt->client = client->number;
    client->attempt->sequence = client->sequence;
    client->attempt->floor = client->floor;
    client->attempt->read_version = client->txn.view.version;
    client_rest(client, CLIENT_RUN);
}

static void client_begin(struct sim_client *client)
{
    struct sim *sim = client->sim;
    if (sim->ending)
        return;
    if (!node_choose(client)) {
        client_rest(client, CLIENT_IDLE);
        return;
    }
    client->state = CLIENT_READ;
    client->kind = prng_chance(&sim->prng, 1, MASS_SHARE)
                       ? KIND_MASS
                       : (enum client_kind)prng_below(&sim->prng, KIND_MASS);
    client->steps = (uint32_t)prng_between(&sim->prng, 1, STEPS_MAX);
    client->floor = sim->acknowledged;
    client->read =
        (struct replica_read){.done = on_read,
                              .context = client,
                              .deadline_us = node_now_us(client) + client->sim->patience_us};
    replica_read_begin(cluster_replica(sim->cluster, client->node), &client->read);
    cluster_wake(sim->cluster, client->node);
}

static void attempt_done(struct sim_client *client, uint64_t version)
{
    client->attempt->version = version;
    sim_finish(client->sim, client->attempt);
    client->attempt = NULL;
    client_rest(client, CLIENT_IDLE);
}

static void attempt_drop(struct sim_client *client, enum client_state state)
{
    sim_attempt_free(client->attempt);
    client->attempt = NULL;
    client_rest(client, state);
}

static void on_commit(struct replica_commit *commit, status_t status)
{
    struct sim_client *client = commit->context;
    struct sim *sim = client->sim;
    ASSERT(client->state == CLIENT_COMMIT);
    cluster_trace(sim->cluster, "told c%02u.%" PRIu64 " %s version=%" PRIu64, client->number,
                  client->sequence, status_name(status), commit->version);
    if (status == OK) {
        sim->commits++;
        attempt_done(client, commit->version);
    } else if (status == ERR_OUTCOME_UNKNOWN) {
        client_rest(client, CLIENT_ASK);
    } else {
        sim->refusals++;
        sim_told_refused(sim, client->number, client->sequence);
        attempt_drop(client, CLIENT_IDLE);
    }
}

static void client_send(struct sim_client *client)
{
    struct sim *sim = client->sim;
    client->state = CLIENT_COMMIT;
    client->asks++;
    client->commit.done = on_commit;
    client->commit.context = client;
    client->commit.asked_before = client->asks > 1;
    client->commit.deadline_us = node_now_us(client) + client->sim->patience_us;
    client->commit.quorum_deadline_us = node_now_us(client) + client->sim->patience_us / 3;
    cluster_trace(sim->cluster, "send c%02u.%" PRIu64 " on %u, time %u", client->number,
                  client->sequence, client->node + 1, client->asks);
    replica_commit_begin(cluster_replica(sim->cluster, client->node), &client->commit);
    cluster_wake(sim->cluster, client->node);
}

static void client_commit(struct sim_client *client)
{
    if (!txn_has_writes(&client->txn)) {
        txn_free(&client->txn);
        client->sim->reads++;
        attempt_done(client, 0);
        return;
    }
    char origin[4], reply[24];
    snprintf(origin, sizeof origin, "c%02u", client->number);
    snprintf(reply, sizeof reply, "%" PRIu64, client->sequence);
    struct txn_id id = {.origin = slice_from_string(origin), .sequence = client->sequence};
    buffer_reset(&client->commit.request);
    status_t status =
        txn_request_encode(&client->txn, id, slice_from_string(reply), &client->commit.request);
    ASSERT(status == OK);
    txn_free(&client->txn);
    client->asks = 0;
    client_send(client);
}

/* Again, until there is an answer. */
static void client_ask(struct sim_client *client)
{
    if (client->asks >= ASKS_MAX) {
        client->sim->unknown++;
        if (!client->sim->clocks_jumped)
            sim_fail(client->sim, "the outcome of c%02u.%" PRIu64 " is never told", client->number,
                     client->sequence);
        attempt_drop(client, CLIENT_IDLE);
    } else if (node_choose(client)) {
        client_send(client);
    } else {
        client_rest(client, CLIENT_ASK);
    }
}

static void client_timer(void *context)
{
    struct sim_client *client = context;
    client->timer = false;
    switch (client->state) {
    case CLIENT_IDLE:
        client_begin(client);
        break;
    case CLIENT_ASK:
        client_ask(client);
        break;
    case CLIENT_RUN:
        if (client->steps > 0) {
            client->steps--;
            client_work(client);
            client_rest(client, CLIENT_RUN);
        } else {
            client_commit(client);
        }
        break;
    case CLIENT_READ:
    case CLIENT_COMMIT:
        break;
    }
}

void sim_clients_down(struct sim *sim, uint32_t node)
{
    for (uint32_t i = 0; i < sim->client_count; i++) {
        struct sim_client *client = sim->clients[i];
        if (client->node != node)
            continue;
        struct replica *replica = cluster_replica(sim->cluster, node);
        if (client->state == CLIENT_READ) {
            replica_read_cancel(replica, &client->read);
            client_rest(client, CLIENT_IDLE);
        } else if (client->state == CLIENT_RUN) {
            txn_free(&client->txn);
            attempt_drop(client, CLIENT_IDLE);
        } else if (client->state == CLIENT_COMMIT) {
            replica_commit_abandon(replica, &client->commit);
            client_rest(client, CLIENT_ASK);
        }
    }
}

void sim_clients_start(struct sim *sim, uint32_t count)
{
    ASSERT(count <= SIM_CLIENTS_MAX);
    sim->client_count = count;
    for (uint32_t i = 0; i < count; i++) {
        sim->clients[i] = mem_zalloc(1, sizeof *sim->clients[i]);
        sim->clients[i]->sim = sim;
        sim->clients[i]->number = i;
        client_rest(sim->clients[i], CLIENT_IDLE);
    }
}

void sim_clients_free(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->client_count; i++) {
        struct sim_client *client = sim->clients[i];
        if (client->attempt)
            sim_attempt_free(client->attempt);
        buffer_free(&client->commit.request);
        mem_free(client);
    }
}

bool sim_clients_idle(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->client_count; i++)
        if (sim->clients[i]->state != CLIENT_IDLE)
            return false;
    return true;
}

void sim_clients_describe(struct sim *sim, struct buffer *out)
{
    static const char *const names[] = {"idle", "reads", "runs", "commits", "asks"};
    for (uint32_t i = 0; i < sim->client_count; i++) {
        const struct sim_client *client = sim->clients[i];
        if (client->state != CLIENT_IDLE)
            buffer_printf(out, " c%02u.%" PRIu64 " %s on %u;", i, client->sequence,
                          names[client->state], client->node + 1);
    }
}
