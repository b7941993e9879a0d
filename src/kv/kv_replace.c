/* Changing the tree: many changes in the order of their keys, each in place of an older form of
 * its entry.
 *
 * They are made leaf by leaf. The way down to a leaf is found, and made one of this epoch, once for
 * all changes that belong to it; from change to change the place is looked for from the last one
 * on. What leaves the leaf's place in the tree as it is happens here:
 *
 *   put, the older form as long     its bytes are written over
 *   put, of another length, or new  as kv_put, where there is room
 *   removal                         as kv_delete, but for the last entry of the leaf
 *   removals of all of a leaf       the leaf is taken out of its parent, and not even copied
 *
 * A leaf that is left under a quarter full is merged, but not before the next one is, or the end is
 * reached: where a range goes, the leaves right of it are about to go as a whole, and must not be
 * filled into it.
 *
 * What splits, and long values, are left to kv_put and kv_delete, after which the next
 * leaf is looked for anew. So each change is made as a whole, in the two phases told in kv_tree.c.
 *
 * That an entry is written over with another key keeps the order: it is the first at or behind the
 * new key, and so stays the first one behind what is before it. Of the bytes that all keys of a
 * page share (kv_page.c) none may change: then it is left to the others, too. */
#include "kv/kv_int.h"

bool kv_replaces(const struct kv *kv)
{
    return !kv__is_lsm(kv);
}

/* A leaf and where the changes have come to in it. */
struct run {
    struct kv__path path;
    struct kv__page *leaf;
    uint32_t at; /* entries before it are below the key of the next change */
    bool inside; /* see is_inside; of the change at hand */
    bool copied; /* the path is of this epoch */
    bool shrunk; /* something was taken out */
    bool has_behind;
    struct slice behind; /* the least key that the next leaf may have */
    uint8_t bytes[KV_KEY_SIZE_MAX];
};

/* ---- looking -------------------------------------------------------------------------------- */

static const uint8_t *rest_of(const struct kv__page *leaf, uint32_t index)
{
    const uint8_t *cell = (const uint8_t *)leaf + kv__page_slots(leaf)[index].offset;
    return cell + kv__cell_key_at(0, cell);
}

/* Has the key what all keys of the leaf begin with? Else it is above or below them all, and none of
 * them is a form of what is changed, unless that may differ in those bytes. */
static bool is_inside(const struct kv__page *leaf, struct slice key)
{
    return key.size >= leaf->prefix && memcmp(leaf + 1, key.data, leaf->prefix) == 0;
}

/* Neighbours differ in their last bytes if at all. */
static bool same_bytes(const uint8_t *a, const uint8_t *b, size_t size)
{
    return size == 0 || (a[size - 1] == b[size - 1] && memcmp(a, b, size - 1) == 0);
}

/* Is entry `index`, which is not below the change's key, a form of what is changed? `inside`: see
 * above. */
static bool is_form(const struct kv__page *leaf, uint32_t index, const struct kv_change *change,
                    bool inside)
{
    uint32_t prefix = leaf->prefix, shared = change->shared;
    ASSERT(index < leaf->count && shared <= change->key.size);
    if (prefix + kv__page_slots(leaf)[index].key_size != change->key.size)
        return false;
    if (shared <= prefix)
        return inside || same_bytes((const uint8_t *)(leaf + 1), change->key.data, shared);
    return inside && same_bytes(rest_of(leaf, index), change->key.data + prefix, shared - prefix);
}

/* Is entry `index` below the key? */
static bool is_below(const struct kv__page *leaf, uint32_t index, struct slice key, bool inside)
{
    uint32_t prefix = leaf->prefix;
    const struct kv__slot *slot = &kv__page_slots(leaf)[index];
    if (!inside)
        return memcmp(leaf + 1, key.data, key.size < prefix ? key.size : prefix) < 0;
    key = slice_make(key.data + prefix, key.size - prefix);
    uint32_t head = kv__rest_head(key);
    if (slot->head != head)
        return slot->head < head;
    return slice_compare(slice_make(rest_of(leaf, index), slot->key_size), key) < 0;
}

/* Goes on to the first entry at or behind the key, or to the end. False: the key belongs to a leaf
 * further on. */
static bool run_seek(struct run *run, struct slice key)
{
    bool exact;
    run->inside = is_inside(run->leaf, key);
    if (run->at < run->leaf->count && is_below(run->leaf, run->at, key, run->inside))
        run->at = kv__page_search(run->leaf, run->at + 1, key, &exact);
    return run->at < run->leaf->count || !run->has_behind || slice_compare(key, run->behind) < 0;
}

/* Does entry `next`, or what lies behind the leaf, begin with what all forms of the entry do? What
 * lies behind may be anything that is not below `behind`; see may_be_followed in kv_tree.c. */
static bool is_followed(const struct run *run, uint32_t next, const struct kv_change *change)
{
    struct slice shared = slice_make(change->key.data, change->shared);
    if (next < run->leaf->count)
        return is_form(run->leaf, next, change, run->inside);
    return run->has_behind && slice_has_prefix(run->behind, shared);
}

/* ---- changing within the leaf --------------------------------------------------------------- */

static status_t run_copy(struct kv *kv, struct run *run, struct error *error)
{
    if (run->copied)
        return OK;
    status_t status = kv__alloc_reserve(kv, run->path.depth, 0, NULL, error);
    if (status != OK)
        return status;
    kv->changes++;
    kv__tree_copy_path(kv, &run->path);
    run->leaf = run->path.at[run->path.depth - 1].page;
    run->copied = true;
    return OK;
}

/* Has the leaf room for the value in place of that of the entry? */
static bool may_change(const struct kv *kv, const struct run *run, const struct kv_change *change)
{
    uint32_t old = kv__page_value(run->leaf, run->at).size;
    uint32_t used = kv__page_used(kv, run->leaf);
    return run->leaf->count > 1 && run->leaf->prefix <= change->shared &&
           used - old + change->value.size <= kv__page_capacity(kv);
}

/* Puts the entry in place of the one there. */
static void put_over(struct kv *kv, struct run *run, const struct kv_change *change)
{
    struct kv__page *leaf = run->leaf;
    uint8_t head[KV_ENTRY_HEAD_MAX];
    uint32_t prefix = leaf->prefix, shared = change->shared;
    struct slice value = kv__page_value(leaf, run->at).inline_bytes;
    if (value.size == change->value.size) {
        uint8_t *rest = (uint8_t *)(uintptr_t)rest_of(leaf, run->at);
        memcpy(rest + (shared - prefix), change->key.data + shared, change->key.size - shared);
        if (value.size != 0)
            memcpy((uint8_t *)(uintptr_t)value.data, change->value.data, value.size);
        kv__page_renew_head(leaf, run->at);
        return;
    }
    struct kv__entry entry = kv__entry_leaf(head, change->key, change->value, 0);
    kv__page_remove(leaf, run->at);
    bool inserted = kv__page_insert(kv, leaf, run->at, &entry);
    ASSERT(inserted);
}

/* Makes the change at the run's place. *alone: not done, it is not one of those made here. */
static status_t run_make(struct kv *kv, struct run *run, struct kv_change *change, bool *alone,
                         struct error *error)
{
    bool form = run->at < run->leaf->count && is_form(run->leaf, run->at, change, run->inside);
    change->followed = is_followed(run, run->at + form, change);
    bool goes = change->remove && !change->followed;
    *alone = false;
    if (goes && !form)
        return OK;
    bool is_long = form && kv__page_value(run->leaf, run->at).overflow != 0;
    if (goes)
        *alone = is_long || run->leaf->count == 1;
    else
        *alone = is_long || kv__overflow_needed(kv, change->key.size, change->value.size) ||
                 (form && !may_change(kv, run, change));
    status_t status = *alone ? OK : run_copy(kv, run, error);
    if (status != OK || *alone)
        return status;
    if (goes) {
        kv__page_remove(run->leaf, run->at);
        ASSERT(kv->entries > 0);
        kv->entries--;
        run->shrunk = true;
    } else if (form) {
        put_over(kv, run, change);
        run->at++;
    } else {
        uint8_t head[KV_ENTRY_HEAD_MAX];
        struct kv__entry entry = kv__entry_leaf(head, change->key, change->value, 0);
        *alone = !kv__page_insert(kv, run->leaf, run->at, &entry);
        kv->entries += *alone ? 0 : 1;
        run->at++;
    }
    return OK;
}

/* Do the changes take out all entries of the leaf? */
static bool takes_all(struct run *run, const struct kv_change *changes, uint32_t count)
{
    const struct kv__page *leaf = run->leaf;
    if (run->at != 0 || count < leaf->count)
        return false;
    for (uint32_t i = 0; i < leaf->count; i++) {
        run->inside = is_inside(leaf, changes[i].key);
        if (!changes[i].remove || !is_form(leaf, i, &changes[i], run->inside) ||
            is_below(leaf, i, changes[i].key, run->inside))
            return false;
    }
    return !is_followed(run, leaf->count, &changes[leaf->count - 1]);
}

/* A leaf that was left underfull, by its first key. */
struct underfull {
    size_t key_size; /* 0: none is */
    uint8_t key[KV_KEY_SIZE_MAX];
};

static status_t underfull_fill(struct kv *kv, struct underfull *underfull, struct error *error)
{
    struct slice key = slice_make(underfull->key, underfull->key_size);
    underfull->key_size = 0;
    return key.size != 0 ? kv__tree_fill_leaf(kv, key, error) : OK;
}

/* Notes the leaf that the run has ended at, when it was left underfull. */
static status_t run_end(struct kv *kv, const struct run *run, struct underfull *underfull,
                        struct error *error)
{
    if (!run->copied)
        return OK;
    kv__tree_keep(kv, &run->path);
    /* One that was split off a moment ago has little, too, and is left to grow. */
    if (!run->shrunk || run->path.depth == 1 || !kv__tree_is_underfull(kv, run->leaf))
        return OK;
    uint8_t bytes[KV_KEY_SIZE_MAX];
    struct slice key = kv__page_key_copy(run->leaf, 0, bytes);
    status_t status = underfull_fill(kv, underfull, error);
    memcpy(underfull->key, key.data, key.size);
    underfull->key_size = key.size;
    return status;
}

/* Makes the first changes, *made of them, in the leaf that they belong to; *alone: and the next one
 * is not one of those made here. */
static status_t run_all(struct kv *kv, struct kv_change *changes, uint32_t count, uint32_t *made,
                        bool *alone, struct underfull *underfull, struct error *error)
{
    struct run run;
    bool exact;
    *made = 0;
    *alone = false;
    status_t status = kv__tree_descend(kv, changes[0].key, &run.path, &exact, error);
    if (status != OK)
        return status;
    *alone = run.path.depth == 0;
    if (*alone)
        return OK;
    run.leaf = run.path.at[run.path.depth - 1].page;
    run.at = run.path.at[run.path.depth - 1].index;
    run.copied = run.shrunk = false;
    run.has_behind = kv__tree_key_behind(&run.path, run.bytes, &run.behind);
    if (takes_all(&run, changes, count)) {
        *made = run.leaf->count;
        for (uint32_t i = 0; i < *made; i++)
            changes[i].followed = false;
        status = kv__tree_drop_leaf(kv, &run.path, error);
        *made = status == OK ? *made : 0;
        return status;
    }
    while (status == OK && !*alone && *made < count) {
        struct kv_change *change = &changes[*made];
        status = kv__tree_entry_check(kv, change->key, change->value, error);
        if (status == OK && !run_seek(&run, change->key))
            break;
        if (status == OK)
            status = run_make(kv, &run, change, alone, error);
        *made += status == OK && !*alone;
    }
    return status == OK ? run_end(kv, &run, underfull, error) : status;
}

/* ---- and otherwise -------------------------------------------------------------------------- */

/* Makes one change, whatever it takes. Both forms are there for a moment. */
static status_t change_alone(struct kv *kv, struct kv_change *change, struct error *error)
{
    struct run run;
    uint8_t bytes[KV_KEY_SIZE_MAX];
    struct slice old = {0};
    bool found = true;
    status_t status = kv__tree_entry_check(kv, change->key, change->value, error);
    if (status == OK)
        status = kv__tree_descend(kv, change->key, &run.path, &found, error);
    if (status != OK)
        return status;
    change->followed = false;
    if (run.path.depth > 0) {
        run.leaf = run.path.at[run.path.depth - 1].page;
        run.at = run.path.at[run.path.depth - 1].index;
        run.has_behind = kv__tree_key_behind(&run.path, run.bytes, &run.behind);
        run.inside = is_inside(run.leaf, change->key);
        bool form = run.at < run.leaf->count && is_form(run.leaf, run.at, change, run.inside);
        change->followed = is_followed(&run, run.at + form, change);
        if (form)
            old = kv__page_key_copy(run.leaf, run.at, bytes);
    }
    if (!change->remove || change->followed) {
        status = kv_put(kv, change->key, change->value, error);
        if (slice_equal(old, change->key))
            old.size = 0;
    }
    if (status == OK && old.size != 0)
        status = kv_delete(kv, old, &found, error);
    ASSERT(status != OK || old.size == 0 || found);
    return status;
}

status_t kv_replace(struct kv *kv, struct kv_change *changes, uint32_t count, uint32_t *done,
                    struct error *error)
{
    struct underfull underfull;
    ASSERT(kv_replaces(kv) && kv->loading == NULL);
    *done = 0;
    underfull.key_size = 0;
    status_t status = kv__writable(kv, error);
    while (status == OK && *done < count) {
        uint32_t made;
        bool alone;
        ASSERT(*done == 0 || slice_compare(changes[*done - 1].key, changes[*done].key) < 0);
        status = run_all(kv, changes + *done, count - *done, &made, &alone, &underfull, error);
        *done += made;
        if (status == OK && alone) {
            status = change_alone(kv, &changes[*done], error);
            *done += status == OK;
        }
    }
    return status == OK ? underfull_fill(kv, &underfull, error) : status;
}
