/* A cluster of replicas in one process, run from one seed: each node on a simulated machine of its
 * own (env_sim.h), one simulated clock, one simulated network. One thread does it all by taking the
 * earliest of the coming events: a tick, a message that arrives, a log write, a checkpoint or
 * a piece of background work that ends, or a call that a test has ordered. The same seed and the
 * same calls give the same run, to the last bit; cluster_trace_hash proves it.
 *
 * What the network does to a message (lost, late, twice, out of order) and how long a disk takes is
 * in struct cluster_config; which way is cut and who is down is on order. A log write happens when
 * its time is over: a node that crashes before that has none of it or a torn part. */
#ifndef SUPPORT_CLUSTER_H
#define SUPPORT_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"
#include "env_sim.h"
#include "replica/replica.h"

enum {
    CLUSTER_NODES_MAX = 9,
    CLUSTER_LINE_MAX = 200,  /* bytes of a trace line */
    CLUSTER_LINES_KEPT = 80, /* the newest trace lines */
    CLUSTER_NOTES_KEPT = 60, /* and the newest of those that tell the story */
};

struct cluster;

/* What a test wants to know. Any may be NULL. Nodes are numbered from 0; their ids from 1. */
struct cluster_hooks {
    void *context;
    /* The node goes down now, as if killed: nothing of it may be used any more, its transactions
     * must be freed, its requests cancelled or abandoned. */
    void (*down)(void *context, uint32_t node);
    /* After each event and the pumping that follows, for each node that was pumped. */
    void (*stepped)(void *context, uint32_t node);
    /* The node gives a message to the network, which may lose it. */
    void (*sent)(void *context, uint32_t node, const struct replica_message *message);
};

struct cluster_config {
    uint64_t seed;
    uint32_t nodes;
    uint32_t founders; /* the first so many are the cluster at its start, others join; 0: all */
    struct cluster_hooks hooks;
    uint64_t tick_us; /* 0: 20 ms */
    /* Network. A message takes between the two; one in a thousand `late_permille` up to `late_us`
     * instead. */
    uint64_t delay_us_min, delay_us_max;
    uint32_t late_permille, drop_permille, duplicate_permille;
    uint64_t late_us;
    /* Disk: time of a log write, of a checkpoint, of a piece of background work. */
    uint64_t log_us_min, log_us_max;
    uint64_t checkpoint_us_min, checkpoint_us_max;
    uint64_t work_us_min, work_us_max;
    /* One log write in a thousand `stall_permille` takes stall_us instead. */
    uint32_t stall_permille;
    uint64_t stall_us;
    /* Passed on to the replicas; zeros are their defaults. */
    uint32_t window_keys;
    uint64_t checkpoint_bytes, checkpoint_us, history_us, append_bytes;
    uint64_t log_keep_bytes, log_keep_max_bytes, log_cache_bytes, snapshot_bytes_per_second;
    uint32_t segment_size;
    uint64_t disk_reserve_bytes;
    uint64_t read_lease_us;
    uint64_t check_us, check_bytes_per_second;
    uint32_t lsm_nodes;       /* a bit each: nodes that have the other engine than the tree */
    uint64_t kv_run_bytes;    /* theirs */
    uint64_t kv_growth_bytes; /* of the others: how much at a time their file gets longer */
};

/* Opens the founders on empty disks. Stops the program when that fails. */
struct cluster *cluster_create(const struct cluster_config *config);
void cluster_destroy(struct cluster *c);

/* ---- time ----------------------------------------------------------------------------------- */

uint64_t cluster_now_us(const struct cluster *c);
/* Takes the next event. */
void cluster_step(struct cluster *c);
/* Takes events until the clock has moved on by `us`. */
void cluster_run_us(struct cluster *c, uint64_t us);
/* Takes events until `done` says so (true), or `us` have passed (false). */
bool cluster_run_until(struct cluster *c, uint64_t us, bool (*done)(void *context), void *context);
/* Calls `call` in `us`. */
void cluster_after(struct cluster *c, uint64_t us, void (*call)(void *context), void *context);
uint64_t cluster_steps(const struct cluster *c);
struct prng *cluster_prng(struct cluster *c);

/* ---- nodes ---------------------------------------------------------------------------------- */

/* NULL while it is down. After calls that ask something of it: cluster_wake. */
struct replica *cluster_replica(struct cluster *c, uint32_t node);
struct env_sim *cluster_machine(struct cluster *c, uint32_t node);
/* The node is pumped at the end of this event, or of the next one. */
void cluster_wake(struct cluster *c, uint32_t node);
/* True once a replica has said that it cannot go on; it wants to be crashed then. */
bool cluster_node_failed(struct cluster *c, uint32_t node);
/* What it said then; only good after that. */
const struct error *cluster_failure(struct cluster *c, uint32_t node);
/* The machine loses power, maybe in the middle of a write; a node that is down stays so. */
void cluster_crash(struct cluster *c, uint32_t node, enum env_sim_survival survival);
/* The program ends in order. */
void cluster_stop(struct cluster *c, uint32_t node);
/* Starts a node that is down. */
status_t cluster_start(struct cluster *c, uint32_t node, struct error *error);
/* What the node, if its disk is empty, is told at its next start: the answer to the request that
 * added it. NULL: what a founder is told. */
void cluster_set_join(struct cluster *c, uint32_t node, const struct replica_admin *answer);
/* An empty disk takes the place of the node's, which is down. */
void cluster_wipe(struct cluster *c, uint32_t node);
/* The directory a node's replica is in, on its machine. */
extern const char *const cluster_node_dir;
/* The leader that most recently came to be, or -1; an older one may think it still is. */
int cluster_leader(struct cluster *c);
/* The node does nothing for so long, as if its processes were stopped and then went on: messages
 * and its disk's answers wait for it. */
void cluster_pause(struct cluster *c, uint32_t node, uint64_t us);
/* Each of the node's log writes takes at least `us` from now on; 0: as configured. */
void cluster_set_log_slow_us(struct cluster *c, uint32_t node, uint64_t us);
/* config.stall_permille from now on. */
void cluster_set_log_stalls(struct cluster *c, uint32_t permille);
/* Moves the node's wall clock against the others'. */
void cluster_set_skew_us(struct cluster *c, uint32_t node, int64_t skew_us);

/* ---- the network ---------------------------------------------------------------------------- */

/* Messages from one node to another do not arrive, from now on. */
void cluster_cut(struct cluster *c, uint32_t from, uint32_t to, bool cut);
bool cluster_is_cut(const struct cluster *c, uint32_t from, uint32_t to);
/* All ways open; no losses, duplicates, lateness, pauses or slow disks from now on. */
void cluster_calm(struct cluster *c);
void cluster_heal(struct cluster *c);
uint64_t cluster_dropped(const struct cluster *c);

/* ---- the trace ------------------------------------------------------------------------------ */

/* Adds a line: into the hash, the kept lines and, when asked for, to standard output. */
void cluster_trace(struct cluster *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for what a reader wants to know first: kept longer. */
void cluster_note(struct cluster *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cluster_trace_print(struct cluster *c, bool print);
uint64_t cluster_trace_hash(const struct cluster *c);
/* Calls with each kept line, oldest first. */
void cluster_trace_kept(struct cluster *c, void (*each)(void *context, const char *line),
                        void *context);
void cluster_notes_kept(struct cluster *c, void (*each)(void *context, const char *line),
                        void *context);

#endif
