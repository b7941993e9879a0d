/* Inside of snapshot transfer: what replica_snapshot_chunk.c, _send.c and _receive.c share. The
 * story is told at the top of replica_snapshot_send.c. */
#ifndef REPLICA_SNAPSHOT_INT_H
#define REPLICA_SNAPSHOT_INT_H

#include "base/msgpack.h"
#include "replica/replica_int.h"

enum {
    /* Bytes of pairs asked for at a time: large enough that the way there and back counts for
     * little, small enough that a heartbeat never waits long behind one. One pair may exceed it. */
    REPLICA_CHUNK_BYTES = 512 << 10,
    REPLICA_CHUNK_OVERHEAD = 64,
};

/* ---- replica_snapshot_chunk.c ------------------------------------------------------------------
 */

/* What a chunk must be the answer to; a part of what its CRC covers. */
struct replica__chunk_place {
    uint64_t id;     /* of the snapshot */
    uint64_t number; /* of the fetch */
};

void replica__chunk_begin(struct buffer *out);
void replica__chunk_put(struct buffer *out, struct slice key, struct slice value);
/* Fills in what comes first. ERR_TOO_LONG: it has outgrown the buffer. */
status_t replica__chunk_end(struct buffer *out, struct replica__chunk_place place, bool last);
/* Foreign bytes: checks all of it, with keys that ascend from `after` on. *last_key (unchanged when
 * there is no pair) points into the chunk. False: damaged. */
bool replica__chunk_check(struct slice chunk, struct replica__chunk_place place, struct slice after,
                          bool *last, struct slice *last_key);

/* A walk over the pairs of a chunk that was checked. */
struct replica__chunk_cursor {
    struct msgpack_reader reader;
};
void replica__chunk_walk(struct slice chunk, struct replica__chunk_cursor *cursor);
bool replica__chunk_next(struct replica__chunk_cursor *cursor, struct slice *key,
                         struct slice *value);

/* ---- replica_snapshot_receive.c ----------------------------------------------------------------
 */

enum replica__receive_state {
    REPLICA__IDLE,
    REPLICA__FETCHING,
    REPLICA__READY,
    REPLICA__SWAPPING,
    REPLICA__CLEARING
};

struct replica__receiver {
    enum replica__receive_state state;
    uint64_t from;
    uint64_t id;
    uint64_t bytes, chunks;
    uint64_t synced; /* of the bytes, or about to be */
    uint64_t began_us, ready_us;
    uint64_t retry_us; /* no offer is taken before */
    struct replica__meta meta;
    /* fetching */
    uint64_t number;     /* of the fetch that was sent last */
    bool awaits;         /* its chunk */
    struct buffer chunk; /* received, not yet being loaded; empty: none */
    bool chunk_last;
    uint32_t last_key_size;
    uint8_t last_key[KV_KEY_SIZE_MAX]; /* of all received */
    bool working;
    /* the tree; with the work while that runs */
    struct kv *kv;
    struct kv_load *load;
};

#endif
