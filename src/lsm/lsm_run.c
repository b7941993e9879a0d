/* Runs: what is read of them, and when it is believed.
 *
 * A run written since the store was opened is sound as far as memory is. Of one that was found on
 * the disk, index and filter are looked at when either is first needed, and each block when it is:
 * checksum, then layout. What was found sound is noted in a bit and not looked at again, but by
 * the scrubber and the check. Two threads may look at the same block at once; both come to the same
 * end. */
#include "base/crc32c.h"
#include "base/mem.h"
#include "lsm/lsm_int.h"

static struct slice copy(struct slice bytes)
{
    uint8_t *to = mem_alloc(bytes.size);
    if (bytes.size > 0)
        memcpy(to, bytes.data, bytes.size);
    return slice_make(to, bytes.size);
}

struct lsm__run *lsm__run_create(struct lsm *lsm, const struct lsm__record *record,
                                 struct slice first, struct slice last, bool trusted)
{
    struct lsm__run *run = mem_zalloc(1, sizeof *run);
    ASSERT(first.size > 0 && slice_compare(first, last) <= 0);
    run->record = *record;
    run->record.first_size = (uint16_t)first.size;
    run->record.last_size = (uint16_t)last.size;
    run->first = copy(first);
    run->last = copy(last);
    run->base = lsm->base + (uint64_t)record->page * lsm->page_size;
    run->references = 1;
    run->trusted = trusted;
    atomic_store(&run->sound, trusted);
    if (!trusted)
        run->verified = mem_zalloc((record->blocks + 63) / 64, sizeof *run->verified);
    return run;
}

void lsm__run_release(struct lsm *lsm, struct lsm__run *run)
{
    ASSERT(run->references > 0);
    if (--run->references > 0)
        return;
    lsm__space_free(lsm, (struct lsm__extent){run->record.page, run->record.pages});
    mem_free((void *)(uintptr_t)run->first.data);
    mem_free((void *)(uintptr_t)run->last.data);
    mem_free((void *)(uintptr_t)run->verified);
    mem_free(run);
}

static status_t block_check(const struct lsm *lsm, const struct lsm__run *run,
                            const struct lsm__block *block, uint64_t room, struct error *error)
{
    const uint8_t *at = (const uint8_t *)block;
    if (room < sizeof *block || block->size < sizeof *block || block->size > room)
        return lsm__corrupt(lsm, at, "impossible size", error);
    if (block->crc != lsm__block_crc(block, run->record.number))
        return lsm__corrupt(lsm, at, "wrong checksum", error);
    const char *flaw = lsm__block_flaw(block, room);
    return flaw == NULL ? OK : lsm__corrupt(lsm, at, flaw, error);
}

static status_t index_check(const struct lsm *lsm, const struct lsm__run *run, struct error *error)
{
    const struct lsm__record *record = &run->record;
    const struct lsm__block *index = lsm__run_index(run);
    status_t status = block_check(lsm, run, index, record->filter_at - record->index_at, error);
    if (status != OK)
        return status;
    if (index->count != record->blocks)
        return lsm__corrupt(lsm, (const uint8_t *)index, "not of so many blocks", error);
    for (uint32_t i = 0; i < index->count; i++) {
        struct slice value = lsm__block_value(index, i);
        if (value.size != 12 || get_u64_le(value.data) % 8 != 0 ||
            get_u64_le(value.data) > record->index_at ||
            get_u32_le(value.data + 8) > record->index_at - get_u64_le(value.data))
            return lsm__corrupt(lsm, (const uint8_t *)index, "block out of bounds", error);
    }
    const uint8_t *filter = run->base + record->filter_at;
    if (crc32c(0, filter, (size_t)record->filter_lines * LSM_FILTER_LINE) != record->filter_crc)
        return lsm__corrupt(lsm, filter, "wrong checksum", error);
    return OK;
}

status_t lsm__run_open(struct lsm *lsm, struct lsm__run *run, bool again, struct error *error)
{
    if (!again && atomic_load_explicit(&run->sound, memory_order_acquire))
        return OK;
    status_t status = index_check(lsm, run, error);
    if (status == OK)
        atomic_store_explicit(&run->sound, true, memory_order_release);
    return status;
}

status_t lsm__run_block(struct lsm *lsm, const struct lsm__run *run, uint32_t number, bool again,
                        const struct lsm__block **out, struct error *error)
{
    struct slice place = lsm__block_value(lsm__run_index(run), number);
    uint64_t at = get_u64_le(place.data);
    *out = (const struct lsm__block *)(const void *)(run->base + at);
    bool known =
        run->verified == NULL ||
        (atomic_load_explicit(&run->verified[number / 64], memory_order_acquire) >> (number % 64) &
         1) != 0;
    if (known && !again)
        return OK;
    status_t status = block_check(lsm, run, *out, get_u32_le(place.data + 8), error);
    if (status == OK && run->verified != NULL)
        atomic_fetch_or_explicit(&run->verified[number / 64], 1ull << (number % 64),
                                 memory_order_release);
    return status;
}

uint32_t lsm__run_search(const struct lsm__run *const *runs, uint32_t count, struct slice key)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_compare(runs[middle]->last, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool lsm__run_overlaps(const struct lsm__run *run, struct slice first, struct slice last)
{
    return slice_compare(run->first, last) <= 0 && slice_compare(run->last, first) >= 0;
}

status_t lsm__run_get(struct lsm *lsm, const struct lsm__run *run, struct slice key, uint64_t hash,
                      bool filtered, struct slice *value, bool *tombstone, struct error *error)
{
    const struct lsm__block *block;
    bool exact;
    if (slice_compare(key, run->first) < 0 || slice_compare(key, run->last) > 0)
        return ERR_NOT_FOUND;
    status_t status = lsm__run_open(lsm, (struct lsm__run *)(uintptr_t)run, false, error);
    if (status != OK)
        return status;
    if (filtered &&
        !lsm__filter_has(run->base + run->record.filter_at, run->record.filter_lines, hash))
        return ERR_NOT_FOUND;
    uint32_t number = lsm__block_search(lsm__run_index(run), key, &exact);
    if (number >= run->record.blocks) /* the index of a damaged run: its last key is told twice */
        return lsm__corrupt(lsm, (const uint8_t *)lsm__run_index(run), "ends too early", error);
    status = lsm__run_block(lsm, run, number, false, &block, error);
    if (status != OK)
        return status;
    uint32_t index = lsm__block_search(block, key, &exact);
    if (!exact)
        return ERR_NOT_FOUND;
    *tombstone = lsm__block_slots(block)[index].tombstone != 0;
    *value = lsm__block_value(block, index);
    return OK;
}
