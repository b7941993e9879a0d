/* Lookup join: for each left row the right table is read by a key made of the row's columns, by a
 * get when the key is a whole unique one, else by a scan. The key's expressions are computed for
 * the whole left batch at once, and all look-ups are made by one cursor, which goes on from the one
 * before. The rows found are decoded together, when there are as many as can be paired at once.
 *
 * Where only the presence of a partner counts (semi and anti join without a further condition), one
 * entry is read of each key, and no row. */
#include "sql/exec/exec_int.h"

struct lookup_join {
    struct operator op;
    struct join join;
    struct row_reader reader;
    const struct key_range *range;
    struct eval **keys; /* as exec__range_exprs orders them */
    const struct vector **key_vectors;
    uint32_t key_count;
    struct arena scratch;
    struct buffer low;
    struct buffer high;
    struct bounds bounds; /* of the left row at left_at */
    bool bounds_ready;    /* they are computed, the row is being looked up */
    bool row_through;     /* all its partners are paired */
    struct store_look look;
    struct store_cursor *cursor; /* over its range */
    bool is_presence;            /* nothing of a partner is wanted */
    struct batch *left;
    uint32_t left_at;
    struct batch *right; /* rows read for the pairs at hand */
    struct store_entry *entries;
    struct store_entry *rows; /* of `right`: not decoded yet */
    uint32_t row_capacity;
};

static status_t left_take(struct lookup_join *lookup, struct error *error)
{
    status_t status = exec__operator_next(lookup->op.left, &lookup->left, error);
    if (status != OK || !lookup->left)
        return status;
    const struct batch *left = lookup->left;
    arena_reset(&lookup->scratch);
    for (uint32_t k = 0; k < lookup->key_count; k++) {
        status = exec__eval_column(lookup->keys[k], left, &lookup->key_vectors[k], error);
        if (status != OK)
            return status;
    }
    /* By a unique key a left row has at most one partner. */
    const struct index *index = lookup->op.plan->right->as.scan.index;
    bool unique = index->unique && lookup->range->equal_count == index_key_count(index);
    uint32_t pairs = left->selected;
    if (!unique && pairs < EXEC_BATCH_FIRST)
        pairs = EXEC_BATCH_FIRST;
    exec__join_left_batch(&lookup->join, pairs);
    lookup->left_at = 0;
    lookup->bounds_ready = false;
    return OK;
}

/* A walk backwards has a cursor of its own. */
static status_t range_open(struct lookup_join *lookup, struct error *error)
{
    const struct bounds *bounds = &lookup->bounds;
    ASSERT(!lookup->cursor);
    if (lookup->op.plan->right->as.scan.reverse)
        return store_scan_open(lookup->op.exec->context.txn, bounds->low, bounds->high, true,
                               &lookup->cursor, error);
    status_t status = store_look_range(&lookup->look, bounds->low, bounds->high, error);
    lookup->cursor = status == OK ? lookup->look.cursor : NULL;
    return status;
}

static status_t row_begin(struct lookup_join *lookup, uint32_t row, struct error *error)
{
    const struct plan *plan = lookup->op.plan->right;
    struct value values[CATALOG_KEY_COLUMNS_MAX + 2];
    for (uint32_t k = 0; k < lookup->key_count; k++)
        values[k] = vector_get(lookup->key_vectors[k], row);
    bool empty;
    status_t status =
        exec__range_bounds(plan->as.scan.table, plan->as.scan.index, lookup->range, values,
                           &lookup->low, &lookup->high, &lookup->bounds, &empty, error);
    if (status == OK && !empty && !lookup->bounds.is_point)
        status = range_open(lookup, error);
    lookup->bounds_ready = true;
    lookup->row_through = empty;
    return status;
}

static void partner_add(struct lookup_join *lookup, uint32_t row, const struct store_entry *entry)
{
    uint32_t at = lookup->right->row_count++;
    exec__join_pair(&lookup->join, row, at);
    if (lookup->is_presence)
        return;
    ASSERT(at < lookup->row_capacity);
    struct store_entry *kept = &lookup->rows[at];
    kept->value = entry->value;
    /* A key is valid until the next look-up. */
    if (lookup->op.plan->right->as.scan.index->id != 0)
        kept->key = arena_copy(&lookup->reader.text, entry->key);
}

/* No further partners of the row are wanted. */
static void row_leave(struct lookup_join *lookup)
{
    if (lookup->cursor != lookup->look.cursor)
        store_scan_close(lookup->cursor);
    lookup->cursor = NULL;
    lookup->row_through = true;
}

/* Reads partners of the row at left_at as far as there is room. */
static status_t row_continue(struct lookup_join *lookup, uint32_t row, struct error *error)
{
    struct exec *exec = lookup->op.exec;
    status_t status;
    if (lookup->bounds.is_point) {
        struct store_entry entry = {.key = lookup->bounds.low};
        bool found;
        status = store_look_get(&lookup->look, entry.key, &found, &entry.value, error);
        lookup->row_through = true;
        if (status == OK && found)
            partner_add(lookup, row, &entry);
        return status;
    }
    uint32_t count;
    if (!lookup->entries)
        lookup->entries = arena_alloc(exec->arena, EXEC_BATCH_FIRST * sizeof *lookup->entries);
    uint32_t want = lookup->join.pair_limit - lookup->join.pair_count;
    if (want > EXEC_BATCH_FIRST)
        want = EXEC_BATCH_FIRST;
    if (lookup->is_presence)
        want = 1;
    status = store_scan_next(lookup->cursor, lookup->entries, want, &count, error);
    for (uint32_t i = 0; i < count && status == OK; i++)
        partner_add(lookup, row, &lookup->entries[i]);
    if (status == OK && count == 0)
        row_leave(lookup);
    return status;
}

static status_t partners_find(struct lookup_join *lookup, struct error *error)
{
    struct join *join = &lookup->join;
    for (; lookup->left_at < lookup->left->selected; lookup->left_at++) {
        uint32_t row = batch_row(lookup->left, lookup->left_at);
        status_t status = lookup->bounds_ready ? OK : row_begin(lookup, row, error);
        while (status == OK && !lookup->row_through && !exec__join_full(join)) {
            if (exec__join_row_known(join, row))
                row_leave(lookup);
            else
                status = row_continue(lookup, row, error);
        }
        if (status != OK)
            return status;
        if (!lookup->row_through || !exec__join_row_end(join, row))
            return OK;
        lookup->bounds_ready = false;
    }
    return OK;
}

static status_t pairs_fill(struct lookup_join *lookup, struct error *error)
{
    struct exec *exec = lookup->op.exec;
    const struct plan *right = lookup->op.plan->right;
    uint32_t limit = lookup->join.pair_limit;
    arena_reset(&lookup->reader.text);
    exec__batch_prepare(exec, &lookup->right, right->types, right->column_count, limit);
    if (lookup->row_capacity < limit) {
        lookup->row_capacity = limit;
        lookup->rows = arena_alloc(exec->arena, limit * sizeof *lookup->rows);
    }
    status_t status = partners_find(lookup, error);
    if (status == OK && !lookup->is_presence)
        status =
            exec__row_reader_read_many(&lookup->reader, &lookup->reader.whole, lookup->rows,
                                       lookup->right->row_count, lookup->right->columns, 0, error);
    return status;
}

static status_t lookup_join_next(struct operator* op, struct batch **out, struct error *error)
{
    struct lookup_join *lookup = (struct lookup_join *)op;
    for (;;) {
        if (!lookup->left) {
            status_t status = left_take(lookup, error);
            if (status != OK || !lookup->left)
                return status;
        }
        status_t status = exec__cancel_check(op->exec, error);
        if (status == OK)
            status = pairs_fill(lookup, error);
        if (status == OK)
            status =
                exec__join_emit(&lookup->join, lookup->left,
                                (struct join_right){.vectors = lookup->right->columns}, out, error);
        if (status != OK || *out)
            return status;
        if (lookup->left_at == lookup->left->selected)
            lookup->left = NULL;
    }
}

static void lookup_join_close(struct operator* op)
{
    struct lookup_join *lookup = (struct lookup_join *)op;
    row_leave(lookup);
    store_look_end(&lookup->look);
    exec__join_free(&lookup->join);
    exec__row_reader_free(&lookup->reader);
    arena_free(&lookup->scratch);
    buffer_free(&lookup->low);
    buffer_free(&lookup->high);
}

static const struct operator_ops lookup_join_ops = {lookup_join_next, lookup_join_close};

status_t exec__lookup_join_open(struct exec *exec, const struct plan *plan, struct operator** out,
                                struct error *error)
{
    struct lookup_join *lookup =
        exec__operator_create(exec, plan, &lookup_join_ops, sizeof *lookup);
    *out = &lookup->op;
    ASSERT(plan->right->kind == PLAN_SCAN && plan->right->as.scan.range_count == 1);
    ASSERT(plan->as.join.kind != JOIN_RIGHT && plan->as.join.kind != JOIN_FULL);
    lookup->range = &plan->right->as.scan.ranges[0];
    enum join_kind kind = plan->as.join.kind;
    lookup->is_presence = (kind == JOIN_SEMI || kind == JOIN_ANTI) && !plan->as.join.condition;
    exec__row_reader_init(&lookup->reader, exec, plan->right);
    /* A row has all its columns. */
    store_look_begin(&lookup->look, exec->context.txn,
                     lookup->is_presence || plan->right->as.scan.index->id == 0);
    const struct expr *exprs[CATALOG_KEY_COLUMNS_MAX + 2];
    lookup->key_count = exec__range_exprs(lookup->range, exprs);
    lookup->keys = arena_alloc(exec->arena, lookup->key_count * sizeof *lookup->keys);
    lookup->key_vectors = arena_alloc(exec->arena, lookup->key_count * sizeof *lookup->key_vectors);
    status_t status = exec__join_init(&lookup->join, &lookup->op, error);
    for (uint32_t k = 0; status == OK && k < lookup->key_count; k++)
        status = exec__eval_compile(exec, exprs[k], &lookup->scratch, &lookup->keys[k], error);
    if (status == OK)
        status = exec__operator_open(exec, plan->left, &lookup->op.left, error);
    return status;
}
