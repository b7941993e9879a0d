/* The certifier's window: recently written keys with the newest version of each, in two orders.
 *
 *     keys    ordered map: key -> its newest version (tag)    was this range written since?
 *     queue   ring of {version, key's node}, by version       says what to forget first
 *
 * A key written again gets a new place in the queue; its older places are stale, recognised by
 * their version not being the node's. The window holds every write above `low`; forgetting a write
 * raises `low` to its version, and a transaction that read below `low` is too old to be judged.
 *
 * The writes of a large transaction are kept beside that, as they came: in the order of their keys,
 * end to end, all of one version. Such a run is made by copying, asked by halving, and forgotten as
 * a whole. There are few of them, since they are large; what was read is compared with the ends of
 * those that are newer first. */

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "txn/txn_int.h"

enum {
    RUN_MIN = 256,    /* keys; fewer are put into the map */
    NODE_BYTES = 256, /* of one key in the map, about: what the bytes of a run are counted by */
};

struct run {
    struct run *older, *newer;
    uint64_t version;
    uint32_t count;
    uint32_t ends[]; /* of each key, counted from the first's beginning; then the keys */
};

struct noted {
    uint64_t version;
    struct ordered_node *node;
};

struct txn_certifier {
    struct ordered keys;
    struct noted *queue; /* ring */
    uint32_t capacity;
    uint32_t head; /* oldest */
    uint32_t count;
    struct run *oldest_run, *newest_run;
    uint32_t run_load; /* of all runs, in keys of the map; with `count` at most `capacity` */
    uint32_t run_min;
    uint64_t low;
    uint64_t newest;
};

/* ---- runs ---------------------------------------------------------------------------------------
 */

static uint32_t run_cost(const struct run *run)
{
    ASSERT(run->count > 0);
    uint64_t bytes = (uint64_t)run->count * sizeof run->ends[0] + run->ends[run->count - 1];
    return (uint32_t)(bytes / NODE_BYTES) + 1;
}

static struct slice run_key(const struct run *run, uint32_t i)
{
    const uint8_t *bytes = (const uint8_t *)&run->ends[run->count];
    uint32_t begin = i == 0 ? 0 : run->ends[i - 1];
    ASSERT(i < run->count && begin <= run->ends[i]);
    return slice_make(bytes + begin, run->ends[i] - begin);
}

/* NULL: the keys are not in order. */
static struct run *run_make(struct slice writes, uint64_t version)
{
    struct txn_write_cursor cursor;
    struct slice key, value, before = {0};
    bool tombstone;
    txn_writes_begin(writes, &cursor);
    ASSERT(writes.size <= UINT32_MAX && cursor.left > 0);
    size_t head = sizeof(struct run) + (size_t)cursor.left * sizeof(uint32_t);
    struct run *run = mem_alloc(head + writes.size);
    *run = (struct run){.version = version, .count = cursor.left};
    uint8_t *bytes = (uint8_t *)&run->ends[run->count];
    uint32_t end = 0;
    for (uint32_t i = 0; txn_writes_next(&cursor, &key, &value, &tombstone); i++) {
        if (slice_compare(before, key) >= 0) {
            mem_free(run);
            return NULL;
        }
        memcpy(bytes + end, key.data, key.size);
        before = slice_make(bytes + end, key.size);
        end += (uint32_t)key.size;
        run->ends[i] = end;
    }
    return mem_realloc(run, head + end);
}

static void run_append(struct txn_certifier *certifier, struct run *run)
{
    run->older = certifier->newest_run;
    if (run->older)
        run->older->newer = run;
    else
        certifier->oldest_run = run;
    certifier->newest_run = run;
    certifier->run_load += run_cost(run);
}

static void run_drop(struct txn_certifier *certifier, struct run *run)
{
    ASSERT(certifier->run_load >= run_cost(run));
    certifier->run_load -= run_cost(run);
    *(run->older ? &run->older->newer : &certifier->oldest_run) = run->newer;
    *(run->newer ? &run->newer->older : &certifier->newest_run) = run->older;
    mem_free(run);
}

/* The first of its keys in the range. */
static bool run_meets(const struct run *run, const struct txn_range *range, struct slice *key)
{
    uint32_t low = 0, high = run->count;
    bool bounded = range->point || range->high.size > 0;
    if (bounded && slice_compare(run_key(run, 0), range->point ? range->low : range->high) > 0)
        return false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_compare(run_key(run, middle), range->low) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == run->count)
        return false;
    *key = run_key(run, low);
    if (range->point)
        return slice_equal(*key, range->low);
    return range->high.size == 0 || slice_compare(*key, range->high) < 0;
}

/* ---- the window ---------------------------------------------------------------------------------
 */

struct txn_certifier *txn_certifier_create(uint32_t keys_max)
{
    ASSERT(keys_max > 0);
    struct txn_certifier *certifier = mem_zalloc(1, sizeof *certifier);
    ordered_init(&certifier->keys);
    certifier->capacity = keys_max;
    certifier->run_min = RUN_MIN;
    return certifier;
}

void txn__certifier_set_run_min(struct txn_certifier *certifier, uint32_t keys)
{
    ASSERT(keys > 0);
    certifier->run_min = keys;
}

void txn_certifier_destroy(struct txn_certifier *certifier)
{
    if (!certifier)
        return;
    while (certifier->oldest_run)
        run_drop(certifier, certifier->oldest_run);
    ordered_free(&certifier->keys);
    mem_free(certifier->queue);
    mem_free(certifier);
}

static struct noted *queue_at(struct txn_certifier *certifier, uint32_t i)
{
    ASSERT(i < certifier->count);
    return &certifier->queue[(certifier->head + i) % certifier->capacity];
}

void txn_certifier_start(struct txn_certifier *certifier, uint64_t version)
{
    ordered_free(&certifier->keys);
    while (certifier->oldest_run)
        run_drop(certifier, certifier->oldest_run);
    certifier->head = 0;
    certifier->count = 0;
    certifier->low = version;
    certifier->newest = version;
}

/* Nodes are freed with their newest version's place: it is the last place that points to them. */
static void forget_oldest(struct txn_certifier *certifier)
{
    struct run *run = certifier->oldest_run;
    if (run && (certifier->count == 0 || run->version < queue_at(certifier, 0)->version)) {
        if (run->version > certifier->low)
            certifier->low = run->version;
        run_drop(certifier, run);
        return;
    }
    struct noted *oldest = queue_at(certifier, 0);
    if (oldest->version > certifier->low)
        certifier->low = oldest->version;
    if (oldest->node->tag == oldest->version)
        ordered_remove(&certifier->keys, oldest->node);
    certifier->head = (certifier->head + 1) % certifier->capacity;
    certifier->count--;
}

/* Forgets until there is room for so many keys of the map, or nothing is left. */
static void make_room(struct txn_certifier *certifier, uint32_t keys)
{
    while (certifier->count + certifier->run_load > 0 &&
           certifier->capacity - certifier->count - certifier->run_load < keys)
        forget_oldest(certifier);
}

/* False: it is for the map. */
static bool note_run(struct txn_certifier *certifier, struct slice writes, uint64_t version)
{
    struct run *run = run_make(writes, version);
    if (!run)
        return false;
    make_room(certifier, run_cost(run));
    if (run_cost(run) <= certifier->capacity) {
        run_append(certifier, run);
    } else {
        certifier->low = version;
        mem_free(run);
    }
    return true;
}

static void note_key(struct txn_certifier *certifier, struct ordered_finger *finger,
                     struct slice key, uint64_t version)
{
    struct ordered_node *node = ordered_add_next(&certifier->keys, finger, key);
    ASSERT(certifier->count < certifier->capacity && node->tag <= version);
    if (node->tag == version)
        return; /* twice in one transaction */
    node->tag = version;
    certifier->count++;
    *queue_at(certifier, certifier->count - 1) = (struct noted){.version = version, .node = node};
}

void txn_certifier_note(struct txn_certifier *certifier, struct slice writes, uint64_t version)
{
    if (version <= certifier->newest)
        return; /* below the window, or noted when it was proposed */
    struct txn_write_cursor cursor;
    struct slice key, value;
    bool tombstone;
    struct ordered_finger finger = {0};
    if (!certifier->queue)
        certifier->queue = mem_alloc(certifier->capacity * sizeof *certifier->queue);
    certifier->newest = version;
    txn_writes_begin(writes, &cursor);
    if (cursor.left >= certifier->run_min && note_run(certifier, writes, version))
        return;
    /* Room for all of them at once, if there is so much: what finds the next place among sorted
     * keys ends with a removal. */
    make_room(certifier, cursor.left);
    while (txn_writes_next(&cursor, &key, &value, &tombstone)) {
        if (certifier->count + certifier->run_load == certifier->capacity) {
            forget_oldest(certifier);
            finger = (struct ordered_finger){0};
        }
        note_key(certifier, &finger, key, version);
    }
}

void txn_certifier_rewind(struct txn_certifier *certifier, uint64_t version)
{
    if (certifier->newest <= version)
        return;
    if (certifier->low > version) {
        /* Even what was forgotten is undone, so nothing above `version` is known any more; and
         * nobody may be refused for reading below a version that never came to be. */
        txn_certifier_start(certifier, version);
        return;
    }
    while (certifier->newest_run && certifier->newest_run->version > version)
        run_drop(certifier, certifier->newest_run);
    /* Places of a key that was written before and again above `version`: the node's newest version
     * goes back to the one before. Walk from the newest side; the older places are still there,
     * unless forgotten, and then `low` covers them. */
    uint32_t keep = certifier->count;
    while (keep > 0 && queue_at(certifier, keep - 1)->version > version) {
        queue_at(certifier, keep - 1)->node->tag = 0;
        keep--;
    }
    for (uint32_t i = 0; i < keep; i++) {
        struct noted *noted = queue_at(certifier, i);
        if (noted->version > noted->node->tag)
            noted->node->tag = noted->version;
    }
    /* Several dropped places may point to one node: the first of them frees it. */
    for (uint32_t i = keep; i < certifier->count; i++) {
        struct noted *noted = queue_at(certifier, i);
        bool frees = noted->node->tag == 0;
        if (frees)
            noted->node->tag = UINT64_MAX;
        else
            noted->node = NULL;
    }
    while (certifier->count > keep) {
        struct ordered_node *node = queue_at(certifier, certifier->count - 1)->node;
        certifier->count--;
        if (node)
            ordered_remove(&certifier->keys, node);
    }
    certifier->newest = version;
}

static bool range_written(struct txn_certifier *certifier, const struct txn_range *range,
                          uint64_t since, struct slice *key)
{
    for (const struct run *run = certifier->newest_run; run && run->version > since;
         run = run->older)
        if (run_meets(run, range, key))
            return true;
    if (range->point) {
        struct ordered_node *node = ordered_find(&certifier->keys, range->low);
        if (!node || node->tag <= since)
            return false;
        *key = node->key;
        return true;
    }
    for (struct ordered_node *node = ordered_seek(&certifier->keys, range->low); node;
         node = ordered_next(node)) {
        if (range->high.size && slice_compare(node->key, range->high) >= 0)
            return false;
        if (node->tag > since) {
            *key = node->key;
            return true;
        }
    }
    return false;
}

status_t txn_certify(struct txn_certifier *certifier, const struct txn_request *request,
                     struct slice *key)
{
    struct slice unused;
    if (!key)
        key = &unused;
    *key = (struct slice){0};
    if (request->read_version < certifier->low)
        return ERR_TOO_OLD;
    if (request->read_version >= certifier->newest)
        return OK;
    struct txn__range_cursor cursor;
    struct txn_range range;
    txn__ranges_begin(request->ranges, &cursor);
    while (txn__ranges_next(&cursor, &range)) {
        if (range_written(certifier, &range, request->read_version, key))
            return ERR_CONFLICT;
    }
    return OK;
}
