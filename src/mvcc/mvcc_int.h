#ifndef MVCC_MVCC_INT_H
#define MVCC_MVCC_INT_H

#include "mvcc/mvcc.h"

enum {
    MVCC_VERSION_SIZE = 8,
    MVCC_FLAG_VALUE = 0,
    MVCC_FLAG_TOMBSTONE = 1,
};

/* A stored key on the stack. */
struct mvcc_stored_key {
    uint8_t bytes[MVCC_KEY_MAX + MVCC_VERSION_SIZE];
    size_t size;
};

void mvcc__stored_key(struct mvcc_stored_key *out, struct slice key, uint64_t version);
/* ERR_INVALID, ERR_TOO_LONG: no such user key can be stored. */
status_t mvcc__key_check(struct slice key, struct error *error);
/* Notes the watermark in the tree, where none is higher. */
status_t mvcc__watermark_put(struct kv *kv, uint64_t watermark, struct error *error);
/* Splits a stored key; ERR_CORRUPT when it is too short to be one. */
status_t mvcc__split(struct slice stored, struct slice *key, uint64_t *version,
                     struct error *error);
/* Takes the flag byte off a stored value. */
status_t mvcc__unwrap(struct slice stored, bool *tombstone, struct slice *value,
                      struct error *error);

/* *status: of mvcc_get, when the view's own writes have the key (true). */
bool mvcc__own_get(const struct mvcc_view *view, struct slice key, struct slice *value, bool *own,
                   status_t *status);
/* Of a cursor that was placed at the stored key of `key` at the view's version. */
status_t mvcc__cursor_get(struct kv_cursor *cursor, struct slice key, struct slice *value,
                          struct error *error);

/* ---- scans ------------------------------------------------------------------------------------
 */

/* Where the stored keys of a range that begins with `low` begin. */
struct slice mvcc__first_stored(struct slice low);
/* Finds the first of the overlay's writes in the scan's range. */
void mvcc__own_begin(struct mvcc_scan *scan);
/* Moves an ascending cursor behind all versions of `key`. */
status_t mvcc__skip_rest(struct kv_cursor *cursor, struct slice key, struct error *error);
/* Finds the next stored key. */
status_t mvcc__stored_advance(struct mvcc_scan *scan, struct error *error);
/* The part of mvcc_scan_next_many for stored keys alone; stops at entries that are not for it. */
status_t mvcc__run_many(struct mvcc_scan *scan, struct kv_entry *entries, uint32_t max,
                        uint32_t *count, struct arena *keys, struct error *error);
/* Out of in_run: finds the next stored key. */
status_t mvcc__run_leave(struct mvcc_scan *scan, struct error *error);

#endif
