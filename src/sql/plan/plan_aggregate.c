/* GROUP BY, HAVING and aggregates.
 *
 * An aggregate call is taken out of its expression when it is bound: it gets a slot of its own, and
 * a column of that slot stands in its place. When the block is bound, expressions above the
 * aggregation are gone through once more: what equals a grouped expression becomes that group's
 * slot, and a column that is left over is an error (42803), unless the primary key of its table is
 * grouped and so determines it. */
#include <string.h>

#include "sql/plan/plan_aggregate_int.h"
#include "sql/plan/plan_char_int.h"

/* ---- aggregate calls --------------------------------------------------------------------------
 */

static const char *aggregate_text(struct planner *planner, const struct aggregate *aggregate)
{
    struct buffer text = {0};
    plan__print_aggregate(aggregate, &text);
    return arena_keep_text(planner->arena, &text);
}

static bool same(const struct expr *a, const struct expr *b)
{
    return a && b ? plan__equal(a, b) : a == b;
}

static bool same_aggregate(struct aggregate *a, struct aggregate *b)
{
    if (a->kind != b->kind || a->distinct != b->distinct || a->order_count != b->order_count)
        return false;
    struct expr **place;
    for (uint32_t i = 0; (place = plan__aggregate_expr(a, i)) != NULL; i++) {
        if (!same(*place, *plan__aggregate_expr(b, i)))
            return false;
    }
    for (uint32_t i = 0; i < a->order_count; i++) {
        if (a->orders[i].descending != b->orders[i].descending ||
            a->orders[i].nulls_first != b->orders[i].nulls_first)
            return false;
    }
    return true;
}

/* The slot of an aggregate; a second one like it shares the first's. */
static uint32_t aggregate_slot(struct planner *planner, struct query *query,
                               struct aggregate *wanted)
{
    for (uint32_t i = 0; i < query->aggregate_count; i++) {
        if (same_aggregate(&query->aggregates[i], wanted))
            return query->aggregate_slots[i];
    }
    uint32_t need = query->aggregate_count + 1;
    query->aggregates = arena_grow(planner->arena, query->aggregates, &query->aggregate_capacity,
                                   need, sizeof *query->aggregates);
    query->aggregate_slots =
        arena_grow(planner->arena, query->aggregate_slots, &query->aggregate_slot_capacity, need,
                   sizeof *query->aggregate_slots);
    struct slot slot = {.name = aggregate_text(planner, wanted),
                        .type = wanted->type,
                        .relation = NOWHERE,
                        .place = query->aggregate_count};
    bool is_value = wanted->kind == AGGREGATE_MIN || wanted->kind == AGGREGATE_MAX ||
                    wanted->kind == AGGREGATE_ANY;
    if (is_value)
        slot.length = plan__text_length(wanted->argument);
    /* There is no min of a VARCHAR, but one of the text that it is. */
    if (wanted->kind != AGGREGATE_ANY && !(slot.length & TYPE_LENGTH_CHAR))
        slot.length = 0;
    query->aggregates[query->aggregate_count] = *wanted;
    uint32_t at = plan__add_slot(planner, query, slot);
    query->aggregate_slots[query->aggregate_count++] = at;
    return at;
}

struct expr **plan__aggregate_expr(struct aggregate *aggregate, uint32_t i)
{
    switch (i) {
    case 0:
        return &aggregate->argument;
    case 1:
        return &aggregate->separator;
    case 2:
        return &aggregate->filter;
    default:
        return i - 3 < aggregate->order_count ? &aggregate->orders[i - 3].expr : NULL;
    }
}

static status_t bind_filter(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct exprs conjuncts = {0};
    struct scope inner = *scope;
    inner.clause = "FILTER";
    status_t status = plan__bind_condition(&inner, ast, &conjuncts);
    if (!status)
        *out = plan__and(scope->planner, conjuncts.items, conjuncts.count);
    return status;
}

/* The argument that is ordered by, whatever type it has been brought to; NULL: it is none. */
static struct expr *argument_named(const struct aggregate *aggregate, const struct expr *expr)
{
    struct expr *arguments[2] = {aggregate->argument, aggregate->separator};
    for (int i = 0; i < 2 && arguments[i]; i++) {
        const struct expr *argument = arguments[i];
        const struct expr *written = argument->is_implicit ? argument->arguments[0] : argument;
        if (plan__equal(argument, expr) || plan__equal(written, expr))
            return arguments[i];
    }
    return NULL;
}

static bool is_key(const struct sort_key *keys, uint32_t count, const struct expr *expr)
{
    for (uint32_t i = 0; i < count; i++) {
        if (plan__equal(keys[i].expr, expr))
            return true;
    }
    return false;
}

/* DISTINCT: rows with the same arguments are to stand together, so all that vary are keys. */
static uint32_t add_distinct_keys(const struct aggregate *aggregate, struct sort_key *keys,
                                  uint32_t count)
{
    struct expr *arguments[2] = {aggregate->argument, aggregate->separator};
    ASSERT(aggregate->distinct && count > 0);
    for (int i = 0; i < 2; i++) {
        if (arguments[i]->kind != EXPR_CONSTANT && !is_key(keys, count, arguments[i]))
            keys[count++] = (struct sort_key){.expr = arguments[i]};
    }
    return count;
}

/* ORDER BY inside the call; kept only where the order can be seen in the result. */
static status_t bind_aggregate_orders(struct scope *scope, const struct ast_expr *ast,
                                      struct aggregate *aggregate)
{
    struct planner *planner = scope->planner;
    uint32_t count = ast->as.call.order_count;
    struct sort_key *keys = arena_zalloc(planner->arena, (count + 2) * sizeof *keys);
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_order *order = &ast->as.call.orders[i];
        keys[i].descending = order->descending;
        keys[i].nulls_first = plan__nulls_first(planner, order);
        status_t status = plan__bind_expr(scope, order->expr, &keys[i].expr);
        if (!status)
            status = plan__settle(planner, &keys[i].expr);
        if (status)
            return status;
        if (aggregate->distinct)
            keys[i].expr = argument_named(aggregate, keys[i].expr);
        if (!keys[i].expr)
            return error_sql(planner->error, "42P10", order->expr->position,
                             "in an aggregate with DISTINCT, ORDER BY expressions must appear in "
                             "argument list");
    }
    if (aggregate->kind == AGGREGATE_STRING && count > 0) {
        aggregate->orders = keys;
        aggregate->order_count =
            aggregate->distinct ? add_distinct_keys(aggregate, keys, count) : count;
    }
    return OK;
}

/* Is an expression made of grouped ones, and so the same for all rows of a group? */
static bool is_of_groups(const struct query *query, const struct expr *expr)
{
    for (uint32_t i = 0; query && i < query->groups.count; i++)
        if (plan__equal(query->groups.items[i], expr))
            return true;
    if (expr->kind == EXPR_COLUMN)
        return false;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        if (!is_of_groups(query, expr->arguments[i]))
            return false;
    return true;
}

/* f([fraction]) WITHIN GROUP (ORDER BY value). */
static status_t bind_within_group(struct scope *scope, const struct ast_expr *ast,
                                  struct aggregate *out)
{
    const struct ast_order *order = &ast->as.call.orders[0];
    status_t status = plan__bind_expr(scope, order->expr, &out->argument);
    out->descending = order->descending;
    if (!status && ast->as.call.count > 0)
        status = plan__bind_expr(scope, ast->as.call.arguments[0], &out->separator);
    if (!status && out->separator && !is_of_groups(scope->query, out->separator)) {
        status = error_sql(scope->planner->error, "42803", out->separator->position,
                           "the fraction of %s must be made of grouped columns", ast->as.call.name);
        error_detail(scope->planner->error, "Direct arguments of an ordered-set aggregate must use "
                                            "only grouped columns.");
    }
    if (!status)
        status = plan__type_aggregate(scope->planner, out, ast->as.call.name, ast->position);
    return status;
}

status_t plan__bind_aggregate_call(struct scope *scope, const struct ast_expr *ast,
                                   enum aggregate_kind kind, struct aggregate *out)
{
    struct planner *planner = scope->planner;
    status_t status = OK;
    *out = (struct aggregate){.kind = kind, .distinct = ast->as.call.distinct};
    if ((status = plan__check_aggregate(scope, ast, kind)))
        return status;
    if (ast->as.call.star) {
        out->kind = AGGREGATE_COUNT_ROWS;
        out->type = SQL_INTEGER;
    } else if (aggregate_is_ordered_set(kind)) {
        status = bind_within_group(scope, ast, out);
    } else {
        status = plan__bind_expr(scope, ast->as.call.arguments[0], &out->argument);
        if (!status)
            plan__char_to_key(planner, &out->argument);
        if (!status && ast->as.call.count > 1)
            status = plan__bind_expr(scope, ast->as.call.arguments[1], &out->separator);
        if (!status)
            status = plan__type_aggregate(planner, out, ast->as.call.name, ast->position);
        if (!status)
            status = bind_aggregate_orders(scope, ast, out);
    }
    if (!status && ast->as.call.filter)
        status = bind_filter(scope, ast->as.call.filter, &out->filter);
    return status;
}

status_t plan__bind_aggregate(struct scope *scope, const struct ast_expr *ast,
                              enum aggregate_kind kind, struct expr **out)
{
    struct planner *planner = scope->planner;
    bool found;
    status_t further = plan__bind_outer_aggregate(scope, ast, kind, &found, out);
    if (found)
        return further;
    if (scope->in_aggregate)
        return error_sql(planner->error, "42803", ast->position,
                         "aggregate function calls cannot be nested");
    if (!scope->aggregates || !scope->query)
        return error_sql(planner->error, "42803", ast->position,
                         "aggregate functions are not allowed in %s", scope->clause);
    struct aggregate aggregate;
    struct scope inner = *scope;
    inner.in_aggregate = true;
    status_t status = plan__bind_aggregate_call(&inner, ast, kind, &aggregate);
    if (!status && aggregate.argument && plan__has_outer(aggregate.argument) &&
        !plan__has_columns(aggregate.argument))
        status = error_sql(planner->error, "0A000", ast->position,
                           "an aggregate over columns of an outer query is not supported");
    if (status)
        return status;
    scope->query->aggregated = true;
    uint32_t slot = aggregate_slot(planner, scope->query, &aggregate);
    if (scope->query->aggregate_count > GROUPS_MAX)
        return error_sql(planner->error, "54011", ast->position,
                         "a query can have at most %d different aggregates", GROUPS_MAX);
    *out = plan__column(planner, scope->query, slot, ast->position);
    return OK;
}

/* ---- GROUP BY ---------------------------------------------------------------------------------
 */

static void add_group(struct planner *planner, struct query *query, struct expr *expr)
{
    for (uint32_t i = 0; i < query->groups.count; i++) {
        if (plan__equal(query->groups.items[i], expr))
            return;
    }
    struct slot slot = {.type = expr->type,
                        .length = plan__declared_length(expr),
                        .relation = NOWHERE,
                        .place = query->groups.count};
    if (expr->kind == EXPR_COLUMN) {
        slot.name = expr->name;
        slot.not_null = query->slots[expr->index].not_null;
    } else {
        struct buffer text = {0};
        expr_print(expr, &text);
        slot.name = arena_keep_text(planner->arena, &text);
    }
    plan__append(planner, &query->groups, expr);
    query->group_slots = arena_grow(planner->arena, query->group_slots, &query->group_slot_capacity,
                                    query->groups.count, sizeof *query->group_slots);
    query->group_slots[query->groups.count - 1] = plan__add_slot(planner, query, slot);
}

/* The item of the select list that a position names, or a plain name that no column of FROM has;
 * otherwise the expression itself. */
static status_t group_target(struct scope *scope, const struct ast_select *ast,
                             const struct ast_expr *group, const struct ast_expr **out)
{
    struct error *error = scope->planner->error;
    *out = group;
    if (group->kind == AST_LITERAL) {
        if (group->as.literal.null || group->as.literal.type != SQL_INTEGER)
            return error_sql(error, "42601", group->position, "non-integer constant in GROUP BY");
        int64_t place = group->as.literal.as.integer;
        if (place < 1 || place > ast->target_count || !ast->targets[place - 1].expr)
            return error_sql(error, "42P10", group->position,
                             "GROUP BY position %lld is not in select list", (long long)place);
        *out = ast->targets[place - 1].expr;
        return OK;
    }
    if (group->kind != AST_COLUMN || group->as.column.table.text)
        return OK;
    struct expr *column;
    struct error ignored;
    struct planner quiet = *scope->planner;
    quiet.error = &ignored;
    struct scope probe = *scope;
    probe.planner = &quiet;
    probe.local = true;
    status_t status = plan__bind_column(&probe, group, &column);
    for (uint32_t i = 0; status && i < ast->target_count; i++) {
        const struct ast_target *target = &ast->targets[i];
        if (target->alias.text && strcmp(target->alias.text, group->as.column.name.text) == 0) {
            *out = target->expr;
            break;
        }
    }
    return OK;
}

status_t plan__bind_groups(struct scope *scope, const struct ast_select *ast)
{
    ASSERT(!scope->aggregates);
    if (ast->group_count > GROUPS_MAX)
        return error_sql(scope->planner->error, "54011", ast->groups[GROUPS_MAX]->position,
                         "GROUP BY can have at most %d expressions", GROUPS_MAX);
    for (uint32_t i = 0; i < ast->group_count; i++) {
        const struct ast_expr *group;
        struct expr *expr;
        status_t status = group_target(scope, ast, ast->groups[i], &group);
        if (!status)
            status = plan__bind_expr(scope, group, &expr);
        if (!status)
            status = plan__settle(scope->planner, &expr);
        if (status)
            return status;
        scope->query->aggregated = true;
        add_group(scope->planner, scope->query, expr);
    }
    return OK;
}

/* ---- above the aggregation --------------------------------------------------------------------
 */

static bool is_grouped(const struct query *query, uint32_t slot)
{
    for (uint32_t i = 0; i < query->groups.count; i++) {
        const struct expr *group = query->groups.items[i];
        if (group->kind == EXPR_COLUMN && group->index == slot)
            return true;
    }
    return false;
}

/* Whether the groups hold the primary key of a slot's table. */
static bool is_determined(const struct query *query, uint32_t slot)
{
    const struct relation *relation = &query->relations[query->slots[slot].relation];
    if (!relation->table || query->groups.count == 0)
        return false;
    const struct index *key = &relation->table->indexes[0];
    for (uint32_t i = 0; i < key->column_count; i++) {
        if (!is_grouped(query, relation->slot_first + key->columns[i]))
            return false;
    }
    return key->column_count > 0;
}

static status_t lift_column(struct planner *planner, struct query *query, struct expr **expr)
{
    uint32_t slot = (*expr)->index;
    if (query->slots[slot].relation == NOWHERE)
        return OK; /* an aggregate, a window function */
    if (is_determined(query, slot)) {
        add_group(planner, query, *expr);
        *expr = plan__column(planner, query, query->group_slots[query->groups.count - 1],
                             (*expr)->position);
        return OK;
    }
    if (planner->options->sqlite) {
        struct aggregate first = {
            .kind = AGGREGATE_FIRST, .argument = *expr, .type = (*expr)->type};
        *expr =
            plan__column(planner, query, aggregate_slot(planner, query, &first), (*expr)->position);
        return OK;
    }
    const char *alias = query->relations[query->slots[slot].relation].alias;
    return error_sql(planner->error, "42803", (*expr)->position,
                     "column \"%s%s%s\" must appear in the GROUP BY clause or be used in an "
                     "aggregate function",
                     alias ? alias : "", alias ? "." : "", query->slots[slot].name);
}

/* Groups and aggregates in the place of what they compute. */
static status_t lift(struct planner *planner, struct query *query, struct expr **expr)
{
    for (uint32_t i = 0; i < query->groups.count; i++) {
        if (plan__equal(query->groups.items[i], *expr)) {
            *expr = plan__column(planner, query, query->group_slots[i], (*expr)->position);
            return OK;
        }
    }
    if ((*expr)->kind == EXPR_COLUMN)
        return lift_column(planner, query, expr);
    if ((*expr)->argument_count == 0)
        return OK;
    struct expr *copy = arena_alloc(planner->arena, sizeof *copy);
    *copy = **expr;
    size_t size = copy->argument_count * sizeof *copy->arguments;
    copy->arguments = arena_alloc(planner->arena, size);
    memcpy(copy->arguments, (*expr)->arguments, size);
    *expr = copy;
    for (uint32_t i = 0; i < copy->argument_count; i++) {
        status_t status = lift(planner, query, &copy->arguments[i]);
        if (status)
            return status;
    }
    return OK;
}

status_t plan__check_grouping(struct planner *planner, struct query *query)
{
    if (!query->aggregated)
        return OK;
    status_t status = OK;
    for (uint32_t i = 0; i < query->outputs.count && !status; i++)
        status = lift(planner, query, &query->outputs.items[i]);
    for (uint32_t i = 0; i < query->having.count && !status; i++)
        status = lift(planner, query, &query->having.items[i]);
    for (uint32_t i = 0; i < query->distinct_on.count && !status; i++)
        status = lift(planner, query, &query->distinct_on.items[i]);
    for (uint32_t w = 0; w < query->window_count && !status; w++) {
        struct expr **place;
        for (uint32_t i = 0; !status && (place = plan__window_expr(&query->windows[w], i)) != NULL;
             i++)
            status = *place ? lift(planner, query, place) : OK;
    }
    for (uint32_t i = 0; i < query->order_count && !status; i++) {
        if (query->order_outputs[i] == NOWHERE)
            status = lift(planner, query, &query->orders[i].expr);
    }
    return status;
}
