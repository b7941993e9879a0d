/* What SQL needs of a store: one transaction's view of ordered byte keys, and its own writes on it.
 *
 * The server binds this to txn and replica; store_memory (below) is a dull one for tests. SQL calls
 * are synchronous: everything is local. Beginning (a read version from the leader) and committing
 * (certification) happen outside, see sql.h.
 *
 * Every read is noted by the store as part of what the transaction read: a get as its key, present
 * or not; a scan as the range it covered, up to the last entry delivered when it was not read to
 * its end. Keys are prefix-free (no key is a prefix of another), at most STORE_KEY_MAX bytes. */
#ifndef SQL_STORE_STORE_H
#define SQL_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

enum {
    STORE_KEY_MAX = 1000,      /* bytes; leaves room for what lower layers add */
    STORE_VALUE_MAX = 8 << 20, /* bytes */
};

struct store_entry {
    struct slice key;
    struct slice value;
};

struct store_txn;
struct store_cursor;

/* What an implementation provides, each as the function of that name below says. Keys and values
 * come in with their sizes checked. */
struct store_ops {
    status_t (*get)(struct store_txn *txn, struct slice key, bool *found, struct slice *value,
                    struct error *error);
    status_t (*scan_open)(struct store_txn *txn, struct slice low, struct slice high, bool reverse,
                          struct store_cursor **cursor, struct error *error);
    status_t (*scan_next)(struct store_cursor *cursor, struct store_entry *entries, uint32_t max,
                          uint32_t *count, struct error *error);
    /* These two may be missing. */
    void (*scan_keyless)(struct store_cursor *cursor);
    status_t (*scan_count)(struct store_cursor *cursor, uint64_t *count, struct error *error);
    void (*scan_close)(struct store_cursor *cursor);
    /* These three may be missing together: each look-up is then a get, or a scan of its own. */
    void (*look_open)(struct store_txn *txn, struct store_cursor **cursor);
    status_t (*look_range)(struct store_cursor *cursor, struct slice low, struct slice high,
                           struct error *error);
    status_t (*look_get)(struct store_cursor *cursor, struct slice key, bool *found,
                         struct slice *value, struct error *error);
    status_t (*put)(struct store_txn *txn, struct slice key, struct slice value,
                    struct error *error);
    status_t (*remove)(struct store_txn *txn, struct slice key, struct error *error);
    status_t (*estimate)(struct store_txn *txn, struct slice low, struct slice high,
                         double *entries, struct error *error);
    status_t (*sample)(struct store_txn *txn, struct slice low, struct slice high, double share,
                       struct store_entry *entries, uint32_t max, uint32_t *count,
                       struct error *error);
    /* These three may be missing together: then all reading is done by one thread. */
    status_t (*share_key)(struct store_txn *txn, struct slice low, struct slice high, double share,
                          struct buffer *key, struct error *error);
    void (*note_range)(struct store_txn *txn, struct slice low, struct slice high);
    status_t (*part_open)(struct store_txn *txn, struct slice low, struct slice high,
                          struct store_cursor **cursor, struct error *error);
};

/* The first member of an implementation's own transaction, and of its cursors. */
struct store_txn {
    const struct store_ops *ops;
};
struct store_cursor {
    const struct store_ops *ops;
};

/* Values handed out by get and scan stay valid until the transaction ends; a scan's keys until the
 * next call for the cursor. */
status_t store_get(struct store_txn *txn, struct slice key, bool *found, struct slice *value,
                   struct error *error);
/* All keys in [low, high), ascending or descending; an empty `high` (size 0) is no bound. The
 * transaction's own writes are merged in; writes made while the cursor is open may or may not be
 * seen, so a statement that changes what it scans must first collect, then change. low and high
 * are copied. */
status_t store_scan_open(struct store_txn *txn, struct slice low, struct slice high, bool reverse,
                         struct store_cursor **cursor, struct error *error);
/* Up to `max` further entries; *count == 0 only at the end. Their keys are valid until the next
 * call of this or of store_scan_close. */
status_t store_scan_next(struct store_cursor *cursor, struct store_entry *entries, uint32_t max,
                         uint32_t *count, struct error *error);
/* Behind the opening: keys of entries are not wanted, and may be anything. */
void store_scan_keyless(struct store_cursor *cursor);
/* Instead of giving them out: how many entries there are, part by part; *count == 0 only at the
 * end. The cursor ascends and is used for nothing else. The whole range counts as read. */
status_t store_scan_count(struct store_cursor *cursor, uint64_t *count, struct error *error);
/* NULL is allowed. Must be called before the transaction ends. */
void store_scan_close(struct store_cursor *cursor);
/* Key and value are copied. 54000 for a key or value that is too long, 53200 when the transaction's
 * writes go over its limit, 25006 in a read-only transaction. */
status_t store_put(struct store_txn *txn, struct slice key, struct slice value,
                   struct error *error);
/* A key that is not there is no error. */
status_t store_remove(struct store_txn *txn, struct slice key, struct error *error);

/* ---- look-ups ----------------------------------------------------------------------------------
 *
 * Many short ranges and single keys, one after the other, by one cursor: what is near the one
 * before is found from there, so keys that ascend cost least. */

struct store_look {
    struct store_txn *txn;
    struct store_cursor *cursor; /* for store_scan_next; NULL before the first range */
    bool keyless;
};

/* `keyless`: see store_scan_keyless. */
void store_look_begin(struct store_look *look, struct store_txn *txn, bool keyless);
/* As store_scan_open, ascending, in place of the range before; to be read from look->cursor. */
status_t store_look_range(struct store_look *look, struct slice low, struct slice high,
                          struct error *error);
/* As store_get; the range before is over. */
status_t store_look_get(struct store_look *look, struct slice key, bool *found, struct slice *value,
                        struct error *error);
/* May come twice, or for a zeroed one. */
void store_look_end(struct store_look *look);

/* For choosing plans; neither is noted as read, so no answer may depend on them. */

/* About how many entries [low, high) has. An implementation that does not know says 0. */
status_t store_estimate(struct store_txn *txn, struct slice low, struct slice high, double *entries,
                        struct error *error);
/* Up to `max` neighbouring entries of [low, high), some way into it: behind about that share
 * (0 <= share < 1) of them. Their values only; the keys are empty. */
status_t store_sample(struct store_txn *txn, struct slice low, struct slice high, double share,
                      struct store_entry *entries, uint32_t max, uint32_t *count,
                      struct error *error);

/* ---- reading by several threads --------------------------------------------------------------
 */

bool store_has_parts(const struct store_txn *txn);
/* Appends a key at about that share (0 <= share < 1) of [low, high), to divide it there; nothing
 * when none is known. */
status_t store_share_key(struct store_txn *txn, struct slice low, struct slice high, double share,
                         struct buffer *key, struct error *error);
/* Notes all of a range as read, for what store_part_open reads of it. */
void store_note_range(struct store_txn *txn, struct slice low, struct slice high);
/* As store_scan_open, ascending; nothing is noted. Cursors opened so may be used, each by one
 * thread at a time, on any threads beside each other, as long as nothing else is done with the
 * transaction. */
status_t store_part_open(struct store_txn *txn, struct slice low, struct slice high,
                         struct store_cursor **cursor, struct error *error);

/* ---- a look back (store_before.c) ------------------------------------------------------------
 * A transaction that reads and writes `below`, for one statement, and notes what it writes over. It
 * and its notes lie in the arena, and there is nothing to end. */
struct store_txn *store_before_create(struct store_txn *below, struct arena *arena);
/* From now on it gives out what was there when it was made, and takes no writes any more. No cursor
 * may be open. */
void store_before_look_back(struct store_txn *txn);

/* ---- a dull store for tests: sorted entries in memory, transactions by copy -------------------
 * One thread; everything stays in memory until store_memory_destroy, which must come after the end
 * of all transactions. */

struct store_memory;
struct store_memory *store_memory_create(void);
void store_memory_destroy(struct store_memory *store);
/* A view of the contents as they are now. */
struct store_txn *store_memory_begin(struct store_memory *store);
/* Makes the writes part of the store's contents (no conflict check: tests run one writer) and frees
 * it. */
void store_memory_commit(struct store_txn *txn);
void store_memory_rollback(struct store_txn *txn);

#endif
