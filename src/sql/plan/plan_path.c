/* How a table is reached: the whole of it, or ranges of its primary key or of an index.
 *
 * For each index, equalities and IN lists fix its first columns, then one further column may have
 * bounds; IN lists multiply ranges. Paths are compared by a cost in rows passed on by a scan, in
 * which an order that saves a sort and a LIMIT that ends a scan early take part. A narrow range has
 * a second merit: it is also what the transaction is noted to have read, so it meets fewer
 * conflicts. */
#include <math.h>

#include "sql/plan/plan_path_int.h"

static const double COST_SEEK = 8;  /* to find the beginning of a range */
static const double COST_FETCH = 3; /* a row through a secondary index, on top of the entry */
/* The same of look-ups as a clock has them. Where nothing is known of a table they are taken for
 * cheaper than they are: it may be larger than it is taken for, and the reads are narrow. */
static const double COST_SEEK_MEASURED = 40;
static const double COST_FETCH_MEASURED = 20;
static const double FEW_RANGES = 100; /* for more the whole table is thought of, too */
enum { COVERED_MAX = CATALOG_KEY_COLUMNS_MAX + 2 }; /* conditions by one path */
enum { RANGES_MAX = 4096 }; /* products of IN lists beyond this are filtered instead */

/* Whether the path makes a condition superfluous. */
bool plan__is_covered(const struct path *path, uint32_t condition)
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

/* Adds the restriction's condition when the path covers it and it mentions the slot. */
static void add_covered(const struct access *access, const struct path *path,
                        const struct restriction *restriction, uint32_t slot, uint32_t *covered,
                        uint32_t *count)
{
    if (!restriction || !plan__is_covered(path, restriction->condition) ||
        !plan__mentions(access->conditions->items[restriction->condition], slot))
        return;
    for (uint32_t i = 0; i < *count; i++) {
        if (covered[i] == restriction->condition)
            return;
    }
    ASSERT(*count < COVERED_MAX);
    covered[(*count)++] = restriction->condition;
}

/* Whether the scan has to produce a column: for what is above, or for the filter on it. */
bool plan__is_needed(const struct access *access, const struct path *path, uint32_t place)
{
    uint32_t slot = access->relation->slot_first + place;
    uint32_t mentions = access->mentions[place];
    if (access->query->slots[slot].used)
        return true;
    if (mentions == 0 || mentions > COVERED_MAX)
        return mentions > 0;
    uint32_t covered[COVERED_MAX], count = 0;
    for (uint32_t i = 0; i < path->equal_count; i++)
        add_covered(access, path, path->equal[i], slot, covered, &count);
    add_covered(access, path, path->lower, slot, covered, &count);
    add_covered(access, path, path->upper, slot, covered, &count);
    ASSERT(count <= mentions);
    return count < mentions;
}

/* An entry holds the index's columns and the primary key's. Doubles and the like are fetched: a key
 * does not tell -0 from 0. */
static bool is_index_only(const struct access *access, const struct path *path)
{
    const struct table *table = access->table;
    if (path->index == &table->indexes[0])
        return false;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!plan__is_needed(access, path, i))
            continue;
        bool has = index_has_column(path->index, i) || index_has_column(&table->indexes[0], i);
        if (!has || !type_key_is_exact(table->columns[i].type.kind))
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
        if (path->equal[i]->kind == LISTED && !plan__list_is_constant(path->equal[i]))
            return false;
    }
    for (uint32_t i = 0; i < wish->key_count; i++) {
        const struct sort_key *key = &wish->keys[i];
        uint32_t wanted;
        if (!plan__own_column(access, key->expr, &wanted))
            return false;
        if (plan__find_restriction(access, wanted, FIXED))
            continue;
        uint32_t place;
        bool descending;
        do {
            if (!ordering_column(access->table, path->index, at++, &place, &descending))
                return false;
        } while (place != wanted && plan__find_restriction(access, place, FIXED));
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
    const uint32_t keys = index_key_count(index);
    uint64_t ranges = 1;
    while (path->equal_count < keys) {
        uint32_t place = index->columns[path->equal_count];
        const struct restriction *r = plan__find_restriction(access, place, FIXED);
        if (!r && access->outside == 0 && (r = plan__find_restriction(access, place, LISTED))) {
            ranges *= r->list_count;
            if (ranges > RANGES_MAX)
                r = NULL;
        }
        if (!r)
            break;
        path->equal[path->equal_count++] = r;
        path->range_count = (uint32_t)ranges;
    }
    path->single = index->unique && path->equal_count == keys;
    if (path->equal_count < keys) {
        uint32_t place = index->columns[path->equal_count];
        path->lower = plan__find_restriction(access, place, LOWER);
        path->upper = plan__find_restriction(access, place, UPPER);
        if ((path->lower || path->upper) && path->range_count == 0)
            path->range_count = 1;
    }
}

/* In a look-up a condition may be one with the left row. */
static bool is_with_left(const struct access *access, const struct expr *condition)
{
    return access->outside != 0 &&
           (plan__relations(access->query, condition) & access->outside) != 0;
}

static void estimate(const struct access *access, struct path *path)
{
    const struct exprs *conditions = access->conditions;
    double scanned = access->table_rows;
    struct exprs own = {0};
    for (uint32_t i = 0; i < conditions->count; i++) {
        struct expr *condition = conditions->items[i];
        bool bounds = (path->lower && path->lower->condition == i) ||
                      (path->upper && path->upper->condition == i);
        if (!plan__is_covered(path, i) && !bounds)
            continue;
        if (is_with_left(access, condition))
            scanned *= plan__join_selectivity(access->planner, access->query, condition);
        else
            plan__append(access->planner, &own, condition);
    }
    /* A partial index has only rows that fulfil what it asks of them; it may be asked for by range
       too, and is then counted once. */
    struct exprs said = {0};
    plan__predicate_implied(access, path->index, &said);
    for (uint32_t i = 0; i < said.count; i++) {
        bool counted = false;
        for (uint32_t k = 0; k < own.count; k++)
            counted |= plan__equal(own.items[k], said.items[i]);
        if (!counted)
            plan__append(access->planner, &own, said.items[i]);
    }
    scanned *= plan__selectivity_all(access->planner, access->query, &own);
    scanned = fmax(scanned, 1);
    if (path->single)
        scanned = path->range_count;
    path->scanned = scanned;
    bool fetches = path->index != &access->table->indexes[0] && !path->index_only;
    bool measured = access->outside != 0 && plan__has_statistics(access->planner, access->table);
    double fetch = measured ? COST_FETCH_MEASURED : COST_FETCH;
    path->seek_cost = measured ? COST_SEEK_MEASURED : COST_SEEK;
    path->row_cost = fetches ? 1 + fetch : 1;
    path->cost = path->seek_cost * path->range_count + scanned * path->row_cost;
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
    if (index->building || !plan__predicate_implied(access, index, NULL))
        return false;
    if (by_ranges)
        match_index(access, path);
    path->index_only = is_index_only(access, path);
    bool one_row = path->single && path->range_count == 1;
    one_row = one_row && order_is_own(access);
    path->ordered = one_row || satisfies_order(access, path, &path->reverse);
    if (!path->ordered || one_row)
        path->reverse = false;
    bool is_primary = index == &access->table->indexes[0];
    bool serves = path->range_count > 0 || is_primary || path->index_only || index->predicate ||
                  (path->ordered && access->wish->key_count > 0);
    if (serves)
        estimate(access, path);
    return serves;
}

struct path plan__best_path(const struct access *access)
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
    if (best.range_count > FEW_RANGES &&
        try_index(access, &access->table->indexes[0], false, &whole) && whole.cost < best.cost)
        best = whole;
    ASSERT(best.index);
    return best;
}

/* Whether a key value comes from the left row, as it must: otherwise each row finds the same. */
static bool uses_left(const struct path *path)
{
    for (uint32_t i = 0; i < path->equal_count; i++) {
        if (plan__has_columns(path->equal[i]->value))
            return true;
    }
    return false;
}

bool plan__lookup_path(const struct access *access, const struct index *index, struct path *path)
{
    *path = (struct path){.index = index};
    if (index->building || !plan__predicate_implied(access, index, NULL))
        return false;
    match_index(access, path);
    path->index_only = is_index_only(access, path);
    if (path->equal_count == 0 || !uses_left(path))
        return false;
    ASSERT(path->range_count == 1);
    path->ordered = true;
    estimate(access, path);
    return true;
}

struct path plan__best_lookup(const struct access *access)
{
    struct path best = {0};
    for (uint32_t i = 0; i < access->table->index_count; i++) {
        struct path path;
        if (plan__lookup_path(access, &access->table->indexes[i], &path) &&
            (!best.index || path.cost < best.cost))
            best = path;
    }
    return best;
}

bool plan__index_path(const struct access *access, const struct index *index, struct path *path)
{
    return try_index(access, index, true, path);
}
