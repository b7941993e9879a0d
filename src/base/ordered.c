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

static void node_free(struct ordered_node *node)
{
    mem_free((void *)(uintptr_t)node->value.data);
    mem_free(node);
}

void ordered_free(struct ordered *map)
{
    struct ordered_node *node = map->heads[0];
    while (node) {
        struct ordered_node *next = node->next[0];
        node_free(node);
        node = next;
    }
    ordered_init(map);
}

/* The node before `key` on each level, NULL where that is the head; returns the first node >= key.
 */
static struct ordered_node *descend(const struct ordered *map, struct slice key,
                                    struct ordered_node *before[ORDERED_LEVELS_MAX])
{
    struct ordered_node *at = NULL;
    for (uint32_t level = map->level_count; level-- > 0;) {
        struct ordered_node *next = at ? at->next[level] : map->heads[level];
        while (next && slice_compare(next->key, key) < 0) {
            at = next;
            next = at->next[level];
        }
        if (before)
            before[level] = at;
    }
    return at ? at->next[0] : map->heads[0];
}

struct ordered_node *ordered_seek(const struct ordered *map, struct slice key)
{
    return descend(map, key, NULL);
}

struct ordered_node *ordered_before(const struct ordered *map, struct slice key)
{
    if (key.size == 0)
        return map->last;
    struct ordered_node *at = descend(map, key, NULL);
    return at ? at->previous : map->last;
}

struct ordered_node *ordered_find(const struct ordered *map, struct slice key)
{
    struct ordered_node *at = descend(map, key, NULL);
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

static struct ordered_node *node_create(struct slice key, uint32_t levels)
{
    size_t links = levels * sizeof(struct ordered_node *);
    struct ordered_node *node = mem_alloc(sizeof *node + links + key.size);
    *node = (struct ordered_node){.level_count = levels};
    uint8_t *bytes = (uint8_t *)node->next + links;
    if (key.size)
        memcpy(bytes, key.data, key.size);
    node->key = slice_make(bytes, key.size);
    return node;
}

struct ordered_node *ordered_add(struct ordered *map, struct slice key)
{
    struct ordered_node *before[ORDERED_LEVELS_MAX] = {0};
    struct ordered_node *at = descend(map, key, before);
    if (at && slice_equal(at->key, key))
        return at;
    uint32_t levels = level_draw(map);
    if (levels > map->level_count)
        map->level_count = levels;
    struct ordered_node *node = node_create(key, levels);
    for (uint32_t level = 0; level < levels; level++) {
        struct ordered_node **link =
            before[level] ? &before[level]->next[level] : &map->heads[level];
        node->next[level] = *link;
        *link = node;
    }
    node->previous = before[0];
    if (node->next[0])
        node->next[0]->previous = node;
    else
        map->last = node;
    map->count++;
    map->bytes += key.size;
    return node;
}

void *ordered_replace(struct ordered *map, struct ordered_node *node, struct slice value)
{
    uint8_t *copy = mem_alloc(value.size);
    if (value.size)
        memcpy(copy, value.data, value.size);
    void *old = (void *)(uintptr_t)node->value.data;
    ASSERT(map->bytes >= node->value.size);
    map->bytes = map->bytes - node->value.size + value.size;
    node->value = slice_make(copy, value.size);
    return old;
}

void ordered_set(struct ordered *map, struct ordered_node *node, struct slice value)
{
    mem_free(ordered_replace(map, node, value));
}

void ordered_remove(struct ordered *map, struct ordered_node *node)
{
    struct ordered_node *before[ORDERED_LEVELS_MAX] = {0};
    struct ordered_node *at = descend(map, node->key, before);
    ASSERT(at == node);
    for (uint32_t level = 0; level < node->level_count; level++) {
        struct ordered_node **link =
            before[level] ? &before[level]->next[level] : &map->heads[level];
        ASSERT(*link == node);
        *link = node->next[level];
    }
    if (node->next[0])
        node->next[0]->previous = node->previous;
    else
        map->last = node->previous;
    ASSERT(map->count > 0);
    map->count--;
    map->bytes -= node->key.size + node->value.size;
    node_free(node);
}
