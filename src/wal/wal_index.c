/* Where each entry is, and its term: 12 bytes an entry, and 16 for each change of term, since long
 * stretches of a log have one leader. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "wal/wal_int.h"

void wal__index_init(struct wal__index *index, uint64_t first, uint64_t first_term)
{
    ASSERT(first >= 1);
    index->first = first;
    index->first_term = first_term;
    index->dropped = 0;
    index->count = 0;
    index->run_count = 0;
}

void wal__index_free(struct wal__index *index)
{
    mem_free(index->slots);
    mem_free(index->runs);
    *index = (struct wal__index){0};
}

uint64_t wal__index_last(const struct wal__index *index)
{
    ASSERT(index->dropped <= index->count);
    return index->first + (index->count - index->dropped) - 1;
}

uint64_t wal__index_term(const struct wal__index *index, uint64_t at)
{
    ASSERT(at + 1 >= index->first && at <= wal__index_last(index));
    if (at + 1 == index->first)
        return index->first_term;
    uint32_t low = 0, high = index->run_count; /* the last run that begins at or before `at` */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (index->runs[middle].index <= at)
            low = middle;
        else
            high = middle;
    }
    ASSERT(index->run_count > 0 && index->runs[low].index <= at);
    return index->runs[low].term;
}

struct wal__slot wal__index_slot(const struct wal__index *index, uint64_t at)
{
    ASSERT(at >= index->first && at <= wal__index_last(index));
    return index->slots[index->dropped + (at - index->first)];
}

static void truncate_from(struct wal__index *index, uint64_t at)
{
    index->count = index->dropped + (uint32_t)(at - index->first);
    while (index->run_count > 0 && index->runs[index->run_count - 1].index >= at)
        index->run_count--;
}

void wal__index_put(struct wal__index *index, uint64_t at, uint64_t term, struct wal__slot slot)
{
    ASSERT(at >= index->first && at <= wal__index_last(index) + 1);
    truncate_from(index, at);
    index->slots = vec_grow(index->slots, &index->capacity, index->count + 1, sizeof *index->slots);
    index->slots[index->count++] = slot;
    if (index->run_count == 0 || index->runs[index->run_count - 1].term != term) {
        index->runs =
            vec_grow(index->runs, &index->run_capacity, index->run_count + 1, sizeof *index->runs);
        index->runs[index->run_count++] = (struct wal__run){.index = at, .term = term};
    }
}

void wal__index_drop_before(struct wal__index *index, uint64_t first)
{
    ASSERT(first >= index->first && first <= wal__index_last(index) + 1);
    index->first_term = wal__index_term(index, first - 1);
    index->dropped += (uint32_t)(first - index->first);
    index->first = first;
    uint32_t runs = 0; /* those that ended before */
    while (runs + 1 < index->run_count && index->runs[runs + 1].index <= first)
        runs++;
    if (index->dropped == index->count)
        runs = index->run_count;
    index->run_count -= runs;
    if (runs > 0 && index->run_count > 0)
        memmove(index->runs, index->runs + runs, index->run_count * sizeof *index->runs);
    /* Moving down when half is dropped costs each slot one move. */
    if (index->dropped > 0 && index->dropped >= index->count - index->dropped) {
        index->count -= index->dropped;
        if (index->count > 0)
            memmove(index->slots, index->slots + index->dropped,
                    index->count * sizeof *index->slots);
        index->dropped = 0;
    }
}
