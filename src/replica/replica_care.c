/* Care of the tree's file, on each node for itself.
 *
 * SCRUBBING. Every page is read again now and then, as background work: a piece of PIECE_PAGES each
 * PIECE_US, a round at most each ROUND_US, so about 4 MiB a second while a round lasts. Damage is
 * told in the log with its page and counted in the status. The node goes on: what does not need the
 * page is not hurt, and who reads it gets an error; but it should be given a new copy of its data
 * from the others while they have it.
 *
 * SPACE. After a checkpoint, free pages beyond a quarter of those in use are given back to the file
 * system, a piece a tick. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "replica/replica_int.h"

enum {
    PIECE_PAGES = 1024,
    PIECE_US = 1000000,
    KEEP_BYTES = 64 << 20, /* free pages kept in any case */
};

static const uint64_t ROUND_US = 3600 * (uint64_t)1000000;

struct replica__care {
    struct kv_scrub scrub;
    struct kv *kv;     /* the tree it walks */
    uint64_t due_us;   /* the next piece */
    uint64_t begun_us; /* this round */
    uint64_t damaged;  /* pages found so far, in all trees */
    bool give;         /* there may be space to give back */
    bool cannot_give;  /* the file system takes none */
};

void replica__care_create(struct replica *r)
{
    r->care = mem_zalloc(1, sizeof *r->care);
}

void replica__care_destroy(struct replica *r)
{
    mem_free(r->care);
}

void replica__care_checkpointed(struct replica *r)
{
    r->care->give = !r->care->cannot_give;
}

uint64_t replica__care_damaged(const struct replica *r)
{
    return r->care->damaged;
}

/* ---- space ----------------------------------------------------------------------------------- */

void replica__care_tick(struct replica *r)
{
    struct kv_stats stats;
    struct error error;
    uint64_t given;
    if (!r->care->give || r->failed || r->apply_blocked)
        return;
    kv_stats(r->kv, &stats);
    uint64_t used = (uint64_t)(stats.pages - stats.pages_free) * stats.page_size;
    uint64_t keep = KEEP_BYTES + r->config.disk_reserve_bytes + used / 4;
    status_t status = kv_compact(r->kv, keep, 1, &given, &error);
    r->care->give = status == OK && given > 0;
    r->care->cannot_give = status == ERR_UNSUPPORTED;
    if (status != OK && status != ERR_UNSUPPORTED)
        log_warn("replica", "space was not given back: %s", error.message);
}

/* ---- scrubbing ------------------------------------------------------------------------------- */

struct scrub_work {
    struct replica_work work;
    struct kv *kv;
    struct kv_snapshot *hold; /* keeps the tree open should another take its place */
    struct kv_scrub scrub;
    status_t status;
    struct error error;
};

static void scrub_run(struct replica_work *base)
{
    struct scrub_work *work = (struct scrub_work *)base;
    uint64_t end = work->scrub.pages + PIECE_PAGES, round = work->scrub.rounds;
    while (work->scrub.pages < end && work->scrub.rounds == round) {
        work->status = kv_scrub_step(work->kv, &work->scrub, PIECE_PAGES, &work->error);
        if (work->status != OK)
            return;
    }
}

static void scrub_done(struct replica *r, struct replica_work *base)
{
    struct scrub_work *work = (struct scrub_work *)base;
    struct replica__care *care = r->care;
    uint64_t now_us = env_monotonic_us(r->env);
    if (work->kv == r->kv) {
        bool ended = work->scrub.rounds != care->scrub.rounds;
        care->damaged += work->scrub.damaged - care->scrub.damaged;
        care->scrub = work->scrub;
        care->due_us = now_us + PIECE_US;
        if (ended && care->due_us < care->begun_us + ROUND_US)
            care->due_us = care->begun_us + ROUND_US;
        if (ended)
            care->begun_us = care->due_us;
        if (work->status == ERR_CORRUPT)
            log_error("replica", "%s", work->error.message);
    }
    kv_snapshot_close(work->hold);
    mem_free(work);
}

struct replica_work *replica__care_take(struct replica *r)
{
    struct replica__care *care = r->care;
    uint64_t now_us = env_monotonic_us(r->env);
    struct kv_snapshot *hold;
    if (care->kv != r->kv) { /* not before its first use has warmed it */
        care->kv = r->kv;
        care->scrub = (struct kv_scrub){0};
        care->due_us = now_us + PIECE_US;
        care->begun_us = care->due_us;
    }
    if (now_us < care->due_us || kv_snapshot_open(r->kv, &hold, NULL) != OK)
        return NULL;
    struct scrub_work *work = mem_zalloc(1, sizeof *work);
    work->work = (struct replica_work){.run = scrub_run, .done = scrub_done};
    work->kv = r->kv;
    work->hold = hold;
    work->scrub = care->scrub;
    return &work->work;
}
