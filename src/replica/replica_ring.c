#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "replica/replica_int.h"

void replica__ring_init(struct replica__ring *ring, size_t item_size)
{
    ASSERT(item_size > 0);
    *ring = (struct replica__ring){.item_size = item_size};
}

void replica__ring_free(struct replica__ring *ring)
{
    mem_free(ring->items);
    replica__ring_init(ring, ring->item_size);
}

void *replica__ring_at(struct replica__ring *ring, uint32_t i)
{
    ASSERT(i < ring->count);
    return ring->items + ((ring->head + i) % ring->capacity) * ring->item_size;
}

void replica__ring_push(struct replica__ring *ring, const void *item)
{
    if (ring->count == ring->capacity) {
        uint32_t grown = ring->capacity ? ring->capacity * 2 : 16;
        ASSERT(grown > ring->capacity);
        uint8_t *items = mem_alloc(grown * ring->item_size);
        for (uint32_t i = 0; i < ring->count; i++)
            memcpy(items + i * ring->item_size, replica__ring_at(ring, i), ring->item_size);
        mem_free(ring->items);
        ring->items = items;
        ring->capacity = grown;
        ring->head = 0;
    }
    ring->count++;
    memcpy(replica__ring_at(ring, ring->count - 1), item, ring->item_size);
}

void replica__ring_pop(struct replica__ring *ring)
{
    ASSERT(ring->count > 0);
    ring->head = (ring->head + 1) % ring->capacity;
    ring->count--;
}
