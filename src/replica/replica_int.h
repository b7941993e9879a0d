#ifndef REPLICA_REPLICA_INT_H
#define REPLICA_REPLICA_INT_H

#include "base/map.h"
#include "replica/replica.h"

enum {
    REPLICA_ENTRY_EFFECT = 1,
    REPLICA_ENTRY_CLUSTER = 2,
    REPLICA_ENTRY_REFUSAL = 3,
    REPLICA_ENTRY_CHECK = 4,   /* compare the states here; no body */
    REPLICA_ENTRY_RECOVER = 5, /* a new identity of the cluster, as CLUSTER, but it counts always */
    REPLICA_SYSTEM_PREFIX = 0x01,
    REPLICA_SYSTEM_KEY_MAX = 32,
    REPLICA_REMOVED_KEPT = 256, /* uids of removed members that are remembered */
};

/* What the entries say, by kind. */
struct replica__decoded {
    uint8_t kind; /* REPLICA_ENTRY_*; 0: none of a client's or a leader's, see `members` */
    struct txn_effect effect; /* of EFFECT and REFUSAL */
    struct slice cluster_id;  /* of CLUSTER and RECOVER */
    bool has_members;
    struct replica_members members;
};
/* replica_entry.c. ERR_CORRUPT: it is not an entry that could be applied. */
status_t replica__entry_decode(const struct raft_entry *entry, struct replica__decoded *out);

#define REPLICA_QUARANTINE_FILE "QUARANTINE"

/* An outcome is kept for so long, measured by the versions of later effects. */
static const uint64_t REPLICA_OUTCOME_KEEP_US = 600 * (uint64_t)1000000;

/* A bundle of raft's whose messages wait for the disk. */
struct replica__bundle {
    uint64_t sequence;
    uint64_t batch; /* the log batch it is in; done when that is */
    const struct raft_message *messages;
    uint32_t message_count;
};

/* Committed entries handed out by raft and not all applied yet. */
struct replica__committed {
    const struct raft_entry *entries;
    uint32_t count;
    uint32_t at;
};

/* A commit that this node, as leader, has proposed. */
struct replica__proposal {
    uint64_t index;
    uint64_t version;
    uint64_t node;    /* who asked */
    uint64_t id;      /* its id for the request */
    uint64_t sending; /* and the number of its sending */
    uint64_t proposed_us;
    uint32_t certify_us;
    uint8_t origin[TXN_ORIGIN_MAX];
    uint32_t origin_size;
    uint64_t sequence;
    struct buffer conflict; /* of a refusal: the key that was changed; the log does not say it */
};

/* A read request that this node, as leader, has given to raft. */
struct replica__read_asked {
    uint64_t context;
    uint64_t node;
    uint64_t id;
};

/* An answer of this node to itself, waiting for the pump. */
struct replica__loopback {
    struct replica_message message; /* its body is `body` */
    uint8_t body[];
};

struct replica__retired;
struct replica__sends;
struct replica__receiver;

/* When another node last sent something. */
struct replica__heard {
    uint64_t id;
    uint64_t us;
};

/* A piece of background work, first member of its kind's own struct, whose maker frees it. */
struct replica_work {
    /* Any thread; nothing but what this work owns. */
    void (*run)(struct replica_work *work);
    /* Owner's thread, also when the replica has failed meanwhile. */
    void (*done)(struct replica *r, struct replica_work *work);
};

/* A growing ring of fixed-size items, oldest first. */
struct replica__ring {
    uint8_t *items;
    size_t item_size;
    uint32_t capacity, head, count;
};
void replica__ring_init(struct replica__ring *ring, size_t item_size);
void replica__ring_free(struct replica__ring *ring);
void replica__ring_push(struct replica__ring *ring, const void *item);
void *replica__ring_at(struct replica__ring *ring, uint32_t i);
void replica__ring_pop(struct replica__ring *ring);

/* The file IDENTITY. */
struct replica__identity {
    uint64_t id;
    uint64_t uid;
    bool has_cluster_id;
    uint8_t cluster_id[REPLICA_CLUSTER_ID_SIZE];
    uint64_t removed_index;       /* of the membership that did it; 0: it was not */
    bool joins;                   /* `first` are nodes to talk to, known when it joined */
    struct replica_members first; /* else those of the cluster at its start */
};

/* Directories that had a place in the cluster, oldest first. */
struct replica__uid {
    uint64_t id, uid;
};
struct replica__removed {
    uint32_t count;
    struct replica__uid items[REPLICA_REMOVED_KEPT];
};

/* The bodies of REPLICA_ADMIN_REQUEST and _RESPONSE. */
struct replica__admin_request {
    enum replica_admin_type type;
    uint64_t token;
    struct replica_member member;
};
struct replica__admin_response {
    uint64_t token;
    struct error error; /* its texts */
    uint8_t cluster_id[REPLICA_CLUSTER_ID_SIZE];
    struct replica_members members;
    struct replica_check check;
};

/* The leader's consistency checks. */
struct replica__checks {
    struct replica_check now; /* index 0: none is under way */
    struct replica_check last;
    uint64_t term; /* in which the one under way was proposed */
    uint64_t begun_us, deadline_us;
    uint64_t ended_us; /* the last */
    bool majority_seen;
};

struct replica__hashing;

struct replica {
    struct replica_config config;
    struct replica_host host;
    char *dir;
    char *wal_dir;
    struct env *env;
    struct raft *raft;
    struct wal *wal;
    struct kv *kv;
    struct replica__identity identity;
    struct replica_members members;         /* in effect */
    struct replica_members members_applied; /* committed */
    uint64_t removed_index; /* applied: this node has no place any more; 0: it has */
    bool failed;
    struct error failure;

    /* leadership as of the last bundle */
    uint64_t leader;
    enum raft_role role;
    uint64_t term;

    /* the log */
    struct replica__ring bundles; /* struct replica__bundle */
    uint64_t batch_next;          /* number the next wal_take gets */
    bool staged;                  /* something is in the wal's next batch */
    struct wal_batch *batch_out;  /* with the log thread, or blocked by a full disk */
    uint64_t batch_out_number;
    bool batch_blocked; /* by a full disk */
    bool batch_retry;
    bool log_full; /* the write tried last found no space */

    /* the state machine */
    struct replica__ring committed; /* struct replica__committed */
    uint64_t applied_index;
    uint64_t applied_term; /* of that entry; 0: none, or not known */
    uint64_t applied_version;
    uint64_t forgotten_version; /* of the newest outcome removed */
    bool apply_blocked;         /* the disk is full: a part of an entry may be in the tree */
    bool apply_retry;           /* a tick has passed since */
    bool apply_unpublished;     /* whole entries are in the tree that nobody sees yet */

    /* checkpoints */
    struct kv_checkpoint *checkpoint_out;
    uint64_t checkpoint_index; /* durable */
    uint64_t checkpoint_out_index;
    uint64_t checkpoint_time_us;
    uint64_t applied_bytes;
    bool received; /* the tree came as a snapshot, and the log does not begin behind it yet */
    uint64_t reset_batch;                             /* the log batch with which it will */
    uint64_t led_us;                                  /* when this node became leader last */
    struct replica__heard heard[REPLICA_MEMBERS_MAX]; /* id 0: empty place */

    /* old versions; see replica_collect.c */
    struct replica__collect *collect;
    struct replica__care *care;
    bool reserve_scarce; /* the tree's file has not the free pages it should have */

    /* background work */
    struct replica_work *work_out;
    uint32_t work_turn;               /* the kind that is asked first */
    struct replica__retired *retired; /* trees still read by some transaction */

    /* snapshots */
    struct replica__sends *sends;
    struct replica__receiver *receiver;
    uint64_t snapshot_bytes_sent, snapshot_bytes_received;

    /* this node's clients */
    struct replica_read *reads; /* in order of asking */
    struct replica_read **reads_tail;
    uint64_t read_batch; /* number of the last batch sent */
    struct replica_commit *commits;
    uint64_t commit_id; /* of the last commit begun */
    struct replica_admin *admins;
    uint64_t admin_id; /* of the last one begun */

    /* leader */
    struct txn_certifier *certifier;
    struct map proposed;              /* origin -> proposal is in `proposals` */
    struct replica__ring proposals;   /* struct replica__proposal, by index */
    struct replica__ring reads_asked; /* struct replica__read_asked */
    uint64_t read_context;
    uint64_t version_last;     /* given out or applied */
    uint64_t own_term_applied; /* the last term of which this node applied an entry */
    bool disk_low;             /* replica__disk_is_low found it so last */
    bool cluster_proposed;
    struct replica__uid uids_heard[REPLICA_MEMBERS_MAX]; /* in the order of `members` */
    uint64_t catch_up_term, catch_up_us; /* replica_members_lead.c: when, in which term, */
    uint64_t catch_up_index;             /* the log's last entry was this one */
    uint64_t transfer_term, transfer_us; /* when leadership was to be handed over last */
    uint64_t successor;                  /* whom this node without room gave way to last */

    /* consistency checks */
    struct replica__hashing *hashing; /* of this node; NULL: nothing to hash or to report */
    uint64_t check_index;             /* the CHECK entry applied last, and */
    uint64_t checked_us;              /* when */
    struct replica__checks checks;

    struct replica__ring loopback; /* struct replica__loopback * */

    uint64_t foreign[REPLICA_MEMBERS_MAX]; /* nodes that said we are not of their cluster */
    uint32_t foreign_count;
    uint64_t messages_refused;
    uint64_t told_us[REPLICA_MEMBERS_MAX]; /* when a node was told to stop, by id modulo */
    uint64_t heard_us;                     /* when another node was heard of last */
};

/* The replica stops for good; the first reason is kept. */
void replica__fail(struct replica *r, const struct error *error);
void replica__fail_status(struct replica *r, status_t status, const char *what);

/* replica_receive.c */
/* Fills sender and cluster, sends; a message to this node itself is received at once. False: it was
 * dropped. */
bool replica__send(struct replica *r, struct replica_message *message);
/* Answers of this node to itself that wait. */
void replica__loopback_drain(struct replica *r);

/* replica.c: a replica that is not open yet; its storage, all but raft; and its end, open or not.
 */
struct replica *replica__create(const struct replica_config *config,
                                const struct replica_host *host);
status_t replica__storage_open(struct replica *r, struct error *error);
void replica__release(struct replica *r);

/* replica_identity.c: the file that tells whose directory this is. Read: ERR_NOT_FOUND when there
 * is none. Load makes a new one. */
status_t replica__identity_read(struct env *env, const char *dir, struct replica__identity *out,
                                struct error *error);
status_t replica__identity_load(struct env *env, const char *dir, uint64_t id,
                                struct replica__identity *out, struct error *error);
status_t replica__identity_write(struct env *env, const char *dir,
                                 const struct replica__identity *identity, struct error *error);
/* Is there a file of this name in the directory? ERR_INVALID: their path is too long. */
status_t replica__file_exists(struct env *env, const char *dir, const char *name, bool *exists,
                              struct error *error);
/* Writes a file anew and makes its bytes durable. */
status_t replica__file_write(struct env *env, const char *path, struct slice text,
                             struct error *error);
/* Takes over from the configuration what only the first start is told. */
status_t replica__identity_place(struct replica *r, struct error *error);
/* Takes the cluster's identity from the tree, when it is not known otherwise. */
status_t replica__cluster_load(struct replica *r, struct error *error);
/* An entry of kind CLUSTER, or RECOVER. */
status_t replica__cluster_apply(struct replica *r, struct slice body, bool recover,
                                struct error *error);

/* replica_yield.c */
bool replica__disk_is_low(struct replica *r);
/* A try to hand leadership over, as raft_transfer. While one is under way nothing is proposed, so a
 * node that cannot take it must not be asked again and again: after a try the leader rests for as
 * long as three tries last. */
status_t replica__transfer(struct replica *r, uint64_t to);
bool replica__transfer_rests(const struct replica *r);
/* On a leader whose disk is low. True: leadership is being handed over. */
bool replica__gives_way(struct replica *r);

/* replica_members.c */
/* NULL: it is not among them. */
const struct replica_member *replica__member_find(const struct replica_members *members,
                                                  uint64_t id);
/* By id, for people: the order of a membership itself means nothing, but others follow it. */
void replica__members_sort(struct replica_members *members);
/* No blanks and no control characters: it goes into files and logs. May be empty. */
bool replica__address_valid(const char *address);
bool replica__majority_reachable(const struct replica *r, const struct replica_members *members);
void replica__members_to_raft(const struct replica_members *members, struct raft_members *out);
/* ERR_CORRUPT: a context is malformed. */
status_t replica__members_from_raft(const struct raft_members *members,
                                    struct replica_members *out);
/* Those applied, from the tree (again, after it was replaced). */
status_t replica__members_load(struct replica *r, struct error *error);
status_t replica__members_apply(struct replica *r, const struct raft_entry *entry,
                                struct error *error);
/* Takes those in effect from raft. Refresh: and tells the host, for they may have changed. */
status_t replica__members_fetch(struct replica *r, struct error *error);
void replica__members_refresh(struct replica *r);
status_t replica__removed_load(struct replica *r, struct replica__removed *out,
                               struct error *error);
bool replica__removed_has(const struct replica__removed *removed, uint64_t id, uint64_t uid);

/* replica_members_lead.c */
/* The membership in effect is committed. */
bool replica__members_settled(const struct replica *r);
/* OK: `next` is in effect now. ERR_BUSY: try later. ERR_NO_QUORUM: it would leave none. */
status_t replica__members_propose(struct replica *r, const struct replica_members *next,
                                  struct error *error);
void replica__uid_heard(struct replica *r, uint64_t id, uint64_t uid);
/* On the leader: the uid of the member's directory, on record or not yet; 0: not known. */
uint64_t replica__uid_known(const struct replica *r, const struct replica_member *member);
void replica__members_tick(struct replica *r, uint64_t now_us);

/* replica_sender.c */
/* False: the message is dealt with, or turned away. */
bool replica__sender_check(struct replica *r, const struct replica_message *message);
/* Index of the newest membership known to have had this directory in it. */
uint64_t replica__place_known(const struct replica *r);
/* The replica stops because the membership at `index` says so. */
void replica__stranger_stop(struct replica *r, uint64_t index);
void replica__removed_stop(struct replica *r, uint64_t index);
/* A node that hears of nobody says that it is there: so it learns when it was removed. */
void replica__hello_tick(struct replica *r, uint64_t now_us);

/* replica_check.c: this node's hash */
/* The CHECK entry at `index` was applied last, and published. */
void replica__check_begin(struct replica *r, uint64_t index);
/* Forgets it: it was answered, or the tree is another one now. But for what this node has been told
 * of: that it is the odd one, and will stop in a moment. */
void replica__check_drop(struct replica *r);
void replica__check_destroy(struct replica *r);
struct replica_work *replica__check_take(struct replica *r);
void replica__check_report(struct replica *r, uint64_t now_us);
void replica__check_verdict(struct replica *r, const struct replica_message *message);

/* replica_check_lead.c: the leader's comparison */
void replica__check_hash(struct replica *r, const struct replica_message *message);
/* As an admin request is judged; see there for *token. */
status_t replica__check_asked(struct replica *r, uint64_t *token, struct replica_check *out,
                              struct error *error);
void replica__check_tick(struct replica *r, uint64_t now_us);

/* replica_admin_wire.c */
void replica__admin_request_encode(const struct replica__admin_request *request,
                                   struct buffer *out);
status_t replica__admin_request_decode(struct slice bytes, struct replica__admin_request *out);
void replica__admin_response_encode(const struct replica__admin_response *response,
                                    struct buffer *out);
status_t replica__admin_response_decode(struct slice bytes, struct replica__admin_response *out);

/* replica_admin.c: the node that was asked; replica_admin_judge.c: the leader */
void replica__admin_response(struct replica *r, const struct replica_message *message);
void replica__admins_tick(struct replica *r, uint64_t now_us);
void replica__admins_leader_changed(struct replica *r);
void replica__admins_removed(struct replica *r);
void replica__admins_fail(struct replica *r, status_t status);
void replica__admin_request(struct replica *r, const struct replica_message *message);

/* replica_apply.c */
void replica__apply(struct replica *r);
struct slice replica__system_key(const char *name, uint8_t bytes[REPLICA_SYSTEM_KEY_MAX]);
/* The version of the newest outcome removed. */
status_t replica__forgotten_load(struct replica *r, struct error *error);

/* replica_care.c */
void replica__care_create(struct replica *r);
void replica__care_destroy(struct replica *r);
/* A checkpoint has become durable. */
void replica__care_checkpointed(struct replica *r);
void replica__care_tick(struct replica *r);
/* Damaged pages found by scrubbing since the replica was opened. */
uint64_t replica__care_damaged(const struct replica *r);
struct replica_work *replica__care_take(struct replica *r);

/* replica_collect.c */
void replica__collect_create(struct replica *r);
void replica__collect_destroy(struct replica *r);
/* To be told of what applying leaves behind. */
struct mvcc_collector *replica__collector(struct replica *r);
/* A burst was applied, and is published after this. */
void replica__collect_applied(struct replica *r);
void replica__collect_tick(struct replica *r);
/* How many versions went since the last checkpoint began: it is worth one. */
uint64_t replica__collect_removed(const struct replica *r);
void replica__collect_checkpointed(struct replica *r);
struct replica_work *replica__collect_take(struct replica *r);

/* replica_read.c */
void replica__reads_flush(struct replica *r);
void replica__reads_applied(struct replica *r);
void replica__reads_tick(struct replica *r, uint64_t now_us);
void replica__reads_leader_changed(struct replica *r);
void replica__read_request(struct replica *r, const struct replica_message *message);
void replica__read_response(struct replica *r, const struct replica_message *message);
void replica__read_state(struct replica *r, const struct raft_read_state *state);
void replica__reads_fail(struct replica *r, status_t status);

/* replica_commit.c: the node of the client */
void replica__commits_tick(struct replica *r, uint64_t now_us);
void replica__commits_leader_changed(struct replica *r);
void replica__commit_response(struct replica *r, const struct replica_message *message);
void replica__commits_fail(struct replica *r, status_t status);

/* replica_judge.c: the leader */
void replica__commit_request(struct replica *r, const struct replica_message *message);
/* The entry at `index`, which was known as committed at `committed_us`, was applied; version 0: it
 * was no effect of ours. */
void replica__proposal_applied(struct replica *r, uint64_t index, uint64_t version,
                               uint64_t committed_us);
/* Leadership was lost: what was proposed is in the hands of the next leader. */
void replica__proposals_drop(struct replica *r);
void replica__proposals_free(struct replica *r);
bool replica__may_judge(const struct replica *r);

/* replica_checkpoint.c */
/* What a checkpoint of the tree says of itself. */
struct replica__meta {
    uint64_t index, version, term;
    bool received;
};
status_t replica__meta_encode(const struct replica__meta *meta, struct buffer *out);
bool replica__checkpoint_due(const struct replica *r);
/* All entries that were handed out up to this one are durable here. */
uint64_t replica__durable_index(const struct replica *r);
/* At the end, when nothing has failed. */
void replica__checkpoint_last(struct replica *r);
/* Where the checkpoint that the tree was opened at stood. */
status_t replica__meta_load(struct replica *r, struct error *error);
/* Brings the log to the tree when that came as a snapshot. ERR_CORRUPT: the log does not belong to
 * the tree. */
status_t replica__log_reconcile(struct replica *r, struct error *error);
/* Says that the log does not reach the tree; returns ERR_CORRUPT. */
status_t replica__log_lost(struct replica *r, struct error *error);
/* A member has sent something. */
void replica__heard(struct replica *r, uint64_t id);

/* replica_snapshot_send.c */
void replica__sends_create(struct replica *r);
/* NULL is allowed. No work may be out. */
void replica__sends_destroy(struct replica *r);
/* Raft named a node that needs a snapshot. */
void replica__snapshot_needed(struct replica *r, uint64_t peer);
void replica__sends_tick(struct replica *r);
struct replica_work *replica__sends_work(struct replica *r);
/* The first entry a node will need that is being sent a snapshot; 0: it is not. */
uint64_t replica__sends_needs(const struct replica *r, uint64_t peer);
void replica__snapshot_fetch(struct replica *r, const struct replica_message *message);

/* replica_snapshot_receive.c */
void replica__receiver_create(struct replica *r);
/* NULL is allowed. No work may be out. */
void replica__receiver_destroy(struct replica *r);
/* At open: removes what an earlier life left behind. */
status_t replica__receiver_clean(struct replica *r, struct error *error);
struct replica_work *replica__receiver_work(struct replica *r);
/* Swaps trees when one is ready and raft at rest. */
void replica__receiver_pump(struct replica *r);
/* Raft must be given nothing and asked for nothing. */
bool replica__receiver_holds(const struct replica *r);
/* Raft must come to rest: no new checkpoint. */
bool replica__receiver_wants_rest(const struct replica *r);
/* Raft's messages are to be dropped. */
bool replica__receiver_silences(const struct replica *r);
void replica__snapshot_offer(struct replica *r, const struct replica_message *message);
void replica__snapshot_chunk(struct replica *r, const struct replica_message *message);

/* replica_work.c */
/* The tree was replaced: it is closed once its last snapshot is. */
void replica__retire(struct replica *r, struct kv *kv);
/* When the replica closes: no snapshot is open any more. */
void replica__retired_free(struct replica *r);

#endif
