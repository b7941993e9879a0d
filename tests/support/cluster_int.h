#ifndef SUPPORT_CLUSTER_INT_H
#define SUPPORT_CLUSTER_INT_H

#include "cluster.h"

enum cluster_event_kind {
    CLUSTER_TICK,
    CLUSTER_DELIVER,
    CLUSTER_LOG_DONE,
    CLUSTER_CHECKPOINT_DONE,
    CLUSTER_WORK_DONE,
    CLUSTER_CALL,
};

/* A message under way: a copy that owns all it points to. */
struct cluster_letter {
    struct replica_message message;
    struct raft_message raft;
    uint8_t *body;
    struct raft_entry *entries;
};

struct cluster_event {
    uint64_t time_us;
    uint64_t number; /* orders events of one time */
    enum cluster_event_kind kind;
    uint32_t node;
    uint64_t start; /* of the node it was for; another one: void. Not for messages */
    struct cluster_letter *letter;
    void (*call)(void *context);
    void *context;
};

struct cluster_node {
    struct cluster *cluster;
    uint32_t number;
    struct env_sim *machine;
    struct replica *replica;
    uint64_t starts;   /* how often it was started */
    uint64_t clock_us; /* the cluster's time its machine is at */
    int64_t skew_us;
    struct wal_batch *batch;
    struct kv_checkpoint *checkpoint;
    struct replica_work *work;
    bool wakes, failed, goes_down;
    bool joins; /* with what is told of its cluster: */
    struct replica_members members;
    uint8_t cluster_id[REPLICA_CLUSTER_ID_SIZE];
    struct error failure;
    uint64_t paused_until_us;
    uint64_t log_slow_us;
};

struct cluster {
    struct cluster_config config;
    struct cluster_node nodes[CLUSTER_NODES_MAX];
    bool cut[CLUSTER_NODES_MAX][CLUSTER_NODES_MAX];
    struct prng prng;
    uint64_t now_us;
    uint64_t steps, dropped;
    struct cluster_event *events; /* binary heap */
    uint32_t event_count, event_capacity;
    uint64_t event_number;
    uint64_t trace_hash;
    bool trace_print;
    char lines[CLUSTER_LINES_KEPT][CLUSTER_LINE_MAX];
    uint64_t line_count;
    char notes[CLUSTER_NOTES_KEPT][CLUSTER_LINE_MAX];
    uint64_t note_count;
};

/* cluster_event.c */
void cluster__event_push(struct cluster *c, struct cluster_event event);
bool cluster__event_pop(struct cluster *c, struct cluster_event *out);

/* cluster_network.c */
bool cluster__reachable(void *context, uint64_t node);
bool cluster__send(void *context, const struct replica_message *message);
void cluster__deliver(struct cluster *c, struct cluster_letter *letter);
void cluster__letter_free(struct cluster_letter *letter);

/* cluster.c */
void cluster__clock(struct cluster_node *node);

#endif
