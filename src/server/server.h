/* The server: one node, composed of all the rooms below it, with its loop, threads and listeners.
 *
 * server_run is `toydb start`; embedded_open is the same node without a listener, for one process
 * that wants a database inside. cluster_run is `toydb cluster`: a supervisor of real processes.
 *
 * One main loop thread does the network, Raft, the replica and short statements; a log thread
 * appends and syncs; a checkpoint thread writes checkpoints; a pool of workers takes statements
 * that may run long. Threads are started when first needed. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/problem.h"
#include "base/status.h"
#include "kv/kv.h"

enum {
    SERVER_NODES_MAX = 16,
    SERVER_ADDRESS_MAX = 256, /* bytes with the NUL */
    SERVER_PORT_DEFAULT = 9601,
    /* Well below the 11 ticks of 50 ms in which nobody votes who has heard of a leader. */
    SERVER_LEASE_US_MAX = 400000,
};

struct server_peer {
    uint64_t id;
    char address[SERVER_ADDRESS_MAX]; /* host:port */
};

struct server_joined;

struct server_config {
    uint64_t id;
    char data_dir[512];
    char listen[SERVER_ADDRESS_MAX]; /* host:port; empty: no listener (embedded) */
    bool listen_known; /* `listen` counts only when the data directory knows no address of the node
                        */
    /* Where the other nodes reach this one; empty: where they know it to be. */
    char advertise[SERVER_ADDRESS_MAX];
    /* The first start of a node: the members of a new cluster with this node (none: a cluster of
     * one), or addresses of members of the cluster it joins, "host:port,...". A data directory that
     * knows its cluster outdoes both. */
    struct server_peer peers[SERVER_NODES_MAX];
    uint32_t peer_count;
    char join[1024];
    bool learner;                       /* it joins to stay without a vote */
    const struct server_joined *joined; /* server_run's own: what the answer to joining was */
    /* server_run's own: the directory knows no cluster yet. It gets one only when the node listens,
     * so that a start that fails for its address can be made again with other peers. */
    bool first;
    enum log_level log_level;
    uint32_t tick_ms;           /* 0: 50 */
    uint32_t election_ticks;    /* 0: 12; a timeout is 1 to 2 times that */
    uint64_t quorum_timeout_us; /* how long a request waits for a leader. 0: 5 s */
    uint64_t commit_timeout_us; /* how long a commit waits for its outcome. 0: twice that */
    uint64_t drain_us; /* when stopping, for statements and open transactions to end. 0: 10 s */
    uint64_t read_lease_us;             /* replica.h. 0: none; at most SERVER_LEASE_US_MAX */
    uint64_t log_keep_bytes;            /* replica.h. 0: 64 MiB */
    uint64_t log_keep_max_bytes;        /* 0: 512 MiB */
    uint64_t snapshot_bytes_per_second; /* 0: 32 MiB */
    uint64_t disk_reserve_bytes;        /* commits are refused below it. 0: 16 MiB */
    uint32_t worker_threads; /* for long statements. 0: number of processors, at least 2 */
    size_t statement_memory; /* bytes a statement may use. 0: 256 MiB */
    enum kv_engine engine;   /* of a new data directory; else it must be the one it is of, or ANY */
};

/* Reads "1=host:port,2=host:port,..." ; ERR_INVALID says what is wrong. */
status_t server_peers_parse(const char *text, struct server_config *config, struct error *error);
/* Splits "host:port" ("[::1]:9601" too). */
status_t server_address_parse(const char *text, char *host, size_t host_size, uint16_t *port,
                              struct error *error);

/* For a cluster that has lost the majority of its voters for good: makes the directory of node `id`
 * a cluster of one at `address`, with all entries of its log committed. Offline; see
 * replica_recover. ERR_INVALID says what is wrong with the arguments. */
status_t server_recover(const char *dir, uint64_t id, const char *address, struct error *error);

/* What was gone through in a data directory. */
struct server_proof {
    uint64_t id; /* of its node; 0: not known */
    bool quarantine;
    uint64_t pages, pages_free;
    uint64_t keys, versions;
    uint32_t tables;
    uint64_t rows, entries, references;
    uint64_t index, version;      /* of the log and of the data, at the checkpoint */
    uint64_t log_first, log_last; /* entries held */
};
/* Proves a data directory that no node has open, all of it, without changing anything; what is
 * wrong is added to `problems`. ERR_NOT_FOUND: not a data directory. ERR_LOCKED: a node runs on it.
 * Others: it could not be read to the end. */
status_t server_prove(const char *dir, struct problems *problems, struct server_proof *out,
                      struct error *error);

/* Runs a node until SIGTERM or SIGINT, then drains it (a second signal cuts that short), stops
 * cleanly and returns OK. Returns an error when the
 * node could not start, or had to stop (its data stays as it is). Call once a process. */
status_t server_run(const struct server_config *config, struct error *error);

/* ---- embedded ----------------------------------------------------------------------------------
 */

/* A cluster of one in this process, on a thread of its own, its data in `dir`. */
struct embedded;
/* engine: as in server_config. */
status_t embedded_open(const char *dir, enum kv_engine engine, struct embedded **out,
                       struct error *error);
/* A connected stream socket that speaks the same gRPC as a listener does; the caller owns it. */
status_t embedded_connect(struct embedded *embedded, int *fd, struct error *error);
/* Stops the node with a last checkpoint. NULL is allowed. */
void embedded_close(struct embedded *embedded);

/* ---- a local cluster
 * ------------------------------------------------------------------------------ */

struct cluster_config {
    const char *program; /* the toydb binary to start as nodes */
    uint32_t nodes;      /* 1 to SERVER_NODES_MAX */
    char dir[400];       /* node N keeps its data in dir/nodeN and its log in dir/nodeN.log */
    uint16_t base_port; /* node N listens on 127.0.0.1:base_port + N - 1; 0: where ports are free */
    bool quiet;         /* no lines about what it does */
    enum kv_engine engine; /* of the nodes, as in server_config */
};
/* Starts the nodes, prints a line when they have a leader, and waits for SIGINT or SIGTERM; then
 * stops them. A node that ends by itself is reported and left as it is. */
status_t cluster_run(const struct cluster_config *config, struct error *error);

#endif
