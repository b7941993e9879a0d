/* The replica: where the log meets the store. It owns one node's Raft, log, tree and certifier, and
 * offers two things to what is above: a read version, and a commit.
 *
 * A deterministic state machine: ticks, messages, finished log writes and requests come in;
 * messages to send, log work to do and answers come out. It starts no thread and opens no socket;
 * files and clocks are env's. One thread (the node's main loop) calls everything here, except what
 * runs on the log and checkpoint threads, see "work for other threads". After each burst of inputs
 * the owner calls replica_pump once: requests of the burst travel together.
 *
 * READ VERSION (ReadIndex; Ongaro's thesis 6.4). replica_read_begin rides in the next batch to the
 * leader, which confirms by a heartbeat round that it still is the leader, and answers with its
 * commit index. When this node has applied that index, its newest snapshot holds every transaction
 * acknowledged before the request: strictly serializable reads on every node.
 *
 * COMMIT. The request goes to the leader: certified, given a version, proposed as one log entry.
 * The answer comes when the leader has applied it. While there is no answer the request is sent
 * again, to whoever leads; the transaction's id makes that safe (txn.h), so an answer is never
 * "maybe", unless the deadline passes while the outcome is open: ERR_OUTCOME_UNKNOWN, and asking
 * again with the same id gives the outcome.
 *
 * A refusal, too, must be the last word, though other copies of the request may still be on their
 * way. Two rules see to that. (1) A sending is addressed to the leader of one term, and only that
 * one judges it: a leader never judges the same request more kindly later in its term, and what
 * leaders of earlier terms have not brought into the log by then never will be. So the refusal of
 * the last sending is one of all sendings. (2) A request that may have been sent before is refused
 * by a log entry, which every later leader knows. It speaks of what read below its version: an
 * attempt begun after it is judged anew, under the same id or another.
 *
 * LOG AND TREE. The log drops what a durable checkpoint holds, but for some slack
 * (replica_checkpoint.c). A node that needs what was dropped gets the leader's tree instead, and
 * its own is replaced while transactions go on reading it (replica_snapshot_send.c, _receive.c).
 *
 * WHAT IS IN THE LOG, besides raft's own entries and memberships. One byte of kind and a body: 1 an
 * effect (txn.h); 2 the cluster's identity (16 random bytes, proposed by the first leader of an
 * empty cluster); 3 a refusal (txn.h); 4 a consistency check is made here, no body; 5 a new
 * identity of the cluster (replica_recover.c). WHAT IS IN THE TREE besides versions (keys below
 * MVCC_KEY_FIRST_MIN): 01 "expire" which old outcomes were removed last, 01 "cluster" its identity,
 * 01 "members" and 01 "removed" (replica_members.c), 02 .. outcomes (txn.h), 03 .. mvcc's own. The
 * file IDENTITY (replica_identity.c) holds the node's id and what it must know before the log is
 * read. */
#ifndef REPLICA_REPLICA_H
#define REPLICA_REPLICA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "env/env.h"
#include "kv/kv.h"
#include "raft/raft.h"
#include "txn/txn.h"
#include "wal/wal.h"

enum {
    REPLICA_CLUSTER_ID_SIZE = 16,
    REPLICA_REQUEST_SIZE_MAX = 48 << 20, /* bytes of one encoded commit request */
    REPLICA_ADDRESS_MAX = 256,           /* bytes of "host:port", the final NUL counted */
    REPLICA_MEMBERS_MAX = RAFT_MEMBERS_MAX,
    REPLICA_HASH_SIZE = 16,
};

/* ---- messages between replicas -----------------------------------------------------------------
 */

/* Sent over the network: the numbers never change. */
enum replica_message_type {
    REPLICA_RAFT = 0, /* `raft` is filled, nothing else */
    REPLICA_READ_REQUEST = 1,
    REPLICA_READ_RESPONSE = 2, /* index, status */
    /* body: the encoded request; version: which sending of it; index: term of the leader it is for;
     * status: OK, or ERR_OUTCOME_UNKNOWN when it may have been sent before */
    REPLICA_COMMIT_REQUEST = 3,
    /* status, version; index: the sending answered; body: reply, or the key in conflict */
    REPLICA_COMMIT_RESPONSE = 4,
    REPLICA_FOREIGN = 5,        /* "your cluster is not mine" */
    REPLICA_ADMIN_REQUEST = 6,  /* id; body: replica_admin_wire.c */
    REPLICA_ADMIN_RESPONSE = 7, /* the same and status */
    /* id: of the snapshot; index, version: where it stands; body: [term of index, bytes, about] */
    REPLICA_SNAPSHOT_OFFER = 8,
    /* id; version: number of the fetch; index: bytes wanted, 0: not now; body: the key behind which
     * to go on; status: not OK: the snapshot is not needed */
    REPLICA_SNAPSHOT_FETCH = 9,
    /* id; version: number of the fetch answered; status: ERR_NOT_FOUND: the snapshot is gone; body:
     * replica_snapshot_chunk.c */
    REPLICA_SNAPSHOT_CHUNK = 10,
    /* "You are not in my cluster's membership", committed at `index` */
    REPLICA_REMOVED = 12,
    /* The same, when another data directory has the place of this id; version: its uid */
    REPLICA_STRANGER = 13,
    REPLICA_HASH = 14,    /* to the leader: the state at `index` has the hash in the body */
    REPLICA_VERDICT = 15, /* the answer: status, the majority's hash in the body */
    REPLICA_HELLO = 16,   /* "I am here", of a node that hears of nobody */
};
/* "?" for a number that is no type. */
const char *replica_message_type_name(enum replica_message_type type);

struct replica_message {
    enum replica_message_type type;
    uint64_t from, to;
    uint64_t uid;   /* of the sender's data directory */
    uint64_t place; /* index of the newest membership it knows to have that directory in it */
    uint8_t cluster_id[REPLICA_CLUSTER_ID_SIZE]; /* all zeros: not known yet */
    uint64_t id;                                 /* pairs an answer with its request */
    uint64_t index;
    uint64_t version;
    status_t status;
    struct slice body;
    uint32_t certify_us, replicate_us; /* REPLICA_COMMIT_RESPONSE; as in struct replica_commit */
    const struct raft_message *raft;
};

/* ---- members ------------------------------------------------------------------------------------
 */

/* A node is known by a number, its id, which is never its address: that may change. Behind the id
 * stands one data directory, known by the random number (uid) it got when it was made. A directory
 * that was lost took along what the node had promised in elections, so the same id with another
 * directory is a stranger to the others (replica_members.c). */
struct replica_member {
    uint64_t id;
    uint64_t uid; /* 0: not heard of yet */
    bool voter;   /* else a learner: it gets the log and has no vote */
    bool promote; /* a learner that is to become a voter as soon as it has caught up */
    char address[REPLICA_ADDRESS_MAX];
};

struct replica_members {
    uint64_t index; /* of the log entry that made it; 0: what the first start was given */
    uint32_t count;
    struct replica_member items[REPLICA_MEMBERS_MAX];
};

/* ---- configuration -----------------------------------------------------------------------------
 */

struct replica_host {
    void *context;
    /* Sends, or drops when there is no way to the node; what the message points to is only good
     * during the call. `to` may be a node that is no member (any more) but wrote to this one: it is
     * to be told so, if there is a way. False: it was dropped for sure; true promises nothing. A
     * message arrives at most once: that a commit request was refused by its one receiver is how
     * the other side knows that this sending of it will never be proposed. */
    bool (*send)(void *context, const struct replica_message *message);
    /* False: there is no connection to the node now. A leader that reaches no majority takes no
     * commits, so that what cannot commit soon is refused clearly instead of left open. */
    bool (*reachable)(void *context, uint64_t node);
    /* Called once: the replica cannot go on and does nothing any more. The node must stop; its data
     * stays as it is. */
    void (*failed)(void *context, const struct error *error);
    /* The nodes that this one has to do with are others now, or elsewhere: open and close
     * connections. Called while pumped; what is so after replica_open is told by replica_members.
     * May be NULL. A node removed may still have to be told so: keep its connection for a while. */
    void (*members_changed)(void *context, const struct replica_members *members);
};

struct replica_config {
    struct env *env;
    const char *dir; /* created when missing: IDENTITY, data.toydb, log/ */
    uint64_t id;
    /* For the first start, when the directory is new; later ones know it from the directory. Either
     * the members of a new cluster, the same on all of them; or, when `joins`, what the answer to
     * REPLICA_ADMIN_ADD said (members, cluster_id): then this node is none until the leader has
     * brought it the log, and only talks to those members. Neither: it waits to be written to. */
    struct replica_members members;
    bool joins;
    uint8_t cluster_id[REPLICA_CLUSTER_ID_SIZE]; /* when it joins */
    uint32_t tick_us;                            /* time between replica_tick calls */
    uint32_t election_timeout_ticks;
    uint32_t heartbeat_ticks;
    uint32_t window_keys;        /* certifier; 0: 65536 */
    uint64_t checkpoint_bytes;   /* of log applied between checkpoints; 0: 32 MiB */
    uint64_t checkpoint_us;      /* time between checkpoints while there are changes; 0: 30 s */
    uint64_t append_bytes;       /* of entries in one message to a follower; 0: 256 KiB */
    uint64_t log_keep_bytes;     /* of log kept in any case; 0: 64 MiB */
    uint64_t log_keep_max_bytes; /* kept for a member that needs it; 0: 512 MiB */
    uint64_t log_cache_bytes;    /* of it in memory; 0: 8 MiB */
    uint64_t snapshot_bytes_per_second; /* sent as leader, to all; 0: 32 MiB */
    uint64_t disk_reserve_bytes; /* a leader with less free refuses commits (53100); 0: none */
    uint64_t history_us;         /* versions overwritten more recently are kept; 0: none are */
    /* How long a leader answers reads without asking the others again (raft.h); the same on all
     * nodes. 0: each read is confirmed by a majority. */
    uint64_t read_lease_us;
    uint64_t check_us;               /* time between consistency checks; 0: 1 h; UINT64_MAX: none */
    uint64_t check_bytes_per_second; /* read for them on each node; 0: 32 MiB */
    uint64_t seed;                   /* 0: random */
    struct wal_config wal;           /* sizes only */
    /* Sizes, and the engine: of a new directory; of one that has a tree it must be that one's. */
    struct kv_options kv;
};

struct replica;

/* Whose a directory is, as the file IDENTITY in it says. */
struct replica_identity {
    uint64_t uid;
    bool has_cluster_id;
    uint8_t cluster_id[REPLICA_CLUSTER_ID_SIZE];
    bool placed; /* it knows the members of its cluster: config.members and joins do not count */
    bool fresh;  /* the directory was nobody's until this call */
};
/* Reads it, and makes the directory node `id`'s when it is new: a node that joins is asked for its
 * uid (REPLICA_ADMIN_ADD) before it can be opened. Offline. ERR_INVALID: as replica_open. */
status_t replica_identity(struct env *env, const char *dir, uint64_t id,
                          struct replica_identity *out, struct error *error);
/* Takes back what replica_identity has made of a new directory: the cluster does not want the node.
 * A directory in which there is more already stays as it is. */
status_t replica_identity_forget(struct env *env, const char *dir, struct error *error);

/* Does the directory say that its node was removed from its cluster? False when it cannot be read,
 * too: opening it tells why. Offline. */
bool replica_identity_removed(struct env *env, const char *dir);

/* Opens the node's data and goes on where its last checkpoint was; committed entries since are
 * applied as soon as pumped. ERR_INVALID: the directory belongs to another node, or to one that was
 * removed from its cluster, or is in quarantine after a consistency check. Others as kv_open and
 * wal_open. host is copied. */
status_t replica_open(const struct replica_config *config, const struct replica_host *host,
                      struct replica **out, struct error *error);
/* Takes a last checkpoint when nothing has failed. No log batch, checkpoint or work may be out with
 * another thread, all transactions must be freed, requests waiting are answered ERR_SHUTDOWN. */
void replica_close(struct replica *replica);

/* ---- inputs
 * -------------------------------------------------------------------------------------- */

void replica_tick(struct replica *replica);
/* From another node; checked. Bad messages are counted and dropped. */
void replica_receive(struct replica *replica, const struct replica_message *message);
/* Does what the inputs since the last pump ask for: sends, stages log writes, applies, answers. */
void replica_pump(struct replica *replica);

/* ---- requests
 * ------------------------------------------------------------------------------------- */

struct replica_read;
/* OK: now a transaction begun with replica_txn_begin sees everything acknowledged before the read
 * was asked for. ERR_NO_QUORUM, ERR_SHUTDOWN. */
typedef void replica_read_fn(struct replica_read *read, status_t status);

/* The caller's, who keeps it where it is until `done` was called or it was cancelled. */
struct replica_read {
    replica_read_fn *done;
    void *context;
    uint64_t deadline_us; /* env_monotonic_us */
    /* the replica's own */
    struct replica_read *next;
    uint64_t batch; /* 0: not sent */
    uint64_t sent_us;
    uint64_t index; /* known once the leader answered */
    bool answered;
};
void replica_read_begin(struct replica *replica, struct replica_read *read);
/* `done` will not be called. */
void replica_read_cancel(struct replica *replica, struct replica_read *read);

/* A transaction on this node's newest state. Call on the main loop; the transaction itself may then
 * be used on any one thread. Without a replica_read before it the state may be stale: good for
 * writes that will be certified, not for answers. */
status_t replica_txn_begin(struct replica *replica, struct txn *txn, bool read_only,
                           struct error *error);

struct replica_commit;
/* OK: committed, version and reply are filled. ERR_CONFLICT (conflict_key may be filled),
 * ERR_TOO_OLD, ERR_DISK_FULL, ERR_NO_QUORUM, ERR_TOO_LONG: it has not and will not.
 * ERR_OUTCOME_UNKNOWN: the deadline passed with the outcome open; or the transaction is so old that
 * its outcome, if it had one, is kept no more (replica_judge.c). */
typedef void replica_commit_fn(struct replica_commit *commit, status_t status);

/* The caller's, as replica_read. */
struct replica_commit {
    replica_commit_fn *done;
    void *context;
    uint64_t deadline_us;        /* for an outcome that is open */
    uint64_t quorum_deadline_us; /* while no leader has taken it; not later than deadline_us */
    struct buffer request;       /* from txn_request_encode; the caller frees it */
    bool asked_before; /* the same id may have been sent before, by another replica_commit */
    /* answers */
    uint64_t version;
    uint8_t reply[TXN_REPLY_MAX];
    uint32_t reply_size;
    uint8_t conflict_key[MVCC_KEY_MAX];
    uint32_t conflict_key_size;
    uint32_t certify_us;   /* how long the leader took to judge it, */
    uint32_t replicate_us; /* and then until a majority had it on disk; 0: not known */
    /* the replica's own */
    struct replica_commit *next;
    uint64_t id;
    uint64_t sent_us;
    uint64_t sendings; /* so far */
    uint64_t open;     /* of them, not refused: while there are any the outcome is open */
    bool waits;        /* for an answer to the last sending */
};
void replica_commit_begin(struct replica *replica, struct replica_commit *commit);
/* `done` will not be called; the outcome is what it will be. */
void replica_commit_abandon(struct replica *replica, struct replica_commit *commit);

/* The outcome kept for an origin of a client's choosing, as far as this node has applied: OK with
 * *reply filled (up to TXN_REPLY_MAX bytes), or ERR_NOT_FOUND. */
status_t replica_outcome(struct replica *replica, struct slice origin, uint8_t *reply,
                         uint32_t *reply_size, struct error *error);

/* ---- administration
 * -------------------------------------------------------------------------------- */

/* Requests are asked on any node and judged by the leader. Each names a state that is wished for
 * and is answered OK when that is so and committed: asking twice is harmless, also of two leaders.
 * Statuses: ERR_INVALID, ERR_EXISTS, ERR_NOT_FOUND: no, `error` says why. ERR_NO_QUORUM: no leader
 * was found until the deadline, or the change would leave too few voters that can be reached; it
 * has not happened and will not. ERR_TIMEOUT: the deadline passed, it is under way or may be: ask
 * again. ERR_SHUTDOWN. */
enum replica_admin_type {
    /* `member` is in the cluster, at its address. A new one comes as a learner, and is to become a
     * voter when `voter` or `promote` is set; a voter never becomes a learner. An address may
     * change; the uid may only become known. ERR_EXISTS: the id has another data directory.
     * ERR_INVALID: it was removed with that uid, or there are too many. */
    REPLICA_ADMIN_ADD = 1,
    /* No member has member.id. ERR_INVALID: it is the last voter. */
    REPLICA_ADMIN_REMOVE = 2,
    /* The member is a voter; while it catches up, this waits. ERR_NOT_FOUND. */
    REPLICA_ADMIN_PROMOTE = 3,
    /* member.id leads; 0: another one leads than when it was asked first. ERR_INVALID: no voter.
     * ERR_NO_QUORUM: that node cannot be reached. */
    REPLICA_ADMIN_TRANSFER = 4,
    /* A consistency check has ended since the request: `check`. */
    REPLICA_ADMIN_CHECK = 5,
    /* Nothing is changed; for the answers `members` and `cluster_id` as the leader knows them. */
    REPLICA_ADMIN_LIST = 6,
};

struct replica_check_node {
    uint64_t id;
    bool voter;
    bool answered; /* within the time a check has */
    bool differs;  /* from the majority: it was told to stop */
    uint8_t hash[REPLICA_HASH_SIZE];
};

/* Replicas compare a hash of what they hold at one log index (replica_check.c). */
struct replica_check {
    uint64_t index;
    bool majority; /* more than half of the voters have the same hash; else no one is judged */
    uint32_t count;
    struct replica_check_node nodes[REPLICA_MEMBERS_MAX];
};

struct replica_admin;
typedef void replica_admin_fn(struct replica_admin *admin, status_t status);

/* The caller's, as replica_commit. */
struct replica_admin {
    replica_admin_fn *done;
    void *context;
    uint64_t deadline_us; /* env_monotonic_us */
    enum replica_admin_type type;
    struct replica_member member;
    /* answers */
    struct error error;             /* unless OK */
    struct replica_members members; /* OK: committed */
    uint8_t cluster_id[REPLICA_CLUSTER_ID_SIZE];
    struct replica_check check; /* CHECK */
    /* the replica's own */
    struct replica_admin *next;
    uint64_t id;
    uint64_t sent_us;
    uint64_t token; /* what the leader asked to be told again */
    bool waits;     /* for an answer */
    bool open;      /* a leader may be at it */
};
void replica_admin_begin(struct replica *replica, struct replica_admin *admin);
/* `done` will not be called; what was begun goes on. */
void replica_admin_cancel(struct replica *replica, struct replica_admin *admin);

/* For a cluster that has lost the majority of its voters for good. Offline, on the directory of the
 * survivor that has the longest log: makes it a cluster of one, node `id` at `address`, with a
 * cluster id of its own, so that nodes of the old one that come back are refused. All entries in
 * its log become committed: some may never have been acknowledged, and what was acknowledged by a
 * majority that did not include this node is lost. Interrupted, it can be done again. ERR_INVALID:
 * not a directory of node `id`. Others as replica_open. */
status_t replica_recover(struct env *env, const char *dir, uint64_t id, const char *address,
                         struct error *error);

/* ---- work for other threads
 * ----------------------------------------------------------------------- */

/* The log: NULL when there is nothing to write now. The batch is written with wal_write on any
 * thread, then given back. One is out at a time. */
struct wal_batch *replica_log_take(struct replica *replica);
void replica_log_done(struct replica *replica, struct wal_batch *batch, status_t status,
                      const struct error *error);
/* The checkpoint: NULL when none is due. Written with kv_checkpoint_write on any thread, then given
 * back. One is out at a time. */
struct kv_checkpoint *replica_checkpoint_take(struct replica *replica);
void replica_checkpoint_done(struct replica *replica, struct kv_checkpoint *checkpoint);
/* Background work: what may take long and need not be now, cut into pieces of some milliseconds
 * (pieces of snapshots sent and received, hashing). NULL when nothing is due; cheap to ask, after
 * each pump. One is out at a time. */
struct replica_work;
struct replica_work *replica_work_take(struct replica *replica);
/* Any thread. Touches only what is the work's own. */
void replica_work_run(struct replica_work *work);
/* Gives it back; the work is gone. Wants a pump after it. */
void replica_work_done(struct replica *replica, struct replica_work *work);

/* ---- inspection
 * ------------------------------------------------------------------------------------- */

struct replica_status {
    uint64_t id;
    uint64_t leader; /* 0: none known */
    enum raft_role role;
    uint64_t term;
    uint64_t commit_index, applied_index, last_index, first_index;
    uint64_t version; /* of the newest effect applied */
    uint64_t checkpoint_index;
    bool has_cluster_id;
    uint8_t cluster_id[REPLICA_CLUSTER_ID_SIZE];
    struct kv_stats kv;
    struct wal_stats wal;
    struct raft_status raft;
    uint32_t commits_waiting, reads_waiting; /* of this node's clients */
    uint64_t messages_refused;
    uint64_t pages_damaged; /* found by reading all of the tree again */
    uint64_t snapshot_bytes_sent, snapshot_bytes_received; /* since it was opened */
};
void replica_status(struct replica *replica, struct replica_status *out);
/* The nodes that this one has to do with: the membership in effect, committed or not; of a node
 * that has not got one yet, those it was told when it joined, with index 0. */
void replica_members(struct replica *replica, struct replica_members *out);
/* Of this data directory. */
uint64_t replica_uid(const struct replica *replica);
/* Of the last consistency check that this node has led; index 0: none. */
void replica_check_last(const struct replica *replica, struct replica_check *out);
/* For tests: the tree under it all. */
struct kv *replica_kv(struct replica *replica);
/* One line about what an entry of the log holds, without a newline. ERR_CORRUPT: the line says that
 * it is malformed. */
status_t replica_entry_print(const struct raft_entry *entry, struct buffer *out);

/* ---- proof: a data directory that no node has open ---------------------------------------------
 */

struct replica_proof; /* a directory open for looking at, locked, never written to */

struct replica_proven {
    uint64_t id; /* of the node; 0: not known */
    bool quarantine;
    struct kv_stats kv;
    uint64_t index, term, version; /* where the checkpoint stands */
    struct mvcc_checked versions;
    uint64_t outcomes; /* of transactions, kept for those who ask again */
    uint64_t log_first, log_last;
    struct raft_hard_state hard_state;
};

/* What is damaged already here is added to `problems`, and what else there is can be looked at.
 * ERR_NOT_FOUND: not a data directory of a node. ERR_LOCKED: a node runs on it. ERR_FORMAT, ERR_IO.
 */
status_t replica_proof_open(struct env *env, const char *dir, struct problems *problems,
                            struct replica_proof **out, struct error *error);
/* NULL is allowed. */
void replica_proof_close(struct replica_proof *proof);
/* Walks through everything below SQL: the file (kv_check), the versions, the outcomes, the node's
 * own records, and the log, which must hold together, hold sound entries only, and reach from the
 * checkpoint on. An error: it could not be read to the end. */
status_t replica_proof_run(struct replica_proof *proof, struct problems *problems,
                           struct replica_proven *out, struct error *error);
/* The tree at its newest version; NULL when it could not be opened. Lives as long as the proof. */
const struct mvcc_view *replica_proof_view(const struct replica_proof *proof);

#endif
