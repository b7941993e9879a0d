/* How many rows a block has, told before anything of it is laid out: whether a subquery is better
 * run for each row around or once for all is decided while the query is still being rewritten.
 *
 * Inputs are put together as they are written, by the rules that the joins themselves are estimated
 * with. A query of WITH that several places read is looked at once: queries that read each other
 * twice over would be looked at twice as often at each step. */
#include <math.h>

#include "sql/plan/plan_int.h"

static const double ROWS_GUESS = 1000;

static double relation_rows(struct planner *planner, const struct relation *relation);

static double join_selectivity(struct planner *planner, const struct query *query,
                               const struct exprs *conditions)
{
    double part = 1;
    for (uint32_t i = 0; i < conditions->count; i++) {
        if (!plan__has_subquery(conditions->items[i])) /* it is asked for what the others leave */
            part *= plan__join_selectivity(planner, query, conditions->items[i]);
    }
    return part;
}

static double from_rows(struct planner *planner, const struct query *query,
                        const struct from_node *node)
{
    if (node->leaf)
        return relation_rows(planner, &query->relations[node->relation]);
    double rows = from_rows(planner, query, node->inputs[0]);
    double selectivity = join_selectivity(planner, query, &node->on);
    for (uint32_t i = 1; i < node->input_count; i++) {
        bool last = i + 1 == node->input_count;
        double right = from_rows(planner, query, node->inputs[i]);
        rows = plan__join_rows(node->kind, rows, right, last ? selectivity : 1);
    }
    return rows;
}

double plan__block_rows(struct planner *planner, const struct query *query)
{
    if (query->set)
        return ROWS_GUESS;
    if (!query->from)
        return query->is_values ? fmax(1, query->row_count) : 1;
    return fmax(1, from_rows(planner, query, query->from) *
                       join_selectivity(planner, query, &query->where));
}

/* What comes out of a block. */
static double output_rows(struct planner *planner, const struct query *query)
{
    double rows = plan__block_rows(planner, query);
    if (query->aggregated)
        rows =
            query->groups.count == 0 ? 1 : plan__group_rows(planner, query, &query->groups, rows);
    int64_t limit;
    if (plan__known_limit(planner, query, &limit))
        rows = fmin(rows, (double)limit);
    return fmax(1, rows);
}

static double relation_rows(struct planner *planner, const struct relation *relation)
{
    if (relation->table)
        return plan__table_rows(planner, relation->table);
    if (!relation->derived)
        return ROWS_GUESS;
    if (!relation->common)
        return output_rows(planner, relation->derived);
    if (relation->common->rows == 0)
        relation->common->rows = output_rows(planner, relation->derived);
    return relation->common->rows;
}

double plan__rows_read(struct planner *planner, const struct query *query)
{
    double rows = 0;
    for (uint32_t i = 0; i < query->relation_count; i++)
        rows += relation_rows(planner, &query->relations[i]);
    return rows;
}
