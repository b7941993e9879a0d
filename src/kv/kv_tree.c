/* Changing the tree: copy on write, and put, with splitting. Deletion is in kv_delete.c.
 *
 * Every change has two phases. *Before*: descend, look at (and so verify) every page the change
 * will read, and reserve the most pages it can take; any error here leaves the tree untouched.
 * *During*: copy the pages from root to leaf that are not of this epoch yet, then change them;
 * nothing here can fail.
 *
 * Splitting. An entry takes at most a third of a page (kv_overflow.c for leaves; a branch cell is
 * smaller), so a page and one more entry that shares its prefix always fit into two pages: cut
 * where the larger half is smallest, and the entry that straddles the middle makes it at most
 * (4/3 + 1/3) / 2 of a page. An entry that does not share the prefix comes first or last: then the
 * page as it is, and the entry alone, fit (kv_entries.c chooses the best of all cuts).
 * When the last inserts all went to the end of the page, keys are probably ascending: then the old
 * page is left full and the new one begins with the new entry alone.
 *
 * The path of a change is kept for the next one, while nothing else changes: writes of a commit
 * come in the order of their keys, many to a leaf.
 *
 * Separators. The key that tells two leaves apart is the shortest that is greater than all left and
 * not greater than all right (Bayer and Unterauer, "Prefix B-Trees", 1977). */
#include "kv/kv_int.h"

#define ASCENDING_MIN 4u

void kv__tree_keep(struct kv *kv, const struct kv__path *path)
{
    ASSERT(path->depth > 0 && path->at[0].id == kv->root);
    kv->finger_changes = kv->changes;
    kv->finger_depth = path->depth;
    for (uint32_t i = 0; i < path->depth; i++) {
        kv->finger[i].id = path->at[i].id;
        kv->finger[i].index = path->at[i].index;
    }
}

bool kv__tree_reach(struct kv *kv, struct slice key, struct kv__path *path, bool *exact)
{
    uint8_t bytes[KV_KEY_SIZE_MAX];
    struct slice behind;
    if (kv->finger_depth == 0 || kv->finger_changes != kv->changes)
        return false;
    uint32_t leaf = kv->finger_depth - 1;
    const struct kv__page *page = kv__page_at(kv, kv->finger[leaf].id);
    uint32_t index = kv__page_search(page, 0, key, exact);
    if (index == 0 && !*exact)
        return false; /* it may belong to a leaf before this one */
    path->depth = kv->finger_depth;
    for (uint32_t i = 0; i <= leaf; i++) {
        path->at[i].id = kv->finger[i].id;
        path->at[i].page = kv__page_at(kv, kv->finger[i].id);
        path->at[i].index = kv->finger[i].index;
    }
    path->at[leaf].index = index;
    ASSERT(path->at[0].id == kv->root && page->level == 0);
    /* Above all keys here: is it below all that the next leaf may have? */
    return index < page->count || !kv__tree_key_behind(path, bytes, &behind) ||
           slice_compare(key, behind) < 0;
}

status_t kv__tree_descend(struct kv *kv, struct slice key, struct kv__path *path, bool *exact,
                          struct error *error)
{
    uint32_t id = kv->root, level = KV_LEVEL_ANY;
    if (kv__tree_reach(kv, key, path, exact))
        return OK;
    path->depth = 0;
    *exact = false;
    while (id != 0) {
        const struct kv__page *page;
        status_t status = level == KV_LEVEL_ANY ? kv__page_verify(kv, id, level, error)
                                                : kv__page_get(kv, id, level, &page, error);
        if (status != OK)
            return status;
        page = kv__page_at(kv, id);
        ASSERT(path->depth < KV_DEPTH_MAX);
        uint32_t index = page->level != 0 ? kv__page_search_child(page, key)
                                          : kv__page_search(page, 0, key, exact);
        path->at[path->depth].page = (struct kv__page *)(uintptr_t)page;
        path->at[path->depth].id = id;
        path->at[path->depth++].index = index;
        if (page->level == 0)
            return OK;
        id = kv__page_child(page, index);
        level = page->level - 1u;
    }
    return OK;
}

status_t kv__tree_long_value(struct kv *kv, const struct kv__path *path, struct kv__long_value *out,
                             struct error *error)
{
    const struct kv__page *head;
    uint32_t leaf = path->depth - 1;
    struct kv__value value = kv__page_value(path->at[leaf].page, path->at[leaf].index);
    *out = (struct kv__long_value){0};
    if (value.overflow == 0)
        return OK;
    status_t status = kv__overflow_get(kv, value.overflow, value.size, &head, error);
    if (status == OK)
        *out = (struct kv__long_value){.page = value.overflow,
                                       .count = kv__overflow_pages(kv, value.size),
                                       .birth = head->birth};
    return status;
}

bool kv__tree_key_behind(const struct kv__path *path, uint8_t *bytes, struct slice *key)
{
    for (uint32_t depth = path->depth - 1; depth-- > 0;) {
        const struct kv__page *page = path->at[depth].page;
        if (path->at[depth].index + 1u >= page->count)
            continue;
        *key = kv__page_key_copy(page, path->at[depth].index + 1u, bytes);
        return true;
    }
    return false;
}

void kv__tree_copy_path(struct kv *kv, struct kv__path *path)
{
    for (uint32_t i = 0; i < path->depth; i++) {
        struct kv__page *page = path->at[i].page;
        if (page->birth == kv->epoch)
            continue;
        uint32_t id = kv__alloc_page(kv);
        struct kv__page *copy = kv__page_at(kv, id);
        /* Not the crc: the checkpoint thread may be storing it. */
        memcpy(&copy->id, &page->id, kv->page_size - offsetof(struct kv__page, id));
        copy->id = id;
        copy->birth = kv->epoch;
        kv__alloc_drop(kv, path->at[i].id, 1, page->birth);
        if (i == 0)
            kv->root = id;
        else
            kv__page_set_child(path->at[i - 1].page, path->at[i - 1].index, id);
        path->at[i].page = copy;
        path->at[i].id = id;
    }
}

/* ---- splitting ------------------------------------------------------------------------------ */

struct slice kv__tree_separator(struct slice left, struct slice right)
{
    size_t shared = 0;
    while (shared < left.size && shared < right.size && left.data[shared] == right.data[shared])
        shared++;
    return slice_make(right.data, shared < right.size ? shared + 1 : right.size);
}

/* An entry that leads to a page split off. */
struct up {
    struct kv__entry entry;
    uint8_t head[4];
    uint8_t key[KV_KEY_SIZE_MAX];
};

/* Splits the page at path->at[depth], which has no room for `entry`, and tells what leads to the
 * page that comes right of it. */
static void split(struct kv *kv, struct kv__path *path, uint32_t depth,
                  const struct kv__entry *entry, struct up *up)
{
    struct kv__page *left = path->at[depth].page;
    uint32_t level = left->level, id = path->at[depth].id;
    bool ascending = left->ascending >= ASCENDING_MIN && path->at[depth].index == left->count;
    struct kv__page *copy = (struct kv__page *)(void *)kv->scratch;
    /* Not the crc: the checkpoint thread may be storing it. */
    memcpy(&copy->id, &left->id, kv->page_size - offsetof(struct kv__page, id));
    struct kv__entries entries = {
        .left = copy, .added = entry, .index = path->at[depth].index, .count = left->count + 1u};
    uint32_t cut = ascending ? entries.count - 1 : kv__entries_cut(kv, &entries);
    uint32_t right_id = kv__alloc_page(kv);
    struct kv__page *right = kv__page_init(kv, right_id, level);
    up->entry = kv__entry_branch(up->head, kv__entries_separator(&entries, cut, up->key), right_id);
    if (!ascending) { /* else it stays as it is */
        left = kv__page_init(kv, id, level);
        kv__entries_build(&entries, 0, cut, left);
    }
    kv__entries_build(&entries, cut, entries.count, right);
    if (ascending)
        right->ascending = ASCENDING_MIN;
}

/* A new root over the old one and the page split from it. */
static void grow_root(struct kv *kv, uint32_t level, const struct kv__entry *up)
{
    uint8_t head[4];
    uint32_t id = kv__alloc_page(kv);
    struct kv__page *root = kv__page_init(kv, id, level + 1);
    struct kv__entry first = kv__entry_branch(head, slice_make(NULL, 0), kv->root);
    kv__page_append(root, &first);
    bool inserted = kv__page_insert(kv, root, 1, up);
    ASSERT(inserted);
    root->ascending = 0;
    kv->root = id;
}

/* Inserts an entry at the end of the path, splitting upwards as far as needed. False: it split, and
 * the path does not hold any more. */
static bool insert(struct kv *kv, struct kv__path *path, const struct kv__entry *entry)
{
    struct up up[2];
    uint32_t depth = path->depth;
    while (depth > 0) {
        depth--;
        struct kv__page *page = path->at[depth].page;
        if (kv__page_insert(kv, page, path->at[depth].index, entry))
            return depth + 1 == path->depth;
        uint32_t level = page->level;
        split(kv, path, depth, entry, &up[depth & 1]);
        entry = &up[depth & 1].entry;
        if (depth == 0)
            grow_root(kv, level, entry);
        else
            path->at[depth - 1].index++;
    }
    return false;
}

/* ---- put ------------------------------------------------------------------------------------ */

status_t kv__tree_entry_check(const struct kv *kv, struct slice key, struct slice value,
                              struct error *error)
{
    if (key.size == 0)
        return error_set(error, ERR_INVALID, "a key of \"%s\" cannot be empty", kv->path);
    if (key.size > KV_KEY_SIZE_MAX)
        return error_set(error, ERR_TOO_LONG, "a key cannot be longer than %u bytes",
                         KV_KEY_SIZE_MAX);
    if (value.size > KV_VALUE_SIZE_MAX)
        return error_set(error, ERR_TOO_LONG, "a value cannot be longer than %u bytes",
                         KV_VALUE_SIZE_MAX);
    return OK;
}

/* Puts the entry into the leaf, in place of the one there when `exact`. False: as `insert`. */
static bool put_entry(struct kv *kv, struct kv__path *path, bool exact,
                      const struct kv__entry *entry)
{
    struct kv__page *leaf = path->at[path->depth - 1].page;
    uint32_t index = path->at[path->depth - 1].index;
    if (exact) {
        struct kv__entry old = kv__page_entry(leaf, index);
        if (old.head.size == entry->head.size && old.value.size == entry->value.size) {
            memcpy((uint8_t *)(uintptr_t)old.head.data, entry->head.data, entry->head.size);
            if (entry->value.size != 0)
                memcpy((uint8_t *)(uintptr_t)old.value.data, entry->value.data, entry->value.size);
            return true;
        }
        kv__page_remove(leaf, index);
    } else {
        kv->entries++;
    }
    return insert(kv, path, entry);
}

/* Does what lies behind the place a key goes to, or the page behind it, begin with its first
 * `shared` bytes? The least key that the page behind may have is above this one, so unless it
 * begins with those bytes too, all there is above everything that does. */
static bool may_be_followed(const struct kv__path *path, bool exact, struct slice prefix)
{
    uint8_t bytes[KV_KEY_SIZE_MAX];
    struct slice key;
    if (path->depth == 0)
        return false;
    const struct kv__page *leaf = path->at[path->depth - 1].page;
    uint32_t next = path->at[path->depth - 1].index + exact;
    if (next < leaf->count)
        key = kv__page_key(leaf, next, bytes);
    else if (!kv__tree_key_behind(path, bytes, &key))
        return false;
    return slice_has_prefix(key, prefix);
}

status_t kv_put(struct kv *kv, struct slice key, struct slice value, struct error *error)
{
    return kv_put_look(kv, key, value, 0, NULL, error);
}

status_t kv_put_look(struct kv *kv, struct slice key, struct slice value, size_t shared,
                     bool *followed, struct error *error)
{
    ASSERT(shared <= key.size);
    if (followed)
        *followed = true;
    if (kv__is_lsm(kv))
        return kv__lsm_put(kv, key, value, error);
    struct kv__path path;
    struct kv__long_value replaced = {0};
    bool exact;
    ASSERT(kv->loading == NULL);
    status_t status = kv__writable(kv, error);
    if (status == OK)
        status = kv__tree_entry_check(kv, key, value, error);
    if (status == OK)
        status = kv__tree_descend(kv, key, &path, &exact, error);
    if (status == OK && exact)
        status = kv__tree_long_value(kv, &path, &replaced, error);
    if (status != OK)
        return status;
    if (followed)
        *followed = may_be_followed(&path, exact, slice_make(key.data, shared));
    uint32_t overflow = 0, run = 0;
    if (kv__overflow_needed(kv, key.size, value.size))
        run = kv__overflow_pages(kv, (uint32_t)value.size);
    /* Each level: a copy and a split; one more for a new root. */
    status = kv__alloc_reserve(kv, 2 * path.depth + 1, run, &overflow, error);
    if (status != OK)
        return status;

    uint8_t head[KV_ENTRY_HEAD_MAX];
    kv->changes++;
    if (run != 0)
        kv__overflow_write(kv, overflow, value);
    struct kv__entry entry = kv__entry_leaf(head, key, value, overflow);
    if (path.depth == 0) {
        kv->root = kv__alloc_page(kv);
        path.depth = 1;
        path.at[0].id = kv->root;
        path.at[0].page = kv__page_init(kv, kv->root, 0);
        path.at[0].index = 0;
    }
    kv__tree_copy_path(kv, &path);
    if (replaced.page != 0)
        kv__alloc_drop(kv, replaced.page, replaced.count, replaced.birth);
    if (put_entry(kv, &path, exact, &entry))
        kv__tree_keep(kv, &path);
    return OK;
}
