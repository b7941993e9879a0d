/* The memtable: a skip list (Pugh 1990) of versions, in memory from one arena.
 *
 * Ordered by key, and the versions of a key from the newest to the oldest. One writer adds nodes;
 * readers go along beside it without a lock: a node is complete before the pointer to it is stored
 * (release), and is never taken out or moved. What a reader may see is decided by the sequence
 * number: a node of a number above the reader's own is passed over, and only such nodes, which
 * nobody has been shown yet, are ever changed in place. The memory goes when the last state that
 * has the memtable does.
 *
 * The writer's searches leave a trace, the last node before the place on each height. The next
 * search begins there when it asks for a key behind it, so that ascending keys are added in O(1).
 */
#include "base/mem.h"
#include "lsm/lsm_int.h"

#define HEIGHT_ODDS 4u  /* one node in so many is a level higher */
#define TABLE_SLOTS 16u /* of a table, to begin with */

static struct lsm__node *follow(const struct lsm__node *node, uint32_t height)
{
    return atomic_load_explicit(&node->next[height], memory_order_acquire);
}

static struct lsm__node *node_create(struct lsm__memtable *memtable, uint32_t height,
                                     struct slice key)
{
    size_t links = height * sizeof(struct lsm__node *);
    struct lsm__node *node =
        arena_alloc(&memtable->arena, sizeof(struct lsm__node) + links + key.size);
    uint8_t *bytes = (uint8_t *)(node + 1) + links;
    memset(node, 0, sizeof *node + links);
    node->height = (uint8_t)height;
    node->key_size = (uint16_t)key.size;
    node->key = bytes;
    if (key.size > 0)
        memcpy(bytes, key.data, key.size);
    return node;
}

/* ---- the table ------------------------------------------------------------------------------ */

static struct lsm__table *table_create(uint32_t slots)
{
    ASSERT((slots & (slots - 1)) == 0);
    size_t size = sizeof(struct lsm__table) + slots * sizeof((struct lsm__table *)0)->slots[0];
    struct lsm__table *table = mem_zalloc(1, size);
    table->mask = slots - 1;
    return table;
}

/* The slot of the key, or the free one where it belongs; *found: the node in it. */
static uint32_t table_find(const struct lsm__table *table, struct slice key, uint64_t hash,
                           struct lsm__node **found)
{
    for (uint32_t at = (uint32_t)hash & table->mask;; at = (at + 1) & table->mask) {
        *found = atomic_load_explicit(&table->slots[at].node, memory_order_acquire);
        if (*found == NULL ||
            (table->slots[at].hash == hash && slice_equal(lsm__node_key(*found), key)))
            return at;
    }
}

/* Twice as large; the old one stays for those who are reading in it. All they may see is there. */
static struct lsm__table *table_grown(struct lsm__table *old)
{
    struct lsm__table *table = table_create((old->mask + 1) * 2);
    for (uint32_t i = 0; i <= old->mask; i++) {
        struct lsm__node *node = atomic_load_explicit(&old->slots[i].node, memory_order_relaxed);
        if (node == NULL)
            continue;
        uint32_t at = (uint32_t)old->slots[i].hash & table->mask;
        while (atomic_load_explicit(&table->slots[at].node, memory_order_relaxed) != NULL)
            at = (at + 1) & table->mask;
        table->slots[at].hash = old->slots[i].hash;
        atomic_store_explicit(&table->slots[at].node, node, memory_order_relaxed);
    }
    table->keys = old->keys;
    table->before = old;
    return table;
}

/* The one for a hash, with room for a key more. */
static struct lsm__table *table_with_room(struct lsm__memtable *memtable, uint64_t hash)
{
    _Atomic(struct lsm__table *) *place = &memtable->tables[hash >> 56];
    struct lsm__table *table = atomic_load_explicit(place, memory_order_relaxed);
    if (table != NULL && table->keys < table->mask / 2)
        return table;
    table = table != NULL ? table_grown(table) : table_create(TABLE_SLOTS);
    atomic_store_explicit(place, table, memory_order_release);
    return table;
}

/* Makes `node` the newest of its key. */
static void table_put(struct lsm__memtable *memtable, struct lsm__node *node, bool is_new)
{
    struct lsm__node *found;
    uint64_t hash = lsm__filter_hash(lsm__node_key(node));
    struct lsm__table *table = table_with_room(memtable, hash);
    uint32_t at = table_find(table, lsm__node_key(node), hash, &found);
    ASSERT(is_new == (found == NULL));
    if (is_new) {
        table->slots[at].hash = hash;
        table->keys++;
    }
    atomic_store_explicit(&table->slots[at].node, node, memory_order_release);
}

static struct lsm__node *table_get(const struct lsm__memtable *memtable, struct slice key)
{
    struct lsm__node *found = NULL;
    uint64_t hash = lsm__filter_hash(key);
    const struct lsm__table *table =
        atomic_load_explicit(&memtable->tables[hash >> 56], memory_order_acquire);
    if (table != NULL)
        table_find(table, key, hash, &found);
    return found;
}

/* ---- making it ------------------------------------------------------------------------------ */

struct lsm__memtable *lsm__memtable_create(void)
{
    struct lsm__memtable *memtable = mem_zalloc(1, sizeof *memtable);
    arena_init(&memtable->arena);
    prng_seed(&memtable->prng, 1);
    memtable->head = node_create(memtable, LSM_HEIGHT_MAX, slice_make(NULL, 0));
    for (uint32_t i = 0; i < LSM_HEIGHT_MAX; i++)
        memtable->trace[i] = memtable->head;
    memtable->references = 1;
    return memtable;
}

void lsm__memtable_destroy(struct lsm__memtable *memtable)
{
    ASSERT(memtable->references == 0);
    for (uint32_t i = 0; i < LSM_TABLES; i++) {
        struct lsm__table *table = atomic_load(&memtable->tables[i]);
        while (table != NULL) {
            struct lsm__table *before = table->before;
            mem_free(table);
            table = before;
        }
    }
    arena_free(&memtable->arena);
    mem_free(memtable);
}

/* ---- the writer ----------------------------------------------------------------------------- */

static bool before(const struct lsm__memtable *memtable, const struct lsm__node *node,
                   struct slice key)
{
    return node == memtable->head || slice_compare(lsm__node_key(node), key) < 0;
}

struct lsm__node *lsm__memtable_find_latest(struct lsm__memtable *memtable, struct slice key)
{
    return table_get(memtable, key);
}

/* Notes the last node before the key's place on each height. */
static void find_place(struct lsm__memtable *memtable, struct slice key)
{
    /* Up the trace, as long as it leads to a place before the key's. */
    uint32_t height = 0;
    struct lsm__node *node = memtable->head;
    if (before(memtable, memtable->trace[0], key)) {
        struct lsm__node *next;
        while (height < LSM_HEIGHT_MAX - 1 &&
               (next = follow(memtable->trace[height], height)) != NULL &&
               before(memtable, next, key))
            height++;
        node = memtable->trace[height];
    } else {
        height = LSM_HEIGHT_MAX - 1;
    }
    for (;;) {
        struct lsm__node *next = follow(node, height);
        if (next != NULL && before(memtable, next, key)) {
            node = next;
            continue;
        }
        memtable->trace[height] = node;
        if (height == 0)
            break;
        height--;
    }
}

static void set_value(struct lsm__memtable *memtable, struct lsm__node *node,
                      const struct slice *value)
{
    node->tombstone = value == NULL;
    node->value_size = value != NULL ? (uint32_t)value->size : 0;
    if (node->value_size > node->room) {
        node->value = arena_alloc(&memtable->arena, value->size);
        node->room = node->value_size;
    }
    if (node->value_size > 0)
        memmove((void *)(uintptr_t)node->value, value->data, value->size);
}

struct lsm__node *lsm__memtable_add(struct lsm__memtable *memtable, const struct lsm__node *older,
                                    struct slice key, const struct slice *value, uint64_t sequence)
{
    uint32_t height = 1;
    while (height < LSM_HEIGHT_MAX && prng_below(&memtable->prng, HEIGHT_ODDS) == 0)
        height++;
    ASSERT(older == NULL || older->sequence < sequence);
    find_place(memtable, key);
    struct lsm__node *node = node_create(memtable, height, key);
    node->sequence = sequence;
    set_value(memtable, node, value);
    for (uint32_t i = 0; i < height; i++) {
        ASSERT(memtable->trace[i] == memtable->head || memtable->trace[i]->height > i);
        atomic_store_explicit(&node->next[i], follow(memtable->trace[i], i), memory_order_relaxed);
        atomic_store_explicit(&memtable->trace[i]->next[i], node, memory_order_release);
    }
    table_put(memtable, node, older == NULL);
    memtable->nodes++;
    if (older == NULL)
        memtable->payload += sizeof(struct lsm__slot) + key.size + node->value_size;
    else if (node->value_size > older->value_size)
        memtable->payload += node->value_size - older->value_size;
    if (key.size > memtable->key_size_max)
        memtable->key_size_max = (uint32_t)key.size;
    return node;
}

void lsm__memtable_replace(struct lsm__memtable *memtable, struct lsm__node *node,
                           const struct slice *value)
{
    uint32_t size = value != NULL ? (uint32_t)value->size : 0;
    if (size > node->value_size)
        memtable->payload += size - node->value_size;
    set_value(memtable, node, value);
}

uint64_t lsm__memtable_bound(const struct lsm *lsm, const struct lsm__memtable *memtable,
                             uint64_t more)
{
    /* The least entry: a slot and a byte of key. */
    uint64_t entries = memtable->nodes + more / (sizeof(struct lsm__slot) + 1);
    if (entries == 0)
        return 0;
    return lsm__builder_bound(lsm, memtable->payload + more, entries,
                              more > 0 ? LSM_KEY_SIZE_MAX : memtable->key_size_max);
}

/* ---- readers -------------------------------------------------------------------------------- */

/* The first node at or behind (key, sequence) in the order of the list. */
static const struct lsm__node *seek(const struct lsm__memtable *memtable, struct slice key,
                                    uint64_t sequence)
{
    const struct lsm__node *node = memtable->head;
    for (uint32_t height = LSM_HEIGHT_MAX; height-- > 0;) {
        const struct lsm__node *next;
        while ((next = follow(node, height)) != NULL) {
            int order = slice_compare(lsm__node_key(next), key);
            if (order > 0 || (order == 0 && next->sequence <= sequence))
                break;
            node = next;
        }
    }
    return follow(node, 0);
}

/* The last node of a key before `key`; null key: the last one. Null when there is none. */
static const struct lsm__node *seek_before(const struct lsm__memtable *memtable,
                                           const struct slice *key)
{
    const struct lsm__node *node = memtable->head;
    for (uint32_t height = LSM_HEIGHT_MAX; height-- > 0;) {
        const struct lsm__node *next;
        while ((next = follow(node, height)) != NULL &&
               (key == NULL || slice_compare(lsm__node_key(next), *key) < 0))
            node = next;
    }
    return node == memtable->head ? NULL : node;
}

/* From `node` on, the first that is seen. */
static const struct lsm__node *skip_unseen(const struct lsm__node *node, uint64_t sequence)
{
    while (node != NULL && node->sequence > sequence)
        node = follow(node, 0);
    return node;
}

const struct lsm__node *lsm__memtable_seek(const struct lsm__memtable *memtable,
                                           const struct slice *key, uint64_t sequence)
{
    const struct lsm__node *node =
        key != NULL ? seek(memtable, *key, sequence) : follow(memtable->head, 0);
    return skip_unseen(node, sequence);
}

const struct lsm__node *lsm__memtable_get(const struct lsm__memtable *memtable, struct slice key,
                                          uint64_t sequence)
{
    const struct lsm__node *node = table_get(memtable, key);
    while (node != NULL && node->sequence > sequence) {
        const struct lsm__node *older = follow(node, 0);
        if (older == NULL || !slice_equal(lsm__node_key(older), lsm__node_key(node)))
            return NULL;
        node = older;
    }
    return node;
}

/* Of the keys before `key`, the last that is seen. */
static const struct lsm__node *last_before(const struct lsm__memtable *memtable,
                                           const struct slice *key, uint64_t sequence)
{
    const struct lsm__node *node = seek_before(memtable, key);
    while (node != NULL) {
        struct slice at = lsm__node_key(node);
        const struct lsm__node *seen = lsm__memtable_get(memtable, at, sequence);
        if (seen != NULL)
            return seen;
        node = seek_before(memtable, &at);
    }
    return NULL;
}

const struct lsm__node *lsm__memtable_seek_reverse(const struct lsm__memtable *memtable,
                                                   const struct slice *key, uint64_t sequence)
{
    const struct lsm__node *exact =
        key != NULL ? lsm__memtable_get(memtable, *key, sequence) : NULL;
    return exact != NULL ? exact : last_before(memtable, key, sequence);
}

const struct lsm__node *lsm__memtable_next(const struct lsm__node *node, uint64_t sequence)
{
    const struct lsm__node *next = follow(node, 0);
    while (next != NULL &&
           (next->sequence > sequence || slice_equal(lsm__node_key(next), lsm__node_key(node))))
        next = follow(next, 0);
    return next;
}

const struct lsm__node *lsm__memtable_prev(const struct lsm__memtable *memtable,
                                           const struct lsm__node *node, uint64_t sequence)
{
    struct slice key = lsm__node_key(node);
    return last_before(memtable, &key, sequence);
}
