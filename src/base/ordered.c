#include "base/ordered.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

void ordered_init(struct ordered *map)
{
    *map = (struct ordered){.level_count = 1};
    /* The seed is fixed: the shape of the list is part of no result, and runs must repeat. */
    prng_seed(&map->prng, 1);
}

void ordered_init_in(struct ordered *map, struct arena *arena)
{
    ASSERT(arena);
    ordered_init(map);
    map->arena = arena;
}

/* ---- memory -------------------------------------------------------------------------------------
 *
 * Of a map without an arena. A window of what was written lately takes and drops as many nodes as
 * there are writes, nearly all of one size: those come from blocks and are kept by size when they
 * are dropped. So the memory is that of the most nodes there ever were of each size. */

/* With the address sanitizer each node is memory of its own, so that nobody gets away with using
 * one that is gone. */
#if defined(__SANITIZE_ADDRESS__)
enum { POOLED_MAX = 0 };
#else
enum { POOLED_MAX = 256 };
#endif
enum { POOL_UNIT = ARENA_ALIGN, POOL_SIZES = 256 / POOL_UNIT + 1 };

struct ordered_pool {
    struct arena arena;
    struct ordered_node *unused[POOL_SIZES]; /* by size in units; listed by their first next */
};

static void *node_alloc(struct ordered *map, size_t size)
{
    if (map->arena)
        return arena_alloc(map->arena, size);
    if (size > POOLED_MAX)
        return mem_alloc(size);
    if (!map->pool)
        map->pool = mem_zalloc(1, sizeof *map->pool);
    struct ordered_node **unused = &map->pool->unused[(size + POOL_UNIT - 1) / POOL_UNIT];
    struct ordered_node *node = *unused;
    if (!node)
        return arena_alloc(&map->pool->arena, size);
    *unused = node->next[0];
    return node;
}

static size_t node_size(uint32_t levels, size_t key_size)
{
    return sizeof(struct ordered_node) + levels * sizeof(struct ordered_node *) + key_size;
}

static void node_free(struct ordered *map, struct ordered_node *node)
{
    size_t size = node_size(node->level_count, node->key.size);
    ASSERT(!map->arena);
    mem_free((void *)(uintptr_t)node->value.data);
    if (size > POOLED_MAX) {
        mem_free(node);
        return;
    }
    struct ordered_node **unused = &map->pool->unused[(size + POOL_UNIT - 1) / POOL_UNIT];
    node->next[0] = *unused;
    *unused = node;
}

void ordered_free(struct ordered *map)
{
    struct ordered_node *node = map->arena ? NULL : map->heads[0];
    while (node) {
        struct ordered_node *next = node->next[0];
        node_free(map, node);
        node = next;
    }
    if (map->pool)
        arena_free(&map->pool->arena);
    mem_free(map->pool);
    ordered_init(map);
}

/* ---- the list -----------------------------------------------------------------------------------
 */

/* Behind `at` on a level; NULL stands for the head. */
static struct ordered_node *behind(const struct ordered *map, const struct ordered_node *at,
                                   uint32_t level)
{
    return at ? at->next[level] : map->heads[level];
}

/* Keys above all there are come often, and need no search. */
static bool above_all(const struct ordered *map, struct slice key)
{
    return !map->tails[0] || slice_compare(map->tails[0]->key, key) < 0;
}

/* The node before `key` on each level, NULL where that is the head; returns the first node >= key.
 */
static struct ordered_node *descend(const struct ordered *map, struct slice key,
                                    struct ordered_node *before[ORDERED_LEVELS_MAX])
{
    struct ordered_node *at = NULL;
    for (uint32_t level = map->level_count; level-- > 0;) {
        struct ordered_node *next = behind(map, at, level);
        while (next && slice_compare(next->key, key) < 0) {
            at = next;
            next = at->next[level];
        }
        if (before)
            before[level] = at;
    }
    return behind(map, at, 0);
}

/* The same for a key above the one that `before` was made for: up as long as the next node of the
 * level above is before the key, then down. What is above was right already. */
static struct ordered_node *descend_on(const struct ordered *map, struct slice key,
                                       struct ordered_node *before[ORDERED_LEVELS_MAX])
{
    uint32_t level = 0;
    while (level + 1 < map->level_count) {
        struct ordered_node *next = behind(map, before[level + 1], level + 1);
        if (!next || slice_compare(next->key, key) >= 0)
            break;
        level++;
    }
    struct ordered_node *at = before[level];
    bool moved = false;
    for (level++; level-- > 0;) {
        if (!moved)
            at = before[level]; /* further than where the level above stands */
        struct ordered_node *next = behind(map, at, level);
        while (next && slice_compare(next->key, key) < 0) {
            at = next;
            next = at->next[level];
            moved = true;
        }
        before[level] = at;
    }
    return behind(map, at, 0);
}

struct ordered_node *ordered_seek(const struct ordered *map, struct slice key)
{
    return descend(map, key, NULL);
}

struct ordered_node *ordered_before(const struct ordered *map, struct slice key)
{
    if (key.size == 0)
        return map->tails[0];
    struct ordered_node *at = descend(map, key, NULL);
    return at ? at->previous : map->tails[0];
}

struct ordered_node *ordered_find(const struct ordered *map, struct slice key)
{
    struct ordered_node *at = above_all(map, key) ? NULL : descend(map, key, NULL);
    return at && slice_equal(at->key, key) ? at : NULL;
}

static uint32_t level_draw(struct ordered *map)
{
    uint32_t levels = 0;
    bool higher = true;
    while (higher && levels < ORDERED_LEVELS_MAX) {
        if (map->draw_count == 0) {
            map->draws = prng_next(&map->prng);
            map->draw_count = 32;
        }
        higher = (map->draws & 3) == 0;
        map->draws >>= 2;
        map->draw_count--;
        levels++;
    }
    return levels;
}

/* A value that is not empty: in an arena. */
static struct ordered_node *node_create(struct ordered *map, struct slice key, struct slice value,
                                        uint32_t levels)
{
    size_t links = levels * sizeof(struct ordered_node *);
    ASSERT(map->arena || value.size == 0);
    struct ordered_node *node = node_alloc(map, node_size(levels, key.size) + value.size);
    uint8_t *bytes = (uint8_t *)node->next + links;
    *node = (struct ordered_node){.level_count = levels, .key = slice_make(bytes, key.size)};
    if (key.size)
        memcpy(bytes, key.data, key.size);
    if (value.size) {
        node->value = slice_make(bytes + key.size, value.size);
        memcpy(bytes + key.size, value.data, value.size);
    }
    return node;
}

/* Behind the nodes in `before`. */
static struct ordered_node *node_add(struct ordered *map, struct slice key, struct slice value,
                                     struct ordered_node *const before[ORDERED_LEVELS_MAX])
{
    uint32_t levels = level_draw(map);
    if (levels > map->level_count)
        map->level_count = levels;
    struct ordered_node *node = node_create(map, key, value, levels);
    node->previous = before[0]; /* which may be the tails, that change */
    for (uint32_t level = 0; level < levels; level++) {
        struct ordered_node **link =
            before[level] ? &before[level]->next[level] : &map->heads[level];
        node->next[level] = *link;
        *link = node;
        if (!node->next[level])
            map->tails[level] = node;
    }
    if (node->next[0])
        node->next[0]->previous = node;
    map->count++;
    map->bytes += key.size + value.size;
    return node;
}

struct ordered_node *ordered_add(struct ordered *map, struct slice key)
{
    struct ordered_node *before[ORDERED_LEVELS_MAX] = {0};
    const struct slice none = {0};
    if (above_all(map, key))
        return node_add(map, key, none, map->tails);
    struct ordered_node *at = descend(map, key, before);
    ASSERT(at);
    return slice_equal(at->key, key) ? at : node_add(map, key, none, before);
}

struct ordered_node *ordered_put(struct ordered *map, struct slice key, struct slice value)
{
    struct ordered_node *node;
    if (map->arena && above_all(map, key))
        return node_add(map, key, value, map->tails);
    node = ordered_add(map, key);
    ordered_set(map, node, value);
    return node;
}

struct ordered_node *ordered_add_next(struct ordered *map, struct ordered_finger *finger,
                                      struct slice key)
{
    struct ordered_node *at;
    if (finger->at && slice_compare(finger->at->key, key) < 0) {
        at = descend_on(map, key, finger->before);
    } else {
        memset(finger->before, 0, sizeof finger->before);
        at = descend(map, key, finger->before);
    }
    if (!at || !slice_equal(at->key, key))
        at = node_add(map, key, (struct slice){0}, finger->before);
    for (uint32_t level = 0; level < at->level_count; level++)
        finger->before[level] = at;
    finger->at = at;
    return at;
}

void ordered_set(struct ordered *map, struct ordered_node *node, struct slice value)
{
    uint8_t *copy = map->arena ? arena_alloc(map->arena, value.size) : mem_alloc(value.size);
    if (value.size)
        memcpy(copy, value.data, value.size);
    if (!map->arena)
        mem_free((void *)(uintptr_t)node->value.data);
    ASSERT(map->bytes >= node->value.size);
    map->bytes = map->bytes - node->value.size + value.size;
    node->value = slice_make(copy, value.size);
}

void ordered_remove(struct ordered *map, struct ordered_node *node)
{
    struct ordered_node *before[ORDERED_LEVELS_MAX] = {node->previous};
    ASSERT(!map->arena && map->count > 0);
    if (node->level_count > 1) {
        struct ordered_node *at = descend(map, node->key, before);
        ASSERT(at == node);
    }
    for (uint32_t level = 0; level < node->level_count; level++) {
        struct ordered_node **link =
            before[level] ? &before[level]->next[level] : &map->heads[level];
        ASSERT(*link == node);
        *link = node->next[level];
        if (map->tails[level] == node)
            map->tails[level] = before[level];
    }
    if (node->next[0])
        node->next[0]->previous = node->previous;
    map->count--;
    map->bytes -= node->key.size + node->value.size;
    node_free(map, node);
}
