#ifndef TXN_TXN_INT_H
#define TXN_TXN_INT_H

#include "base/msgpack.h"
#include "txn/txn.h"

enum { TXN_FORMAT = 1 };

/* txn_ranges.c: half of TXN_RANGES_MAX of them at the most are left, which cover all. */
void txn__ranges_merge(struct txn *txn);
/* The least key above `key`. */
struct slice txn__key_behind(struct arena *arena, struct slice key);

/* Walks the encoded ranges of a checked request. False at the end. */
struct txn__range_cursor {
    struct msgpack_reader reader;
    uint32_t left;
};
void txn__ranges_begin(struct slice ranges, struct txn__range_cursor *cursor);
bool txn__ranges_next(struct txn__range_cursor *cursor, struct txn_range *range);

/* txn_certify.c, for tests: how many writes make a run of their own. */
void txn__certifier_set_run_min(struct txn_certifier *certifier, uint32_t keys);

#endif
