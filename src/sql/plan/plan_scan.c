/* Scans written down: the ranges of a path, the columns it gives, and the look-up of a join. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_path_int.h"

static const double SHORT_ROWS = 100; /* as many still are few */

/* The values of an IN list in the order they are scanned, without repetitions, when all are known;
 * NULLs select nothing. */
static void order_list(struct planner *planner, struct restriction *r, bool descending)
{
    if (!plan__list_is_constant(r))
        return;
    struct expr **sorted = arena_alloc(planner->arena, r->list_count * sizeof *sorted);
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->list_count; i++) {
        if (!r->list[i]->constant.null)
            sorted[count++] = r->list[i];
    }
    /* Heap sort would do for lists of thousands; insertion by halving moves few bytes for them. */
    for (uint32_t i = 1; i < count; i++) {
        struct expr *item = sorted[i];
        uint32_t low = 0;
        uint32_t high = i;
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            int order = value_compare(&sorted[middle]->constant, &item->constant);
            if ((descending ? -order : order) <= 0)
                low = middle + 1;
            else
                high = middle;
        }
        memmove(sorted + low + 1, sorted + low, (i - low) * sizeof *sorted);
        sorted[low] = item;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || value_compare(&sorted[kept - 1]->constant, &sorted[i]->constant) != 0)
            sorted[kept++] = sorted[i];
    }
    if (kept == 0) /* no range at all would mean the whole table; NULL selects nothing */
        sorted[kept++] = r->list[0];
    r->list = sorted;
    r->list_count = kept;
}

static struct expr *key_value(const struct access *access, struct expr *expr,
                              const uint32_t *positions)
{
    return positions ? plan__resolve(access->planner, expr, positions) : expr;
}

/* Writes the product of all IN lists, the last list turning fastest. */
static void write_ranges(const struct access *access, struct path *path, const uint32_t *positions,
                         struct plan *scan)
{
    struct arena *arena = access->planner->arena;
    struct restriction equal[CATALOG_KEY_COLUMNS_MAX];
    uint32_t count = 1;
    for (uint32_t i = 0; i < path->equal_count; i++) {
        equal[i] = *path->equal[i];
        if (equal[i].kind != LISTED)
            continue;
        order_list(access->planner, &equal[i], path->index->descending[i] != path->reverse);
        count *= equal[i].list_count;
    }
    struct key_range *ranges = arena_zalloc(arena, (count + 1) * sizeof *ranges);
    struct expr *lower = path->lower ? key_value(access, path->lower->value, positions) : NULL;
    struct expr *upper = path->upper ? key_value(access, path->upper->value, positions) : NULL;
    for (uint32_t n = 0; n < count; n++) {
        struct key_range *range = &ranges[n];
        range->equal_count = path->equal_count;
        range->equal = arena_alloc(arena, (path->equal_count + 1) * sizeof *range->equal);
        uint32_t rest = n;
        for (uint32_t i = path->equal_count; i-- > 0;) {
            struct restriction *r = &equal[i];
            if (r->kind == LISTED) {
                range->equal[i] = r->list[rest % r->list_count];
                rest /= r->list_count;
            } else {
                range->equal[i] = key_value(access, r->value, positions);
            }
        }
        range->lower = lower;
        range->upper = upper;
        range->lower_inclusive = lower && path->lower->inclusive;
        range->upper_inclusive = upper && path->upper->inclusive;
    }
    scan->as.scan.ranges = ranges;
    scan->as.scan.range_count = count;
}

/* ---- the scan ---------------------------------------------------------------------------------
 */

/* One range ascends by the columns behind those it fixes. */
static void note_order(const struct access *access, const struct path *path, struct stage *out)
{
    const struct index *index = path->index;
    if (path->range_count > 1 || path->reverse)
        return;
    uint32_t *order = arena_alloc(access->planner->arena, CATALOG_KEY_COLUMNS_MAX * sizeof *order);
    for (uint32_t i = path->equal_count; i < index->column_count && !index->descending[i]; i++) {
        if (index->columns[i] >= access->table->column_count)
            break; /* by an expression, which has no slot */
        order[out->order_count++] = access->relation->slot_first + index->columns[i];
    }
    out->order = order;
}

static void write_scan(const struct access *access, struct path *path, const uint32_t *positions,
                       struct stage *out)
{
    struct planner *planner = access->planner;
    const struct table *table = access->table;
    uint32_t *columns = arena_alloc(planner->arena, (table->column_count + 1) * sizeof *columns);
    uint32_t *slots = arena_alloc(planner->arena, (table->column_count + 1) * sizeof *slots);
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!plan__is_needed(access, path, i))
            continue;
        slots[count] = access->relation->slot_first + i;
        columns[count++] = i;
    }
    struct plan *scan = plan__operator(planner, PLAN_SCAN, count, NULL, NULL);
    scan->as.scan.table = table;
    scan->as.scan.alias = access->relation->alias;
    scan->as.scan.index = path->index;
    scan->as.scan.columns = columns;
    scan->as.scan.reverse = path->reverse;
    scan->as.scan.index_only = path->index_only;
    if (path->range_count > 0)
        write_ranges(access, path, positions, scan);
    *out = (struct stage){.plan = scan,
                          .slots = slots,
                          .rows = path->scanned,
                          .cost = path->cost,
                          .ordered = path->ordered};
    if (!positions)
        note_order(access, path, out);
    /* A promise, not an estimate: who runs it may be kept from everything else meanwhile. */
    out->is_short = path->single && path->range_count > 0 && path->range_count <= SHORT_ROWS;
    plan__describe(planner, access->query, out);
}

/* No row can satisfy the conditions: nothing is read. */
static void write_nothing(const struct access *access, struct stage *out)
{
    struct planner *planner = access->planner;
    uint32_t count = access->table->column_count;
    uint32_t *slots = arena_alloc(planner->arena, (count + 1) * sizeof *slots);
    for (uint32_t i = 0; i < count; i++)
        slots[i] = access->relation->slot_first + i;
    *out = (struct stage){.plan = plan__operator(planner, PLAN_VALUES, count, NULL, NULL),
                          .slots = slots,
                          .ordered = true,
                          .is_short = true};
    plan__describe(planner, access->query, out);
}

/* last[place]: the last condition found to mention the column, counted from 1. */
static void note_mentions(struct access *access, const struct expr *expr, uint32_t condition,
                          uint32_t *last)
{
    if (expr->kind == EXPR_COLUMN) {
        uint32_t place = expr->index - access->relation->slot_first;
        if (expr->index < access->relation->slot_first || place >= access->table->column_count ||
            last[place] == condition + 1)
            return;
        last[place] = condition + 1;
        access->mentions[place]++;
        return;
    }
    for (uint32_t i = 0; i < expr->argument_count; i++)
        note_mentions(access, expr->arguments[i], condition, last);
}

static void count_mentions(struct access *access)
{
    uint32_t columns = access->table->column_count;
    access->mentions =
        arena_zalloc(access->planner->arena, 2 * (columns + 1) * sizeof *access->mentions);
    for (uint32_t i = 0; i < access->conditions->count; i++)
        note_mentions(access, access->conditions->items[i], i, access->mentions + columns + 1);
}

static struct access open_access(struct planner *planner, struct query *query, uint32_t relation,
                                 const struct exprs *conditions)
{
    struct access access = {.planner = planner,
                            .query = query,
                            .relation = &query->relations[relation],
                            .table = query->relations[relation].table,
                            .conditions = conditions};
    ASSERT(access.table);
    access.table_rows = plan__table_rows(planner, access.table);
    access.rows = access.table_rows;
    access.rows *= plan__selectivity_all(planner, query, conditions);
    access.rows = fmax(access.rows, 1);
    plan__read_computed(&access);
    count_mentions(&access);
    return access;
}

static void uncovered(struct planner *planner, const struct access *access, const struct path *path,
                      struct exprs *out)
{
    for (uint32_t i = 0; i < access->conditions->count; i++) {
        if (!plan__is_covered(path, i))
            plan__append(planner, out, access->conditions->items[i]);
    }
}

void plan__choose_scan(struct planner *planner, struct query *query, uint32_t relation,
                       const struct exprs *conditions, const struct wish *wish, struct stage *out)
{
    struct access access = open_access(planner, query, relation, conditions);
    access.wish = wish;
    for (uint32_t i = 0; i < conditions->count; i++) {
        if (plan__is_false_or_null(conditions->items[i])) {
            write_nothing(&access, out);
            return;
        }
    }
    plan__read_restrictions(&access);
    struct path path = plan__best_path(&access);
    write_scan(&access, &path, NULL, out);
    plan__note_why(&access, &path, out->plan);
    struct exprs rest = {0};
    uncovered(planner, &access, &path, &rest);
    plan__add_filter(planner, query, out, &rest);
}

/* ---- look-ups ---------------------------------------------------------------------------------
 */

/* The best path by key values that come from a left row; false when there is none. */
static bool find_lookup(struct planner *planner, struct query *query, uint32_t relation,
                        const struct exprs *conditions, uint64_t left_relations,
                        struct access *access, struct path *path)
{
    static const struct wish none;
    if (planner->options->no_lookup_join || planner->options->no_index)
        return false;
    *access = open_access(planner, query, relation, conditions);
    access->wish = &none;
    access->outside = left_relations;
    plan__read_restrictions(access);
    *path = plan__best_lookup(access);
    return path->index != NULL;
}

struct lookup plan__weigh_lookup(struct planner *planner, struct query *query, uint32_t relation,
                                 const struct exprs *conditions, uint64_t left_relations)
{
    struct access access;
    struct path path;
    if (!find_lookup(planner, query, relation, conditions, left_relations, &access, &path))
        return (struct lookup){0};
    return (struct lookup){path.seek_cost, path.scanned, path.row_cost};
}

bool plan__choose_lookup(struct planner *planner, struct query *query, uint32_t relation,
                         const struct exprs *conditions, const struct stage *left,
                         uint64_t left_relations, struct stage *out, struct exprs *rest)
{
    struct access access;
    struct path best;
    if (!find_lookup(planner, query, relation, conditions, left_relations, &access, &best))
        return false;
    write_scan(&access, &best, plan__positions(planner, query, left, NULL), out);
    plan__note_why(&access, &best, out->plan);
    uncovered(planner, &access, &best, rest);
    return true;
}
