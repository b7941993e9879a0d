/* Statistics of tables: how many rows, and of each column how many NULLs, how many different
 * values, which are common, and how the others are spread.
 *
 * They are made from a sample: some dozens of places spread evenly over the table, and at each a
 * run of neighbouring rows; some thousand rows whatever the table's size, in about a millisecond.
 * They live in the memory of the node that made them, so nothing is written and no writer is held
 * up, and a glance at the store is not noted as read, so no transaction conflicts for them. ANALYZE
 * makes them anew. They also come by themselves: planning a statement asks the store about how many
 * rows each table has, and a table of at least AUTOMATIC_ROWS whose statistics are missing, or were
 * made when it was of quite another size, is sampled then and there. Smaller tables are taken as
 * STATISTICS_ROWS_GUESSED until somebody says ANALYZE: they may grow, and a path by key is never
 * far from the best.
 *
 * How many different values there are is estimated from the sample as Haas and Stokes do
 * ("Estimating the number of classes in a finite population", 1998, estimator Duj1): n d / (n - f1
 * + f1 n / N), where of n sampled of N values d are different and f1 occur once; but from the
 * lengths of stretches where the values follow the order of the table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"
#include "sql_int.h"

enum {
    AUTOMATIC_ROWS = 1000,
    SAMPLE_PLACES = 48,
    SAMPLE_RUN = 64,
    SAMPLE_ROWS = SAMPLE_PLACES * SAMPLE_RUN,
    COMMON_MAX = 32,
    BOUNDS_MAX = 65,
    TEXT_KEPT = 64, /* bytes of a text */
};

struct statistics {
    struct table_statistics of; /* first */
    struct arena arena;
    enum sql_type *types; /* by ordinal, as they were then */
    uint32_t references;  /* under the engine's mutex */
};

/* ---- kept, under the engine's mutex ------------------------------------------------------------
 */

static struct slice key_of(const uint32_t *table_id)
{
    return slice_make(table_id, sizeof *table_id);
}

static void statistics_free(struct statistics *statistics)
{
    if (!statistics)
        return;
    ASSERT(statistics->references == 0);
    arena_free(&statistics->arena);
    mem_free(statistics);
}

static struct statistics *unref(struct statistics *statistics)
{
    return statistics && --statistics->references == 0 ? statistics : NULL;
}

static bool fits(const struct statistics *statistics, const struct table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (column->ordinal < statistics->of.column_count &&
            statistics->types[column->ordinal] != column->type.kind)
            return false;
    }
    return true;
}

static struct statistics *take(struct sql_engine *engine, const struct table *table)
{
    env_mutex_lock(engine->mutex);
    struct statistics *statistics = map_get(&engine->statistics, key_of(&table->id));
    if (statistics && !fits(statistics, table))
        statistics = NULL;
    if (statistics)
        statistics->references++;
    env_mutex_unlock(engine->mutex);
    return statistics;
}

static void give_back(struct sql_engine *engine, struct statistics *statistics)
{
    env_mutex_lock(engine->mutex);
    statistics = unref(statistics);
    env_mutex_unlock(engine->mutex);
    statistics_free(statistics);
}

/* Plans made with what was known before are not used again. */
static void keep(struct sql_engine *engine, const struct table *table, struct statistics *made)
{
    env_mutex_lock(engine->mutex);
    made->references++;
    struct statistics *replaced = unref(map_put(&engine->statistics, key_of(&table->id), made));
    engine->statistics_epoch++;
    env_mutex_unlock(engine->mutex);
    statistics_free(replaced);
}

void sql__statistics_destroy(struct sql_engine *engine)
{
    uint32_t place = 0;
    struct slice key;
    void *value;
    while (map_next(&engine->statistics, &place, &key, &value))
        statistics_free(unref(value));
    map_free(&engine->statistics);
}

/* ---- sampling ---------------------------------------------------------------------------------
 */

static void table_range(const struct table *table, struct buffer *low, struct buffer *high)
{
    buffer_reset(low);
    buffer_reset(high);
    index_key_prefix(table, &table->indexes[0], low);
    index_key_prefix(table, &table->indexes[0], high);
    bool has_end = key_prefix_end(high);
    ASSERT(has_end);
}

static status_t estimate_rows(struct store_txn *txn, const struct table *table, double *rows,
                              struct error *error)
{
    struct buffer low = {0}, high = {0};
    table_range(table, &low, &high);
    status_t status = store_estimate(txn, buffer_slice(&low), buffer_slice(&high), rows, error);
    buffer_free(&low);
    buffer_free(&high);
    return status;
}

/* Rows of the sample as columns, one array of values a column of the table. */
struct sample {
    struct arena *arena;
    const struct table *table;
    struct value **values;
    uint32_t rows;
    uint32_t firsts[SAMPLE_PLACES]; /* of each run, the place of its first row */
    uint32_t runs;
};

static void shape_of(const struct table *table, struct arena *arena, struct row_shape *shape,
                     uint32_t *order)
{
    uint32_t count = table->column_count;
    uint32_t *ordinals = arena_alloc(arena, count * sizeof *ordinals);
    enum sql_type *types = arena_alloc(arena, count * sizeof *types);
    struct value *missing = arena_alloc(arena, count * sizeof *missing);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && table->columns[order[at - 1]].ordinal > table->columns[i].ordinal; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct column *column = &table->columns[order[i]];
        ordinals[i] = column->ordinal;
        types[i] = column->type.kind;
        missing[i] =
            column->missing.type == SQL_UNKNOWN ? value_null(column->type.kind) : column->missing;
    }
    *shape = (struct row_shape){
        .ordinals = ordinals, .types = types, .missing = missing, .count = count};
}

/* What is made of text is kept, so only its beginning is. */
static struct value kept_value(struct arena *arena, struct value value)
{
    if (value.null || !type_is_slice(value.type))
        return value;
    size_t size = value.as.text.size < TEXT_KEPT ? value.as.text.size : TEXT_KEPT;
    value.as.text = arena_copy(arena, slice_make(value.as.text.data, size));
    return value;
}

static status_t sample_add(struct sample *sample, const struct store_entry *entries, uint32_t count,
                           struct error *error)
{
    const struct table *table = sample->table;
    uint32_t order[CATALOG_COLUMNS_MAX + 1];
    struct arena arena = {0};
    struct row_shape shape;
    shape_of(table, &arena, &shape, order);
    struct batch *batch = batch_create(&arena, shape.types, shape.count, SAMPLE_RUN);
    struct vector **targets = arena_alloc(&arena, shape.count * sizeof(struct vector *));
    for (uint32_t i = 0; i < shape.count; i++)
        targets[i] = &batch->columns[i];
    status_t status =
        count == 0 ? OK
                   : row_decode_many(&entries[0].value, sizeof *entries, count, &shape, targets, 0);
    if (status != OK)
        status = error_set(error, status, "a row of table \"%s\" is corrupt", table->name);
    for (uint32_t c = 0; c < shape.count && status == OK; c++) {
        for (uint32_t i = 0; i < count; i++)
            sample->values[order[c]][sample->rows + i] =
                kept_value(sample->arena, vector_get(targets[c], i));
    }
    if (status == OK && count > 0) {
        ASSERT(sample->runs < SAMPLE_PLACES);
        sample->firsts[sample->runs++] = sample->rows;
        sample->rows += count;
    }
    arena_free(&arena);
    return status;
}

/* Of all rows, those before the run. The first and the last rows are among the sample: where a
 * column follows the order of the table they have its least and its greatest value. */
static double share_of(struct prng *prng, uint32_t run, uint32_t runs, double rows)
{
    double within = (double)prng_below(prng, 1000) / 1000;
    if (rows < SAMPLE_ROWS)
        return fmin(run * SAMPLE_RUN / rows, 0.99);
    if (run == 0 || run + 1 == runs)
        return run == 0 ? 0 : fmax((double)run / runs, 1 - SAMPLE_RUN / rows);
    return (run + within) / runs;
}

/* A small table is taken whole, a larger one at places spread over it: one in each of as many equal
 * parts, anywhere in it, so that what repeats itself along the table is not always met at the same
 * place. The same ones each time. */
static status_t sample_take(struct sample *sample, struct store_txn *txn, double rows,
                            struct error *error)
{
    struct store_entry entries[SAMPLE_RUN];
    struct buffer low = {0}, high = {0};
    uint32_t places = rows < SAMPLE_ROWS ? (uint32_t)ceil(rows / SAMPLE_RUN) : SAMPLE_PLACES;
    status_t status = OK;
    struct prng prng;
    prng_seed(&prng, sample->table->id);
    table_range(sample->table, &low, &high);
    for (uint32_t i = 0; i < places && status == OK; i++) {
        uint32_t count;
        double share = share_of(&prng, i, places, rows);
        status = store_sample(txn, buffer_slice(&low), buffer_slice(&high), share, entries,
                              SAMPLE_RUN, &count, error);
        if (status == OK)
            status = sample_add(sample, entries, count, error);
    }
    buffer_free(&low);
    buffer_free(&high);
    return status;
}

/* ---- from the sample to the statistics ---------------------------------------------------------
 */

static int compare_values(const void *a, const void *b)
{
    return value_compare(a, b);
}

/* A run of equal values in the sorted sample. */
struct common {
    uint32_t first;
    uint32_t count;
};

static int compare_commons(const void *a, const void *b)
{
    const struct common *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->first > y->first) - (x->first < y->first);
}

/* What was met of a column, in the order of the table. */
struct met {
    uint32_t sampled;   /* values */
    uint32_t different; /* ones */
    uint32_t once;      /* ones that were met only once */
    uint32_t stretches; /* of equal neighbours */
    uint32_t changes;   /* from one neighbour to the next, within runs of rows */
    uint32_t runs;
};

/* Hardly a value has more than one stretch, and stretches are longer than one row. */
static bool follows_order(const struct met *met)
{
    return met->different > 0.98 * met->stretches && met->stretches < 0.9 * met->sampled;
}

/* Where the values follow the order of the table there is one more in the whole for each change. */
static double distinct_estimate(const struct met *met, double rows)
{
    if (met->sampled == 0)
        return 0;
    if (rows <= met->sampled)
        return met->different;
    double n = met->sampled, different = met->different, once = met->once;
    if (follows_order(met))
        return fmin(fmax(different, 1 + rows * met->changes / fmax(1, n - met->runs)), rows);
    double estimate = n * different / (n - once + once * n / rows);
    return fmin(fmax(estimate, different), rows);
}

/* Equal shares of what is left when the common values are taken out. */
static void bounds_make(struct arena *arena, const struct value *values, const bool *common,
                        uint32_t count, struct column_statistics *out)
{
    uint32_t left = 0;
    struct value *rest = arena_alloc(arena, (count + 1) * sizeof *rest);
    for (uint32_t i = 0; i < count; i++) {
        if (!common[i])
            rest[left++] = values[i];
    }
    if (left < 2)
        return;
    out->bound_count = left < BOUNDS_MAX ? left : BOUNDS_MAX;
    out->bounds = arena_alloc(arena, out->bound_count * sizeof *out->bounds);
    for (uint32_t i = 0; i < out->bound_count; i++)
        out->bounds[i] = rest[(uint64_t)i * (left - 1) / (out->bound_count - 1)];
}

/* Puts the values that are not NULL first; how many there are. */
static uint32_t meet(const struct sample *sample, struct value *values, struct met *met)
{
    uint32_t count = 0, run = 0;
    *met = (struct met){.runs = sample->runs};
    for (uint32_t i = 0; i < sample->rows; i++) {
        bool first = run < sample->runs && sample->firsts[run] == i;
        run += first;
        if (values[i].null)
            continue;
        bool changed = count == 0 || value_compare(&values[count - 1], &values[i]) != 0;
        met->stretches += changed;
        met->changes += changed && !first;
        values[count++] = values[i];
    }
    met->sampled = count;
    return count;
}

static void column_make(const struct sample *sample, struct value *values, double table_rows,
                        struct column_statistics *out)
{
    struct arena *arena = sample->arena;
    struct met met;
    uint32_t rows = sample->rows, count = meet(sample, values, &met);
    *out = (struct column_statistics){.known = true};
    out->null_fraction = rows ? (double)(rows - count) / rows : 0;
    if (count == 0)
        return;
    qsort(values, count, sizeof *values, compare_values);
    struct common *runs = arena_alloc(arena, count * sizeof *runs);
    bool *common = arena_zalloc(arena, count * sizeof *common);
    uint32_t different = 0;
    for (uint32_t i = 0; i < count;) {
        uint32_t end = i + 1;
        while (end < count && value_compare(&values[i], &values[end]) == 0)
            end++;
        runs[different++] = (struct common){.first = i, .count = end - i};
        met.once += end - i == 1;
        i = end;
    }
    met.different = different;
    out->distinct = distinct_estimate(&met, table_rows * (1 - out->null_fraction));
    qsort(runs, different, sizeof *runs, compare_commons);
    /* Common is what occurs clearly more often than the average value; few values are all kept.
       Where values follow the order of the table a run of rows met one of them often, by chance. */
    bool by_chance = table_rows > rows && follows_order(&met);
    double average = (double)count / different;
    out->common = arena_alloc(arena, COMMON_MAX * sizeof *out->common);
    out->common_fraction = arena_alloc(arena, COMMON_MAX * sizeof *out->common_fraction);
    for (uint32_t i = 0; i < different && i < COMMON_MAX && !by_chance; i++) {
        if (runs[i].count < 2 || (different > COMMON_MAX && runs[i].count < 1.25 * average))
            break;
        out->common[out->common_count] = values[runs[i].first];
        out->common_fraction[out->common_count++] = (double)runs[i].count / rows;
        memset(common + runs[i].first, true, runs[i].count);
    }
    bounds_make(arena, values, common, count, out);
}

static status_t make(struct sql_session *session, const struct table *table, double rows,
                     struct statistics **out)
{
    struct statistics *made = mem_zalloc(1, sizeof *made);
    struct arena *arena = &made->arena;
    struct sample sample = {.arena = arena, .table = table};
    made->of.column_count = table->ordinal_next;
    made->of.columns = arena_zalloc(arena, (table->ordinal_next + 1) * sizeof *made->of.columns);
    made->types = arena_zalloc(arena, (table->ordinal_next + 1) * sizeof *made->types);
    sample.values = arena_alloc(arena, (table->column_count + 1) * sizeof *sample.values);
    for (uint32_t i = 0; i < table->column_count; i++)
        sample.values[i] = arena_alloc(arena, SAMPLE_ROWS * sizeof(struct value));
    status_t status = sample_take(&sample, session->txn, rows, &session->error);
    /* One run that was not full is the whole table. */
    made->of.rows = rows < SAMPLE_RUN ? sample.rows : rows;
    for (uint32_t i = 0; i < table->column_count && status == OK; i++) {
        const struct column *column = &table->columns[i];
        ASSERT(column->ordinal < made->of.column_count);
        made->types[column->ordinal] = column->type.kind;
        column_make(&sample, sample.values[i], made->of.rows, &made->of.columns[column->ordinal]);
    }
    if (status != OK) {
        statistics_free(made);
        return status;
    }
    made->references = 1;
    *out = made;
    return OK;
}

/* ---- while a statement is planned --------------------------------------------------------------
 */

static bool is_stale(const struct statistics *statistics, double rows)
{
    return !statistics || fabs(rows - statistics->of.rows) > 0.5 * statistics->of.rows + 500;
}

/* What is known of a table, made now if it is time to; NULL: nothing. *rows: about how many there
 * are. Trouble with the store shows when the statement runs. */
static struct statistics *find(struct sql_session *session, const struct table *table, double *rows)
{
    struct sql_engine *engine = session->engine;
    struct error ignored;
    *rows = 0;
    if (estimate_rows(session->txn, table, rows, &ignored) != OK)
        *rows = 0;
    struct statistics *statistics = take(engine, table);
    if (*rows < AUTOMATIC_ROWS || !is_stale(statistics, *rows) || session->catalog_own)
        return statistics;
    struct statistics *made;
    if (make(session, table, *rows, &made) != OK) {
        error_clear(&session->error);
        return statistics;
    }
    keep(engine, table, made);
    give_back(engine, statistics);
    return made;
}

const struct table_statistics *sql__planning_table(void *context, const struct table *table)
{
    struct planning *planning = context;
    for (uint32_t i = 0; i < planning->count; i++) {
        if (planning->items[i].table == table)
            return &planning->items[i].of;
    }
    planning->items = arena_grow(&planning->session->run_arena, planning->items,
                                 &planning->capacity, planning->count + 1, sizeof *planning->items);
    struct planning_item *item = &planning->items[planning->count++];
    double rows;
    struct statistics *found = find(planning->session, table, &rows);
    *item = (struct planning_item){.table = table, .held = found};
    if (found)
        item->of = found->of;
    else
        rows = fmax(rows, STATISTICS_ROWS_GUESSED);
    item->of.rows = fmax(1, found && rows < AUTOMATIC_ROWS ? found->of.rows : rows);
    return &item->of;
}

void sql__planning_forget(struct planning *planning)
{
    for (uint32_t i = 0; i < planning->count; i++)
        give_back(planning->session->engine, planning->items[i].held);
    planning->count = 0;
}

void sql__statistics_refresh(struct sql_session *session, const struct planned *planned)
{
    for (uint32_t i = 0; i < planned->use_count; i++) {
        const struct table *table =
            catalog_table_by_id(session->catalog, planned->uses[i].relation_id);
        double rows;
        if (table)
            give_back(session->engine, find(session, table, &rows));
    }
}

/* ---- ANALYZE ----------------------------------------------------------------------------------
 */

static status_t analyze_table(struct sql_session *session, const struct table *table)
{
    double rows;
    struct statistics *made;
    status_t status = estimate_rows(session->txn, table, &rows, &session->error);
    if (status == OK)
        status = make(session, table, rows, &made);
    if (status != OK)
        return status;
    keep(session->engine, table, made);
    give_back(session->engine, made);
    return OK;
}

status_t sql__analyze(struct sql_session *session)
{
    const struct ast_name *name = &session->statement->as.analyze->table;
    const struct catalog *catalog = session->catalog;
    const struct table *table;
    (void)snprintf(session->tag, sizeof session->tag, "ANALYZE");
    if (name->text) {
        status_t status = sql__table_find(catalog, name, &table, &session->error);
        return status == OK ? analyze_table(session, table) : status;
    }
    for (uint32_t i = 0; i < catalog->table_count; i++) {
        status_t status = analyze_table(session, catalog->tables[i]);
        if (status != OK)
            return status;
    }
    return OK;
}
