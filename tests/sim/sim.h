/* The simulator: a cluster, clients, faults and checkers, all from one seed.
 *
 * A run has two parts. First, for some simulated seconds, clients run transactions on random nodes
 * while faults come down: crashes with torn writes, cuts of the network, failing and full disks,
 * clocks that jump. Then all faults end and everything must come right: every request gets its
 * answer, every node the same contents.
 *
 * The checkers know nothing of the code under test but what is in the log. What was committed is
 * read from the nodes' logs as they apply them (sim_check.c), replayed in a dull model
 * (sim_model.c), and everything a transaction saw or was told is held against that
 * (sim_history.c). */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/map.h"
#include "base/prng.h"
#include "cluster.h"

enum {
    SIM_CLIENTS_MAX = 16,
    SIM_REGISTERS = 12,
    SIM_ACCOUNTS = 8,
    SIM_COUNTERS = 4,
    SIM_ACCOUNT_START = 100,
    SIM_KEY_MAX = 16,
    SIM_PROBLEM_MAX = 600,
    SIM_FAULTS_MAX = 24,
    SIM_SQL_CLIENTS_MAX = 6,
};

/* ---- the model ------------------------------------------------------------------------------ */

struct sim_write {
    struct buffer key, value;
    bool tombstone;
};

struct sim_version {
    uint64_t version;
    struct buffer value;
    bool tombstone;
};

/* All versions of one key, oldest first. */
struct sim_key {
    struct buffer key;
    struct sim_version *versions;
    uint32_t count, capacity;
};

struct sim_model {
    struct sim_key *keys; /* in order */
    uint32_t key_count, key_capacity;
    uint64_t version; /* of the newest effect */
    uint64_t versions;
};

void sim_model_free(struct sim_model *model);
/* Versions must ascend. */
void sim_model_write(struct sim_model *model, struct slice key, uint64_t version,
                     struct slice value, bool tombstone);
/* What a transaction sees that reads at `version` and wrote the first `write_count` of `writes`:
 * appends it in the form of sim_seen. */
void sim_model_get(const struct sim_model *model, struct slice key, uint64_t version,
                   const struct sim_write *writes, uint32_t write_count, struct buffer *out);
void sim_model_scan(const struct sim_model *model, struct slice low, struct slice high,
                    bool reverse, uint32_t limit, uint64_t version, const struct sim_write *writes,
                    uint32_t write_count, struct buffer *out);
/* One line of what a read gave. */
void sim_seen(struct buffer *out, struct slice key, bool found, struct slice value);

/* ---- history -------------------------------------------------------------------------------- */

/* One read of a transaction. */
struct sim_look {
    bool scan, reverse;
    uint32_t limit;
    struct buffer low, high; /* the key itself in low when no scan */
    struct buffer seen;
    uint32_t write_count; /* own writes made before it */
};

/* A transaction as its client knows it. */
struct sim_attempt {
    uint32_t client;
    uint64_t sequence;
    uint64_t floor; /* the newest version acknowledged to anyone before it began */
    uint64_t read_version;
    struct sim_look *looks;
    uint32_t look_count, look_capacity;
    struct sim_write *writes;
    uint32_t write_count, write_capacity;
    uint64_t version; /* it was told it committed at; 0: read only */
    struct sim_attempt *next;
};

void sim_attempt_free(struct sim_attempt *attempt);

/* What the log and the client say of a commit. */
struct sim_verdict {
    uint64_t log_version; /* 0: not in the log */
    uint64_t told_version;
    bool told_refused;
};

/* Of one client, by sequence. */
struct sim_verdicts {
    struct sim_verdict *items;
    uint32_t count, capacity;
    uint64_t last; /* sequence of the last outcome in the log */
};

/* Any other origin of commits, as the log tells. */
struct sim_origin {
    uint64_t last; /* sequence */
    bool refused;
};

/* ---- the whole ------------------------------------------------------------------------------ */

struct sim_client;
struct sim_raft;
struct sim_sql;
struct sim_keeper;

/* What became of a node's disk. */
enum sim_damage {
    SIM_WHOLE,
    SIM_FLIPPED, /* a bit is wrong somewhere, perhaps where nobody looks */
    SIM_LOST,    /* it was noticed: the node stays out */
};

enum sim_rival_phase { SIM_RIVAL_REST, SIM_RIVAL_ASKED, SIM_RIVAL_ALONE, SIM_RIVAL_SIDES };

/* sim_rival.c */
struct sim_rival {
    bool enabled;
    enum sim_rival_phase phase;
    uint32_t first;   /* the leader that is cut off */
    uint32_t removed; /* by its change */
    uint64_t until_us;
};

struct sim_options {
    uint64_t seed;
    uint32_t nodes; /* 0: five, now and then one or three */
    bool trace;
};

struct sim {
    struct sim_options options;
    struct cluster *cluster;
    uint32_t nodes;
    struct prng prng; /* of clients and faults */
    struct sim_model model;
    struct sim_client *clients[SIM_CLIENTS_MAX];
    uint32_t client_count;
    struct sim_raft *raft;
    struct sim_sql *sql;
    struct sim_keeper *keeper;
    struct sim_rival rival;
    struct raft_members members; /* committed, as far as anyone knows */
    struct sim_verdicts verdicts[SIM_CLIENTS_MAX];
    struct map others;            /* origins that are no client's here: struct sim_origin */
    struct sim_attempt *finished; /* to be checked after this step */
    uint64_t acknowledged;        /* the newest version anyone was told of */
    uint64_t collected;           /* versions that nodes have let go, at the end */
    uint64_t patience_us;         /* of clients with a request */
    uint64_t fault_gap_us;        /* longest time between two faults */
    bool ending;                  /* clients begin nothing */
    bool clocks_jumped;           /* far: outcomes may be forgotten early */
    uint32_t fault_weights[SIM_FAULTS_MAX];
    bool injected[CLUSTER_NODES_MAX]; /* an I/O failure was ordered there */
    bool spare[CLUSTER_NODES_MAX];    /* not a node of the cluster, and not to be started */
    enum sim_damage damage[CLUSTER_NODES_MAX];
    uint64_t flips, flips_found;
    uint64_t changes, checks; /* of members and leaders, of consistency, by the operator */
    uint64_t snapshots;       /* taken over by a node that runs */
    uint64_t faults, commits, refusals, unknown, reads, sql_commits, sql_refusals;
    char problem[SIM_PROBLEM_MAX]; /* "": none */
};

/* Keeps the first one. */
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* sim.c */
struct sim_totals {
    uint64_t seeds, steps, faults, failures, commits, refusals, reads, unknown, flips, flips_found;
    uint64_t collected, sql_commits, sql_refusals, changes, checks, snapshots;
};
/* Runs one seed and adds to the totals; a failure is reported on standard output. Returns the hash
 * of all that happened. */
uint64_t sim_run(const struct sim_options *options, const char *program, struct sim_totals *totals);
/* The program dies within sim_run: tells of which seed. */
void sim_report_death(void);
void sim_totals_add(struct sim_totals *sum, const struct sim_totals *more);
void sim_totals_print(const struct sim_totals *totals);

/* sim_client.c */
void sim_clients_start(struct sim *sim, uint32_t count);
void sim_clients_free(struct sim *sim);
/* Their node is gone. */
void sim_clients_down(struct sim *sim, uint32_t node);
bool sim_clients_idle(struct sim *sim);
/* Each client still busy, for the report. */
void sim_clients_describe(struct sim *sim, struct buffer *out);

/* sim_sql.c */
void sim_sql_start(struct sim *sim, uint32_t count);
void sim_sql_free(struct sim *sim);
/* After each pump of a node. */
void sim_sql_stepped(struct sim *sim, uint32_t node);
void sim_sql_down(struct sim *sim, uint32_t node);
bool sim_sql_idle(const struct sim *sim);
void sim_sql_describe(const struct sim *sim, struct buffer *out);
/* Asks a node for all that must be true; false when there is nothing to ask. */
bool sim_sql_audit(struct sim *sim, uint32_t node);
bool sim_sql_audited(struct sim *sim);

/* sim_history.c */
struct sim_verdict *sim_verdict_of(struct sim *sim, uint32_t client, uint64_t sequence);
void sim_told_refused(struct sim *sim, uint32_t client, uint64_t sequence);
/* Takes the attempt over. */
void sim_finish(struct sim *sim, struct sim_attempt *attempt);
void sim_finished_check(struct sim *sim);
/* An entry that was found committed. */
void sim_entry(struct sim *sim, const struct raft_entry *entry);
void sim_history_free(struct sim *sim);

/* sim_raft.c */
void sim_raft_start(struct sim *sim);
void sim_raft_free(struct sim *sim);
void sim_raft_check(struct sim *sim, uint32_t node);
void sim_raft_sent(struct sim *sim, uint32_t node, const struct replica_message *message);
/* The node begins a new life. */
void sim_raft_down(struct sim *sim, uint32_t node);
/* Entries known to be committed. */
uint64_t sim_raft_committed(const struct sim *sim);

/* sim_check.c */
void sim_check_node(struct sim *sim, uint32_t node);
/* All nodes at rest: same contents, as the model says. */
void sim_check_end(struct sim *sim);
/* Each member, for the report. */
void sim_nodes_describe(struct sim *sim, struct buffer *out);

/* sim_admin.c */
void sim_keeper_start(struct sim *sim, bool enabled);
void sim_keeper_free(struct sim *sim);
void sim_keeper_down(struct sim *sim, uint32_t node);
bool sim_keeper_enabled(const struct sim *sim);
bool sim_keeper_idle(const struct sim *sim);
/* Gives up what is under way and asks `at` for the removal of `node`; false when that may not be.
 */
bool sim_keeper_remove(struct sim *sim, uint32_t at, uint32_t node);
/* Asks for a last consistency check, which must find all nodes alike. */
void sim_keeper_finish(struct sim *sim);
bool sim_is_member(const struct sim *sim, uint32_t node);
/* Another directory is the member of its id: one that the operator had wiped, having given up the
 * request to add it, which came late all the same. */
bool sim_lost_its_id(const struct sim *sim, uint32_t node);
bool sim_is_voter(const struct sim *sim, uint32_t node);
/* Are there still more whole voters than broken nodes, with one more of these (-1: none), and with
 * a member less (-1: none)? */
bool sim_within_budget(const struct sim *sim, int damaged, int removed);

/* sim_rival.c */
void sim_rival_start(struct sim *sim, bool enabled);
/* After each pump of a node. */
void sim_rival_stepped(struct sim *sim, uint32_t node);

/* sim_fault.c */
void sim_faults_start(struct sim *sim);
/* Takes down nodes that stopped themselves. */
void sim_faults_tend(struct sim *sim);
/* Ends all faults. */
void sim_faults_end(struct sim *sim);

/* sim_network.c */
void sim_network_partition(struct sim *sim);
void sim_network_mend(struct sim *sim);

/* sim_disk.c */
void sim_disk_trouble(struct sim *sim, uint32_t node);
void sim_disk_slow(struct sim *sim, uint32_t node);
/* The node is down. */
void sim_disk_flip(struct sim *sim, uint32_t node);
/* The node says that its data is damaged. True when it may say so. */
bool sim_disk_met_damage(struct sim *sim, uint32_t node, const struct error *error);

#endif
