/* Transactions: one read version, a private overlay, one commit message; and the leader's judge.
 *
 * After Kung and Robinson, "On Optimistic Methods for Concurrency Control" (1981), backward
 * validation: a transaction read at version R; it may commit at a new version C if nothing it read
 * was written by a transaction with a version in (R, C). Then its reads still hold at C, so running
 * all committed transactions one after another in the order of their versions gives the same
 * result: serializable. The leader hands out versions in log order and read versions come from a
 * leader confirmed by a quorum: strictly serializable.
 *
 * This room has three parts:
 *   struct txn            on the node where the client is: reads, writes, and what was read
 *   the messages          a commit request (node to leader) and an effect (log entry), MessagePack
 *   struct txn_certifier  on every node fed by the applied log, asked on the leader
 *
 * EXACTLY ONCE. A commit request names its `struct txn_id`: an origin (a session slot of a node, or
 * a client's request id) and that origin's sequence number. An origin has at most one commit under
 * way. Applying an effect records the last sequence of its origin with its outcome, so a request
 * that is sent again finds the first answer, and an older one is known to be a straggler.
 * A refusal is recorded with its version as well, and is the last word on every request of its
 * sequence that read below that version. Who begins anew after it reads at that version or above
 * and may use the sequence again: so two sendings of one client's request, which cannot know of
 * each other's attempts, agree on the number of a transaction. */
#ifndef TXN_TXN_H
#define TXN_TXN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/msgpack.h"
#include "base/ordered.h"
#include "base/problem.h"
#include "base/status.h"
#include "kv/kv.h"
#include "mvcc/mvcc.h"

enum {
    TXN_ORIGIN_MAX = 72,             /* bytes */
    TXN_REPLY_MAX = 256,             /* bytes kept with the outcome for a client that asks again */
    TXN_WRITES_BYTES_MAX = 32 << 20, /* keys and values of one transaction */
    TXN_RANGES_MAX = 4096,           /* more are merged into wider ones */
};

/* ---- a transaction on its node ----------------------------------------------------------------
 */

/* Keys read: [low, high), or the one key `low` when `point`. An empty high is no bound. */
struct txn_range {
    struct slice low, high; /* in the transaction's range_bytes */
    bool point;
};

struct txn {
    struct kv_snapshot *snapshot;
    struct mvcc_view view; /* view.version is the read version */
    struct mvcc_overlay overlay;
    struct txn_range *ranges;
    uint32_t range_count;
    uint32_t range_capacity;
    struct arena range_bytes; /* their bounds */
    struct mvcc_near *near;   /* from the second txn_get on, of one that is not read_only */
    bool has_got;
    bool read_only; /* writes are refused and reads are not noted */
};

/* Takes the snapshot over; version: that of the last effect applied in it. One thread at a time
 * may use a transaction. */
void txn_init(struct txn *txn, struct kv_snapshot *snapshot, uint64_t version, bool read_only);
/* Closes the snapshot; all slices read are gone. */
void txn_free(struct txn *txn);
/* ERR_NOT_FOUND (error untouched) when there is none; noted as read either way. */
status_t txn_get(struct txn *txn, struct slice key, struct slice *value, struct error *error);
/* `value` NULL deletes. ERR_TOO_LONG: TXN_WRITES_BYTES_MAX. */
status_t txn_write(struct txn *txn, struct slice key, const struct slice *value);
bool txn_has_writes(const struct txn *txn);

struct txn_scan {
    struct txn *txn;
    struct mvcc_scan scan;
    struct slice low, high; /* in `bounds` */
    struct buffer bounds;
    struct slice last; /* last key given out, in `scan` */
    bool reverse;
    bool at_end;
    bool is_part;             /* noted by somebody else */
    struct mvcc_count *count; /* of txn_scan_count, or NULL */
};

status_t txn_scan_open(struct txn *txn, struct txn_scan *scan, struct slice low, struct slice high,
                       bool reverse, struct error *error);
/* Notes all of [low, high) as read. */
void txn_note_range(struct txn *txn, struct slice low, struct slice high);
/* As txn_scan_open, ascending, within a range that was noted: on any thread, beside others, while
 * nobody writes. */
status_t txn_scan_open_part(struct txn *txn, struct txn_scan *scan, struct slice low,
                            struct slice high, struct error *error);
/* ERR_NOT_FOUND (error untouched) at the end. The key is valid until the next call, the value as
 * long as the transaction. */
status_t txn_scan_next(struct txn_scan *scan, struct slice *key, struct slice *value,
                       struct error *error);
/* Up to `max` of them at once; *count < max only at the end. Keys are put into `keys`, where they
 * must stay until the next call, or txn_scan_close. */
status_t txn_scan_next_many(struct txn_scan *scan, struct kv_entry *entries, uint32_t max,
                            uint32_t *count, struct arena *keys, struct error *error);
/* Instead of giving them out: how many there are, part by part; *count == 0 only at the end. The
 * scan ascends and is used for nothing else. */
status_t txn_scan_count(struct txn_scan *scan, uint64_t *count, struct error *error);
/* Look-ups: a scan of no range yet, ascending, for many short ranges and single keys one after the
 * other; see mvcc_scan_init. Close it at the end. */
void txn_look_open(struct txn *txn, struct txn_scan *scan);
/* Notes what was read of the range before and goes to another; `low` and `high` are copied. */
status_t txn_look_range(struct txn_scan *scan, struct slice low, struct slice high,
                        struct error *error);
/* As txn_get; the scan has no range then. */
status_t txn_look_get(struct txn_scan *scan, struct slice key, struct slice *value,
                      struct error *error);
/* Notes what was read: all of the range when the end was reached, else up to the last key. */
void txn_scan_close(struct txn_scan *scan);

/* ---- messages ---------------------------------------------------------------------------------
 */

struct txn_id {
    struct slice origin; /* 1 to TXN_ORIGIN_MAX bytes */
    uint64_t sequence;   /* larger than that of the origin's commit before */
};

/* A commit request: [1, origin, sequence, read version, reply, [low, high, point, ...], writes]
 * where writes is a bin holding [key, value or nil, ...]. Appends to `out`. */
status_t txn_request_encode(const struct txn *txn, struct txn_id id, struct slice reply,
                            struct buffer *out);

/* A decoded request; slices point into the bytes it was decoded from. */
struct txn_request {
    struct txn_id id;
    uint64_t read_version;
    struct slice reply;
    struct slice ranges; /* the encoded array */
    struct slice writes; /* the encoded array */
};
/* Checks all of it, to the last write. ERR_PROTOCOL. */
status_t txn_request_decode(struct slice bytes, struct txn_request *out);

/* An effect, the log entry: [1, version, origin, sequence, reply, writes]. */
struct txn_effect {
    uint64_t version;
    struct txn_id id;
    struct slice reply;
    struct slice writes;
};
void txn_effect_encode(const struct txn_request *request, uint64_t version, struct buffer *out);
/* The effect of refusing it: the same without reply and writes. */
void txn_refusal_encode(const struct txn_request *request, uint64_t version, struct buffer *out);
/* ERR_CORRUPT. */
status_t txn_effect_decode(struct slice bytes, struct txn_effect *out);

/* Walks encoded writes that decode has checked. */
struct txn_write_cursor {
    struct msgpack_reader reader;
    uint32_t left;
};
void txn_writes_begin(struct slice writes, struct txn_write_cursor *cursor);
/* The part of txn_writes_next for values that are long. */
bool txn__writes_long(struct txn_write_cursor *cursor, struct slice *value);
/* *tombstone: the key is deleted. False at the end. */
static inline bool txn_writes_next(struct txn_write_cursor *cursor, struct slice *key,
                                   struct slice *value, bool *tombstone)
{
    if (cursor->left == 0)
        return false;
    cursor->left--;
    if (!msgpack_take_short(&cursor->reader, key))
        *key = msgpack_get_bin(&cursor->reader);
    *tombstone = msgpack_take_nil(&cursor->reader);
    if (*tombstone) {
        *value = slice_make(NULL, 0);
        return true;
    }
    return msgpack_take_short(&cursor->reader, value) || txn__writes_long(cursor, value);
}

/* ---- applying, and outcomes --------------------------------------------------------------------
 */

/* The outcome of the last commit of an origin, stored under TXN_OUTCOME_PREFIX | origin as
 * [sequence, version, reply]; the reply is nil when the commit was refused. */
enum { TXN_OUTCOME_PREFIX = 0x02 };

struct txn_outcome {
    uint64_t sequence;
    uint64_t version;
    bool refused;       /* no request that read below `version` will commit; the reply is empty */
    struct slice reply; /* points into the store: valid until the next change */
};
/* ERR_NOT_FOUND when the origin has none. Writer's thread. */
status_t txn_outcome_get(struct kv *kv, struct slice origin, struct txn_outcome *out,
                         struct error *error);
/* Writes an effect's versions and its outcome, and tells the collector (NULL: nobody) of those
 * that have garbage; *fresh is false, and nothing is changed, when the
 * origin's outcome is of this sequence and not refused, or of a later one already. Applying the
 * same effect to the same state gives the same state on every node. An error means nothing or a
 * part was written; applying again is safe. replace: what the effect overwrites is not kept beside
 * it (mvcc_replace_begin says when that is allowed; then the tree must not be published after an
 * error, until the effect was applied again). */
status_t txn_effect_apply(struct kv *kv, const struct txn_effect *effect, bool replace,
                          struct mvcc_collector *collector, bool *fresh, struct error *error);
/* As txn_effect_apply, for a commit that was refused: writes only the outcome, so that no other
 * copy of the request can commit any more. */
status_t txn_refusal_apply(struct kv *kv, const struct txn_effect *refusal, bool *fresh,
                           struct error *error);
/* Old outcomes are removed piece by piece, in two steps, so that a piece that failed half way can
 * be done again with the same result. First: *end gets the key behind `limit` outcomes from `start`
 * on (empty: from the first), empty when there are no more; *newest the newest version below
 * `version` among them, 0 when there is none. */
status_t txn_outcomes_piece(struct kv *kv, uint64_t version, struct slice start, uint32_t limit,
                            struct buffer *end, uint64_t *newest, struct error *error);
/* Then: removes those of [start, end) (empty: to the last) whose version is below `version`. */
status_t txn_outcomes_expire(struct kv *kv, uint64_t version, struct slice start, struct slice end,
                             struct error *error);

/* All outcomes: adds to `problems` what is malformed, or of a version above `newest`. Writer's
 * thread. An error: the walk ended there. */
status_t txn_outcomes_check(struct kv *kv, uint64_t newest, struct problems *problems,
                            uint64_t *count, struct error *error);

/* ---- certification ------------------------------------------------------------------------------
 */

struct txn_certifier;

/* `keys_max` bounds the window: the newest version of at most that many recently written keys, of
 * which those of large transactions take less room, and count for less. */
struct txn_certifier *txn_certifier_create(uint32_t keys_max);
void txn_certifier_destroy(struct txn_certifier *certifier);
/* Transactions that read below `version` are too old from now on: the window's lower end. */
void txn_certifier_start(struct txn_certifier *certifier, uint64_t version);
/* OK: may commit. ERR_CONFLICT: *key (may be NULL) gets a key it read that was overwritten, valid
 * until the next call. ERR_TOO_OLD: it read below the window. */
status_t txn_certify(struct txn_certifier *certifier, const struct txn_request *request,
                     struct slice *key);
/* The writes of a transaction proposed or applied at `version`. Versions come in ascending order,
 * but a version noted before may come again (proposed, then applied). */
void txn_certifier_note(struct txn_certifier *certifier, struct slice writes, uint64_t version);
/* Forgets what was noted above `version`: proposals of a leader that is none any more. */
void txn_certifier_rewind(struct txn_certifier *certifier, uint64_t version);

#endif
