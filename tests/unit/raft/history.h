/* One random history of a cluster (test_raft_random.c), and the checkers that watch it
 * (history_check.c): the properties of Figure 3 of the paper, and what the header promises, each
 * held after every step.
 *
 *   Election Safety       at most one leader a term
 *   one vote              no node is heard voting twice in a term, over restarts too
 *   Log Matching          (index, term) names one entry and one predecessor, everywhere, for ever
 *   durable quorum        what counts as committed anywhere is on the disks of a majority of those
 *                         who voted when it was
 *   Leader Completeness   a new leader's log holds all that is committed
 *   State Machine Safety  no two nodes apply different entries at one index
 *   linearizable reads    the index answered is not below any commit known when the read was asked
 *   liveness              when the faults end, all members come to apply a fresh proposal
 */
#ifndef TESTS_RAFT_HISTORY_H
#define TESTS_RAFT_HISTORY_H

#include "raft_cluster.h"

enum { TERMS_MAX = 4096, LOG_MAX = 8192, READS_MAX = 4096 };

/* (index, term) -> content and predecessor: an open hash table. */
struct known_entry {
    uint64_t index, term, previous_term, hash;
};

struct history {
    struct cluster c;
    struct prng prng;
    uint64_t seed;
    uint32_t leader_of_term[TERMS_MAX];
    uint32_t vote_of_term[TERMS_MAX][CLUSTER_NODES_MAX];
    struct known_entry known[LOG_MAX * 2];
    uint64_t committed_term[LOG_MAX]; /* by index */
    uint64_t committed_hash[LOG_MAX]; /* by index, set when first applied */
    uint64_t committed;
    uint64_t commit_seen[CLUSTER_NODES_MAX];
    uint64_t handed_terms[CLUSTER_NODES_MAX][LOG_MAX]; /* mirror of what each node gave its log */
    uint64_t read_floor[READS_MAX];
    uint8_t read_state[READS_MAX]; /* 1 asked, 2 answered */
    uint32_t reads;
    uint64_t reads_ok, elections, changes, transfers, snapshots;
    bool wanted[CLUSTER_NODES_MAX][CLUSTER_NODES_MAX]; /* leader, follower that needs a snapshot */
    bool calm, hasty;
    uint64_t new_leader;
    uint64_t now_us;
    uint64_t ticked_us[CLUSTER_NODES_MAX];
    uint64_t drowsy; /* a node whose ticks do not come, while all else does */
    bool cut[CLUSTER_NODES_MAX][CLUSTER_NODES_MAX];
    uint64_t proposals;
    const char *failure;
};

/* The first failure stays. */
void history_require(struct history *h, bool holds, const char *what);
/* Sets the cluster's observers. */
void history_watch(struct history *h);
/* Looks at all nodes. */
void history_check(struct history *h);

#endif
