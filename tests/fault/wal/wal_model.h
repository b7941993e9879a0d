/* A dull log to compare with: the states that the real one may be in after a crash.
 *
 * history[0] is the state last known to be durable; each record staged since then adds the state
 * behind it. A crash may leave any one of them, and nothing else. */
#ifndef WAL_MODEL_H
#define WAL_MODEL_H

#include "base/prng.h"
#include "wal/wal.h"

#define MODEL_ENTRIES_MAX 64
#define MODEL_GROUP_MAX   6

struct model_entry {
    uint64_t term;
    uint64_t seed; /* of its bytes */
    uint32_t size;
};

struct model_state {
    uint64_t first;
    uint64_t first_term;
    uint64_t last;
    struct raft_hard_state hard_state;
    struct model_entry entries[MODEL_ENTRIES_MAX]; /* index modulo */
};

struct model {
    struct model_state *history;
    uint32_t count, capacity;
    uint64_t term;
    uint64_t seed; /* of the next entry's bytes */
};

void model_init(struct model *model);
void model_free(struct model *model);
struct model_state *model_now(struct model *model);
/* Everything staged so far is durable. */
void model_durable(struct model *model);
/* Each stages something, in both. The wal's status. An entry at or below the last is a conflict. */
status_t model_entries(struct model *model, struct wal *wal, uint64_t first, uint32_t count,
                       const uint32_t *sizes);
status_t model_hard_state(struct model *model, struct wal *wal, uint64_t vote);
status_t model_compact(struct model *model, struct wal *wal, uint64_t index);
status_t model_reset(struct model *model, struct wal *wal, uint64_t index);
/* Stages something drawn from prng, in both. The wal's status. */
status_t model_stage(struct model *model, struct wal *wal, struct prng *prng);
/* The log must be in one of the states, which becomes the only one. NULL, or what is wrong. */
const char *model_settle(struct model *model, struct wal *wal);

#endif
