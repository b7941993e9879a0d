/* Garbage collection: taking out the versions that nobody will read again.
 *
 * The *watermark* W is a promise: no read below it will be asked for. Of a key's versions
 *
 *     key | ~12   key | ~9   key | ~5   key | ~2
 *                    ^ W = 10
 *
 * every one above W stays, and of the others only the newest (9): that is what a read at W sees,
 * and all reads are at W or above. The ones behind it (5, 2) go; and if 9 is a tombstone it goes
 * too, after them, so that none of them can come to light meanwhile. A tree in which only a part
 * has gone answers every read at W or above as before, so the work may stop after any removal, and
 * may be published, made durable, or lost with a crash, there.
 *
 * Who reads through a kv snapshot taken earlier is not touched at all: the snapshot keeps its
 * pages.
 *
 * Where garbage is, a collector knows from being told of each write that makes some
 * (mvcc_collector_note): the version a write replaces becomes garbage once W has reached the write,
 * a tombstone itself too. A write that finds no version of its key makes none. One entry a key, in
 * a queue:
 *
 *     note(key, v)          not waiting: to the end, ready at v.  waiting: only `newest` = v
 *     collect, ready <= W   the key is cleaned at W; if newest > W it goes to the end, ready then
 *
 * so a key written a million times is one entry. The queue's memory is bounded; notes beyond that
 * are dropped and the collector says so (mvcc_collector_lost): then, and after a restart, the keys
 * that have garbage are found by walking the tree (mvcc_garbage_find), which needs only a snapshot
 * and so any thread. */

#include <string.h>

#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "mvcc/mvcc_int.h"

enum {
    BYTES_MAX_DEFAULT = 32 << 20,
    REMOVE_AT_ONCE = 32,
    MAP_COST = 64, /* of a key in the map, about */
};

struct waiting {
    struct waiting *next;
    uint64_t ready;  /* watermark from which on cleaning pays */
    uint64_t newest; /* version noted */
    size_t key_size;
    uint8_t key[];
};

struct mvcc_collector {
    struct map keys; /* key -> its struct waiting */
    struct waiting *first;
    struct waiting **tail;
    uint64_t bytes, bytes_max;
    uint64_t noted;
    bool lost;
};

static struct slice watermark_key(void)
{
    static const uint8_t key[] = {MVCC_WATERMARK_PREFIX, 'w', 'a', 't', 'e', 'r'};
    return slice_make(key, sizeof key);
}

static status_t watermark_decode(struct slice stored, uint64_t *version, struct error *error)
{
    if (stored.size != sizeof *version)
        return error_set(error, ERR_CORRUPT, "stored watermark of %zu bytes", stored.size);
    *version = get_u64_be(stored.data);
    return OK;
}

status_t mvcc_watermark(struct kv_snapshot *snapshot, uint64_t *version, struct error *error)
{
    struct slice stored;
    *version = 0;
    status_t status = kv_get(snapshot, watermark_key(), &stored, error);
    if (status == ERR_NOT_FOUND)
        return OK;
    return status == OK ? watermark_decode(stored, version, error) : status;
}

status_t mvcc_view_open(struct mvcc_view *view, struct kv_snapshot *snapshot, uint64_t version,
                        const struct mvcc_overlay *overlay, struct error *error)
{
    uint64_t watermark;
    status_t status = mvcc_watermark(snapshot, &watermark, error);
    if (status != OK)
        return status;
    if (version < watermark)
        return error_set(error, ERR_TOO_OLD, "versions that old are not kept any more");
    *view = (struct mvcc_view){.snapshot = snapshot, .version = version, .overlay = overlay};
    return OK;
}

/* ---- the queue ------------------------------------------------------------------------------ */

struct mvcc_collector *mvcc_collector_create(uint64_t bytes_max)
{
    struct mvcc_collector *c = mem_zalloc(1, sizeof *c);
    c->tail = &c->first;
    c->bytes_max = bytes_max ? bytes_max : BYTES_MAX_DEFAULT;
    c->lost = true;
    return c;
}

void mvcc_collector_destroy(struct mvcc_collector *c)
{
    if (!c)
        return;
    while (c->first) {
        struct waiting *first = c->first;
        c->first = first->next;
        mem_free(first);
    }
    map_free(&c->keys);
    mem_free(c);
}

static uint64_t cost(size_t key_size)
{
    return sizeof(struct waiting) + MAP_COST + 2 * key_size;
}

static void enqueue(struct mvcc_collector *c, struct waiting *waiting)
{
    waiting->next = NULL;
    *c->tail = waiting;
    c->tail = &waiting->next;
}

static struct waiting *dequeue(struct mvcc_collector *c)
{
    struct waiting *first = c->first;
    ASSERT(first);
    c->first = first->next;
    if (!c->first)
        c->tail = &c->first;
    return first;
}

void mvcc_collector_note(struct mvcc_collector *c, struct slice key, uint64_t version)
{
    ASSERT(key.size > 0 && key.size <= MVCC_KEY_MAX);
    c->noted++;
    struct waiting *waiting = map_get(&c->keys, key);
    if (waiting) {
        if (version > waiting->newest)
            waiting->newest = version;
        return;
    }
    if (c->bytes + cost(key.size) > c->bytes_max) {
        c->lost = true;
        return;
    }
    waiting = mem_alloc(sizeof *waiting + key.size);
    *waiting = (struct waiting){.ready = version, .newest = version, .key_size = key.size};
    memcpy(waiting->key, key.data, key.size);
    map_put(&c->keys, key, waiting);
    c->bytes += cost(key.size);
    enqueue(c, waiting);
}

bool mvcc_collector_lost(struct mvcc_collector *c)
{
    bool lost = c->lost;
    c->lost = false;
    return lost;
}

uint64_t mvcc_collector_noted(const struct mvcc_collector *c)
{
    return c->noted;
}

uint32_t mvcc_collector_waiting(const struct mvcc_collector *c)
{
    return c->keys.count;
}

/* ---- cleaning -------------------------------------------------------------------------------- */

/* What of one key goes next: versions, from the newest on. */
struct doomed {
    uint64_t versions[REMOVE_AT_ONCE];
    uint32_t count;
    bool last; /* nothing is left after them */
};

/* Does the cursor stand at a version of `key`? */
static bool at_key(struct kv_cursor *cursor, struct slice key, uint64_t *version)
{
    if (!kv_cursor_valid(cursor))
        return false;
    struct slice stored = kv_cursor_key(cursor);
    if (stored.size != key.size + MVCC_VERSION_SIZE || !slice_has_prefix(stored, key))
        return false;
    *version = ~get_u64_be(stored.data + key.size);
    return true;
}

static status_t doomed_find(struct kv *kv, struct slice key, uint64_t watermark, uint32_t limit,
                            struct doomed *out, struct error *error)
{
    struct mvcc_stored_key wanted;
    struct kv_cursor cursor;
    struct slice raw, value;
    uint64_t newest, version;
    bool tombstone;
    *out = (struct doomed){.last = true};
    ASSERT(limit > 0 && limit <= REMOVE_AT_ONCE);
    mvcc__stored_key(&wanted, key, watermark);
    kv_cursor_init_latest(&cursor, kv);
    status_t status = kv_cursor_seek(&cursor, slice_make(wanted.bytes, wanted.size), error);
    if (status != OK || !at_key(&cursor, key, &newest))
        return status;
    ASSERT(newest <= watermark);
    status = kv_cursor_value(&cursor, &raw, error);
    if (status == OK)
        status = mvcc__unwrap(raw, &tombstone, &value, error);
    if (status == OK)
        status = kv_cursor_next(&cursor, error);
    while (status == OK && at_key(&cursor, key, &version)) {
        ASSERT(version < newest);
        if (out->count == limit) {
            out->last = false;
            return OK;
        }
        out->versions[out->count++] = version;
        status = kv_cursor_next(&cursor, error);
    }
    if (status == OK && tombstone && out->count < limit)
        out->versions[out->count++] = newest; /* when all it hides has gone */
    else if (tombstone)
        out->last = false;
    return status;
}

status_t mvcc__watermark_put(struct kv *kv, uint64_t watermark, struct error *error)
{
    uint8_t bytes[8];
    put_u64_be(bytes, watermark);
    return kv_put(kv, watermark_key(), slice_make(bytes, sizeof bytes), error);
}

/* Before anything goes: reads below the watermark are errors from the same publish on. */
static status_t watermark_store(struct kv *kv, uint64_t watermark, struct error *error)
{
    struct slice stored;
    uint64_t before = 0;
    status_t status = kv_get_latest(kv, watermark_key(), &stored, error);
    if (status == OK)
        status = watermark_decode(stored, &before, error);
    else if (status == ERR_NOT_FOUND)
        status = OK;
    if (status != OK || before >= watermark)
        return status;
    return mvcc__watermark_put(kv, watermark, error);
}

static status_t doomed_remove(struct kv *kv, struct slice key, const struct doomed *doomed,
                              uint32_t *removed, struct error *error)
{
    for (uint32_t i = 0; i < doomed->count; i++) {
        struct mvcc_stored_key stored;
        bool found;
        mvcc__stored_key(&stored, key, doomed->versions[i]);
        status_t status = kv_delete(kv, slice_make(stored.bytes, stored.size), &found, error);
        if (status != OK)
            return status;
        ASSERT(found);
        ++*removed;
    }
    return OK;
}

status_t mvcc_collect(struct mvcc_collector *c, struct kv *kv, uint64_t watermark, uint32_t limit,
                      uint32_t *removed, struct error *error)
{
    bool stored = false;
    *removed = 0;
    while (limit > 0 && c->first && c->first->ready <= watermark) {
        struct waiting *first = c->first;
        struct slice key = slice_make(first->key, first->key_size);
        struct doomed doomed;
        uint32_t at_once = limit < REMOVE_AT_ONCE ? limit : REMOVE_AT_ONCE;
        status_t status = doomed_find(kv, key, watermark, at_once, &doomed, error);
        if (status == OK && doomed.count > 0 && !stored) {
            status = watermark_store(kv, watermark, error);
            stored = true;
        }
        if (status == OK)
            status = doomed_remove(kv, key, &doomed, removed, error);
        if (status != OK)
            return status;
        limit -= doomed.count > 0 ? doomed.count : 1;
        if (!doomed.last)
            continue;
        (void)dequeue(c);
        if (first->newest > watermark) {
            first->ready = first->newest;
            enqueue(c, first);
        } else {
            map_remove(&c->keys, key);
            c->bytes -= cost(first->key_size);
            mem_free(first);
        }
    }
    return OK;
}

/* ---- finding --------------------------------------------------------------------------------- */

/* The cursor stands at the newest version of `key`, which is `version`. Leaves it at the next key.
 */
static status_t key_look(struct kv_cursor *cursor, struct slice key, uint64_t version,
                         uint64_t watermark, bool *garbage, struct error *error)
{
    struct mvcc_stored_key wanted;
    struct slice raw, value;
    status_t status = OK;
    *garbage = false;
    if (version > watermark) {
        mvcc__stored_key(&wanted, key, watermark);
        status = kv_cursor_seek(cursor, slice_make(wanted.bytes, wanted.size), error);
    }
    if (status != OK || !at_key(cursor, key, &version))
        return status;
    status = kv_cursor_value(cursor, &raw, error);
    if (status == OK)
        status = mvcc__unwrap(raw, garbage, &value, error);
    if (status == OK)
        status = kv_cursor_next(cursor, error);
    if (status != OK || !at_key(cursor, key, &version))
        return status;
    *garbage = true;
    mvcc__stored_key(&wanted, key, 0);
    status = kv_cursor_seek(cursor, slice_make(wanted.bytes, wanted.size), error);
    if (status == OK && at_key(cursor, key, &version))
        status = kv_cursor_next(cursor, error);
    return status;
}

status_t mvcc_garbage_find(struct kv_snapshot *snapshot, struct slice start, uint64_t watermark,
                           uint32_t limit, mvcc_garbage_fn *found, void *context,
                           struct buffer *next, struct error *error)
{
    static const uint8_t lowest = MVCC_KEY_FIRST_MIN;
    struct kv_cursor cursor;
    uint8_t bytes[MVCC_KEY_MAX];
    kv_cursor_init(&cursor, snapshot);
    status_t status =
        kv_cursor_seek(&cursor, start.size > 0 ? start : slice_make(&lowest, 1), error);
    buffer_reset(next);
    for (uint32_t keys = 0; status == OK && kv_cursor_valid(&cursor); keys++) {
        if (keys == limit) {
            buffer_append_slice(next, kv_cursor_key(&cursor));
            return OK;
        }
        struct slice key;
        uint64_t version;
        bool garbage = false;
        status = mvcc__split(kv_cursor_key(&cursor), &key, &version, error);
        if (status == OK && key.size > MVCC_KEY_MAX)
            return error_set(error, ERR_CORRUPT, "stored key of %zu bytes", key.size);
        if (status != OK)
            return status;
        memcpy(bytes, key.data, key.size);
        key = slice_make(bytes, key.size);
        status = key_look(&cursor, key, version, watermark, &garbage, error);
        if (status == OK && garbage)
            found(context, key);
    }
    return status;
}
