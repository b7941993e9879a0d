/* Gets of keys that are near each other, as a transaction's often are: rows written one behind the
 * other, each after a look whether its key is free.
 *
 * A get that finds no version of its key has come to the next key there is. So no key between the
 * two is in the snapshot, nor the first one at the view's version, and as long as the next gets
 * stay there they are answered by two comparisons. Others are found from the leaf the cursor is
 * at. */
#include "base/check.h"
#include "base/mem.h"
#include "mvcc/mvcc.h"
#include "mvcc/mvcc_int.h"

struct mvcc_near {
    const struct mvcc_view *view;
    struct kv_cursor cursor;
    bool has_gap; /* no key of [low, high) is seen by the view */
    bool is_open; /* high is none */
    struct buffer low, high;
};

struct mvcc_near *mvcc_near_create(const struct mvcc_view *view)
{
    ASSERT(view && view->snapshot);
    struct mvcc_near *near = mem_alloc(sizeof *near);
    near->view = view;
    near->has_gap = false;
    buffer_init(&near->low, 0);
    buffer_init(&near->high, 0);
    kv_cursor_init(&near->cursor, view->snapshot);
    return near;
}

void mvcc_near_destroy(struct mvcc_near *near)
{
    if (!near)
        return;
    buffer_free(&near->low);
    buffer_free(&near->high);
    mem_free(near);
}

static bool in_gap(const struct mvcc_near *near, struct slice key)
{
    return near->has_gap && slice_compare(key, buffer_slice(&near->low)) >= 0 &&
           (near->is_open || slice_compare(key, buffer_slice(&near->high)) < 0);
}

/* The cursor is at the first stored key that is not before `key` at the view's version. Keys are
 * prefix-free: stored ones of a key between `key` and the one found would lie between them. */
static void gap_note(struct mvcc_near *near, struct slice key)
{
    struct slice next = {0};
    near->is_open = !kv_cursor_valid(&near->cursor);
    if (!near->is_open) {
        next = kv_cursor_key(&near->cursor);
        ASSERT(next.size > 0);
        next.size -= next.size > MVCC_VERSION_SIZE ? MVCC_VERSION_SIZE : next.size;
    }
    buffer_reset(&near->low);
    buffer_reset(&near->high);
    buffer_append_slice(&near->low, key);
    buffer_append_slice(&near->high, next);
    /* A version of `key` itself: one that deletes it, or it is no key of ours. */
    near->has_gap =
        !near->low.failed && !near->high.failed && (near->is_open || slice_compare(key, next) < 0);
}

status_t mvcc_near_get(struct mvcc_near *near, struct slice key, struct slice *value, bool *own,
                       struct error *error)
{
    status_t status;
    if (mvcc__own_get(near->view, key, value, own, &status))
        return status;
    if (key.size == 0 || key.size > MVCC_KEY_MAX || in_gap(near, key))
        return ERR_NOT_FOUND;
    struct mvcc_stored_key wanted;
    mvcc__stored_key(&wanted, key, near->view->version);
    status = kv_cursor_seek_near(&near->cursor, slice_make(wanted.bytes, wanted.size), error);
    if (status != OK)
        return status;
    status = mvcc__cursor_get(&near->cursor, key, value, error);
    if (status == ERR_NOT_FOUND)
        gap_note(near, key);
    return status;
}
