/* Views: their text parsed and bound in the place of their name. */
#include "sql/plan/plan_int.h"

void plan__note_use(struct planner *planner, uint32_t relation_id, uint32_t ordinal_end)
{
    bool direct = !planner->view;
    for (uint32_t i = 0; i < planner->use_count; i++) {
        if (planner->uses[i].relation_id == relation_id) {
            planner->uses[i].direct |= direct;
            return;
        }
    }
    planner->uses = arena_grow(planner->arena, planner->uses, &planner->use_capacity,
                               planner->use_count + 1, sizeof *planner->uses);
    planner->uses[planner->use_count++] =
        (struct plan_use){.relation_id = relation_id, .ordinal_end = ordinal_end, .direct = direct};
}

static status_t parse_view(struct planner *planner, const struct view *view,
                           const struct ast_select **out)
{
    struct parser parser;
    struct ast_statement *statement;
    status_t status = parse_begin(&parser, slice_from_string(view->sql), 0, planner->error);
    if (!status)
        status = parse_next(&parser, planner->arena, &statement, planner->error);
    if (status)
        return status;
    if (!statement || statement->kind != AST_SELECT)
        return error_set(planner->error, ERR_CORRUPT, "view \"%s\" has no query", view->name);
    *out = statement->as.select;
    return OK;
}

/* A view may have been given further columns since a view that is made of it was made. */
static status_t name_outputs(struct planner *planner, const struct view *view, struct query *query)
{
    if (query->outputs.count < view->column_count)
        return error_set(planner->error, ERR_CORRUPT, "view \"%s\" has %u columns, its query %u",
                         view->name, view->column_count, query->outputs.count);
    for (uint32_t i = 0; i < view->column_count; i++)
        query->output_names[i] = view->columns[i];
    return OK;
}

status_t plan__bind_view(struct planner *planner, const struct view *view, struct query **out)
{
    const struct view *view_around = planner->view;
    struct with *withs = planner->withs;
    struct scope *outer = planner->outer;
    const struct ast_select *ast = NULL;
    plan__note_use(planner, view->id, view->column_count);
    planner->view = view;
    planner->withs = NULL;
    planner->outer = NULL;
    planner->keep_unknown = false;
    status_t status = parse_view(planner, view, &ast);
    if (!status)
        status = plan__bind_select(planner, ast, out);
    if (!status)
        status = name_outputs(planner, view, *out);
    planner->view = view_around;
    planner->withs = withs;
    planner->outer = outer;
    if (status && planner->error) /* a position in the view's text says nothing about this one */
        planner->error->position = 0;
    return status;
}
