/* Inside the room. Reading order: raft_role.c (states and moves), raft_election.c, raft_append.c
 * (both sides of replication), raft_progress.c (what a leader knows of a follower),
 * raft_heartbeat.c, raft_read.c, raft_members.c (who belongs to it), raft_transfer.c (handing
 * over), raft_restore.c (a state that came from elsewhere), raft_log.c (memory and storage as one
 * log), raft_ready.c (the bundle), raft.c (the doors). */
#ifndef RAFT_RAFT_INT_H
#define RAFT_RAFT_INT_H

#include "base/check.h"
#include "base/prng.h"
#include "raft/raft.h"

/* Bundles with the log at one time. When all places are taken entries gather in memory and go out
 * in one large bundle: a slow disk makes batches, not queues. */
#define RAFT_BUNDLES_MAX 64
/* Batches of committed entries with the state machine at one time. */
#define RAFT_BATCHES_MAX 4

/* Bytes that left the log while a bundle or a batch still pointed to them. */
struct raft_dead {
    uint8_t *data;
    uint64_t sequence; /* free when bundles up to here are persisted */
    uint64_t applied;  /* and entries up to here are applied */
};

/* The log: older entries in storage, a tail in memory. See raft_log.c. */
struct raft_log {
    struct raft_storage storage;
    struct raft_entry *items; /* items[head .. head + count) are in use; owns their bytes */
    uint32_t head, count, capacity;
    uint64_t offset;    /* index of items[head]; last + 1 when count is 0 */
    uint64_t last_term; /* of the last entry */
    uint64_t handed;    /* given to the log thread up to here */
    uint64_t persisted; /* and reported durable up to here */
    uint64_t committed;
    uint64_t applying; /* given to the state machine up to here */
    uint64_t applied;
    size_t cached_bytes;      /* of items */
    size_t uncommitted_bytes; /* of items above committed */
    size_t undurable_bytes;   /* of items above persisted */
    size_t cached_bytes_max;
    struct raft_dead *dead;
    uint32_t dead_count, dead_capacity;
};

struct raft_inflight {
    uint64_t last; /* index of the last entry of the APPEND */
    size_t bytes;
};

/* What a leader knows of one follower. See raft_progress.c. */
struct raft_progress {
    uint64_t id;
    bool voter;
    enum raft_progress_state state;
    uint64_t match; /* durable there and equal to ours up to here */
    uint64_t next;  /* to be sent next */
    bool probe_sent;
    bool stalled;           /* nothing moved for a whole heartbeat interval */
    bool poke;              /* send one empty APPEND whatever the window says */
    bool snapshot_wanted;   /* SNAPSHOT, and the owner does not know yet */
    bool recent_active;     /* heard from since the last check of the quorum */
    uint64_t match_at_tick; /* match at the last heartbeat interval */
    uint64_t commit_sent;   /* told it that entries up to here are committed */
    uint64_t read_acked;    /* newest heartbeat round it answered */
    uint64_t round_awaited; /* lease: an answer to this round, 0: none, that was sent at */
    uint64_t round_sent_us;
    uint64_t lease_start_us;        /* answered a round sent at this time; 0: none */
    struct raft_inflight *inflight; /* ring of window_messages places, oldest at inflight_head */
    uint32_t inflight_head, inflight_count;
    size_t inflight_bytes;
    uint32_t window_messages;
    size_t window_bytes;
};

struct raft_message_list {
    struct raft_message *items;
    uint32_t count, capacity;
};

struct raft_read {
    uint64_t context;
    uint64_t index;
    uint64_t sequence; /* heartbeat round that confirms it; 0: waits for a commit of this term */
};

struct raft_bundle {
    uint64_t sequence;
    uint64_t last_index; /* of its entries, lowered when they are replaced meanwhile; 0: none */
    struct raft_hard_state hard_state; /* in force when it was made */
    struct raft_entry *entries;        /* array owned; bytes are the log's */
    struct raft_message *messages;     /* owned */
};

struct raft_batch {
    uint64_t last;
    struct arena arena;
};

enum raft_vote { RAFT_VOTE_NONE, RAFT_VOTE_YES, RAFT_VOTE_NO };

struct raft {
    struct raft_config config;
    uint64_t id;
    enum raft_role role;
    uint64_t term, vote, leader;
    struct raft_log log;

    /* The newest committed one, then those not committed; the last is in effect. raft_members.c */
    struct raft_members *memberships;
    uint32_t membership_count, membership_capacity;
    bool members_changed; /* since the last bundle */

    struct raft_progress peers[RAFT_MEMBERS_MAX]; /* the other members */
    uint32_t peer_count;
    bool voter; /* this node is one */
    uint32_t voter_count;
    uint32_t quorum; /* of all voters */

    struct prng prng;
    uint32_t election_elapsed, heartbeat_elapsed;
    uint32_t silence;          /* ticks since a leader was heard, however many terms ago */
    uint64_t now_us;           /* newest raft_time */
    uint32_t election_timeout; /* drawn from [T, 2T) */

    enum raft_vote votes[RAFT_MEMBERS_MAX]; /* of peers, in this campaign */
    enum raft_vote own_vote;                /* YES once it is durable */

    uint64_t loss_logged_term; /* a log line, once a term */
    bool campaign_ordered;     /* by the leader: see raft_transfer.c */
    uint64_t transferee;       /* leader: hands over to; 0: nobody */
    uint32_t transfer_elapsed; /* ticks since that began */
    bool transfer_ordered;     /* leader: told somebody in this term to campaign */
    uint64_t noop_index;       /* leader: its first entry; entries from here on are of its term */

    struct raft_read *reads; /* unanswered, oldest first, their sequence never falls */
    uint32_t reads_count, reads_capacity;
    uint64_t read_sequence; /* newest heartbeat round */
    bool read_round_needed;
    struct raft_read_state *answers;
    uint32_t answers_count, answers_capacity;

    struct raft_message_list out;       /* may go at once */
    struct raft_message_list out_after; /* wait for the disk; all of the current term */

    struct raft_bundle bundles[RAFT_BUNDLES_MAX]; /* ring */
    uint32_t bundle_head, bundle_count;
    uint64_t sequence; /* of the newest bundle */
    /* The bundle that makes raft_restore durable; UINT64_MAX: not made yet; 0: none. Until then
     * nothing is promised. */
    uint64_t restored_sequence;
    struct raft_hard_state hard_state_handed;    /* as last given to the log thread */
    struct raft_hard_state hard_state_persisted; /* and as last reported durable */

    struct raft_batch batches[RAFT_BATCHES_MAX]; /* ring */
    uint32_t batch_head, batch_count;

    struct arena ready_arena; /* lives until raft_advance */
    bool ready_open;
    enum raft_role soft_role; /* as the last bundle said */
    uint64_t soft_leader, soft_term;
};

/* raft_log.c. Indexes are the caller's to check: those in [storage first - 1, last] are known. */
status_t raft__log_init(struct raft_log *log, const struct raft_storage *storage, uint64_t commit,
                        uint64_t applied, size_t cached_bytes_max);
void raft__log_free(struct raft_log *log);
uint64_t raft__log_last(const struct raft_log *log);
/* ERR_NOT_FOUND: dropped from the storage. */
status_t raft__log_term(const struct raft_log *log, uint64_t index, uint64_t *term);
/* Copies the bytes; entry->index must be last + 1. */
void raft__log_append(struct raft_log *log, const struct raft_entry *entry);
/* Removes entries >= index, which are not committed. previous_term: of index - 1. Bytes that a
 * bundle up to `sequence` may point to are kept until it is persisted. */
void raft__log_truncate(struct raft_log *log, uint64_t index, uint64_t previous_term,
                        uint64_t sequence);
void raft__log_commit(struct raft_log *log, uint64_t index);
/* Everything up to `index` is durable. */
void raft__log_persisted(struct raft_log *log, uint64_t index);
/* Nothing is left but the knowledge that the entry `index` was of `term`, committed and applied. */
void raft__log_restore(struct raft_log *log, uint64_t index, uint64_t term);
/* Entries from low on, below high, within max_bytes but at least one; they live in `arena`, in the
 * log or in the storage: valid until the next change of the log. */
status_t raft__log_slice(const struct raft_log *log, uint64_t low, uint64_t high, size_t max_bytes,
                         struct arena *arena, const struct raft_entry **entries, uint32_t *count);
/* Lets go of what memory need not hold. */
void raft__log_evict(struct raft_log *log);
void raft__log_bury(struct raft_log *log, uint64_t sequence_persisted);
/* What keeping an entry in memory costs. */
size_t raft__entry_cost(const struct raft_entry *entry);
/* The largest index <= `from`, >= low whose term is <= `term`, and its term; low when there is
 * none. */
status_t raft__log_find_term(const struct raft_log *log, uint64_t from, uint64_t low, uint64_t term,
                             uint64_t *index_out, uint64_t *term_out);

/* raft_progress.c */
void raft__progress_init(struct raft_progress *p, uint64_t id, const struct raft_config *config);
void raft__progress_free(struct raft_progress *p);
void raft__progress_reset(struct raft_progress *p, uint64_t next);
void raft__progress_probe(struct raft_progress *p, uint64_t next);
void raft__progress_replicate(struct raft_progress *p);
void raft__progress_snapshot(struct raft_progress *p);
bool raft__progress_window_full(const struct raft_progress *p);
/* An APPEND of entries up to `last` left. */
void raft__progress_sent(struct raft_progress *p, uint64_t last, uint32_t count, size_t bytes);
/* The follower holds everything up to `match`. True when that is news. */
bool raft__progress_accepted(struct raft_progress *p, uint64_t match);
/* A heartbeat interval has passed. */
void raft__progress_tick(struct raft_progress *p, uint64_t last);
/* Is there an APPEND to send now? */
bool raft__progress_wants(const struct raft_progress *p, uint64_t last, uint64_t committed);

/* raft_members.c */
status_t raft__members_init(struct raft *r);
void raft__members_free(struct raft *r);
/* In effect. Valid until the next change. */
const struct raft_members *raft__members(const struct raft *r);
const struct raft_members *raft__members_committed(const struct raft *r);
bool raft__is_voter(const struct raft_members *members, uint64_t id);
/* Could this node have to lead? */
bool raft__may_campaign(const struct raft *r);
bool raft__members_valid(const struct raft_members *members);
bool raft__members_entry_valid(const struct raft_entry *entry);
/* The entry, which is valid, is the last of the log now. */
void raft__members_appended(struct raft *r, const struct raft_entry *entry);
/* Entries from `index` on are gone. */
void raft__members_truncated(struct raft *r, uint64_t index);
void raft__members_restored(struct raft *r, const struct raft_members *members);
/* Everything up to `index` is committed. */
void raft__commit(struct raft *r, uint64_t index);

/* raft_role.c: all moves between roles. */
void raft__become_follower(struct raft *r, uint64_t term, uint64_t leader);
void raft__become_precandidate(struct raft *r);
void raft__become_candidate(struct raft *r);
void raft__become_leader(struct raft *r);
void raft__check(const struct raft *r);
/* NULL: not another member. */
struct raft_progress *raft__peer(struct raft *r, uint64_t id);

/* raft_election.c */
/* ordered: by the leader, see raft_transfer.c. */
void raft__campaign(struct raft *r, bool ordered);
void raft__election_tick(struct raft *r);
/* A leader was heard so lately that nobody else gets a vote. */
bool raft__in_lease(const struct raft *r);
void raft__vote_request(struct raft *r, const struct raft_message *m);
void raft__vote_response(struct raft *r, const struct raft_message *m);
/* The own vote became durable. */
void raft__vote_own(struct raft *r);

/* raft_append.c */
status_t raft__append_build(struct raft *r);
status_t raft__append_request(struct raft *r, const struct raft_message *m);
status_t raft__append_response(struct raft *r, const struct raft_message *m);
/* Promises the leader that the log is equal to its own up to `index`. */
void raft__append_accept(struct raft *r, uint64_t to, uint64_t index);
/* May end the leadership: see there. */
void raft__leader_commit(struct raft *r);
/* To the end of the log; a membership is in effect with that. */
void raft__append_entry(struct raft *r, const struct raft_entry *entry);

/* raft_heartbeat.c */
void raft__leader_tick(struct raft *r);
void raft__heartbeat_broadcast(struct raft *r);
status_t raft__heartbeat_request(struct raft *r, const struct raft_message *m);
status_t raft__heartbeat_response(struct raft *r, const struct raft_message *m);

/* raft_read.c */
status_t raft__read_request(struct raft *r, uint64_t context);
/* The leader committed an entry of its term: those who waited for that get their index. */
void raft__read_unblock(struct raft *r);
void raft__read_start_round(struct raft *r);
/* Answers what a quorum has confirmed. */
void raft__read_confirm(struct raft *r);
void raft__read_fail_all(struct raft *r);

/* raft_transfer.c */
/* Has the node that takes over all it needs? Then it is told. */
void raft__transfer_advance(struct raft *r);
void raft__transfer_tick(struct raft *r);
/* The leader was removed: it names a successor and steps down. */
void raft__transfer_retire(struct raft *r);
void raft__transfer_request(struct raft *r);

/* raft_restore.c */
/* The follower holds everything up to `holds`: is that enough for the log to go on from? */
void raft__snapshot_ended(struct raft *r, struct raft_progress *p, uint64_t holds);

/* raft_ready.c. From and to are filled in. */
void raft__send(struct raft *r, uint64_t to, struct raft_message m);
void raft__send_after_persist(struct raft *r, uint64_t to, struct raft_message m);
/* Entries from `index` on were replaced: bundles in flight do not make them durable any more. */
void raft__bundles_replaced(struct raft *r, uint64_t index);
void raft__ready_free(struct raft *r);

/* raft_validate.c: ERR_PROTOCOL for what no correct node says, whatever our state is. */
status_t raft__message_validate(const struct raft *r, const struct raft_message *m);
bool raft__is_response(enum raft_message_type type);
status_t raft__config_validate(const struct raft_config *config);

#endif
