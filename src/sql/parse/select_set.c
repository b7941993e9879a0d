/* Queries made of queries: WITH, UNION, INTERSECT, EXCEPT, parentheses.
 *
 *     query:    [WITH name AS (query), ...] terms [ORDER BY ...] [LIMIT ...] [OFFSET ...]
 *     terms:    factors { UNION | EXCEPT } [ALL] factors ...      leaning to the left
 *     factors:  plain INTERSECT [ALL] plain ...                   likewise, binding tighter
 *     plain:    SELECT ... | VALUES ... | ( query )
 */
#include "base/check.h"
#include "parse_int.h"

bool parse__set_follows(const struct parse *parse)
{
    return parse__is_keyword(parse, KEYWORD_UNION) || parse__is_keyword(parse, KEYWORD_INTERSECT) ||
           parse__is_keyword(parse, KEYWORD_EXCEPT);
}

static bool tail_follows(const struct parse *parse)
{
    return parse__is_keyword(parse, KEYWORD_ORDER) || parse__is_keyword(parse, KEYWORD_LIMIT) ||
           parse__is_keyword(parse, KEYWORD_OFFSET) || parse__is_keyword(parse, KEYWORD_FETCH);
}

/* SELECT * FROM (query): a query in parentheses that is given an ORDER BY of its own outside. */
static struct ast_select *wrap(struct parse *parse, struct ast_select *inner)
{
    struct ast_select *select = arena_zalloc(parse->arena, sizeof *select);
    struct ast_from *from = arena_zalloc(parse->arena, sizeof *from);
    from->kind = AST_FROM_SELECT;
    from->position = inner->position;
    from->select = inner;
    select->position = inner->position;
    select->height = inner->height + 2;
    select->from = from;
    select->targets = arena_zalloc(parse->arena, sizeof *select->targets);
    select->targets[0].position = inner->position;
    select->target_count = 1;
    return parse__check_height(parse, select->height) ? select : NULL;
}

static struct ast_select *parse_plain(struct parse *parse, bool *in_parentheses)
{
    *in_parentheses = parse__accept(parse, TOKEN_LEFT_PAREN);
    if (!*in_parentheses)
        return parse__select_plain(parse);
    struct ast_select *select = parse__select(parse);
    if (!select || !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    select->in_parentheses = true;
    return select;
}

static struct ast_select *parse_set(struct parse *parse, struct ast_select *left,
                                    enum ast_set_kind set)
{
    struct ast_select *select = arena_zalloc(parse->arena, sizeof *select);
    select->position = left->position;
    select->set = set;
    select->set_position = parse->token.position;
    select->left = left;
    parse__advance(parse);
    select->set_all = parse__accept_keyword(parse, KEYWORD_ALL);
    if (!select->set_all)
        parse__accept_keyword(parse, KEYWORD_DISTINCT);
    return select;
}

static bool finish_set(struct parse *parse, struct ast_select *select, struct ast_select *right)
{
    if (!right)
        return false;
    uint32_t left = select->left->height;
    select->right = right;
    select->height = (left > right->height ? left : right->height) + 1;
    return parse__check_height(parse, select->height);
}

/* INTERSECT and what stands to its right. */
static struct ast_select *parse_factors(struct parse *parse, struct ast_select *left)
{
    while (left && parse__is_keyword(parse, KEYWORD_INTERSECT)) {
        bool in_parentheses;
        struct ast_select *select = parse_set(parse, left, AST_SET_INTERSECT);
        left = finish_set(parse, select, parse_plain(parse, &in_parentheses)) ? select : NULL;
    }
    return left;
}

struct ast_select *parse__select_rest(struct parse *parse, struct ast_select *left,
                                      bool in_parentheses)
{
    ASSERT(left);
    const struct ast_select *first = left;
    left = parse_factors(parse, left);
    while (left && parse__set_follows(parse)) {
        bool ignored;
        struct ast_select *select = parse_set(
            parse, left, parse__is_keyword(parse, KEYWORD_UNION) ? AST_SET_UNION : AST_SET_EXCEPT);
        struct ast_select *right = parse_plain(parse, &ignored);
        right = right ? parse_factors(parse, right) : NULL;
        left = finish_set(parse, select, right) ? select : NULL;
    }
    if (left == first && in_parentheses && tail_follows(parse))
        left = wrap(parse, left);
    if (left == first && in_parentheses)
        return left;
    return left && parse__select_tail(parse, left) ? left : NULL;
}

/* ---- WITH ------------------------------------------------------------------------------------ */

static bool writes(const struct parse *parse)
{
    return parse__is_keyword(parse, KEYWORD_INSERT) || parse__is_keyword(parse, KEYWORD_UPDATE) ||
           parse__is_keyword(parse, KEYWORD_DELETE) || parse__is_keyword(parse, KEYWORD_REPLACE);
}

static bool refuse_write(struct parse *parse)
{
    parse__unsupported(parse, "a statement that writes in WITH is");
    parse__hint(parse, "Statements one by one between BEGIN and COMMIT are one transaction, too.");
    return false;
}

static bool parse_with_item(struct parse *parse, struct ast_with *with)
{
    if (!parse__name(parse, &with->name))
        return false;
    if (parse__is(parse, TOKEN_LEFT_PAREN) &&
        !parse__name_list(parse, &with->columns, &with->column_count))
        return false;
    if (!parse__expect_keyword(parse, KEYWORD_AS))
        return false;
    if (parse__accept_keyword(parse, KEYWORD_NOT)) {
        with->materialized = AST_NOT_MATERIALIZED;
        if (!parse__expect_keyword(parse, KEYWORD_MATERIALIZED))
            return false;
    } else if (parse__accept_keyword(parse, KEYWORD_MATERIALIZED)) {
        with->materialized = AST_MATERIALIZED;
    }
    if (!parse__expect(parse, TOKEN_LEFT_PAREN))
        return false;
    if (writes(parse))
        return refuse_write(parse);
    with->select = parse__select(parse);
    return with->select && parse__expect(parse, TOKEN_RIGHT_PAREN);
}

/* The items of WITH; *highest is the height of the highest. */
static bool parse_with(struct parse *parse, struct ast_with **withs, uint32_t *count,
                       bool *recursive, uint32_t *highest)
{
    uint32_t capacity = 0;
    parse__advance(parse);
    *recursive = parse__accept_keyword(parse, KEYWORD_RECURSIVE);
    do {
        *withs = arena_grow(parse->arena, *withs, &capacity, *count + 1, sizeof **withs);
        struct ast_with *with = &(*withs)[*count];
        *with = (struct ast_with){0};
        if (!parse_with_item(parse, with))
            return false;
        for (uint32_t i = 0; i < *count; i++) {
            if (slice_equal(slice_from_string((*withs)[i].name.text),
                            slice_from_string(with->name.text)))
                return parse__fail(parse, "42712", with->name.position,
                                   "WITH query name \"%s\" specified more than once",
                                   with->name.text);
        }
        ++*count;
        if (with->select->height > *highest)
            *highest = with->select->height;
    } while (parse__accept(parse, TOKEN_COMMA));
    return true;
}

/* The query behind the items of WITH, which there need not be. */
static struct ast_select *parse_query(struct parse *parse, const struct ast_select *with,
                                      uint32_t highest)
{
    bool in_parentheses;
    struct ast_select *select = parse_plain(parse, &in_parentheses);
    select = select ? parse__select_rest(parse, select, in_parentheses) : NULL;
    if (select && with->with_count > 0 && select->with_count > 0)
        select = wrap(parse, select);
    if (!select || with->with_count == 0)
        return select;
    select->position = with->position;
    select->withs = with->withs;
    select->with_count = with->with_count;
    select->recursive = with->recursive;
    select->height = (select->height > highest ? select->height : highest) + 1;
    return select;
}

/* WITH of a statement that writes stays with the statement. */
static bool parse_with_write(struct parse *parse, struct ast_select with,
                             struct ast_statement *statement)
{
    struct ast_select *kept = arena_alloc(parse->arena, sizeof *kept);
    *kept = with;
    statement->with = kept;
    return parse__statement(parse, statement);
}

static struct ast_select *select_of(struct parse *parse, struct ast_statement *statement,
                                    bool *is_write)
{
    struct ast_select with = {.position = parse->token.position};
    uint32_t highest = 0;
    if (parse__is_keyword(parse, KEYWORD_WITH) &&
        !parse_with(parse, &with.withs, &with.with_count, &with.recursive, &highest))
        return NULL;
    *is_write = statement && with.with_count > 0 && writes(parse);
    if (*is_write) {
        parse_with_write(parse, with, statement);
        return NULL;
    }
    return parse_query(parse, &with, highest);
}

static struct ast_select *enter_select(struct parse *parse, struct ast_statement *statement,
                                       bool *is_write)
{
    *is_write = false;
    struct ast_select *select = parse__enter(parse) ? select_of(parse, statement, is_write) : NULL;
    if (select && !parse__check_height(parse, select->height))
        select = NULL;
    parse__leave(parse);
    return select;
}

struct ast_select *parse__select(struct parse *parse)
{
    bool is_write;
    return enter_select(parse, NULL, &is_write);
}

bool parse__select_statement(struct parse *parse, struct ast_statement *statement)
{
    bool is_write;
    struct ast_select *select = enter_select(parse, statement, &is_write);
    if (is_write)
        return !parse->failed;
    statement->kind = AST_SELECT;
    statement->as.select = select;
    return select != NULL;
}
