/* Ordered map from byte strings to byte strings: a skip list (Pugh, "Skip Lists: A Probabilistic
 * Alternative to Balanced Trees", 1990). Keys and values are copied in. Walks both ways; a node
 * stays where it is until it is removed, so pointers to nodes may be kept. Not thread-safe. */
#ifndef BASE_ORDERED_H
#define BASE_ORDERED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/prng.h"

enum { ORDERED_LEVELS_MAX = 16 };

struct ordered_pool;

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
    struct ordered_node *tails[ORDERED_LEVELS_MAX]; /* the last of each level */
    struct arena *arena;                            /* or NULL, and then: */
    struct ordered_pool *pool; /* where nodes are made, once there is one; they come back there */
    uint32_t level_count;
    uint64_t count;
    uint64_t bytes; /* of all keys and values */
    struct prng prng;
    uint64_t draws; /* of prng, two bits a draw */
    uint32_t draw_count;
};

/* Where an ascending run of keys has come to. Zero-initialised: at the beginning. No good any more
 * once a node was removed from the map. */
struct ordered_finger {
    struct ordered_node *before[ORDERED_LEVELS_MAX];
    struct ordered_node *at;
};

void ordered_init(struct ordered *map);
/* A map that takes all its memory from `arena`, and so leaves it there: nothing is removed from it,
 * values replaced stay, and ordered_free is not needed. */
void ordered_init_in(struct ordered *map, struct arena *arena);
void ordered_free(struct ordered *map);
/* The first node with key >= `key`, or NULL. */
struct ordered_node *ordered_seek(const struct ordered *map, struct slice key);
/* The last node with key < `key`; the last of all for a key of size 0; NULL when there is none. */
struct ordered_node *ordered_before(const struct ordered *map, struct slice key);
struct ordered_node *ordered_find(const struct ordered *map, struct slice key);
/* The node of `key`, made with an empty value when there is none. */
struct ordered_node *ordered_add(struct ordered *map, struct slice key);
/* The same for one of a run of keys, of which most are above the one before: these are found from
 * there, in a time that depends on what lies between. */
struct ordered_node *ordered_add_next(struct ordered *map, struct ordered_finger *finger,
                                      struct slice key);
/* A value under a key, which a map in an arena has in one piece with a node made for it. */
struct ordered_node *ordered_put(struct ordered *map, struct slice key, struct slice value);
/* Gives the node a copy of `value`; the one it had is freed, without an arena. */
void ordered_set(struct ordered *map, struct ordered_node *node, struct slice value);
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
