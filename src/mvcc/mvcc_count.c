/* How many keys a view has in a range.
 *
 * The walk goes over nodes of the tree instead of entries. For a view that is not older than any
 * version in a subtree, the number of keys that live there follows from the subtree alone: it is
 * noted with the newest version (kv_node_set_note), and as long as the node stays what it is, whole
 * subtrees are taken by their notes.
 *
 * Versions of one key may go on in the next node. A note counts as if nothing lay before its node;
 * so where the first key of a subtree is the one that was decided last, and is counted in its note,
 * it is taken off again:
 *
 *     ... key|~9 ]  [ key|~5  key|~2  other|~3 ...     `key` is decided left of the border
 *
 * Only the first entry of a subtree can be of that key and counted: behind it the note has the key
 * as decided, too.
 *
 * Notes are made for branches, and for leaves where the branch above has a bound of the range in
 * it. A changed leaf makes a new way up to the root, and then the leaves below the lowest branch of
 * it are looked at: some ten thousand entries. */
#include <string.h>

#include "base/check.h"
#include "mvcc/mvcc.h"
#include "mvcc/mvcc_int.h"

enum { STEP_PAGES = 4096, ENTRIES = 64 };

/* Which part of a node is meant: all entries from `low` on (size 0: from the first) to before
 * `high` (size 0: to the last). Both are compared with stored keys. */
struct part {
    struct slice low, high;
};

static bool is_whole(const struct part *part)
{
    return part->low.size == 0 && part->high.size == 0;
}

static void decide(struct mvcc_count *count, struct slice key)
{
    ASSERT(key.size <= sizeof count->decided);
    memcpy(count->decided, key.data, key.size);
    count->decided_size = (uint32_t)key.size;
}

static bool is_decided(const struct mvcc_count *count, struct slice key)
{
    return key.size == count->decided_size && memcmp(key.data, count->decided, key.size) == 0;
}

static status_t live_find(const struct kv_node *leaf, uint32_t index, struct slice value,
                          bool *live, struct error *error)
{
    bool tombstone = true;
    status_t status = value.data ? OK : kv_node_value(leaf, index, &value, error);
    if (status == OK)
        status = mvcc__unwrap(value, &tombstone, &value, error);
    *live = !tombstone;
    return status;
}

/* ---- leaves -------------------------------------------------------------------------------------
 */

struct leaf {
    const struct kv_node *node;
    uint32_t shared;      /* bytes that all keys of it begin with */
    struct slice decided; /* the rest of the entry decided last, when it is of this leaf */
    uint32_t decided_at;  /* which it is */
    uint8_t bytes[KV_KEY_SIZE_MAX];
};

/* Of one key with the entry decided last in this leaf? Both end with a version. */
static inline bool same_key(const struct leaf *leaf, struct slice rest)
{
    const struct slice decided = leaf->decided;
    if (!decided.data || rest.size != decided.size)
        return false;
    /* What all keys share may reach into the version; then all of one size are of one key. */
    return rest.size <= MVCC_VERSION_SIZE ||
           memcmp(rest.data, decided.data, rest.size - MVCC_VERSION_SIZE) == 0;
}

/* Key and version of an entry, the slow way. */
static status_t entry_split(struct leaf *leaf, uint32_t index, struct slice *key, uint64_t *version,
                            struct error *error)
{
    status_t status = mvcc__split(kv_node_key(leaf->node, index, leaf->bytes), key, version, error);
    if (status == OK && key->size > MVCC_KEY_MAX)
        return error_set(error, ERR_CORRUPT, "stored key of %zu bytes", key->size);
    return status;
}

/* The first entry of a leaf, whose key may have been decided in the leaf before. *again: it was,
 * and would have been counted else. */
static status_t first_take(struct mvcc_count *count, struct leaf *leaf, uint32_t index,
                           const struct kv_node_entry *entry, bool *again, struct error *error)
{
    struct slice key;
    uint64_t version;
    bool live;
    status_t status = entry_split(leaf, index, &key, &version, error);
    if (status != OK)
        return status;
    if (version > count->newest)
        count->newest = version;
    bool before = is_decided(count, key);
    if (!before && version > count->view->version)
        return OK;
    status = live_find(leaf->node, index, entry->value, &live, error);
    *again = before && live;
    count->keys += !before && live;
    leaf->decided = entry->rest;
    leaf->decided_at = index;
    return status;
}

static status_t entry_take(struct mvcc_count *count, struct leaf *leaf, uint32_t index,
                           const struct kv_node_entry *entry, struct error *error)
{
    uint64_t version;
    struct slice key;
    if (entry->rest.size >= MVCC_VERSION_SIZE &&
        leaf->shared + entry->rest.size > MVCC_VERSION_SIZE)
        version = ~get_u64_be(entry->rest.data + entry->rest.size - MVCC_VERSION_SIZE);
    else if (entry_split(leaf, index, &key, &version, error) != OK)
        return ERR_CORRUPT;
    if (version > count->newest)
        count->newest = version;
    if (version > count->view->version || same_key(leaf, entry->rest))
        return OK;
    bool live = true;
    if (!entry->value.data || entry->value.size == 0 || *entry->value.data != MVCC_FLAG_VALUE) {
        status_t status = live_find(leaf->node, index, entry->value, &live, error);
        if (status != OK)
            return status;
    }
    count->keys += live;
    leaf->decided = entry->rest;
    leaf->decided_at = index;
    return OK;
}

static status_t leaf_take(struct mvcc_count *count, const struct kv_node *node,
                          const struct part *part, bool *again, struct error *error)
{
    struct leaf leaf = {.node = node, .shared = kv_node_shared(node)};
    uint32_t from = part->low.size ? kv_node_search(node, part->low) : 0;
    uint32_t to = part->high.size ? kv_node_search(node, part->high) : node->count;
    struct kv_node_entry entries[ENTRIES];
    status_t status = OK;
    for (uint32_t at = from; at < to && status == OK; at += ENTRIES) {
        uint32_t some = to - at < ENTRIES ? to - at : ENTRIES;
        kv_node_entries(node, at, some, entries);
        for (uint32_t i = 0; i < some && status == OK; i++) {
            /* Until a key of this leaf is decided, the one before it may be meant. */
            status = leaf.decided.data
                         ? entry_take(count, &leaf, at + i, &entries[i], error)
                         : first_take(count, &leaf, at + i, &entries[i], again, error);
        }
    }
    if (status != OK || !leaf.decided.data)
        return status;
    struct slice key;
    uint64_t version;
    status = entry_split(&leaf, leaf.decided_at, &key, &version, error);
    if (status == OK)
        decide(count, key);
    return status;
}

/* ---- branches -----------------------------------------------------------------------------------
 */

/* The leaf at one end of a subtree. */
static status_t end_leaf(const struct kv_node *node, bool last, struct kv_node *out,
                         struct error *error)
{
    *out = *node;
    while (out->level > 0) {
        status_t status = kv_node_child(out, last ? out->count - 1 : 0, out, error);
        if (status != OK)
            return status;
    }
    return out->count > 0 ? OK : error_set(error, ERR_CORRUPT, "a leaf without entries");
}

/* Takes a whole subtree by its note. */
static status_t note_take(struct mvcc_count *count, const struct kv_node *node,
                          const struct kv_note *note, bool *again, struct error *error)
{
    struct leaf leaf = {0};
    struct kv_node end;
    struct slice key;
    uint64_t version;
    leaf.node = &end;
    status_t status = end_leaf(node, false, &end, error);
    if (status == OK)
        status = entry_split(&leaf, 0, &key, &version, error);
    if (status == OK && is_decided(count, key)) {
        struct kv_node_entry entry;
        kv_node_entries(&end, 0, 1, &entry);
        status = live_find(&end, 0, entry.value, again, error);
    }
    if (status == OK)
        status = end_leaf(node, true, &end, error);
    if (status == OK)
        status = entry_split(&leaf, end.count - 1, &key, &version, error);
    if (status != OK)
        return status;
    ASSERT(note->words[0] >= *again);
    count->keys += note->words[0] - *again;
    if (note->words[1] > count->newest)
        count->newest = note->words[1];
    decide(count, key);
    return OK;
}

static status_t node_take(struct mvcc_count *count, const struct kv_node *node,
                          const struct part *part, bool noted, bool *again, struct error *error);

/* Stops before the children of a node of level 1, whose number is bounded, never among them: so
 * each of them gets its note. */
static status_t is_to_stop(struct mvcc_count *count, const struct kv_node *node,
                           const struct part *part, struct error *error)
{
    if (node->level != 1 || count->steps > 0)
        return OK;
    struct kv_node leaf;
    uint8_t bytes[KV_KEY_SIZE_MAX];
    status_t status = part->low.size ? OK : end_leaf(node, false, &leaf, error);
    if (status != OK)
        return status;
    struct slice key = part->low.size ? part->low : kv_node_key(&leaf, 0, bytes);
    ASSERT(key.size > 0 && key.size <= sizeof count->resume);
    memmove(count->resume, key.data, key.size);
    count->resume_size = (uint32_t)key.size;
    count->resume_whole = part->low.size == 0;
    return ERR_BUSY;
}

static status_t children_take(struct mvcc_count *count, const struct kv_node *node,
                              const struct part *part, bool *again, struct error *error)
{
    uint32_t from = part->low.size ? kv_node_search(node, part->low) : 0;
    uint32_t to = part->high.size ? kv_node_search(node, part->high) : node->count - 1;
    for (uint32_t i = from; i <= to; i++) {
        struct kv_node child;
        struct part below = {0};
        bool first_again = false;
        if (i == from)
            below.low = part->low;
        if (i == to)
            below.high = part->high;
        status_t status = kv_node_child(node, i, &child, error);
        if (status == OK)
            status = node_take(count, &child, &below, child.level > 0 || !is_whole(part),
                               &first_again, error);
        if (status != OK)
            return status;
        if (i == from)
            *again = first_again;
    }
    return OK;
}

static status_t below_take(struct mvcc_count *count, const struct kv_node *node,
                           const struct part *part, bool *again, struct error *error)
{
    return node->level == 0 ? leaf_take(count, node, part, again, error)
                            : children_take(count, node, part, again, error);
}

/* noted: it may have a note. *again: the first key was left out because it was decided before the
 * node, and only therefore. */
static status_t node_take(struct mvcc_count *count, const struct kv_node *node,
                          const struct part *part, bool noted, bool *again, struct error *error)
{
    struct kv_note note;
    struct part resumed = {.high = part->high};
    *again = false;
    if (node->level == 1 && count->resume_whole) {
        ASSERT(part->low.size == count->resume_size);
        part = &resumed; /* the key to go on from is its first */
        count->resume_whole = false;
    }
    status_t status = is_to_stop(count, node, part, error);
    if (status != OK)
        return status;
    count->steps -= count->steps > 0;
    if (!noted || !is_whole(part))
        return below_take(count, node, part, again, error);
    if (kv_node_note(node, &note) && note.words[1] <= count->view->version)
        return note_take(count, node, &note, again, error);
    uint64_t keys = count->keys, newest = count->newest;
    count->newest = 0;
    status = below_take(count, node, part, again, error);
    if (status == OK && count->newest <= count->view->version) {
        note.words[0] = count->keys - keys + *again;
        note.words[1] = count->newest;
        kv_node_set_note(node, &note);
    }
    if (newest > count->newest)
        count->newest = newest;
    return status;
}

/* ---- the walk -----------------------------------------------------------------------------------
 */

bool mvcc_count_begin(struct mvcc_count *count, const struct mvcc_view *view, struct slice low,
                      struct slice high)
{
    static const uint8_t first = MVCC_KEY_FIRST_MIN;
    count->view = view;
    count->low = low.size == 0 || low.data[0] < first ? slice_make(&first, 1) : low;
    count->high = high;
    count->keys = 0;
    count->at_end = false;
    count->newest = 0;
    count->decided_size = 0;
    count->resume_size = 0;
    count->resume_whole = false;
    if (!kv_snapshot_has_nodes(view->snapshot))
        return false;
    const struct ordered_node *own =
        view->overlay ? ordered_seek(&view->overlay->writes, count->low) : NULL;
    return !own || (high.size != 0 && slice_compare(own->key, high) >= 0);
}

status_t mvcc_count_step(struct mvcc_count *count, struct error *error)
{
    struct kv_node root;
    bool found, again;
    ASSERT(!count->at_end);
    struct part part = {.low = count->low, .high = count->high};
    uint8_t resume[KV_KEY_SIZE_MAX];
    if (count->resume_size > 0) {
        memcpy(resume, count->resume, count->resume_size);
        part.low = slice_make(resume, count->resume_size);
    }
    count->steps = STEP_PAGES;
    status_t status = kv_node_root(count->view->snapshot, &root, &found, error);
    bool empty = part.high.size != 0 && slice_compare(part.low, part.high) >= 0;
    if (status == OK && found && !empty)
        status = node_take(count, &root, &part, true, &again, error);
    if (status == ERR_BUSY)
        return OK;
    count->at_end = true;
    return status;
}
