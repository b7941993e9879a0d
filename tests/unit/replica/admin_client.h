/* Requests to change a simulated cluster; as replica_client.h. */
#ifndef ADMIN_CLIENT_H
#define ADMIN_CLIENT_H

#include "replica_client.h"

/* One at a time, on one node. */
struct admin {
    struct cluster *cluster;
    struct replica_admin request;
    bool done;
    status_t status;
};

/* Begins it on `node`; it may be waited for, or left behind with admin_cancel. */
void admin_start(struct admin *admin, struct cluster *cluster, uint32_t node,
                 enum replica_admin_type type, struct replica_member member, uint64_t us);
status_t admin_wait(struct admin *admin);
/* Both; *admin (may be NULL) gets the answers. */
status_t admin_ask(struct cluster *cluster, uint32_t node, enum replica_admin_type type,
                   struct replica_member member, struct replica_admin *answer);
/* The uid of the node's directory, which is made if it is not there; the node is down. */
uint64_t node_uid(struct cluster *cluster, uint32_t node);
/* Adds a node that is down through `at` and starts it. */
void node_join(struct cluster *cluster, uint32_t node, uint32_t at, bool voter);
/* Lets the cluster run until the membership in effect at `at` has it as a voter. */
void voter_wait(struct cluster *cluster, uint32_t node, uint32_t at);
/* ... until the node has stopped itself; its message begins so. */
void failure_wait(struct cluster *cluster, uint32_t node, const char *message);
struct replica_members members_of(struct cluster *cluster, uint32_t node);

#endif
