/* A cluster of rafts in one process for tests: disks, a network and crashes in memory, nothing
 * happens unless asked for. Observers see what a node says and does, so checkers stay apart from
 * the code. */
#ifndef TESTS_RAFT_CLUSTER_H
#define TESTS_RAFT_CLUSTER_H

#include "base/prng.h"
#include "raft/raft.h"

#define CLUSTER_NODES_MAX 7

struct disk {
    struct raft_hard_state hard_state;
    uint64_t base, base_term;   /* the entry before the oldest held; 0/0: nothing was dropped */
    struct raft_entry *entries; /* entries[i] has index base + i + 1; bytes owned */
    uint32_t count, capacity;
    uint64_t reads; /* calls of entries(), for tests of the memory */
};

struct applied_entry {
    uint64_t index, term;
    uint64_t hash;
};

struct node {
    struct cluster *cluster;
    uint64_t id;
    struct raft *raft; /* NULL: down */
    struct disk disk;
    struct raft_ready *bundles; /* with the log, not yet durable */
    uint32_t bundle_count, bundle_capacity;
    struct applied_entry *applied; /* applied[i] has index i + 1 */
    uint32_t applied_count, applied_capacity;
    uint32_t applied_acked;     /* told to raft */
    struct raft_ready *batches; /* with the state machine: committed entries not acknowledged */
    uint32_t batch_count, batch_capacity;
    uint64_t starts;
    bool joins; /* was no member when the cluster began */
};

/* A message on its way, with entries of its own. */
struct parcel {
    struct raft_message m;
    struct arena arena;
};

struct cluster_observer {
    void *context;
    void (*sent)(void *context, struct node *node, const struct raft_message *m);
    void (*bundle)(void *context, struct node *node, const struct raft_ready *ready);
    void (*applied)(void *context, struct node *node, const struct raft_entry *entry);
    void (*read)(void *context, struct node *node, const struct raft_read_state *read);
};

struct cluster {
    struct node nodes[CLUSTER_NODES_MAX]; /* id - 1 */
    uint32_t count;
    struct raft_config config; /* but for id, seed, members and applied */
    /* What was ever applied, by index; the first one is what the cluster began with. State machines
     * know from it which members are those of a place in the log. */
    struct raft_members *memberships;
    uint32_t membership_count, membership_capacity;
    uint64_t seed;
    struct parcel **network; /* oldest first */
    uint32_t network_count, network_capacity;
    struct cluster_observer observer;
    bool ack_apply;       /* raft_applied at once */
    bool break_ack_early; /* sends messages_after_persist before the write: a broken owner */
};

/* The last entry held, or the one before the oldest. */
uint64_t disk_last_index(const struct disk *disk);
/* 0: not known there (any more). */
uint64_t disk_term_at(const struct disk *disk, uint64_t index);
/* The bytes are copied. */
void disk_append(struct disk *disk, const struct raft_entry *entry);
/* All nodes are voters. */
void cluster_init(struct cluster *c, uint32_t count, const struct raft_config *config,
                  uint64_t seed);
/* Nodes 1 to `voters` are the voters; the others, up to `count`, wait to be told. */
void cluster_init_some(struct cluster *c, uint32_t count, uint32_t voters,
                       const struct raft_config *config, uint64_t seed);
/* The members as of what was applied up to `index`, for a node that was there from the start or was
 * brought a state. */
const struct raft_members *cluster_members_at(const struct cluster *c, uint64_t index);
void cluster_free(struct cluster *c);
struct node *cluster_node(struct cluster *c, uint64_t id);
void node_start(struct node *node);
/* Power off: of the bundles with the log the first `bundles_kept` reached the disk, unanswered. The
 * state machine comes back with `applied_kept` entries, or as near as can be: not with what is not
 * durable, and with all that the log has no longer. */
void node_crash(struct node *node, uint32_t bundles_kept, uint32_t applied_kept);
/* To be followed by node_crash: of the bundle after the `bundles_kept` first the first `entries`
 * (and the cut before them) reach the disk, its hard state does not. */
void node_tear(struct node *node, uint32_t bundles_kept, uint32_t entries);
/* Takes bundles until there is none. */
void node_pump(struct node *node);
/* One bundle becomes durable. False when there was none. */
bool node_persist(struct node *node);
/* Acknowledges what was applied. Until then the bytes handed out must stay: they are read once
 * more. */
void node_ack_applied(struct node *node);
/* Takes parcel `at` out of the network and steps its receiver, if there is one
 * and it is up. */
status_t cluster_deliver(struct cluster *c, uint32_t at);
void cluster_drop(struct cluster *c, uint32_t at);
void cluster_duplicate(struct cluster *c, uint32_t at);
/* Drops the log up to `index`, which is applied and durable. */
void node_compact(struct node *node, uint64_t index);
/* Replaces the node's state by that of `from`, as of what that has applied and has durable. */
status_t node_restore(struct node *node, const struct node *from);
/* Term of the entry at index in the node's memory and disk; 0 when it has none, or none any more.
 */
uint64_t node_term(struct node *node, uint64_t index);

#endif
