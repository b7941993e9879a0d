/* Raft: consensus as a pure function. Events go in (a tick, a message, a proposal, "that is on disk
 * now"), and one bundle of things to do comes out. No file, clock, thread or socket is touched
 * here, and the only randomness comes from a seed, so the same inputs give the same outputs,
 * always.
 *
 * After Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (the paper;
 * Figure 2 is the algorithm) and Ongaro's thesis "Consensus: Bridging Theory and Practice":
 * pre-vote (9.6), check-quorum (6.2), leader stickiness (4.2.3), ReadIndex (6.4), parallel disk
 * write of the leader and pipelining (10.2).
 *
 * THE LOOP. One thread owns a struct raft. It does, for ever:
 *
 *     give events: raft_tick, raft_step, raft_propose, raft_read_index, raft_persisted,
 * raft_applied while (raft_has_ready(r)) { status = raft_ready(r, &ready);            not OK:
 * storage failed, stop the node
 *         1. encode and send ready.messages          at once, beside the write of step 2
 *         2. if (ready.sequence != 0)                put a copy of `ready` on the log's queue
 *         3. answer ready.reads; hand ready.committed to the state machine
 *         raft_advance(r);
 *     }
 *
 *     The log (another thread, or inline) takes bundles in order of sequence and for each:
 *         a. if entry_count > 0: drops every stored entry with index >= entries[0].index, appends
 *         b. if has_hard_state: writes hard_state (behind the entries, or atomically with them)
 *         c. if must_sync: makes it durable; several bundles may share one sync
 *     and then, back on the owning thread, in order:
 *         d. encode and send messages_after_persist of that bundle
 *         e. raft_persisted(r, sequence)             now its memory is gone
 *
 *     The state machine, when it has applied the committed entries up to `index`:
 *         raft_applied(r, index)
 *
 * Several bundles may be with the log at one time, and several batches of committed entries with
 * the state machine. A write that fails is never reported by raft_persisted: the node must stop.
 *
 * WHAT WAITS FOR THE DISK. Figure 2, "Persistent state on all servers: (Updated on stable storage
 * before responding to RPCs) currentTerm, votedFor, log[]".
 *
 *     message                          goes out in             because
 *     APPEND, HEARTBEAT (leader)       messages                thesis 10.2.1: "the leader can write
 * to its disk in parallel with replicating"; it counts itself only once durable APPEND_RESPONSE
 * accepting        messages_after_persist  it is a promise to hold the entries APPEND_RESPONSE
 * rejecting        messages                promises nothing HEARTBEAT_RESPONSE messages says "no
 * later term known now"; a later term can only be joined by a vote that is itself durable before it
 * is sent VOTE (request)                   messages_after_persist  the candidate votes for itself
 * first VOTE_RESPONSE granting           messages_after_persist  one vote a term, over restarts too
 *     VOTE_RESPONSE rejecting          messages                promises nothing
 *     PREVOTE, PREVOTE_RESPONSE        messages                changes no state (thesis 9.6)
 *
 * A promise whose term, vote and entries are durable already goes out in `messages`.
 * Committed entries are handed out only when they are durable on this node too, so that a durable
 * checkpoint of the state machine never is ahead of the log.
 *
 * MEMORY. Every entry that goes in is copied. Recent entries stay in memory: all that are not
 * durable or not committed, and older ones up to max_cached_bytes; the rest is read through the
 * storage. Nothing grows without bound: proposals by max_uncommitted_bytes, reads by
 * max_pending_reads, messages to a follower by max_inflight_messages and max_inflight_bytes,
 * committed entries by max_apply_bytes. What a bundle points to lives:
 *
 *     messages, reads                                       until raft_advance
 *     entries, messages_after_persist (arrays and bytes)    until raft_persisted(its sequence); may
 * be read by another thread until then committed (array and bytes)                           until
 * raft_applied(its last index); may be read by another thread until then
 *
 * Not here: leadership transfer, membership change and snapshots. Message types 9 and up are
 * kept for them. A follower that needs entries the leader's storage has no longer gets heartbeats
 * only, and a line in the log; so the owner must not drop entries a follower may lack. */
#ifndef RAFT_RAFT_H
#define RAFT_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

/* Voters of one cluster, this node included. */
#define RAFT_VOTERS_MAX 16
/* Indexes and terms above this are refused as absurd, so that + 1 never overflows. */
#define RAFT_INDEX_MAX (UINT64_MAX / 4)

/* Stored in the log and sent over the network: the numbers never change. */
enum raft_entry_type {
    RAFT_ENTRY_COMMAND = 1, /* a proposal; its bytes mean nothing to raft */
    RAFT_ENTRY_NOOP = 2,    /* the first entry of a leader's term (5.4.2, thesis 6.4); no bytes */
};

/* Indexes start at 1; index 0 with term 0 is the place before the first entry. */
struct raft_entry {
    uint64_t index;
    uint64_t term;
    uint8_t type; /* enum raft_entry_type */
    struct slice data;
};

/* Figure 2's persistent state. commit is a hint that lets a restarted node apply before it hears of
 * a leader: it may be behind, never ahead of the entries stored. */
struct raft_hard_state {
    uint64_t term;
    uint64_t vote; /* id, 0: none in this term */
    uint64_t commit;
};

/* Sent over the network: the numbers never change. 9 and up: leadership transfer, snapshots. */
enum raft_message_type {
    RAFT_PREVOTE = 1,
    RAFT_PREVOTE_RESPONSE = 2,
    RAFT_VOTE = 3,
    RAFT_VOTE_RESPONSE = 4,
    RAFT_APPEND = 5,
    RAFT_APPEND_RESPONSE = 6,
    RAFT_HEARTBEAT = 7,
    RAFT_HEARTBEAT_RESPONSE = 8,
};

/* One flat struct for all; a field that its type does not use is 0.
 *
 *                       log_index, log_term     commit          reject  hint_*   read_sequence
 *   PREVOTE, VOTE       the candidate's last    -               -       -        -
 *   .._RESPONSE         -                       -               yes     -        -
 *   APPEND              entry before entries[]  the leader's    -       -        -
 *   APPEND_RESPONSE     accept: last that       -               yes     reject   -
 *                       matches; reject: that
 *                       of the APPEND refused
 *   HEARTBEAT           -                       min(leader's,   -       -        round
 *                                               match of `to`)
 *   HEARTBEAT_RESPONSE  -                       -               -       -        round
 *
 * term: the sender's; of a PREVOTE and of a granting PREVOTE_RESPONSE the term the campaign would
 * have. hint_index, hint_term: the largest index <= log_index in the follower's log whose term is
 * <= the log_term refused, and its term: nothing beyond it can match (see raft_append.c). */
struct raft_message {
    enum raft_message_type type;
    uint64_t from, to;
    uint64_t term;
    uint64_t log_index, log_term;
    uint64_t commit;
    bool reject;
    uint64_t hint_index, hint_term;
    uint64_t read_sequence;
    const struct raft_entry *entries; /* APPEND only; indexes log_index + 1 and up */
    uint32_t entry_count;
};

/* The log as it is on disk. Called only on the thread that owns the struct raft, and only for
 * indexes that raft_persisted has reported (or that were there at raft_create) and that no bundle
 * since has replaced: a read never meets a write of the same entry, though it may run while the log
 * appends behind it. */
struct raft_storage {
    void *context;
    /* Index of the oldest entry held, last_index + 1 when there is none. 1 for a new log. */
    uint64_t (*first_index)(void *context);
    /* Asked at raft_create only. first_index - 1 when there is none. */
    uint64_t (*last_index)(void *context);
    /* Term of the entry at `index`, in [first_index - 1, last_index]: the term of the entry just
     * before the oldest must be known (0 at index 0). ERR_NOT_FOUND: older than that. Should be
     * quick: it is asked for neighbours in a row while logs are compared. */
    status_t (*term)(void *context, uint64_t index, uint64_t *term);
    /* Entries of [low, high), low < high: from low as many as fit in max_bytes of data, but at
     * least one. Array and bytes are allocated from `arena` and belong to it; or the bytes may stay
     * the storage's own when they stay valid and unchanged for as long as the storage lives.
     * ERR_NOT_FOUND: low is older than first_index. ERR_IO, ERR_CORRUPT: the node must stop. */
    status_t (*entries)(void *context, uint64_t low, uint64_t high, size_t max_bytes,
                        struct arena *arena, struct raft_entry **entries, uint32_t *count);
};

/* Zero means the default, but for id, voters, pre_vote, check_quorum, seed and applied.
 * raft_config_default fills all but id and voters. */
struct raft_config {
    uint64_t id;                      /* not 0; must be among the voters */
    uint64_t voters[RAFT_VOTERS_MAX]; /* distinct, not 0 */
    uint32_t voter_count;
    uint32_t election_timeout_ticks; /* T: a timeout is drawn from [T, 2T) each time. 10 */
    uint32_t heartbeat_ticks;        /* less than T. 1 */
    bool pre_vote;                   /* thesis 9.6; default true */
    bool check_quorum;               /* thesis 6.2, and stickiness 4.2.3; default true */
    size_t max_append_bytes; /* entry bytes in one APPEND; one entry may exceed it. 256 KiB */
    uint32_t max_inflight_messages; /* APPENDs on the way to one follower. 64 */
    size_t max_inflight_bytes;      /* entry bytes on the way to one follower. 4 MiB */
    size_t max_uncommitted_bytes;   /* proposed, not committed; over it ERR_BUSY. 16 MiB */
    size_t max_entry_bytes;         /* of one proposal; over it ERR_TOO_LONG. 16 MiB */
    size_t max_cached_bytes;        /* durable and committed entries kept in memory. 8 MiB */
    size_t max_apply_bytes;     /* of committed entries in one bundle, as max_append_bytes. 1 MiB */
    uint32_t max_pending_reads; /* unanswered raft_read_index; over it ERR_BUSY. 65536 */
    uint64_t seed;              /* different for each node and each start */
    uint64_t applied;           /* last index in the durable state machine */
};

enum raft_role { RAFT_FOLLOWER, RAFT_PRECANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

/* An answer to raft_read_index. OK: a state machine that has applied `index` holds every write
 * acknowledged before the request. ERR_NOT_LEADER: leadership was lost before the answer was known.
 */
struct raft_read_state {
    uint64_t context;
    uint64_t index;
    status_t status;
};

struct raft_ready {
    /* For the log, when sequence is not 0. Sequences are 1, 2, 3, ... */
    uint64_t sequence;
    bool must_sync;      /* false: nothing to write, only messages that wait for earlier bundles */
    bool has_hard_state; /* write it */
    struct raft_hard_state hard_state;
    const struct raft_entry *entries;
    uint32_t entry_count;
    const struct raft_message *messages_after_persist;
    uint32_t messages_after_persist_count;
    /* For the network, now. */
    const struct raft_message *messages;
    uint32_t message_count;
    /* For the state machine: next after those of the bundle before, NOOPs included. */
    const struct raft_entry *committed;
    uint32_t committed_count;
    const struct raft_read_state *reads;
    uint32_t read_count;
    /* Always filled; soft_changed says that leader, role or term differ from the bundle before. */
    bool soft_changed;
    uint64_t leader; /* 0: not known */
    enum raft_role role;
    uint64_t term;
};

enum raft_progress_state {
    RAFT_PROGRESS_PROBE,     /* where the logs meet is not known: one APPEND at a time */
    RAFT_PROGRESS_REPLICATE, /* known: APPENDs are pipelined */
    RAFT_PROGRESS_BEHIND,    /* needs entries no longer stored: heartbeats only */
};

struct raft_peer_status {
    uint64_t id;
    enum raft_progress_state state;
    uint64_t match, next;
    uint32_t inflight_messages;
    size_t inflight_bytes;
    bool recent_active;
};

struct raft_status {
    uint64_t id, leader;
    enum raft_role role;
    uint64_t term, vote;
    uint64_t commit, applied;
    uint64_t last_index, last_term;
    uint64_t persisted;  /* durable up to here */
    size_t cached_bytes; /* of entries in memory */
    size_t uncommitted_bytes;
    uint32_t bundles_inflight;
    /* Of a leader, itself left out. */
    struct raft_peer_status peers[RAFT_VOTERS_MAX];
    uint32_t peer_count;
};

struct raft;

void raft_config_default(struct raft_config *config);

/* Starts as a follower. config and storage are copied (storage->context must outlive the raft).
 * hard_state: as last made durable; all zeros for a new node. A term older than the last entry's (a
 * write torn between a bundle's entries and its hard state) is raised to it.
 * ERR_INVALID: config makes no sense. ERR_CORRUPT: hard_state.commit or config.applied is beyond
 * the last entry stored, or entries between applied and first_index are missing. Or what storage
 * answers. On success *out is the caller's, given back with raft_destroy. */
status_t raft_create(const struct raft_config *config, const struct raft_storage *storage,
                     const struct raft_hard_state *hard_state, struct raft **out);
/* Everything a bundle points to goes too: the log and the state machine must be done with it.
 * NULL is allowed. */
void raft_destroy(struct raft *r);

/* None of the inputs may be given between raft_ready and raft_advance (asserted). */

/* One tick of time has passed. */
void raft_tick(struct raft *r);
/* A message from another node; it is only read, and copied where needed.
 * ERR_PROTOCOL: not from a voter, not to this node, or says what no correct node can say; nothing
 * was done but perhaps to adopt its term: count it, drop it. ERR_IO and others of the storage: stop
 * the node. Messages that are merely late or lost their point are OK and ignored. */
status_t raft_step(struct raft *r, const struct raft_message *message);
/* Leader only: appends `count` > 0 commands in order, all or none; the bytes are copied.
 * *first_index gets the index of the first; their term is the current one (raft_status). They may
 * still be lost with the leadership: whoever waits compares (index, term) with what is committed at
 * that index. Appends of many calls go out in one bundle. Who must know every earlier outcome
 * before it proposes waits until the NOOP of its own term was applied. ERR_NOT_LEADER; ERR_BUSY:
 * too much is uncommitted, try later; ERR_TOO_LONG: max_entry_bytes. */
status_t raft_propose(struct raft *r, const struct slice *datas, uint32_t count,
                      uint64_t *first_index);
/* Leader only: asks for an index to read at (thesis 6.4). All requests given before one raft_ready
 * ride on one heartbeat round. Answered in ready.reads with `context`, exactly once. A request that
 * comes before the leader has committed an entry of its own term waits for that.
 * ERR_NOT_LEADER, ERR_BUSY: nothing was queued. */
status_t raft_read_index(struct raft *r, uint64_t context);
/* The bundle `sequence` and all before it are durable. Not a sequence in flight: asserted. */
void raft_persisted(struct raft *r, uint64_t sequence);
/* The state machine has applied everything up to `index`, which must have been handed out. */
void raft_applied(struct raft *r, uint64_t index);
/* Campaign now instead of at the timeout (with pre-vote when configured). A leader does nothing. */
void raft_campaign(struct raft *r);

bool raft_has_ready(const struct raft *r);
/* Builds a bundle. An error is the storage's own (ERR_IO, ERR_CORRUPT): there is no bundle, stop
 * the node. */
status_t raft_ready(struct raft *r, struct raft_ready *ready);
/* The bundle was taken: messages are encoded, the log has its copy. */
void raft_advance(struct raft *r);

void raft_status(const struct raft *r, struct raft_status *out);
const char *raft_role_name(enum raft_role role);
/* "?" for a number that is no type. */
const char *raft_message_type_name(enum raft_message_type type);

#endif
