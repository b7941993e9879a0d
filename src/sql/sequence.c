/* Values of sequences, taken in blocks.
 *
 * A statement that takes values gets them before it runs: the session puts aside as many as its
 * plan asks for, out of what the node has, and when that is too few a transaction of its own, a
 * chore (step.c), takes a block from the store first. So a value is never given before it is
 * durable that it is taken: neither a rollback nor a crash nor another leader gives it again. What
 * is taken and not used is lost, and values of several nodes do not come in the order of time.
 *
 *     store      catalog_sequence_take     the next block begins behind it
 *     engine     a block a sequence        shared by the node's sessions
 *     session    ranges                    put aside for the statement; what is left serves the
 * next
 *
 * A block is as large as CACHE says; without it it doubles while blocks are used up within a
 * second. What is held is for one epoch of the sequence: whoever sets it starts another, which all
 * nodes see with the schema.
 *
 * A plan may ask for too few (INSERT ... SELECT is a guess). The statement is then begun again in
 * its transaction with more put aside, which it can be until it writes. Before it writes its rows
 * are counted, and with them what RETURNING and ON CONFLICT will take. What is still not known then
 * (a subquery in RETURNING, an ON DELETE SET DEFAULT) may end with a conflict: the transaction is
 * run again, by the session if it is the statement's own.
 *
 * Of a sequence that the transaction itself has made or set the value is taken in the transaction:
 * it conflicts with others who take, and comes again when it is rolled back. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "sql_int.h"

enum {
    BLOCK_FIRST = 32,
    BLOCK_MAX = 8192,
    BLOCK_SOON_US = 1000000, /* a block used up this fast is followed by a larger one */
    RESERVE_MAX = 1 << 22,   /* values put aside at once */
    GUESS_FACTOR = 8,        /* how much more, when it was too few */
    GUESS_LARGE = 1 << 16,   /* from here on twice as much */
};

/* ---- names ----------------------------------------------------------------------------------- */

/* As an identifier reads: folded unless in quotes, perhaps behind "public.". */
static status_t name_read(struct slice text, char out[CATALOG_NAME_MAX + 1], struct error *error)
{
    static const char schema[] = "public.";
    if (text.size > sizeof schema - 1 && memcmp(text.data, schema, sizeof schema - 1) == 0)
        text = slice_make(text.data + sizeof schema - 1, text.size - (sizeof schema - 1));
    bool quoted = text.size > 1 && text.data[0] == '"' && text.data[text.size - 1] == '"';
    size_t from = quoted ? 1 : 0;
    size_t to = quoted ? text.size - 1 : text.size;
    size_t size = 0;
    for (size_t i = from; i < to; i++) {
        if (size == CATALOG_NAME_MAX)
            return error_sql(error, "42622", 0, "identifier is too long");
        char c = (char)text.data[i];
        out[size++] = !quoted && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        i += quoted && c == '"'; /* stands twice */
    }
    out[size] = '\0';
    return OK;
}

static status_t find(const struct catalog *catalog, struct slice text, const struct sequence **out,
                     struct error *error)
{
    char name[CATALOG_NAME_MAX + 1];
    status_t status = name_read(text, name, error);
    if (status)
        return status;
    *out = catalog_sequence(catalog, name);
    if (*out)
        return OK;
    if (catalog_table(catalog, name) || catalog_view(catalog, name))
        return error_sql(error, "42809", 0, "\"%s\" is not a sequence", name);
    return error_sql(error, "42P01", 0, "relation \"%s\" does not exist", name);
}

struct naming {
    struct arena *arena;
    bool met;
};

/* nextval of a literal, with a cast or not. */
static void say_name(void *context, struct ast_expr *call)
{
    struct naming *naming = context;
    char name[CATALOG_NAME_MAX + 1];
    struct buffer text = {0};
    struct error unused;
    if (strcmp(call->as.call.name, "nextval") != 0 || call->as.call.count != 1)
        return;
    struct ast_expr **argument = &call->as.call.arguments[0];
    while ((*argument)->kind == AST_CAST)
        argument = &(*argument)->as.cast.operand;
    struct ast_expr *literal = *argument;
    if (literal->kind != AST_LITERAL || literal->as.literal.null ||
        literal->as.literal.type != SQL_TEXT ||
        name_read(literal->as.literal.as.text, name, &unused))
        return;
    catalog_sequence_print(name, &text);
    literal->as.literal = value_text(arena_copy(naming->arena, buffer_slice(&text)));
    call->as.call.arguments[0] = literal;
    naming->met = true;
    buffer_free(&text);
}

status_t sql__default_text(struct sql_session *session, const char *sql, const char **out)
{
    struct naming naming = {.arena = &session->run_arena};
    struct buffer text = {0};
    struct ast_expr *expr;
    *out = sql;
    status_t status =
        parse_expression(slice_from_string(sql), naming.arena, &expr, &session->error);
    if (status)
        return status;
    ast_each_call(expr, say_name, &naming);
    if (!naming.met)
        return OK;
    ast_print_expr(expr, &text);
    *out = arena_keep_text(naming.arena, &text);
    return OK;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static int64_t range_next(struct sequence_range *range)
{
    ASSERT(range->left > 0);
    int64_t value = range->next;
    range->left--;
    range->next = (int64_t)((uint64_t)range->next + (uint64_t)range->increment);
    return value;
}

/* Cuts up to `count` values off its front. */
static struct sequence_range range_cut(struct sequence_range *range, uint64_t count)
{
    struct sequence_range cut = *range;
    cut.left = count < range->left ? count : range->left;
    range->left -= cut.left;
    range->next = (int64_t)((uint64_t)range->next + cut.left * (uint64_t)range->increment);
    return cut;
}

static bool is_of(const struct sequence_range *range, const struct sequence *sequence)
{
    return range->id == sequence->id && range->epoch == sequence->epoch;
}

static void session_add(struct sql_session *session, struct sequence_range range)
{
    struct sequence_hold *hold = &session->sequences;
    uint32_t kept = 0;
    if (range.left == 0)
        return;
    for (uint32_t i = 0; i < hold->range_count; i++) {
        const struct sequence_range *at = &hold->ranges[i];
        if (at->left > 0 && (at->id != range.id || at->epoch == range.epoch))
            hold->ranges[kept++] = *at;
    }
    hold->ranges = vec_grow(hold->ranges, &hold->range_capacity, kept + 1, sizeof *hold->ranges);
    hold->ranges[kept] = range;
    hold->range_count = kept + 1;
}

static uint64_t session_has(const struct sql_session *session, const struct sequence *sequence)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < session->sequences.range_count; i++) {
        const struct sequence_range *range = &session->sequences.ranges[i];
        if (is_of(range, sequence))
            count += range->left;
    }
    return count;
}

/* The node's block of a sequence; the engine's mutex is held. */
static struct sequence_block *engine_block(struct sql_engine *engine,
                                           const struct sequence *sequence)
{
    for (uint32_t i = 0; i < engine->block_count; i++) {
        struct sequence_block *block = &engine->blocks[i];
        if (block->range.id != sequence->id)
            continue;
        if (block->range.epoch != sequence->epoch)
            *block =
                (struct sequence_block){.range = {.id = sequence->id, .epoch = sequence->epoch}};
        return block;
    }
    engine->blocks = vec_grow(engine->blocks, &engine->block_capacity, engine->block_count + 1,
                              sizeof *engine->blocks);
    struct sequence_block *block = &engine->blocks[engine->block_count++];
    *block = (struct sequence_block){.range = {.id = sequence->id, .epoch = sequence->epoch}};
    return block;
}

/* Moves values from the node to the session. */
static uint64_t engine_give(struct sql_session *session, const struct sequence *sequence,
                            uint64_t wanted)
{
    struct sql_engine *engine = session->engine;
    env_mutex_lock(engine->mutex);
    struct sequence_range cut = range_cut(&engine_block(engine, sequence)->range, wanted);
    env_mutex_unlock(engine->mutex);
    session_add(session, cut);
    return cut.left;
}

/* ---- before a statement ---------------------------------------------------------------------- */

static uint64_t needed(const struct sql_session *session, const struct plan_nextval *nextval)
{
    double rows = session->planned.root->rows_estimate;
    double count = rows < 1 ? 1 : rows;
    const struct plan *plan = session->planned.root;
    while (plan->kind == PLAN_PROJECT && plan->left)
        plan = plan->left;
    bool values = plan->kind == PLAN_INSERT && plan->left->kind == PLAN_VALUES;
    if (values && !nextval->each_row && !nextval->late)
        return 1;
    if (values)
        return plan->left->as.values.row_count;
    for (uint32_t i = 0; i < session->sequences.too_few; i++)
        count *= GUESS_FACTOR;
    return count > RESERVE_MAX ? RESERVE_MAX : (uint64_t)count;
}

static bool names_same(const struct plan_nextval *one, const struct plan_nextval *other)
{
    return one->name && other->name && strcmp(one->name, other->name) == 0;
}

/* Adds to what the chore has to take. */
static void want(struct sql_session *session, const struct sequence *sequence, uint64_t count)
{
    struct sequence_hold *hold = &session->sequences;
    for (uint32_t i = 0; i < hold->want_count; i++) {
        if (hold->wants[i].id == sequence->id) {
            hold->wants[i].left += count;
            return;
        }
    }
    hold->wants = arena_grow(&session->run_arena, hold->wants, &hold->want_capacity,
                             hold->want_count + 1, sizeof *hold->wants);
    hold->wants[hold->want_count++] =
        (struct sequence_range){.id = sequence->id, .epoch = sequence->epoch, .left = count};
}

/* Makes the session have so many, or wants them. */
static void ensure(struct sql_session *session, const struct sequence *sequence, uint64_t count)
{
    uint64_t has = session_has(session, sequence);
    if (has < count)
        has += engine_give(session, sequence, count - has);
    if (has < count)
        want(session, sequence, count - has);
}

/* What a statement that had written did not find. */
static void ensure_least(struct sql_session *session)
{
    const struct sequence_hold *hold = &session->sequences;
    const struct sequence *sequence =
        hold->least ? catalog_sequence_by_id(session->catalog, hold->least_id) : NULL;
    if (sequence && session->planned.writes)
        ensure(session, sequence, hold->least);
}

bool sql__sequences_ready(struct sql_session *session)
{
    struct sequence_hold *hold = &session->sequences;
    if ((session->planned.nextval_count == 0 && !hold->least) || session->catalog_own ||
        hold->ended || !session->planned.root)
        return true;
    hold->wants = NULL;
    hold->want_count = hold->want_capacity = 0;
    ensure_least(session);
    for (uint32_t i = 0; i < session->planned.nextval_count; i++) {
        const struct plan_nextval *nextval = &session->planned.nextvals[i];
        const struct sequence *sequence;
        struct error unused;
        /* A name that means nothing is told when the function is called. */
        if (!nextval->name ||
            find(session->catalog, slice_from_string(nextval->name), &sequence, &unused))
            continue;
        uint64_t all = 0;
        for (uint32_t k = 0; k <= i; k++) {
            if (names_same(&session->planned.nextvals[k], nextval))
                all += needed(session, &session->planned.nextvals[k]);
        }
        ensure(session, sequence, all);
    }
    return hold->want_count == 0;
}

/* How much to take at once. */
static uint64_t block_size(struct sql_session *session, const struct sequence *sequence)
{
    struct sql_engine *engine = session->engine;
    if (sequence->cache > 0)
        return (uint64_t)sequence->cache;
    uint64_t now_us = env_monotonic_us(engine->env);
    env_mutex_lock(engine->mutex);
    struct sequence_block *block = engine_block(engine, sequence);
    bool soon = block->size > 0 && now_us - block->taken_us < BLOCK_SOON_US;
    block->size = !soon ? BLOCK_FIRST : block->size >= BLOCK_MAX / 2 ? BLOCK_MAX : 2 * block->size;
    block->taken_us = now_us;
    uint64_t size = block->size;
    env_mutex_unlock(engine->mutex);
    return size;
}

status_t sql__sequences_take(struct sql_session *session, struct store_txn *txn)
{
    struct sequence_hold *hold = &session->sequences;
    uint64_t version;
    status_t status = catalog_version(txn, &version, &session->error);
    if (!status && version != session->catalog->version)
        return error_set(&session->error, ERR_CONFLICT, "the schema was changed meanwhile");
    hold->taken = arena_alloc(&session->run_arena, hold->want_count * sizeof *hold->taken);
    for (uint32_t i = 0; i < hold->want_count && !status; i++) {
        const struct sequence *sequence =
            catalog_sequence_by_id(session->catalog, hold->wants[i].id);
        ASSERT(sequence);
        struct sequence_range *taken = &hold->taken[i];
        *taken = hold->wants[i];
        taken->increment = sequence->increment;
        uint64_t size = block_size(session, sequence);
        uint64_t wanted = size > taken->left ? size : taken->left;
        status = catalog_sequence_take(txn, sequence, wanted, &taken->next, &taken->left,
                                       &session->error);
    }
    return status;
}

void sql__sequences_taken(struct sql_session *session)
{
    struct sequence_hold *hold = &session->sequences;
    struct sql_engine *engine = session->engine;
    for (uint32_t i = 0; i < hold->want_count; i++) {
        struct sequence_range *taken = &hold->taken[i];
        const struct sequence *sequence = catalog_sequence_by_id(session->catalog, taken->id);
        /* At its end it is asked once: the call that finds nothing tells. One that cycles gives the
         * rest from its other end, to the next chore. */
        hold->ended |= taken->left < hold->wants[i].left && !sequence->cycle;
        session_add(session, range_cut(taken, hold->wants[i].left));
        env_mutex_lock(engine->mutex);
        struct sequence_block *block = engine_block(engine, sequence);
        if (block->range.left < taken->left) /* what another session has taken meanwhile */
            block->range = *taken;
        env_mutex_unlock(engine->mutex);
    }
    hold->want_count = 0;
}

/* ---- the functions --------------------------------------------------------------------------- */

static void note_value(struct sql_session *session, const struct sequence *sequence, int64_t value)
{
    struct sequence_hold *hold = &session->sequences;
    struct sequence_last *last = NULL;
    for (uint32_t i = 0; i < hold->last_count && !last; i++) {
        if (hold->lasts[i].id == sequence->id)
            last = &hold->lasts[i];
    }
    if (!last) {
        hold->lasts =
            vec_grow(hold->lasts, &hold->last_capacity, hold->last_count + 1, sizeof *hold->lasts);
        last = &hold->lasts[hold->last_count++];
    }
    *last = (struct sequence_last){sequence->id, value};
    hold->has_last = true;
    hold->last_id = sequence->id;
}

static bool from_session(struct sql_session *session, const struct sequence *sequence, int64_t *out)
{
    for (uint32_t i = 0; i < session->sequences.range_count; i++) {
        struct sequence_range *range = &session->sequences.ranges[i];
        if (is_of(range, sequence) && range->left > 0) {
            *out = range_next(range);
            return true;
        }
    }
    return false;
}

static status_t at_end(const struct sequence *sequence, struct error *error)
{
    bool up = sequence->increment > 0;
    return error_sql(error, "2200H", 0, "nextval: reached %s value of sequence \"%s\" (%lld)",
                     up ? "maximum" : "minimum", sequence->name,
                     (long long)(up ? sequence->high : sequence->low));
}

/* Out of the statement's own transaction. */
static status_t from_store(struct sql_session *session, const struct sequence *sequence,
                           int64_t *out, struct error *error)
{
    uint64_t count = 0;
    status_t status = catalog_sequence_take(session->txn, sequence, 1, out, &count, error);
    if (!status && count == 0)
        return at_end(sequence, error);
    session->changed = true;
    return status;
}

/* The statement has to be begun again, with more put aside. How much it takes in all is not known,
 * but it is more than it has taken. One that has written is begun again with its transaction. */
static status_t too_few(struct sql_session *session, const struct sequence *sequence,
                        struct error *error)
{
    struct sequence_hold *hold = &session->sequences;
    if (hold->ended)
        return at_end(sequence, error);
    uint64_t count = hold->used < BLOCK_FIRST ? BLOCK_FIRST : hold->used;
    count *= count < GUESS_LARGE ? GUESS_FACTOR : 2;
    if (session->told || exec_has_written(session->exec)) {
        hold->least = count;
        hold->least_id = sequence->id;
        return error_set(error, ERR_CONFLICT,
                         "sequence \"%s\" had too few values put aside, run the transaction again",
                         sequence->name);
    }
    hold->too_few++;
    hold->again = true;
    want(session, sequence, count);
    return error_set(error, ERR_CONFLICT, "more values of a sequence are needed");
}

/* As many as RETURNING and ON CONFLICT take of `rows` rows. Begun again the statement takes once
 * more what it has taken so far. */
static status_t call_reserve(void *context, uint64_t rows, struct error *error)
{
    struct sql_session *session = context;
    struct sequence_hold *hold = &session->sequences;
    if (session->catalog_own || hold->set || hold->ended)
        return OK;
    ASSERT(session->exec && !exec_has_written(session->exec) && hold->want_count == 0);
    for (uint32_t i = 0; i < session->planned.nextval_count; i++) {
        const struct plan_nextval *nextval = &session->planned.nextvals[i];
        const struct sequence *sequence;
        struct error unused;
        if (!nextval->late || !nextval->name ||
            find(session->catalog, slice_from_string(nextval->name), &sequence, &unused))
            continue;
        uint64_t all = 0;
        for (uint32_t k = 0; k < session->planned.nextval_count; k++) {
            const struct plan_nextval *other = &session->planned.nextvals[k];
            bool counts = other->late && names_same(other, nextval);
            if (counts && k < i)
                break; /* looked at with the first of that name */
            all += counts ? rows : 0;
        }
        uint64_t has = session_has(session, sequence);
        if (has < all)
            has += engine_give(session, sequence, all - has);
        if (has < all)
            want(session, sequence, all + hold->used);
    }
    if (hold->want_count == 0)
        return OK;
    hold->again = true;
    return error_set(error, ERR_CONFLICT, "more values of a sequence are needed");
}

static status_t call_nextval(void *context, struct slice name, int64_t *out, struct error *error)
{
    struct sql_session *session = context;
    const struct sequence *sequence;
    status_t status = find(session->catalog, name, &sequence, error);
    if (status)
        return status;
    bool own = session->catalog_own || session->sequences.set;
    bool got = !own && from_session(session, sequence, out);
    if (!got && !own && engine_give(session, sequence, 1) > 0)
        got = from_session(session, sequence, out);
    if (!got)
        status = own || !session->exec ? from_store(session, sequence, out, error)
                                       : too_few(session, sequence, error);
    session->sequences.used++;
    if (!status)
        note_value(session, sequence, *out);
    return status;
}

static status_t call_currval(void *context, struct slice name, int64_t *out, struct error *error)
{
    struct sql_session *session = context;
    const struct sequence_hold *hold = &session->sequences;
    const struct sequence *sequence;
    status_t status = find(session->catalog, name, &sequence, error);
    for (uint32_t i = 0; i < hold->last_count && !status; i++) {
        if (hold->lasts[i].id == sequence->id) {
            *out = hold->lasts[i].value;
            return OK;
        }
    }
    return status ? status
                  : error_sql(error, "55000", 0,
                              "currval of sequence \"%s\" is not yet defined in this session",
                              sequence->name);
}

static status_t call_lastval(void *context, int64_t *out, struct error *error)
{
    struct sql_session *session = context;
    const struct sequence_hold *hold = &session->sequences;
    for (uint32_t i = 0; i < hold->last_count && hold->has_last; i++) {
        if (hold->lasts[i].id == hold->last_id) {
            *out = hold->lasts[i].value;
            return OK;
        }
    }
    return error_sql(error, "55000", 0, "lastval is not yet defined in this session");
}

static status_t call_setval(void *context, struct slice name, int64_t value, bool called,
                            struct error *error)
{
    struct sql_session *session = context;
    const struct sequence *sequence;
    status_t status = find(session->catalog, name, &sequence, error);
    if (status)
        return status;
    if (value < sequence->low || value > sequence->high)
        return error_sql(error, "22003", 0,
                         "setval: value %lld is out of bounds for sequence \"%s\" (%lld..%lld)",
                         (long long)value, sequence->name, (long long)sequence->low,
                         (long long)sequence->high);
    status = catalog_sequence_put(session->txn, sequence, value, called, error);
    if (!status && !session->sequences.set)
        status = catalog_change_sequence(session->txn, sequence, error);
    if (status)
        return status;
    session->sequences.set = true;
    session->changed = true;
    if (called)
        note_value(session, sequence, value);
    return OK;
}

const struct exec_sequences *sql__sequences_functions(struct sql_session *session)
{
    session->sequences.functions = (struct exec_sequences){.nextval = call_nextval,
                                                           .currval = call_currval,
                                                           .lastval = call_lastval,
                                                           .reserve = call_reserve,
                                                           .setval = call_setval,
                                                           .context = session};
    return &session->sequences.functions;
}

void sql__sequences_free(struct sql_session *session)
{
    mem_free(session->sequences.ranges);
    mem_free(session->sequences.lasts);
}
