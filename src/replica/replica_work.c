/* Background work: one piece at a time is out with another thread, and the kinds of work take
 * turns, so that a long run of one (hashing all there is) never keeps another (a snapshot that a
 * node waits for) from going on. */
#include "base/check.h"
#include "base/mem.h"
#include "replica/replica_int.h"

/* ---- trees that another has taken the place of ----------------------------------------------- */

struct replica__retired {
    struct kv *kv;
    struct replica__retired *next;
};

void replica__retire(struct replica *r, struct kv *kv)
{
    ASSERT(kv && kv != r->kv);
    replica__check_drop(r); /* its hash would be that of a tree that is no more */
    struct replica__retired *retired = mem_alloc(sizeof *retired);
    *retired = (struct replica__retired){.kv = kv, .next = r->retired};
    r->retired = retired;
}

void replica__retired_free(struct replica *r)
{
    while (r->retired) {
        struct replica__retired *first = r->retired;
        r->retired = first->next;
        kv_close(first->kv);
        mem_free(first);
    }
}

struct close_work {
    struct replica_work work;
    struct kv *kv;
};

/* Its file has no name any more: the disk is given all of its space back, which takes a while. */
static void close_run(struct replica_work *work)
{
    kv_close(((struct close_work *)work)->kv);
}

static void close_done(struct replica *r, struct replica_work *work)
{
    (void)r;
    mem_free(work);
}

/* One that no transaction reads any more. */
static struct replica_work *close_take(struct replica *r)
{
    for (struct replica__retired **link = &r->retired; *link; link = &(*link)->next) {
        struct replica__retired *retired = *link;
        struct kv_stats stats;
        kv_stats(retired->kv, &stats);
        if (stats.snapshots_open > 0)
            continue;
        struct close_work *work = mem_zalloc(1, sizeof *work);
        work->work = (struct replica_work){.run = close_run, .done = close_done};
        work->kv = retired->kv;
        *link = retired->next;
        mem_free(retired);
        return &work->work;
    }
    return NULL;
}

/* ---- the log's next file ----------------------------------------------------------------------
 */

struct log_work {
    struct replica_work work;
    struct wal_work *file;
};

static void log_work_run(struct replica_work *work)
{
    wal_work_run(((struct log_work *)work)->file);
}

static void log_work_done(struct replica *r, struct replica_work *work)
{
    wal_work_done(r->wal, ((struct log_work *)work)->file);
    mem_free(work);
}

static struct replica_work *log_work_take(struct replica *r)
{
    struct wal_work *file = wal_work_take(r->wal);
    if (!file)
        return NULL;
    struct log_work *work = mem_zalloc(1, sizeof *work);
    work->work = (struct replica_work){.run = log_work_run, .done = log_work_done};
    work->file = file;
    return &work->work;
}

/* ---- taking turns -----------------------------------------------------------------------------
 */

/* Each gives its next piece, or NULL when it has nothing to do now. */
static struct replica_work *(*const kinds[])(struct replica *r) = {
    log_work_take,         replica__receiver_work, replica__sends_work, close_take,
    replica__collect_take, replica__care_take,     replica__check_take,
};

enum { KINDS = sizeof kinds / sizeof *kinds };

struct replica_work *replica_work_take(struct replica *r)
{
    if (r->failed || r->work_out)
        return NULL;
    for (uint32_t i = 0; i < KINDS; i++) {
        uint32_t kind = (r->work_turn + i) % KINDS;
        struct replica_work *work = kinds[kind](r);
        if (!work)
            continue;
        ASSERT(work->run && work->done);
        r->work_out = work;
        r->work_turn = kind + 1;
        return work;
    }
    return NULL;
}

void replica_work_run(struct replica_work *work)
{
    work->run(work);
}

void replica_work_done(struct replica *r, struct replica_work *work)
{
    ASSERT(work && work == r->work_out);
    r->work_out = NULL;
    work->done(r, work);
}
