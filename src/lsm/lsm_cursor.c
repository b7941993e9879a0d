/* Cursors: some sorted sources seen as one.
 *
 * Sources are numbered from the newest to the oldest. Where several have a key, the one of the
 * lowest number says what it is; the others are passed over, and so is the key when it says that it
 * was deleted. Invariants while the cursor is valid and goes forward:
 *
 *   1 the current source stands at the current key; every other one stands at its first key that
 *     is not before it
 *   2 `bound` is the source with the least key among the others (the lowest number wins), so as
 *     long as the current source's next key is before the bound's, that is the next of all
 *   3 entries of the current block below `free` are before the bound's key, and no block with
 *     tombstones has any: such steps need no comparison at all
 *
 * Backward it is the mirror image, without 2 and 3. Turning round places the other sources anew. */
#include "lsm/lsm_int.h"

static struct lsm_source *add_source(struct lsm_cursor *cursor)
{
    ASSERT(cursor->count < LSM_SOURCES_MAX);
    struct lsm_source *source = &cursor->sources[cursor->count++];
    *source = (struct lsm_source){0};
    return source;
}

static void add_runs(struct lsm_cursor *cursor, const struct lsm__run *const *runs, uint32_t count)
{
    struct lsm_source *source = add_source(cursor);
    source->runs = runs;
    source->run_count = count;
}

/* The sources of a state. Not zeroed as a whole: most places are never used. */
static void take_sources(struct lsm_cursor *cursor)
{
    const struct lsm__state *state = cursor->state;
    cursor->count = 0;
    for (uint32_t i = 0; i < state->memtable_count; i++)
        add_source(cursor)->memtable = state->memtables[i];
    const struct lsm__runs *runs = state->runs;
    for (uint32_t i = 0; i < runs->count[0]; i++)
        add_runs(cursor, (const struct lsm__run *const *)runs->level[0] + i, 1);
    for (uint32_t level = 1; level < LSM_LEVELS; level++)
        if (runs->count[level] > 0)
            add_runs(cursor, (const struct lsm__run *const *)runs->level[level],
                     runs->count[level]);
}

void lsm__cursor_init_state(struct lsm_cursor *cursor, struct lsm *lsm,
                            const struct lsm__state *state, uint64_t sequence)
{
    cursor->lsm = lsm;
    cursor->state = state;
    cursor->sequence = sequence;
    cursor->changes = 0;
    cursor->latest = false;
    cursor->valid = false;
    cursor->forward = true;
    cursor->tombstones = false;
    cursor->free = 0;
    take_sources(cursor);
}

void lsm__cursor_init_merge(struct lsm_cursor *cursor, const struct lsm__merge *merge)
{
    cursor->lsm = merge->lsm;
    cursor->state = NULL;
    cursor->sequence = merge->sequence;
    cursor->changes = 0;
    cursor->latest = false;
    cursor->valid = false;
    cursor->forward = true;
    cursor->tombstones = true;
    cursor->free = 0;
    cursor->count = 0;
    if (merge->memtable != NULL)
        add_source(cursor)->memtable = merge->memtable;
    for (uint32_t i = 0; i < merge->input_count; i++)
        if (merge->inputs[i]->record.level == 0)
            add_runs(cursor, (const struct lsm__run *const *)merge->inputs + i, 1);
    for (uint32_t i = 0; i < merge->input_count;) {
        uint32_t level = merge->inputs[i]->record.level, end = i;
        while (end < merge->input_count && merge->inputs[end]->record.level == level)
            end++;
        if (level > 0)
            add_runs(cursor, (const struct lsm__run *const *)merge->inputs + i, end - i);
        i = end;
    }
}

void lsm_cursor_init(struct lsm_cursor *cursor, struct lsm_view *view)
{
    lsm__cursor_init_state(cursor, view->lsm, view->state, view->sequence);
}

void lsm_cursor_init_latest(struct lsm_cursor *cursor, struct lsm *lsm)
{
    lsm__cursor_init_state(cursor, lsm, lsm->state, lsm->sequence);
    cursor->latest = true;
    cursor->changes = lsm->changes;
}

static void check_current(const struct lsm_cursor *cursor)
{
    ASSERT(cursor->valid);
    ASSERT(!cursor->latest || cursor->changes == cursor->lsm->changes);
}

/* Before it is placed: the writer's view may have moved on. */
static void renew(struct lsm_cursor *cursor)
{
    cursor->valid = false;
    cursor->free = 0;
    if (!cursor->latest)
        return;
    cursor->state = cursor->lsm->state;
    cursor->sequence = cursor->lsm->sequence;
    cursor->changes = cursor->lsm->changes;
    take_sources(cursor);
}

/* ---- forward -------------------------------------------------------------------------------- */

static struct lsm__key key_at(const struct lsm_cursor *cursor, uint32_t source)
{
    return lsm__source_key(&cursor->sources[source]);
}

/* Entries of the current block that come before the bound. */
static void set_free(struct lsm_cursor *cursor)
{
    const struct lsm_source *source = &cursor->sources[cursor->current];
    cursor->free = 0;
    if (source->memtable != NULL)
        return;
    const struct lsm__block *block = lsm__source_block(source);
    if ((block->flags & LSM_BLOCK_TOMBSTONES) != 0)
        return;
    if (cursor->bound == cursor->count || lsm__key_compare(lsm__block_key(block, block->count - 1),
                                                           key_at(cursor, cursor->bound)) < 0)
        cursor->free = block->count;
}

/* The least key and the second least. */
static void choose(struct lsm_cursor *cursor)
{
    uint32_t none = cursor->count, least = none, second = none;
    for (uint32_t i = 0; i < cursor->count; i++) {
        if (!lsm__source_valid(&cursor->sources[i]))
            continue;
        if (least == none || lsm__key_compare(key_at(cursor, i), key_at(cursor, least)) < 0) {
            second = least;
            least = i;
        } else if (second == none ||
                   lsm__key_compare(key_at(cursor, i), key_at(cursor, second)) < 0) {
            second = i;
        }
    }
    cursor->valid = least != none;
    cursor->current = (uint8_t)least;
    cursor->bound = (uint8_t)second;
    if (cursor->valid)
        set_free(cursor);
}

/* All sources that stand at `key` go on behind it. The key may lie in any block or node: those stay
 * where they are. */
static status_t pass(struct lsm_cursor *cursor, struct lsm__key key, struct error *error)
{
    for (uint32_t i = 0; i < cursor->count; i++) {
        struct lsm_source *source = &cursor->sources[i];
        if (!lsm__source_valid(source) || lsm__key_compare(lsm__source_key(source), key) > 0)
            continue;
        status_t status = lsm__source_next(cursor->lsm, source, cursor->sequence, error);
        if (status != OK)
            return status;
    }
    return OK;
}

static bool stops_here(const struct lsm_cursor *cursor)
{
    return cursor->tombstones || !lsm__source_tombstone(&cursor->sources[cursor->current]);
}

/* From where the sources are: to the first key that is there. */
static status_t settle(struct lsm_cursor *cursor, struct error *error)
{
    for (;;) {
        choose(cursor);
        if (!cursor->valid || stops_here(cursor))
            return OK;
        cursor->valid = false;
        status_t status = pass(cursor, key_at(cursor, cursor->current), error);
        if (status != OK)
            return status;
    }
}

static status_t place(struct lsm_cursor *cursor, const struct slice *key, struct error *error)
{
    renew(cursor);
    cursor->forward = true;
    for (uint32_t i = 0; i < cursor->count; i++) {
        status_t status =
            lsm__source_seek(cursor->lsm, &cursor->sources[i], key, cursor->sequence, error);
        if (status != OK)
            return status;
    }
    return settle(cursor, error);
}

status_t lsm_cursor_first(struct lsm_cursor *cursor, struct error *error)
{
    return place(cursor, NULL, error);
}

status_t lsm_cursor_seek(struct lsm_cursor *cursor, struct slice key, struct error *error)
{
    return place(cursor, &key, error);
}

/* From going backward: the other sources to their first key behind the current one. */
static status_t turn_forward(struct lsm_cursor *cursor, struct error *error)
{
    uint8_t room[LSM_KEY_SIZE_MAX];
    struct slice key = lsm_cursor_key(cursor, room);
    if (key.data !=
        room) { /* the sources move on, and with them what it points into, but not away */
        memcpy(room, key.data, key.size);
        key.data = room;
    }
    for (uint32_t i = 0; i < cursor->count; i++) {
        if (i == cursor->current)
            continue;
        status_t status =
            lsm__source_seek(cursor->lsm, &cursor->sources[i], &key, cursor->sequence, error);
        if (status != OK)
            return status;
    }
    cursor->forward = true;
    return OK;
}

/* The current source alone, for as long as it stays before the bound; *met when a key was found.
 * *key is the last one left. */
static status_t run_on(struct lsm_cursor *cursor, struct lsm__key *key, bool *met,
                       struct error *error)
{
    struct lsm_source *source = &cursor->sources[cursor->current];
    *met = false;
    while (!*met) {
        const void *at = source->at;
        *key = lsm__source_key(source);
        status_t status = lsm__source_next(cursor->lsm, source, cursor->sequence, error);
        if (status != OK)
            return status;
        if (!lsm__source_valid(source))
            return OK;
        if (cursor->bound != cursor->count &&
            lsm__key_compare(lsm__source_key(source), key_at(cursor, cursor->bound)) >= 0)
            return OK;
        if (source->at != at)
            set_free(cursor);
        *met = stops_here(cursor);
    }
    return OK;
}

status_t lsm_cursor_next(struct lsm_cursor *cursor, struct error *error)
{
    check_current(cursor);
    struct lsm_source *source = &cursor->sources[cursor->current];
    if (source->memtable == NULL && source->index + 1 < cursor->free) {
        source->index++;
        return OK;
    }
    struct lsm__key key = lsm__source_key(source);
    status_t status;
    bool met = false;
    if (cursor->forward) {
        cursor->valid = false;
        status = run_on(cursor, &key, &met, error);
    } else {
        status = turn_forward(cursor, error);
        cursor->valid = false;
    }
    if (status != OK)
        return status;
    if (met) {
        cursor->valid = true;
        return OK;
    }
    cursor->free = 0;
    status = pass(cursor, key, error);
    return status == OK ? settle(cursor, error) : status;
}

/* ---- backward ------------------------------------------------------------------------------- */

static void choose_last(struct lsm_cursor *cursor)
{
    uint32_t none = cursor->count, most = none;
    for (uint32_t i = 0; i < cursor->count; i++)
        if (lsm__source_valid(&cursor->sources[i]) &&
            (most == none || lsm__key_compare(key_at(cursor, i), key_at(cursor, most)) > 0))
            most = i;
    cursor->valid = most != none;
    cursor->current = (uint8_t)most;
    cursor->free = 0;
}

static status_t pass_back(struct lsm_cursor *cursor, struct lsm__key key, struct error *error)
{
    for (uint32_t i = 0; i < cursor->count; i++) {
        struct lsm_source *source = &cursor->sources[i];
        if (!lsm__source_valid(source) || lsm__key_compare(lsm__source_key(source), key) < 0)
            continue;
        status_t status = lsm__source_prev(cursor->lsm, source, cursor->sequence, error);
        if (status != OK)
            return status;
    }
    return OK;
}

static status_t settle_back(struct lsm_cursor *cursor, struct error *error)
{
    for (;;) {
        choose_last(cursor);
        if (!cursor->valid || stops_here(cursor))
            return OK;
        cursor->valid = false;
        status_t status = pass_back(cursor, key_at(cursor, cursor->current), error);
        if (status != OK)
            return status;
    }
}

/* The sources to their last key <= `key`. */
static status_t seek_back(struct lsm_cursor *cursor, const struct slice *key, struct error *error)
{
    cursor->forward = false;
    for (uint32_t i = 0; i < cursor->count; i++) {
        status_t status = lsm__source_seek_reverse(cursor->lsm, &cursor->sources[i], key,
                                                   cursor->sequence, error);
        if (status != OK)
            return status;
    }
    return OK;
}

static status_t place_back(struct lsm_cursor *cursor, const struct slice *key, struct error *error)
{
    renew(cursor);
    status_t status = seek_back(cursor, key, error);
    return status == OK ? settle_back(cursor, error) : status;
}

status_t lsm_cursor_last(struct lsm_cursor *cursor, struct error *error)
{
    return place_back(cursor, NULL, error);
}

status_t lsm_cursor_seek_reverse(struct lsm_cursor *cursor, struct slice key, struct error *error)
{
    return place_back(cursor, &key, error);
}

status_t lsm_cursor_prev(struct lsm_cursor *cursor, struct error *error)
{
    uint8_t room[LSM_KEY_SIZE_MAX];
    check_current(cursor);
    struct slice key = lsm_cursor_key(cursor, room);
    struct lsm__key at = lsm__source_key(&cursor->sources[cursor->current]);
    status_t status = OK;
    cursor->valid = false;
    cursor->free = 0;
    if (cursor->forward)
        status = seek_back(cursor, &key, error);
    if (status == OK)
        status = pass_back(cursor, at, error);
    return status == OK ? settle_back(cursor, error) : status;
}

/* ---- reading -------------------------------------------------------------------------------- */

uint32_t lsm_cursor_run(const struct lsm_cursor *cursor, uint32_t max)
{
    check_current(cursor);
    const struct lsm_source *source = &cursor->sources[cursor->current];
    uint32_t count = 1;
    if (source->memtable == NULL && source->index < cursor->free)
        count = cursor->free - source->index;
    return count < max ? count : max;
}

/* Of the entry that comes so many behind the current one in its block. */
static struct lsm_source shifted(const struct lsm_cursor *cursor, uint32_t index)
{
    struct lsm_source source = cursor->sources[cursor->current];
    check_current(cursor);
    ASSERT(index == 0 || (source.memtable == NULL && source.index + index < cursor->free));
    source.index += index;
    return source;
}

struct slice lsm_cursor_value_of(const struct lsm_cursor *cursor, uint32_t index)
{
    struct lsm_source source = shifted(cursor, index);
    return lsm__source_value(&source);
}

status_t lsm_cursor_pass(struct lsm_cursor *cursor, uint32_t count, struct error *error)
{
    if (count == 0)
        return OK;
    if (count > 1) {
        struct lsm_source *source = &cursor->sources[cursor->current];
        check_current(cursor);
        ASSERT(source->memtable == NULL && source->index + count <= cursor->free);
        source->index += count - 1;
    }
    return lsm_cursor_next(cursor, error);
}

struct slice lsm_cursor_key(const struct lsm_cursor *cursor, uint8_t *room)
{
    return lsm_cursor_key_of(cursor, 0, room);
}

struct slice lsm_cursor_key_of(const struct lsm_cursor *cursor, uint32_t index, uint8_t *room)
{
    struct lsm_source source = shifted(cursor, index);
    struct lsm__key key = lsm__source_key(&source);
    if (key.prefix.size == 0)
        return key.suffix;
    ASSERT(key.prefix.size + key.suffix.size <= LSM_KEY_SIZE_MAX);
    memcpy(room, key.prefix.data, key.prefix.size);
    if (key.suffix.size > 0)
        memcpy(room + key.prefix.size, key.suffix.data, key.suffix.size);
    return slice_make(room, key.prefix.size + key.suffix.size);
}

struct slice lsm_cursor_value(const struct lsm_cursor *cursor)
{
    check_current(cursor);
    return lsm__source_value(&cursor->sources[cursor->current]);
}
