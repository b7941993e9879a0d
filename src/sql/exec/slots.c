#include "base/mem.h"
#include "sql/exec/exec_int.h"

enum { SLOTS_FIRST = 16, NUMBERS_MAX = EXEC_NO_ROW / 4 };

static void numbers_put(struct slots *slots, uint32_t count)
{
    uint32_t mask = slots->count - 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = slots->hashes[i] & mask;
        while (slots->slots[at])
            at = (at + 1) & mask;
        slots->slots[at] = i + 1;
    }
}

status_t exec__slots_reserve(struct slots *slots, struct exec *exec, uint64_t count, uint32_t more,
                             struct error *error)
{
    if (count + more > NUMBERS_MAX)
        return error_set(error, ERR_NOMEM, "out of memory: too many rows to tell apart");
    uint32_t need = (uint32_t)count + more;
    if (need <= slots->hash_capacity && need <= slots->count / 2)
        return OK;
    slots->hashes = vec_grow(slots->hashes, &slots->hash_capacity, need, sizeof *slots->hashes);
    if (need > slots->count / 2) {
        uint32_t room = slots->count ? slots->count : SLOTS_FIRST;
        while (need > room / 2)
            room *= 2;
        mem_free(slots->slots);
        slots->slots = mem_zalloc(room, sizeof *slots->slots);
        slots->count = room;
        numbers_put(slots, (uint32_t)count);
    }
    size_t size =
        slots->hash_capacity * sizeof *slots->hashes + slots->count * sizeof *slots->slots;
    size_t grown = size - slots->charged;
    slots->charged = size;
    return exec__memory_charge(exec, grown, error);
}

void exec__slots_free(struct slots *slots, struct exec *exec)
{
    exec__memory_release(exec, slots->charged);
    mem_free(slots->hashes);
    mem_free(slots->slots);
    *slots = (struct slots){0};
}
