/* Changing the tree: deletion, of keys and of ranges, with merging. In two phases, as told in
 * kv_tree.c.
 *
 * Merging. A page under a quarter full is joined with a neighbour under the same parent if both fit
 * into one page; an empty one is taken out. A root with a single child gives way to it.
 *
 * Deleting a range takes leaves that lie in it as a whole out of their parents, without copying
 * them; at its two ends entries are deleted one by one. */
#include "base/mem.h"
#include "kv/kv_int.h"

/* ---- delete --------------------------------------------------------------------------------- */

static bool is_underfull(const struct kv *kv, uint32_t used)
{
    return used < kv__page_capacity(kv) / 4;
}

/* The least a page can be left with. A branch loses entry `index`, and the next one its key when it
 * becomes the first; or it loses the next one, when that child is merged into this. */
static uint32_t used_after_removal(const struct kv *kv, const struct kv__page *page, uint32_t index)
{
    uint32_t used = kv__page_used(kv, page);
    used -= (uint32_t)(kv__page_cell(page, index).size + sizeof(struct kv__slot));
    if (page->level != 0 && index + 1u < page->count)
        used -= (uint32_t)(kv__page_cell(page, index + 1).size + sizeof(struct kv__slot));
    return used;
}

/* Verifies the neighbours that a removal at the end of the path may merge with, as far up as a
 * removal can reach. */
static status_t touch_neighbours(struct kv *kv, const struct kv__path *path, struct error *error)
{
    for (uint32_t depth = path->depth - 1; depth > 0; depth--) {
        const struct kv__page *page = path->at[depth].page, *parent = path->at[depth - 1].page;
        uint32_t index = path->at[depth - 1].index;
        if (!is_underfull(kv, used_after_removal(kv, page, path->at[depth].index)))
            return OK;
        const struct kv__page *neighbour;
        status_t status = OK;
        if (index > 0)
            status =
                kv__page_get(kv, kv__page_child(parent, index - 1), page->level, &neighbour, error);
        if (status == OK && index + 1u < parent->count)
            status =
                kv__page_get(kv, kv__page_child(parent, index + 1), page->level, &neighbour, error);
        if (status != OK)
            return status;
    }
    return OK;
}

/* Appends all of `from`; the first entry of a branch gets the key that led to the page. */
static void append_all(struct kv__page *to, const struct kv__page *from, struct slice leading)
{
    for (uint32_t i = 0; i < from->count; i++) {
        struct slice cell = kv__page_cell(from, i);
        uint32_t key_size = kv__page_slots(from)[i].key_size;
        uint8_t first[4 + KV_KEY_SIZE_MAX];
        if (i == 0 && from->level != 0 && leading.size != 0) {
            memcpy(first, cell.data, 4);
            memcpy(first + 4, leading.data, leading.size);
            cell = slice_make(first, 4 + leading.size);
            key_size = (uint32_t)leading.size;
        }
        kv__page_append(to, cell, key_size);
    }
}

/* Joins the page at `depth` with its neighbour, the child `other` (index - 1 or index + 1) of its
 * parent, into the page itself. False when both do not fit into one. */
static bool merge_with(struct kv *kv, struct kv__path *path, uint32_t depth, uint32_t other)
{
    struct kv__page *page = path->at[depth].page, *parent = path->at[depth - 1].page;
    uint32_t index = path->at[depth - 1].index, right = other > index ? other : index;
    uint32_t other_id = kv__page_child(parent, other);
    const struct kv__page *neighbour = kv__page_at(kv, other_id);
    struct slice leading = kv__page_key(parent, right);
    ASSERT(neighbour->level == page->level && kv__page_is_verified(kv, other_id));
    uint32_t used = kv__page_used(kv, page) + kv__page_used(kv, neighbour);
    if (page->level != 0)
        used += (uint32_t)leading.size;
    if (used > kv__page_capacity(kv))
        return false;
    memcpy(&((struct kv__page *)(void *)kv->scratch)->id, &page->id,
           kv->page_size - offsetof(struct kv__page, id));
    const struct kv__page *copy = (const struct kv__page *)(const void *)kv->scratch;
    page = kv__page_init(kv, path->at[depth].id, copy->level);
    append_all(page, other < index ? neighbour : copy, slice_make(NULL, 0));
    append_all(page, other < index ? copy : neighbour, leading);
    kv__page_seal(page);
    kv__alloc_drop(kv, other_id, 1, neighbour->birth);
    kv__page_set_child(parent, right - 1, path->at[depth].id);
    kv__page_remove(parent, right);
    path->at[depth - 1].index = right - 1;
    return true;
}

static bool merge(struct kv *kv, struct kv__path *path, uint32_t depth)
{
    uint32_t index = path->at[depth - 1].index;
    if (index > 0 && merge_with(kv, path, depth, index - 1))
        return true;
    return index + 1u < path->at[depth - 1].page->count && merge_with(kv, path, depth, index + 1);
}

/* After a removal from the leaf: takes out empty pages, merges underfull ones, lowers the root. */
static void shrink(struct kv *kv, struct kv__path *path)
{
    for (uint32_t depth = path->depth - 1; depth > 0; depth--) {
        struct kv__page *page = path->at[depth].page;
        if (page->count == 0) {
            kv__alloc_drop(kv, path->at[depth].id, 1, page->birth);
            kv__page_remove(path->at[depth - 1].page, path->at[depth - 1].index);
        } else if (!is_underfull(kv, kv__page_used(kv, page)) || !merge(kv, path, depth)) {
            break;
        }
    }
    /* A root of one child is legal, if a level too many: it goes when the child is known sound. */
    const struct kv__page *root = kv__page_at(kv, kv->root);
    while (root->count == 0 || (root->level != 0 && root->count == 1)) {
        uint32_t child = root->count == 0 ? 0 : kv__page_child(root, 0);
        if (child != 0 && !kv__page_is_verified(kv, child))
            break;
        kv__alloc_drop(kv, kv->root, 1, root->birth);
        kv->root = child;
        if (child == 0)
            break;
        root = kv__page_at(kv, child);
    }
}

status_t kv_delete(struct kv *kv, struct slice key, bool *found, struct error *error)
{
    struct kv__path path;
    struct kv__long_value removed;
    bool exact = false;
    ASSERT(kv->loading == NULL);
    status_t status = kv__writable(kv, error);
    if (status == OK)
        status = kv__tree_entry_check(kv, key, slice_make(NULL, 0), error);
    if (status == OK)
        status = kv__tree_descend(kv, key, &path, &exact, error);
    if (status == OK && found != NULL)
        *found = exact;
    if (status != OK || !exact)
        return status;
    status = kv__tree_long_value(kv, &path, &removed, error);
    if (status == OK)
        status = touch_neighbours(kv, &path, error);
    if (status == OK)
        status = kv__alloc_reserve(kv, path.depth, 0, NULL, error);
    if (status != OK)
        return status;

    kv->changes++;
    ASSERT(kv->entries > 0);
    kv->entries--;
    kv__tree_copy_path(kv, &path);
    if (removed.page != 0)
        kv__alloc_drop(kv, removed.page, removed.count, removed.birth);
    kv__page_remove(path.at[path.depth - 1].page, path.at[path.depth - 1].index);
    shrink(kv, &path);
    return OK;
}

/* ---- deleting ranges ------------------------------------------------------------------------ */

struct long_values {
    struct kv__long_value *items;
    uint32_t count, capacity;
};

/* The overflow runs of all entries of the leaf at the end of the path. */
static status_t find_long_values(struct kv *kv, const struct kv__path *path,
                                 struct long_values *out, struct error *error)
{
    struct kv__path entry = *path;
    uint32_t leaf = path->depth - 1;
    for (uint32_t i = 0; i < path->at[leaf].page->count; i++) {
        struct kv__long_value value;
        entry.at[leaf].index = i;
        status_t status = kv__tree_long_value(kv, &entry, &value, error);
        if (status != OK)
            return status;
        if (value.page == 0)
            continue;
        out->items = vec_grow(out->items, &out->capacity, out->count + 1, sizeof *out->items);
        out->items[out->count++] = value;
    }
    return OK;
}

/* Takes the leaf at the end of the path out of the tree: it is not copied, only what is above. */
static status_t drop_leaf(struct kv *kv, struct kv__path *path, struct error *error)
{
    struct long_values values = {0};
    struct kv__page *leaf = path->at[path->depth - 1].page;
    uint32_t id = path->at[path->depth - 1].id;
    status_t status = find_long_values(kv, path, &values, error);
    path->depth--;
    if (status == OK && path->depth > 0)
        status = touch_neighbours(kv, path, error);
    if (status == OK)
        status = kv__alloc_reserve(kv, path->depth, 0, NULL, error);
    if (status == OK) {
        ASSERT(kv->entries >= leaf->count);
        kv->changes++;
        kv->entries -= leaf->count;
        kv__tree_copy_path(kv, path);
        for (uint32_t i = 0; i < values.count; i++)
            kv__alloc_drop(kv, values.items[i].page, values.items[i].count, values.items[i].birth);
        kv__alloc_drop(kv, id, 1, leaf->birth);
        if (path->depth == 0) {
            kv->root = 0;
        } else {
            kv__page_remove(path->at[path->depth - 1].page, path->at[path->depth - 1].index);
            shrink(kv, path);
        }
    }
    mem_free(values.items);
    return status;
}

/* Copies the key that begins what lies behind the leaf of the path; false when nothing does. */
static bool key_behind(const struct kv__path *path, uint8_t *bytes, struct slice *key)
{
    for (uint32_t depth = path->depth - 1; depth-- > 0;) {
        const struct kv__page *page = path->at[depth].page;
        if (path->at[depth].index + 1u >= page->count)
            continue;
        struct slice found = kv__page_key(page, path->at[depth].index + 1u);
        memcpy(bytes, found.data, found.size);
        *key = slice_make(bytes, found.size);
        return true;
    }
    return false;
}

/* The first entry of the leaf at or behind the path's place. */
static status_t delete_one(struct kv *kv, const struct kv__path *path, struct error *error)
{
    uint8_t bytes[KV_KEY_SIZE_MAX];
    bool found;
    uint32_t leaf = path->depth - 1;
    struct slice key = kv__page_key(path->at[leaf].page, path->at[leaf].index);
    memcpy(bytes, key.data, key.size);
    status_t status = kv_delete(kv, slice_make(bytes, key.size), &found, error);
    ASSERT(status != OK || found);
    return status;
}

status_t kv_delete_range(struct kv *kv, struct slice low, struct slice high, uint64_t limit,
                         uint64_t *removed, struct error *error)
{
    uint8_t bytes[KV_KEY_SIZE_MAX];
    struct kv__path path;
    bool exact;
    ASSERT(kv->loading == NULL);
    *removed = 0;
    status_t status = kv__writable(kv, error);
    while (status == OK && *removed < limit) {
        status = kv__tree_descend(kv, low, &path, &exact, error);
        if (status != OK || path.depth == 0)
            return status;
        const struct kv__page *leaf = path.at[path.depth - 1].page;
        uint32_t count = leaf->count, from = path.at[path.depth - 1].index;
        uint32_t to = high.size == 0 ? count : kv__page_search(leaf, 0, high, &exact);
        if (from == count) { /* all of it is below the range */
            if (!key_behind(&path, bytes, &low) ||
                (high.size != 0 && slice_compare(low, high) >= 0))
                return OK;
        } else if (from >= to) {
            return OK;
        } else if (from == 0 && to == count) {
            status = drop_leaf(kv, &path, error);
            *removed += status == OK ? count : 0;
        } else {
            status = delete_one(kv, &path, error);
            *removed += status == OK;
        }
    }
    return status;
}
