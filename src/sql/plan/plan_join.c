/* Joins: by which method, and those whose order is given. In which order the inputs of inner joins
 * are joined: plan_order.c.
 *
 * Four methods, the cheapest of which is taken:
 *   look-up      the right table is read by key for each left row: when the left rows are few
 *   merge        both sides come in the order of the keys already, by primary key or index; nothing
 *                is kept but the right rows of the keys at hand
 *   hash         on equalities; the right side goes into the table
 *   nested loop  for everything else, the right side kept
 * All keep the order of their left side, FULL excepted. Costs are in units of one row passed on by
 * a scan, measured on tables that fit into memory: a look-up is a way down a tree, a row of a hash
 * table one miss of the cache. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_int.h"

static const double COST_BUILD = 2.5; /* a row into a hash table */
static const double COST_PROBE = 0.7;
static const double COST_MERGE = 0.3; /* a row of either side */
static const double COST_PAIR = 0.2;  /* a pair of rows looked at by a nested loop */
static const double COST_ROW = 0.2;   /* a row that comes out */
static const double SHORT_ROWS = 100;
static const double ANTI_MIN = 0.25; /* of the left rows have no partner, at least */

static const struct wish no_wish;

/* ---- estimates --------------------------------------------------------------------------------
 */
/* How many different values an expression has: of a unique column as many as its table has rows, of
 * another a tenth. */
static double distinct_values(struct planner *planner, const struct query *query,
                              const struct expr *expr, bool *unique)
{
    *unique = false;
    if (expr->kind != EXPR_COLUMN || query->slots[expr->index].relation == NOWHERE)
        return 100;
    const struct slot *slot = &query->slots[expr->index];
    const struct table *table = query->relations[slot->relation].table;
    if (!table)
        return 100;
    double rows = plan__table_rows(planner, table);
    const struct column_statistics *column = plan__column_statistics(planner, query, expr);
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index *index = &table->indexes[i];
        if (index->unique && !index->predicate && !index->building && index_key_count(index) == 1 &&
            index->columns[0] == slot->place) {
            *unique = true;
            return rows;
        }
    }
    return fmax(1, column ? column->distinct : rows / 10);
}

static bool is_equality(const struct expr *condition)
{
    return condition->kind == EXPR_CALL && condition->call == CALL_EQ;
}

double plan__join_selectivity(struct planner *planner, const struct query *query,
                              const struct expr *condition)
{
    if (!is_equality(condition))
        return plan__selectivity(planner, query, condition);
    bool a_unique;
    bool b_unique;
    double a = distinct_values(planner, query, condition->arguments[0], &a_unique);
    double b = distinct_values(planner, query, condition->arguments[1], &b_unique);
    /* What refers to a key has no other values than the key. */
    if (a_unique != b_unique)
        return 1 / (a_unique ? a : b);
    return 1 / fmax(a, b);
}

double plan__join_rows(enum join_kind kind, double left, double right, double selectivity)
{
    double pairs = fmax(left * right * selectivity, 1);
    switch (kind) {
    case JOIN_SEMI:
        return fmin(left, pairs);
    case JOIN_ANTI: /* rather a few too many: it is the keys in common that are guessed */
        return fmax(1, fmax(left * ANTI_MIN, left - fmin(left, pairs)));
    case JOIN_LEFT:
    case JOIN_FULL:
        return fmax(left, pairs);
    default:
        return pairs;
    }
}

static bool is_within(uint64_t set, uint64_t whole)
{
    return set != 0 && (set & ~whole) == 0;
}

struct link plan__link(struct planner *planner, const struct query *query, struct expr *condition)
{
    struct link link = {.condition = condition, .relations = plan__relations(query, condition)};
    link.selectivity = plan__join_selectivity(planner, query, condition);
    if (is_equality(condition) && !condition->is_volatile) {
        for (int side = 0; side < 2; side++)
            link.sides[side] = plan__relations(query, condition->arguments[side]);
        link.is_equality = link.sides[0] && link.sides[1] && !(link.sides[0] & link.sides[1]);
    }
    return link;
}

static bool is_one(uint64_t set)
{
    return set != 0 && (set & (set - 1)) == 0;
}

static const struct table *table_of(const struct query *query, uint64_t set)
{
    ASSERT(is_one(set));
    return query->relations[__builtin_ctzll(set)].table;
}

/* Do these equalities fix all columns of a unique index of that side's table? */
static bool fixes_unique(const struct query *query, const struct link *links, uint32_t count,
                         uint64_t relations, uint64_t side)
{
    const struct table *table = table_of(query, side);
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index *index = &table->indexes[i];
        uint32_t fixed = 0;
        if (!index->unique || index->predicate || index->building)
            continue;
        for (uint32_t c = 0; c < index_key_count(index) && fixed == c; c++) {
            bool found = false;
            for (uint32_t k = 0; k < count && !found; k++) {
                if (!links[k].is_equality || links[k].relations != relations)
                    continue;
                const struct expr *own = links[k].condition->arguments[links[k].sides[1] == side];
                found =
                    own->kind == EXPR_COLUMN && query->slots[own->index].place == index->columns[c];
            }
            fixed += found;
        }
        if (fixed == index_key_count(index))
            return true;
    }
    return false;
}

/* The part of the pairs of two tables' rows that fulfil all equalities between them is at least
 * one in as many as the larger has rows, and just that of the one whose key they fix. */
static double joint_floor(struct planner *planner, const struct query *query,
                          const struct link *links, uint32_t count, const struct link *link)
{
    double rows[2];
    bool unique[2];
    for (int side = 0; side < 2; side++) {
        const struct table *table = table_of(query, link->sides[side]);
        rows[side] = plan__table_rows(planner, table);
        unique[side] = fixes_unique(query, links, count, link->relations, link->sides[side]);
    }
    if (unique[0] != unique[1])
        return 1 / rows[unique[0] ? 0 : 1];
    return 1 / fmax(rows[0], rows[1]);
}

/* Two tables, and what all links between them that have been looked at say together. */
struct linked {
    uint64_t relations;
    double selectivity;
    double least; /* it may not be less; 0: not known yet */
};

static struct linked *find_linked(struct linked *all, uint32_t *count, uint64_t relations)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (all[i].relations == relations)
            return &all[i];
    }
    all[*count] = (struct linked){.relations = relations};
    return &all[(*count)++];
}

void plan__correlate_links(struct planner *planner, const struct query *query, struct link *links,
                           uint32_t count)
{
    struct linked *all = arena_alloc(planner->arena, (count + 1) * sizeof *all);
    uint32_t all_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct link *link = &links[i];
        if (!link->is_equality || !is_one(link->sides[0]) || !is_one(link->sides[1]) ||
            !table_of(query, link->sides[0]) || !table_of(query, link->sides[1]))
            continue;
        struct linked *linked = find_linked(all, &all_count, link->relations);
        if (linked->selectivity == 0) { /* the first one */
            linked->selectivity = link->selectivity;
            continue;
        }
        if (linked->least == 0)
            linked->least = joint_floor(planner, query, links, count, link);
        link->selectivity = fmin(1, fmax(link->selectivity, linked->least / linked->selectivity));
        linked->selectivity *= link->selectivity;
    }
}

/* ---- what the methods cost --------------------------------------------------------------------
 */

/* The sides of left = right, each over its own input; false when it is none. */
static bool join_key(const struct join *join, const struct link *link, struct expr **left,
                     struct expr **right)
{
    if (!link->is_equality)
        return false;
    bool straight = is_within(link->sides[0], join->left_relations) &&
                    is_within(link->sides[1], join->right_relations);
    bool crossed = is_within(link->sides[0], join->right_relations) &&
                   is_within(link->sides[1], join->left_relations);
    *left = link->condition->arguments[straight ? 0 : 1];
    *right = link->condition->arguments[straight ? 1 : 0];
    return straight || crossed;
}

static bool is_slot(const struct expr *expr, uint32_t slot)
{
    return expr->kind == EXPR_COLUMN && expr->index == slot;
}

/* The link that equates these slots, or NULL. */
static const struct link *link_of(const struct join *join, uint32_t left_slot, uint32_t right_slot)
{
    for (uint32_t i = 0; i < join->link_count; i++) {
        struct expr *left;
        struct expr *right;
        if (join_key(join, join->links[i], &left, &right) && is_slot(left, left_slot) &&
            is_slot(right, right_slot))
            return join->links[i];
    }
    return NULL;
}

/* By how many leading columns of their orders both sides can be merged. */
static uint32_t merge_columns(const struct join *join)
{
    uint32_t count = 0;
    while (count < join->left.order_count && count < join->right.order_count &&
           link_of(join, join->left.order[count], join->right.order[count]))
        count++;
    return count;
}

static bool has_hash_key(const struct join *join)
{
    struct expr *left;
    struct expr *right;
    for (uint32_t i = 0; i < join->link_count; i++) {
        if (join_key(join, join->links[i], &left, &right))
            return true;
    }
    return false;
}

/* Of one. What comes out was found: columns of a key are not independent of each other. */
static double lookup_cost(const struct join *join)
{
    const struct lookup *lookup = &join->lookup;
    if (lookup->seek_cost == 0)
        return INFINITY;
    double found = fmax(lookup->rows, join->rows / fmax(1, join->left.rows));
    return lookup->seek_cost + found * lookup->row_cost;
}

static double method_cost(const struct join *join, enum plan_kind method)
{
    const struct stage *left = &join->left;
    const struct stage *right = &join->right;
    const struct plan_options *options = join->planner->options;
    double both = left->cost + right->cost;
    double asked = left->rows * join->fraction;
    switch (method) {
    case PLAN_LOOKUP_JOIN:
        return left->cost + asked * lookup_cost(join);
    case PLAN_MERGE_JOIN:
        if (options->no_merge_join || join->kind == JOIN_FULL || merge_columns(join) == 0)
            return INFINITY;
        return both + (left->rows + right->rows) * COST_MERGE;
    case PLAN_HASH_JOIN:
        if (options->no_hash_join || !has_hash_key(join))
            return INFINITY;
        return both + right->rows * COST_BUILD + asked * COST_PROBE;
    default:
        ASSERT(method == PLAN_NESTED_LOOP_JOIN);
        return both + asked * right->rows * COST_PAIR;
    }
}

enum plan_kind plan__join_method(const struct join *join, struct stage *out)
{
    enum plan_kind best = PLAN_HASH_JOIN;
    double cost = method_cost(join, best);
    double merge = method_cost(join, PLAN_MERGE_JOIN);
    if (merge < cost) {
        best = PLAN_MERGE_JOIN;
        cost = merge;
    }
    /* A nested loop only where there is no equality: a guess of few rows that proves wrong would
       cost the square. */
    if (isinf(cost)) {
        best = PLAN_NESTED_LOOP_JOIN;
        cost = method_cost(join, best);
    }
    double lookup = method_cost(join, PLAN_LOOKUP_JOIN);
    if (lookup < cost) {
        best = PLAN_LOOKUP_JOIN;
        cost = lookup;
    }
    *out = (struct stage){.rows = join->rows};
    out->cost = cost + join->rows * join->fraction * COST_ROW;
    if (join->kind != JOIN_FULL) {
        out->ordered = join->left.ordered;
        out->order = join->left.order;
        out->order_count = join->left.order_count;
    }
    return best;
}

/* What a look-up has to see to: the links and the right table's own conditions. */
static void lookup_conditions(const struct join *join, struct exprs *out)
{
    for (uint32_t i = 0; i < join->link_count; i++)
        plan__append(join->planner, out, join->links[i]->condition);
    for (uint32_t i = 0; i < join->right_node->filters.count; i++)
        plan__append(join->planner, out, join->right_node->filters.items[i]);
}

void plan__weigh_join_lookup(struct join *join)
{
    const struct from_node *node = join->right_node;
    join->lookup = (struct lookup){0};
    if (!node || !node->leaf || !join->query->relations[node->relation].table ||
        join->kind == JOIN_FULL)
        return;
    struct exprs conditions = {0};
    lookup_conditions(join, &conditions);
    join->lookup = plan__weigh_lookup(join->planner, join->query, node->relation, &conditions,
                                      join->left_relations);
}

/* ---- laid out ---------------------------------------------------------------------------------
 */

static void set_condition(const struct join *join, struct stage *out, const struct stage *right,
                          const struct exprs *conditions)
{
    if (conditions->count == 0)
        return;
    struct expr *all = plan__predicate(join->planner, conditions);
    uint32_t *positions = plan__positions(join->planner, join->query, &join->left, right);
    out->plan->as.join.condition = plan__resolve(join->planner, all, positions);
}

/* The operator over both inputs; everything but how it joins. */
static void put_beside(const struct join *join, enum plan_kind kind, const struct stage *right,
                       struct stage *out)
{
    struct planner *planner = join->planner;
    uint32_t left_count = join->left.plan->column_count;
    bool left_only = join->kind == JOIN_SEMI || join->kind == JOIN_ANTI;
    uint32_t right_count = left_only ? 0 : right->plan->column_count;
    out->plan =
        plan__operator(planner, kind, left_count + right_count, join->left.plan, right->plan);
    out->plan->as.join.kind = join->kind;
    out->slots = arena_alloc(planner->arena, (left_count + right_count + 1) * sizeof *out->slots);
    memcpy(out->slots, join->left.slots, left_count * sizeof *out->slots);
    memcpy(out->slots + left_count, right->slots, right_count * sizeof *out->slots);
    plan__describe(planner, join->query, out);
}

static void lay_out_keys(const struct join *join, struct stage *out, struct exprs *left_keys,
                         struct exprs *right_keys, const struct exprs *rest)
{
    uint32_t *left_at = plan__positions(join->planner, join->query, &join->left, NULL);
    uint32_t *right_at = plan__positions(join->planner, join->query, &join->right, NULL);
    ASSERT(left_keys->count > 0 && left_keys->count == right_keys->count);
    for (uint32_t i = 0; i < left_keys->count; i++) {
        left_keys->items[i] = plan__resolve(join->planner, left_keys->items[i], left_at);
        right_keys->items[i] = plan__resolve(join->planner, right_keys->items[i], right_at);
    }
    out->plan->as.join.left_keys = left_keys->items;
    out->plan->as.join.right_keys = right_keys->items;
    out->plan->as.join.key_count = left_keys->count;
    set_condition(join, out, &join->right, rest);
    out->is_short = join->left.is_short && join->right.is_short && join->rows <= SHORT_ROWS;
}

static void lay_out_hash(const struct join *join, struct stage *out)
{
    struct exprs rest = {0}, left_keys = {0}, right_keys = {0};
    put_beside(join, PLAN_HASH_JOIN, &join->right, out);
    for (uint32_t i = 0; i < join->link_count; i++) {
        struct expr *left;
        struct expr *right;
        bool is_key = join_key(join, join->links[i], &left, &right);
        plan__append(join->planner, is_key ? &left_keys : &rest,
                     is_key ? left : join->links[i]->condition);
        if (is_key)
            plan__append(join->planner, &right_keys, right);
    }
    lay_out_keys(join, out, &left_keys, &right_keys, &rest);
}

static void lay_out_merge(const struct join *join, struct stage *out)
{
    struct exprs rest = {0}, left_keys = {0}, right_keys = {0};
    struct planner *planner = join->planner;
    const struct link *used[CATALOG_KEY_COLUMNS_MAX * 2];
    uint32_t count = merge_columns(join);
    ASSERT(count > 0 && count <= sizeof used / sizeof *used);
    put_beside(join, PLAN_MERGE_JOIN, &join->right, out);
    plan__rely_on_order(out->plan->left);
    plan__rely_on_order(out->plan->right);
    for (uint32_t i = 0; i < count; i++) {
        used[i] = link_of(join, join->left.order[i], join->right.order[i]);
        plan__append(planner, &left_keys,
                     plan__column(planner, join->query, join->left.order[i], 0));
        plan__append(planner, &right_keys,
                     plan__column(planner, join->query, join->right.order[i], 0));
    }
    for (uint32_t i = 0; i < join->link_count; i++) {
        bool is_key = false;
        for (uint32_t k = 0; k < count; k++)
            is_key |= used[k] == join->links[i];
        if (!is_key)
            plan__append(planner, &rest, join->links[i]->condition);
    }
    lay_out_keys(join, out, &left_keys, &right_keys, &rest);
}

static void lay_out_loop(const struct join *join, struct stage *out)
{
    struct exprs conditions = {0};
    put_beside(join, PLAN_NESTED_LOOP_JOIN, &join->right, out);
    for (uint32_t i = 0; i < join->link_count; i++)
        plan__append(join->planner, &conditions, join->links[i]->condition);
    set_condition(join, out, &join->right, &conditions);
    out->is_short = join->left.is_short && join->right.is_short &&
                    join->left.rows * join->right.rows <= SHORT_ROWS;
}

static void lay_out_lookup(const struct join *join, struct stage *out)
{
    struct stage right;
    struct exprs conditions = {0}, rest = {0};
    lookup_conditions(join, &conditions);
    bool serves =
        plan__choose_lookup(join->planner, join->query, join->right_node->relation, &conditions,
                            &join->left, join->left_relations, &right, &rest);
    ASSERT(serves);
    put_beside(join, PLAN_LOOKUP_JOIN, &right, out);
    set_condition(join, out, &right, &rest);
    out->is_short =
        join->left.is_short && right.is_short && join->left.rows * right.rows <= SHORT_ROWS;
}

void plan__lay_out_join(const struct join *join, enum plan_kind method, struct stage *out)
{
    ASSERT(join->left.plan && out);
    if (method == PLAN_HASH_JOIN)
        lay_out_hash(join, out);
    else if (method == PLAN_MERGE_JOIN)
        lay_out_merge(join, out);
    else if (method == PLAN_LOOKUP_JOIN)
        lay_out_lookup(join, out);
    else
        lay_out_loop(join, out);
}

/* ---- one input --------------------------------------------------------------------------------
 */

/* Laid out once: with ORDER BY at every level a second time would double at every level. */
static status_t choose_derived(struct planner *planner, struct query *query,
                               const struct from_node *leaf, struct stage *out)
{
    struct relation *relation = &query->relations[leaf->relation];
    if (!relation->laid_out) {
        plan__prune(planner, query, leaf);
        struct stage *stage = arena_zalloc(planner->arena, sizeof *stage);
        status_t status = plan__choose_query(planner, relation->derived, stage);
        if (status)
            return status;
        relation->laid_out = stage;
    }
    *out = *relation->laid_out;
    return OK;
}

static status_t choose_leaf(struct planner *planner, struct query *query, struct from_node *leaf,
                            const struct wish *wish, struct stage *out)
{
    const struct relation *relation = &query->relations[leaf->relation];
    if (relation->table) {
        plan__choose_scan(planner, query, leaf->relation, &leaf->filters, wish, out);
        return OK;
    }
    status_t status = plan__is_common(relation)
                          ? plan__choose_common(planner, relation->common, out)
                          : choose_derived(planner, query, leaf, out);
    if (status)
        return status;
    ASSERT(out->plan->column_count == relation->column_count);
    out->slots = arena_alloc(planner->arena, (relation->column_count + 1) * sizeof *out->slots);
    for (uint32_t i = 0; i < relation->column_count; i++)
        out->slots[i] = relation->slot_first + i;
    out->ordered = wish->key_count == 0;
    out->order_count = 0; /* it is of slots of the block inside */
    plan__add_filter(planner, query, out, &leaf->filters);
    return OK;
}

/* Fewer rows of the left side will do: a LIMIT above asks for no more. */
static double fraction_asked(const struct stage *left, const struct wish *wish)
{
    return left->ordered && wish->limit > 0 ? fmin(1, wish->limit / left->rows) : 1;
}

static status_t choose_outer(struct planner *planner, struct query *query, struct from_node *node,
                             const struct wish *wish, struct stage *out)
{
    ASSERT(node->input_count == 2);
    struct join join = {.planner = planner,
                        .query = query,
                        .kind = node->kind,
                        .left_relations = node->inputs[0]->relations,
                        .right_relations = node->inputs[1]->relations,
                        .right_node = node->inputs[1]};
    struct wish left_wish_own = *wish;
    const struct wish *left_wish =
        node->kind != JOIN_FULL && node->filters.count == 0 ? &left_wish_own : &no_wish;
    if (node->kind != JOIN_LEFT)
        left_wish_own.exact_limit = 0;
    status_t status = plan__choose_from(planner, query, node->inputs[0], left_wish, &join.left);
    if (!status)
        status = plan__choose_from(planner, query, node->inputs[1], &no_wish, &join.right);
    if (status)
        return status;
    if (left_wish == &no_wish)
        join.left.ordered = wish->key_count == 0;
    else if (node->kind == JOIN_LEFT)
        plan__limit_left(planner, query, wish, join.left_relations, &join.left);
    struct link *links = arena_alloc(planner->arena, (node->on.count + 1) * sizeof *links);
    join.links = arena_alloc(planner->arena, (node->on.count + 1) * sizeof *join.links);
    double selectivity = 1;
    for (; join.link_count < node->on.count; join.link_count++) {
        links[join.link_count] = plan__link(planner, query, node->on.items[join.link_count]);
        join.links[join.link_count] = &links[join.link_count];
    }
    plan__correlate_links(planner, query, links, join.link_count);
    for (uint32_t i = 0; i < join.link_count; i++)
        selectivity *= links[i].selectivity;
    join.fraction = fraction_asked(&join.left, left_wish);
    join.rows = plan__join_rows(node->kind, join.left.rows, join.right.rows, selectivity);
    plan__weigh_join_lookup(&join);
    enum plan_kind method = plan__join_method(&join, out);
    plan__lay_out_join(&join, method, out);
    plan__add_filter(planner, query, out, &node->filters);
    return OK;
}

status_t plan__choose_from(struct planner *planner, struct query *query, struct from_node *node,
                           const struct wish *wish, struct stage *out)
{
    ASSERT(node && wish);
    status_t status = plan__poll(planner);
    if (status)
        return status;
    if (node->leaf)
        return choose_leaf(planner, query, node, wish, out);
    if (node->lateral) {
        struct wish inexact = *wish; /* rows of the left side may be dropped */
        inexact.exact_limit = 0;
        return plan__choose_lateral(planner, query, node, &inexact, out);
    }
    if (node->kind == JOIN_INNER)
        return plan__choose_inner(planner, query, node, wish, out);
    return choose_outer(planner, query, node, wish, out);
}
