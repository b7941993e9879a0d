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
/* Splits a stored key; ERR_CORRUPT when it is too short to be one. */
status_t mvcc__split(struct slice stored, struct slice *key, uint64_t *version,
                     struct error *error);
/* Takes the flag byte off a stored value. */
status_t mvcc__unwrap(struct slice stored, bool *tombstone, struct slice *value,
                      struct error *error);

#endif
