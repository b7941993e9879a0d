/* Scrubbing: reading every page now and then, so that damage is met while it can still be mended
 * from another node, and not when the page is needed.
 *
 * A step walks some leaves from a key on, in the tree of a snapshot, and looks at each page anew:
 * its checksum, when a finished checkpoint has stored one (it was born at or before an epoch that
 * was durable when the snapshot was opened, and is reached by both), and its layout. Between steps
 * only the key is remembered, so no snapshot is kept open for the time of a whole round, which may
 * be hours. A damaged page is told once a round; the walk goes on behind all that hangs below it.
 *
 * Pages are read through the map: one that the system still holds in memory is found sound even if
 * the disk has lost it meanwhile. It is met once it was dropped from memory. */
#include "base/mem.h"
#include "kv/kv_int.h"

/* One level of the way down. */
struct level {
    const struct kv__page *page;
    uint32_t id;
    uint32_t index; /* of the child taken */
};

struct walk {
    struct kv *kv;
    struct kv_scrub *scrub;
    uint64_t durable; /* epoch */
    uint32_t depth;
    struct level levels[KV_DEPTH_MAX];
    uint32_t known[KV_DEPTH_MAX]; /* the branch of each depth seen last in this step */
    uint32_t pages;               /* looked at in this step */
    struct error *error;
};

/* Looks at the page as if for the first time. */
static status_t look(struct walk *walk, uint32_t id, uint32_t level)
{
    const struct kv *kv = walk->kv;
    const struct kv__page *page = kv__page_at(kv, id);
    if (id < KV_META_PAGES || id >= atomic_load_explicit(&kv->pages, memory_order_acquire))
        return kv__page_corrupt(kv, id, "no such page", walk->error);
    const char *flaw = kv__page_flaw(kv, id, page);
    if (flaw != NULL)
        return kv__page_corrupt(kv, id, flaw, walk->error);
    if (level == KV_LEVEL_ANY ? page->level >= KV_DEPTH_MAX : page->level != level)
        return kv__page_corrupt(kv, id, "not of the level it is used on", walk->error);
    uint32_t count = page->type == KV_PAGE_OVERFLOW ? kv__overflow_pages(kv, page->extra) : 1;
    walk->pages += count;
    if (page->birth <= walk->durable && page->crc != kv__page_crc(kv, page))
        return kv__page_corrupt(kv, id, "wrong checksum", walk->error);
    return OK;
}

/* The long values of the leaf at the end of the way down. */
static status_t look_at_values(struct walk *walk)
{
    const struct kv__page *leaf = walk->levels[walk->depth - 1].page;
    status_t first = OK;
    for (uint32_t i = 0; i < leaf->count; i++) {
        struct kv__value value = kv__page_value(leaf, i);
        if (value.overflow == 0)
            continue;
        status_t status = look(walk, value.overflow, KV_LEVEL_OVERFLOW);
        if (status == OK && kv__page_at(walk->kv, value.overflow)->extra != value.size)
            status = kv__page_corrupt(walk->kv, value.overflow,
                                      "value size differs from its leaf's", walk->error);
        walk->scrub->damaged += status != OK;
        if (first == OK)
            first = status;
    }
    return first;
}

/* From the root down to the leaf where the key belongs; stops above a page that is damaged. */
static status_t go_down(struct walk *walk, uint32_t root)
{
    struct slice key = slice_make(walk->scrub->key, walk->scrub->key_size);
    uint32_t id = root, level = KV_LEVEL_ANY;
    for (walk->depth = 0;;) {
        status_t status = OK;
        ASSERT(walk->depth < KV_DEPTH_MAX);
        if (walk->known[walk->depth] != id)
            status = look(walk, id, level);
        if (status != OK)
            return status;
        const struct kv__page *page = kv__page_at(walk->kv, id);
        walk->known[walk->depth] = id;
        struct level *at = &walk->levels[walk->depth++];
        *at = (struct level){.page = page, .id = id};
        if (page->level == 0)
            return OK;
        at->index = key.size == 0 ? 0 : kv__page_search_child(page, key);
        id = kv__page_child(page, at->index);
        level = page->level - 1u;
    }
}

/* Behind all that hangs below the page the way down ended at, or stopped above. */
static void move_on(struct walk *walk, bool at_leaf)
{
    struct kv_scrub *scrub = walk->scrub;
    for (uint32_t depth = walk->depth - at_leaf; depth > 0;) {
        const struct level *at = &walk->levels[--depth];
        if (at->index + 1u >= at->page->count)
            continue;
        uint8_t bytes[KV_KEY_SIZE_MAX];
        struct slice key = kv__page_key(at->page, at->index + 1u, bytes);
        ASSERT(key.size > 0 && key.size <= sizeof scrub->key);
        memcpy(scrub->key, key.data, key.size);
        scrub->key_size = (uint32_t)key.size;
        return;
    }
    scrub->key_size = 0;
    scrub->rounds++;
}

status_t kv_scrub_step(struct kv *kv, struct kv_scrub *scrub, uint32_t pages, struct error *error)
{
    if (kv__is_lsm(kv))
        return kv__lsm_scrub_step(kv, scrub, pages, error);
    /* Before the snapshot: of a page that was given up between the two, nobody may have stored the
     * checksum, and a newer durable epoch would not tell. */
    struct walk walk = {
        .kv = kv, .scrub = scrub, .durable = atomic_load(&kv->durable_epoch), .error = error};
    struct kv_snapshot *snapshot;
    uint64_t round = scrub->rounds;
    ASSERT(scrub->key_size <= sizeof scrub->key);
    status_t status = kv_snapshot_open(kv, &snapshot, error);
    if (status != OK)
        return status;
    if (snapshot->root == 0)
        scrub->rounds++;
    while (status == OK && walk.pages < pages && scrub->rounds == round) {
        status = go_down(&walk, snapshot->root);
        bool at_leaf = status == OK;
        if (at_leaf)
            status = look_at_values(&walk);
        else
            scrub->damaged++;
        move_on(&walk, at_leaf);
    }
    scrub->pages += walk.pages;
    kv_snapshot_close(snapshot);
    return status;
}
