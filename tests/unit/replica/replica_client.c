#include "replica_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct error test_error;

void assert_ok_at(status_t status, int line)
{
    if (status != OK)
        fail_msg("line %d: %s: %s", line, status_name(status), test_error.message);
}

struct slice text(const char *bytes)
{
    return slice_from_string(bytes);
}

/* ---- a client ------------------------------------------------------------------------------- */

static void read_done(struct replica_read *read, status_t status)
{
    struct client *client = read->context;
    client->done = true;
    client->status = status;
}

static void commit_done(struct replica_commit *commit, status_t status)
{
    struct client *client = commit->context;
    client->done = true;
    client->status = status;
}

static bool client_done(void *context)
{
    return ((struct client *)context)->done;
}

struct client client_on(struct cluster *cluster, uint32_t node, const char *origin)
{
    return (struct client){.cluster = cluster, .node = node, .origin = origin};
}

void client_read_start(struct client *client, uint64_t us)
{
    client->done = false;
    client->read = (struct replica_read){
        .done = read_done,
        .context = client,
        .deadline_us =
            env_monotonic_us(env_sim_env(cluster_machine(client->cluster, client->node))) + us};
    replica_read_begin(cluster_replica(client->cluster, client->node), &client->read);
    cluster_wake(client->cluster, client->node);
}

status_t client_wait(struct client *client)
{
    assert_true(cluster_run_until(client->cluster, PATIENCE_US, client_done, client));
    return client->status;
}

status_t client_read(struct client *client)
{
    client_read_start(client, PATIENCE_US / 2);
    return client_wait(client);
}

void client_begin(struct client *client)
{
    assert_ok(client_read(client));
    assert_ok(replica_txn_begin(cluster_replica(client->cluster, client->node), &client->txn, false,
                                &test_error));
}

void client_write(struct client *client, const char *key, const char *value)
{
    struct slice bytes = text(value ? value : "");
    assert_ok(txn_write(&client->txn, text(key), value ? &bytes : NULL));
}

void client_expect(struct client *client, const char *key, const char *expected)
{
    struct slice value;
    status_t status = txn_get(&client->txn, text(key), &value, &test_error);
    if (!expected) {
        assert_int_equal(status, ERR_NOT_FOUND);
        return;
    }
    assert_ok(status);
    assert_true(slice_equal(value, text(expected)));
}

void client_request(struct client *client, const char *reply)
{
    struct txn_id id = {.origin = text(client->origin), .sequence = ++client->sequence};
    buffer_reset(&client->commit.request);
    assert_ok(txn_request_encode(&client->txn, id, text(reply), &client->commit.request));
    txn_free(&client->txn);
}

/* Sends the request made last, from any node. */
void client_commit_start(struct client *client, uint32_t node, uint64_t us)
{
    client->done = false;
    client->commit.done = commit_done;
    client->commit.context = client;
    client->commit.deadline_us =
        env_monotonic_us(env_sim_env(cluster_machine(client->cluster, node))) + us;
    client->commit.quorum_deadline_us = client->commit.deadline_us;
    replica_commit_begin(cluster_replica(client->cluster, node), &client->commit);
    cluster_wake(client->cluster, node);
}

status_t client_commit(struct client *client, const char *reply)
{
    client_request(client, reply);
    client_commit_start(client, client->node, PATIENCE_US / 2);
    return client_wait(client);
}

void cluster_put(struct cluster *cluster, uint32_t node, const char *key, const char *value)
{
    static uint64_t sequence;
    struct client client = client_on(cluster, node, "putter");
    client.sequence = sequence++;
    client_begin(&client);
    client_write(&client, key, value);
    assert_int_equal(client_commit(&client, ""), OK);
    buffer_free(&client.commit.request);
}

void cluster_expect(struct cluster *cluster, uint32_t node, const char *key, const char *value)
{
    struct client client = client_on(cluster, node, "reader");
    client_begin(&client);
    client_expect(&client, key, value);
    txn_free(&client.txn);
}

/* ---- the cluster ---------------------------------------------------------------------------- */

struct cluster_config cluster_plain(uint32_t nodes)
{
    return (struct cluster_config){.seed = 11,
                                   .nodes = nodes,
                                   .delay_us_min = 200,
                                   .delay_us_max = 400,
                                   .log_us_min = 500,
                                   .log_us_max = 900,
                                   .checkpoint_us_min = 3000,
                                   .checkpoint_us_max = 9000};
}

struct cluster *cluster_of(uint32_t nodes)
{
    struct cluster_config config = cluster_plain(nodes);
    return cluster_create(&config);
}

static bool has_leader(void *context)
{
    return cluster_leader(context) >= 0;
}

uint32_t cluster_leader_wait(struct cluster *cluster)
{
    assert_true(cluster_run_until(cluster, PATIENCE_US, has_leader, cluster));
    return (uint32_t)cluster_leader(cluster);
}

struct replica_status cluster_status(struct cluster *cluster, uint32_t node)
{
    struct replica_status status;
    replica_status(cluster_replica(cluster, node), &status);
    return status;
}
