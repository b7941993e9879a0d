#include "wal_model.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define SIZE_MAX_USUAL 300
#define SIZE_MAX_RARE  6000
#define GROUP_MAX      6

void model_init(struct model *model)
{
    *model = (struct model){.term = 1};
    model->history = vec_grow(NULL, &model->capacity, 1, sizeof *model->history);
    model->history[0] = (struct model_state){.first = 1};
    model->count = 1;
}

void model_free(struct model *model)
{
    mem_free(model->history);
}

struct model_state *model_now(struct model *model)
{
    ASSERT(model->count > 0);
    return &model->history[model->count - 1];
}

void model_durable(struct model *model)
{
    model->history[0] = *model_now(model);
    model->count = 1;
}

/* A copy of the newest state behind it, to be changed. */
static struct model_state *push(struct model *model)
{
    model->history =
        vec_grow(model->history, &model->capacity, model->count + 1, sizeof *model->history);
    model->history[model->count] = model->history[model->count - 1];
    return &model->history[model->count++];
}

static void fill(uint8_t *data, const struct model_entry *entry)
{
    struct prng prng;
    prng_seed(&prng, entry->seed);
    for (uint32_t i = 0; i < entry->size; i++)
        data[i] = (uint8_t)prng_next(&prng);
}

static status_t stage_entries(struct model *model, struct wal *wal, struct prng *prng)
{
    const struct model_state *now = model_now(model);
    uint64_t first = now->last + 1;
    if (now->last >= now->first && prng_chance(prng, 1, 4)) { /* a conflict */
        first = prng_between(prng, now->first, now->last);
        model->term++;
    }
    uint32_t count = (uint32_t)prng_between(prng, 1, GROUP_MAX);
    if (first + count - now->first > MODEL_ENTRIES_MAX)
        return OK;
    struct raft_entry entries[GROUP_MAX];
    for (uint32_t i = 0; i < count; i++) {
        uint64_t size_max = prng_chance(prng, 1, 30) ? SIZE_MAX_RARE : SIZE_MAX_USUAL;
        struct model_entry entry = {.term = model->term,
                                    .seed = model->seed++,
                                    .size = (uint32_t)prng_below(prng, size_max)};
        uint8_t *data = mem_alloc(entry.size);
        fill(data, &entry);
        entries[i] = (struct raft_entry){.index = first + i,
                                         .term = entry.term,
                                         .type = RAFT_ENTRY_COMMAND,
                                         .data = slice_make(data, entry.size)};
        struct model_state *state = push(model);
        state->last = first + i;
        state->entries[state->last % MODEL_ENTRIES_MAX] = entry;
    }
    status_t status = wal_stage(wal, NULL, entries, count);
    for (uint32_t i = 0; i < count; i++)
        mem_free((void *)(uintptr_t)entries[i].data.data);
    return status;
}

static status_t stage_compaction(struct model *model, struct wal *wal, struct prng *prng)
{
    const struct model_state *now = model_now(model);
    uint64_t durable = wal_durable_index(wal);
    if (durable < now->first)
        return OK;
    uint64_t index = prng_between(prng, now->first, durable);
    struct model_state *state = push(model);
    state->first = index + 1;
    state->first_term = state->entries[index % MODEL_ENTRIES_MAX].term;
    return wal_compact(wal, index);
}

status_t model_stage(struct model *model, struct wal *wal, struct prng *prng)
{
    switch (prng_below(prng, 20)) {
    case 0:
    case 1:
    case 2: {
        struct model_state *state = push(model);
        state->hard_state = (struct raft_hard_state){
            .term = ++model->term, .vote = prng_below(prng, 5), .commit = state->first};
        return wal_stage(wal, &state->hard_state, NULL, 0);
    }
    case 3:
    case 4:
        return stage_compaction(model, wal, prng);
    case 5:
        if (prng_chance(prng, 1, 4)) {
            struct model_state *state = push(model);
            state->last += prng_below(prng, 1000);
            state->first = state->last + 1;
            state->first_term = ++model->term;
            return wal_reset(wal, state->last, state->first_term);
        }
        return OK;
    default:
        return stage_entries(model, wal, prng);
    }
}

/* Does the log say of itself what the state says? */
static bool same_outline(const struct model_state *state, const struct wal *wal)
{
    struct raft_hard_state hard_state = wal_hard_state(wal);
    uint64_t term = 0;
    if (wal_first_index(wal) != state->first || wal_last_index(wal) != state->last ||
        wal_durable_index(wal) != state->last || hard_state.term != state->hard_state.term ||
        hard_state.vote != state->hard_state.vote || hard_state.commit != state->hard_state.commit)
        return false;
    if (wal_term(wal, state->first - 1, &term) != OK || term != state->first_term)
        return false;
    for (uint64_t at = state->first; at <= state->last; at++) {
        if (wal_term(wal, at, &term) != OK || term != state->entries[at % MODEL_ENTRIES_MAX].term)
            return false;
    }
    return true;
}

static bool same_bytes(const struct model_state *state, struct wal *wal)
{
    struct arena arena;
    arena_init(&arena, 0);
    bool same = true;
    for (uint64_t at = state->first; at <= state->last && same;) {
        struct raft_entry *entries = NULL;
        uint32_t count = 0;
        same = wal_read(wal, at, state->last + 1, 2000, &arena, &entries, &count, NULL) == OK;
        for (uint32_t i = 0; i < count && same; i++, at++) {
            const struct model_entry *entry = &state->entries[at % MODEL_ENTRIES_MAX];
            uint8_t *data = arena_alloc(&arena, entry->size);
            fill(data, entry);
            same = entries[i].index == at && entries[i].term == entry->term &&
                   slice_equal(entries[i].data, slice_make(data, entry->size));
        }
    }
    arena_free(&arena);
    return same;
}

const char *model_settle(struct model *model, struct wal *wal)
{
    bool outline = false;
    for (uint32_t i = model->count; i-- > 0;) { /* newest first */
        if (!same_outline(&model->history[i], wal))
            continue;
        outline = true;
        if (!same_bytes(&model->history[i], wal))
            continue;
        model->history[0] = model->history[i];
        model->count = 1;
        return NULL;
    }
    return outline ? "the entries' bytes are those of no state" : "the log is in no state it had";
}
