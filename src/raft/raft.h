/* Raft: consensus as a pure function. Events go in (a tick, a message, a proposal, "that is on disk
 * now"), and one bundle of things to do comes out. No file, clock, thread or socket is touched
 * here, and the only randomness comes from a seed, so the same inputs give the same outputs,
 * always.
 *
 * After Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (the paper;
 * Figure 2 is the algorithm) and Ongaro's thesis "Consensus: Bridging Theory and Practice":
 * leadership transfer (3.10), membership changes one server at a time (4.1 to 4.3) with the fix
 * Ongaro published on raft-dev on 2015-07-10, stickiness (4.2.3), check-quorum (6.2), ReadIndex
 * (6.4), leases (6.4.1), pre-vote (9.6), parallel disk write and pipelining (10.2).
 *
 * THE LOOP. One thread owns a struct raft. It does, for ever:
 *
 *     give events: raft_tick, raft_step, raft_propose, raft_read_index, raft_persisted, ...
 *     while (raft_has_ready(r)) {
 *         status = raft_ready(r, &ready);            not OK: storage failed, stop the node
 *         1. encode and send ready.messages          at once, beside the write of step 2
 *         2. if (ready.sequence != 0)                put a copy of `ready` on the log's queue
 *         3. answer ready.reads; hand ready.committed to the state machine
 *         4. begin to bring ready.snapshots their state
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
 *     message                  goes out in              because
 *     APPEND, HEARTBEAT,       messages                 thesis 10.2.1: "the leader can write to its
 *     TIMEOUT_NOW                                       disk in parallel with replicating"; it
 *                                                       counts itself only once durable
 *     APPEND_RESPONSE yes      messages_after_persist   it is a promise to hold the entries
 *     APPEND_RESPONSE no       messages                 promises nothing
 *     HEARTBEAT_RESPONSE       messages                 says "no later term known now"; a later
 *                                                       term can only be joined by a vote that is
 *                                                       itself durable before it is sent
 *     VOTE                     messages_after_persist   the candidate votes for itself first
 *     VOTE_RESPONSE yes        messages_after_persist   one vote a term, over restarts too
 *     VOTE_RESPONSE no         messages                 promises nothing
 *     PREVOTE and its RESPONSE messages                 changes no state (thesis 9.6)
 *
 * A promise whose term, vote and entries are durable already goes out in `messages`: it never waits
 * behind a write of other things.
 *
 * Committed entries are handed out as soon as they are committed, which may be before they are
 * durable on this node: a majority holds them, so one slow disk delays no answer. After a crash
 * they come back from the others. But a state machine that survived with more than the log has
 * could not go on from there: whoever makes it durable (a checkpoint) waits until raft_status'
 * `persisted` has reached what it has applied.
 *
 * MEMBERS. Who belongs to the cluster, and who of them votes, is itself an entry of the log
 * (RAFT_ENTRY_MEMBERS), which holds the whole new membership. A node goes by the newest one in its
 * log, committed or not, and back to the one before when the entry is replaced (thesis 4.1). One
 * voter comes or goes at a time, so that any majority of the old voters and any of the new have one
 * in common; learners come and go freely: they get the log but count for nothing. Requests are
 * taken from anybody, for this node may be the one that does not know yet (4.2.3); answers count
 * only when they come from members. An id stands for a disk: it may not come back with another one
 * as long as messages of the old one can still arrive, for what they promise would be believed.
 *
 * SNAPSHOTS. Raft moves none. A follower that needs entries the leader's storage has no longer is
 * named once in ready.snapshots; its owner brings it a state by other means, and gives up with
 * raft_snapshot_failed. The follower's owner puts that state in place and says raft_restore; the
 * answer to the leader follows by itself, and replication goes on behind it.
 *
 * MEMORY. Every entry that goes in is copied. Recent entries stay in memory: all that are not
 * durable or not committed, and older ones up to max_cached_bytes; the rest is read through the
 * storage. Nothing grows without bound: proposals by max_uncommitted_bytes, reads by
 * max_pending_reads, messages to a follower by max_inflight_messages and max_inflight_bytes,
 * committed entries by max_apply_bytes. What a bundle points to lives:
 *
 *     messages, reads                                     until raft_advance
 *     entries, messages_after_persist (arrays, bytes)     until raft_persisted(its sequence)
 *     committed (array, bytes)                            until raft_applied(its last index)
 *
 * and the last two may be read by another thread until then.
 */
#ifndef RAFT_RAFT_H
#define RAFT_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

/* Voters and learners of one cluster, this node included. */
#define RAFT_MEMBERS_MAX 16
/* Bytes a member carries that mean nothing to raft: its address, say. */
#define RAFT_MEMBER_CONTEXT_MAX 320
/* Indexes and terms above this are refused as absurd, so that + 1 never overflows. */
#define RAFT_INDEX_MAX (UINT64_MAX / 4)

/* Stored in the log and sent over the network: the numbers never change. */
enum raft_entry_type {
    RAFT_ENTRY_COMMAND = 1, /* a proposal; its bytes mean nothing to raft */
    RAFT_ENTRY_NOOP = 2,    /* the first entry of a leader's term (5.4.2, thesis 6.4); no bytes */
    RAFT_ENTRY_MEMBERS = 3, /* a whole membership, as raft_members_encode writes it */
};

/* Indexes start at 1; index 0 with term 0 is the place before the first entry. */
struct raft_entry {
    uint64_t index;
    uint64_t term;
    uint8_t type; /* enum raft_entry_type */
    struct slice data;
};

struct raft_member {
    uint64_t id; /* not 0 */
    bool voter;  /* or a learner, which gets the log, never campaigns, and counts for nothing */
    uint16_t context_size;
    uint8_t context[RAFT_MEMBER_CONTEXT_MAX];
};

struct raft_members {
    uint64_t index; /* of the entry that made it; 0: the one the cluster began with */
    uint32_t count;
    struct raft_member items[RAFT_MEMBERS_MAX]; /* distinct ids, in any order */
};

/* MessagePack: [1, index, [[id, voter 0 or 1, context], ...]]. Appended to `out`, whose `failed`
 * says whether it fit. */
void raft_members_encode(const struct raft_members *members, struct buffer *out);
/* ERR_CORRUPT: not such bytes, or not members: too many, an id of 0 or twice. */
status_t raft_members_decode(struct slice bytes, struct raft_members *out);
/* NULL: not a member. */
const struct raft_member *raft_members_find(const struct raft_members *members, uint64_t id);

/* Figure 2's persistent state. commit is a hint that lets a restarted node apply before it hears of
 * a leader: it may be behind, never ahead of the entries stored. */
struct raft_hard_state {
    uint64_t term;
    uint64_t vote; /* id, 0: none in this term */
    uint64_t commit;
};

/* Sent over the network: the numbers never change. */
enum raft_message_type {
    RAFT_PREVOTE = 1,
    RAFT_PREVOTE_RESPONSE = 2,
    RAFT_VOTE = 3,
    RAFT_VOTE_RESPONSE = 4,
    RAFT_APPEND = 5,
    RAFT_APPEND_RESPONSE = 6,
    RAFT_HEARTBEAT = 7,
    RAFT_HEARTBEAT_RESPONSE = 8,
    RAFT_TIMEOUT_NOW = 9, /* campaign at once: the leader hands over (thesis 3.10) */
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
 *   HEARTBEAT_RESPONSE  -                       the sender's    -       -        round
 *   TIMEOUT_NOW         -                       -               -       -        -
 *
 * term: the sender's; of a PREVOTE and of a granting PREVOTE_RESPONSE the term the campaign would
 * have. hint_index, hint_term: the largest index <= log_index in the follower's log whose term is
 * <= the log_term refused, and its term: nothing beyond it can match (see raft_append.c).
 * transfer: a VOTE of a campaign that the leader itself ordered; it disturbs nobody, so stickiness
 * does not hold it up. */
struct raft_message {
    enum raft_message_type type;
    uint64_t from, to;
    uint64_t term;
    uint64_t log_index, log_term;
    uint64_t commit;
    bool reject;
    uint64_t hint_index, hint_term;
    uint64_t read_sequence;
    bool transfer;
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

/* Zero means the default, but for id, members, pre_vote, check_quorum, lease_us, seed and applied.
 * raft_config_default fills all but id and members. */
struct raft_config {
    uint64_t id; /* not 0 */
    /* As of the entry `applied`; newer ones are found in the log. This node need not be in it, and
     * it may be empty: a node that joins waits to be told. */
    struct raft_members members;
    /* Index of the membership this node came with; 0: one from the start. Those before it may name
     * another node that had the same id and is gone, with all it had promised. A node that has not
     * got beyond them, reading the log from its start, neither campaigns nor votes. */
    uint64_t members_since;
    uint32_t election_timeout_ticks; /* T: a timeout is drawn from [T, 2T) each time. 10 */
    uint32_t heartbeat_ticks;        /* less than T. 1 */
    bool pre_vote;                   /* thesis 9.6; default true */
    bool check_quorum;               /* thesis 6.2, and stickiness 4.2.3; default true */
    size_t max_append_bytes; /* entry bytes in one APPEND; one entry may exceed it. 256 KiB */
    uint32_t max_inflight_messages; /* APPENDs on the way to one follower. 64 */
    size_t max_inflight_bytes;      /* entry bytes on the way to one follower. 4 MiB */
    size_t max_uncommitted_bytes;   /* proposed, and not committed or not durable here; over it
                                     * ERR_BUSY. 16 MiB */
    size_t max_entry_bytes;         /* of one proposal; over it ERR_TOO_LONG. 16 MiB */
    size_t max_cached_bytes;        /* durable and committed entries kept in memory. 8 MiB */
    size_t max_apply_bytes;     /* of committed entries in one bundle, as max_append_bytes. 1 MiB */
    uint32_t max_pending_reads; /* unanswered raft_read_index; over it ERR_BUSY. 65536 */
    /* 0: no lease, every read is confirmed by a round of heartbeats. Else reads are answered at
     * once for so long after a round that a quorum answered. Must be set on all nodes alike, needs
     * check_quorum and raft_time, and must stay below the time in which T - 1 ticks pass on any
     * node, however fast its clock and however late its ticks come: stale reads otherwise. */
    uint64_t lease_us;
    uint64_t seed;    /* different for each node and each start */
    uint64_t applied; /* last index in the durable state machine */
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
    /* Of a leader: followers that need a snapshot, each named once until raft_snapshot_failed. */
    uint64_t snapshots[RAFT_MEMBERS_MAX];
    uint32_t snapshot_count;
    /* raft_members differs, or may differ, from the bundle before. */
    bool members_changed;
    /* Always filled; soft_changed says that leader, role or term differ from the bundle before. */
    bool soft_changed;
    uint64_t leader; /* 0: not known */
    enum raft_role role;
    uint64_t term;
};

enum raft_progress_state {
    RAFT_PROGRESS_PROBE,     /* where the logs meet is not known: one APPEND at a time */
    RAFT_PROGRESS_REPLICATE, /* known: APPENDs are pipelined */
    RAFT_PROGRESS_SNAPSHOT, /* needs entries no longer stored: heartbeats only, until it has them */
};

struct raft_peer_status {
    uint64_t id;
    enum raft_progress_state state;
    uint64_t match, next;
    uint32_t inflight_messages;
    size_t inflight_bytes;
    bool recent_active;
    bool voter;
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
    uint64_t transferee;  /* of a leader that is handing over; else 0 */
    bool members_pending; /* the membership in effect is not committed */
    /* Of a leader, itself left out. */
    struct raft_peer_status peers[RAFT_MEMBERS_MAX];
    uint32_t peer_count;
};

struct raft;

void raft_config_default(struct raft_config *config);

/* Starts as a follower. config and storage are copied (storage->context must outlive the raft).
 * hard_state: as last made durable; all zeros for a new node. A term older than the last entry's (a
 * write torn between a bundle's entries and its hard state) is raised to it.
 * ERR_INVALID: config makes no sense. ERR_CORRUPT: hard_state.commit or config.applied is beyond
 * the last entry stored, or entries between applied and first_index are missing, or an entry holds
 * no valid membership. Or what storage answers. On success *out is the caller's, given back with
 * raft_destroy. */
status_t raft_create(const struct raft_config *config, const struct raft_storage *storage,
                     const struct raft_hard_state *hard_state, struct raft **out);
/* Everything a bundle points to goes too: the log and the state machine must be done with it.
 * NULL is allowed. */
void raft_destroy(struct raft *r);

/* None of the inputs may be given between raft_ready and raft_advance (asserted). */

/* One tick of time has passed. */
void raft_tick(struct raft *r);
/* A message from another node; it is only read, and copied where needed.
 * ERR_PROTOCOL: not to this node, or says what no correct node can say; nothing
 * was done but perhaps to adopt its term: count it, drop it. ERR_IO and others of the storage: stop
 * the node. Messages that are merely late or lost their point are OK and ignored. */
status_t raft_step(struct raft *r, const struct raft_message *message);
/* Leader only: appends `count` > 0 commands in order, all or none; the bytes are copied.
 * *first_index gets the index of the first; their term is the current one (raft_status). They may
 * still be lost with the leadership: whoever waits compares (index, term) with what is committed at
 * that index. Appends of many calls go out in one bundle. Who must know every earlier outcome
 * before it proposes waits until the NOOP of its own term was applied. ERR_NOT_LEADER; ERR_BUSY:
 * too much is uncommitted, or leadership is being handed over, try later; ERR_TOO_LONG:
 * max_entry_bytes. */
status_t raft_propose(struct raft *r, const struct slice *datas, uint32_t count,
                      uint64_t *first_index);
/* Leader only: appends a new membership (its index is not looked at); it is in effect at once, and
 * the change is done when that entry is committed. A leader that is no voter any more steps down
 * then (thesis 4.2.2), after it has told the best voter to campaign.
 * ERR_NOT_LEADER. ERR_BUSY, try later: the membership in effect is not committed yet, or no entry
 * of this term is, or leadership is being handed over. ERR_INVALID: more than one voter comes or
 * goes, none would be left, or the members are not valid (see raft_members_decode). */
status_t raft_propose_members(struct raft *r, const struct raft_members *members, uint64_t *index);
/* The membership in effect now. */
void raft_members(const struct raft *r, struct raft_members *out);
/* Leader only: hands leadership to the voter `to`, 0: the one that holds most. Proposals are
 * refused until it is over, which shows in raft_status: `transferee` is 0 again, because another
 * node leads or because an election timeout has passed. Asked again for the same node: OK, nothing
 * changes. ERR_NOT_LEADER. ERR_INVALID: not another voter, or there is none. ERR_BUSY: one to
 * another node is under way. */
status_t raft_transfer(struct raft *r, uint64_t to);
/* Leader only: asks for an index to read at (thesis 6.4). All requests given before one raft_ready
 * ride on one heartbeat round. Answered in ready.reads with `context`, exactly once. A request that
 * comes before the leader has committed an entry of its own term waits for that.
 * ERR_NOT_LEADER, ERR_BUSY: nothing was queued. */
status_t raft_read_index(struct raft *r, uint64_t context);
/* The bundle `sequence` and all before it are durable. Not a sequence in flight: asserted. */
void raft_persisted(struct raft *r, uint64_t sequence);
/* The state machine has applied everything up to `index`, which must have been handed out. */
void raft_applied(struct raft *r, uint64_t index);
/* Campaign now instead of at the timeout (with pre-vote when configured). A leader does nothing,
 * nor does a node that is no voter, nor one whose vote a lease may rely on. */
void raft_campaign(struct raft *r);
/* For leases: the monotonic time. Times of rounds sent may be old, which only shortens the lease;
 * but a read that uses the lease is as fresh as the newest time given, so before raft_read_index
 * give one that was taken after the request had arrived. A time before the last one is ignored. */
void raft_time(struct raft *r, uint64_t now_us);

/* The leader's owner gave up on bringing `peer` a snapshot, or thinks that it has one: the leader
 * asks what the peer has, and names it in ready.snapshots again if still needed. */
void raft_snapshot_failed(struct raft *r, uint64_t peer);
/* Nothing is with the log or the state machine and no bundle is open: raft_restore may be called.
 */
bool raft_idle(const struct raft *r);
/* The state at (index, term) can be used here: what raft_restore would answer, and does. */
status_t raft_restore_check(const struct raft *r, uint64_t index, uint64_t term);
/* The state machine was replaced, durably, by the state of a leader that had applied `index`, an
 * entry of `term`; `members` are those in effect there. The log is dropped. The owner does the same
 * with its own, and makes it durable with the next bundle, before anything of that is written. Must
 * be raft_idle (asserted).
 * ERR_EXISTS: not needed, nothing is dropped: the log has that entry. (Entries behind it may have
 * been acknowledged to a leader that counted them: dropping them would lose commits.) It may be
 * known to be committed by this call. ERR_BUSY: this node leads. ERR_INVALID: not a place in a log,
 * or not members. Or what the storage answers. */
status_t raft_restore(struct raft *r, uint64_t index, uint64_t term,
                      const struct raft_members *members);

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
