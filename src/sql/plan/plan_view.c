/* Views, and tables that are made up: a text parsed and bound in the place of a name. */
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

/* The query of a text of ours. */
static status_t parse_query(struct planner *planner, const char *what, struct slice sql,
                            const struct ast_select **out)
{
    struct parser parser;
    struct ast_statement *statement;
    status_t status = parse_begin(&parser, sql, 0, planner->error);
    if (!status)
        status = parse_next(&parser, planner->arena, &statement, planner->error);
    if (status)
        return status;
    if (!statement || statement->kind != AST_SELECT)
        return error_set(planner->error, ERR_CORRUPT, "\"%s\" has no query", what);
    *out = statement->as.select;
    return OK;
}

/* Binds a text that sees nothing of what is around the place of its name. */
static status_t bind_text(struct planner *planner, const char *what, struct slice sql,
                          struct query **out)
{
    struct with *withs = planner->withs;
    struct scope *outer = planner->outer;
    const struct ast_select *ast = NULL;
    planner->withs = NULL;
    planner->outer = NULL;
    planner->keep_unknown = false;
    status_t status = parse_query(planner, what, sql, &ast);
    if (!status)
        status = plan__bind_select(planner, ast, out);
    planner->withs = withs;
    planner->outer = outer;
    if (status && planner->error) /* a position in that text says nothing about this one */
        planner->error->position = 0;
    return status;
}

/* A view may have been given further columns since a view that is made of it was made. That there
 * are fewer comes from the dialect sqlite, where a table goes from under its views. */
static status_t name_outputs(struct planner *planner, const struct view *view, struct query *query)
{
    if (query->outputs.count < view->column_count) {
        error_sql(planner->error, "42P17", 0,
                  "view \"%s\" has %u columns, but its query has %u now", view->name,
                  view->column_count, query->outputs.count);
        error_hint(planner->error, "Create the view again.");
        return ERR_SQL;
    }
    for (uint32_t i = 0; i < view->column_count; i++)
        query->output_names[i] = view->columns[i];
    return OK;
}

status_t plan__bind_view(struct planner *planner, const struct view *view, struct query **out)
{
    const struct view *view_around = planner->view;
    plan__note_use(planner, view->id, view->column_count);
    planner->view = view;
    status_t status = bind_text(planner, view->name, slice_from_string(view->sql), out);
    planner->view = view_around;
    return status ? status : name_outputs(planner, view, *out);
}

status_t plan__bind_internal(struct planner *planner, const struct ast_from *ast,
                             struct query **out)
{
    const struct plan_options *options = planner->options;
    struct buffer sql = {0};
    ASSERT(ast->schema.text && ast->name.text);
    status_t status = ERR_UNSUPPORTED;
    if (options->internal)
        status = options->internal(options->internal_context, ast->schema.text, ast->name.text,
                                   &sql, planner->error);
    /* What the tree has of the text lives as long as the statement. */
    struct slice text = arena_copy(planner->arena, buffer_slice(&sql));
    buffer_free(&sql);
    if (status == ERR_UNSUPPORTED) {
        error_sql(planner->error, "3F000", ast->position, "schema \"%s\" does not exist",
                  ast->schema.text);
        error_hint(planner->error, "All tables are in the schema \"public\".");
        return ERR_SQL;
    }
    if (status == ERR_NOT_FOUND)
        return error_sql(planner->error, "42P01", ast->position,
                         "relation \"%s.%s\" does not exist", ast->schema.text, ast->name.text);
    planner->is_momentary = true;
    return status ? status : bind_text(planner, ast->name.text, text, out);
}
