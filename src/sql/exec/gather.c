/* Rows of a large scan, filtered, projected and joined by several threads, in the order in which
 * one would give them.
 *
 *     Sort, Hash Join's right side, ... or the client
 *       Gather          leader   == part 0 =========== part 3 ======>   handed on as it is
 *         Project       helper    -- part 1 -- part 2 ----->            copied into slots
 *           Filter
 *             Scan
 *
 * The parts of the scan (parallel.c) go out one after the other. Of the one that is due the leader
 * hands on what it reads itself, and what others have read it takes from their slots, batches of
 * rows that are queued by part. While somebody else reads the part that is due, the leader reads
 * ahead like a helper.
 *
 * Nobody waits for room: a helper whose slots are full ends its task, and is submitted again when
 * one is free; so threads of the crew are not held by a statement that nobody reads on. The leader
 * waits only for a helper that runs; what has not been begun it takes back and does itself.
 *
 * An error goes out where its row would have: what was read before it comes first, and no later
 * part is begun. */
#include "base/mem.h"
#include "sql/exec/parallel_int.h"

enum {
    TAKERS_SHARE = 8, /* one part of the memory for the threads, the rest for who takes rows */
    THREAD_BYTES_MAX = 1 << 24,
    SLOTS_SHARE = 4, /* of what a thread may hold */
    SLOT_SHARE = 16, /* of those: bytes of text, and a slot is full */
    SLOTS_MIN = 2,
    SLOTS_MAX = 64,
    NO_PART = -1
};

struct hand;

struct slot {
    struct slot *next;
    struct hand *owner;
    struct batch *batch;
    struct arena texts; /* those that do not stay by themselves */
    size_t held;        /* bytes of them, at most so far */
};

/* One thread's side. Its owner is whoever runs its task, the leader when it was taken back. */
struct hand {
    struct gather *gather;
    struct worker *worker;
    struct env_crew_task *task; /* NULL: the leader's */
    struct arena arena;         /* of slots */
    uint32_t slot_count;
    size_t charged;        /* for them, with their texts */
    int64_t part;          /* being read, or NO_PART */
    struct batch *pending; /* read, and not yet all in slots */
    uint32_t pending_at;
    /* Under the mutex: */
    struct slot *free;
    bool idle; /* its task has ended, or was not submitted */
};

struct gather_part {
    struct slot *first;
    struct slot **last;
    struct hand *owner;
    bool done;
    status_t status;
};

struct gather {
    struct operator op;
    struct parallel *parallel; /* NULL: one thread reads */
    bool begun;
    bool ended;
    bool *stable;
    struct env_mutex *mutex; /* guards parts, who takes the next one, failed and what hands say */
    struct env_cond *cond;
    struct gather_part *parts;
    bool failed; /* no further part is begun */
    uint32_t due;
    size_t hand_bytes;  /* of slots, of one thread */
    struct hand *hands; /* the leader's first */
    uint32_t hand_count;
    struct slot *given; /* whose batch is out */
    struct batch view;
    uint32_t *selection;
};

/* ---- slots --------------------------------------------------------------------------------------
 */

static void hand_charge(struct hand *hand, size_t bytes)
{
    hand->worker->exec->top->memory_used += bytes; /* hand_bytes, about, at most */
    hand->charged += bytes;
}

static bool slot_can_be_made(const struct hand *hand)
{
    return hand->slot_count < SLOTS_MIN ||
           (hand->slot_count < SLOTS_MAX && hand->charged < hand->gather->hand_bytes);
}

/* An empty slot, or NULL. */
static struct slot *slot_take(struct hand *hand)
{
    struct gather *gather = hand->gather;
    const struct plan *plan = gather->op.plan;
    env_mutex_lock(gather->mutex);
    struct slot *slot = hand->free;
    if (slot)
        hand->free = slot->next;
    env_mutex_unlock(gather->mutex);
    if (!slot && slot_can_be_made(hand)) {
        size_t before = hand->arena.used;
        slot = arena_zalloc(&hand->arena, sizeof *slot);
        slot->owner = hand;
        slot->batch = batch_create(&hand->arena, plan->types, plan->column_count,
                                   gather->op.exec->batch_rows);
        hand->slot_count++;
        hand_charge(hand, hand->arena.used - before);
    }
    if (slot) {
        batch_reset(slot->batch);
        arena_reset(&slot->texts);
        slot->next = NULL;
    }
    return slot;
}

/* As many pending rows as there is room for. */
static void rows_copy(struct hand *hand, struct slot *slot)
{
    uint32_t rows[BATCH_ROWS_MAX];
    const struct gather *gather = hand->gather;
    const struct batch *from = hand->pending;
    struct batch *to = slot->batch;
    uint32_t count = from->selected - hand->pending_at;
    uint32_t room = gather->op.exec->batch_rows - to->row_count;
    count = count < room ? count : room;
    bool all = !from->selection && hand->pending_at == 0;
    for (uint32_t i = 0; !all && i < count; i++)
        rows[i] = batch_row(from, hand->pending_at + i);
    for (uint32_t c = 0; c < from->column_count; c++) {
        struct vector *column = &to->columns[c];
        exec__vector_gather(column, to->row_count, &from->columns[c], all ? NULL : rows, count);
        if (gather->stable[c])
            continue;
        for (uint32_t i = to->row_count; i < to->row_count + count; i++) {
            if (!vector_is_null(column, i))
                column->as.texts[i] = arena_copy(&slot->texts, column->as.texts[i]);
        }
    }
    to->row_count += count;
    to->selected = to->row_count;
    hand->pending_at += count;
    if (hand->pending_at == from->selected)
        hand->pending = NULL;
}

/* Nobody reads it any more. Under the mutex, while there are threads. */
static void slot_return(struct slot *slot)
{
    slot->next = slot->owner->free;
    slot->owner->free = slot;
}

/* Puts a slot into the queue of the hand's part, or back. */
static void slot_publish(struct hand *hand, struct slot *slot, bool done, status_t status)
{
    struct gather *gather = hand->gather;
    struct gather_part *part = &gather->parts[hand->part];
    size_t grown = slot->texts.used > slot->held ? slot->texts.used - slot->held : 0;
    slot->held += grown;
    hand_charge(hand, grown);
    env_mutex_lock(gather->mutex);
    if (slot->batch->row_count > 0) {
        *part->last = slot;
        part->last = &slot->next;
    } else {
        slot_return(slot);
    }
    part->done = done;
    part->status = status;
    gather->failed |= status != OK;
    env_cond_signal(gather->cond);
    env_mutex_unlock(gather->mutex);
    if (done)
        hand->part = NO_PART;
}

/* ---- reading ------------------------------------------------------------------------------------
 */

/* Is there a part that nobody has, and is wanted? Under the mutex. */
static bool part_is_left(const struct gather *gather)
{
    const struct parallel *parallel = gather->parallel;
    return !gather->failed && atomic_load(&parallel->part_next) < parallel->part_count;
}

/* The next part that nobody has; false: there is none, or it is not wanted. */
static bool part_take(struct hand *hand)
{
    struct gather *gather = hand->gather;
    ASSERT(hand->part == NO_PART && !hand->pending);
    env_mutex_lock(gather->mutex);
    if (part_is_left(gather)) {
        hand->part = atomic_fetch_add(&gather->parallel->part_next, 1);
        gather->parts[hand->part].owner = hand;
    }
    env_mutex_unlock(gather->mutex);
    if (hand->part == NO_PART)
        return false;
    exec__parallel_take_part(hand->worker, (uint32_t)hand->part);
    return true;
}

/* Fills one slot, or what there is of it when the part ends; false: no room, or nothing to do. */
static bool hand_fill(struct hand *hand)
{
    struct parallel *parallel = hand->gather->parallel;
    if (atomic_load_explicit(&parallel->stop, memory_order_relaxed) ||
        (hand->part == NO_PART && !part_take(hand)))
        return false;
    struct slot *slot = slot_take(hand);
    if (!slot)
        return false;
    uint32_t rows = hand->gather->op.exec->batch_rows;
    size_t text = hand->gather->hand_bytes / SLOT_SHARE;
    while (slot->batch->row_count < rows && slot->texts.used < text) {
        status_t status = OK;
        if (!hand->pending) {
            hand->pending_at = 0;
            status =
                exec__operator_next(hand->worker->op->left, &hand->pending, &hand->worker->error);
        }
        if (status != OK || !hand->pending) {
            hand->pending = NULL;
            slot_publish(hand, slot, true, status);
            return status == OK;
        }
        rows_copy(hand, slot);
        if (atomic_load_explicit(&parallel->stop, memory_order_relaxed))
            break;
    }
    slot_publish(hand, slot, false, OK);
    return true;
}

/* Has it room and, as far as is known, something to do? Under the mutex. */
static bool hand_can_work(const struct hand *hand)
{
    const struct gather *gather = hand->gather;
    if (!hand->free && !slot_can_be_made(hand))
        return false;
    return hand->part != NO_PART || part_is_left(gather);
}

/* A helper's task. */
static void hand_run(void *argument)
{
    struct hand *hand = argument;
    struct gather *gather = hand->gather;
    for (bool more = true; more;) {
        while (hand_fill(hand))
            continue;
        env_mutex_lock(gather->mutex);
        /* A slot may have come back just now. */
        more = hand_can_work(hand) && !atomic_load(&gather->parallel->stop);
        hand->idle = !more;
        if (!more)
            env_cond_signal(gather->cond);
        env_mutex_unlock(gather->mutex);
    }
}

/* ---- the leader ---------------------------------------------------------------------------------
 */

static void hand_submit(struct hand *hand)
{
    struct env_crew *crew = hand->gather->op.exec->context.crew;
    hand->idle = false;
    *hand->task = (struct env_crew_task){.run = hand_run, .argument = hand};
    env_crew_submit(crew, hand->task);
}

/* Of a hand that is idle: its task ends, or has ended. */
static void hand_submit_again(struct hand *hand)
{
    (void)env_crew_finish(hand->gather->op.exec->context.crew, hand->task);
    hand_submit(hand);
}

/* The batch given last is not looked at any more; who waited for room goes on. */
static void given_release(struct gather *gather)
{
    struct slot *slot = gather->given;
    if (!slot)
        return;
    gather->given = NULL;
    struct hand *hand = slot->owner;
    env_mutex_lock(gather->mutex);
    slot_return(slot);
    bool go_on = !gather->ended && hand->task && hand->idle && hand_can_work(hand);
    env_mutex_unlock(gather->mutex);
    if (go_on)
        hand_submit_again(hand);
}

/* The rest of what the leader has read ahead, as it is. */
static struct batch *pending_view(struct gather *gather, struct hand *hand)
{
    const struct batch *from = hand->pending;
    uint32_t count = from->selected - hand->pending_at;
    if (!gather->selection)
        gather->selection =
            arena_alloc(gather->op.exec->arena, BATCH_ROWS_MAX * sizeof *gather->selection);
    for (uint32_t i = 0; i < count; i++)
        gather->selection[i] = batch_row(from, hand->pending_at + i);
    gather->view = *from;
    gather->view.selection = gather->selection;
    gather->view.selected = count;
    hand->pending = NULL;
    return &gather->view;
}

/* The part that is due is the leader's own. *out is NULL at its end. */
static status_t own_next(struct gather *gather, struct batch **out, struct error *error)
{
    struct hand *leader = &gather->hands[0];
    *out = NULL;
    if (leader->pending) {
        *out = pending_view(gather, leader);
        return OK;
    }
    status_t status = exec__operator_next(gather->op.left, out, error);
    if (status != OK || *out)
        return status;
    env_mutex_lock(gather->mutex);
    gather->parts[leader->part].done = true;
    env_mutex_unlock(gather->mutex);
    leader->part = NO_PART;
    return OK;
}

/* A helper has the part that is due, and nothing of it is there. */
static void helper_await(struct gather *gather, struct hand *helper)
{
    const struct gather_part *part = &gather->parts[gather->due];
    struct hand *leader = &gather->hands[0];
    if (env_crew_take_back(gather->op.exec->context.crew, helper->task)) {
        (void)hand_fill(helper);
        hand_submit(helper);
        return;
    }
    if (hand_fill(leader))
        return;
    env_mutex_lock(gather->mutex);
    while (!part->first && !part->done && !helper->idle)
        env_cond_wait(gather->cond, gather->mutex);
    bool go_on = !part->first && !part->done;
    ASSERT(!go_on || (helper->idle && hand_can_work(helper))); /* all its slots have come back */
    env_mutex_unlock(gather->mutex);
    if (go_on)
        hand_submit_again(helper);
}

static void helpers_end(struct gather *gather)
{
    if (gather->ended || !gather->parallel)
        return;
    gather->ended = true;
    atomic_store(&gather->parallel->stop, true);
    for (uint32_t i = 1; i < gather->hand_count; i++) {
        if (gather->hands[i].task->run)
            (void)env_crew_finish(gather->op.exec->context.crew, gather->hands[i].task);
    }
    exec__parallel_ended(gather->parallel);
}

static status_t gathered_next(struct gather *gather, struct batch **out, struct error *error)
{
    struct hand *leader = &gather->hands[0];
    given_release(gather);
    while (gather->due < gather->parallel->part_count) {
        struct gather_part *part = &gather->parts[gather->due];
        status_t status = exec__cancel_check(gather->op.exec, error);
        if (status != OK)
            return status;
        env_mutex_lock(gather->mutex);
        struct slot *slot = part->first;
        struct hand *owner = part->owner;
        bool done = part->done;
        if (slot) {
            part->first = slot->next;
            if (!part->first)
                part->last = &part->first;
        }
        env_mutex_unlock(gather->mutex);
        if (slot) {
            gather->given = slot;
            *out = slot->batch;
            return OK;
        }
        if (done && part->status != OK) {
            if (error)
                *error = owner->worker->error;
            return part->status;
        }
        gather->due += done;
        if (done)
            continue;
        if (!owner)
            (void)part_take(leader); /* parts are taken in order: this one, or a helper has it */
        else if (owner != leader)
            helper_await(gather, owner);
        else if ((status = own_next(gather, out, error)) != OK || *out)
            return status;
    }
    helpers_end(gather);
    return OK;
}

/* ---- the operator -------------------------------------------------------------------------------
 */

static status_t helper_operators_open(struct exec *helper, const struct plan *plan,
                                      struct operator** out, struct error *error);
static const struct parallel_ops gather_parallel = {helper_operators_open, NULL};

static status_t gather_begin(struct gather *gather, struct error *error)
{
    struct exec *exec = gather->op.exec;
    gather->begun = true;
    status_t status = exec__parallel_begin(&gather->op, &gather->parallel, error);
    if (status != OK || !gather->parallel)
        return status;
    struct parallel *parallel = gather->parallel;
    parallel->ops = &gather_parallel;
    parallel->share /= TAKERS_SHARE;
    if (parallel->share > THREAD_BYTES_MAX)
        parallel->share = THREAD_BYTES_MAX;
    gather->hand_bytes = parallel->share / SLOTS_SHARE;
    status = exec__parallel_open(parallel, error);
    gather->mutex = env_mutex_create();
    gather->cond = env_cond_create();
    gather->parts = arena_zalloc(exec->arena, parallel->part_count * sizeof *gather->parts);
    for (uint32_t p = 0; p < parallel->part_count; p++)
        gather->parts[p].last = &gather->parts[p].first;
    gather->hand_count = 1 + parallel->helper_count;
    gather->hands = arena_zalloc(exec->arena, gather->hand_count * sizeof *gather->hands);
    for (uint32_t i = 0; i < gather->hand_count; i++) {
        struct hand *hand = &gather->hands[i];
        hand->gather = gather;
        hand->worker = i == 0 ? &parallel->leader : &parallel->helpers[i - 1].worker;
        hand->task = i == 0 ? NULL : &parallel->helpers[i - 1].task;
        hand->part = NO_PART;
        if (i > 0)
            *hand->task = (struct env_crew_task){0};
    }
    for (uint32_t i = 1; status == OK && i < gather->hand_count; i++)
        hand_submit(&gather->hands[i]);
    return status;
}

static status_t gather_next(struct operator* op, struct batch **out, struct error *error)
{
    struct gather *gather = (struct gather *)op;
    status_t status = gather->begun ? OK : gather_begin(gather, error);
    if (status != OK || gather->ended)
        return status;
    if (!gather->parallel)
        return exec__operator_next(op->left, out, error);
    return gathered_next(gather, out, error);
}

static void hand_free(struct hand *hand)
{
    hand->worker->exec->top->memory_used -= hand->charged;
    hand->charged = 0;
    for (struct slot *slot = hand->free; slot; slot = slot->next)
        arena_free(&slot->texts);
    arena_free(&hand->arena);
}

static void gather_close(struct operator* op)
{
    struct gather *gather = (struct gather *)op;
    if (!gather->parallel)
        return;
    helpers_end(gather);
    given_release(gather);
    for (uint32_t p = 0; p < gather->parallel->part_count; p++) {
        for (struct slot *slot = gather->parts[p].first, *next; slot; slot = next) {
            next = slot->next;
            slot_return(slot);
        }
    }
    for (uint32_t i = 0; i < gather->hand_count; i++)
        hand_free(&gather->hands[i]);
    env_cond_destroy(gather->cond);
    env_mutex_destroy(gather->mutex);
    exec__parallel_destroy(gather->parallel);
    gather->parallel = NULL;
}

static const struct operator_ops gather_ops = {gather_next, gather_close};

/* A helper's has only the operators below it. */
static const struct operator_ops helper_ops = {NULL, NULL};

static status_t helper_operators_open(struct exec *helper, const struct plan *plan,
                                      struct operator** out, struct error *error)
{
    *out = exec__operator_create(helper, plan, &helper_ops, sizeof **out);
    return exec__operator_open(helper, plan->left, &(*out)->left, error);
}

bool exec__gather_wanted(const struct exec *exec, const struct plan *plan)
{
    const struct plan *scan =
        exec->may_gather && !exec->few_wanted ? exec__parallel_scan(plan) : NULL;
    if (!scan)
        return false;
    ASSERT(!exec->leader);
    double rows = exec->context.parallel_rows ? exec->context.parallel_rows : EXEC_PARALLEL_ROWS;
    return scan != exec->gathered && !plan_is_lookup(scan) &&
           (scan->rows_estimate <= 0 || scan->rows_estimate >= rows);
}

/* The operators below are opened first, so that they are closed after the threads that use what
 * they have built have ended. */
status_t exec__gather_open(struct exec *exec, const struct plan *plan, struct operator** out,
                           struct error *error)
{
    const struct plan *before = exec->gathered;
    struct operator* left;
    exec->gathered = exec__parallel_scan(plan);
    status_t status = exec__operator_open(exec, plan, &left, error);
    exec->gathered = before;
    if (status != OK)
        return status;
    struct plan *own = arena_zalloc(exec->arena, sizeof *own);
    *own = (struct plan){.kind = PLAN_GATHER,
                         .types = plan->types,
                         .names = plan->names,
                         .column_count = plan->column_count,
                         .left = (struct plan *)plan};
    struct gather *gather = exec__operator_create(exec, own, &gather_ops, sizeof *gather);
    gather->op.left = left;
    gather->stable = arena_alloc(exec->arena, (plan->column_count + 1) * sizeof(bool));
    for (uint32_t c = 0; c < plan->column_count; c++)
        gather->stable[c] = !type_is_slice(plan->types[c]) || exec__text_is_stable(plan, c);
    *out = &gather->op;
    return OK;
}
