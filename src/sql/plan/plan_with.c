/* WITH: the queries it names.
 *
 * A query of WITH is bound where it is named and is a derived table there, open to what is around
 * it. When a second place names it and it is more than a look at one table, it is one common query
 * instead: bound, laid out and run once, closed to its surroundings, and each place reads its rows.
 * That needs a query that takes nothing from the blocks around it and nothing from a working table;
 * MATERIALIZED and NOT MATERIALIZED overrule it.
 *
 * WITH RECURSIVE. Of "first UNION [ALL] next", first is bound with the name out of sight and gives
 * the columns; then next is bound with the name standing for the working table: the rows that came
 * the last time. The name may stand only once, and in no subquery (which would be run once for all
 * times), in an order or under a limit neither. */
#include <string.h>

#include "sql/plan/plan_char_int.h"

void plan__push_withs(struct planner *planner, const struct ast_select *ast)
{
    for (uint32_t i = 0; i < ast->with_count; i++) {
        struct with *with = arena_zalloc(planner->arena, sizeof *with);
        with->ast = &ast->withs[i];
        with->next = planner->withs;
        with->outer = planner->outer;
        with->recursive = ast->recursive;
        planner->withs = with;
    }
}

static status_t name_columns(struct planner *planner, const struct ast_with *ast,
                             struct query *query)
{
    if (ast->column_count > query->outputs.count)
        return error_sql(planner->error, "42P10", ast->name.position,
                         "WITH query \"%s\" has %u columns available but %u columns specified",
                         ast->name.text, query->outputs.count, ast->column_count);
    for (uint32_t i = 0; i < ast->column_count; i++)
        query->output_names[i] = ast->columns[i].text;
    return OK;
}

/* ---- recursion ---------------------------------------------------------------------------------
 */

static status_t refuse(struct planner *planner, const struct with *with, uint32_t position,
                       const char *where)
{
    return error_sql(planner->error, "42P19", position,
                     "recursive reference to query \"%s\" must not appear %s", with->ast->name.text,
                     where);
}

/* The working table, as a block. */
static status_t bind_working(struct planner *planner, const struct with *with,
                             const struct ast_from *place, struct query **out)
{
    struct recursion *recursion = with->recursion;
    if (recursion->refusal)
        return refuse(planner, with, place->position, recursion->refusal);
    if (planner->outer != with->outer)
        return refuse(planner, with, place->position, "within a subquery");
    if (planner->in_outer_join)
        return refuse(planner, with, place->position, "within an outer join");
    if (recursion->reads++ > 0)
        return refuse(planner, with, place->position, "more than once");
    planner->working_reads++;
    struct query *query = arena_zalloc(planner->arena, sizeof *query);
    query->recursion = recursion;
    for (uint32_t i = 0; i < recursion->first->outputs.count; i++) {
        struct slot slot = {.name = recursion->first->output_names[i],
                            .type = recursion->first->outputs.items[i]->type,
                            .length = plan__text_length(recursion->first->outputs.items[i]),
                            .relation = NOWHERE,
                            .place = i};
        uint32_t at = plan__add_slot(planner, query, slot);
        plan__add_output(planner, query, plan__column(planner, query, at, 0), slot.name);
    }
    *out = query;
    return OK;
}

/* What comes out of the term that is repeated must be what went in. */
static status_t coerce_next(struct planner *planner, const struct with *with, struct query *query)
{
    struct query *first = query->inputs[0];
    struct query *next = query->inputs[1];
    for (uint32_t i = 0; i < first->outputs.count && i < next->outputs.count; i++) {
        enum sql_type type = first->outputs.items[i]->type;
        enum sql_type other = next->outputs.items[i]->type;
        uint32_t length = plan__text_length(first->outputs.items[i]);
        bool is_char = (length & TYPE_LENGTH_CHAR) != 0;
        if (plan__can_coerce(other, type) &&
            (!is_char || plan__text_length(next->outputs.items[i]) == length))
            continue;
        char declared[64];
        type_spec_name((struct type_spec){.kind = type, .length_max = is_char ? length : 0},
                       declared, sizeof declared);
        error_sql(planner->error, "42804", first->outputs.items[i]->position,
                  "recursive query \"%s\" column %u has type %s in non-recursive term but type %s "
                  "overall",
                  with->ast->name.text, i + 1, declared, is_char ? "bpchar" : type_name(other));
        error_hint(planner->error,
                   "Cast the output of the non-recursive term to the correct type.");
        return ERR_SQL;
    }
    return OK;
}

static status_t bind_union(struct planner *planner, struct with *with, struct query *query)
{
    const struct ast_select *ast = with->ast->select;
    struct recursion *recursion = with->recursion;
    query->set = ast->set;
    query->set_all = ast->set_all;
    recursion->refusal = "within its non-recursive term";
    status_t status = plan__bind_select(planner, ast->left, &query->inputs[0]);
    if (!status)
        status = name_columns(planner, with->ast, query->inputs[0]);
    if (status)
        return status;
    recursion->refusal = NULL;
    recursion->first = query->inputs[0];
    planner->keep_unknown = true;
    status = plan__bind_select(planner, ast->right, &query->inputs[1]);
    if (!status && recursion->reads > 0)
        status = coerce_next(planner, with, query);
    if (!status && recursion->reads > 0 && query->inputs[1]->aggregated)
        status = error_sql(planner->error, "42P19", ast->right->position,
                           "aggregate functions are not allowed in a recursive query's recursive "
                           "term");
    if (!status)
        status = plan__unify_set(planner, ast, query);
    if (!status && recursion->reads > 0)
        query->recursion = recursion;
    return status;
}

/* A query of WITH RECURSIVE, which may name itself. */
static status_t bind_recursive(struct planner *planner, const struct with *with, struct query **out)
{
    const struct ast_select *ast = with->ast->select;
    struct recursion *recursion = arena_zalloc(planner->arena, sizeof *recursion);
    struct with self = *with;
    self.recursion = recursion;
    recursion->name = with->ast->name.text;
    self.next = planner->withs;
    planner->withs = &self;
    bool in_outer_join = planner->in_outer_join;
    planner->in_outer_join = false;
    bool is_union =
        ast->set == AST_SET_UNION && ast->order_count == 0 && !ast->limit && !ast->offset;
    status_t status;
    if (is_union) {
        struct query *query = arena_zalloc(planner->arena, sizeof *query);
        recursion->number = planner->working_count++;
        plan__push_withs(planner, ast);
        status = bind_union(planner, &self, query);
        *out = query;
    } else {
        recursion->refusal = ast->set == AST_SET_UNION
                                 ? "under ORDER BY, LIMIT or OFFSET"
                                 : "in a query that is not \"first UNION [ALL] next\"";
        status = plan__bind_select(planner, ast, out);
    }
    planner->withs = with->next;
    planner->in_outer_join = in_outer_join;
    return status;
}

/* ---- places ------------------------------------------------------------------------------------
 */

/* Sees what was in sight at the WITH. */
static status_t bind_anew(struct planner *planner, const struct with *with, struct query **out)
{
    struct with *withs = planner->withs;
    struct scope *outer = planner->outer;
    planner->withs = with->next;
    planner->outer = with->outer;
    planner->keep_unknown = false;
    status_t status = with->recursive ? bind_recursive(planner, with, out)
                                      : plan__bind_select(planner, with->ast->select, out);
    planner->withs = withs;
    planner->outer = outer;
    return status ? status : name_columns(planner, with->ast, *out);
}

/* A look at one table, or at nothing: not worth keeping. */
static bool is_cheap(const struct query *query)
{
    bool plain = !query->set && !query->aggregated && query->window_count == 0 &&
                 !query->distinct && query->distinct_on.count == 0 && !query->limit &&
                 !query->offset && !query->recursion && !query->is_values &&
                 query->series.count == 0;
    for (uint32_t i = 0; i < query->outputs.count && plain; i++)
        plain = !query->outputs.items[i]->is_volatile;
    for (uint32_t i = 0; i < query->where.count && plain; i++)
        plain = !query->where.items[i]->is_volatile;
    if (!plain || !query->from)
        return plain;
    if (!query->from->leaf)
        return false;
    const struct relation *relation = &query->relations[query->from->relation];
    return relation->table || (is_cheap(relation->derived) && !relation->common);
}

static bool may_share(const struct with *with, const struct query *query, bool reads_working)
{
    if (reads_working || with->ast->materialized == AST_NOT_MATERIALIZED)
        return false;
    if (plan__query_has_outer(query, false))
        return false;
    return with->ast->materialized == AST_MATERIALIZED || !is_cheap(query);
}

status_t plan__bind_with(struct planner *planner, struct with *with, const struct ast_from *place,
                         struct query **out, struct common **common)
{
    ASSERT(with && place);
    *common = with->common;
    if (with->recursion)
        return bind_working(planner, with, place, out);
    if (with->common) {
        with->common->reads++;
        *out = with->common->query;
        return OK;
    }
    uint32_t reads = planner->working_reads;
    status_t status = bind_anew(planner, with, out);
    /* A recursion reads its own working table and leaves it behind. */
    uint32_t own = !status && (*out)->recursion ? 1 : 0;
    if (status || !may_share(with, *out, planner->working_reads - reads > own))
        return status;
    with->common = arena_zalloc(planner->arena, sizeof *with->common);
    *with->common = (struct common){.query = *out, .name = with->ast->name.text, .reads = 1};
    /* MATERIALIZED is kept apart even for one reader. */
    if (with->ast->materialized == AST_MATERIALIZED)
        with->common->reads++;
    *common = with->common;
    return OK;
}

/* ---- laying out --------------------------------------------------------------------------------
 */

bool plan__is_common(const struct relation *relation)
{
    return relation->common && relation->common->reads > 1;
}

/* Columns of a block that no stage below has made. */
static void put_columns(struct planner *planner, enum plan_kind kind, const char *name,
                        uint32_t number, uint32_t count, struct stage *out)
{
    out->plan = plan__operator(planner, kind, count, NULL, NULL);
    out->plan->as.with.name = name;
    out->plan->as.with.number = number;
    out->slots = arena_alloc(planner->arena, (count + 1) * sizeof *out->slots);
    for (uint32_t i = 0; i < count; i++)
        out->slots[i] = i;
    out->cost = out->rows;
}

status_t plan__choose_common(struct planner *planner, struct common *common, struct stage *out)
{
    bool first = !common->stage;
    if (first) {
        struct stage *stage = arena_zalloc(planner->arena, sizeof *stage);
        status_t status = plan__finish_query(planner, common->query, stage);
        if (status)
            return status;
        common->stage = stage;
        common->number = planner->common_count++;
    }
    const struct plan *below = common->stage->plan;
    *out = (struct stage){.rows = common->stage->rows, .is_short = common->stage->is_short};
    put_columns(planner, PLAN_COMMON, common->name, common->number, below->column_count, out);
    out->plan->as.with.plan = common->stage->plan;
    out->plan->types = below->types;
    out->plan->names = below->names;
    out->plan->rows_estimate = out->rows;
    out->cost += first ? common->stage->cost : 0;
    return OK;
}

void plan__choose_working(struct planner *planner, struct query *query, struct stage *out)
{
    ASSERT(query->recursion && !query->set);
    *out = (struct stage){.rows = query->recursion->rows};
    put_columns(planner, PLAN_WORKING, "", query->recursion->number, query->outputs.count, out);
    out->plan->as.with.name = query->recursion->name;
    plan__describe(planner, query, out);
}
