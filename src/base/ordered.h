/* Ordered map from byte strings to byte strings: a skip list (Pugh, "Skip Lists: A Probabilistic
 * Alternative to Balanced Trees", 1990). Keys and values are copied in. Walks both ways; a node
 * stays where it is until it is removed, so pointers to nodes may be kept. Not thread-safe. */
#ifndef BASE_ORDERED_H
#define BASE_ORDERED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/prng.h"

enum { ORDERED_LEVELS_MAX = 16 };

struct ordered_node {
    struct slice key;
    struct slice value; /* see ordered_put for its lifetime */
    uint64_t tag;       /* the owner's, 0 at first */
    struct ordered_node *previous;
    uint32_t level_count;
    struct ordered_node *next[]; /* level_count of them */
};

/* Initialise with ordered_init, release with ordered_free. */
struct ordered {
    struct ordered_node *heads[ORDERED_LEVELS_MAX];
    struct ordered_node *last;
    uint32_t level_count;
    uint64_t count;
    uint64_t bytes; /* of all keys and values */
    struct prng prng;
};

void ordered_init(struct ordered *map);
void ordered_free(struct ordered *map);
/* The first node with key >= `key`, or NULL. */
struct ordered_node *ordered_seek(const struct ordered *map, struct slice key);
/* The last node with key < `key`; the last of all for a key of size 0; NULL when there is none. */
struct ordered_node *ordered_before(const struct ordered *map, struct slice key);
struct ordered_node *ordered_find(const struct ordered *map, struct slice key);
/* The node of `key`, made with an empty value when there is none. */
struct ordered_node *ordered_add(struct ordered *map, struct slice key);
/* Gives the node a copy of `value`; the one it had is freed. */
void ordered_set(struct ordered *map, struct ordered_node *node, struct slice value);
/* As ordered_set, but gives the old value to the caller, who frees it with mem_free. */
void *ordered_replace(struct ordered *map, struct ordered_node *node, struct slice value);
void ordered_remove(struct ordered *map, struct ordered_node *node);
static inline struct ordered_node *ordered_first(const struct ordered *map)
{
    return map->heads[0];
}
static inline struct ordered_node *ordered_next(const struct ordered_node *node)
{
    return node->next[0];
}

#endif
