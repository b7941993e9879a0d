/* Statements as SQL text. Constraints of columns come out as constraints of the table, as they are
 * in the tree. */
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

static void print_where(const struct ast_expr *where, struct buffer *out)
{
    if (!where)
        return;
    buffer_append_string(out, " WHERE ");
    ast_print_expr(where, out);
}

static void print_table(const struct ast_name *table, const struct ast_name *alias,
                        struct buffer *out)
{
    ast_print_name(table->text, out);
    if (!alias->text)
        return;
    buffer_append_string(out, " AS ");
    ast_print_name(alias->text, out);
}

static void print_assignments(const struct ast_assignment *assignments, uint32_t count,
                              struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_assignment *assignment = &assignments[i];
        bool grouped = assignment->group_count > 0;
        bool is_last = assignment->group_place + 1 >= assignment->group_count;
        buffer_append_string(out, i ? ", " : " SET ");
        buffer_append_string(out, grouped && assignment->group_place == 0 ? "(" : "");
        ast_print_name(assignment->column.text, out);
        if (!is_last)
            continue;
        buffer_append_string(out, grouped ? ") = " : " = ");
        ast_print_expr(assignment->value, out);
    }
}

static void print_returning(const struct ast_target *targets, uint32_t count, struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(out, i ? ", " : " RETURNING ");
        parse__print_target(&targets[i], out);
    }
}

void ast_print_index_key(const struct ast_index_key *key, struct buffer *out)
{
    if (key->name.text) {
        ast_print_name(key->name.text, out);
        return;
    }
    /* An operator comes in parentheses already. */
    struct buffer text = {0};
    ast_print_expr(key->expr, &text);
    bool bare = key->expr->kind != AST_CALL && text.size > 0 && text.data[0] != '(';
    buffer_append_string(out, bare ? "(" : "");
    buffer_append_slice(out, buffer_slice(&text));
    buffer_append_string(out, bare ? ")" : "");
    buffer_free(&text);
}

static void print_conflict(const struct ast_insert *insert, struct buffer *out)
{
    if (insert->conflict != AST_CONFLICT_NOTHING && insert->conflict != AST_CONFLICT_UPDATE)
        return;
    buffer_append_string(out, " ON CONFLICT ");
    for (uint32_t i = 0; i < insert->conflict_key_count; i++) {
        buffer_append_string(out, i ? ", " : "(");
        ast_print_index_key(&insert->conflict_keys[i], out);
    }
    if (insert->conflict_key_count > 0) {
        buffer_append_string(out, ")");
        print_where(insert->conflict_predicate, out);
        buffer_append_string(out, " ");
    }
    if (insert->conflict_constraint.text) {
        buffer_append_string(out, "ON CONSTRAINT ");
        ast_print_name(insert->conflict_constraint.text, out);
        buffer_append_string(out, " ");
    }
    if (insert->conflict == AST_CONFLICT_NOTHING) {
        buffer_append_string(out, "DO NOTHING");
        return;
    }
    buffer_append_string(out, "DO UPDATE");
    print_assignments(insert->assignments, insert->assignment_count, out);
    print_where(insert->conflict_where, out);
}

static void print_insert(const struct ast_insert *insert, struct buffer *out)
{
    buffer_append_string(out, insert->conflict == AST_CONFLICT_REPLACE ? "INSERT OR REPLACE INTO "
                                                                       : "INSERT INTO ");
    print_table(&insert->table, &insert->alias, out);
    buffer_append_string(out, " ");
    if (insert->columns) {
        parse__print_names(insert->columns, insert->column_count, out);
        buffer_append_string(out, " ");
    }
    if (insert->overriding)
        buffer_printf(out, "OVERRIDING %s VALUE ",
                      insert->overriding == AST_OVERRIDING_SYSTEM ? "SYSTEM" : "USER");
    if (insert->source)
        parse__print_select(insert->source, out);
    else
        buffer_append_string(out, "DEFAULT VALUES");
    print_conflict(insert, out);
    print_returning(insert->returning, insert->returning_count, out);
}

static void print_update(const struct ast_update *update, struct buffer *out)
{
    buffer_append_string(out, "UPDATE ");
    print_table(&update->table, &update->alias, out);
    print_assignments(update->assignments, update->assignment_count, out);
    if (update->from) {
        buffer_append_string(out, " FROM ");
        parse__print_from(update->from, out);
    }
    print_where(update->where, out);
    print_returning(update->returning, update->returning_count, out);
}

static void print_delete(const struct ast_delete *delete, struct buffer *out)
{
    buffer_append_string(out, "DELETE FROM ");
    print_table(&delete->table, &delete->alias, out);
    if (delete->from) {
        buffer_append_string(out, " USING ");
        parse__print_from(delete->from, out);
    }
    print_where(delete->where, out);
    print_returning(delete->returning, delete->returning_count, out);
}

static void print_column(const struct ast_column_definition *column, struct buffer *out)
{
    char type[64];
    type_spec_name(column->type, type, sizeof type);
    ast_print_name(column->name.text, out);
    bool serial = column->sequence && !column->identity;
    buffer_printf(out, " %s%s",
                  !serial                         ? type
                  : column->type.length_max == 16 ? "smallserial"
                                                  : "bigserial",
                  column->not_null ? " NOT NULL" : "");
    if (column->identity) {
        buffer_printf(out, " GENERATED %s AS IDENTITY",
                      column->identity == AST_IDENTITY_ALWAYS ? "ALWAYS" : "BY DEFAULT");
        parse__print_sequence_options(column->sequence, " (", out);
    }
    if (column->default_value) {
        buffer_append_string(out, " DEFAULT ");
        ast_print_expr(column->default_value, out);
    }
}

/* With `lead` in front, but for a table without columns. */
static void print_constraint_name(const struct ast_name *name, const char *lead, struct buffer *out)
{
    buffer_append_string(out, out->data[out->size - 1] == '(' ? "" : lead);
    if (!name->text)
        return;
    buffer_append_string(out, "CONSTRAINT ");
    ast_print_name(name->text, out);
    buffer_append_string(out, " ");
}

static void print_key(const struct ast_key *key, const char *kind, const char *lead,
                      struct buffer *out)
{
    print_constraint_name(&key->constraint, lead, out);
    buffer_printf(out, "%s ", kind);
    parse__print_names(key->columns, key->column_count, out);
    if (key->included_count == 0)
        return;
    buffer_append_string(out, " INCLUDE ");
    parse__print_names(key->included, key->included_count, out);
}

static void print_foreign_key(const struct ast_foreign_key *key, const char *lead,
                              struct buffer *out)
{
    print_constraint_name(&key->constraint, lead, out);
    buffer_append_string(out, "FOREIGN KEY ");
    parse__print_names(key->columns, key->column_count, out);
    buffer_append_string(out, " REFERENCES ");
    ast_print_name(key->parent.text, out);
    if (key->parent_columns) {
        buffer_append_string(out, " ");
        parse__print_names(key->parent_columns, key->parent_column_count, out);
    }
    static const char *const actions[] = {
        [AST_KEY_NO_ACTION] = NULL,
        [AST_KEY_RESTRICT] = "RESTRICT",
        [AST_KEY_CASCADE] = "CASCADE",
        [AST_KEY_SET_NULL] = "SET NULL",
        [AST_KEY_SET_DEFAULT] = "SET DEFAULT",
    };
    if (actions[key->on_delete])
        buffer_printf(out, " ON DELETE %s", actions[key->on_delete]);
    if (actions[key->on_update])
        buffer_printf(out, " ON UPDATE %s", actions[key->on_update]);
}

static void print_check(const struct ast_check *check, const char *lead, struct buffer *out)
{
    print_constraint_name(&check->constraint, lead, out);
    buffer_append_string(out, "CHECK (");
    ast_print_expr(check->expr, out);
    buffer_append_string(out, ")");
}

static void print_constraints(const struct ast_create_table *table, const char *lead,
                              struct buffer *out)
{
    if (table->primary_key.column_count)
        print_key(&table->primary_key, "PRIMARY KEY", lead, out);
    for (uint32_t i = 0; i < table->unique_count; i++)
        print_key(&table->uniques[i], "UNIQUE", lead, out);
    for (uint32_t i = 0; i < table->foreign_key_count; i++)
        print_foreign_key(&table->foreign_keys[i], lead, out);
    for (uint32_t i = 0; i < table->check_count; i++)
        print_check(&table->checks[i], lead, out);
}

static void print_source(const struct ast_create_table *table, struct buffer *out)
{
    if (table->names) {
        buffer_append_string(out, " ");
        parse__print_names(table->names, table->name_count, out);
    }
    buffer_append_string(out, " AS ");
    parse__print_select(table->source, out);
    buffer_append_string(out, table->no_data ? " WITH NO DATA" : "");
}

static void print_create_table(const struct ast_create_table *table, struct buffer *out)
{
    buffer_printf(out, "CREATE TABLE %s", table->if_not_exists ? "IF NOT EXISTS " : "");
    ast_print_name(table->table.text, out);
    if (table->source) {
        print_source(table, out);
        return;
    }
    buffer_append_string(out, " (");
    for (uint32_t i = 0; i < table->column_count; i++) {
        buffer_append_string(out, i ? ", " : "");
        print_column(&table->columns[i], out);
    }
    print_constraints(table, ", ", out);
    buffer_append_string(out, ")");
}

static void print_identity(const struct ast_alter_action *action, struct buffer *out)
{
    const struct ast_column_definition *column = &action->column;
    bool add = action->kind == AST_ALTER_ADD_IDENTITY;
    if (action->kind == AST_ALTER_DROP_IDENTITY)
        buffer_printf(out, " DROP IDENTITY%s", action->if_exists ? " IF EXISTS" : "");
    if (column->identity)
        buffer_printf(out, "%s GENERATED %s%s", add ? " ADD" : " SET",
                      column->identity == AST_IDENTITY_ALWAYS ? "ALWAYS" : "BY DEFAULT",
                      add ? " AS IDENTITY" : "");
    if (column->sequence)
        parse__print_sequence_options(column->sequence, add ? " (" : " SET ", out);
}

static void print_action(const struct ast_alter_action *action, struct buffer *out)
{
    static const char *const words[] = {
        [AST_ALTER_ADD] = "ADD COLUMN ",
        [AST_ALTER_DROP] = "DROP COLUMN ",
        [AST_ALTER_RENAME] = "RENAME TO ",
        [AST_ALTER_RENAME_COLUMN] = "RENAME COLUMN ",
        [AST_ALTER_SET_DEFAULT] = "ALTER COLUMN ",
        [AST_ALTER_DROP_DEFAULT] = "ALTER COLUMN ",
        [AST_ALTER_SET_NOT_NULL] = "ALTER COLUMN ",
        [AST_ALTER_DROP_NOT_NULL] = "ALTER COLUMN ",
        [AST_ALTER_ADD_CONSTRAINT] = "",
        [AST_ALTER_DROP_CONSTRAINT] = "DROP CONSTRAINT ",
        [AST_ALTER_ADD_IDENTITY] = "ALTER COLUMN ",
        [AST_ALTER_SET_IDENTITY] = "ALTER COLUMN ",
        [AST_ALTER_DROP_IDENTITY] = "ALTER COLUMN ",
        [AST_ALTER_RENAME_CONSTRAINT] = "RENAME CONSTRAINT ",
    };
    buffer_append_string(out, words[action->kind]);
    if (action->if_exists && action->kind != AST_ALTER_DROP_IDENTITY)
        buffer_append_string(out, action->kind == AST_ALTER_ADD ? "IF NOT EXISTS " : "IF EXISTS ");
    if (action->name.text)
        ast_print_name(action->name.text, out);
    switch (action->kind) {
    case AST_ALTER_ADD:
        print_column(&action->column, out);
        print_constraints(action->constraints, ", ADD ", out);
        break;
    case AST_ALTER_ADD_CONSTRAINT:
        print_constraints(action->constraints, "ADD ", out);
        break;
    case AST_ALTER_RENAME_COLUMN:
    case AST_ALTER_RENAME_CONSTRAINT:
        buffer_append_string(out, " TO ");
        ast_print_name(action->to.text, out);
        break;
    case AST_ALTER_RENAME:
        ast_print_name(action->to.text, out);
        break;
    case AST_ALTER_SET_DEFAULT:
        buffer_append_string(out, " SET DEFAULT ");
        ast_print_expr(action->column.default_value, out);
        break;
    case AST_ALTER_DROP_DEFAULT:
        buffer_append_string(out, " DROP DEFAULT");
        break;
    case AST_ALTER_SET_NOT_NULL:
    case AST_ALTER_DROP_NOT_NULL:
        buffer_printf(out, " %s NOT NULL", action->kind == AST_ALTER_SET_NOT_NULL ? "SET" : "DROP");
        break;
    case AST_ALTER_ADD_IDENTITY:
    case AST_ALTER_SET_IDENTITY:
    case AST_ALTER_DROP_IDENTITY:
        print_identity(action, out);
        break;
    case AST_ALTER_DROP:
    case AST_ALTER_DROP_CONSTRAINT:
        buffer_append_string(out, action->cascade ? " CASCADE" : "");
        break;
    }
}

static void print_alter(const struct ast_alter_table *alter, struct buffer *out)
{
    buffer_printf(out, "ALTER TABLE %s", alter->if_exists ? "IF EXISTS " : "");
    ast_print_name(alter->table.text, out);
    for (uint32_t i = 0; i < alter->action_count; i++) {
        buffer_append_string(out, i ? ", " : " ");
        print_action(&alter->actions[i], out);
    }
}

static void print_create_view(const struct ast_create_view *view, struct buffer *out)
{
    buffer_printf(out, "CREATE %sVIEW %s", view->or_replace ? "OR REPLACE " : "",
                  view->if_not_exists ? "IF NOT EXISTS " : "");
    ast_print_name(view->view.text, out);
    buffer_append_string(out, " ");
    if (view->columns) {
        parse__print_names(view->columns, view->column_count, out);
        buffer_append_string(out, " ");
    }
    buffer_append_string(out, "AS ");
    parse__print_select(view->select, out);
}

static void print_drop(const struct ast_drop *drop, const char *what, struct buffer *out)
{
    buffer_printf(out, "DROP %s %s", what, drop->if_exists ? "IF EXISTS " : "");
    for (uint32_t i = 0; i < drop->count; i++) {
        buffer_append_string(out, i ? ", " : "");
        ast_print_name(drop->names[i].text, out);
    }
    buffer_append_string(out, drop->cascade ? " CASCADE" : "");
}

static void print_reindex(const struct ast_reindex *reindex, struct buffer *out)
{
    buffer_printf(out, "REINDEX %s",
                  reindex->is_index   ? "INDEX "
                  : reindex->is_table ? "TABLE "
                                      : "");
    ast_print_name(reindex->name.text, out);
}

static void print_rename(const struct ast_rename *rename, const char *what, struct buffer *out)
{
    buffer_printf(out, "ALTER %s %s", what, rename->if_exists ? "IF EXISTS " : "");
    ast_print_name(rename->name.text, out);
    buffer_append_string(out, " RENAME ");
    if (rename->column.text) {
        buffer_append_string(out, "COLUMN ");
        ast_print_name(rename->column.text, out);
        buffer_append_string(out, " ");
    }
    buffer_append_string(out, "TO ");
    ast_print_name(rename->to.text, out);
}

static void print_sequence(const struct ast_sequence *sequence, bool create, struct buffer *out)
{
    buffer_printf(out, "%s SEQUENCE ", create ? "CREATE" : "ALTER");
    if (sequence->if_exists)
        buffer_append_string(out, create ? "IF NOT EXISTS " : "IF EXISTS ");
    ast_print_name(sequence->name.text, out);
    if (sequence->to.text) {
        buffer_append_string(out, " RENAME TO ");
        ast_print_name(sequence->to.text, out);
        return;
    }
    parse__print_sequence_options(&sequence->options, " ", out);
}

static void print_truncate(const struct ast_truncate *truncate, struct buffer *out)
{
    buffer_append_string(out, "TRUNCATE TABLE ");
    for (uint32_t i = 0; i < truncate->count; i++) {
        buffer_append_string(out, i ? ", " : "");
        ast_print_name(truncate->names[i].text, out);
    }
    buffer_append_string(out, truncate->restart ? " RESTART IDENTITY" : "");
    buffer_append_string(out, truncate->cascade ? " CASCADE" : "");
}

static void print_create_index(const struct ast_create_index *create, struct buffer *out)
{
    buffer_printf(out, "CREATE %sINDEX %s", create->unique ? "UNIQUE " : "",
                  create->if_not_exists ? "IF NOT EXISTS " : "");
    if (create->index.text) {
        ast_print_name(create->index.text, out);
        buffer_append_string(out, " ");
    }
    buffer_append_string(out, "ON ");
    ast_print_name(create->table.text, out);
    uint32_t keys = create->key_count - create->included_count;
    for (uint32_t i = 0; i < create->key_count; i++) {
        buffer_append_string(out, i == 0 ? " (" : i == keys ? ") INCLUDE (" : ", ");
        ast_print_index_key(&create->keys[i], out);
        buffer_append_string(out, create->keys[i].descending ? " DESC" : "");
    }
    buffer_append_string(out, ")");
    print_where(create->where, out);
}

/* A name of two parts is one text with a dot in it. In quotes it reads back as the same, unless it
 * is too long for one identifier; then any dot will do that leaves two that are not. */
static void print_setting(const char *name, struct buffer *out)
{
    size_t size = strlen(name);
    size_t dot = 0;
    while (size > PARSE_IDENTIFIER_MAX &&
           (name[dot] != '.' || dot == 0 || size - dot - 1 > PARSE_IDENTIFIER_MAX))
        dot++;
    ASSERT(dot <= PARSE_IDENTIFIER_MAX);
    if (dot == 0) {
        ast_print_name(name, out);
        return;
    }
    char first[PARSE_IDENTIFIER_MAX + 1];
    memcpy(first, name, dot);
    first[dot] = '\0';
    ast_print_name(first, out);
    buffer_append_byte(out, '.');
    ast_print_name(name + dot + 1, out);
}

static void print_set(const struct ast_set *set, struct buffer *out)
{
    if (set->all) {
        buffer_append_string(out, "RESET ALL");
        return;
    }
    buffer_append_string(out, "SET ");
    print_setting(set->name.text, out);
    buffer_append_string(out, " = ");
    if (set->value)
        parse__print_text(set->value, out);
    else
        buffer_append_string(out, "DEFAULT");
}

static void print_show(const struct ast_show *show, struct buffer *out)
{
    static const char *const kinds[] = {
        [AST_SHOW_SETTING] = "SHOW ",
        [AST_SHOW_ALL] = "SHOW ALL",
        [AST_SHOW_TABLES] = "SHOW TABLES",
        [AST_SHOW_COLUMNS] = "SHOW COLUMNS FROM ",
        [AST_SHOW_INDEXES] = "SHOW INDEXES FROM ",
        [AST_SHOW_CREATE_TABLE] = "SHOW CREATE TABLE ",
    };
    buffer_append_string(out, kinds[show->kind]);
    if (show->kind == AST_SHOW_SETTING)
        print_setting(show->name.text, out);
    else if (show->name.text)
        ast_print_name(show->name.text, out);
}

void ast_print(const struct ast_statement *statement, struct buffer *out)
{
    switch (statement->kind) {
    case AST_SELECT:
        parse__print_select(statement->as.select, out);
        break;
    case AST_INSERT:
        print_insert(statement->as.insert, out);
        break;
    case AST_UPDATE:
        print_update(statement->as.update, out);
        break;
    case AST_DELETE:
        print_delete(statement->as.delete, out);
        break;
    case AST_CREATE_TABLE:
        print_create_table(statement->as.create_table, out);
        break;
    case AST_DROP_TABLE:
        print_drop(statement->as.drop, "TABLE", out);
        break;
    case AST_CREATE_INDEX:
        print_create_index(statement->as.create_index, out);
        break;
    case AST_DROP_INDEX:
        print_drop(statement->as.drop, "INDEX", out);
        break;
    case AST_CREATE_VIEW:
        print_create_view(statement->as.create_view, out);
        break;
    case AST_DROP_VIEW:
        print_drop(statement->as.drop, "VIEW", out);
        break;
    case AST_VACUUM:
        buffer_append_string(out, "VACUUM");
        break;
    case AST_REINDEX:
        print_reindex(statement->as.reindex, out);
        break;
    case AST_ALTER_INDEX:
    case AST_ALTER_VIEW:
        print_rename(statement->as.rename, statement->kind == AST_ALTER_VIEW ? "VIEW" : "INDEX",
                     out);
        break;
    case AST_ALTER_TABLE:
        print_alter(statement->as.alter_table, out);
        break;
    case AST_COPY:
        parse__print_copy(statement->as.copy, out);
        break;
    case AST_BEGIN:
        buffer_append_string(out, statement->as.begin->read_only ? "BEGIN READ ONLY" : "BEGIN");
        break;
    case AST_COMMIT:
        buffer_append_string(out, "COMMIT");
        break;
    case AST_ROLLBACK:
        buffer_append_string(out, "ROLLBACK");
        break;
    case AST_ANALYZE:
        buffer_append_string(out, "ANALYZE");
        if (statement->as.analyze->table.text) {
            buffer_append_byte(out, ' ');
            ast_print_name(statement->as.analyze->table.text, out);
        }
        break;
    case AST_EXPLAIN:
        if (statement->as.explain->why)
            buffer_append_string(out, statement->as.explain->analyze ? "EXPLAIN (ANALYZE, WHY) "
                                                                     : "EXPLAIN (WHY) ");
        else
            buffer_append_string(out,
                                 statement->as.explain->analyze ? "EXPLAIN ANALYZE " : "EXPLAIN ");
        ast_print(statement->as.explain->statement, out);
        break;
    case AST_SET:
        print_set(statement->as.set, out);
        break;
    case AST_SHOW:
        print_show(statement->as.show, out);
        break;
    case AST_CREATE_SEQUENCE:
    case AST_ALTER_SEQUENCE:
        print_sequence(statement->as.sequence, statement->kind == AST_CREATE_SEQUENCE, out);
        break;
    case AST_DROP_SEQUENCE:
        print_drop(statement->as.drop, "SEQUENCE", out);
        break;
    case AST_TRUNCATE:
        print_truncate(statement->as.truncate, out);
        break;
    case AST_COMMENT:
        parse__print_comment(statement->as.comment, out);
        break;
    case AST_PREPARE:
    case AST_EXECUTE:
    case AST_DEALLOCATE:
        parse__print_prepared(statement, out);
        break;
    }
}
