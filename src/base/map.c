#include "base/map.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* Linear probing; a removal moves later entries of the run back, so there are no tombstones. At
 * most three quarters full, so a probe always ends at an empty place. */

static struct slice key_copy(struct slice key)
{
    uint8_t *copy = mem_alloc(key.size);
    if (key.size)
        memcpy(copy, key.data, key.size);
    return slice_make(copy, key.size);
}

static uint32_t place_of(const struct map *map, uint64_t hash, struct slice key)
{
    ASSERT(map->capacity > map->count);
    uint32_t mask = map->capacity - 1;
    uint32_t place = (uint32_t)hash & mask;
    while (map->entries[place].key.data &&
           (map->entries[place].hash != hash || !slice_equal(map->entries[place].key, key)))
        place = (place + 1) & mask;
    return place;
}

static void map_grow(struct map *map)
{
    struct map old = *map;
    map->capacity = old.capacity ? old.capacity * 2 : 16;
    ASSERT(map->capacity > old.capacity);
    map->entries = mem_zalloc(map->capacity, sizeof *map->entries);
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (old.entries[i].key.data)
            map->entries[place_of(map, old.entries[i].hash, old.entries[i].key)] = old.entries[i];
    }
    mem_free(old.entries);
}

void map_free(struct map *map)
{
    for (uint32_t i = 0; i < map->capacity; i++)
        mem_free((void *)(uintptr_t)map->entries[i].key.data);
    mem_free(map->entries);
    *map = (struct map){0};
}

void *map_get(const struct map *map, struct slice key)
{
    if (map->count == 0)
        return NULL;
    return map->entries[place_of(map, slice_hash(key), key)].value;
}

void *map_put(struct map *map, struct slice key, void *value)
{
    ASSERT(value);
    if (map->count >= map->capacity / 4 * 3)
        map_grow(map);
    uint64_t hash = slice_hash(key);
    struct map_entry *entry = &map->entries[place_of(map, hash, key)];
    void *replaced = entry->value;
    if (!entry->key.data) {
        entry->key = key_copy(key);
        entry->hash = hash;
        map->count++;
    }
    entry->value = value;
    return replaced;
}

void *map_remove(struct map *map, struct slice key)
{
    if (map->count == 0)
        return NULL;
    uint32_t mask = map->capacity - 1;
    uint32_t hole = place_of(map, slice_hash(key), key);
    if (!map->entries[hole].key.data)
        return NULL;
    void *removed = map->entries[hole].value;
    mem_free((void *)(uintptr_t)map->entries[hole].key.data);
    for (uint32_t next = (hole + 1) & mask; map->entries[next].key.data; next = (next + 1) & mask) {
        /* An entry may move back to the hole unless its home lies between hole and itself. */
        uint32_t home = (uint32_t)map->entries[next].hash & mask;
        if (((next - home) & mask) < ((next - hole) & mask))
            continue;
        map->entries[hole] = map->entries[next];
        hole = next;
    }
    map->entries[hole] = (struct map_entry){0};
    map->count--;
    return removed;
}

bool map_next(const struct map *map, uint32_t *place, struct slice *key, void **value)
{
    for (; *place < map->capacity; (*place)++) {
        const struct map_entry *entry = &map->entries[*place];
        if (!entry->key.data)
            continue;
        *key = entry->key;
        *value = entry->value;
        (*place)++;
        return true;
    }
    return false;
}
