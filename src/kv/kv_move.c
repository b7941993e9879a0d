/* Moving pages to the front of the file, so that its end can be cut off.
 *
 * A walk over the tree, some leaves at a time and in the order of their keys, copies what lies
 * behind a target to free pages before it, with the writer's copy on write: nothing but the place
 * of pages changes, readers go on with the old ones, and those become free as any page that was
 * given up does: when no snapshot and no checkpoint reaches them. Then kv__space_cut shortens the
 * file. Between steps only a key is remembered.
 *
 * A page moves only when there is room for it and for the branches above it before the target, so
 * each move leaves less behind the target, and the walk comes to an end however the writer changes
 * the tree meanwhile (which takes the first free pages, too). */
#include "kv/kv_int.h"

#define LOOK_MAX 64u /* leaves looked at for each page that may be moved */

/* How many levels of the path must be copied, so that the lowest page of it that is too far back
 * is; 0: none is. A page of this epoch is moved another time. */
static uint32_t levels_to_move(const struct kv *kv, const struct kv__path *path, uint32_t target)
{
    uint32_t levels = 0;
    for (uint32_t i = 0; i < path->depth; i++)
        if (path->at[i].id >= target && path->at[i].page->birth != kv->epoch)
            levels = i + 1;
    return levels;
}

/* Moves the long value of entry `index` of the leaf at the end of the path, when it lies behind the
 * target and there is room. *moved: in pages, with those of the path. */
static status_t move_value(struct kv *kv, struct kv__path *path, uint32_t index, uint32_t target,
                           uint32_t *moved, struct error *error)
{
    const struct kv__page *head;
    uint32_t leaf = path->depth - 1, to;
    struct kv__value value = kv__page_value(path->at[leaf].page, index);
    if (value.overflow < target) /* or in the leaf: 0 */
        return OK;
    status_t status = kv__overflow_get(kv, value.overflow, value.size, &head, error);
    if (status != OK || head->birth == kv->epoch)
        return status;
    uint32_t count = kv__overflow_pages(kv, value.size);
    if (!kv__space_has_run_below(kv, count, target))
        return OK;
    status = kv__alloc_reserve(kv, path->depth, count, &to, error);
    if (status != OK)
        return status;
    kv->changes++;
    kv__tree_copy_path(kv, path);
    struct kv__page *copy = kv__page_at(kv, to);
    memcpy(&copy->id, &head->id, (uint64_t)count * kv->page_size - offsetof(struct kv__page, id));
    copy->id = to;
    uint64_t birth = head->birth;
    copy->birth = kv->epoch;
    struct kv__entry entry = kv__page_entry(path->at[leaf].page, index);
    ASSERT(entry.head.size == KV_ENTRY_HEAD_MAX);
    put_u32_le((uint8_t *)(uintptr_t)entry.head.data + 2, to);
    kv__alloc_drop(kv, value.overflow, count, birth);
    *moved += count;
    return OK;
}

/* Moves what of a path lies behind the target. */
static status_t move_path(struct kv *kv, struct kv__path *path, uint32_t target, uint32_t *moved,
                          struct error *error)
{
    uint32_t depth = path->depth, levels = levels_to_move(kv, path, target);
    bool room = true;
    status_t status = OK;
    if (levels > 0)
        status = kv__space_get_below(kv, levels, target, &room, error);
    if (status != OK || !room)
        return status;
    if (levels > 0) {
        kv->changes++;
        path->depth = levels;
        kv__tree_copy_path(kv, path);
        path->depth = depth;
        *moved += levels;
    }
    uint32_t count = path->at[depth - 1].page->count;
    for (uint32_t i = 0; status == OK && i < count; i++)
        status = move_value(kv, path, i, target, moved, error);
    return status;
}

status_t kv__move_step(struct kv *kv, uint32_t target, uint32_t limit, uint32_t *moved,
                       struct error *error)
{
    status_t status = OK;
    *moved = 0;
    ASSERT(kv->loading == NULL && limit > 0);
    for (uint32_t looked = 0; *moved < limit && looked < LOOK_MAX * limit; looked++) {
        struct kv__path path;
        struct slice key = slice_make(kv->move_key, kv->move_key_size);
        bool exact;
        status = kv__tree_descend(kv, key, &path, &exact, error);
        if (status != OK)
            return status;
        uint32_t before = *moved;
        if (path.depth > 0)
            status = move_path(kv, &path, target, moved, error);
        kv->move_any = kv->move_any || *moved > before;
        if (status != OK)
            return status;
        if (path.depth > 0 && kv__tree_key_behind(&path, kv->move_key, &key)) {
            kv->move_key_size = (uint32_t)key.size;
            continue;
        }
        /* The round is over. Another one, until there was nothing to move. */
        kv->move_done = !kv->move_any;
        kv->move_any = false;
        kv->move_key_size = 0;
        return OK;
    }
    return OK;
}
