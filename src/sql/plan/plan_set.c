/* UNION, INTERSECT and EXCEPT: two queries with columns of the same types. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_char_int.h"

/* As PostgreSQL guesses: ten times as many rows in all, and at a time, as there are at first. */
static const double RECURSION_GROWTH = 10;

static const char *set_name(enum ast_set_kind set)
{
    return set == AST_SET_UNION ? "UNION" : set == AST_SET_INTERSECT ? "INTERSECT" : "EXCEPT";
}

status_t plan__coerce_output(struct planner *planner, struct query *query, uint32_t i,
                             enum sql_type type)
{
    ASSERT(i < query->outputs.count);
    struct expr **output = &query->outputs.items[i];
    if ((*output)->type == type)
        return OK;
    if (!plan__can_coerce((*output)->type, type)) /* where the two are compared as texts */
        return plan__type_cast(planner, *output, (struct type_spec){.kind = type},
                               (*output)->position, output);
    return plan__coerce(planner, output, type);
}

/* The type of column i; what neither side gives a type is text. */
static status_t unify_column(struct planner *planner, const struct ast_select *ast,
                             struct query *query, uint32_t i)
{
    enum sql_type a = query->inputs[0]->outputs.items[i]->type;
    enum sql_type b = query->inputs[1]->outputs.items[i]->type;
    enum sql_type type = plan__can_coerce(a, b) ? b : a;
    if (!plan__can_coerce(a, b) && !plan__can_coerce(b, a))
        return error_sql(planner->error, "42804",
                         query->inputs[1]->outputs.items[i]->position
                             ? query->inputs[1]->outputs.items[i]->position
                             : ast->right->position,
                         "%s types %s and %s cannot be matched", set_name(ast->set), type_name(a),
                         type_name(b));
    if (type == SQL_UNKNOWN)
        type = SQL_TEXT;
    struct slot slot = {
        .name = query->inputs[0]->output_names[i], .type = type, .relation = NOWHERE, .place = i};
    bool keys = ast->set != AST_SET_UNION || !ast->set_all;
    if (type == SQL_TEXT)
        slot.length = plan__char_unify_two(planner, &query->inputs[0]->outputs.items[i],
                                           &query->inputs[1]->outputs.items[i], keys);
    status_t status = plan__coerce_output(planner, query->inputs[0], i, type);
    if (!status)
        status = plan__coerce_output(planner, query->inputs[1], i, type);
    if (status)
        return status;
    uint32_t at = plan__add_slot(planner, query, slot);
    plan__add_output(planner, query, plan__column(planner, query, at, 0), slot.name);
    return OK;
}

status_t plan__unify_set(struct planner *planner, const struct ast_select *ast, struct query *query)
{
    ASSERT(query->inputs[0] && query->inputs[1]);
    uint32_t count = query->inputs[0]->outputs.count;
    if (query->inputs[1]->outputs.count != count)
        return error_sql(planner->error, "42601", ast->right->position,
                         "each %s query must have the same number of columns", set_name(ast->set));
    status_t status = OK;
    for (uint32_t i = 0; i < count && !status; i++)
        status = unify_column(planner, ast, query, i);
    return status;
}

status_t plan__bind_set(struct planner *planner, const struct ast_select *ast, struct query *query)
{
    ASSERT(ast->set != AST_SET_NONE);
    if (planner->options->sqlite)
        ast = plan__lenient_set(planner, ast);
    query->set = ast->set;
    query->set_all = ast->set_all;
    planner->keep_unknown = true;
    status_t status = plan__bind_select(planner, ast->left, &query->inputs[0]);
    planner->keep_unknown = true;
    if (!status)
        status = plan__bind_select(planner, ast->right, &query->inputs[1]);
    return status ? status : plan__unify_set(planner, ast, query);
}

status_t plan__choose_set(struct planner *planner, struct query *query, struct stage *out)
{
    struct stage sides[2];
    for (int i = 0; i < 2; i++) {
        status_t status = plan__choose_query(planner, query->inputs[i], &sides[i]);
        if (status)
            return status;
        if (i == 0 && query->recursion)
            query->recursion->rows = sides[0].rows * RECURSION_GROWTH;
    }
    uint32_t count = query->outputs.count;
    enum plan_kind kind = query->recursion                  ? PLAN_RECURSIVE
                          : query->set == AST_SET_UNION     ? PLAN_APPEND
                          : query->set == AST_SET_INTERSECT ? PLAN_INTERSECT
                                                            : PLAN_EXCEPT;
    *out = (struct stage){.cost = sides[0].cost + sides[1].cost + sides[0].rows + sides[1].rows,
                          .is_short = sides[0].is_short && sides[1].is_short};
    out->rows = query->set == AST_SET_UNION       ? sides[0].rows + sides[1].rows
                : query->set == AST_SET_INTERSECT ? fmin(sides[0].rows, sides[1].rows)
                                                  : sides[0].rows;
    out->plan = plan__operator(planner, kind, count, sides[0].plan, sides[1].plan);
    if (kind == PLAN_RECURSIVE) {
        out->rows = query->recursion->rows;
        out->is_short = false;
        out->plan->as.with.number = query->recursion->number;
        out->plan->as.with.all = query->set_all;
    } else if (kind != PLAN_APPEND) {
        out->plan->as.set.all = query->set_all;
    }
    out->slots = arena_alloc(planner->arena, (count + 1) * sizeof *out->slots);
    for (uint32_t i = 0; i < count; i++)
        out->slots[i] = i; /* the slots of the columns were the first to be made */
    plan__describe(planner, query, out);
    if (kind == PLAN_APPEND && !query->set_all)
        plan__put_over(planner, PLAN_DISTINCT, out);
    return OK;
}
