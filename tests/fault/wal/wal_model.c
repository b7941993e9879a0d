#include "wal_model.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define SIZE_MAX_USUAL 300
#define SIZE_MAX_RARE  6000

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

status_t model_entries(struct model *model, struct wal *wal, uint64_t first, uint32_t count,
                       const uint32_t *sizes)
{
    ASSERT(count > 0 && count <= MODEL_GROUP_MAX);
    const struct model_state *now = model_now(model);
    if (first <= now->last)
        model->term++; /* a conflict */
    struct raft_entry entries[MODEL_GROUP_MAX];
    for (uint32_t i = 0; i < count; i++) {
        struct model_entry entry = {.term = model->term, .seed = model->seed++, .size = sizes[i]};
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

status_t model_hard_state(struct model *model, struct wal *wal, uint64_t vote)
{
    struct model_state *state = push(model);
    state->hard_state =
        (struct raft_hard_state){.term = ++model->term, .vote = vote, .commit = state->first};
    return wal_stage(wal, &state->hard_state, NULL, 0);
}

status_t model_compact(struct model *model, struct wal *wal, uint64_t index)
{
    struct model_state *state = push(model);
    ASSERT(index >= state->first && index <= state->last);
    state->first = index + 1;
    state->first_term = state->entries[index % MODEL_ENTRIES_MAX].term;
    return wal_compact(wal, index);
}

status_t model_reset(struct model *model, struct wal *wal, uint64_t index)
{
    struct model_state *state = push(model);
    state->last = index;
    state->first = index + 1;
    state->first_term = ++model->term;
    return wal_reset(wal, index, state->first_term);
}

static status_t stage_entries(struct model *model, struct wal *wal, struct prng *prng)
{
    const struct model_state *now = model_now(model);
    uint64_t first = now->last + 1;
    if (now->last >= now->first && prng_chance(prng, 1, 4))
        first = prng_between(prng, now->first, now->last);
    uint32_t count = (uint32_t)prng_between(prng, 1, MODEL_GROUP_MAX);
    if (first + count - now->first > MODEL_ENTRIES_MAX)
        return OK;
    uint32_t sizes[MODEL_GROUP_MAX];
    for (uint32_t i = 0; i < count; i++) {
        uint64_t size_max = prng_chance(prng, 1, 30) ? SIZE_MAX_RARE : SIZE_MAX_USUAL;
        sizes[i] = (uint32_t)prng_below(prng, size_max);
    }
    return model_entries(model, wal, first, count, sizes);
}

status_t model_stage(struct model *model, struct wal *wal, struct prng *prng)
{
    const struct model_state *now = model_now(model);
    switch (prng_below(prng, 20)) {
    case 0:
    case 1:
    case 2:
        return model_hard_state(model, wal, prng_below(prng, 5));
    case 3:
    case 4: {
        uint64_t durable = wal_durable_index(wal);
        if (durable < now->first)
            return OK;
        return model_compact(model, wal, prng_between(prng, now->first, durable));
    }
    case 5:
        if (!prng_chance(prng, 1, 4))
            return OK;
        return model_reset(model, wal, now->last + prng_below(prng, 1000));
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
    arena_init(&arena);
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
