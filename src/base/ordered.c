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

static void node_free(struct ordered_node *node)
{
    mem_free((void *)(uintptr_t)node->value.data);
    mem_free(node);
}

void ordered_free(struct ordered *map)
{
    struct ordered_node *node = map->arena ? NULL : map->heads[0];
    while (node) {
        struct ordered_node *next = node->next[0];
        node_free(node);
        node = next;
    }
    ordered_init(map);
}

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
    uint64_t bits = prng_next(&map->prng);
    uint32_t levels = 1;
    while (levels < ORDERED_LEVELS_MAX && (bits & 3) == 0) {
        levels++;
        bits >>= 2;
    }
    return levels;
}

static struct ordered_node *node_create(const struct ordered *map, struct slice key,
                                        uint32_t levels)
{
    size_t links = levels * sizeof(struct ordered_node *);
    struct ordered_node *node;
    size_t size = sizeof *node + links + key.size;
    node = map->arena ? arena_alloc(map->arena, size) : mem_alloc(size);
    *node = (struct ordered_node){.level_count = levels};
    uint8_t *bytes = (uint8_t *)node->next + links;
    if (key.size)
        memcpy(bytes, key.data, key.size);
    node->key = slice_make(bytes, key.size);
    return node;
}

/* Behind the nodes in `before`. */
static struct ordered_node *node_add(struct ordered *map, struct slice key,
                                     struct ordered_node *const before[ORDERED_LEVELS_MAX])
{
    uint32_t levels = level_draw(map);
    if (levels > map->level_count)
        map->level_count = levels;
    struct ordered_node *node = node_create(map, key, levels);
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
    map->bytes += key.size;
    return node;
}

struct ordered_node *ordered_add(struct ordered *map, struct slice key)
{
    struct ordered_node *before[ORDERED_LEVELS_MAX] = {0};
    if (above_all(map, key))
        return node_add(map, key, map->tails);
    struct ordered_node *at = descend(map, key, before);
    ASSERT(at);
    return slice_equal(at->key, key) ? at : node_add(map, key, before);
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
        at = node_add(map, key, finger->before);
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
    node_free(node);
}
