/* Changing the tree: copy on write, and put, with splitting. Deletion is in kv_delete.c.
 *
 * Every change has two phases. *Before*: descend, look at (and so verify) every page the change
 * will read, and reserve the most pages it can take; any error here leaves the tree untouched.
 * *During*: copy the pages from root to leaf that are not of this epoch yet, then change them;
 * nothing here can fail.
 *
 * Splitting. An entry takes at most a third of a page (kv_overflow.c for leaves; a branch cell is
 * smaller), so a page and one more entry always fit into two pages: cut where the larger half is
 * smallest, and the entry that straddles the middle makes it at most (4/3 + 1/3) / 2 of a page.
 * When the last inserts all went to the end of the page, keys are probably ascending: then the old
 * page is left full and the new one begins with the new entry alone.
 *
 * Separators. The key that tells two leaves apart is the shortest that is greater than all left and
 * not greater than all right (Bayer and Unterauer, "Prefix B-Trees", 1977). */
#include "kv/kv_int.h"

#define ASCENDING_MIN 4u

status_t kv__tree_descend(struct kv *kv, struct slice key, struct kv__path *path, bool *exact,
                          struct error *error)
{
    uint32_t id = kv->root, level = KV_LEVEL_ANY;
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

/* The entries of a full page with one more among them. */
struct entries {
    const struct kv__page *page; /* a copy, in the scratch */
    uint32_t index;              /* of the new one */
    struct slice cell;
    uint32_t key_size;
    uint32_t count;
};

static struct slice entry_cell(const struct entries *entries, uint32_t i, uint32_t *key_size)
{
    if (i == entries->index) {
        *key_size = entries->key_size;
        return entries->cell;
    }
    uint32_t from = i < entries->index ? i : i - 1;
    *key_size = kv__page_slots(entries->page)[from].key_size;
    return kv__page_cell(entries->page, from);
}

static struct slice entry_key(const struct entries *entries, uint32_t i)
{
    uint32_t key_size;
    struct slice cell = entry_cell(entries, i, &key_size);
    return slice_make(cell.data + kv__cell_key_at(entries->page->level, cell.data), key_size);
}

/* How many entries stay left, so that the larger side is as small as possible. */
static uint32_t split_point(const struct entries *entries)
{
    size_t total = 0, left = 0;
    uint32_t key_size;
    for (uint32_t i = 0; i < entries->count; i++)
        total += entry_cell(entries, i, &key_size).size + sizeof(struct kv__slot);
    size_t best_size = total;
    uint32_t best = 1;
    for (uint32_t i = 1; i < entries->count; i++) {
        left += entry_cell(entries, i - 1, &key_size).size + sizeof(struct kv__slot);
        size_t larger = left > total - left ? left : total - left;
        if (larger >= best_size)
            break;
        best_size = larger;
        best = i;
    }
    return best;
}

struct slice kv__tree_separator(struct slice left, struct slice right)
{
    size_t shared = 0;
    while (shared < left.size && shared < right.size && left.data[shared] == right.data[shared])
        shared++;
    return slice_make(right.data, shared < right.size ? shared + 1 : right.size);
}

/* Splits the page at path->at[depth], which has no room for `cell`, and tells the cell that leads
 * to the new right page: its separator is copied into `up`. */
static struct slice split(struct kv *kv, struct kv__path *path, uint32_t depth, struct slice cell,
                          uint32_t key_size, uint8_t *up)
{
    struct kv__page *left = path->at[depth].page;
    uint32_t level = left->level, id = path->at[depth].id;
    bool ascending = left->ascending >= ASCENDING_MIN && path->at[depth].index == left->count;
    memcpy(kv->scratch, left, kv->page_size);
    struct entries entries = {.page = (const struct kv__page *)(const void *)kv->scratch,
                              .index = path->at[depth].index,
                              .cell = cell,
                              .key_size = key_size,
                              .count = left->count + 1u};
    uint32_t cut = ascending ? entries.count - 1 : split_point(&entries);
    ASSERT(cut > 0 && cut < entries.count);
    uint32_t right_id = kv__alloc_page(kv);
    struct kv__page *right = kv__page_init(kv, right_id, level);
    struct slice key = entry_key(&entries, cut);
    if (level == 0)
        key = kv__tree_separator(entry_key(&entries, cut - 1), key);
    put_u32_le(up, right_id);
    memcpy(up + 4, key.data, key.size);

    left = kv__page_init(kv, id, level);
    for (uint32_t i = 0; i < entries.count; i++) {
        uint32_t size;
        struct slice bytes = entry_cell(&entries, i, &size);
        uint8_t first[4];
        if (level != 0 && i == cut) { /* its key has moved up */
            memcpy(first, bytes.data, sizeof first);
            bytes = slice_make(first, sizeof first);
            size = 0;
        }
        kv__page_append(i < cut ? left : right, bytes, size);
    }
    kv__page_seal(left);
    kv__page_seal(right);
    if (ascending)
        right->ascending = ASCENDING_MIN;
    return slice_make(up, 4 + key.size);
}

/* A new root over the old one and the page split from it. */
static void grow_root(struct kv *kv, uint32_t level, struct slice up)
{
    uint8_t first[4];
    uint32_t id = kv__alloc_page(kv);
    struct kv__page *root = kv__page_init(kv, id, level + 1);
    put_u32_le(first, kv->root);
    kv__page_append(root, slice_make(first, sizeof first), 0);
    kv__page_append(root, up, (uint32_t)up.size - 4);
    kv__page_seal(root);
    kv->root = id;
}

/* Inserts a cell at the end of the path, splitting upwards as far as needed. */
static void insert(struct kv *kv, struct kv__path *path, struct slice cell, uint32_t key_size)
{
    uint8_t up[2][4 + KV_KEY_SIZE_MAX];
    uint32_t depth = path->depth;
    while (depth > 0) {
        depth--;
        struct kv__page *page = path->at[depth].page;
        if (kv__page_insert(kv, page, path->at[depth].index, cell, key_size))
            return;
        uint32_t level = page->level;
        cell = split(kv, path, depth, cell, key_size, up[depth & 1]);
        key_size = (uint32_t)cell.size - 4;
        if (depth == 0)
            grow_root(kv, level, cell);
        else
            path->at[depth - 1].index++;
    }
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

struct slice kv__tree_cell_make(uint8_t *cell, struct slice key, struct slice value,
                                uint32_t overflow)
{
    uint32_t at = 2;
    ASSERT(overflow != 0 || value.size < 0x8000);
    put_u16_le(cell, overflow != 0 ? 0x8000 : (uint16_t)value.size);
    if (overflow != 0) {
        put_u32_le(cell + 2, overflow);
        put_u32_le(cell + 6, (uint32_t)value.size);
        at = 10;
    }
    memcpy(cell + at, key.data, key.size);
    at += (uint32_t)key.size;
    if (overflow == 0 && value.size != 0) {
        memcpy(cell + at, value.data, value.size);
        at += (uint32_t)value.size;
    }
    ASSERT(at <= KV_CELL_SIZE_MAX);
    return slice_make(cell, at);
}

/* Puts the cell into the leaf, in place of the entry there when `exact`. */
static void put_cell(struct kv *kv, struct kv__path *path, bool exact, struct slice cell,
                     uint32_t key_size)
{
    struct kv__page *leaf = path->at[path->depth - 1].page;
    uint32_t index = path->at[path->depth - 1].index;
    if (exact) {
        struct slice old = kv__page_cell(leaf, index);
        if (old.size == cell.size) { /* the same key, so all sizes and offsets are the same */
            memcpy((uint8_t *)(uintptr_t)old.data, cell.data, cell.size);
            return;
        }
        kv__page_remove(leaf, index);
    } else {
        kv->entries++;
    }
    insert(kv, path, cell, key_size);
}

status_t kv_put(struct kv *kv, struct slice key, struct slice value, struct error *error)
{
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
    uint32_t overflow = 0, run = 0;
    if (kv__overflow_needed(kv, key.size, value.size))
        run = kv__overflow_pages(kv, (uint32_t)value.size);
    /* Each level: a copy and a split; one more for a new root. */
    status = kv__alloc_reserve(kv, 2 * path.depth + 1, run, &overflow, error);
    if (status != OK)
        return status;

    uint8_t bytes[KV_CELL_SIZE_MAX];
    kv->changes++;
    if (run != 0)
        kv__overflow_write(kv, overflow, value);
    struct slice cell = kv__tree_cell_make(bytes, key, value, overflow);
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
    put_cell(kv, &path, exact, cell, (uint32_t)key.size);
    return OK;
}
