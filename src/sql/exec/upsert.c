/* INSERT ... ON CONFLICT, and INSERT OR REPLACE: row after row, since each may meet what those
 * before it have made.
 *
 *   NOTHING  a row one of whose keys is there is left out
 *   UPDATE   the row that has the key of the one index that counts is changed instead
 *   REPLACE  every row that has one of its keys is taken away first
 *
 * What was done is noted (the row before, the row after) and the foreign keys are checked at the
 * end, as for every other change. UPDATE must not meet a row this statement has made or changed:
 * which one would be right depends on the order of the input (21000). */
#include "base/map.h"
#include "base/mem.h"
#include "sql/exec/modify_int.h"

struct upsert {
    struct collection changes; /* the row before, the row after */
    enum change *kinds;        /* of each */
    uint32_t kind_capacity;
    struct map touched; /* row keys this statement wrote */
    size_t charged;
    struct arena texts; /* of the row that is there */
    struct row_shape shape;
    struct vector **targets; /* one row */
    struct eval **values;    /* UPDATE */
    struct eval *where;
    struct batch *both; /* the row that is there, then the one that is not put in */
};

static char mark; /* any pointer that is not NULL */

/* ---- what is there ------------------------------------------------------------------------------
 */

/* The row key that stands in the way of new_row in one index, into old_key; *row its value. */
static status_t find_conflict(struct modify *modify, const struct index *index, bool *found,
                              struct slice *row, struct error *error)
{
    struct store_txn *txn = modify->op.exec->context.txn;
    struct slice entry;
    bool checked = true;
    *found = false;
    buffer_reset(&modify->old_key);
    if (index->id == 0) {
        status_t status = index_row_key(modify->table, modify->new_row, &modify->old_key, error);
        return status == OK ? store_get(txn, buffer_slice(&modify->old_key), found, row, error)
                            : status;
    }
    buffer_reset(&modify->key);
    buffer_reset(&modify->value);
    status_t status = index_entry(modify->table, index, modify->new_row, &modify->key,
                                  &modify->value, &checked, error);
    if (status == OK && checked)
        status = store_get(txn, buffer_slice(&modify->key), found, &entry, error);
    if (status != OK || !*found)
        return status;
    status = index_entry_row_key(modify->table, index, buffer_slice(&modify->key), entry,
                                 &modify->old_key, error);
    if (status == OK)
        status = store_get(txn, buffer_slice(&modify->old_key), found, row, error);
    if (status == OK && !*found)
        return error_set(error, ERR_CORRUPT, "index \"%s\" has an entry without a row",
                         index->name);
    return status;
}

/* The row found becomes old_row. */
static status_t load_old(struct modify *modify, struct slice row, struct error *error)
{
    struct upsert *upsert = modify->upsert;
    uint32_t count = modify->table->column_count;
    batch_reset(upsert->both);
    if (row_decode(arena_copy(&upsert->texts, row), &upsert->shape, upsert->targets, 0) != OK)
        return error_set(error, ERR_CORRUPT, "a row of table \"%s\" is malformed",
                         modify->table->name);
    for (uint32_t c = 0; c < count; c++)
        modify->old_row[c] = vector_get(&upsert->both->columns[c], 0);
    return OK;
}

static status_t next_conflict(struct modify *modify, uint32_t *at, bool *found, struct slice *row,
                              struct error *error)
{
    const struct index *only = modify->op.plan->as.modify.conflict_index;
    *found = false;
    for (; *at < modify->table->index_count && !*found; ++*at) {
        const struct index *index = &modify->table->indexes[*at];
        bool hidden = modify->table->columns[index->columns[0]].hidden;
        if (!index->unique || hidden || (only && only != index))
            continue;
        bool covers;
        status_t status = exec__rules_covers(modify->rules, *at, modify->new_row, &covers, error);
        if (status != OK)
            return status;
        if (!covers)
            continue;
        status = find_conflict(modify, index, found, row, error);
        if (status != OK)
            return status;
    }
    return OK;
}

/* ---- what is done -------------------------------------------------------------------------------
 */

static status_t note(struct modify *modify, enum change change, struct error *error)
{
    struct upsert *upsert = modify->upsert;
    const struct table *table = modify->table;
    buffer_reset(&modify->key);
    status_t status = OK;
    if (change != CHANGE_DELETE)
        status = index_row_key(table, modify->new_row, &modify->key, error);
    if (status == OK && change != CHANGE_DELETE &&
        !map_put(&upsert->touched, buffer_slice(&modify->key), &mark)) {
        size_t size = modify->key.size + sizeof(struct map_entry);
        upsert->charged += size;
        status = exec__memory_charge(modify->op.exec, size, error);
    }
    if (status != OK || (table->foreign_key_count == 0 && table->referenced_by_count == 0))
        return status;
    /* Where there is no row before, or none after, the other stands in its place. */
    const struct value *rows[2] = {change == CHANGE_INSERT ? modify->new_row : modify->old_row,
                                   change == CHANGE_DELETE ? modify->old_row : modify->new_row};
    uint32_t count = upsert->changes.row_count;
    upsert->kinds =
        vec_grow(upsert->kinds, &upsert->kind_capacity, count + 1, sizeof *upsert->kinds);
    upsert->kinds[count] = change;
    return exec__row_collect(modify, &upsert->changes, rows, 2, error);
}

static status_t insert(struct modify *modify, struct error *error)
{
    status_t status = exec__row_insert(modify, error);
    if (status == OK)
        status = exec__row_return(modify, modify->new_row, error);
    if (status != OK)
        return status;
    modify->op.exec->rows_affected++;
    return note(modify, CHANGE_INSERT, error);
}

/* Puts the two rows side by side and asks WHERE. */
static status_t is_wanted(struct modify *modify, bool *wanted, struct error *error)
{
    struct upsert *upsert = modify->upsert;
    uint32_t count = modify->table->column_count;
    for (uint32_t c = 0; c < count; c++)
        vector_set(&upsert->both->columns[count + c], 0, &modify->new_row[c]);
    upsert->both->row_count = upsert->both->selected = 1;
    *wanted = true;
    if (!upsert->where)
        return OK;
    uint32_t selection;
    uint32_t selected;
    status_t status = exec__eval_filter(upsert->where, upsert->both, &selection, &selected, error);
    *wanted = selected > 0;
    return status;
}

static status_t change_row(struct modify *modify, struct error *error)
{
    struct upsert *upsert = modify->upsert;
    const struct plan *plan = modify->op.plan;
    for (uint32_t c = 0; c < modify->table->column_count; c++)
        modify->new_row[c] = modify->old_row[c];
    for (uint32_t i = 0; i < plan->as.modify.assigned_count; i++) {
        struct eval *value = upsert->values[i];
        status_t status = exec__eval_run(value, upsert->both, error);
        if (status != OK)
            return status;
        modify->new_row[plan->as.modify.assigned[i]] = vector_get(value->result, 0);
    }
    status_t status = exec__row_update(modify, error);
    if (status != OK)
        return status;
    modify->op.exec->rows_affected++;
    return note(modify, CHANGE_UPDATE, error);
}

static status_t update(struct modify *modify, struct slice row, struct error *error)
{
    struct upsert *upsert = modify->upsert;
    if (map_get(&upsert->touched, buffer_slice(&modify->old_key))) {
        error_sql(error, "21000", 0,
                  "ON CONFLICT DO UPDATE command cannot affect row a second time");
        error_hint(error, "Ensure that no rows proposed for insertion within the same command have "
                          "duplicate constrained values.");
        return ERR_SQL;
    }
    bool wanted = false;
    status_t status = load_old(modify, row, error);
    if (status == OK)
        status = is_wanted(modify, &wanted, error);
    return status == OK && wanted ? change_row(modify, error) : status;
}

static status_t take_away(struct modify *modify, struct slice row, struct error *error)
{
    status_t status = load_old(modify, row, error);
    if (status == OK)
        status = exec__row_delete(modify, error);
    return status == OK ? note(modify, CHANGE_DELETE, error) : status;
}

status_t exec__upsert_row(struct modify *modify, struct error *error)
{
    enum conflict_action action = modify->op.plan->as.modify.conflict;
    uint32_t at = 0;
    arena_reset(&modify->upsert->texts);
    status_t status = exec__rules_check(modify->rules, modify->new_row, error);
    if (status != OK)
        return status;
    for (;;) {
        bool found;
        struct slice row = {0};
        status = next_conflict(modify, &at, &found, &row, error);
        if (status != OK)
            return status;
        if (!found)
            return insert(modify, error);
        if (action == CONFLICT_NOTHING)
            return OK;
        if (action == CONFLICT_UPDATE)
            return update(modify, row, error);
        ASSERT(action == CONFLICT_REPLACE);
        if ((status = take_away(modify, row, error)) != OK)
            return status;
    }
}

uint32_t exec__upsert_change_count(const struct modify *modify)
{
    return modify->upsert->changes.row_count;
}

void exec__upsert_change_load(struct modify *modify, uint32_t number, enum change *change)
{
    struct collection *changes = &modify->upsert->changes;
    uint32_t count = modify->table->column_count;
    ASSERT(number < changes->row_count);
    for (uint32_t c = 0; c < count; c++) {
        modify->old_row[c] = exec__collection_value(changes, c, number);
        modify->new_row[c] = exec__collection_value(changes, count + c, number);
    }
    *change = modify->upsert->kinds[number];
}

/* ---- opening and closing ------------------------------------------------------------------------
 */

static void describe_rows(struct modify *modify)
{
    struct upsert *upsert = modify->upsert;
    const struct table *table = modify->table;
    struct arena *arena = modify->op.exec->arena;
    uint32_t count = table->column_count;
    uint32_t *order;
    enum sql_type *types = arena_alloc(arena, 2 * count * sizeof *types);
    for (uint32_t c = 0; c < count; c++)
        types[c] = types[count + c] = table->columns[c].type.kind;
    exec__row_shape(table, NULL, count, arena, &upsert->shape, &order);
    upsert->both = batch_create(arena, types, 2 * count, 1);
    upsert->targets = arena_alloc(arena, count * sizeof(struct vector *));
    for (uint32_t c = 0; c < count; c++)
        upsert->targets[c] = &upsert->both->columns[order[c]];
    exec__collection_init(&upsert->changes, modify->op.exec, types, NULL, 2 * count);
}

status_t exec__upsert_open(struct modify *modify, struct error *error)
{
    struct exec *exec = modify->op.exec;
    const struct plan *plan = modify->op.plan;
    modify->upsert = arena_zalloc(exec->arena, sizeof *modify->upsert);
    describe_rows(modify);
    if (plan->as.modify.conflict != CONFLICT_UPDATE)
        return OK;
    status_t status = exec__eval_compile_all(exec, plan->as.modify.conflict_values,
                                             plan->as.modify.assigned_count, &modify->scratch,
                                             &modify->upsert->values, error);
    if (status == OK && plan->as.modify.conflict_where)
        status = exec__eval_compile(exec, plan->as.modify.conflict_where, &modify->scratch,
                                    &modify->upsert->where, error);
    return status;
}

void exec__upsert_close(struct modify *modify)
{
    struct upsert *upsert = modify->upsert;
    if (!upsert)
        return;
    exec__collection_free(&upsert->changes);
    exec__memory_release(modify->op.exec, upsert->charged);
    upsert->charged = 0;
    map_free(&upsert->touched);
    mem_free(upsert->kinds);
    upsert->kinds = NULL;
    arena_free(&upsert->texts);
}
