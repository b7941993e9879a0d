/* Clients of a simulated cluster, and short ways to ask it things; for tests that read like a list
 * of what happens. Failures are cmocka's. */
#ifndef REPLICA_CLIENT_H
#define REPLICA_CLIENT_H

#include "cluster.h"
#include "replica/replica_int.h"

enum { SECOND_US = 1000000, PATIENCE_US = 20 * SECOND_US };

/* Of the last call that was given it. */
extern struct error test_error;

#define assert_ok(call) assert_ok_at(call, __LINE__)

/* One at a time, on one node; it waits for its answers by letting the cluster run. */
struct client {
    struct cluster *cluster;
    uint32_t node;
    const char *origin;
    uint64_t sequence;
    struct txn txn;
    struct replica_read read;
    struct replica_commit commit;
    bool done;
    status_t status;
};

void assert_ok_at(status_t status, int line);
struct slice text(const char *bytes);
struct client client_on(struct cluster *cluster, uint32_t node, const char *origin);
void client_read_start(struct client *client, uint64_t us);
status_t client_wait(struct client *client);
status_t client_read(struct client *client);
void client_begin(struct client *client);
void client_write(struct client *client, const char *key, const char *value);
void client_expect(struct client *client, const char *key, const char *expected);
void client_request(struct client *client, const char *reply);
void client_commit_start(struct client *client, uint32_t node, uint64_t us);
status_t client_commit(struct client *client, const char *reply);
void cluster_put(struct cluster *cluster, uint32_t node, const char *key, const char *value);
void cluster_expect(struct cluster *cluster, uint32_t node, const char *key, const char *value);
struct cluster_config cluster_plain(uint32_t nodes);
struct cluster *cluster_of(uint32_t nodes);
uint32_t cluster_leader_wait(struct cluster *cluster);
struct replica_status cluster_status(struct cluster *cluster, uint32_t node);

#endif
