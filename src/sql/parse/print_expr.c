/* Expressions, SELECT and FROM as SQL text. Every operator stands in parentheses, so the text shows
 * how the parser understood it, and reads back as the same tree. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

const char *ast_operator_text(enum ast_operator op)
{
    static const char *const texts[AST_OP_COUNT] = {
        [AST_OP_NOT] = "NOT",
        [AST_OP_NEGATE] = "-",
        [AST_OP_PLUS] = "+",
        [AST_OP_BIT_NOT] = "~",
        [AST_OP_EQ] = "=",
        [AST_OP_NE] = "<>",
        [AST_OP_LT] = "<",
        [AST_OP_LE] = "<=",
        [AST_OP_GT] = ">",
        [AST_OP_GE] = ">=",
        [AST_OP_IS_DISTINCT] = "IS DISTINCT FROM",
        [AST_OP_IS_NOT_DISTINCT] = "IS NOT DISTINCT FROM",
        [AST_OP_ADD] = "+",
        [AST_OP_SUBTRACT] = "-",
        [AST_OP_MULTIPLY] = "*",
        [AST_OP_DIVIDE] = "/",
        [AST_OP_MODULO] = "%",
        [AST_OP_POWER] = "^",
        [AST_OP_CONCAT] = "||",
        [AST_OP_BIT_AND] = "&",
        [AST_OP_BIT_OR] = "|",
        [AST_OP_BIT_XOR] = "#",
        [AST_OP_SHIFT_LEFT] = "<<",
        [AST_OP_SHIFT_RIGHT] = ">>",
        [AST_OP_MATCH] = "~",
        [AST_OP_IMATCH] = "~*",
        [AST_OP_NOT_MATCH] = "!~",
        [AST_OP_NOT_IMATCH] = "!~*",
    };
    ASSERT(op < AST_OP_COUNT);
    return texts[op];
}

void ast_print_name(const char *name, struct buffer *out)
{
    enum keyword keyword = parse__keyword_find(name);
    bool plain = parse__keyword_class(keyword) == CLASS_UNRESERVED;
    for (const char *c = name; *c && plain; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || *c == '_' || (unsigned char)*c >= 0x80;
        bool digit = (*c >= '0' && *c <= '9') || *c == '$';
        plain = letter || (digit && c != name);
    }
    if (plain) {
        buffer_append_string(out, name);
        return;
    }
    buffer_append_byte(out, '"');
    for (const char *c = name; *c; c++) {
        if (*c == '"')
            buffer_append_byte(out, '"');
        buffer_append_byte(out, (uint8_t)*c);
    }
    buffer_append_byte(out, '"');
}

void parse__print_names(const struct ast_name *names, uint32_t count, struct buffer *out)
{
    buffer_append_string(out, "(");
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(out, i ? ", " : "");
        ast_print_name(names[i].text, out);
    }
    buffer_append_string(out, ")");
}

void parse__print_string(struct slice text, struct buffer *out)
{
    buffer_append_byte(out, '\'');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'')
            buffer_append_byte(out, '\'');
        buffer_append_byte(out, text.data[i]);
    }
    buffer_append_byte(out, '\'');
}

void parse__print_text(const char *text, struct buffer *out)
{
    parse__print_string(slice_from_string(text), out);
}

void parse__double_text(double real, char text[static PARSE__DOUBLE_SIZE])
{
    int precision = 15;
    ASSERT(isfinite(real));
    do {
        snprintf(text, PARSE__DOUBLE_SIZE, "%.*g", precision, real);
    } while (strtod(text, NULL) != real && ++precision <= 17);
}

/* With a point or an exponent, so that it does not read back as an integer. */
static void print_double(double real, struct buffer *out)
{
    char text[PARSE__DOUBLE_SIZE];
    parse__double_text(real, text);
    buffer_append_string(out, text);
    if (!strpbrk(text, ".e"))
        buffer_append_string(out, ".0");
}

static void print_literal(const struct value *value, struct buffer *out)
{
    if (value->null) {
        buffer_append_string(out, "NULL");
        return;
    }
    switch (value->type) {
    case SQL_BOOLEAN:
        buffer_append_string(out, value->as.boolean ? "TRUE" : "FALSE");
        break;
    case SQL_INTEGER:
        buffer_printf(out, "%lld", (long long)value->as.integer);
        break;
    case SQL_DOUBLE:
        print_double(value->as.real, out);
        break;
    case SQL_NUMERIC: /* with a point, so that it does not read back as an integer */
        value_format(value, out);
        if (numeric_scale(value->as.numeric) == 0)
            buffer_append_byte(out, '.');
        break;
    case SQL_BYTEA:
        buffer_append_string(out, "x'");
        bytes_to_hex(value->as.text, out);
        buffer_append_byte(out, '\'');
        break;
    default:
        ASSERT(value->type == SQL_TEXT);
        parse__print_string(value->as.text, out);
        break;
    }
}

static void print_list(struct ast_expr *const *items, uint32_t count, const char *between,
                       struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(out, i ? between : "");
        ast_print_expr(items[i], out);
    }
}

static void print_case(const struct ast_expr *expr, struct buffer *out)
{
    buffer_append_string(out, "CASE");
    if (expr->as.match.operand) {
        buffer_append_string(out, " ");
        ast_print_expr(expr->as.match.operand, out);
    }
    for (uint32_t i = 0; i < expr->as.match.count; i++) {
        buffer_append_string(out, " WHEN ");
        ast_print_expr(expr->as.match.whens[i].condition, out);
        buffer_append_string(out, " THEN ");
        ast_print_expr(expr->as.match.whens[i].result, out);
    }
    if (expr->as.match.otherwise) {
        buffer_append_string(out, " ELSE ");
        ast_print_expr(expr->as.match.otherwise, out);
    }
    buffer_append_string(out, " END");
}

/* The name of a call, quoted where its bare form has a syntax of its own. */
static void print_call_name(const struct ast_expr *expr, struct buffer *out)
{
    const char *name = expr->as.call.name;
    enum keyword keyword = parse__keyword_find(name);
    enum keyword_class class = parse__keyword_class(keyword);
    bool special = keyword == KEYWORD_COALESCE || keyword == KEYWORD_NULLIF ||
                   keyword == KEYWORD_GREATEST || keyword == KEYWORD_LEAST ||
                   keyword == KEYWORD_SUBSTRING || keyword == KEYWORD_TRIM;
    bool ordinary = expr->as.call.count && !expr->as.call.star && !expr->as.call.distinct &&
                    !expr->as.call.filter && !expr->as.call.orders && !expr->as.call.over;
    if (class == CLASS_FUNCTION || (special && ordinary))
        buffer_append_string(out, name);
    else
        ast_print_name(name, out);
}

static void print_call(const struct ast_expr *expr, struct buffer *out)
{
    const char *name = expr->as.call.name;
    bool plain = !expr->as.call.star && !expr->as.call.distinct && !expr->as.call.filter &&
                 !expr->as.call.orders;
    if (plain && expr->as.call.count == 0 && strcmp(name, "current_user") == 0) {
        buffer_append_string(out, name);
        return;
    }
    if (plain && expr->as.call.count == 2 && strcmp(name, "position") == 0) {
        buffer_append_string(out, "position(");
        print_list(expr->as.call.arguments, 2, " IN ", out);
        buffer_append_string(out, ")");
        return;
    }
    print_call_name(expr, out);
    buffer_append_string(out, expr->as.call.distinct ? "(DISTINCT " : "(");
    if (expr->as.call.star)
        buffer_append_string(out, "*");
    print_list(expr->as.call.arguments, expr->as.call.count, ", ", out);
    if (!expr->as.call.within_group)
        parse__print_orders(expr->as.call.orders, expr->as.call.order_count, " ORDER BY ", out);
    buffer_append_string(out, ")");
    if (expr->as.call.within_group) {
        buffer_append_string(out, " WITHIN GROUP (");
        parse__print_orders(expr->as.call.orders, expr->as.call.order_count, "ORDER BY ", out);
        buffer_append_string(out, ")");
    }
    if (expr->as.call.filter) {
        buffer_append_string(out, " FILTER (WHERE ");
        ast_print_expr(expr->as.call.filter, out);
        buffer_append_string(out, ")");
    }
    if (expr->as.call.over)
        parse__print_over(expr->as.call.over, out);
}

static void print_binary(const struct ast_expr *expr, struct buffer *out)
{
    const char *text = ast_operator_text(expr->as.binary.operator);
    buffer_append_string(out, "(");
    if (expr->kind == AST_UNARY) {
        buffer_printf(out, "%s (", text);
        ast_print_expr(expr->as.binary.left, out);
        buffer_append_string(out, "))");
        return;
    }
    ast_print_expr(expr->as.binary.left, out);
    buffer_printf(out, " %s ", text);
    ast_print_expr(expr->as.binary.right, out);
    buffer_append_string(out, ")");
}

static void print_is(const struct ast_expr *expr, struct buffer *out)
{
    static const char *const tests[] = {"NULL", "TRUE", "FALSE", "UNKNOWN"};
    buffer_append_string(out, "(");
    ast_print_expr(expr->as.is.operand, out);
    buffer_printf(out, " IS %s%s)", expr->as.is.negated ? "NOT " : "", tests[expr->as.is.test]);
}

static void print_like(const struct ast_expr *expr, struct buffer *out)
{
    buffer_append_string(out, "(");
    ast_print_expr(expr->as.like.operand, out);
    buffer_printf(out, " %s%s ", expr->as.like.negated ? "NOT " : "",
                  expr->as.like.similar       ? "SIMILAR TO"
                  : expr->as.like.ignore_case ? "ILIKE"
                                              : "LIKE");
    ast_print_expr(expr->as.like.pattern, out);
    if (expr->as.like.escape) {
        buffer_append_string(out, " ESCAPE ");
        ast_print_expr(expr->as.like.escape, out);
    }
    buffer_append_string(out, ")");
}

static void print_between(const struct ast_expr *expr, struct buffer *out)
{
    buffer_append_string(out, "(");
    ast_print_expr(expr->as.between.operand, out);
    buffer_printf(out, " %sBETWEEN %s", expr->as.between.negated ? "NOT " : "",
                  expr->as.between.symmetric ? "SYMMETRIC " : "");
    ast_print_expr(expr->as.between.low, out);
    buffer_append_string(out, " AND ");
    ast_print_expr(expr->as.between.high, out);
    buffer_append_string(out, ")");
}

static void print_in(const struct ast_expr *expr, struct buffer *out)
{
    buffer_append_string(out, "(");
    ast_print_expr(expr->as.in.operand, out);
    buffer_append_string(out, expr->as.in.negated ? " NOT IN (" : " IN (");
    if (expr->kind == AST_IN_SELECT)
        parse__print_select(expr->as.in.select, out);
    else
        print_list(expr->as.in.items, expr->as.in.count, ", ", out);
    buffer_append_string(out, "))");
}

static void print_quantified(const struct ast_expr *expr, struct buffer *out)
{
    buffer_append_string(out, "(");
    ast_print_expr(expr->as.quantified.operand, out);
    buffer_printf(out, " %s %s (", ast_operator_text(expr->as.quantified.operator),
                  expr->as.quantified.all ? "ALL" : "ANY");
    parse__print_select(expr->as.quantified.select, out);
    buffer_append_string(out, "))");
}

static void print_cast(const struct ast_expr *expr, struct buffer *out)
{
    char type[64];
    type_spec_name(expr->as.cast.type, type, sizeof type);
    buffer_append_string(out, "CAST(");
    ast_print_expr(expr->as.cast.operand, out);
    buffer_printf(out, " AS %s)", type);
}

static void print_column(const struct ast_expr *expr, struct buffer *out)
{
    if (expr->as.column.table.text) {
        ast_print_name(expr->as.column.table.text, out);
        buffer_append_string(out, ".");
    }
    ast_print_name(expr->as.column.name.text, out);
}

void ast_print_expr(const struct ast_expr *expr, struct buffer *out)
{
    switch (expr->kind) {
    case AST_LITERAL:
        print_literal(&expr->as.literal, out);
        break;
    case AST_PARAMETER:
        buffer_printf(out, "$%u", expr->as.parameter + 1);
        break;
    case AST_COLUMN:
        print_column(expr, out);
        break;
    case AST_UNARY:
    case AST_BINARY:
        print_binary(expr, out);
        break;
    case AST_AND:
    case AST_OR:
        buffer_append_string(out, "(");
        print_list(expr->as.list.items, expr->as.list.count,
                   expr->kind == AST_AND ? " AND " : " OR ", out);
        buffer_append_string(out, ")");
        break;
    case AST_IS:
        print_is(expr, out);
        break;
    case AST_LIKE:
        print_like(expr, out);
        break;
    case AST_BETWEEN:
        print_between(expr, out);
        break;
    case AST_IN_LIST:
    case AST_IN_SELECT:
        print_in(expr, out);
        break;
    case AST_CASE:
        print_case(expr, out);
        break;
    case AST_CAST:
        print_cast(expr, out);
        break;
    case AST_CALL:
        print_call(expr, out);
        break;
    case AST_SCALAR:
    case AST_EXISTS:
        buffer_append_string(out, expr->kind == AST_EXISTS ? "EXISTS (" : "(");
        parse__print_select(expr->as.select, out);
        buffer_append_string(out, ")");
        break;
    case AST_QUANTIFIED:
        print_quantified(expr, out);
        break;
    case AST_ROW:
        buffer_append_string(out, "ROW(");
        print_list(expr->as.list.items, expr->as.list.count, ", ", out);
        buffer_append_string(out, ")");
        break;
    case AST_DEFAULT:
        buffer_append_string(out, "DEFAULT");
        break;
    }
}

/* ---- FROM ------------------------------------------------------------------------------------ */

static void print_join(const struct ast_from *from, struct buffer *out)
{
    static const char *const kinds[] = {"JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN",
                                        "CROSS JOIN"};
    buffer_append_string(out, "(");
    parse__print_from(from->left, out);
    buffer_printf(out, " %s%s ", from->natural ? "NATURAL " : "", kinds[from->join]);
    parse__print_from(from->right, out);
    if (from->on) {
        buffer_append_string(out, " ON ");
        ast_print_expr(from->on, out);
    }
    if (from->using) {
        buffer_append_string(out, " USING ");
        parse__print_names(from->using, from->using_count, out);
    }
    buffer_append_string(out, ")");
}

void parse__print_from(const struct ast_from *from, struct buffer *out)
{
    if (from->kind == AST_FROM_JOIN) {
        print_join(from, out);
        return;
    }
    buffer_append_string(out, from->lateral ? "LATERAL " : "");
    if (from->kind == AST_FROM_FUNCTION) {
        ast_print_expr(from->call, out);
    } else if (from->kind == AST_FROM_SELECT) {
        buffer_append_string(out, "(");
        parse__print_select(from->select, out);
        buffer_append_string(out, ")");
    } else {
        if (from->schema.text) {
            ast_print_name(from->schema.text, out);
            buffer_append_string(out, ".");
        }
        ast_print_name(from->name.text, out);
    }
    if (from->alias.text) {
        buffer_append_string(out, " AS ");
        ast_print_name(from->alias.text, out);
    }
    if (from->columns) {
        buffer_append_string(out, " ");
        parse__print_names(from->columns, from->column_count, out);
    }
}

/* ---- SELECT ---------------------------------------------------------------------------------- */

void parse__print_target(const struct ast_target *target, struct buffer *out)
{
    if (target->expr) {
        ast_print_expr(target->expr, out);
    } else {
        if (target->table.text) {
            ast_print_name(target->table.text, out);
            buffer_append_string(out, ".");
        }
        buffer_append_string(out, "*");
    }
    if (target->alias.text) {
        buffer_append_string(out, " AS ");
        ast_print_name(target->alias.text, out);
    }
}

static void print_clause(const char *word, const struct ast_expr *expr, struct buffer *out)
{
    if (!expr)
        return;
    buffer_append_string(out, word);
    ast_print_expr(expr, out);
}

static void print_rows(const struct ast_select *select, struct buffer *out)
{
    buffer_append_string(out, "VALUES ");
    for (uint32_t i = 0; i < select->row_count; i++) {
        buffer_append_string(out, i ? ", (" : "(");
        print_list(select->rows + (size_t)i * select->column_count, select->column_count, ", ",
                   out);
        buffer_append_string(out, ")");
    }
}

static void print_body(const struct ast_select *select, struct buffer *out)
{
    buffer_append_string(out, select->distinct ? "SELECT DISTINCT" : "SELECT");
    if (select->distinct_on) {
        buffer_append_string(out, " DISTINCT ON (");
        print_list(select->distinct_on, select->distinct_on_count, ", ", out);
        buffer_append_string(out, ")");
    }
    for (uint32_t i = 0; i < select->target_count; i++) {
        buffer_append_string(out, i ? ", " : " ");
        parse__print_target(&select->targets[i], out);
    }
    if (select->from) {
        buffer_append_string(out, " FROM ");
        parse__print_from(select->from, out);
    }
    print_clause(" WHERE ", select->where, out);
    if (select->group_count) {
        buffer_append_string(out, " GROUP BY ");
        print_list(select->groups, select->group_count, ", ", out);
    }
    print_clause(" HAVING ", select->having, out);
    parse__print_windows(select->windows, select->window_count, out);
}

static void print_withs(const struct ast_select *select, struct buffer *out)
{
    for (uint32_t i = 0; i < select->with_count; i++) {
        const struct ast_with *with = &select->withs[i];
        buffer_append_string(out, i ? ", " : select->recursive ? "WITH RECURSIVE " : "WITH ");
        ast_print_name(with->name.text, out);
        if (with->columns) {
            buffer_append_string(out, " ");
            parse__print_names(with->columns, with->column_count, out);
        }
        static const char *const words[] = {
            [AST_MATERIALIZED_UNSAID] = " AS (",
            [AST_MATERIALIZED] = " AS MATERIALIZED (",
            [AST_NOT_MATERIALIZED] = " AS NOT MATERIALIZED (",
        };
        buffer_append_string(out, words[with->materialized]);
        parse__print_select(with->select, out);
        buffer_append_string(out, i + 1 < select->with_count ? ")" : ") ");
    }
}

static void print_set(const struct ast_select *select, struct buffer *out)
{
    static const char *const words[] = {
        [AST_SET_UNION] = "UNION", [AST_SET_INTERSECT] = "INTERSECT", [AST_SET_EXCEPT] = "EXCEPT"};
    buffer_append_string(out, "(");
    parse__print_select(select->left, out);
    buffer_printf(out, ") %s%s (", words[select->set], select->set_all ? " ALL" : "");
    parse__print_select(select->right, out);
    buffer_append_string(out, ")");
}

void parse__print_orders(const struct ast_order *orders, uint32_t count, const char *lead,
                         struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_order *order = &orders[i];
        buffer_append_string(out, i ? ", " : lead);
        ast_print_expr(order->expr, out);
        buffer_append_string(out, order->descending ? " DESC" : "");
        if (order->nulls_first != order->descending)
            buffer_append_string(out, order->nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
}

void parse__print_select(const struct ast_select *select, struct buffer *out)
{
    print_withs(select, out);
    if (select->set)
        print_set(select, out);
    else if (select->row_count)
        print_rows(select, out);
    else
        print_body(select, out);
    parse__print_orders(select->orders, select->order_count, " ORDER BY ", out);
    if (!select->with_ties)
        print_clause(" LIMIT ", select->limit, out);
    print_clause(" OFFSET ", select->offset, out);
    if (select->with_ties) {
        buffer_append_string(out, " FETCH FIRST (");
        ast_print_expr(select->limit, out);
        buffer_append_string(out, ") ROWS WITH TIES");
    }
}
