/* Joins: in which order, and by which method.
 *
 * Inner joins are ordered greedily, left-deep: the input with the fewest rows comes first, then
 * always the connected one that leaves the fewest rows. Where an ORDER BY is on columns of one
 * input, the order that begins with that input in the wished order is tried as well, and the
 * cheaper of the two plans is taken; joins keep the order of their left side.
 *
 * Method: a look-up of the right table by key for each left row when the left rows are few enough;
 * otherwise a hash join on equalities, hashing the side with fewer rows (the right one of an outer
 * join); a nested loop only where there is no equality. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_int.h"

static const double COST_BUILD = 1.5; /* a row into a hash table */
static const double COST_PROBE = 0.5;
static const double COST_PAIR = 0.2; /* a pair of rows looked at by a nested loop */
static const double SHORT_ROWS = 100;

static const struct wish no_wish;

/* Two inputs about to be joined. */
struct join {
    struct planner *planner;
    struct query *query;
    enum join_kind kind;
    struct stage left;
    struct stage right;
    uint64_t left_relations;
    uint64_t right_relations;
    const struct from_node *right_node; /* NULL: not a table to look up */
    struct exprs conditions;
    double rows;
    double fraction; /* of the left rows that a LIMIT above will ask for */
};

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
        if (index->unique && !index->predicate && index->column_count == 1 &&
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

static double join_rows(struct planner *planner, const struct query *query, double left,
                        double right, const struct exprs *conditions)
{
    double rows = left * right;
    for (uint32_t i = 0; i < conditions->count; i++)
        rows *= plan__join_selectivity(planner, query, conditions->items[i]);
    return fmax(rows, 1);
}

/* ---- methods ----------------------------------------------------------------------------------
 */

static struct stage beside(struct join *join, enum plan_kind kind, const struct stage *left,
                           const struct stage *right)
{
    struct planner *planner = join->planner;
    uint32_t left_count = left->plan->column_count;
    bool left_only = join->kind == JOIN_SEMI || join->kind == JOIN_ANTI;
    uint32_t right_count = left_only ? 0 : right->plan->column_count;
    struct stage out = {.rows = join->rows};
    out.plan = plan__operator(planner, kind, left_count + right_count, left->plan, right->plan);
    out.plan->as.join.kind = join->kind;
    out.slots = arena_alloc(planner->arena, (left_count + right_count + 1) * sizeof *out.slots);
    memcpy(out.slots, left->slots, left_count * sizeof *out.slots);
    memcpy(out.slots + left_count, right->slots, right_count * sizeof *out.slots);
    out.plan->rows_estimate = join->rows;
    plan__describe(planner, join->query, &out);
    return out;
}

static void set_condition(struct join *join, struct stage *out, const struct stage *left,
                          const struct stage *right, const struct exprs *conditions)
{
    if (conditions->count == 0)
        return;
    struct expr *all = plan__predicate(join->planner, conditions);
    uint32_t *positions = plan__positions(join->planner, join->query, left, right);
    out->plan->as.join.condition = plan__resolve(join->planner, all, positions);
}

static bool is_within(uint64_t set, uint64_t whole)
{
    return set != 0 && (set & ~whole) == 0;
}

/* left = right with each side's columns from its own input. */
static bool hash_key(const struct join *join, const struct expr *condition, struct expr **left,
                     struct expr **right)
{
    if (!is_equality(condition) || condition->is_volatile)
        return false;
    uint64_t first = plan__relations(join->query, condition->arguments[0]);
    uint64_t second = plan__relations(join->query, condition->arguments[1]);
    bool straight =
        is_within(first, join->left_relations) && is_within(second, join->right_relations);
    bool crossed =
        is_within(first, join->right_relations) && is_within(second, join->left_relations);
    *left = condition->arguments[straight ? 0 : 1];
    *right = condition->arguments[straight ? 1 : 0];
    return straight || crossed;
}

/* False when there is no equality to hash on. */
static bool try_hash(struct join *join, bool may_exchange, struct stage *out)
{
    struct planner *planner = join->planner;
    struct exprs rest = {0};
    struct exprs left_keys = {0};
    struct exprs right_keys = {0};
    for (uint32_t i = 0; i < join->conditions.count; i++) {
        struct expr *left;
        struct expr *right;
        if (hash_key(join, join->conditions.items[i], &left, &right)) {
            plan__append(planner, &left_keys, left);
            plan__append(planner, &right_keys, right);
        } else {
            plan__append(planner, &rest, join->conditions.items[i]);
        }
    }
    if (left_keys.count == 0)
        return false;
    bool exchange = may_exchange && join->left.rows < join->right.rows;
    const struct stage *probe = exchange ? &join->right : &join->left;
    const struct stage *build = exchange ? &join->left : &join->right;
    struct exprs *probe_keys = exchange ? &right_keys : &left_keys;
    struct exprs *build_keys = exchange ? &left_keys : &right_keys;
    *out = beside(join, PLAN_HASH_JOIN, probe, build);
    out->ordered = !exchange && join->kind != JOIN_FULL && probe->ordered;
    out->cost = probe->cost + build->cost + build->rows * COST_BUILD +
                probe->rows * COST_PROBE * (exchange ? 1 : join->fraction);
    uint32_t *probe_at = plan__positions(planner, join->query, probe, NULL);
    uint32_t *build_at = plan__positions(planner, join->query, build, NULL);
    for (uint32_t i = 0; i < probe_keys->count; i++) {
        probe_keys->items[i] = plan__resolve(planner, probe_keys->items[i], probe_at);
        build_keys->items[i] = plan__resolve(planner, build_keys->items[i], build_at);
    }
    out->plan->as.join.left_keys = probe_keys->items;
    out->plan->as.join.right_keys = build_keys->items;
    out->plan->as.join.key_count = probe_keys->count;
    set_condition(join, out, probe, build, &rest);
    out->is_short = probe->is_short && build->is_short && join->rows <= SHORT_ROWS;
    return true;
}

static void use_nested_loop(struct join *join, struct stage *out)
{
    *out = beside(join, PLAN_NESTED_LOOP_JOIN, &join->left, &join->right);
    out->ordered = join->kind != JOIN_FULL && join->left.ordered;
    out->cost = join->left.cost + join->right.cost +
                join->left.rows * join->right.rows * COST_PAIR * join->fraction;
    set_condition(join, out, &join->left, &join->right, &join->conditions);
    out->is_short = join->left.is_short && join->right.is_short &&
                    join->left.rows * join->right.rows <= SHORT_ROWS;
}

static bool try_lookup(struct join *join, struct stage *out)
{
    struct planner *planner = join->planner;
    const struct from_node *node = join->right_node;
    if (!node || !node->leaf || !join->query->relations[node->relation].table ||
        join->kind == JOIN_FULL)
        return false;
    struct exprs conditions = {0};
    for (uint32_t i = 0; i < join->conditions.count; i++)
        plan__append(planner, &conditions, join->conditions.items[i]);
    for (uint32_t i = 0; i < node->filters.count; i++)
        plan__append(planner, &conditions, node->filters.items[i]);
    struct stage right;
    struct exprs rest = {0};
    if (!plan__choose_lookup(planner, join->query, node->relation, &conditions, &join->left,
                             join->left_relations, &right, &rest))
        return false;
    *out = beside(join, PLAN_LOOKUP_JOIN, &join->left, &right);
    out->ordered = join->left.ordered;
    out->cost = join->left.cost + join->left.rows * right.cost * join->fraction;
    set_condition(join, out, &join->left, &right, &rest);
    out->is_short =
        join->left.is_short && right.is_short && join->left.rows * right.rows <= SHORT_ROWS;
    return true;
}

static status_t choose_method(struct join *join, bool keep_order, struct stage *out)
{
    struct stage lookup;
    bool can_look_up = try_lookup(join, &lookup);
    bool may_exchange = join->kind == JOIN_INNER && !keep_order;
    bool can_hash = !join->planner->options->no_hash_join && try_hash(join, may_exchange, out);
    if (!can_hash)
        use_nested_loop(join, out);
    if (can_look_up && lookup.cost < out->cost)
        *out = lookup;
    return OK;
}

static double fraction_asked(const struct stage *left, const struct wish *wish)
{
    return left->ordered && wish->limit > 0 ? fmin(1, wish->limit / left->rows) : 1;
}

/* ---- one input --------------------------------------------------------------------------------
 */

/* Laid out once: with ORDER BY at every level a second time would double at every level. */
static status_t choose_derived(struct planner *planner, struct relation *relation,
                               struct stage *out)
{
    if (!relation->laid_out) {
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
                          : choose_derived(planner, &query->relations[leaf->relation], out);
    if (status)
        return status;
    ASSERT(out->plan->column_count == relation->column_count);
    out->slots = arena_alloc(planner->arena, (relation->column_count + 1) * sizeof *out->slots);
    for (uint32_t i = 0; i < relation->column_count; i++)
        out->slots[i] = relation->slot_first + i;
    out->ordered = wish->key_count == 0;
    plan__add_filter(planner, query, out, &leaf->filters);
    return OK;
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
                        .right_node = node->inputs[1],
                        .conditions = node->on};
    const struct wish *left_wish =
        node->kind != JOIN_FULL && node->filters.count == 0 ? wish : &no_wish;
    status_t status = plan__choose_from(planner, query, node->inputs[0], left_wish, &join.left);
    if (!status)
        status = plan__choose_from(planner, query, node->inputs[1], &no_wish, &join.right);
    if (status)
        return status;
    if (left_wish == &no_wish)
        join.left.ordered = wish->key_count == 0;
    join.fraction = fraction_asked(&join.left, left_wish);
    double pairs = join_rows(planner, query, join.left.rows, join.right.rows, &node->on);
    join.rows = node->kind == JOIN_SEMI   ? fmin(join.left.rows, pairs)
                : node->kind == JOIN_ANTI ? fmax(1, join.left.rows / 2)
                                          : fmax(join.left.rows, pairs);
    if ((status = choose_method(&join, true, out)))
        return status;
    plan__add_filter(planner, query, out, &node->filters);
    return OK;
}

/* ---- a set of inner joins ----------------------------------------------------------------------
 */

struct cluster {
    struct planner *planner;
    struct query *query;
    struct from_node *node;
    struct stage *inputs; /* each by itself */
    bool *joined;
    bool *applied; /* conditions of node->on */
};

/* The conditions not yet applied that can be over these relations. */
static bool applicable(const struct cluster *cluster, uint64_t relations, uint64_t next,
                       struct exprs *out)
{
    bool connected = false;
    for (uint32_t i = 0; i < cluster->node->on.count; i++) {
        struct expr *condition = cluster->node->on.items[i];
        uint64_t set = plan__relations(cluster->query, condition);
        if (cluster->applied[i] || (set & ~(relations | next)))
            continue;
        plan__append(cluster->planner, out, condition);
        connected |= (set & relations) && (set & next);
    }
    return connected;
}

/* The input that leaves the fewest rows, a connected one if there is any. */
static uint32_t next_input(const struct cluster *cluster, uint64_t relations, double rows)
{
    uint32_t best = NOWHERE;
    bool best_connected = false;
    double best_rows = 0;
    for (uint32_t i = 0; i < cluster->node->input_count; i++) {
        if (cluster->joined[i])
            continue;
        struct exprs conditions = {0};
        bool connected =
            applicable(cluster, relations, cluster->node->inputs[i]->relations, &conditions);
        double after =
            join_rows(cluster->planner, cluster->query, rows, cluster->inputs[i].rows, &conditions);
        bool better = best == NOWHERE || (connected && !best_connected) ||
                      (connected == best_connected && after < best_rows);
        if (better) {
            best = i;
            best_connected = connected;
            best_rows = after;
        }
    }
    ASSERT(best != NOWHERE);
    return best;
}

static void mark_applied(struct cluster *cluster, uint64_t relations)
{
    for (uint32_t i = 0; i < cluster->node->on.count; i++) {
        uint64_t set = plan__relations(cluster->query, cluster->node->on.items[i]);
        cluster->applied[i] |= (set & ~relations) == 0;
    }
}

/* Joins all inputs, beginning with one. */
static status_t join_all(struct cluster *cluster, uint32_t first, const struct stage *first_stage,
                         const struct wish *wish, struct stage *out)
{
    struct planner *planner = cluster->planner;
    struct from_node *node = cluster->node;
    memset(cluster->joined, 0, node->input_count * sizeof *cluster->joined);
    memset(cluster->applied, 0, node->on.count * sizeof *cluster->applied);
    struct stage current = *first_stage;
    uint64_t relations = node->inputs[first]->relations;
    cluster->joined[first] = true;
    for (uint32_t n = 1; n < node->input_count; n++) {
        uint32_t i = next_input(cluster, relations, current.rows);
        struct join join = {.planner = planner,
                            .query = cluster->query,
                            .kind = JOIN_INNER,
                            .left = current,
                            .right = cluster->inputs[i],
                            .left_relations = relations,
                            .right_relations = node->inputs[i]->relations,
                            .right_node = node->inputs[i]};
        applicable(cluster, relations, join.right_relations, &join.conditions);
        join.rows =
            join_rows(planner, cluster->query, current.rows, join.right.rows, &join.conditions);
        join.fraction = fraction_asked(&current, wish);
        bool keep_order = wish->key_count > 0 && current.ordered;
        status_t status = choose_method(&join, keep_order, &current);
        if (status)
            return status;
        relations |= join.right_relations;
        cluster->joined[i] = true;
        mark_applied(cluster, relations);
    }
    *out = current;
    return OK;
}

static uint32_t smallest_input(const struct cluster *cluster)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < cluster->node->input_count; i++) {
        if (cluster->inputs[i].rows < cluster->inputs[best].rows)
            best = i;
    }
    return best;
}

/* The one input that has all columns of the wished order, or NOWHERE. */
static uint32_t ordering_input(const struct cluster *cluster, const struct wish *wish)
{
    uint64_t set = 0;
    for (uint32_t i = 0; i < wish->key_count; i++)
        set |= plan__relations(cluster->query, wish->keys[i].expr);
    for (uint32_t i = 0; i < cluster->node->input_count; i++) {
        if (is_within(set, cluster->node->inputs[i]->relations))
            return i;
    }
    return NOWHERE;
}

static status_t choose_inner(struct planner *planner, struct query *query, struct from_node *node,
                             const struct wish *wish, struct stage *out)
{
    struct arena *arena = planner->arena;
    struct cluster cluster = {.planner = planner, .query = query, .node = node};
    cluster.inputs = arena_zalloc(arena, node->input_count * sizeof *cluster.inputs);
    cluster.joined = arena_zalloc(arena, node->input_count * sizeof(bool));
    cluster.applied = arena_zalloc(arena, (node->on.count + 1) * sizeof(bool));
    const struct wish *any_order = wish->key_count == 0 ? wish : &no_wish;
    status_t status;
    for (uint32_t i = 0; i < node->input_count; i++) {
        if ((status =
                 plan__choose_from(planner, query, node->inputs[i], &no_wish, &cluster.inputs[i])))
            return status;
    }
    uint32_t first = smallest_input(&cluster);
    if ((status = join_all(&cluster, first, &cluster.inputs[first], any_order, out)))
        return status;
    out->ordered = wish->key_count == 0;
    uint32_t leader = wish->key_count > 0 ? ordering_input(&cluster, wish) : NOWHERE;
    if (leader != NOWHERE) {
        struct stage leading;
        struct stage in_order;
        status = plan__choose_from(planner, query, node->inputs[leader], wish, &leading);
        if (!status && leading.ordered)
            status = join_all(&cluster, leader, &leading, wish, &in_order);
        if (status)
            return status;
        double sorted = out->cost + plan__sort_cost(out->rows, wish->limit);
        if (leading.ordered && in_order.ordered && in_order.cost < sorted)
            *out = in_order;
    }
    plan__add_filter(planner, query, out, &node->filters);
    return OK;
}

status_t plan__choose_from(struct planner *planner, struct query *query, struct from_node *node,
                           const struct wish *wish, struct stage *out)
{
    ASSERT(node && wish);
    if (arena_over_budget(planner->arena))
        return error_set(planner->error, ERR_NOMEM, "statement needs too much memory to plan");
    if (node->leaf)
        return choose_leaf(planner, query, node, wish, out);
    if (node->lateral)
        return plan__choose_lateral(planner, query, node, wish, out);
    if (node->kind == JOIN_INNER)
        return choose_inner(planner, query, node, wish, out);
    return choose_outer(planner, query, node, wish, out);
}
