/* Changing the tree: deletion, of keys and of ranges, with merging. In two phases, as told in
 * kv_tree.c.
 *
 * Merging. A page under a quarter full is joined with a neighbour under the same parent if both fit
 * into one page; else the neighbour is more than three quarters full, and gives it of its entries,
 * so that both are about half full. (Only when the parent has no room for the longer separator that
 * may take is the page left as it is.) An empty page is taken out. A root with a single child gives
 * way to it.
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

bool kv__tree_is_underfull(const struct kv *kv, const struct kv__page *page)
{
    return is_underfull(kv, kv__page_used(kv, page));
}

/* The least a page can be left with. A branch loses entry `index`, and the next one its key when it
 * becomes the first; or it loses the next one, when that child is merged into this. */
static uint32_t used_after_removal(const struct kv *kv, const struct kv__page *page, uint32_t index)
{
    uint32_t used = kv__page_used(kv, page);
    used -= kv__page_cell_size(page, index) + (uint32_t)sizeof(struct kv__slot);
    if (page->level != 0 && index + 1u < page->count)
        used -= kv__page_cell_size(page, index + 1) + (uint32_t)sizeof(struct kv__slot);
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

/* What can fail of a removal at the end of the path: copying the path and merging cannot then. */
static status_t shrink_prepare(struct kv *kv, const struct kv__path *path, struct error *error)
{
    status_t status = path->depth > 0 ? touch_neighbours(kv, path, error) : OK;
    return status == OK ? kv__alloc_reserve(kv, path->depth + 1, 0, NULL, error) : status;
}

/* A copy in page `place` of the scratch, 1 or 2: in 0 the parent may be built anew meanwhile. */
static const struct kv__page *page_copy(struct kv *kv, const struct kv__page *page, uint32_t place)
{
    struct kv__page *copy =
        (struct kv__page *)(void *)(kv->scratch + (uint64_t)place * kv->page_size);
    ASSERT(place == 1 || place == 2);
    /* Not the crc: the checkpoint thread may be storing it. */
    memcpy(&copy->id, &page->id, kv->page_size - offsetof(struct kv__page, id));
    return copy;
}

/* The entries of the page at `depth` and of its neighbour, the child `other` of its parent. */
static struct kv__entries both(struct kv *kv, const struct kv__path *path, uint32_t depth,
                               uint32_t other)
{
    const struct kv__page *page = path->at[depth].page, *parent = path->at[depth - 1].page;
    uint32_t index = path->at[depth - 1].index, other_id = kv__page_child(parent, other);
    const struct kv__page *neighbour = kv__page_at(kv, other_id);
    ASSERT(neighbour->level == page->level && kv__page_is_verified(kv, other_id));
    return (struct kv__entries){.left = page_copy(kv, other < index ? neighbour : page, 1),
                                .right = page_copy(kv, other < index ? page : neighbour, 2),
                                .leading = kv__page_entry(parent, other < index ? index : other),
                                .count = (uint32_t)page->count + neighbour->count};
}

/* Joins the page at `depth` with its neighbour, the child `other` (index - 1 or index + 1) of its
 * parent, into the page itself. False when both do not fit into one. */
static bool merge_with(struct kv *kv, struct kv__path *path, uint32_t depth, uint32_t other)
{
    struct kv__page *parent = path->at[depth - 1].page;
    uint32_t index = path->at[depth - 1].index, right = other > index ? other : index;
    uint32_t other_id = kv__page_child(parent, other), level = path->at[depth].page->level;
    struct kv__entries entries = both(kv, path, depth, other);
    if (kv__entries_size(&entries, 0, entries.count) > kv__page_capacity(kv))
        return false;
    kv__entries_build(&entries, 0, entries.count, kv__page_init(kv, path->at[depth].id, level));
    kv__alloc_drop(kv, other_id, 1, kv__page_at(kv, other_id)->birth);
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

/* Gives entry `index` of a branch another key. False, and nothing done, when it has no room. */
static bool change_key(struct kv *kv, struct kv__page *page, uint32_t index, struct slice key)
{
    uint8_t head[2][4], bytes[KV_KEY_SIZE_MAX];
    uint32_t child = kv__page_child(page, index);
    ASSERT(page->level != 0 && index > 0);
    struct kv__entry old = kv__entry_branch(head[0], kv__page_key_copy(page, index, bytes), child);
    struct kv__entry changed = kv__entry_branch(head[1], key, child);
    kv__page_remove(page, index);
    if (kv__page_insert(kv, page, index, &changed))
        return true;
    bool restored = kv__page_insert(kv, page, index, &old);
    ASSERT(restored);
    return false;
}

/* The page at `depth` and a neighbour that it does not fit into one page with share their entries
 * anew. A page for a copy of the neighbour is reserved. */
static void share(struct kv *kv, struct kv__path *path, uint32_t depth)
{
    uint8_t bytes[KV_KEY_SIZE_MAX], leading[KV_KEY_SIZE_MAX];
    struct kv__page *parent = path->at[depth - 1].page;
    uint32_t index = path->at[depth - 1].index, level = path->at[depth].page->level;
    uint32_t other = index > 0 ? index - 1 : index + 1, right = index > 0 ? index : other;
    if (other >= parent->count)
        return;
    struct kv__entries entries = both(kv, path, depth, other);
    uint32_t cut = kv__entries_cut(kv, &entries);
    /* Copied, since the parent changes before the pages do. */
    entries.leading.shared = slice_make(NULL, 0);
    entries.leading.rest = kv__page_key_copy(parent, right, leading);
    if (cut == entries.left->count ||
        !change_key(kv, parent, right, kv__entries_separator(&entries, cut, bytes)))
        return;
    uint32_t other_id = kv__page_child(parent, other), page_id = path->at[depth].id;
    uint64_t birth = kv__page_at(kv, other_id)->birth;
    if (birth != kv->epoch) {
        kv__alloc_drop(kv, other_id, 1, birth);
        other_id = kv__alloc_page(kv);
        kv__page_set_child(parent, other, other_id);
    }
    kv__entries_build(&entries, 0, cut,
                      kv__page_init(kv, other < index ? other_id : page_id, level));
    kv__entries_build(&entries, cut, entries.count,
                      kv__page_init(kv, other < index ? page_id : other_id, level));
}

/* After a removal from the leaf: takes out empty pages, merges or fills underfull ones, lowers the
 * root. */
static void shrink(struct kv *kv, struct kv__path *path)
{
    for (uint32_t depth = path->depth - 1; depth > 0; depth--) {
        struct kv__page *page = path->at[depth].page;
        if (page->count == 0) {
            kv__alloc_drop(kv, path->at[depth].id, 1, page->birth);
            kv__page_remove(path->at[depth - 1].page, path->at[depth - 1].index);
        } else if (!is_underfull(kv, kv__page_used(kv, page))) {
            break;
        } else if (!merge(kv, path, depth)) {
            share(kv, path, depth);
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
    if (kv__is_lsm(kv))
        return kv__lsm_delete(kv, key, found, error);
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
        status = shrink_prepare(kv, &path, error);
    if (status != OK)
        return status;

    kv->changes++;
    ASSERT(kv->entries > 0);
    kv->entries--;
    kv__tree_copy_path(kv, &path);
    if (removed.page != 0)
        kv__alloc_drop(kv, removed.page, removed.count, removed.birth);
    struct kv__page *leaf = path.at[path.depth - 1].page;
    kv__page_remove(leaf, path.at[path.depth - 1].index);
    bool holds = leaf->count > 0 && !is_underfull(kv, kv__page_used(kv, leaf));
    shrink(kv, &path);
    if (holds && kv->root == path.at[0].id)
        kv__tree_keep(kv, &path);
    return OK;
}

status_t kv__tree_fill_leaf(struct kv *kv, struct slice key, struct error *error)
{
    struct kv__path path;
    bool exact;
    status_t status = kv__tree_descend(kv, key, &path, &exact, error);
    if (status != OK || !exact || path.depth < 2 ||
        !kv__tree_is_underfull(kv, path.at[path.depth - 1].page))
        return status;
    status = shrink_prepare(kv, &path, error);
    if (status != OK)
        return status;
    kv->changes++;
    kv__tree_copy_path(kv, &path);
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

status_t kv__tree_drop_leaf(struct kv *kv, struct kv__path *path, struct error *error)
{
    struct long_values values = {0};
    struct kv__page *leaf = path->at[path->depth - 1].page;
    uint32_t id = path->at[path->depth - 1].id;
    status_t status = find_long_values(kv, path, &values, error);
    path->depth--;
    if (status == OK)
        status = shrink_prepare(kv, path, error);
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

/* The first entry of the leaf at or behind the path's place. */
static status_t delete_one(struct kv *kv, const struct kv__path *path, struct error *error)
{
    uint8_t bytes[KV_KEY_SIZE_MAX];
    bool found;
    uint32_t leaf = path->depth - 1;
    struct slice key = kv__page_key_copy(path->at[leaf].page, path->at[leaf].index, bytes);
    status_t status = kv_delete(kv, key, &found, error);
    ASSERT(status != OK || found);
    return status;
}

status_t kv_delete_range(struct kv *kv, struct slice low, struct slice high, uint64_t limit,
                         uint64_t *removed, struct error *error)
{
    if (kv__is_lsm(kv))
        return lsm_delete_range(kv->lsm, low, high, limit, removed, error);
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
            if (!kv__tree_key_behind(&path, bytes, &low) ||
                (high.size != 0 && slice_compare(low, high) >= 0))
                return OK;
        } else if (from >= to) {
            return OK;
        } else if (from == 0 && to == count) {
            status = kv__tree_drop_leaf(kv, &path, error);
            *removed += status == OK ? count : 0;
        } else {
            status = delete_one(kv, &path, error);
            *removed += status == OK;
        }
    }
    return status;
}
