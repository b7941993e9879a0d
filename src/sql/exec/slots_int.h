/* Inside the executor: numbers 0, 1, 2, ... found by the lower halves of hashes.
 *
 * Open addressing, at most half full. What has a number, and whether it is equal, its owner knows:
 * tuples in a collection (key_table.c), rows that may be in a file (row_set.c). */
#ifndef SQL_EXEC_SLOTS_INT_H
#define SQL_EXEC_SLOTS_INT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct error;
struct exec;

/* Stands for a row that is not there: its columns are NULL. */
#define EXEC_NO_ROW UINT32_MAX

struct slots {
    uint32_t *hashes; /* by number */
    uint32_t hash_capacity;
    uint32_t *slots; /* number + 1, or 0 */
    uint32_t count;
    size_t charged;
};

/* Room for `more` numbers, with `count` there. 53200, also for more than there can be. */
status_t exec__slots_reserve(struct slots *slots, struct exec *exec, uint64_t count, uint32_t more,
                             struct error *error);
/* Ready for others. */
void exec__slots_free(struct slots *slots, struct exec *exec);
static inline uint32_t exec__slots_first(const struct slots *slots, uint64_t hash)
{
    return (uint32_t)hash & (slots->count - 1);
}
static inline uint32_t exec__slots_behind(const struct slots *slots, uint32_t slot)
{
    return (slot + 1) & (slots->count - 1);
}
/* The number with that hash in the first slot that has one, from *slot on, which becomes that; or
 * EXEC_NO_ROW: there is none, and *slot is where another one belongs. */
static inline uint32_t exec__slots_find(const struct slots *slots, uint64_t hash, uint32_t *slot)
{
    for (; slots->slots[*slot]; *slot = exec__slots_behind(slots, *slot)) {
        uint32_t number = slots->slots[*slot] - 1;
        if (slots->hashes[number] == (uint32_t)hash)
            return number;
    }
    return EXEC_NO_ROW;
}
static inline void exec__slots_put(struct slots *slots, uint32_t slot, uint32_t number,
                                   uint64_t hash)
{
    slots->slots[slot] = number + 1;
    slots->hashes[number] = (uint32_t)hash;
}

#endif
