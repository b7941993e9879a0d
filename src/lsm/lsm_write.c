/* Changes.
 *
 * A change becomes a version in the newest memtable, of the sequence number that the next publish
 * shows. Before that the place where the memtable will be written must be large enough for it, so a
 * full disk is met here, where nothing has happened yet, and not by the checkpoint. The older
 * levels are asked whether they have the key: so the number of entries is exact, and what is not
 * there costs no tombstone. */
#include "base/mem.h"
#include "lsm/lsm_int.h"

#define RESERVE_LEAST (64u << 10)
#define RESERVE_STEP  (8u << 20)

/* Of an entry: what it adds to a run, and the slack of its block. */
static uint64_t entry_bytes(size_t key_size, size_t value_size)
{
    return sizeof(struct lsm__slot) + key_size + value_size;
}

status_t lsm__reserve_for(struct lsm *lsm, uint64_t bytes, struct error *error)
{
    const struct lsm__memtable *memtable = lsm->state->memtables[0];
    uint64_t need = lsm__memtable_bound(lsm, memtable, bytes);
    uint64_t have = (uint64_t)lsm->reserve.pages * lsm->page_size;
    if (need <= have)
        return OK;
    uint64_t wish = have < RESERVE_LEAST  ? RESERVE_LEAST
                    : have < RESERVE_STEP ? 2 * have
                                          : have + RESERVE_STEP;
    struct error local;
    status_t status = OK;
    if (wish > need) {
        status = lsm__space_extend(lsm, &lsm->reserve, wish, &local);
        if (status == OK)
            return OK;
    }
    return lsm__space_extend(lsm, &lsm->reserve, need, error);
}

status_t lsm_reserve(struct lsm *lsm, uint64_t bytes, struct error *error)
{
    status_t status = lsm__writable(lsm, error);
    return status == OK && bytes > 0 ? lsm__reserve_for(lsm, bytes, error) : status;
}

static void note_fresh(struct lsm *lsm, struct lsm__node *node)
{
    lsm->fresh =
        vec_grow(lsm->fresh, &lsm->fresh_capacity, lsm->fresh_count + 1, sizeof *lsm->fresh);
    lsm->fresh[lsm->fresh_count++] = node;
}

/* Whether the key is there, below what the newest memtable says. */
static status_t look_below(struct lsm *lsm, struct slice key, bool *found, struct error *error)
{
    struct slice value;
    struct lsm__state below = *lsm->state;
    below.memtable_count--;
    memmove(below.memtables, below.memtables + 1, below.memtable_count * sizeof *below.memtables);
    status_t status = lsm__state_get(lsm, &below, lsm->sequence, key, &value, error);
    *found = status == OK;
    return status == ERR_NOT_FOUND ? OK : status;
}

/* A null value removes. *found: the key was there. */
static status_t change(struct lsm *lsm, struct slice key, const struct slice *value, bool *found,
                       struct error *error)
{
    struct lsm__memtable *memtable = lsm->state->memtables[0];
    uint64_t bytes = entry_bytes(key.size, value != NULL ? value->size : 0);
    struct lsm__node *node = lsm__memtable_find_latest(memtable, key);
    status_t status = OK;
    if (node != NULL)
        *found = !node->tombstone;
    else
        status = look_below(lsm, key, found, error);
    if (status != OK || (value == NULL && !*found))
        return status;
    status = lsm__reserve_for(lsm, bytes, error);
    if (status != OK)
        return status;
    if (node != NULL && node->sequence == lsm->sequence)
        lsm__memtable_replace(memtable, node, value);
    else
        note_fresh(lsm, lsm__memtable_add(memtable, node, key, value, lsm->sequence));
    lsm->changes++;
    if (*found && value == NULL)
        lsm->entries--;
    else if (!*found)
        lsm->entries++;
    return OK;
}

/* The change has happened, whatever comes of the merging: damage that it meets makes the store
 * failed, and the next change tells. */
static void pay(struct lsm *lsm, uint64_t bytes)
{
    struct error error;
    (void)lsm__pay(lsm, bytes, &error);
}

status_t lsm_put(struct lsm *lsm, struct slice key, struct slice value, struct error *error)
{
    bool found;
    status_t status = lsm__writable(lsm, error);
    ASSERT(lsm->loading == NULL);
    if (status != OK)
        return status;
    ASSERT(key.size > 0 && key.size <= LSM_KEY_SIZE_MAX && value.size <= LSM_VALUE_SIZE_MAX);
    status = change(lsm, key, &value, &found, error);
    if (status == OK)
        pay(lsm, entry_bytes(key.size, value.size));
    return status;
}

status_t lsm_delete(struct lsm *lsm, struct slice key, bool *found, struct error *error)
{
    bool was_there = false;
    status_t status = lsm__writable(lsm, error);
    ASSERT(lsm->loading == NULL);
    if (status != OK)
        return status;
    ASSERT(key.size > 0);
    if (key.size <= LSM_KEY_SIZE_MAX)
        status = change(lsm, key, NULL, &was_there, error);
    if (found != NULL)
        *found = was_there;
    if (status == OK && was_there)
        pay(lsm, entry_bytes(key.size, 0));
    return status;
}

/* The cursor stays good while tombstones are put behind it: nodes are only added, and no state is
 * freed before the merging that is paid for at the end. */
status_t lsm_delete_range(struct lsm *lsm, struct slice low, struct slice high, uint64_t limit,
                          uint64_t *removed, struct error *error)
{
    struct lsm_cursor cursor;
    uint8_t room[LSM_KEY_SIZE_MAX];
    uint64_t written = 0;
    *removed = 0;
    status_t status = lsm__writable(lsm, error);
    ASSERT(lsm->loading == NULL);
    if (status != OK)
        return status;
    lsm__cursor_init_state(&cursor, lsm, lsm->state, lsm->sequence);
    status = low.size > 0 ? lsm_cursor_seek(&cursor, low, error) : lsm_cursor_first(&cursor, error);
    while (status == OK && cursor.valid && *removed < limit) {
        bool found;
        struct slice key = lsm_cursor_key(&cursor, room);
        if (high.size > 0 && slice_compare(key, high) >= 0)
            break;
        status = change(lsm, key, NULL, &found, error);
        if (status != OK)
            break;
        if (!found) {
            status = error_set(error, ERR_CORRUPT, "\"%s\" is damaged: keys are out of order",
                               lsm->path);
            break;
        }
        ++*removed;
        written += entry_bytes(key.size, 0);
        status = lsm_cursor_next(&cursor, error);
    }
    if (written > 0)
        pay(lsm, written);
    return status;
}
