/* Reading the schema.
 *
 * The system tables lie side by side in the order of their ids, and each is sorted by table id; so
 * one scan meets every table before its columns, these before its indexes, and so on. A picture is
 * built as the rows come by; when all are there, pictures are sorted and foreign keys are tied to
 * the parents. Rows that do not fit together are corruption, not a reason to stop the process. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "sql/catalog/catalog_int.h"

enum { LOAD_BATCH = 256 };

/* A table with room to grow. */
struct growing {
    struct table *table;
    uint32_t column_capacity;
    uint32_t index_capacity;
    uint32_t foreign_key_capacity;
    uint32_t referenced_by_capacity;
    uint32_t check_capacity;
};

struct loader {
    struct catalog *catalog;
    struct growing *tables; /* ascending by id */
    uint32_t capacity;
    uint32_t view_capacity;
    uint32_t sequence_capacity;
    uint32_t garbage_capacity;
    uint32_t comment_capacity;
    struct growing *at; /* the table of the last row, or NULL */
    struct arena scratch;
    struct batch *decoded[SYSTEM_TABLE_END]; /* one row each */
    struct value row[SYSTEM_COLUMNS_MAX];
};

static status_t corrupt(const char *what, struct error *error)
{
    return error_set(error, ERR_CORRUPT, "catalog has a malformed row of its %s", what);
}

/* ---- decoding ---------------------------------------------------------------------------------
 */

static status_t row_read(struct loader *loader, enum system_table which, struct slice bytes,
                         struct error *error)
{
    static const uint32_t ordinals[SYSTEM_COLUMNS_MAX] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const struct system_layout *layout = catalog__layout(which);
    if (!loader->decoded[which])
        loader->decoded[which] =
            batch_create(&loader->scratch, layout->types, layout->column_count, 1);
    struct batch *batch = loader->decoded[which];
    batch_reset(batch);
    struct vector *targets[SYSTEM_COLUMNS_MAX];
    struct value missing[SYSTEM_COLUMNS_MAX];
    for (uint32_t i = 0; i < layout->column_count; i++) {
        targets[i] = &batch->columns[i];
        missing[i] = value_null(layout->types[i]);
    }
    struct row_shape shape = {.ordinals = ordinals,
                              .types = layout->types,
                              .missing = missing,
                              .count = layout->column_count};
    if (row_decode(bytes, &shape, targets, 0) != OK)
        return corrupt("system tables", error);
    for (uint32_t i = 0; i < layout->column_count; i++)
        loader->row[i] = vector_get(targets[i], 0);
    return OK;
}

/* The integer in column i of the row just read, which must be in [0, end). */
static bool number(const struct loader *loader, uint32_t i, uint64_t end, uint32_t *out)
{
    const struct value *value = &loader->row[i];
    ASSERT(value->type == SQL_INTEGER && end <= (uint64_t)UINT32_MAX + 1);
    if (value->null || value->as.integer < 0 || (uint64_t)value->as.integer >= end)
        return false;
    *out = (uint32_t)value->as.integer;
    return true;
}

static bool flag(const struct loader *loader, uint32_t i, bool *out)
{
    const struct value *value = &loader->row[i];
    ASSERT(value->type == SQL_BOOLEAN);
    *out = value->as.boolean;
    return !value->null;
}

/* NULL for NULL. */
static const char *string(const struct loader *loader, uint32_t i)
{
    const struct value *value = &loader->row[i];
    ASSERT(value->type == SQL_TEXT);
    if (value->null)
        return NULL;
    return arena_strndup(&loader->catalog->arena, (const char *)value->as.text.data,
                         value->as.text.size);
}

static const uint64_t u32_end = (uint64_t)UINT32_MAX + 1;

static struct growing *growing_find(const struct loader *loader, uint32_t id)
{
    uint32_t low = 0;
    uint32_t high = loader->catalog->table_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (loader->tables[middle].table->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < loader->catalog->table_count && loader->tables[low].table->id == id;
    return found ? &loader->tables[low] : NULL;
}

/* Sets loader->at to the table the row's first column names. */
static bool table_enter(struct loader *loader)
{
    uint32_t id;
    if (!number(loader, 0, u32_end, &id))
        return false;
    if (!loader->at || loader->at->table->id != id)
        loader->at = growing_find(loader, id);
    return loader->at != NULL;
}

static int32_t column_by_ordinal(const struct table *table, uint32_t ordinal)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].ordinal == ordinal)
            return (int32_t)i;
    return -1;
}

/* ---- one function a system table --------------------------------------------------------------
 */

static bool load_table(struct loader *loader)
{
    struct catalog *catalog = loader->catalog;
    struct table *table = arena_zalloc(&catalog->arena, sizeof *table);
    table->name = string(loader, 1);
    if (!table->name || !number(loader, 0, u32_end, &table->id) ||
        !number(loader, 2, u32_end, &table->ordinal_next) ||
        !number(loader, 3, INDEX_ID_END + 1, &table->index_next))
        return false;
    /* NULL in rows of the time before. */
    if (!loader->row[4].null && !number(loader, 4, u32_end, &table->storage_id))
        return false;
    uint32_t count = catalog->table_count;
    if (count && loader->tables[count - 1].table->id >= table->id)
        return false;
    loader->tables = arena_grow(&loader->scratch, loader->tables, &loader->capacity, count + 1,
                                sizeof *loader->tables);
    loader->tables[count] = (struct growing){.table = table};
    catalog->table_count++;
    return true;
}

/* NULL, also in rows of the time before columns could be added. */
static bool load_missing(struct loader *loader, struct column *column)
{
    column->missing = value_null(column->type.kind);
    const struct value *text = &loader->row[8];
    if (text->null)
        return true;
    struct value copy = value_text(arena_copy(&loader->catalog->arena, text->as.text));
    return value_cast(&copy, column->type.kind, &loader->catalog->arena, 0, &column->missing,
                      NULL) == OK;
}

static bool load_column(struct loader *loader)
{
    if (!table_enter(loader))
        return false;
    struct table *table = loader->at->table;
    table->columns =
        arena_grow(&loader->catalog->arena, table->columns, &loader->at->column_capacity,
                   table->column_count + 1, sizeof *table->columns);
    struct column *column = &table->columns[table->column_count];
    *column = (struct column){.name = string(loader, 2), .default_sql = string(loader, 6)};
    uint32_t kind;
    if (!column->name || !number(loader, 1, table->ordinal_next, &column->ordinal) ||
        !number(loader, 3, SQL_TYPE_COUNT, &kind) || kind == SQL_UNKNOWN ||
        !number(loader, 4, u32_end, &column->type.length_max) ||
        !flag(loader, 5, &column->not_null) || table->column_count == CATALOG_COLUMNS_MAX)
        return false;
    /* NULL in rows of the time before there were hidden columns. */
    column->hidden = !loader->row[7].null && loader->row[7].as.boolean;
    uint32_t identity = IDENTITY_NONE;
    if (!loader->row[9].null && !number(loader, 9, IDENTITY_BY_DEFAULT + 1, &identity))
        return false;
    column->identity = (enum column_identity)identity;
    column->type.kind = (enum sql_type)kind;
    if (!load_missing(loader, column))
        return false;
    table->column_count++;
    /* A hidden column stays the last, whatever was added behind it. */
    if (table->column_count > 1 && column[-1].hidden) {
        struct column hidden = column[-1];
        column[-1] = *column;
        *column = hidden;
    }
    return true;
}

static bool load_index(struct loader *loader)
{
    if (!table_enter(loader))
        return false;
    struct table *table = loader->at->table;
    table->indexes =
        arena_grow(&loader->catalog->arena, table->indexes, &loader->at->index_capacity,
                   table->index_count + 1, sizeof *table->indexes);
    struct index *index = &table->indexes[table->index_count];
    *index = (struct index){.name = string(loader, 2)};
    uint32_t id;
    if (!index->name || !number(loader, 1, table->index_next, &id) ||
        !flag(loader, 3, &index->unique) || (table->index_count == 0) != (id == 0) ||
        table->index_count == CATALOG_INDEXES_MAX)
        return false;
    /* NULL in rows of the time before. */
    if (!loader->row[4].null && !number(loader, 4, CATALOG_KEY_COLUMNS_MAX, &index->included_count))
        return false;
    index->predicate = string(loader, 5);
    index->building = !loader->row[6].null && loader->row[6].as.boolean;
    index->constraint = loader->row[7].null ? index->unique : loader->row[7].as.boolean;
    index->id = (uint16_t)id;
    table->index_count++;
    return true;
}

static bool load_index_column(struct loader *loader)
{
    uint32_t id;
    uint32_t ordinal;
    if (!table_enter(loader) || !number(loader, 1, INDEX_ID_END, &id) ||
        !number(loader, 3, u32_end, &ordinal))
        return false;
    struct table *table = loader->at->table;
    struct index *index = NULL;
    for (uint32_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].id == id)
            index = &table->indexes[i];
    if (!index || index->column_count == CATALOG_KEY_COLUMNS_MAX)
        return false;
    uint32_t i = index->column_count++;
    const char *text = string(loader, 5);
    uint32_t kind;
    int32_t place = column_by_ordinal(table, ordinal);
    if (!text && place < 0)
        return false;
    if (text && (id == 0 || !number(loader, 6, SQL_TYPE_COUNT, &kind) || kind == SQL_UNKNOWN))
        return false;
    index->columns[i] = text ? catalog__computed_add(table, &loader->at->column_capacity, text,
                                                     (enum sql_type)kind, &loader->catalog->arena)
                             : (uint32_t)place;
    return flag(loader, 4, &index->descending[i]);
}

static bool load_foreign_key(struct loader *loader)
{
    if (!table_enter(loader))
        return false;
    struct table *table = loader->at->table;
    table->foreign_keys =
        arena_grow(&loader->catalog->arena, table->foreign_keys, &loader->at->foreign_key_capacity,
                   table->foreign_key_count + 1, sizeof *table->foreign_keys);
    struct foreign_key *fk = &table->foreign_keys[table->foreign_key_count];
    *fk = (struct foreign_key){.name = string(loader, 2), .child_table_id = table->id};
    uint32_t parent_index, child_index, on_delete, on_update;
    if (!fk->name || !number(loader, 1, u32_end, &fk->id) ||
        (table->foreign_key_count > 0 && fk[-1].id >= fk->id) ||
        !number(loader, 3, u32_end, &fk->parent_table_id) ||
        !number(loader, 4, INDEX_ID_END, &parent_index) ||
        !number(loader, 5, INDEX_ID_END, &child_index) ||
        !number(loader, 6, FK_SET_DEFAULT + 1, &on_delete) ||
        !number(loader, 7, FK_SET_DEFAULT + 1, &on_update))
        return false;
    fk->parent_index_id = (uint16_t)parent_index;
    fk->child_index_id = (uint16_t)child_index;
    fk->on_delete = (enum foreign_key_action)on_delete;
    fk->on_update = (enum foreign_key_action)on_update;
    table->foreign_key_count++;
    return true;
}

static bool load_foreign_key_column(struct loader *loader)
{
    uint32_t id;
    uint32_t ordinal;
    if (!table_enter(loader) || !number(loader, 3, u32_end, &ordinal) ||
        !number(loader, 1, u32_end, &id))
        return false;
    struct foreign_key *fk = NULL;
    for (uint32_t i = 0; i < loader->at->table->foreign_key_count; i++)
        if (loader->at->table->foreign_keys[i].id == id)
            fk = &loader->at->table->foreign_keys[i];
    int32_t place = column_by_ordinal(loader->at->table, ordinal);
    if (!fk || place < 0 || fk->column_count == CATALOG_KEY_COLUMNS_MAX)
        return false;
    fk->child_columns[fk->column_count++] = (uint32_t)place;
    return true;
}

static bool load_view(struct loader *loader)
{
    struct catalog *catalog = loader->catalog;
    struct view *view = arena_zalloc(&catalog->arena, sizeof *view);
    view->name = string(loader, 1);
    view->sql = string(loader, 2);
    uint32_t count = catalog->view_count;
    if (!view->name || !view->sql || !number(loader, 0, u32_end, &view->id) ||
        (count > 0 && catalog->views[count - 1]->id >= view->id))
        return false;
    catalog->views = arena_grow(&catalog->arena, catalog->views, &loader->view_capacity, count + 1,
                                sizeof(struct view *));
    catalog->views[catalog->view_count++] = view;
    return true;
}

/* The view the row's first column names; its rows come one behind the other. */
static struct view *view_of_row(const struct loader *loader)
{
    uint32_t id;
    if (!number(loader, 0, u32_end, &id))
        return NULL;
    return (struct view *)catalog_view_by_id(loader->catalog, id);
}

static bool load_view_column(struct loader *loader)
{
    uint32_t place;
    struct view *view = view_of_row(loader);
    if (!view || !number(loader, 1, u32_end, &place) || place != view->column_count)
        return false;
    uint32_t capacity = view->column_count; /* grown one by one: few */
    view->columns = arena_grow(&loader->catalog->arena, view->columns, &capacity, place + 1,
                               sizeof *view->columns);
    view->columns[place] = string(loader, 2);
    view->column_count++;
    return view->columns[place] != NULL;
}

static bool load_view_use(struct loader *loader)
{
    struct view *view = view_of_row(loader);
    if (!view)
        return false;
    uint32_t capacity = view->use_count;
    view->uses = arena_grow(&loader->catalog->arena, view->uses, &capacity, view->use_count + 1,
                            sizeof *view->uses);
    struct view_use *use = &view->uses[view->use_count++];
    return number(loader, 1, u32_end, &use->relation_id) &&
           number(loader, 2, u32_end, &use->ordinal_end);
}

static bool load_check(struct loader *loader)
{
    if (!table_enter(loader))
        return false;
    struct table *table = loader->at->table;
    table->checks = arena_grow(&loader->catalog->arena, table->checks, &loader->at->check_capacity,
                               table->check_count + 1, sizeof *table->checks);
    struct check *check = &table->checks[table->check_count++];
    *check = (struct check){.name = string(loader, 2), .sql = string(loader, 3)};
    return check->name && check->sql && number(loader, 1, u32_end, &check->id);
}

static bool load_sequence(struct loader *loader)
{
    struct catalog *catalog = loader->catalog;
    struct sequence *sequence = arena_zalloc(&catalog->arena, sizeof *sequence);
    uint32_t count = catalog->sequence_count;
    for (uint32_t i = 0; i < 12; i++) {
        if (loader->row[i].null)
            return false;
    }
    sequence->name = string(loader, 1);
    sequence->start = loader->row[2].as.integer;
    sequence->increment = loader->row[3].as.integer;
    sequence->low = loader->row[4].as.integer;
    sequence->high = loader->row[5].as.integer;
    sequence->cache = loader->row[6].as.integer;
    sequence->cycle = loader->row[7].as.boolean;
    catalog->sequences = arena_grow(&catalog->arena, catalog->sequences, &loader->sequence_capacity,
                                    count + 1, sizeof(struct sequence *));
    catalog->sequences[catalog->sequence_count++] = sequence;
    return number(loader, 0, u32_end, &sequence->id) && number(loader, 8, 65, &sequence->bits) &&
           number(loader, 9, u32_end, &sequence->owner_id) &&
           number(loader, 10, u32_end, &sequence->owner_ordinal) &&
           number(loader, 11, u32_end, &sequence->epoch) && sequence->increment != 0 &&
           sequence->low <= sequence->start && sequence->start <= sequence->high &&
           (count == 0 || catalog->sequences[count - 1]->id < sequence->id);
}

static bool load_garbage(struct loader *loader)
{
    struct catalog *catalog = loader->catalog;
    struct garbage garbage;
    if (!number(loader, 0, u32_end, &garbage.table_id) || garbage.table_id < TABLE_ID_USER_MIN ||
        !number(loader, 1, GARBAGE_ALL_INDEXES + 1, &garbage.index_id))
        return false;
    catalog->garbage = arena_grow(&catalog->arena, catalog->garbage, &loader->garbage_capacity,
                                  catalog->garbage_count + 1, sizeof *catalog->garbage);
    catalog->garbage[catalog->garbage_count++] = garbage;
    return true;
}

static bool load_comment(struct loader *loader)
{
    struct catalog *catalog = loader->catalog;
    struct comment comment = {.text = string(loader, 3)};
    uint32_t kind;
    if (!comment.text || !number(loader, 0, u32_end, &comment.relation_id) ||
        !number(loader, 1, COMMENT_INDEX + 1, &kind) || !number(loader, 2, u32_end, &comment.id))
        return false;
    comment.kind = (enum comment_kind)kind;
    catalog->comments = arena_grow(&catalog->arena, catalog->comments, &loader->comment_capacity,
                                   catalog->comment_count + 1, sizeof *catalog->comments);
    catalog->comments[catalog->comment_count++] = comment;
    return true;
}

static status_t entry_load(struct loader *loader, const struct store_entry *entry,
                           struct error *error)
{
    static const struct {
        const char *name;
        bool (*load)(struct loader *loader);
    } loads[SYSTEM_TABLE_END] = {
        [SYSTEM_TABLES] = {"tables", load_table},
        [SYSTEM_COLUMNS] = {"columns", load_column},
        [SYSTEM_INDEXES] = {"indexes", load_index},
        [SYSTEM_INDEX_COLUMNS] = {"index columns", load_index_column},
        [SYSTEM_FOREIGN_KEYS] = {"foreign keys", load_foreign_key},
        [SYSTEM_FOREIGN_KEY_COLUMNS] = {"foreign key columns", load_foreign_key_column},
        [SYSTEM_VIEWS] = {"views", load_view},
        [SYSTEM_VIEW_COLUMNS] = {"view columns", load_view_column},
        [SYSTEM_VIEW_USES] = {"view uses", load_view_use},
        [SYSTEM_CHECKS] = {"checks", load_check},
        [SYSTEM_SEQUENCES] = {"sequences", load_sequence},
        [SYSTEM_GARBAGE] = {"garbage", load_garbage},
        [SYSTEM_COMMENTS] = {"comments", load_comment},
    };
    uint32_t which = entry->key.size < 5 ? 0 : get_u32_be(entry->key.data + 1);
    if (which >= SYSTEM_TABLE_END || !loads[which].load)
        return corrupt("system tables", error);
    status_t status = row_read(loader, (enum system_table)which, entry->value, error);
    if (status == OK && !loads[which].load(loader))
        status = corrupt(loads[which].name, error);
    return status;
}

/* ---- tying it together ------------------------------------------------------------------------
 */

static bool foreign_key_tie(struct loader *loader, struct table *child, struct foreign_key *fk)
{
    struct growing *parent = growing_find(loader, fk->parent_table_id);
    const struct index *child_index = table_index_by_id(child, fk->child_index_id);
    const struct index *index =
        parent ? table_index_by_id(parent->table, fk->parent_index_id) : NULL;
    if (!index || !child_index || fk->column_count == 0 ||
        index_key_count(index) != fk->column_count)
        return false;
    memcpy(fk->parent_columns, index->columns, sizeof fk->parent_columns);
    struct table *table = parent->table;
    table->referenced_by =
        arena_grow(&loader->catalog->arena, table->referenced_by, &parent->referenced_by_capacity,
                   table->referenced_by_count + 1, sizeof *table->referenced_by);
    table->referenced_by[table->referenced_by_count++] = fk;
    return true;
}

/* Rows of the time before say nothing of it: what CREATE UNIQUE INDEX alone could make was none. */
static void constraint_settle(const struct table *table, struct index *index)
{
    for (uint32_t i = 0; i < index->column_count; i++)
        index->constraint = index->constraint && !index->descending[i];
    index->constraint = index->constraint && !index->predicate && index_is_plain(table, index);
}

static bool table_is_whole(struct table *table)
{
    if (table->column_count == 0 || table->index_count == 0)
        return false;
    for (uint32_t i = 0; i + 1 < table->column_count; i++)
        if (table->columns[i].hidden)
            return false;
    for (uint32_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].column_count <= table->indexes[i].included_count)
            return false;
    for (uint32_t i = 0; i < table->index_count; i++)
        constraint_settle(table, &table->indexes[i]);
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct table *const *left = a;
    const struct table *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static status_t finish(struct loader *loader, struct error *error)
{
    struct catalog *catalog = loader->catalog;
    uint32_t count = catalog->table_count;
    catalog->tables = arena_alloc(&catalog->arena, count * sizeof(struct table *));
    catalog->tables_by_id = arena_alloc(&catalog->arena, count * sizeof(struct table *));
    for (uint32_t i = 0; i < count; i++) {
        struct table *table = loader->tables[i].table;
        catalog->tables[i] = catalog->tables_by_id[i] = table;
        if (!table_is_whole(table))
            return corrupt("tables", error);
        for (uint32_t k = 0; k < table->foreign_key_count; k++)
            if (!foreign_key_tie(loader, table, &table->foreign_keys[k]))
                return corrupt("foreign keys", error);
    }
    if (count)
        qsort(catalog->tables, count, sizeof(struct table *), by_name);
    return OK;
}

static status_t rows_load(struct loader *loader, struct store_txn *txn, struct error *error)
{
    struct buffer low = {0};
    struct buffer high = {0};
    catalog__key_prefix(&low, SYSTEM_META + 1, 0);
    catalog__key_prefix(&high, SYSTEM_LOADED_END, 0);
    struct store_cursor *cursor;
    status_t status =
        store_scan_open(txn, buffer_slice(&low), buffer_slice(&high), false, &cursor, error);
    buffer_free(&low);
    buffer_free(&high);
    if (status != OK)
        return status;
    uint32_t count;
    do {
        struct store_entry entries[LOAD_BATCH];
        status = store_scan_next(cursor, entries, LOAD_BATCH, &count, error);
        for (uint32_t i = 0; i < count && status == OK; i++)
            status = entry_load(loader, &entries[i], error);
    } while (status == OK && count > 0);
    store_scan_close(cursor);
    return status;
}

status_t catalog_load(struct store_txn *txn, struct catalog **out, struct error *error)
{
    ASSERT(txn && out);
    struct catalog *catalog = mem_zalloc(1, sizeof *catalog);
    catalog->references = 1;
    struct loader loader = {.catalog = catalog};
    status_t status = catalog_version(txn, &catalog->version, error);
    if (status == OK)
        status = rows_load(&loader, txn, error);
    if (status == OK)
        status = finish(&loader, error);
    arena_free(&loader.scratch);
    if (status != OK) {
        catalog_release(catalog);
        catalog = NULL;
    }
    *out = catalog;
    return status;
}
