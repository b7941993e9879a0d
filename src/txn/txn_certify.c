/* The certifier's window: recently written keys with the newest version of each, in two orders.
 *
 *     keys   ordered map: key -> its newest version (tag)       answers "was this range written
 * since" queue  ring of {version, key's node} in version order     says what to forget first
 *
 * A key written again gets a new place in the queue; its older places are stale, recognised by
 * their version not being the node's. The window holds every write above `low`; forgetting a write
 * raises `low` to its version, and a transaction that read below `low` is too old to be judged. */

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "txn/txn_int.h"

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
    uint64_t low;
    uint64_t newest;
};

struct txn_certifier *txn_certifier_create(uint32_t keys_max)
{
    ASSERT(keys_max > 0);
    struct txn_certifier *certifier = mem_zalloc(1, sizeof *certifier);
    ordered_init(&certifier->keys);
    certifier->capacity = keys_max;
    return certifier;
}

void txn_certifier_destroy(struct txn_certifier *certifier)
{
    if (!certifier)
        return;
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
    certifier->head = 0;
    certifier->count = 0;
    certifier->low = version;
    certifier->newest = version;
}

/* Nodes are freed with their newest version's place: it is the last place that points to them. */
static void forget_oldest(struct txn_certifier *certifier)
{
    struct noted *oldest = queue_at(certifier, 0);
    if (oldest->version > certifier->low)
        certifier->low = oldest->version;
    if (oldest->node->tag == oldest->version)
        ordered_remove(&certifier->keys, oldest->node);
    certifier->head = (certifier->head + 1) % certifier->capacity;
    certifier->count--;
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
    /* Room for all of them at once, if there is so much: what finds the next place among sorted
     * keys ends with a removal. */
    while (certifier->count > 0 && certifier->capacity - certifier->count < cursor.left)
        forget_oldest(certifier);
    while (txn_writes_next(&cursor, &key, &value, &tombstone)) {
        if (certifier->count == certifier->capacity) {
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
