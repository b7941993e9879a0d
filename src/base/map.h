/* Hash map from byte strings to pointers. Keys are copied in. Open addressing, not ordered: never
 * iterate it where the order could reach a replica's state. Not thread-safe. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct map_entry {
    uint64_t hash;
    struct slice key; /* owned by the map; data NULL: empty place */
    void *value;
};

/* Zero-initialised is a valid empty map. */
struct map {
    struct map_entry *entries;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
};

void map_free(struct map *map);
/* The value under `key`, or NULL. */
void *map_get(const struct map *map, struct slice key);
/* Puts a value that is not NULL; returns the one it replaced, or NULL. */
void *map_put(struct map *map, struct slice key, void *value);
/* Takes the value out and returns it, or NULL. */
void *map_remove(struct map *map, struct slice key);
/* Walks all entries: start with *place = 0; false at the end. No changes meanwhile. */
bool map_next(const struct map *map, uint32_t *place, struct slice *key, void **value);

#endif
