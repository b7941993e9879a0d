#include "mvcc/mvcc.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "mvcc/mvcc_int.h"

void mvcc__stored_key(struct mvcc_stored_key *out, struct slice key, uint64_t version)
{
    ASSERT(key.size <= MVCC_KEY_MAX);
    if (key.size)
        memcpy(out->bytes, key.data, key.size);
    put_u64_be(out->bytes + key.size, ~version);
    out->size = key.size + MVCC_VERSION_SIZE;
}

status_t mvcc__split(struct slice stored, struct slice *key, uint64_t *version, struct error *error)
{
    if (stored.size <= MVCC_VERSION_SIZE)
        return error_set(error, ERR_CORRUPT, "stored key of %zu bytes has no version", stored.size);
    *key = slice_make(stored.data, stored.size - MVCC_VERSION_SIZE);
    *version = ~get_u64_be(stored.data + key->size);
    return OK;
}

status_t mvcc__unwrap(struct slice stored, bool *tombstone, struct slice *value,
                      struct error *error)
{
    if (stored.size == 0 || stored.data[0] > MVCC_FLAG_TOMBSTONE)
        return error_set(error, ERR_CORRUPT, "stored value has no valid flag byte");
    *tombstone = stored.data[0] == MVCC_FLAG_TOMBSTONE;
    *value = slice_make(stored.data + 1, stored.size - 1);
    return OK;
}

static status_t key_check(struct slice key)
{
    if (key.size == 0 || key.data[0] < MVCC_KEY_FIRST_MIN)
        return ERR_INVALID;
    return key.size > MVCC_KEY_MAX ? ERR_TOO_LONG : OK;
}

status_t mvcc__key_check(struct slice key, struct error *error)
{
    status_t status = key_check(key);
    if (status != OK)
        error_set(error, status, "key of %zu bytes cannot be stored", key.size);
    return status;
}

/* Most values are rows of some hundred bytes: those are put together on the stack. */
enum { VALUE_ON_STACK_MAX = 4096 };

status_t mvcc_write(struct kv *kv, struct slice key, uint64_t version, const struct slice *value,
                    bool *garbage, struct error *error)
{
    status_t status = mvcc__key_check(key, error);
    if (status != OK)
        return status;
    struct mvcc_stored_key stored;
    mvcc__stored_key(&stored, key, version);
    struct slice stored_key = slice_make(stored.bytes, stored.size);
    if (!value) {
        static const uint8_t tombstone = MVCC_FLAG_TOMBSTONE;
        if (garbage)
            *garbage = true;
        return kv_put(kv, stored_key, slice_make(&tombstone, 1), error);
    }
    uint8_t on_stack[VALUE_ON_STACK_MAX];
    uint8_t *bytes = value->size < sizeof on_stack ? on_stack : mem_alloc(value->size + 1);
    bytes[0] = MVCC_FLAG_VALUE;
    if (value->size)
        memcpy(bytes + 1, value->data, value->size);
    /* Older versions come right behind this one. */
    status =
        kv_put_look(kv, stored_key, slice_make(bytes, value->size + 1), key.size, garbage, error);
    if (bytes != on_stack)
        mem_free(bytes);
    return status;
}

void mvcc_overlay_init(struct mvcc_overlay *overlay, uint64_t bytes_max)
{
    *overlay = (struct mvcc_overlay){.bytes_max = bytes_max};
    ordered_init_in(&overlay->writes, &overlay->arena);
}

void mvcc_overlay_free(struct mvcc_overlay *overlay)
{
    arena_free(&overlay->arena);
    mvcc_overlay_init(overlay, overlay->bytes_max);
}

status_t mvcc_overlay_write(struct mvcc_overlay *overlay, struct slice key,
                            const struct slice *value)
{
    status_t status = key_check(key);
    if (status != OK)
        return status;
    size_t value_size = value ? value->size : 0;
    uint64_t cost = key.size + value_size;
    if (cost > overlay->bytes_max - overlay->bytes)
        return ERR_TOO_LONG;
    overlay->bytes += cost;
    struct ordered_node *node =
        ordered_put(&overlay->writes, key, value ? *value : (struct slice){0});
    node->tag = value ? 0 : MVCC_TOMBSTONE;
    return OK;
}

status_t mvcc__cursor_get(struct kv_cursor *cursor, struct slice key, struct slice *value,
                          struct error *error)
{
    ASSERT(key.size > 0 && key.size <= MVCC_KEY_MAX);
    if (!kv_cursor_valid(cursor))
        return ERR_NOT_FOUND;
    struct slice stored = kv_cursor_key(cursor);
    if (stored.size != key.size + MVCC_VERSION_SIZE || !slice_has_prefix(stored, key))
        return ERR_NOT_FOUND;
    struct slice raw;
    bool tombstone;
    status_t status = kv_cursor_value(cursor, &raw, error);
    if (status == OK)
        status = mvcc__unwrap(raw, &tombstone, value, error);
    if (status != OK)
        return status;
    return tombstone ? ERR_NOT_FOUND : OK;
}

static status_t stored_get(const struct mvcc_view *view, struct slice key, struct slice *value,
                           struct error *error)
{
    if (key.size == 0 || key.size > MVCC_KEY_MAX)
        return ERR_NOT_FOUND;
    struct mvcc_stored_key wanted;
    mvcc__stored_key(&wanted, key, view->version);
    struct kv_cursor cursor;
    kv_cursor_init(&cursor, view->snapshot);
    status_t status = kv_cursor_seek(&cursor, slice_make(wanted.bytes, wanted.size), error);
    return status == OK ? mvcc__cursor_get(&cursor, key, value, error) : status;
}

bool mvcc__own_get(const struct mvcc_view *view, struct slice key, struct slice *value, bool *own,
                   status_t *status)
{
    struct ordered_node *node = NULL;
    if (view->overlay && view->overlay->writes.count)
        node = ordered_find(&view->overlay->writes, key);
    if (own)
        *own = node != NULL;
    if (!node)
        return false;
    *value = node->value;
    *status = node->tag == MVCC_TOMBSTONE ? ERR_NOT_FOUND : OK;
    return true;
}

status_t mvcc_get(const struct mvcc_view *view, struct slice key, struct slice *value, bool *own,
                  struct error *error)
{
    status_t status;
    if (mvcc__own_get(view, key, value, own, &status))
        return status;
    return stored_get(view, key, value, error);
}
