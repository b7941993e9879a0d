/* Reading: point lookups and cursors.
 *
 * A cursor keeps the page and the place on each level from root to leaf, so that a step within a
 * leaf touches nothing else and a step to the next leaf climbs only as far as needed. It needs no
 * pins of its own: the snapshot keeps its pages (or, in the writer's view, the absence of changes
 * does).
 *
 * A key is put together in the cursor's buffer. What the keys of the page share stays there while
 * the cursor is on the page, so that a step copies only the rest. */
#include "kv/kv_int.h"

#define LEAF(cursor) ((cursor)->depth - 1u)
#define CACHE_LINE   64u
#define LEAVES_NEAR  2u
#define SCRIBBLE     0xDB

static status_t root_page(struct kv *kv, uint32_t root, const struct kv__page **page,
                          struct error *error)
{
    status_t status = kv__page_verify(kv, root, KV_LEVEL_ANY, error);
    *page = kv__page_at(kv, root);
    return status;
}

static status_t get(struct kv *kv, uint32_t root, struct slice key, struct slice *value,
                    struct error *error)
{
    const struct kv__page *page;
    bool exact;
    if (root == 0)
        return ERR_NOT_FOUND;
    status_t status = root_page(kv, root, &page, error);
    while (status == OK && page->level != 0) {
        uint32_t child = kv__page_child(page, kv__page_search_child(page, key));
        status = kv__page_get(kv, child, page->level - 1u, &page, error);
    }
    if (status != OK)
        return status;
    uint32_t index = kv__page_search(page, 0, key, &exact);
    if (!exact)
        return ERR_NOT_FOUND;
    struct kv__value found = kv__page_value(page, index);
    return kv__overflow_value(kv, &found, value, error);
}

status_t kv_get(struct kv_snapshot *snapshot, struct slice key, struct slice *value,
                struct error *error)
{
    if (__builtin_expect(snapshot->view != NULL, 0))
        return lsm_get(snapshot->view, key, value, error);
    return get(snapshot->kv, snapshot->root, key, value, error);
}

status_t kv_get_latest(struct kv *kv, struct slice key, struct slice *value, struct error *error)
{
    if (kv__is_lsm(kv))
        return lsm_get_latest(kv->lsm, key, value, error);
    return get(kv, kv->root, key, value, error);
}

/* ---- placing -------------------------------------------------------------------------------- */

void kv_cursor_init(struct kv_cursor *cursor, struct kv_snapshot *snapshot)
{
    if (__builtin_expect(snapshot->view != NULL, 0)) {
        kv__lsm_cursor_init(cursor, snapshot->kv);
        lsm_cursor_init(&cursor->lsm, snapshot->view);
        return;
    }
    cursor->kv = snapshot->kv;
    cursor->root = snapshot->root;
    cursor->changes = 0;
    cursor->latest = false;
    cursor->valid = false;
    cursor->depth = 0;
    cursor->key_page = NULL;
}

void kv_cursor_init_latest(struct kv_cursor *cursor, struct kv *kv)
{
    if (kv__is_lsm(kv)) {
        kv__lsm_cursor_init(cursor, kv);
        lsm_cursor_init_latest(&cursor->lsm, kv->lsm);
        return;
    }
    cursor->kv = kv;
    cursor->root = kv->root;
    cursor->changes = kv->changes;
    cursor->latest = true;
    cursor->valid = false;
    cursor->depth = 0;
    cursor->key_page = NULL;
}

static void check_current(const struct kv_cursor *cursor)
{
    ASSERT(cursor->valid);
    ASSERT(!cursor->latest || cursor->changes == cursor->kv->changes);
}

static void push(struct kv_cursor *cursor, const struct kv__page *page, uint32_t index)
{
    ASSERT(cursor->depth < KV_DEPTH_MAX);
    cursor->level[cursor->depth].page = (const uint8_t *)page;
    cursor->level[cursor->depth].index = index;
    cursor->level[cursor->depth].count = page->count;
    cursor->depth++;
}

static const struct kv__page *page_at(const struct kv_cursor *cursor, uint32_t depth)
{
    return (const struct kv__page *)(const void *)cursor->level[depth].page;
}

/* Where to go at each page on the way down. */
enum direction { TO_KEY, TO_FIRST, TO_LAST };

/* From `page`, which is pushed, down to a leaf. */
static status_t go_down(struct kv_cursor *cursor, const struct kv__page *page,
                        enum direction direction, struct slice key, struct error *error)
{
    for (;;) {
        bool exact;
        uint32_t index = direction == TO_LAST ? page->count - 1u : 0;
        if (direction == TO_KEY)
            index = page->level != 0 ? kv__page_search_child(page, key)
                                     : kv__page_search(page, 0, key, &exact);
        push(cursor, page, index);
        if (page->level == 0)
            return OK;
        status_t status =
            kv__page_get(cursor->kv, kv__page_child(page, index), page->level - 1u, &page, error);
        if (status != OK)
            return status;
    }
}

/* The key handed out before is over. */
static void scribble(struct kv_cursor *cursor)
{
    if (!KV_CURSOR_SCRIBBLES)
        return;
    memset(cursor->key, SCRIBBLE, sizeof cursor->key);
    cursor->key_page = NULL;
}

/* The writer's own look is often near its last change. */
static bool place_near(struct kv_cursor *cursor, struct slice key)
{
    struct kv__path path;
    bool exact;
    if (!kv__tree_reach(cursor->kv, key, &path, &exact))
        return false;
    for (uint32_t i = 0; i < path.depth; i++)
        push(cursor, path.at[i].page, path.at[i].index);
    return true;
}

/* Places the cursor from the root; an empty tree leaves depth 0. */
static status_t place(struct kv_cursor *cursor, enum direction direction, struct slice key,
                      struct error *error)
{
    const struct kv__page *page;
    cursor->valid = false;
    cursor->depth = 0;
    scribble(cursor);
    if (cursor->latest) {
        cursor->key_page = NULL; /* it may have changed in place */
        cursor->root = cursor->kv->root;
        cursor->changes = cursor->kv->changes;
    }
    if (cursor->root == 0 || (cursor->latest && direction == TO_KEY && place_near(cursor, key)))
        return OK;
    status_t status = root_page(cursor->kv, cursor->root, &page, error);
    return status == OK ? go_down(cursor, page, direction, key, error) : status;
}

/* Asks for the first lines of the page that a walk comes to after this one, and for its end, where
 * the first cells of a page filled in order lie: they are on their way while this one is read. */
static void prefetch(const struct kv_cursor *cursor, const struct kv__page *parent, uint32_t index)
{
    const struct kv *kv = cursor->kv;
    if (index >= parent->count)
        return;
    const uint8_t *page = kv->base + (uint64_t)kv__page_child(parent, index) * kv->page_size;
    for (uint32_t line = 0; line < 3; line++)
        __builtin_prefetch(page + line * CACHE_LINE);
    for (uint32_t line = 1; line <= 4; line++)
        __builtin_prefetch(page + kv->page_size - line * CACHE_LINE);
}

/* The leaf is used up: to the first entry of the next one. */
static status_t next_leaf(struct kv_cursor *cursor, struct error *error)
{
    cursor->valid = false;
    for (uint32_t depth = LEAF(cursor); depth > 0;) {
        depth--;
        if (cursor->level[depth].index + 1 >= cursor->level[depth].count)
            continue;
        uint32_t index = ++cursor->level[depth].index;
        const struct kv__page *page = page_at(cursor, depth);
        cursor->depth = (uint8_t)(depth + 1);
        if (page->level == 1)
            prefetch(cursor, page, index + 1);
        status_t status =
            kv__page_get(cursor->kv, kv__page_child(page, index), page->level - 1u, &page, error);
        if (status == OK)
            status = go_down(cursor, page, TO_FIRST, slice_make(NULL, 0), error);
        cursor->valid = status == OK;
        return status;
    }
    return OK;
}

static status_t prev_leaf(struct kv_cursor *cursor, struct error *error)
{
    cursor->valid = false;
    for (uint32_t depth = LEAF(cursor); depth > 0;) {
        depth--;
        if (cursor->level[depth].index == 0)
            continue;
        uint32_t index = --cursor->level[depth].index;
        const struct kv__page *page = page_at(cursor, depth);
        cursor->depth = (uint8_t)(depth + 1);
        status_t status =
            kv__page_get(cursor->kv, kv__page_child(page, index), page->level - 1u, &page, error);
        if (status == OK)
            status = go_down(cursor, page, TO_LAST, slice_make(NULL, 0), error);
        cursor->valid = status == OK;
        return status;
    }
    return OK;
}

status_t kv_cursor_seek(struct kv_cursor *cursor, struct slice key, struct error *error)
{
    if (kv__is_lsm(cursor->kv))
        return kv__lsm_placed(cursor, lsm_cursor_seek(&cursor->lsm, key, error));
    status_t status = place(cursor, TO_KEY, key, error);
    if (status != OK || cursor->depth == 0)
        return status;
    if (cursor->level[LEAF(cursor)].index >= cursor->level[LEAF(cursor)].count)
        return next_leaf(cursor, error);
    cursor->valid = true;
    return OK;
}

/* The lowest page on the cursor's way that `key` is sure to belong below: of a page its first and
 * its last child may be those of a key outside of it. *index: which of its children. */
static uint32_t climb(const struct kv_cursor *cursor, struct slice key, uint32_t *index)
{
    uint32_t depth = LEAF(cursor);
    ASSERT(depth > 0);
    do {
        depth--;
        *index = kv__page_search_child(page_at(cursor, depth), key);
    } while (depth > 0 && (*index == 0 || *index + 1 >= cursor->level[depth].count));
    return depth;
}

/* Look-ups that go from one leaf to the next or the one behind it are likely to go on so: asks for
 * what a search of the leaf after that looks at, its slots. Leaves are much alike: there are taken
 * to be as many as in `like`, the leaf that was left. */
static void prefetch_slots(const struct kv_cursor *cursor, const struct kv__page *parent,
                           uint32_t index, const struct kv__page *like)
{
    if (index >= parent->count)
        return;
    const struct kv *kv = cursor->kv;
    const uint8_t *page = kv->base + (uint64_t)kv__page_child(parent, index) * kv->page_size;
    size_t size =
        (size_t)((const uint8_t *)(kv__page_slots(like) + like->count) - (const uint8_t *)like);
    ASSERT(size <= kv->page_size);
    for (size_t at = 0; at < size; at += CACHE_LINE)
        __builtin_prefetch(page + at);
}

status_t kv_cursor_seek_near(struct kv_cursor *cursor, struct slice key, struct error *error)
{
    bool exact;
    if (cursor->latest || cursor->depth == 0 || page_at(cursor, LEAF(cursor))->level != 0)
        return kv_cursor_seek(cursor, key, error);
    uint32_t leaf = LEAF(cursor), count = cursor->level[leaf].count;
    uint32_t index = kv__page_search(page_at(cursor, leaf), 0, key, &exact);
    cursor->valid = false;
    scribble(cursor);
    status_t status = OK;
    if (index == count || (index == 0 && !exact)) {
        if (leaf == 0)
            return kv_cursor_seek(cursor, key, error);
        uint32_t depth = climb(cursor, key, &index);
        const struct kv__page *page = page_at(cursor, depth);
        uint32_t step = index - cursor->level[depth].index;
        if (page->level == 1 && step >= 1 && step <= LEAVES_NEAR)
            prefetch_slots(cursor, page, index + 1, page_at(cursor, leaf));
        cursor->level[depth].index = index;
        cursor->depth = (uint8_t)(depth + 1);
        status =
            kv__page_get(cursor->kv, kv__page_child(page, index), page->level - 1u, &page, error);
        if (status == OK)
            status = go_down(cursor, page, TO_KEY, key, error);
    } else {
        cursor->level[leaf].index = index;
    }
    if (status != OK)
        return status;
    if (cursor->level[LEAF(cursor)].index >= cursor->level[LEAF(cursor)].count)
        return next_leaf(cursor, error);
    /* What is looked for is read next: its cell is far from its slot. */
    const struct kv__page *found = page_at(cursor, LEAF(cursor));
    __builtin_prefetch((const uint8_t *)found +
                       kv__page_slots(found)[cursor->level[LEAF(cursor)].index].offset);
    cursor->valid = true;
    return OK;
}

status_t kv_cursor_seek_reverse(struct kv_cursor *cursor, struct slice key, struct error *error)
{
    if (kv__is_lsm(cursor->kv))
        return kv__lsm_placed(cursor, lsm_cursor_seek_reverse(&cursor->lsm, key, error));
    status_t status = place(cursor, TO_KEY, key, error);
    if (status != OK || cursor->depth == 0)
        return status;
    uint32_t index = cursor->level[LEAF(cursor)].index;
    uint8_t bytes[KV_KEY_SIZE_MAX];
    if (index < cursor->level[LEAF(cursor)].count &&
        slice_equal(kv__page_key(page_at(cursor, LEAF(cursor)), index, bytes), key)) {
        cursor->valid = true;
        return OK;
    }
    if (index == 0)
        return prev_leaf(cursor, error);
    cursor->level[LEAF(cursor)].index--;
    cursor->valid = true;
    return OK;
}

status_t kv_cursor_first(struct kv_cursor *cursor, struct error *error)
{
    if (kv__is_lsm(cursor->kv))
        return kv__lsm_placed(cursor, lsm_cursor_first(&cursor->lsm, error));
    status_t status = place(cursor, TO_FIRST, slice_make(NULL, 0), error);
    cursor->valid = status == OK && cursor->depth > 0;
    return status;
}

status_t kv_cursor_last(struct kv_cursor *cursor, struct error *error)
{
    if (kv__is_lsm(cursor->kv))
        return kv__lsm_placed(cursor, lsm_cursor_last(&cursor->lsm, error));
    status_t status = place(cursor, TO_LAST, slice_make(NULL, 0), error);
    cursor->valid = status == OK && cursor->depth > 0;
    return status;
}

/* ---- moving and reading --------------------------------------------------------------------- */

status_t kv_cursor_next_any(struct kv_cursor *cursor, struct error *error)
{
    if (kv__is_lsm(cursor->kv))
        return kv__lsm_placed(cursor, lsm_cursor_next(&cursor->lsm, error));
    check_current(cursor);
    scribble(cursor);
    uint32_t leaf = LEAF(cursor);
    if (++cursor->level[leaf].index < cursor->level[leaf].count)
        return OK;
    return next_leaf(cursor, error);
}

status_t kv_cursor_prev(struct kv_cursor *cursor, struct error *error)
{
    if (kv__is_lsm(cursor->kv))
        return kv__lsm_placed(cursor, lsm_cursor_prev(&cursor->lsm, error));
    check_current(cursor);
    scribble(cursor);
    uint32_t leaf = LEAF(cursor);
    if (cursor->level[leaf].index > 0) {
        cursor->level[leaf].index--;
        return OK;
    }
    return prev_leaf(cursor, error);
}

#define COPY_AT_ONCE 16u

/* Copies `size` bytes of a page. Most are few: those are copied as 16, of which the last mean
 * nothing; `to` has room for as many more, and the page ends behind them. */
static inline void copy_bytes(uint8_t *to, const uint8_t *from, uint32_t size, const uint8_t *end)
{
    if (__builtin_expect(size <= COPY_AT_ONCE && from + COPY_AT_ONCE <= end, 1))
        memcpy(to, from, COPY_AT_ONCE);
    else
        memcpy(to, from, size);
}

struct slice kv_cursor_key(struct kv_cursor *cursor)
{
    if (kv__is_lsm(cursor->kv))
        return lsm_cursor_key(&cursor->lsm, cursor->key);
    check_current(cursor);
    const struct kv__page *page = page_at(cursor, LEAF(cursor));
    const struct kv__slot *slot = kv__page_slots(page) + cursor->level[LEAF(cursor)].index;
    const uint8_t *cell = (const uint8_t *)page + slot->offset;
    const uint8_t *rest = cell + kv__cell_key_at(0, cell);
    uint32_t prefix = page->prefix;
    ASSERT(prefix + slot->key_size <= KV_KEY_SIZE_MAX);
    if (prefix == 0 && !KV_CURSOR_SCRIBBLES)
        return slice_make(rest, slot->key_size);
    if (cursor->key_page != (const uint8_t *)page) {
        memcpy(cursor->key, page + 1, prefix);
        cursor->key_page = (const uint8_t *)page;
    }
    copy_bytes(cursor->key + prefix, rest, slot->key_size,
               (const uint8_t *)page + cursor->kv->page_size);
    return slice_make(cursor->key, prefix + slot->key_size);
}

_Static_assert(sizeof((struct kv_cursor *)0)->key >= KV_KEY_SIZE_MAX + COPY_AT_ONCE,
               "a key is copied with some bytes more");

status_t kv_cursor_value(const struct kv_cursor *cursor, struct slice *value, struct error *error)
{
    if (kv__is_lsm(cursor->kv)) {
        *value = lsm_cursor_value(&cursor->lsm);
        return OK;
    }
    check_current(cursor);
    const struct kv__page *page = page_at(cursor, LEAF(cursor));
    uint32_t index = cursor->level[LEAF(cursor)].index;
    struct kv__value found = kv__page_value(page, index);
    if (__builtin_expect(found.overflow != 0, 0))
        return kv__overflow_value(cursor->kv, &found, value, error);
    /* One by one: a copy of the whole has to wait until both halves are stored. */
    value->data = found.inline_bytes.data;
    value->size = found.inline_bytes.size;
    return OK;
}

/* How many entries from the cursor's on, up to `max`, have no long value; *bytes: of their keys. */
static uint32_t run_length(const struct kv_cursor *cursor, uint32_t max, size_t *bytes)
{
    const struct kv__page *page = page_at(cursor, LEAF(cursor));
    const struct kv__slot *slot = kv__page_slots(page) + cursor->level[LEAF(cursor)].index;
    uint32_t left = cursor->level[LEAF(cursor)].count - cursor->level[LEAF(cursor)].index;
    uint32_t count = left < max ? left : max;
    *bytes = 0;
    for (uint32_t i = 0; i < count; i++, slot++) {
        if ((get_u16_le((const uint8_t *)page + slot->offset) & KV_CELL_LONG) != 0)
            return i;
        *bytes += page->prefix + slot->key_size;
    }
    return count;
}

uint32_t kv_cursor_run(const struct kv_cursor *cursor, struct kv_entry *entries, uint32_t max,
                       struct arena *keys)
{
    if (kv__is_lsm(cursor->kv))
        return kv__lsm_cursor_run(cursor, entries, max, keys);
    size_t bytes;
    check_current(cursor);
    ASSERT(!cursor->latest);
    uint32_t count = run_length(cursor, max, &bytes);
    if (count == 0)
        return 0;
    const struct kv__page *page = page_at(cursor, LEAF(cursor));
    const struct kv__slot *slot = kv__page_slots(page) + cursor->level[LEAF(cursor)].index;
    const uint8_t *end = (const uint8_t *)page + cursor->kv->page_size;
    const uint8_t *shared = (const uint8_t *)(page + 1);
    uint32_t prefix = page->prefix;
    uint8_t *key = arena_alloc(keys, bytes + COPY_AT_ONCE);
    for (uint32_t i = 0; i < count; i++, slot++) {
        const uint8_t *cell = (const uint8_t *)page + slot->offset;
        entries[i].key.data = key;
        entries[i].key.size = prefix + slot->key_size;
        entries[i].value.data = cell + 2 + slot->key_size;
        entries[i].value.size = get_u16_le(cell);
        copy_bytes(key, shared, prefix, end);
        copy_bytes(key + prefix, cell + 2, slot->key_size, end);
        key += prefix + slot->key_size;
    }
    return count;
}

/* The leaf that the walk comes to next, when it has the same parent; NULL otherwise. */
static const uint8_t *leaf_behind(const struct kv_cursor *cursor)
{
    uint32_t leaf = LEAF(cursor);
    if (leaf == 0 || cursor->level[leaf - 1].index + 1 >= cursor->level[leaf - 1].count)
        return NULL;
    uint32_t child = kv__page_child(page_at(cursor, leaf - 1), cursor->level[leaf - 1].index + 1);
    return (const uint8_t *)kv__page_at(cursor->kv, child);
}

uint32_t kv_cursor_run_parts(const struct kv_cursor *cursor, struct kv_entry *entries, uint32_t max,
                             struct slice *shared, struct arena *keys)
{
    *shared = slice_make("", 0);
    if (kv__is_lsm(cursor->kv))
        return kv__lsm_cursor_run(cursor, entries, max, keys);
    check_current(cursor);
    ASSERT(!cursor->latest);
    const struct kv__page *page = page_at(cursor, LEAF(cursor));
    const struct kv__slot *slot = kv__page_slots(page) + cursor->level[LEAF(cursor)].index;
    uint32_t left = cursor->level[LEAF(cursor)].count - cursor->level[LEAF(cursor)].index;
    uint32_t count = left < max ? left : max;
    *shared = slice_make((const uint8_t *)(page + 1), page->prefix);
    /* Leaves are much alike: what this one has its cells in is asked for of the next one. */
    const uint8_t *next = leaf_behind(cursor);
    for (uint32_t i = 0; i < count; i++, slot++) {
        if (next) {
            __builtin_prefetch(next + slot->offset);
            __builtin_prefetch(next + slot->offset + CACHE_LINE);
        }
        const uint8_t *cell = (const uint8_t *)page + slot->offset;
        uint32_t size = get_u16_le(cell);
        if ((size & KV_CELL_LONG) != 0)
            return i;
        entries[i].key.data = cell + 2;
        entries[i].key.size = slot->key_size;
        entries[i].value.data = cell + 2 + slot->key_size;
        entries[i].value.size = size;
    }
    return count;
}

status_t kv_cursor_pass(struct kv_cursor *cursor, uint32_t count, struct error *error)
{
    if (kv__is_lsm(cursor->kv))
        return kv__lsm_placed(cursor, lsm_cursor_pass(&cursor->lsm, count, error));
    uint32_t leaf = LEAF(cursor);
    check_current(cursor);
    ASSERT(count <= cursor->level[leaf].count - cursor->level[leaf].index);
    if (count == 0)
        return OK;
    cursor->level[leaf].index += count - 1;
    return kv_cursor_next(cursor, error);
}
