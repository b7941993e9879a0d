/* Scrubbing: reading every block now and then, so that damage is met while it can still be mended
 * from another node, and not when the block is needed.
 *
 * Runs are numbered in the order in which they are begun, and never change: a step goes on at a
 * block of the run with the least number that is not behind where the last one stopped, in the
 * state of a snapshot of its own. A run that was merged away meanwhile is not missed, since its
 * entries are in one of a higher number.
 *
 * Blocks are read through the map: one that the system still holds in memory is found sound even if
 * the disk has lost it meanwhile. It is met once it was dropped from memory. */
#include "lsm/lsm_int.h"

/* The run of the least number >= `number`; null: none. */
static struct lsm__run *find_run(const struct lsm__runs *runs, uint64_t number)
{
    struct lsm__run *found = NULL;
    for (uint32_t level = 0; level < LSM_LEVELS; level++)
        for (uint32_t i = 0; i < runs->count[level]; i++) {
            struct lsm__run *run = runs->level[level][i];
            if (run->record.number >= number &&
                (found == NULL || run->record.number < found->record.number))
                found = run;
        }
    return found;
}

static void move_on(struct lsm_scrub *scrub, const struct lsm__run *run, uint32_t block)
{
    bool more = block < run->record.blocks;
    scrub->run = more ? run->record.number : run->record.number + 1;
    scrub->block = more ? block : 0;
}

status_t lsm_scrub_step(struct lsm_view *view, struct lsm_scrub *scrub, uint32_t pages,
                        struct error *error)
{
    struct lsm *lsm = view->lsm;
    uint64_t bytes = 0, most = (uint64_t)pages * lsm->page_size;
    status_t status = OK;
    while (status == OK && bytes < most) {
        const struct lsm__block *block;
        struct lsm__run *run = find_run(view->state->runs, scrub->run);
        if (run == NULL) {
            scrub->run = 0;
            scrub->block = 0;
            scrub->rounds++;
            break;
        }
        if (run->record.number != scrub->run || scrub->block >= run->record.blocks)
            scrub->block = 0;
        if (scrub->block == 0) {
            status = lsm__run_open(lsm, run, true, error);
            bytes += (uint64_t)run->record.pages * lsm->page_size - run->record.index_at;
        } else {
            status = lsm__run_open(lsm, run, false, error);
        }
        if (status != OK) { /* nothing of it can be found */
            move_on(scrub, run, run->record.blocks);
            break;
        }
        status = lsm__run_block(lsm, run, scrub->block, true, &block, error);
        bytes += get_u32_le(lsm__block_value(lsm__run_index(run), scrub->block).data + 8);
        move_on(scrub, run, scrub->block + 1);
    }
    scrub->damaged += status != OK;
    scrub->pages += (bytes + lsm->page_size - 1) / lsm->page_size;
    return status;
}
