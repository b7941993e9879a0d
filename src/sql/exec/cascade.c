/* What ON DELETE and ON UPDATE do: CASCADE, SET NULL, SET DEFAULT.
 *
 * It goes in waves. The first is what the statement itself has changed, all of which is in place by
 * then; each further one is what the one before it brought about. A wave has two parts:
 *
 *   1. find: for each changed row, by each foreign key that refers to it, the rows that have the
 * old key. Nothing is changed meanwhile, so that no row is met that this wave has moved itself
 *      (UPDATE p SET id = id + 1 moves children 1 to 2 and those of 2 to 3, each once). A row that
 *      is found several times is one `pending`, with a reason for each; one reason to delete it is
 *      enough. RESTRICT is asked here: it does not wait for what else may happen.
 *   2. change: all that were found, as a statement of their table would: keys vacated first, then
 *      settled, with NOT NULL, CHECK and uniqueness held.
 *
 * It ends with a wave that finds nothing. Then whatever was changed, by the statement or a wave, is
 * checked as a child (its parents must be there) and as a parent (NO ACTION; SET DEFAULT, whose
 * default may be the very key that is gone). A row that was
 * changed again after that has a later change, which is checked in its place.
 *
 * Every row found was read through the transaction, range and row: a concurrent insert of a further
 * child conflicts. What is found and changed is counted against the statement's memory. A cycle of
 * keys that are updated in a ring does not come to an end by itself: WAVES_WITHOUT_DELETE_MAX. */
#include "base/map.h"
#include "base/mem.h"
#include "sql/exec/modify_int.h"

enum { SCAN_BATCH = 64, ROWS_BETWEEN_CANCEL_CHECKS = 256, WAVES_WITHOUT_DELETE_MAX = 1000 };

/* A table whose rows a wave has changed. */
struct target {
    struct modify modify;
    struct collection changes; /* the row before, the row after */
    enum change *kinds;        /* of each */
    uint32_t kind_capacity;
    uint32_t wave_start; /* changes of the last wave are from here */
    uint32_t wave_end;
    struct row_shape shape;
    struct vector **columns;
    struct batch *row;
    struct target *next;
};

/* Why a row is to be changed: what became of its parent. */
struct reason {
    const struct foreign_key *key;
    struct target *source; /* whose change `number` it is; NULL: the statement's */
    uint32_t number;
    struct reason *next;
};

struct pending {
    struct target *target;
    struct slice row;
    bool is_delete;
    struct reason *reasons; /* the last one first */
    struct pending *next;
};

struct cascade {
    struct exec *exec;
    struct modify *own; /* the statement's */
    struct target *targets;
    /* Of one wave. */
    struct arena arena;
    struct map found; /* by row key */
    struct pending *first;
    struct pending **last;
    size_t charged;
    bool any_delete;
    struct target *source; /* the change being looked at */
    uint32_t number;
    struct buffer low, high, row_key;
};

bool exec__cascades(const struct table *table)
{
    for (uint32_t i = 0; i < table->referenced_by_count; i++) {
        const struct foreign_key *key = table->referenced_by[i];
        if (key->on_delete > FK_RESTRICT || key->on_update > FK_RESTRICT)
            return true;
    }
    return false;
}

/* ---- tables -------------------------------------------------------------------------------------
 */

static void target_shape(struct target *target, struct exec *exec)
{
    const struct table *table = target->modify.table;
    uint32_t count = table->column_count;
    uint32_t *order;
    enum sql_type *types = arena_alloc(exec->arena, 2 * count * sizeof *types);
    for (uint32_t c = 0; c < count; c++)
        types[c] = types[count + c] = table->columns[c].type.kind;
    exec__row_shape(table, NULL, count, exec->arena, &target->shape, &order);
    target->row = batch_create(exec->arena, types, count, 1);
    target->columns = arena_alloc(exec->arena, count * sizeof(struct vector *));
    for (uint32_t c = 0; c < count; c++)
        target->columns[c] = &target->row->columns[order[c]];
    exec__collection_init(&target->changes, exec, types, NULL, 2 * count);
}

static status_t target_find(struct cascade *cascade, const struct table *table, struct target **out,
                            struct error *error)
{
    struct exec *exec = cascade->exec;
    struct target **place = &cascade->targets;
    while (*place && (*place)->modify.table != table)
        place = &(*place)->next;
    *out = *place;
    if (*place)
        return OK;
    struct target *target = arena_zalloc(exec->arena, sizeof *target);
    *place = *out = target;
    target->modify.op.exec = exec;
    target->modify.table = table;
    target_shape(target, exec);
    return exec__modify_rows_init(&target->modify, NULL, error);
}

static void target_free(struct target *target)
{
    exec__modify_rows_free(&target->modify);
    exec__collection_free(&target->changes);
    mem_free(target->kinds);
}

/* Change `number` into the target's old_row and new_row. */
static enum change change_load(struct target *target, uint32_t number)
{
    uint32_t count = target->modify.table->column_count;
    ASSERT(number < target->changes.row_count);
    for (uint32_t c = 0; c < count; c++) {
        target->modify.old_row[c] = exec__collection_value(&target->changes, c, number);
        target->modify.new_row[c] = exec__collection_value(&target->changes, count + c, number);
    }
    return target->kinds[number];
}

static status_t change_note(struct target *target, enum change change, struct error *error)
{
    const struct value *rows[2] = {target->modify.old_row, change == CHANGE_DELETE
                                                               ? target->modify.old_row
                                                               : target->modify.new_row};
    uint32_t count = target->changes.row_count;
    target->kinds =
        vec_grow(target->kinds, &target->kind_capacity, count + 1, sizeof *target->kinds);
    target->kinds[count] = change;
    return exec__row_collect(&target->modify, &target->changes, rows, 2, error);
}

/* ---- find ---------------------------------------------------------------------------------------
 */

static enum foreign_key_action action_of(const struct foreign_key *key, enum change change)
{
    ASSERT(change != CHANGE_INSERT);
    return change == CHANGE_DELETE ? key->on_delete : key->on_update;
}

/* The row an entry of the child's index is of, by its key in cascade->row_key. */
static status_t child_row(struct cascade *cascade, const struct table *child,
                          const struct index *index, const struct store_entry *entry,
                          struct slice *row, struct error *error)
{
    buffer_reset(&cascade->row_key);
    if (index->id == 0) {
        buffer_append_slice(&cascade->row_key, entry->key);
        *row = entry->value;
        return OK;
    }
    bool found = false;
    status_t status =
        index_entry_row_key(child, index, entry->key, entry->value, &cascade->row_key, error);
    if (status == OK)
        status = store_get(cascade->exec->context.txn, buffer_slice(&cascade->row_key), &found, row,
                           error);
    if (status == OK && !found)
        return error_set(error, ERR_CORRUPT, "index \"%s\" has an entry without a row",
                         index->name);
    return status;
}

static status_t row_found(struct cascade *cascade, const struct foreign_key *key,
                          struct target *target, struct slice row, bool is_delete,
                          struct error *error)
{
    struct slice row_key = buffer_slice(&cascade->row_key);
    struct pending *pending = map_get(&cascade->found, row_key);
    size_t size = sizeof(struct reason);
    if (!pending) {
        pending = arena_zalloc(&cascade->arena, sizeof *pending);
        *pending = (struct pending){.target = target, .row = row};
        map_put(&cascade->found, row_key, pending);
        *cascade->last = pending;
        cascade->last = &pending->next;
        size += sizeof *pending + row_key.size + sizeof(struct map_entry);
    }
    struct reason *reason = arena_alloc(&cascade->arena, sizeof *reason);
    *reason = (struct reason){key, cascade->source, cascade->number, pending->reasons};
    pending->reasons = reason;
    pending->is_delete |= is_delete;
    cascade->any_delete |= is_delete;
    cascade->charged += size;
    return exec__memory_charge(cascade->exec, size, error);
}

static status_t children_scan(struct cascade *cascade, const struct foreign_key *key,
                              struct target *target, bool is_delete, struct error *error)
{
    const struct table *child = target->modify.table;
    const struct index *index = table_index_by_id(child, key->child_index_id);
    struct store_cursor *cursor = NULL;
    status_t status = store_scan_open(cascade->exec->context.txn, buffer_slice(&cascade->low),
                                      buffer_slice(&cascade->high), false, &cursor, error);
    uint32_t count = 1;
    while (status == OK && count > 0) {
        struct store_entry entries[SCAN_BATCH];
        status = store_scan_next(cursor, entries, SCAN_BATCH, &count, error);
        if (status == OK)
            status = exec__cancel_check(cascade->exec, error);
        for (uint32_t i = 0; i < count && status == OK; i++) {
            struct slice row;
            status = child_row(cascade, child, index, &entries[i], &row, error);
            if (status == OK)
                status = row_found(cascade, key, target, row, is_delete, error);
        }
    }
    store_scan_close(cursor);
    return status;
}

/* All children of one changed row, which is in modify's old_row and new_row. */
static status_t children_find(struct cascade *cascade, struct modify *modify, enum change change,
                              struct error *error)
{
    const struct table *parent = modify->table;
    status_t status = OK;
    for (uint32_t i = 0; i < parent->referenced_by_count && status == OK; i++) {
        const struct foreign_key *key = parent->referenced_by[i];
        enum foreign_key_action action = action_of(key, change);
        if (action == FK_NO_ACTION ||
            !exec__key_touched(modify, change, key->parent_columns, key->column_count))
            continue;
        if (action == FK_RESTRICT) {
            status = exec__check_children(cascade->exec, key, parent, modify->old_row,
                                          change == CHANGE_UPDATE, &modify->key, error);
            continue;
        }
        const struct table *child =
            catalog_table_by_id(cascade->exec->context.catalog, key->child_table_id);
        ASSERT(child);
        bool any;
        status = exec__children_range(key, child, modify->old_row, &cascade->low, &cascade->high,
                                      &any, error);
        struct target *target;
        if (status == OK && any)
            status = target_find(cascade, child, &target, error);
        if (status == OK && any)
            status = children_scan(cascade, key, target,
                                   change == CHANGE_DELETE && action == FK_CASCADE, error);
    }
    return status;
}

/* The first wave: the statement's own. */
static status_t find_own(struct cascade *cascade, struct error *error)
{
    uint32_t count = exec__own_change_count(cascade->own);
    status_t status = OK;
    cascade->source = NULL;
    for (uint32_t i = 0; i < count && status == OK; i++) {
        enum change change;
        cascade->number = i;
        status = exec__own_change_load(cascade->own, i, &change, error);
        if (status == OK && change != CHANGE_INSERT)
            status = children_find(cascade, cascade->own, change, error);
    }
    return status;
}

static status_t find_further(struct cascade *cascade, struct error *error)
{
    status_t status = OK;
    for (struct target *target = cascade->targets; target; target = target->next)
        target->wave_end = target->changes.row_count;
    for (struct target *target = cascade->targets; target && status == OK; target = target->next) {
        cascade->source = target;
        for (uint32_t i = target->wave_start; i < target->wave_end && status == OK; i++) {
            cascade->number = i;
            status = children_find(cascade, &target->modify, change_load(target, i), error);
        }
    }
    return status;
}

/* ---- change -------------------------------------------------------------------------------------
 */

static status_t value_default(struct cascade *cascade, const struct column *column,
                              struct value *out, struct error *error)
{
    struct expr *expr;
    status_t status = plan_default(column, &cascade->arena, &expr, error);
    if (status != OK)
        return status;
    return exec__expr_value(cascade->exec, expr, out, error);
}

/* The statement's rows are loaded one at a time, and the next reason may want another. */
static struct value value_keep(const struct value *value, struct target *target)
{
    struct value kept = *value;
    if (!kept.null && type_is_slice(kept.type))
        kept.as.text = arena_copy(&target->modify.scratch, kept.as.text);
    return kept;
}

/* One reason's part in the new row. */
static status_t reason_apply(struct cascade *cascade, const struct pending *pending,
                             const struct reason *reason, struct error *error)
{
    const struct foreign_key *key = reason->key;
    struct modify *parent = reason->source ? &reason->source->modify : cascade->own;
    struct value *row = pending->target->modify.new_row;
    enum change change;
    status_t status = OK;
    if (reason->source)
        change = reason->source->kinds[reason->number];
    else
        status = exec__own_change_load(parent, reason->number, &change, error);
    for (uint32_t i = 0; i < key->column_count && status == OK; i++) {
        uint32_t c = key->child_columns[i];
        const struct column *column = &pending->target->modify.table->columns[c];
        enum foreign_key_action action = action_of(key, change);
        if (action == FK_SET_NULL)
            row[c] = value_null(column->type.kind);
        else if (action == FK_SET_DEFAULT)
            status = value_default(cascade, column, &row[c], error);
        else if (reason->source) /* collected, and so kept */
            row[c] = exec__collection_value(&reason->source->changes,
                                            parent->table->column_count + key->parent_columns[i],
                                            reason->number);
        else
            row[c] = value_keep(&parent->new_row[key->parent_columns[i]], pending->target);
    }
    return status;
}

static status_t row_read(const struct pending *pending, struct error *error)
{
    struct target *target = pending->target;
    batch_reset(target->row);
    if (row_decode(pending->row, &target->shape, target->columns, 0) != OK)
        return error_set(error, ERR_CORRUPT, "a row of table \"%s\" is malformed",
                         target->modify.table->name);
    for (uint32_t c = 0; c < target->modify.table->column_count; c++)
        target->modify.old_row[c] = target->modify.new_row[c] =
            vector_get(&target->row->columns[c], 0);
    return OK;
}

/* The row is taken away, or made to be and its old keys vacated. */
static status_t pending_begin(struct cascade *cascade, const struct pending *pending,
                              struct error *error)
{
    struct modify *modify = &pending->target->modify;
    arena_reset(&modify->scratch);
    status_t status = row_read(pending, error);
    if (status == OK && pending->is_delete) {
        status = exec__row_delete(modify, error);
        return status == OK ? change_note(pending->target, CHANGE_DELETE, error) : status;
    }
    for (const struct reason *reason = pending->reasons; reason && status == OK;
         reason = reason->next)
        status = reason_apply(cascade, pending, reason, error);
    if (status == OK)
        status =
            exec__check_row(cascade->exec, modify->table, modify->new_row, &modify->scratch, error);
    if (status == OK)
        status = exec__rules_check(modify->rules, modify->new_row, error);
    if (status == OK)
        status = exec__row_vacate(modify, error);
    return status == OK ? change_note(pending->target, CHANGE_UPDATE, error) : status;
}

static status_t wave_change(struct cascade *cascade, struct error *error)
{
    status_t status = OK;
    uint32_t count = 0;
    for (struct target *target = cascade->targets; target; target = target->next)
        target->wave_start = target->changes.row_count;
    for (struct pending *at = cascade->first; at && status == OK; at = at->next) {
        if (count++ % ROWS_BETWEEN_CANCEL_CHECKS == 0)
            status = exec__cancel_check(cascade->exec, error);
        if (status == OK)
            status = pending_begin(cascade, at, error);
    }
    for (struct target *target = cascade->targets; target; target = target->next) {
        for (uint32_t i = target->wave_start; i < target->changes.row_count && status == OK; i++) {
            if (change_load(target, i) == CHANGE_UPDATE)
                status = exec__row_settle(&target->modify, error);
        }
    }
    return status;
}

static void wave_clear(struct cascade *cascade)
{
    map_free(&cascade->found);
    arena_free(&cascade->arena);
    exec__memory_release(cascade->exec, cascade->charged);
    cascade->charged = 0;
    cascade->first = NULL;
    cascade->last = &cascade->first;
    cascade->any_delete = false;
}

static status_t waves_run(struct cascade *cascade, struct error *error)
{
    uint32_t without_delete = 0;
    status_t status = find_own(cascade, error);
    while (status == OK && cascade->first) {
        without_delete = cascade->any_delete ? 0 : without_delete + 1;
        if (without_delete > WAVES_WITHOUT_DELETE_MAX)
            return error_sql(error, "54001", 0,
                             "foreign key actions that begin at table \"%s\" do not come to an end",
                             cascade->own->table->name);
        status = wave_change(cascade, error);
        wave_clear(cascade);
        if (status == OK)
            status = find_further(cascade, error);
    }
    return status;
}

/* ---- what must hold in the end ------------------------------------------------------------------
 */

static struct target *own_target(const struct cascade *cascade)
{
    struct target *target = cascade->targets;
    while (target && target->modify.table != cascade->own->table)
        target = target->next;
    return target;
}

static status_t check_all(struct cascade *cascade, struct error *error)
{
    uint32_t count = exec__own_change_count(cascade->own);
    struct target *again = own_target(cascade);
    bool changed_again = again && again->changes.row_count > 0;
    status_t status = OK;
    for (uint32_t i = 0; i < count && status == OK; i++) {
        enum change change;
        status = exec__own_change_load(cascade->own, i, &change, error);
        if (status == OK)
            status = exec__row_references(cascade->own, change, changed_again, error);
    }
    for (struct target *target = cascade->targets; target; target = target->next) {
        for (uint32_t i = 0; i < target->changes.row_count && status == OK; i++)
            status = exec__row_references(&target->modify, change_load(target, i), true, error);
    }
    return status;
}

status_t exec__cascade_run(struct modify *modify, struct error *error)
{
    ASSERT(modify && exec__cascades(modify->table));
    struct cascade cascade = {.exec = modify->op.exec, .own = modify, .last = NULL};
    cascade.last = &cascade.first;
    status_t status = waves_run(&cascade, error);
    if (status == OK)
        status = check_all(&cascade, error);
    wave_clear(&cascade);
    for (struct target *target = cascade.targets; target; target = target->next)
        target_free(target);
    buffer_free(&cascade.low);
    buffer_free(&cascade.high);
    buffer_free(&cascade.row_key);
    return status;
}
