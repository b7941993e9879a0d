/* Writing in place of what was there: a write and the collection of what it makes garbage at once,
 * for an owner who keeps no older versions.
 *
 * At watermark W = v, of a key written at v every version before goes (mvcc_collect.c); so the new
 * version takes the place of the one before, and where the key is deleted, that one is taken out
 * and no tombstone is put. A reader sees either the tree before the publish, with all that it had,
 * or that behind it, with the watermark in it.
 *
 * A key that has more than one version before, or may have (those that lie on the next page are not
 * looked at), is written with its version or tombstone as ever, and noted for the collector.
 *
 * Writes are gathered, and made many at a time: sorted ones, as those of a commit are, leaf by leaf
 * (kv_replace.c). */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "mvcc/mvcc_int.h"

enum {
    CHANGES_MAX = 1024,
    BYTES_MAX = 512 << 10, /* of keys and values gathered, but for the last one's */
};

void mvcc_replace_begin(struct mvcc_replace *r, struct kv *kv, uint64_t version, uint32_t expected,
                        struct mvcc_collector *collector)
{
    ASSERT(kv_replaces(kv) && version > 0 && expected > 0);
    *r = (struct mvcc_replace){.kv = kv, .version = version, .collector = collector};
    r->capacity = expected < CHANGES_MAX ? expected : CHANGES_MAX;
}

void mvcc_replace_free(struct mvcc_replace *r)
{
    arena_free(&r->bytes);
}

/* Makes the changes gathered. */
static status_t flush(struct mvcc_replace *r, struct error *error)
{
    uint32_t done;
    status_t status = kv_replace(r->kv, r->changes, r->count, &done, error);
    for (uint32_t i = 0; i < done; i++) {
        struct kv_change *change = &r->changes[i];
        if (change->followed && r->collector)
            mvcc_collector_note(r->collector, slice_make(change->key.data, change->shared),
                                r->version);
    }
    ASSERT(status != OK || done == r->count);
    r->count = 0;
    r->changes = NULL;
    arena_reset(&r->bytes);
    return status;
}

static struct slice key_make(struct mvcc_replace *r, struct slice key)
{
    uint8_t *bytes = arena_alloc(&r->bytes, key.size + MVCC_VERSION_SIZE);
    memcpy(bytes, key.data, key.size);
    put_u64_be(bytes + key.size, ~r->version);
    return slice_make(bytes, key.size + MVCC_VERSION_SIZE);
}

static struct slice value_make(struct mvcc_replace *r, const struct slice *value)
{
    static const uint8_t tombstone = MVCC_FLAG_TOMBSTONE;
    if (!value)
        return slice_make(&tombstone, 1);
    uint8_t *bytes = arena_alloc(&r->bytes, value->size + 1);
    bytes[0] = MVCC_FLAG_VALUE;
    if (value->size)
        memcpy(bytes + 1, value->data, value->size);
    return slice_make(bytes, value->size + 1);
}

status_t mvcc_replace_add(struct mvcc_replace *r, struct slice key, const struct slice *value,
                          struct error *error)
{
    status_t status = mvcc__key_check(key, error);
    if (status != OK)
        return status;
    bool full = r->count == r->capacity || r->bytes.used > BYTES_MAX;
    /* Sorted, each key once: that is how they come, but nobody promises it. */
    if (r->count > 0 && (full || slice_compare(slice_make(r->changes[r->count - 1].key.data,
                                                          r->changes[r->count - 1].shared),
                                               key) >= 0))
        status = flush(r, error);
    if (status != OK)
        return status;
    if (!r->changes)
        r->changes = arena_alloc(&r->bytes, r->capacity * sizeof *r->changes);
    ASSERT(r->count < r->capacity);
    r->changes[r->count++] = (struct kv_change){.key = key_make(r, key),
                                                .value = value_make(r, value),
                                                .shared = (uint32_t)key.size,
                                                .remove = !value};
    return OK;
}

status_t mvcc_replace_end(struct mvcc_replace *r, struct error *error)
{
    status_t status = r->count > 0 ? flush(r, error) : OK;
    /* Whatever was replaced: a part may have been, before an error, that this time is not seen. */
    return status == OK ? mvcc__watermark_put(r->kv, r->version, error) : status;
}
