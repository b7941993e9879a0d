/* RETURNING: a select list over the rows that an INSERT, UPDATE or DELETE changes.
 *
 * Its names mean columns of the table, and with UPDATE ... FROM and DELETE ... USING those of the
 * tables joined with it. The changed rows then come out of the node as the slots of its block are:
 * the table's columns as they are now, then those of the others as they were when the row was met.
 * A slot that the list does not name stays a NULL, so that nothing has to read it. */
#include "sql/plan/plan_char_int.h"
#include "sql/plan/plan_path_int.h"

/* The columns of the rows that the node gives. */
static void describe_rows(struct planner *planner, const struct query *query, struct plan *plan)
{
    uint32_t count = query->slot_count;
    plan->column_count = count;
    plan->types = arena_alloc(planner->arena, (count + 1) * sizeof *plan->types);
    plan->names = arena_alloc(planner->arena, (count + 1) * sizeof *plan->names);
    for (uint32_t i = 0; i < count; i++) {
        plan->types[i] = query->slots[i].type;
        plan->names[i] = query->slots[i].name ? query->slots[i].name : "?column?";
    }
}

static bool is_named(const struct query *list, uint32_t slot)
{
    for (uint32_t i = 0; i < list->outputs.count; i++) {
        if (plan__mentions(list->outputs.items[i], slot))
            return true;
    }
    return false;
}

status_t plan__returning_joined(struct planner *planner, struct query *block,
                                const struct table *table, const struct ast_target *targets,
                                uint32_t count, struct query **out)
{
    ASSERT(block->relation_count > 1 && block->relations[0].table == table);
    ASSERT(block->slot_count >= table->column_count);
    *out = NULL;
    if (count == 0)
        return OK;
    struct query *list = arena_zalloc(planner->arena, sizeof *list);
    list->slots = arena_alloc(planner->arena, block->slot_count * sizeof *list->slots);
    for (uint32_t i = 0; i < block->slot_count; i++)
        list->slots[i] = block->slots[i];
    list->slot_count = list->slot_capacity = block->slot_count;
    list->relations = block->relations;
    list->relation_count = block->relation_count;
    list->from = block->from;
    struct scope scope = {
        .planner = planner, .query = list, .from = list->from, .clause = "RETURNING"};
    uint32_t nextvals = planner->nextval_count;
    status_t status = plan__bind_targets(&scope, targets, count);
    if (status)
        return status;
    plan__nextvals_are_late(planner, nextvals);
    for (uint32_t i = table->column_count; i < block->slot_count; i++) {
        struct expr *expr = is_named(list, i)
                                ? plan__column(planner, block, i, 0)
                                : plan__constant(planner, value_null(block->slots[i].type), 0);
        plan__add_output(planner, block, expr,
                         block->slots[i].name ? block->slots[i].name : "?column?");
    }
    *out = list;
    return OK;
}

status_t plan__returning(struct planner *planner, struct query *list, struct planned *out)
{
    if (!list)
        return OK;
    const uint32_t *lengths = plan__char_outputs(planner, list);
    describe_rows(planner, list, out->root);
    out->root->as.modify.returning = true;
    uint32_t outputs = list->outputs.count;
    struct plan *project = plan__operator(planner, PLAN_PROJECT, outputs, out->root, NULL);
    project->types = arena_alloc(planner->arena, (outputs + 1) * sizeof *project->types);
    project->names = list->output_names;
    project->rows_estimate = out->root->rows_estimate;
    project->as.project.exprs = list->outputs.items;
    for (uint32_t i = 0; i < outputs; i++) {
        struct expr **output = &list->outputs.items[i];
        status_t status = plan__settle(planner, output);
        if (status)
            return status;
        *output = plan__simplify(planner, *output); /* its slots are the places in the rows */
        project->types[i] = (*output)->type;
    }
    out->root = plan__char_padded(planner, lengths, project);
    out->returns_rows = true;
    return OK;
}

status_t plan__returning_table(struct planner *planner, const struct table *table,
                               const char *alias, const struct ast_target *targets, uint32_t count,
                               struct planned *out)
{
    if (count == 0)
        return OK;
    struct query *list = arena_zalloc(planner->arena, sizeof *list);
    status_t status = plan__bind_table(planner, list, table, alias, &list->from);
    if (status)
        return status;
    struct scope scope = {
        .planner = planner, .query = list, .from = list->from, .clause = "RETURNING"};
    uint32_t nextvals = planner->nextval_count;
    if ((status = plan__bind_targets(&scope, targets, count)))
        return status;
    plan__nextvals_are_late(planner, nextvals);
    ASSERT(list->slot_count >= table->column_count);
    list->slot_count = table->column_count;
    return plan__returning(planner, list, out);
}
