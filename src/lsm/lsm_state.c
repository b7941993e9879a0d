/* States: what a snapshot sees, and when it can go.
 *
 * A state is the memtables and the set of runs that make up the store, from the newest to the
 * oldest; together with a sequence number, which tells the published versions of the newest
 * memtable from later ones, it is a snapshot. Changes only raise the number; freezing a memtable,
 * and putting runs in the place of others, make a new state.
 *
 * A view is opened without a lock, as kv's snapshots are:
 *
 *   reader                                  writer (show, then reclaim)
 *   1 pin = OPENING                         a shown[v & 1] = state, sequence
 *   2 v = version                           b version = v
 *   3 state, sequence = shown[v & 1]        c read the pins
 *   4 if version != v: back to 2
 *   5 pin = v
 *
 * All of these are sequentially consistent. Either 1 comes before c, then the writer sees OPENING
 * (or v) and frees nothing that the reader could get; or c comes before 1, then 2 reads a version
 * at least as new as the one the writer reclaimed under. What is read in 3 belongs to v: the place
 * is only written again for v + 2, after v + 1 was shown, which 4 would notice.
 *
 * A state that another took the place of at version r is reachable by views pinned below r; it is
 * freed, and its references to memtables and runs with it, when there is none left. A run without
 * references gives its pages back. All counting is the writer's, so none of it is atomic. */
#include "base/mem.h"
#include "lsm/lsm_int.h"

/* ---- sets of runs --------------------------------------------------------------------------- */

struct lsm__runs *lsm__runs_create(void)
{
    struct lsm__runs *runs = mem_zalloc(1, sizeof *runs);
    runs->references = 1;
    return runs;
}

void lsm__runs_release(struct lsm *lsm, struct lsm__runs *runs)
{
    if (runs == NULL)
        return;
    ASSERT(runs->references > 0);
    if (--runs->references > 0)
        return;
    for (uint32_t level = 0; level < LSM_LEVELS; level++) {
        for (uint32_t i = 0; i < runs->count[level]; i++)
            lsm__run_release(lsm, runs->level[level][i]);
        mem_free(runs->level[level]);
    }
    mem_free(runs);
}

void lsm__runs_append(struct lsm__runs *runs, uint32_t level, struct lsm__run *run)
{
    ASSERT(level < LSM_LEVELS && run->references > 0);
    uint32_t count = runs->count[level];
    if ((count & (count - 1)) == 0) /* full: none, or a power of two */
        runs->level[level] =
            mem_realloc(runs->level[level], (count == 0 ? 1 : 2ull * count) * sizeof run);
    runs->level[level][runs->count[level]++] = run;
    run->references++;
}

static bool contains(struct lsm__run *const *runs, uint32_t count, const struct lsm__run *run)
{
    for (uint32_t i = 0; i < count; i++)
        if (runs[i] == run)
            return true;
    return false;
}

struct lsm__runs *lsm__runs_change(const struct lsm__runs *runs, struct lsm__run *const *gone,
                                   uint32_t gone_count, struct lsm__run *const *come,
                                   uint32_t come_count)
{
    struct lsm__runs *changed = lsm__runs_create();
    for (uint32_t level = 0; level < LSM_LEVELS; level++) {
        uint32_t next = 0;
        for (uint32_t i = 0; i < runs->count[level] || next < come_count;) {
            struct lsm__run *old = i < runs->count[level] ? runs->level[level][i] : NULL;
            if (old != NULL && contains(gone, gone_count, old)) {
                i++;
                continue;
            }
            while (next < come_count && come[next]->record.level != level)
                next++;
            bool take_new = next < come_count && (old == NULL || level == 0 ||
                                                  slice_compare(come[next]->first, old->first) < 0);
            if (take_new)
                lsm__runs_append(changed, level, come[next++]);
            else if (old != NULL)
                lsm__runs_append(changed, level, runs->level[level][i++]);
        }
    }
    return changed;
}

uint64_t lsm__runs_bytes(const struct lsm *lsm, const struct lsm__runs *runs, uint32_t level)
{
    uint64_t pages = 0;
    for (uint32_t i = 0; i < runs->count[level]; i++)
        pages += runs->level[level][i]->record.pages;
    return pages * lsm->page_size;
}

/* ---- states --------------------------------------------------------------------------------- */

static void state_free(struct lsm *lsm, struct lsm__state *state)
{
    for (uint32_t i = 0; i < state->memtable_count; i++)
        if (--state->memtables[i]->references == 0)
            lsm__memtable_destroy(state->memtables[i]);
    lsm__runs_release(lsm, state->runs);
    mem_free(state);
}

void lsm__state_show(struct lsm *lsm, uint64_t sequence)
{
    uint64_t version = atomic_load(&lsm->version) + 1;
    atomic_store(&lsm->shown[version & 1].state, lsm->state);
    atomic_store(&lsm->shown[version & 1].sequence, sequence);
    atomic_store(&lsm->version, version);
}

void lsm__state_install(struct lsm *lsm, struct lsm__memtable *const *memtables, uint32_t count,
                        struct lsm__runs *runs)
{
    struct lsm__state *state = mem_zalloc(1, sizeof *state), *before = lsm->state;
    ASSERT(count > 0 && count <= LSM_MEMTABLES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        state->memtables[i] = memtables[i];
        memtables[i]->references++;
    }
    state->memtable_count = count;
    state->runs = runs;
    lsm->state = state;
    lsm->changes++;
    lsm__state_show(lsm, lsm->sequence - 1);
    if (before == NULL)
        return;
    before->retired = atomic_load(&lsm->version);
    if (lsm->retired_last != NULL)
        lsm->retired_last->next = before;
    else
        lsm->retired = before;
    lsm->retired_last = before;
    lsm__state_reclaim(lsm);
}

void lsm__state_reclaim(struct lsm *lsm)
{
    if (lsm->retired == NULL)
        return;
    uint64_t oldest = UINT64_MAX - 1;
    uint32_t used = atomic_load(&lsm->views_used);
    for (uint32_t i = 0; i < used; i++) {
        uint64_t pin = atomic_load(&lsm->views[i].pin);
        if (pin == LSM_PIN_OPENING)
            return;
        if (pin != 0 && pin < oldest)
            oldest = pin;
    }
    while (lsm->retired != NULL && lsm->retired->retired <= oldest) {
        struct lsm__state *state = lsm->retired;
        lsm->retired = state->next;
        if (lsm->retired == NULL)
            lsm->retired_last = NULL;
        state_free(lsm, state);
    }
}

void lsm__state_destroy(struct lsm *lsm)
{
    while (lsm->retired != NULL) {
        struct lsm__state *state = lsm->retired;
        lsm->retired = state->next;
        state_free(lsm, state);
    }
    if (lsm->state != NULL)
        state_free(lsm, lsm->state);
    lsm->state = NULL;
}

/* ---- views ---------------------------------------------------------------------------------- */

struct lsm_view *lsm_view_open(struct lsm *lsm, uint32_t place)
{
    ASSERT(place < lsm->options.views_max);
    struct lsm_view *view = &lsm->views[place];
    uint32_t used = atomic_load(&lsm->views_used);
    ASSERT(atomic_load(&view->pin) == 0);
    while (used <= place && !atomic_compare_exchange_weak(&lsm->views_used, &used, place + 1))
        ;
    atomic_store(&view->pin, LSM_PIN_OPENING);
    uint64_t version;
    do {
        version = atomic_load(&lsm->version);
        view->state = atomic_load(&lsm->shown[version & 1].state);
        view->sequence = atomic_load(&lsm->shown[version & 1].sequence);
    } while (atomic_load(&lsm->version) != version);
    view->lsm = lsm;
    atomic_store(&view->pin, version);
    return view;
}

void lsm_view_close(struct lsm_view *view)
{
    ASSERT(atomic_load(&view->pin) != 0);
    atomic_store(&view->pin, 0);
}

/* ---- reading one key ------------------------------------------------------------------------ */

static status_t get_from_runs(struct lsm *lsm, const struct lsm__runs *runs, struct slice key,
                              struct slice *value, bool *tombstone, struct error *error)
{
    uint64_t hash = lsm__filter_hash(key);
    for (uint32_t i = 0; i < runs->count[0]; i++) {
        status_t status =
            lsm__run_get(lsm, runs->level[0][i], key, hash, true, value, tombstone, error);
        if (status != ERR_NOT_FOUND)
            return status;
    }
    for (uint32_t level = 1; level < LSM_LEVELS; level++) {
        const struct lsm__run *const *sorted = (const struct lsm__run *const *)runs->level[level];
        uint32_t at = lsm__run_search(sorted, runs->count[level], key);
        if (at >= runs->count[level])
            continue;
        status_t status = lsm__run_get(lsm, sorted[at], key, hash, true, value, tombstone, error);
        if (status != ERR_NOT_FOUND)
            return status;
    }
    return ERR_NOT_FOUND;
}

status_t lsm__state_get(struct lsm *lsm, const struct lsm__state *state, uint64_t sequence,
                        struct slice key, struct slice *value, struct error *error)
{
    bool tombstone = false;
    for (uint32_t i = 0; i < state->memtable_count; i++) {
        const struct lsm__node *node = lsm__memtable_get(state->memtables[i], key, sequence);
        if (node == NULL)
            continue;
        *value = lsm__node_value(node);
        return node->tombstone ? ERR_NOT_FOUND : OK;
    }
    status_t status = get_from_runs(lsm, state->runs, key, value, &tombstone, error);
    return status == OK && tombstone ? ERR_NOT_FOUND : status;
}

status_t lsm_get(struct lsm_view *view, struct slice key, struct slice *value, struct error *error)
{
    return lsm__state_get(view->lsm, view->state, view->sequence, key, value, error);
}

status_t lsm_get_latest(struct lsm *lsm, struct slice key, struct slice *value, struct error *error)
{
    return lsm__state_get(lsm, lsm->state, lsm->sequence, key, value, error);
}
