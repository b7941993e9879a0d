/* The dull store: sorted entries, in pieces.
 *
 * A picture is an array of pieces, each a sorted array of up to PIECE_MAX entries, none empty. Both
 * have reference counts. Whoever wants to change one that others refer to makes a copy first, so
 * transactions and cursors see what was there when they began, and a change moves the entries of
 * one piece at most. Keys and values lie in the store's arena until the store is destroyed: tests
 * are short. */
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "sql/store/store.h"

enum { PIECE_MAX = 256 };

struct piece {
    uint32_t references;
    uint32_t count;
    struct store_entry entries[PIECE_MAX]; /* strictly ascending by key */
};

struct picture {
    uint32_t references;
    struct piece **pieces;
    uint32_t count;
    uint32_t capacity;
};

/* Of an entry; behind the last one: {count, 0}. */
struct place {
    uint32_t piece;
    uint32_t at;
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
    struct place low; /* entries [low, high) are still to be delivered */
    struct place high;
    bool reverse;
    void *keys; /* of the entries handed out last */
};

static struct picture *picture_retain(struct picture *picture)
{
    ASSERT(picture->references > 0);
    picture->references++;
    return picture;
}

static void piece_release(struct piece *piece)
{
    ASSERT(piece->references > 0);
    if (--piece->references == 0)
        mem_free(piece);
}

static void picture_release(struct picture *picture)
{
    ASSERT(picture->references > 0);
    if (--picture->references)
        return;
    for (uint32_t i = 0; i < picture->count; i++)
        piece_release(picture->pieces[i]);
    mem_free(picture->pieces);
    mem_free(picture);
}

/* A picture that only the caller refers to, with the same entries; the caller's reference moves to
 * it. */
static struct picture *picture_own(struct picture *picture)
{
    if (picture->references == 1)
        return picture;
    struct picture *copy = mem_zalloc(1, sizeof *copy);
    copy->references = 1;
    copy->count = picture->count;
    copy->pieces = vec_grow(NULL, &copy->capacity, picture->count + 1, sizeof(struct piece *));
    for (uint32_t i = 0; i < picture->count; i++) {
        copy->pieces[i] = picture->pieces[i];
        copy->pieces[i]->references++;
    }
    picture_release(picture);
    return copy;
}

/* The same of one of its pieces. */
static struct piece *piece_own(struct picture *picture, uint32_t number)
{
    struct piece *piece = picture->pieces[number];
    ASSERT(picture->references == 1 && number < picture->count);
    if (piece->references == 1)
        return piece;
    struct piece *copy = mem_alloc(sizeof *copy);
    *copy = *piece;
    copy->references = 1;
    piece_release(piece);
    return picture->pieces[number] = copy;
}

/* An empty piece at this place among the others. */
static struct piece *piece_add(struct picture *picture, uint32_t number)
{
    struct piece *piece = mem_zalloc(1, sizeof *piece);
    piece->references = 1;
    picture->pieces =
        vec_grow(picture->pieces, &picture->capacity, picture->count + 1, sizeof(struct piece *));
    struct piece **at = &picture->pieces[number];
    memmove(at + 1, at, (picture->count - number) * sizeof(struct piece *));
    picture->count++;
    return *at = piece;
}

static const struct store_entry *entry_at(const struct picture *picture, struct place place)
{
    ASSERT(place.piece < picture->count && place.at < picture->pieces[place.piece]->count);
    return &picture->pieces[place.piece]->entries[place.at];
}

/* The last piece that does not begin above `key`, else the first. */
static uint32_t piece_find(const struct picture *picture, struct slice key)
{
    uint32_t low = 0;
    uint32_t high = picture->count;
    while (low + 1 < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_compare(picture->pieces[middle]->entries[0].key, key) <= 0)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The place of the first entry of a piece whose key is not below `key`; its count: all are. */
static uint32_t entry_find(const struct piece *piece, struct slice key, bool *found)
{
    uint32_t low = 0;
    uint32_t high = piece->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_compare(piece->entries[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < piece->count && slice_equal(piece->entries[low].key, key);
    return low;
}

/* The place of the first entry whose key is not below `key`. */
static struct place picture_find(const struct picture *picture, struct slice key, bool *found)
{
    struct place place = {0};
    *found = false;
    if (picture->count == 0)
        return place;
    place.piece = piece_find(picture, key);
    place.at = entry_find(picture->pieces[place.piece], key, found);
    if (place.at == picture->pieces[place.piece]->count)
        place = (struct place){place.piece + 1, 0};
    return place;
}

static bool place_before(struct place a, struct place b)
{
    return a.piece < b.piece || (a.piece == b.piece && a.at < b.at);
}

static struct place place_next(const struct picture *picture, struct place place)
{
    place.at++;
    if (place.at == picture->pieces[place.piece]->count)
        place = (struct place){place.piece + 1, 0};
    return place;
}

static struct place place_previous(const struct picture *picture, struct place place)
{
    if (place.at > 0)
        return (struct place){place.piece, place.at - 1};
    ASSERT(place.piece > 0);
    return (struct place){place.piece - 1, picture->pieces[place.piece - 1]->count - 1};
}

/* How many entries are in [from, to). */
static uint32_t place_distance(const struct picture *picture, struct place from, struct place to)
{
    uint32_t count = to.at;
    for (uint32_t i = from.piece; i < to.piece; i++)
        count += picture->pieces[i]->count;
    return count - from.at;
}

static struct place place_forward(const struct picture *picture, struct place place, uint32_t count)
{
    while (place.piece < picture->count &&
           count >= picture->pieces[place.piece]->count - place.at) {
        count -= picture->pieces[place.piece]->count - place.at;
        place = (struct place){place.piece + 1, 0};
    }
    place.at += count;
    return place;
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
    struct place place = picture_find(picture, key, found);
    if (*found)
        *value = entry_at(picture, place)->value;
    return OK;
}

/* The piece an entry of this key belongs to, with room for one more. */
static struct piece *piece_with_room(struct picture *picture, struct slice key)
{
    if (picture->count == 0)
        return piece_add(picture, 0);
    uint32_t number = piece_find(picture, key);
    struct piece *piece = piece_own(picture, number);
    if (piece->count < PIECE_MAX)
        return piece;
    struct piece *upper = piece_add(picture, number + 1);
    piece->count = PIECE_MAX / 2;
    upper->count = PIECE_MAX - piece->count;
    memcpy(upper->entries, &piece->entries[piece->count], upper->count * sizeof *upper->entries);
    return slice_compare(upper->entries[0].key, key) <= 0 ? upper : piece;
}

static status_t memory_put(struct store_txn *base, struct slice key, struct slice value,
                           struct error *error)
{
    (void)error;
    struct memory_txn *txn = txn_from(base);
    struct picture *picture = txn->picture = picture_own(txn->picture);
    struct piece *piece = piece_with_room(picture, key);
    bool found;
    struct store_entry *at = &piece->entries[entry_find(piece, key, &found)];
    if (!found) {
        memmove(at + 1, at, (size_t)(&piece->entries[piece->count] - at) * sizeof *at);
        piece->count++;
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
    struct place place = picture_find(picture, key, &found);
    if (!found)
        return OK;
    struct piece *piece = piece_own(picture, place.piece);
    struct store_entry *at = &piece->entries[place.at];
    piece->count--;
    memmove(at, at + 1, (piece->count - place.at) * sizeof *at);
    if (piece->count > 0)
        return OK;
    piece_release(piece);
    struct piece **gone = &picture->pieces[place.piece];
    picture->count--;
    memmove(gone, gone + 1, (picture->count - place.piece) * sizeof(struct piece *));
    return OK;
}

/* The places of [low, high). */
static void picture_range(const struct picture *picture, struct slice low, struct slice high,
                          struct place *from, struct place *to)
{
    bool found;
    *from = picture_find(picture, low, &found);
    *to = high.size ? picture_find(picture, high, &found) : (struct place){picture->count, 0};
    if (place_before(*to, *from))
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
    struct place from, to;
    picture_range(picture, low, high, &from, &to);
    uint32_t count = place_distance(picture, from, to);
    if (count > 0) {
        struct place place = place_forward(picture, from, (uint32_t)(share * count));
        buffer_append_slice(key, entry_at(picture, place)->key);
    }
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
    const struct picture *picture = cursor->picture;
    ASSERT(!place_before(cursor->high, cursor->low));
    uint32_t n = 0;
    size_t size = 0;
    while (n < max && place_before(cursor->low, cursor->high)) {
        if (cursor->reverse)
            cursor->high = place_previous(picture, cursor->high);
        entries[n] = *entry_at(picture, cursor->reverse ? cursor->high : cursor->low);
        if (!cursor->reverse)
            cursor->low = place_next(picture, cursor->low);
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
    const struct picture *picture = txn_from(base)->picture;
    struct place from, to;
    picture_range(picture, low, high, &from, &to);
    *entries = place_distance(picture, from, to);
    return OK;
}

static status_t memory_sample(struct store_txn *base, struct slice low, struct slice high,
                              double share, struct store_entry *entries, uint32_t max,
                              uint32_t *count, struct error *error)
{
    (void)error;
    const struct picture *picture = txn_from(base)->picture;
    struct place from, to;
    picture_range(picture, low, high, &from, &to);
    from = place_forward(picture, from, (uint32_t)(share * place_distance(picture, from, to)));
    for (; *count < max && place_before(from, to); from = place_next(picture, from))
        entries[(*count)++] = (struct store_entry){.value = entry_at(picture, from)->value};
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
    struct place i = {0}, j = {0};
    while (i.piece < before->count || j.piece < after->count) {
        const struct store_entry *old = i.piece < before->count ? entry_at(before, i) : NULL;
        const struct store_entry *new = j.piece < after->count ? entry_at(after, j) : NULL;
        int order = !old ? 1 : !new ? -1 : slice_compare(old->key, new->key);
        if (order < 0)
            memory_remove(onto, old->key, NULL);
        else if (order > 0 || old->value.data != new->value.data)
            memory_put(onto, new->key, new->value, NULL);
        if (order <= 0)
            i = place_next(before, i);
        if (order >= 0)
            j = place_next(after, j);
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
