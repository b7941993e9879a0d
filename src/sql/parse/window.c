/* Windows: OVER behind a call, and the WINDOW clause.
 *
 *     over:    OVER name | OVER ( window )
 *     window:  [name] [PARTITION BY x, ...] [ORDER BY x, ...] [frame]
 *     frame:   { RANGE | ROWS | GROUPS } { bound | BETWEEN bound AND bound } [exclude]
 *     exclude: EXCLUDE { CURRENT ROW | GROUP | TIES | NO OTHERS }
 *     bound:   UNBOUNDED { PRECEDING | FOLLOWING } | CURRENT ROW | x { PRECEDING | FOLLOWING }
 */
#include "base/check.h"
#include "parse_int.h"

static bool frame_follows(const struct parse *parse)
{
    return parse__is_keyword(parse, KEYWORD_RANGE) || parse__is_keyword(parse, KEYWORD_ROWS) ||
           parse__is_keyword(parse, KEYWORD_GROUPS);
}

static bool parse_direction(struct parse *parse, struct ast_frame_bound *bound,
                            enum ast_frame_place preceding, enum ast_frame_place following)
{
    bool before = parse__accept_keyword(parse, KEYWORD_PRECEDING);
    bound->place = before ? preceding : following;
    return before || parse__expect_keyword(parse, KEYWORD_FOLLOWING);
}

static bool unbounded_follows(struct parse *parse)
{
    return parse__is_keyword(parse, KEYWORD_UNBOUNDED) &&
           (parse__peek_keyword(parse, KEYWORD_PRECEDING) ||
            parse__peek_keyword(parse, KEYWORD_FOLLOWING));
}

static bool parse_bound(struct parse *parse, struct ast_frame_bound *bound, uint32_t *highest)
{
    bound->position = parse->token.position;
    if (unbounded_follows(parse)) {
        parse__advance(parse);
        return parse_direction(parse, bound, AST_FRAME_FIRST, AST_FRAME_LAST);
    }
    if (parse__is_keyword(parse, KEYWORD_CURRENT) && parse__peek_keyword(parse, KEYWORD_ROW)) {
        parse__advance(parse);
        parse__advance(parse);
        bound->place = AST_FRAME_CURRENT;
        return true;
    }
    bound->offset = parse__expr(parse);
    if (!bound->offset)
        return false;
    if (bound->offset->height > *highest)
        *highest = bound->offset->height;
    return parse_direction(parse, bound, AST_FRAME_PRECEDING, AST_FRAME_FOLLOWING);
}

/* A frame that ends before it begins, whatever the offsets. */
static bool check_frame(struct parse *parse, const struct ast_window *window)
{
    const char *message = NULL;
    uint32_t position = window->start.position;
    if (window->start.place == AST_FRAME_LAST)
        message = "frame start cannot be UNBOUNDED FOLLOWING";
    else if (window->end.place == AST_FRAME_FIRST)
        message = "frame end cannot be UNBOUNDED PRECEDING";
    else if (window->start.place == AST_FRAME_CURRENT && window->end.place == AST_FRAME_PRECEDING)
        message = "frame starting from current row cannot have preceding rows";
    else if (window->start.place == AST_FRAME_FOLLOWING && window->end.place == AST_FRAME_PRECEDING)
        message = "frame starting from following row cannot have preceding rows";
    else if (window->start.place == AST_FRAME_FOLLOWING && window->end.place == AST_FRAME_CURRENT)
        message = "frame starting from following row cannot end with current row";
    return !message || parse__fail(parse, "42P20", position, "%s", message);
}

/* Behind EXCLUDE. */
static bool parse_exclude(struct parse *parse, struct ast_window *window)
{
    if (parse__accept_keyword(parse, KEYWORD_CURRENT)) {
        window->exclude = AST_EXCLUDE_CURRENT;
        return parse__expect_keyword(parse, KEYWORD_ROW);
    }
    if (parse__accept_keyword(parse, KEYWORD_GROUP)) {
        window->exclude = AST_EXCLUDE_GROUP;
        return true;
    }
    if (parse__accept_word(parse, "ties")) {
        window->exclude = AST_EXCLUDE_TIES;
        return true;
    }
    window->exclude = AST_EXCLUDE_NOTHING;
    return parse__expect_keyword(parse, KEYWORD_NO) && parse__expect_word(parse, "others");
}

static bool parse_frame(struct parse *parse, struct ast_window *window, uint32_t *highest)
{
    window->mode = parse__is_keyword(parse, KEYWORD_ROWS)     ? AST_FRAME_ROWS
                   : parse__is_keyword(parse, KEYWORD_GROUPS) ? AST_FRAME_GROUPS
                                                              : AST_FRAME_RANGE;
    window->framed = true;
    window->frame_position = parse->token.position;
    parse__advance(parse);
    bool between = parse__accept_keyword(parse, KEYWORD_BETWEEN);
    if (!parse_bound(parse, &window->start, highest))
        return false;
    if (between) {
        if (!parse__expect_keyword(parse, KEYWORD_AND) ||
            !parse_bound(parse, &window->end, highest))
            return false;
    } else {
        window->end = (struct ast_frame_bound){.place = AST_FRAME_CURRENT};
    }
    if (parse__accept_keyword(parse, KEYWORD_EXCLUDE) && !parse_exclude(parse, window))
        return false;
    return check_frame(parse, window);
}

/* The name of another window in front, unless the word begins a clause. */
static bool base_follows(struct parse *parse)
{
    if (!parse__token_is_name(&parse->token) || frame_follows(parse))
        return false;
    return !(parse__is_keyword(parse, KEYWORD_PARTITION) && parse__peek_keyword(parse, KEYWORD_BY));
}

/* ( window ); the current token is the parenthesis. */
static bool parse_window(struct parse *parse, struct ast_window *window, uint32_t *highest)
{
    struct expr_list partitions = {0};
    window->position = parse->token.position;
    if (!parse__expect(parse, TOKEN_LEFT_PAREN))
        return false;
    if (base_follows(parse) && !parse__name(parse, &window->base))
        return false;
    if (parse__accept_keyword(parse, KEYWORD_PARTITION) &&
        (!parse__expect_keyword(parse, KEYWORD_BY) || !parse__expr_list(parse, &partitions)))
        return false;
    window->partitions = partitions.items;
    window->partition_count = partitions.count;
    *highest = partitions.highest > *highest ? partitions.highest : *highest;
    if (!parse__orders(parse, &window->orders, &window->order_count, highest))
        return false;
    if (frame_follows(parse) && !parse_frame(parse, window, highest))
        return false;
    return parse__expect(parse, TOKEN_RIGHT_PAREN);
}

struct ast_expr *parse__over(struct parse *parse, struct ast_expr *call)
{
    ASSERT(call->kind == AST_CALL);
    struct ast_window *window = arena_zalloc(parse->arena, sizeof *window);
    uint32_t highest = 0;
    if (!parse__expect_keyword(parse, KEYWORD_OVER))
        return NULL;
    call->as.call.over = window;
    if (!parse__is(parse, TOKEN_LEFT_PAREN)) {
        window->position = parse->token.position;
        window->is_reference = true;
        return parse__name(parse, &window->base) ? call : NULL;
    }
    if (!parse_window(parse, window, &highest))
        return NULL;
    uint32_t below = call->height - 1;
    return parse__expr_finish(parse, call, highest > below ? highest : below);
}

bool parse__windows(struct parse *parse, struct ast_window **windows, uint32_t *count,
                    uint32_t *highest)
{
    uint32_t capacity = 0;
    if (!parse__accept_keyword(parse, KEYWORD_WINDOW))
        return !parse->failed;
    do {
        *windows = arena_grow(parse->arena, *windows, &capacity, *count + 1, sizeof **windows);
        struct ast_window *window = &(*windows)[(*count)++];
        *window = (struct ast_window){0};
        if (!parse__name(parse, &window->name) || !parse__expect_keyword(parse, KEYWORD_AS) ||
            !parse_window(parse, window, highest))
            return false;
    } while (parse__accept(parse, TOKEN_COMMA));
    return true;
}

/* ---- as text ----------------------------------------------------------------------------------
 */

static void print_bound(const struct ast_frame_bound *bound, struct buffer *out)
{
    static const char *const words[] = {
        [AST_FRAME_FIRST] = "UNBOUNDED PRECEDING", [AST_FRAME_PRECEDING] = " PRECEDING",
        [AST_FRAME_CURRENT] = "CURRENT ROW",       [AST_FRAME_FOLLOWING] = " FOLLOWING",
        [AST_FRAME_LAST] = "UNBOUNDED FOLLOWING",
    };
    if (bound->offset)
        ast_print_expr(bound->offset, out);
    buffer_append_string(out, words[bound->place]);
}

/* In parentheses. */
static void print_window(const struct ast_window *window, struct buffer *out)
{
    static const char *const modes[] = {
        [AST_FRAME_RANGE] = "RANGE", [AST_FRAME_ROWS] = "ROWS", [AST_FRAME_GROUPS] = "GROUPS"};
    static const char *const excludes[] = {[AST_EXCLUDE_NOTHING] = "",
                                           [AST_EXCLUDE_CURRENT] = " EXCLUDE CURRENT ROW",
                                           [AST_EXCLUDE_GROUP] = " EXCLUDE GROUP",
                                           [AST_EXCLUDE_TIES] = " EXCLUDE TIES"};
    const char *space = "";
    buffer_append_string(out, "(");
    if (window->base.text) {
        /* A word that begins a clause is a name only in quotes. */
        enum keyword keyword = parse__keyword_find(window->base.text);
        bool quoted = keyword == KEYWORD_PARTITION || keyword == KEYWORD_RANGE ||
                      keyword == KEYWORD_ROWS || keyword == KEYWORD_GROUPS;
        if (quoted)
            buffer_printf(out, "\"%s\"", window->base.text);
        else
            ast_print_name(window->base.text, out);
        space = " ";
    }
    for (uint32_t i = 0; i < window->partition_count; i++) {
        buffer_printf(out, "%s", i ? ", " : space);
        buffer_append_string(out, i ? "" : "PARTITION BY ");
        ast_print_expr(window->partitions[i], out);
        space = " ";
    }
    if (window->order_count > 0) {
        buffer_append_string(out, space);
        parse__print_orders(window->orders, window->order_count, "ORDER BY ", out);
        space = " ";
    }
    if (window->framed) {
        buffer_printf(out, "%s%s BETWEEN ", space, modes[window->mode]);
        print_bound(&window->start, out);
        buffer_append_string(out, " AND ");
        print_bound(&window->end, out);
        buffer_append_string(out, excludes[window->exclude]);
    }
    buffer_append_string(out, ")");
}

void parse__print_over(const struct ast_window *window, struct buffer *out)
{
    buffer_append_string(out, " OVER ");
    if (window->is_reference)
        ast_print_name(window->base.text, out);
    else
        print_window(window, out);
}

void parse__print_windows(const struct ast_window *windows, uint32_t count, struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(out, i ? ", " : " WINDOW ");
        ast_print_name(windows[i].name.text, out);
        buffer_append_string(out, " AS ");
        print_window(&windows[i], out);
    }
}
