/* The body of CREATE TABLE: columns with their constraints, and constraints of the table. Both
 * kinds of PRIMARY KEY, UNIQUE and FOREIGN KEY end in the same lists. */
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

/* What grows while the table is read. */
struct table_body {
    struct ast_create_table *table;
    uint32_t column_capacity;
    uint32_t unique_capacity;
    uint32_t foreign_key_capacity;
    uint32_t check_capacity;
};

static bool add_primary_key(struct parse *parse, struct table_body *body, const struct ast_key *key)
{
    if (body->table->primary_key.column_count)
        return parse__fail(parse, "42P16", key->position,
                           "multiple primary keys for table \"%s\" are not allowed",
                           body->table->table.text);
    ASSERT(key->column_count > 0);
    body->table->primary_key = *key;
    return true;
}

static bool add_unique(struct parse *parse, struct table_body *body, const struct ast_key *key)
{
    struct ast_create_table *table = body->table;
    ASSERT(key->column_count > 0);
    table->uniques = arena_grow(parse->arena, table->uniques, &body->unique_capacity,
                                table->unique_count + 1, sizeof *table->uniques);
    table->uniques[table->unique_count++] = *key;
    return true;
}

/* [INCLUDE (a, b, ...)] behind a key. */
static bool parse_key_include(struct parse *parse, struct ast_key *key, bool primary)
{
    uint32_t position = parse->token.position;
    if (!parse__include(parse, &key->included, &key->included_count))
        return false;
    if (!primary || key->included_count == 0)
        return true;
    parse__fail(parse, "0A000", position, "INCLUDE of a primary key is not supported");
    parse__hint(parse, "The rows are stored by their primary key, with all of their columns.");
    return false;
}

/* [CONSTRAINT name] in front of either kind. */
static bool parse_constraint_name(struct parse *parse, struct ast_name *name)
{
    *name = (struct ast_name){0};
    return !parse__accept_keyword(parse, KEYWORD_CONSTRAINT) || parse__name(parse, name);
}

/* ---- foreign keys ---------------------------------------------------------------------------- */

/* The action behind ON DELETE or ON UPDATE. */
static bool parse_action(struct parse *parse, enum ast_key_action *action)
{
    *action = AST_KEY_NO_ACTION;
    if (parse__accept_keyword(parse, KEYWORD_RESTRICT)) {
        *action = AST_KEY_RESTRICT;
        return true;
    }
    if (parse__accept_keyword(parse, KEYWORD_CASCADE)) {
        *action = AST_KEY_CASCADE;
        return true;
    }
    if (parse__accept_keyword(parse, KEYWORD_SET)) {
        bool is_null = parse__accept_keyword(parse, KEYWORD_NULL);
        *action = is_null ? AST_KEY_SET_NULL : AST_KEY_SET_DEFAULT;
        if (!is_null && !parse__expect_keyword(parse, KEYWORD_DEFAULT))
            return false;
        if (parse__is(parse, TOKEN_LEFT_PAREN))
            return parse__unsupported(parse, "SET of some of a foreign key's columns is");
        return true;
    }
    return parse__expect_keyword(parse, KEYWORD_NO) && parse__expect_keyword(parse, KEYWORD_ACTION);
}

/* The current token is REFERENCES. */
static bool parse_references(struct parse *parse, struct ast_foreign_key *key)
{
    parse__advance(parse);
    if (!parse__table_name(parse, &key->parent))
        return false;
    if (parse__is(parse, TOKEN_LEFT_PAREN) &&
        !parse__name_list(parse, &key->parent_columns, &key->parent_column_count))
        return false;
    if (parse__accept_keyword(parse, KEYWORD_MATCH)) {
        if (parse__is_keyword(parse, KEYWORD_FULL))
            return parse__unsupported(parse, "MATCH FULL is");
        if (!parse__expect_keyword(parse, KEYWORD_SIMPLE))
            return false;
    }
    while (parse__accept_keyword(parse, KEYWORD_ON)) {
        bool on_delete = parse__accept_keyword(parse, KEYWORD_DELETE);
        if (!on_delete && !parse__expect_keyword(parse, KEYWORD_UPDATE))
            return false;
        if (!parse_action(parse, on_delete ? &key->on_delete : &key->on_update))
            return false;
    }
    return true;
}

static bool refuse_deferral(struct parse *parse)
{
    parse__unsupported(parse, "a deferrable constraint is");
    parse__hint(parse, "Constraints hold at the end of each statement; rows that name each other "
                       "come by one INSERT, or by an UPDATE from NULL.");
    return false;
}

static bool add_foreign_key(struct parse *parse, struct table_body *body,
                            struct ast_foreign_key *key)
{
    struct ast_create_table *table = body->table;
    ASSERT(key->column_count > 0);
    if (!parse__is_keyword(parse, KEYWORD_REFERENCES))
        return parse__syntax_error(parse);
    if (!parse_references(parse, key))
        return false;
    if (key->parent_column_count && key->parent_column_count != key->column_count)
        return parse__fail(parse, "42830", key->position,
                           "number of referencing and referenced columns for foreign key "
                           "disagree");
    table->foreign_keys = arena_grow(parse->arena, table->foreign_keys, &body->foreign_key_capacity,
                                     table->foreign_key_count + 1, sizeof *table->foreign_keys);
    table->foreign_keys[table->foreign_key_count++] = *key;
    return true;
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* The current token is CHECK. */
static bool add_check(struct parse *parse, struct table_body *body, struct ast_name name)
{
    struct ast_create_table *table = body->table;
    struct ast_check check = {.constraint = name, .position = parse->token.position};
    parse__advance(parse);
    if (!parse__is(parse, TOKEN_LEFT_PAREN))
        return parse__syntax_error(parse);
    parse__advance(parse);
    size_t start = parse->token.start;
    check.expr = parse__expr(parse);
    if (!check.expr)
        return false;
    ASSERT(parse->previous_end > start);
    check.sql = arena_strndup(parse->arena, (const char *)parse->text.data + start,
                              parse->previous_end - start);
    if (!parse__expect(parse, TOKEN_RIGHT_PAREN))
        return false;
    if (parse->parameter_count > 0)
        return parse__fail(parse, "42P02", check.position, "a constraint cannot have parameters");
    table->checks = arena_grow(parse->arena, table->checks, &body->check_capacity,
                               table->check_count + 1, sizeof *table->checks);
    table->checks[table->check_count++] = check;
    return true;
}

/* ---- columns --------------------------------------------------------------------------------- */

bool parse__default(struct parse *parse, struct ast_column_definition *column)
{
    if (column->default_value || column->sequence)
        return parse__fail(parse, "42601", parse->token.position,
                           "multiple default values specified for column \"%s\"",
                           column->name.text);
    parse__advance(parse);
    size_t start = parse->token.start;
    /* "b_expr": without AND, OR, NOT, IS and the like, or NOT NULL behind it would be swallowed. */
    column->default_value = parse__expr_at(parse, PRECEDENCE_OTHER);
    if (!column->default_value)
        return false;
    ASSERT(parse->previous_end > start);
    column->default_sql = arena_strndup(parse->arena, (const char *)parse->text.data + start,
                                        parse->previous_end - start);
    return true;
}

static bool parse_not_null(struct parse *parse, struct ast_column_definition *column,
                           bool *null_given)
{
    bool not = parse__accept_keyword(parse, KEYWORD_NOT);
    uint32_t position = parse->token.position;
    if (!parse__expect_keyword(parse, KEYWORD_NULL))
        return false;
    if (not ? *null_given : column->not_null)
        return parse__fail(parse, "42601", position,
                           "conflicting NULL/NOT NULL declarations for column \"%s\"",
                           column->name.text);
    column->not_null |= not ;
    *null_given |= !not ;
    return true;
}

/* One constraint of a column; *found is false when there is none. */
static bool parse_column_constraint(struct parse *parse, struct table_body *body,
                                    struct ast_column_definition *column, bool *null_given,
                                    bool *found)
{
    struct ast_name name;
    struct ast_name *self = arena_alloc(parse->arena, sizeof *self);
    *self = column->name;
    *found = true;
    if (!parse_constraint_name(parse, &name))
        return false;
    uint32_t position = parse->token.position;
    if (parse__is_word(parse, "generated"))
        return parse__identity(parse, column);
    struct ast_key key = {
        .constraint = name, .position = position, .columns = self, .column_count = 1};
    switch (parse->token.kind == TOKEN_WORD ? parse->token.keyword : KEYWORD_NONE) {
    case KEYWORD_PRIMARY:
        parse__advance(parse);
        return parse__expect_keyword(parse, KEYWORD_KEY) && parse_key_include(parse, &key, true) &&
               add_primary_key(parse, body, &key);
    case KEYWORD_UNIQUE:
        parse__advance(parse);
        return parse_key_include(parse, &key, false) && add_unique(parse, body, &key);
    case KEYWORD_NOT:
    case KEYWORD_NULL:
        return parse_not_null(parse, column, null_given);
    case KEYWORD_DEFAULT:
        return parse__default(parse, column);
    case KEYWORD_REFERENCES: {
        struct ast_foreign_key foreign = {
            .constraint = name, .position = position, .columns = self, .column_count = 1};
        return add_foreign_key(parse, body, &foreign);
    }
    case KEYWORD_CHECK:
        return add_check(parse, body, name);
    case KEYWORD_COLLATE:
        return parse__collate(parse);
    case KEYWORD_DEFERRABLE:
    case KEYWORD_INITIALLY:
        return refuse_deferral(parse);
    default:
        *found = false;
        return !name.text || parse__syntax_error(parse);
    }
}

static bool parse_column(struct parse *parse, struct table_body *body)
{
    struct ast_create_table *table = body->table;
    struct ast_column_definition column = {0};
    bool null_given = false;
    bool found = true;
    bool serial = false;
    if (!parse__name(parse, &column.name) || !parse__serial(parse, &column, &serial) ||
        (!serial && !parse__type(parse, &column.type, &column.type_position)))
        return false;
    while (found)
        if (!parse_column_constraint(parse, body, &column, &null_given, &found))
            return false;
    if (null_given && column.sequence)
        return parse__fail(parse, "42601", column.name.position,
                           "conflicting NULL/NOT NULL declarations for column \"%s\"",
                           column.name.text);
    table->columns = arena_grow(parse->arena, table->columns, &body->column_capacity,
                                table->column_count + 1, sizeof *table->columns);
    table->columns[table->column_count++] = column;
    return true;
}

bool parse__column_alone(struct parse *parse, struct ast_column_definition *column,
                         const struct ast_create_table **constraints)
{
    struct ast_create_table *table = arena_zalloc(parse->arena, sizeof *table);
    struct table_body body = {.table = table};
    *constraints = table;
    if (!parse_column(parse, &body))
        return false;
    *column = table->columns[0];
    return true;
}

/* ---- constraints of the table ---------------------------------------------------------------- */

bool parse__starts_table_constraint(const struct parse *parse)
{
    return parse__is_keyword(parse, KEYWORD_CONSTRAINT) ||
           parse__is_keyword(parse, KEYWORD_PRIMARY) || parse__is_keyword(parse, KEYWORD_UNIQUE) ||
           parse__is_keyword(parse, KEYWORD_FOREIGN) || parse__is_keyword(parse, KEYWORD_CHECK);
}

static bool parse_constraint_kind(struct parse *parse, struct table_body *body)
{
    struct ast_key key = {0};
    if (!parse_constraint_name(parse, &key.constraint))
        return false;
    key.position = parse->token.position;
    if (parse__is_keyword(parse, KEYWORD_CHECK))
        return add_check(parse, body, key.constraint);
    if (parse__accept_keyword(parse, KEYWORD_PRIMARY))
        return parse__expect_keyword(parse, KEYWORD_KEY) &&
               parse__name_list(parse, &key.columns, &key.column_count) &&
               parse_key_include(parse, &key, true) && add_primary_key(parse, body, &key);
    if (parse__accept_keyword(parse, KEYWORD_UNIQUE))
        return parse__name_list(parse, &key.columns, &key.column_count) &&
               parse_key_include(parse, &key, false) && add_unique(parse, body, &key);
    struct ast_foreign_key foreign = {.constraint = key.constraint, .position = key.position};
    return parse__expect_keyword(parse, KEYWORD_FOREIGN) &&
           parse__expect_keyword(parse, KEYWORD_KEY) &&
           parse__name_list(parse, &foreign.columns, &foreign.column_count) &&
           add_foreign_key(parse, body, &foreign);
}

static bool parse_table_constraint(struct parse *parse, struct table_body *body)
{
    if (!parse_constraint_kind(parse, body))
        return false;
    if (parse__is_keyword(parse, KEYWORD_DEFERRABLE) || parse__is_keyword(parse, KEYWORD_INITIALLY))
        return refuse_deferral(parse);
    if (parse__is_keyword(parse, KEYWORD_NOT)) {
        parse__unsupported(parse, "NOT VALID is");
        parse__hint(parse, "A constraint that is added holds for all rows: correct them first.");
        return false;
    }
    return true;
}

bool parse__constraint_alone(struct parse *parse, struct ast_name name,
                             const struct ast_create_table **constraints)
{
    struct ast_create_table *table = arena_zalloc(parse->arena, sizeof *table);
    struct table_body body = {.table = table};
    table->table = name;
    *constraints = table;
    return parse_table_constraint(parse, &body);
}

static bool parse_body(struct parse *parse, struct table_body *body)
{
    if (!parse__expect(parse, TOKEN_LEFT_PAREN))
        return false;
    if (parse__accept(parse, TOKEN_RIGHT_PAREN))
        return true;
    do {
        if (parse__is_keyword(parse, KEYWORD_LIKE)) {
            parse__unsupported(parse, "LIKE in CREATE TABLE is");
            parse__hint(parse, "SHOW CREATE TABLE table shows what to write for another like it.");
            return false;
        }
        bool good = parse__starts_table_constraint(parse) ? parse_table_constraint(parse, body)
                                                          : parse_column(parse, body);
        if (!good)
            return false;
    } while (parse__accept(parse, TOKEN_COMMA));
    return parse__expect(parse, TOKEN_RIGHT_PAREN);
}

/* [(a, b, ...)] AS of CREATE TABLE ... AS; false, with nothing read, when it is none. */
static bool parse_as(struct parse *parse, struct ast_create_table *table)
{
    struct parse saved = *parse;
    if (parse__is(parse, TOKEN_LEFT_PAREN)) {
        parse__advance(parse);
        bool names =
            parse__token_is_name(&parse->token) && (parse__peek(parse)->kind == TOKEN_COMMA ||
                                                    parse__peek(parse)->kind == TOKEN_RIGHT_PAREN);
        *parse = saved;
        if (!names || !parse__name_list(parse, &table->names, &table->name_count))
            return false;
    }
    if (parse__accept_keyword(parse, KEYWORD_AS))
        return true;
    if (!parse->failed) {
        *parse = saved;
        table->names = NULL;
        table->name_count = 0;
    }
    return false;
}

/* The query, and WITH [NO] DATA. */
static bool parse_source(struct parse *parse, struct ast_create_table *table)
{
    table->source = parse__select(parse);
    if (!table->source)
        return false;
    if (!parse__accept_keyword(parse, KEYWORD_WITH))
        return !parse->failed;
    table->no_data = parse__accept_keyword(parse, KEYWORD_NO);
    return parse__expect_keyword(parse, KEYWORD_DATA);
}

/* The current token is TABLE. */
struct ast_create_table *parse__create_table(struct parse *parse)
{
    struct ast_create_table *table = arena_zalloc(parse->arena, sizeof *table);
    struct table_body body = {.table = table};
    parse__advance(parse);
    if (!parse__if_exists(parse, true, &table->if_not_exists) ||
        !parse__table_name(parse, &table->table))
        return NULL;
    if (parse_as(parse, table))
        return parse_source(parse, table) ? table : NULL;
    if (parse->failed || !parse_body(parse, &body))
        return NULL;
    if (parse__is_keyword(parse, KEYWORD_AS) || parse__is_keyword(parse, KEYWORD_WITH)) {
        parse__unsupported(parse, "this option of CREATE TABLE is");
        return NULL;
    }
    return parse->failed ? NULL : table;
}
