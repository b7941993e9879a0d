/* The dull store: one sorted array of entries.
 *
 * A picture is such an array with a reference count. Whoever wants to change one that others refer
 * to makes a copy first, so transactions and cursors see what was there when they began. Keys and
 * values lie in the store's arena until the store is destroyed: tests are short. */
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "sql/store/store.h"

struct picture {
    uint32_t references;
    struct store_entry *entries; /* strictly ascending by key */
    uint32_t count;
    uint32_t capacity;
};

struct store_memory {
    struct picture *current;
    struct arena arena;
    uint32_t transactions; /* open ones */
};

struct memory_txn {
    struct store_txn base;
    struct store_memory *store;
    struct picture *picture;
    struct picture *begun; /* as it was at the beginning */
    uint32_t cursors;      /* open ones */
};

struct memory_cursor {
    struct store_cursor base;
    struct memory_txn *txn; /* NULL: of a part, which holds nothing of the transaction's */
    struct picture *picture;
    uint32_t low; /* entries [low, high) are still to be delivered */
    uint32_t high;
    bool reverse;
    void *keys; /* of the entries handed out last */
};

static struct picture *picture_retain(struct picture *picture)
{
    ASSERT(picture->references > 0);
    picture->references++;
    return picture;
}

static void picture_release(struct picture *picture)
{
    ASSERT(picture->references > 0);
    if (--picture->references)
        return;
    mem_free(picture->entries);
    mem_free(picture);
}

/* A picture that only the caller refers to, with the same entries and room for one more; the
 * caller's reference moves to it. */
static struct picture *picture_own(struct picture *picture)
{
    if (picture->references > 1) {
        struct picture *copy = mem_zalloc(1, sizeof *copy);
        copy->references = 1;
        copy->count = picture->count;
        copy->entries = vec_grow(NULL, &copy->capacity, picture->count + 1, sizeof *copy->entries);
        if (picture->count)
            memcpy(copy->entries, picture->entries, picture->count * sizeof *copy->entries);
        picture_release(picture);
        picture = copy;
    }
    picture->entries = vec_grow(picture->entries, &picture->capacity, picture->count + 1,
                                sizeof *picture->entries);
    ASSERT(picture->references == 1 && picture->capacity > picture->count);
    return picture;
}

/* The place of the first entry whose key is not below `key`. */
static uint32_t picture_find(const struct picture *picture, struct slice key, bool *found)
{
    uint32_t low = 0;
    uint32_t high = picture->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_compare(picture->entries[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < picture->count && slice_equal(picture->entries[low].key, key);
    return low;
}

static struct memory_txn *txn_from(struct store_txn *txn)
{
    return (struct memory_txn *)txn;
}

static status_t memory_get(struct store_txn *base, struct slice key, bool *found,
                           struct slice *value, struct error *error)
{
    (void)error;
    const struct picture *picture = txn_from(base)->picture;
    uint32_t place = picture_find(picture, key, found);
    if (*found)
        *value = picture->entries[place].value;
    return OK;
}

static status_t memory_put(struct store_txn *base, struct slice key, struct slice value,
                           struct error *error)
{
    (void)error;
    struct memory_txn *txn = txn_from(base);
    struct picture *picture = txn->picture = picture_own(txn->picture);
    bool found;
    uint32_t place = picture_find(picture, key, &found);
    struct store_entry *at = &picture->entries[place];
    if (!found) {
        memmove(at + 1, at, (picture->count - place) * sizeof *at);
        picture->count++;
        at->key = arena_copy(&txn->store->arena, key);
    }
    at->value = arena_copy(&txn->store->arena, value);
    return OK;
}

static status_t memory_remove(struct store_txn *base, struct slice key, struct error *error)
{
    (void)error;
    struct memory_txn *txn = txn_from(base);
    struct picture *picture = txn->picture = picture_own(txn->picture);
    bool found;
    uint32_t place = picture_find(picture, key, &found);
    if (!found)
        return OK;
    struct store_entry *at = &picture->entries[place];
    picture->count--;
    memmove(at, at + 1, (picture->count - place) * sizeof *at);
    return OK;
}

/* The places of [low, high). */
static void picture_range(const struct picture *picture, struct slice low, struct slice high,
                          uint32_t *from, uint32_t *to)
{
    bool found;
    *from = picture_find(picture, low, &found);
    *to = high.size ? picture_find(picture, high, &found) : picture->count;
    if (*to < *from)
        *to = *from;
}

static struct memory_cursor *cursor_make(struct store_txn *base, struct slice low,
                                         struct slice high)
{
    struct memory_cursor *cursor = mem_zalloc(1, sizeof *cursor);
    cursor->base.ops = base->ops;
    cursor->picture = txn_from(base)->picture;
    picture_range(cursor->picture, low, high, &cursor->low, &cursor->high);
    return cursor;
}

static status_t memory_scan_open(struct store_txn *base, struct slice low, struct slice high,
                                 bool reverse, struct store_cursor **out, struct error *error)
{
    (void)error;
    struct memory_cursor *cursor = cursor_make(base, low, high);
    cursor->txn = txn_from(base);
    cursor->txn->cursors++;
    (void)picture_retain(cursor->picture);
    cursor->reverse = reverse;
    *out = &cursor->base;
    return OK;
}

static status_t memory_part_open(struct store_txn *base, struct slice low, struct slice high,
                                 struct store_cursor **out, struct error *error)
{
    (void)error;
    *out = &cursor_make(base, low, high)->base;
    return OK;
}

static status_t memory_share_key(struct store_txn *base, struct slice low, struct slice high,
                                 double share, struct buffer *key, struct error *error)
{
    (void)error;
    const struct picture *picture = txn_from(base)->picture;
    uint32_t from, to;
    picture_range(picture, low, high, &from, &to);
    if (from < to)
        buffer_append_slice(key, picture->entries[from + (uint32_t)(share * (to - from))].key);
    return OK;
}

/* What is read is not noted here at all. */
static void memory_note_range(struct store_txn *base, struct slice low, struct slice high)
{
    (void)base, (void)low, (void)high;
}

static status_t memory_scan_next(struct store_cursor *base, struct store_entry *entries,
                                 uint32_t max, uint32_t *count, struct error *error)
{
    (void)error;
    struct memory_cursor *cursor = (struct memory_cursor *)base;
    ASSERT(cursor->low <= cursor->high && cursor->high <= cursor->picture->count);
    uint32_t n = 0;
    size_t size = 0;
    while (n < max && cursor->low < cursor->high) {
        entries[n] = cursor->picture->entries[cursor->reverse ? --cursor->high : cursor->low++];
        size += entries[n++].key.size;
    }
    /* Keys live no longer than the contract says: who keeps one is caught. */
    uint8_t *keys = mem_alloc(size + 1);
    mem_free(cursor->keys);
    cursor->keys = keys;
    for (uint32_t i = 0; i < n; i++) {
        struct slice *key = &entries[i].key;
        if (key->size)
            memcpy(keys, key->data, key->size);
        key->data = keys;
        keys += key->size;
    }
    *count = n;
    return OK;
}

static void memory_scan_close(struct store_cursor *base)
{
    struct memory_cursor *cursor = (struct memory_cursor *)base;
    if (cursor->txn) {
        ASSERT(cursor->txn->cursors > 0);
        cursor->txn->cursors--;
        picture_release(cursor->picture);
    }
    mem_free(cursor->keys);
    mem_free(cursor);
}

static status_t memory_estimate(struct store_txn *base, struct slice low, struct slice high,
                                double *entries, struct error *error)
{
    (void)error;
    uint32_t from, to;
    picture_range(txn_from(base)->picture, low, high, &from, &to);
    *entries = to - from;
    return OK;
}

static status_t memory_sample(struct store_txn *base, struct slice low, struct slice high,
                              double share, struct store_entry *entries, uint32_t max,
                              uint32_t *count, struct error *error)
{
    (void)error;
    const struct picture *picture = txn_from(base)->picture;
    uint32_t from, to;
    picture_range(picture, low, high, &from, &to);
    from += (uint32_t)(share * (to - from));
    for (; *count < max && from < to; from++)
        entries[(*count)++] = (struct store_entry){.value = picture->entries[from].value};
    return OK;
}

static const struct store_ops memory_ops = {
    .get = memory_get,
    .scan_open = memory_scan_open,
    .scan_next = memory_scan_next,
    .scan_close = memory_scan_close,
    .put = memory_put,
    .remove = memory_remove,
    .share_key = memory_share_key,
    .note_range = memory_note_range,
    .part_open = memory_part_open,
    .estimate = memory_estimate,
    .sample = memory_sample,
};

struct store_memory *store_memory_create(void)
{
    struct store_memory *store = mem_zalloc(1, sizeof *store);
    store->current = mem_zalloc(1, sizeof *store->current);
    store->current->references = 1;
    return store;
}

void store_memory_destroy(struct store_memory *store)
{
    ASSERT(store && store->transactions == 0);
    picture_release(store->current);
    arena_free(&store->arena);
    mem_free(store);
}

struct store_txn *store_memory_begin(struct store_memory *store)
{
    ASSERT(store);
    struct memory_txn *txn = mem_zalloc(1, sizeof *txn);
    txn->base.ops = &memory_ops;
    txn->store = store;
    txn->picture = picture_retain(store->current);
    txn->begun = picture_retain(store->current);
    store->transactions++;
    return &txn->base;
}

static void txn_end(struct memory_txn *txn)
{
    ASSERT(txn->cursors == 0);
    ASSERT(txn->store->transactions > 0);
    txn->store->transactions--;
    picture_release(txn->begun);
    mem_free(txn);
}

/* What `txn` has changed, done once more on what another has committed meanwhile. */
static void changes_repeat(struct memory_txn *txn, struct store_txn *onto)
{
    const struct picture *before = txn->begun;
    const struct picture *after = txn->picture;
    uint32_t i = 0;
    uint32_t j = 0;
    while (i < before->count || j < after->count) {
        int order = i == before->count ? 1
                    : j == after->count
                        ? -1
                        : slice_compare(before->entries[i].key, after->entries[j].key);
        if (order < 0)
            memory_remove(onto, before->entries[i].key, NULL);
        else if (order > 0 || before->entries[i].value.data != after->entries[j].value.data)
            memory_put(onto, after->entries[j].key, after->entries[j].value, NULL);
        i += order <= 0;
        j += order >= 0;
    }
}

void store_memory_commit(struct store_txn *base)
{
    ASSERT(base && base->ops == &memory_ops);
    struct memory_txn *txn = txn_from(base);
    struct store_memory *store = txn->store;
    if (store->current != txn->begun) {
        struct memory_txn *again = txn_from(store_memory_begin(store));
        changes_repeat(txn, &again->base);
        store_memory_rollback(base);
        txn = again;
    }
    picture_release(store->current);
    store->current = txn->picture;
    txn_end(txn);
}

void store_memory_rollback(struct store_txn *base)
{
    ASSERT(base && base->ops == &memory_ops);
    struct memory_txn *txn = txn_from(base);
    picture_release(txn->picture);
    txn_end(txn);
}
