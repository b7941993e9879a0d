/* How a table is reached: the whole of it, or ranges of its primary key or of an index.
 *
 * The conditions on a table are read as restrictions of single columns (=, IN, bounds, the prefix
 * of a LIKE). For each index, equalities and IN lists fix its first columns, then one further
 * column may have bounds; IN lists multiply ranges. Paths are compared by a cost in rows passed on
 * by a scan, in which an order that saves a sort and a LIMIT that ends a scan early take part.
 *
 * There are no statistics of values yet: an equality is taken to let through one row in a hundred,
 * a bound one in five. A narrow range has a second merit: it is also what the transaction is noted
 * to have read, so it meets fewer conflicts. */
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "sql/plan/plan_int.h"

static const double COST_SEEK = 8;    /* to find the beginning of a range */
static const double COST_FETCH = 3;   /* a row through a secondary index, on top of the entry */
static const double SHORT_ROWS = 100; /* as many still are few */
enum { RANGES_MAX = 4096 };           /* products of IN lists beyond this are filtered instead */

enum restriction_kind { FIXED, LISTED, LOWER, UPPER };

/* One column's part in a condition. */
struct restriction {
    enum restriction_kind kind;
    uint32_t place; /* in table->columns */
    bool inclusive; /* of a bound */
    bool exact;     /* the condition says no more than this */
    bool half;      /* it says no more than this and the opposite bound together */
    uint32_t condition;
    struct expr *value; /* FIXED, LOWER, UPPER */
    struct expr **list; /* LISTED */
    uint32_t list_count;
};

struct restrictions {
    struct restriction *items;
    uint32_t count;
    uint32_t capacity;
};

/* A way to read a table. */
struct path {
    const struct index *index;
    const struct restriction *equal[CATALOG_KEY_COLUMNS_MAX];
    uint32_t equal_count;
    const struct restriction *lower;
    const struct restriction *upper;
    uint32_t range_count; /* 0: all of it */
    double scanned;       /* rows or entries read */
    double cost;
    bool index_only;
    bool ordered;
    bool reverse;
    bool single; /* at most one row a range: a whole unique key */
};

/* The table, what is asked of it, and what may stand in its keys. */
struct access {
    struct planner *planner;
    struct query *query;
    const struct relation *relation;
    const struct table *table;
    const struct exprs *conditions;
    uint64_t outside; /* relations whose columns may stand in a range: the left ones of a lookup */
    struct restrictions restrictions;
    double table_rows;
    double rows; /* that satisfy all conditions */
    const struct wish *wish;
};

double plan__table_rows(struct planner *planner, const struct table *table)
{
    if (!planner->options->table_rows)
        return 1000;
    double rows = planner->options->table_rows(planner->options->table_rows_context, table);
    return rows < 1 ? 1 : rows;
}

double plan__selectivity(const struct expr *condition)
{
    if (plan__is_false_or_null(condition))
        return 0;
    double result = 1;
    switch (condition->kind) {
    case EXPR_AND:
        for (uint32_t i = 0; i < condition->argument_count; i++)
            result *= plan__selectivity(condition->arguments[i]);
        return result;
    case EXPR_OR:
        for (uint32_t i = 0; i < condition->argument_count; i++)
            result *= 1 - plan__selectivity(condition->arguments[i]);
        return 1 - result;
    case EXPR_IN:
        return fmin(0.5, 0.01 * (condition->argument_count - 1));
    case EXPR_CALL:
        switch (condition->call) {
        case CALL_EQ:
        case CALL_IS_NULL:
        case CALL_IS_NOT_DISTINCT:
            return 0.01;
        case CALL_NE:
        case CALL_IS_NOT_NULL:
        case CALL_IS_DISTINCT:
            return 0.99;
        case CALL_LT:
        case CALL_LE:
        case CALL_GT:
        case CALL_GE:
            return 0.2;
        case CALL_LIKE:
        case CALL_ILIKE:
        case CALL_STARTS_WITH:
            return 0.05;
        default:
            return 0.5;
        }
    default:
        return 0.5;
    }
}

double plan__sort_cost(double rows, double limit)
{
    double depth = limit > 0 ? fmin(rows, limit) : rows;
    return rows * 0.2 * log2(2 + depth);
}

/* ---- restrictions -----------------------------------------------------------------------------
 */

/* The place of the column when `expr` is a column of the table. */
static bool own_column(const struct access *access, const struct expr *expr, uint32_t *place)
{
    const struct relation *relation = access->relation;
    if (expr->kind != EXPR_COLUMN || expr->index < relation->slot_first ||
        expr->index - relation->slot_first >= relation->column_count)
        return false;
    *place = expr->index - relation->slot_first;
    return true;
}

static bool may_be_key(const struct access *access, const struct expr *expr, uint32_t place)
{
    return expr->type == access->table->columns[place].type.kind && !expr->is_volatile &&
           (plan__relations(access->query, expr) & ~access->outside) == 0;
}

static void restrict_by(struct access *access, struct restriction restriction)
{
    struct restrictions *list = &access->restrictions;
    list->items = arena_grow(access->planner->arena, list->items, &list->capacity, list->count + 1,
                             sizeof *list->items);
    list->items[list->count++] = restriction;
}

static void read_comparison(struct access *access, const struct expr *expr, uint32_t condition)
{
    struct restriction r = {.condition = condition, .exact = true};
    enum expr_call call = expr->call;
    r.value = expr->arguments[1];
    bool found =
        own_column(access, expr->arguments[0], &r.place) && may_be_key(access, r.value, r.place);
    if (!found) {
        r.value = expr->arguments[0];
        call = plan__commute(call);
        found = own_column(access, expr->arguments[1], &r.place) &&
                may_be_key(access, r.value, r.place);
    }
    if (!found || call == CALL_NE)
        return;
    r.kind = call == CALL_EQ ? FIXED : call == CALL_LT || call == CALL_LE ? UPPER : LOWER;
    r.inclusive = call == CALL_LE || call == CALL_GE;
    restrict_by(access, r);
}

static void read_list(struct access *access, const struct expr *expr, uint32_t condition)
{
    struct restriction r = {.kind = LISTED, .condition = condition, .exact = true};
    if (!own_column(access, expr->arguments[0], &r.place))
        return;
    r.list = expr->arguments + 1;
    r.list_count = expr->argument_count - 1;
    for (uint32_t i = 0; i < r.list_count; i++) {
        if (!may_be_key(access, r.list[i], r.place))
            return;
    }
    restrict_by(access, r);
}

/* The smallest text above all that begin with the prefix: its last character one up, characters
 * that have no next one dropped. Byte order is character order in UTF-8. False: there is none. */
static bool prefix_end(struct planner *planner, struct slice prefix, struct slice *out)
{
    uint8_t *text = arena_alloc(planner->arena, prefix.size + 4);
    memcpy(text, prefix.data, prefix.size);
    size_t size = prefix.size;
    while (size > 0) {
        size_t start = size - 1;
        while (start > 0 && (text[start] & 0xc0) == 0x80)
            start--;
        uint32_t character = 0;
        if (utf8_decode(slice_make(text + start, size - start), &character) == 0)
            return false;
        character = character == 0xd7ff ? 0xe000 : character + 1;
        size_t length = utf8_encode(character, text + start);
        if (length > 0) {
            *out = slice_make(text, start + length);
            return true;
        }
        size = start;
    }
    return false;
}

/* column LIKE 'abc%': from 'abc' to below 'abd'. */
static void read_like(struct access *access, const struct expr *expr, uint32_t condition)
{
    uint32_t place;
    const struct expr *pattern = expr->arguments[1];
    if (expr->argument_count != 2 || !own_column(access, expr->arguments[0], &place) ||
        !plan__is_constant(pattern) || pattern->constant.null ||
        access->table->columns[place].type.kind != SQL_TEXT)
        return;
    struct slice text = pattern->constant.as.text;
    size_t size = 0;
    while (size < text.size && !strchr("%_\\", text.data[size]))
        size++;
    struct slice prefix = slice_make(text.data, size);
    struct slice end;
    if (size == 0 || !prefix_end(access->planner, prefix, &end))
        return;
    struct restriction r = {.place = place, .condition = condition, .half = true};
    r.exact = size + 1 == text.size && text.data[size] == '%';
    r.kind = LOWER;
    r.inclusive = true;
    r.value = plan__constant(access->planner, value_text(prefix), pattern->position);
    restrict_by(access, r);
    r.kind = UPPER;
    r.inclusive = false;
    r.value = plan__constant(access->planner, value_text(end), pattern->position);
    restrict_by(access, r);
}

static void read_restrictions(struct access *access)
{
    for (uint32_t i = 0; i < access->conditions->count; i++) {
        const struct expr *expr = access->conditions->items[i];
        if (expr->kind == EXPR_IN)
            read_list(access, expr, i);
        else if (expr->kind == EXPR_CALL && plan__is_comparison(expr->call))
            read_comparison(access, expr, i);
        else if (expr->kind == EXPR_CALL && expr->call == CALL_LIKE)
            read_like(access, expr, i);
    }
}

/* Whether a bound leaves less than another, as far as that is known. */
static bool is_tighter(const struct restriction *bound, const struct restriction *than)
{
    if (!plan__is_constant(bound->value) || !plan__is_constant(than->value))
        return false;
    int order = value_compare(&bound->value->constant, &than->value->constant);
    if (order == 0)
        return than->inclusive && !bound->inclusive;
    return bound->kind == LOWER ? order > 0 : order < 0;
}

/* The restriction of a column; of several bounds the tightest. */
static const struct restriction *find_restriction(const struct access *access, uint32_t place,
                                                  enum restriction_kind kind)
{
    const struct restriction *found = NULL;
    for (uint32_t i = 0; i < access->restrictions.count; i++) {
        const struct restriction *r = &access->restrictions.items[i];
        if (r->place != place || r->kind != kind)
            continue;
        if (kind == FIXED || kind == LISTED)
            return r;
        if (!found || is_tighter(r, found))
            found = r;
    }
    return found;
}

/* ---- paths ------------------------------------------------------------------------------------
 */

/* Whether the path makes a condition superfluous. */
static bool is_covered(const struct path *path, uint32_t condition)
{
    for (uint32_t i = 0; i < path->equal_count; i++) {
        if (path->equal[i]->condition == condition)
            return true;
    }
    bool lower = path->lower && path->lower->condition == condition;
    bool upper = path->upper && path->upper->condition == condition;
    return (lower && path->lower->exact && (upper || !path->lower->half)) ||
           (upper && path->upper->exact && (lower || !path->upper->half));
}

static bool mentions(const struct expr *expr, uint32_t slot)
{
    if (expr->kind == EXPR_COLUMN)
        return expr->index == slot;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (mentions(expr->arguments[i], slot))
            return true;
    }
    return false;
}

/* Whether the scan has to produce a column: for what is above, or for the filter on it. */
static bool is_needed(const struct access *access, const struct path *path, uint32_t place)
{
    uint32_t slot = access->relation->slot_first + place;
    if (access->query->slots[slot].used)
        return true;
    for (uint32_t i = 0; i < access->conditions->count; i++) {
        if (!is_covered(path, i) && mentions(access->conditions->items[i], slot))
            return true;
    }
    return false;
}

static bool index_has(const struct index *index, uint32_t place)
{
    for (uint32_t i = 0; i < index->column_count; i++) {
        if (index->columns[i] == place)
            return true;
    }
    return false;
}

/* An entry holds the index's columns and the primary key's. Doubles are fetched: a key does not
 * tell -0 from 0. */
static bool is_index_only(const struct access *access, const struct path *path)
{
    const struct table *table = access->table;
    if (path->index == &table->indexes[0])
        return false;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!is_needed(access, path, i))
            continue;
        bool has = index_has(path->index, i) || index_has(&table->indexes[0], i);
        if (!has || table->columns[i].type.kind == SQL_DOUBLE)
            return false;
    }
    return true;
}

static bool list_is_constant(const struct restriction *r)
{
    for (uint32_t i = 0; i < r->list_count; i++) {
        if (!plan__is_constant(r->list[i]))
            return false;
    }
    return true;
}

/* The index's columns, and behind those of one that is not unique the primary key's. */
static bool ordering_column(const struct table *table, const struct index *index, uint32_t at,
                            uint32_t *place, bool *descending)
{
    if (at < index->column_count) {
        *place = index->columns[at];
        *descending = index->descending[at];
        return true;
    }
    const struct index *key = &table->indexes[0];
    at -= index->column_count;
    if (index == key || index->unique || at >= key->column_count)
        return false;
    *place = key->columns[at];
    *descending = key->descending[at];
    return true;
}

/* Whether entries come in the order wished for, forwards or in reverse. A column fixed by an
 * equality is in any order. */
static bool satisfies_order(const struct access *access, const struct path *path, bool *reverse)
{
    const struct wish *wish = access->wish;
    bool turned_known = false;
    uint32_t at = 0;
    *reverse = false;
    for (uint32_t i = 0; i < path->equal_count; i++) {
        if (path->equal[i]->kind == LISTED && !list_is_constant(path->equal[i]))
            return false;
    }
    for (uint32_t i = 0; i < wish->key_count; i++) {
        const struct sort_key *key = &wish->keys[i];
        uint32_t wanted;
        if (!own_column(access, key->expr, &wanted))
            return false;
        if (find_restriction(access, wanted, FIXED))
            continue;
        uint32_t place;
        bool descending;
        do {
            if (!ordering_column(access->table, path->index, at++, &place, &descending))
                return false;
        } while (place != wanted && find_restriction(access, place, FIXED));
        bool nulls_fit =
            key->nulls_first == key->descending || access->table->columns[wanted].not_null;
        bool turned = descending != key->descending;
        if (place != wanted || !nulls_fit || (turned_known && turned != *reverse))
            return false;
        *reverse = turned;
        turned_known = true;
    }
    return true;
}

/* Fixes the index's first columns, then bounds the next. */
static void match_index(const struct access *access, struct path *path)
{
    const struct index *index = path->index;
    uint64_t ranges = 1;
    while (path->equal_count < index->column_count) {
        uint32_t place = index->columns[path->equal_count];
        const struct restriction *r = find_restriction(access, place, FIXED);
        if (!r && access->outside == 0 && (r = find_restriction(access, place, LISTED))) {
            ranges *= r->list_count;
            if (ranges > RANGES_MAX)
                r = NULL;
        }
        if (!r)
            break;
        path->equal[path->equal_count++] = r;
        path->range_count = (uint32_t)ranges;
    }
    path->single = index->unique && path->equal_count == index->column_count;
    if (path->equal_count < index->column_count) {
        uint32_t place = index->columns[path->equal_count];
        path->lower = find_restriction(access, place, LOWER);
        path->upper = find_restriction(access, place, UPPER);
        if ((path->lower || path->upper) && path->range_count == 0)
            path->range_count = 1;
    }
}

/* In a look-up a condition may be one with the left row. */
static double selectivity(const struct access *access, const struct expr *condition)
{
    if (access->outside != 0 && (plan__relations(access->query, condition) & access->outside) != 0)
        return plan__join_selectivity(access->planner, access->query, condition);
    return plan__selectivity(condition);
}

static void estimate(const struct access *access, struct path *path)
{
    const struct exprs *conditions = access->conditions;
    double scanned = access->table_rows;
    for (uint32_t i = 0; i < conditions->count; i++) {
        bool bounds = (path->lower && path->lower->condition == i) ||
                      (path->upper && path->upper->condition == i);
        if (is_covered(path, i) || bounds)
            scanned *= selectivity(access, conditions->items[i]);
    }
    scanned = fmax(scanned, 1);
    if (path->single)
        scanned = path->range_count;
    path->scanned = scanned;
    bool fetches = path->index != &access->table->indexes[0] && !path->index_only;
    path->cost = COST_SEEK * path->range_count + scanned * (fetches ? 1 + COST_FETCH : 1);
    const struct wish *wish = access->wish;
    double rows = fmin(access->rows, scanned);
    bool stops_early = wish->limit > 0 && wish->limit < rows;
    if (!path->ordered)
        path->cost += plan__sort_cost(rows, wish->limit);
    else if (stops_early)
        path->cost *= wish->limit / rows;
}

/* Whether the order wished for is of this table alone: then one row is in order, also when a join
 * makes many of it. */
static bool order_is_own(const struct access *access)
{
    uint64_t self = UINT64_C(1) << (uint32_t)(access->relation - access->query->relations);
    for (uint32_t i = 0; i < access->wish->key_count; i++) {
        const struct expr *key = access->wish->keys[i].expr;
        if (key->is_volatile || (plan__relations(access->query, key) & ~self) != 0)
            return false;
    }
    return true;
}

/* The path by one index, by ranges or the whole of it; false when it serves nothing. */
static bool try_index(const struct access *access, const struct index *index, bool by_ranges,
                      struct path *path)
{
    *path = (struct path){.index = index};
    if (by_ranges)
        match_index(access, path);
    path->index_only = is_index_only(access, path);
    bool one_row = path->single && path->range_count == 1;
    one_row = one_row && order_is_own(access);
    path->ordered = one_row || satisfies_order(access, path, &path->reverse);
    if (!path->ordered || one_row)
        path->reverse = false;
    bool is_primary = index == &access->table->indexes[0];
    bool serves = path->range_count > 0 || is_primary || path->index_only ||
                  (path->ordered && access->wish->key_count > 0);
    if (serves)
        estimate(access, path);
    return serves;
}

static struct path best_path(const struct access *access)
{
    struct path best = {0};
    ASSERT(access->table->index_count > 0);
    bool may_use = !access->planner->options->no_index;
    uint32_t count = may_use ? access->table->index_count : 1;
    for (uint32_t i = 0; i < count; i++) {
        struct path path;
        if (try_index(access, &access->table->indexes[i], may_use, &path) &&
            (!best.index || path.cost < best.cost))
            best = path;
    }
    /* Hundreds of look-ups may cost more than the whole table; of a few the narrow reads count. */
    struct path whole;
    if (best.range_count > SHORT_ROWS &&
        try_index(access, &access->table->indexes[0], false, &whole) && whole.cost < best.cost)
        best = whole;
    ASSERT(best.index);
    return best;
}

/* ---- ranges -----------------------------------------------------------------------------------
 */

/* The values of an IN list in the order they are scanned, without repetitions, when all are known;
 * NULLs select nothing. */
static void order_list(struct planner *planner, struct restriction *r, bool descending)
{
    if (!list_is_constant(r))
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

static void write_scan(const struct access *access, struct path *path, const uint32_t *positions,
                       struct stage *out)
{
    struct planner *planner = access->planner;
    const struct table *table = access->table;
    uint32_t *columns = arena_alloc(planner->arena, (table->column_count + 1) * sizeof *columns);
    uint32_t *slots = arena_alloc(planner->arena, (table->column_count + 1) * sizeof *slots);
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!is_needed(access, path, i))
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
    for (uint32_t i = 0; i < conditions->count; i++)
        access.rows *= plan__selectivity(conditions->items[i]);
    access.rows = fmax(access.rows, 1);
    return access;
}

static void uncovered(struct planner *planner, const struct access *access, const struct path *path,
                      struct exprs *out)
{
    for (uint32_t i = 0; i < access->conditions->count; i++) {
        if (!is_covered(path, i))
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
    read_restrictions(&access);
    struct path path = best_path(&access);
    write_scan(&access, &path, NULL, out);
    struct exprs rest = {0};
    uncovered(planner, &access, &path, &rest);
    plan__add_filter(planner, query, out, &rest);
}

/* ---- look-ups ---------------------------------------------------------------------------------
 */

/* Whether a key value comes from the left row, as it must: otherwise each row finds the same. */
static bool uses_left(const struct path *path)
{
    for (uint32_t i = 0; i < path->equal_count; i++) {
        if (plan__has_columns(path->equal[i]->value))
            return true;
    }
    return false;
}

bool plan__choose_lookup(struct planner *planner, struct query *query, uint32_t relation,
                         const struct exprs *conditions, const struct stage *left,
                         uint64_t left_relations, struct stage *out, struct exprs *rest)
{
    static const struct wish none;
    if (planner->options->no_lookup_join || planner->options->no_index)
        return false;
    struct access access = open_access(planner, query, relation, conditions);
    access.wish = &none;
    access.outside = left_relations;
    read_restrictions(&access);
    struct path best = {0};
    for (uint32_t i = 0; i < access.table->index_count; i++) {
        struct path path = {.index = &access.table->indexes[i]};
        match_index(&access, &path);
        path.index_only = is_index_only(&access, &path);
        if (path.equal_count == 0 || !uses_left(&path))
            continue;
        ASSERT(path.range_count == 1);
        path.ordered = true;
        estimate(&access, &path);
        if (!best.index || path.cost < best.cost)
            best = path;
    }
    if (!best.index)
        return false;
    write_scan(&access, &best, plan__positions(planner, query, left, NULL), out);
    uncovered(planner, &access, &best, rest);
    return true;
}
