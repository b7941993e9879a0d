/* A look back: what was there before a statement wrote.
 *
 * Writes go through to the store below, and of each key written it is noted what it was before. Of
 * several notes of a key the first one counts. From store_before_look_back on reads give that: a
 * get of a noted key its note, and a scan has the notes merged with the entries below in the order
 * of the keys, where a note takes the place of its key's entry, or leaves it out when there was
 * none. Notes and keys lie in the arena. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "sql/store/store.h"

struct note {
    struct slice key;
    struct slice value;
    uint32_t number; /* in the order of writing; later on, unused */
    bool found;
};

struct before {
    struct store_txn base;
    struct store_txn *below;
    struct arena *arena;
    struct note *notes; /* when looking back: ascending, one for a key */
    uint32_t count;
    uint32_t capacity;
    bool looks_back;
};

enum { ENTRIES_BELOW = 64 };

struct before_cursor {
    struct store_cursor base;
    const struct before *before;
    struct store_cursor *below;
    struct store_entry entries[ENTRIES_BELOW]; /* of below, [at, count) still to be given */
    uint32_t at;
    uint32_t count;
    bool ended;
    bool reverse;
    uint32_t low; /* notes [low, high) still to be given */
    uint32_t high;
};

/* The first note whose key is not below this one. */
static uint32_t note_place(const struct before *before, struct slice key)
{
    uint32_t low = 0;
    uint32_t high = before->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_compare(before->notes[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static status_t before_get(struct store_txn *txn, struct slice key, bool *found,
                           struct slice *value, struct error *error)
{
    struct before *before = (struct before *)txn;
    if (before->looks_back) {
        uint32_t place = note_place(before, key);
        if (place < before->count && slice_equal(before->notes[place].key, key)) {
            *found = before->notes[place].found;
            *value = before->notes[place].value;
            return OK;
        }
    }
    return store_get(before->below, key, found, value, error);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static status_t note_key(struct before *before, struct slice key, struct error *error)
{
    struct note note = {.number = before->count};
    ASSERT(!before->looks_back);
    status_t status = store_get(before->below, key, &note.found, &note.value, error);
    if (status != OK)
        return status;
    note.key = arena_copy(before->arena, key);
    before->notes = arena_grow(before->arena, before->notes, &before->capacity, before->count + 1,
                               sizeof *before->notes);
    before->notes[before->count++] = note;
    return OK;
}

static status_t before_put(struct store_txn *txn, struct slice key, struct slice value,
                           struct error *error)
{
    struct before *before = (struct before *)txn;
    status_t status = note_key(before, key, error);
    return status == OK ? store_put(before->below, key, value, error) : status;
}

static status_t before_remove(struct store_txn *txn, struct slice key, struct error *error)
{
    struct before *before = (struct before *)txn;
    status_t status = note_key(before, key, error);
    return status == OK ? store_remove(before->below, key, error) : status;
}

/* ---- scanning ---------------------------------------------------------------------------------
 */

static void before_close(struct store_cursor *cursor)
{
    struct before_cursor *own = (struct before_cursor *)cursor;
    store_scan_close(own->below);
    mem_free(own);
}

static status_t before_open(struct store_txn *txn, struct slice low, struct slice high,
                            bool reverse, struct store_cursor **cursor, struct error *error)
{
    struct before *before = (struct before *)txn;
    struct before_cursor *own = mem_zalloc(1, sizeof *own);
    own->base.ops = txn->ops;
    own->before = before;
    own->reverse = reverse;
    if (before->looks_back) {
        own->low = note_place(before, low);
        own->high = high.size ? note_place(before, high) : before->count;
        if (own->high < own->low)
            own->high = own->low;
    }
    status_t status = store_scan_open(before->below, low, high, reverse, &own->below, error);
    if (status != OK) {
        before_close(&own->base);
        return status;
    }
    *cursor = &own->base;
    return OK;
}

/* The note that is next, or NULL. */
static const struct note *next_note(const struct before_cursor *own)
{
    if (own->low == own->high)
        return NULL;
    return &own->before->notes[own->reverse ? own->high - 1 : own->low];
}

static void take_note(struct before_cursor *own, struct store_entry *entries, uint32_t *count)
{
    const struct note *note = next_note(own);
    if (note->found)
        entries[(*count)++] = (struct store_entry){.key = note->key, .value = note->value};
    if (own->reverse)
        own->high--;
    else
        own->low++;
}

/* What is at hand, as far as there is room. */
static void merge(struct before_cursor *own, struct store_entry *entries, uint32_t max,
                  uint32_t *count)
{
    while (*count < max && (own->at < own->count || own->ended)) {
        const struct note *note = next_note(own);
        if (own->at == own->count) {
            if (!note)
                return;
            take_note(own, entries, count);
            continue;
        }
        int order = note ? slice_compare(note->key, own->entries[own->at].key) : 1;
        if (note && own->reverse)
            order = -order;
        if (order > 0)
            entries[(*count)++] = own->entries[own->at++];
        else
            take_note(own, entries, count);
        own->at += order == 0;
    }
}

static status_t before_next(struct store_cursor *cursor, struct store_entry *entries, uint32_t max,
                            uint32_t *count, struct error *error)
{
    struct before_cursor *own = (struct before_cursor *)cursor;
    merge(own, entries, max, count);
    /* Keys given out stay valid until the next call: no more is asked for below before. */
    while (*count == 0 && !own->ended) {
        ASSERT(own->at == own->count);
        own->at = own->count = 0;
        status_t status =
            store_scan_next(own->below, own->entries, ENTRIES_BELOW, &own->count, error);
        if (status != OK)
            return status;
        own->ended = own->count == 0;
        merge(own, entries, max, count);
    }
    return OK;
}

static status_t before_estimate(struct store_txn *txn, struct slice low, struct slice high,
                                double *entries, struct error *error)
{
    struct before *before = (struct before *)txn;
    return store_estimate(before->below, low, high, entries, error);
}

static const struct store_ops before_ops = {
    .get = before_get,
    .scan_open = before_open,
    .scan_next = before_next,
    .scan_close = before_close,
    .put = before_put,
    .remove = before_remove,
    .estimate = before_estimate,
};

struct store_txn *store_before_create(struct store_txn *below, struct arena *arena)
{
    ASSERT(below && arena);
    struct before *before = arena_zalloc(arena, sizeof *before);
    before->base.ops = &before_ops;
    before->below = below;
    before->arena = arena;
    return &before->base;
}

static int note_order(const void *a, const void *b)
{
    const struct note *left = a;
    const struct note *right = b;
    int order = slice_compare(left->key, right->key);
    return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

void store_before_look_back(struct store_txn *txn)
{
    ASSERT(txn->ops == &before_ops);
    struct before *before = (struct before *)txn;
    uint32_t kept = 0;
    if (before->looks_back)
        return;
    if (before->count > 0)
        qsort(before->notes, before->count, sizeof *before->notes, note_order);
    for (uint32_t i = 0; i < before->count; i++) {
        if (kept == 0 || !slice_equal(before->notes[kept - 1].key, before->notes[i].key))
            before->notes[kept++] = before->notes[i];
    }
    before->count = kept;
    before->looks_back = true;
}
