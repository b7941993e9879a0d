/* Inside the parser: tokens, keywords, and the recursive-descent functions of each file.
 *
 * Parsing functions return NULL (or false) on failure; the first error is in parse->error, and the
 * current token has become TOKEN_ERROR, which nothing accepts, so that callers fail soon without
 * testing at each step. */
#ifndef SQL_PARSE_PARSE_INT_H
#define SQL_PARSE_PARSE_INT_H

#include "sql/parse/parse.h"

/* ---- keywords -------------------------------------------------------------------------------- */

/* Where a keyword may serve as a name, in PostgreSQL's four classes. */
enum keyword_class {
    CLASS_UNRESERVED, /* any name */
    CLASS_COLUMN,     /* column or table name, not a function (or only its special syntax) */
    CLASS_FUNCTION,   /* function or type name, not a column or table */
    CLASS_RESERVED,   /* only as a label after AS */
};

/* In alphabetical order: name, text, class, whether it may be a column label without AS. */
#define KEYWORDS(X)                                                                                \
    X(ABORT, "abort", UNRESERVED, true)                                                            \
    X(ACTION, "action", UNRESERVED, true)                                                          \
    X(ADD, "add", UNRESERVED, true)                                                                \
    X(ALL, "all", RESERVED, true)                                                                  \
    X(ALTER, "alter", UNRESERVED, true)                                                            \
    X(ANALYSE, "analyse", RESERVED, true)                                                          \
    X(ANALYZE, "analyze", RESERVED, true)                                                          \
    X(AND, "and", RESERVED, true)                                                                  \
    X(ANY, "any", RESERVED, true)                                                                  \
    X(ARRAY, "array", RESERVED, false)                                                             \
    X(AS, "as", RESERVED, false)                                                                   \
    X(ASC, "asc", RESERVED, true)                                                                  \
    X(ASYMMETRIC, "asymmetric", RESERVED, true)                                                    \
    X(AT, "at", UNRESERVED, true)                                                                  \
    X(BEGIN, "begin", UNRESERVED, true)                                                            \
    X(BETWEEN, "between", COLUMN, true)                                                            \
    X(BIGINT, "bigint", COLUMN, true)                                                              \
    X(BINARY, "binary", FUNCTION, true)                                                            \
    X(BOOLEAN, "boolean", COLUMN, true)                                                            \
    X(BOTH, "both", RESERVED, true)                                                                \
    X(BY, "by", UNRESERVED, true)                                                                  \
    X(CASCADE, "cascade", UNRESERVED, true)                                                        \
    X(CASE, "case", RESERVED, true)                                                                \
    X(CAST, "cast", RESERVED, true)                                                                \
    X(CHAR, "char", COLUMN, false)                                                                 \
    X(CHARACTER, "character", COLUMN, false)                                                       \
    X(CHECK, "check", RESERVED, true)                                                              \
    X(COALESCE, "coalesce", COLUMN, true)                                                          \
    X(COLLATE, "collate", RESERVED, true)                                                          \
    X(COLUMN, "column", RESERVED, true)                                                            \
    X(COLUMNS, "columns", UNRESERVED, true)                                                        \
    X(COMMENT, "comment", UNRESERVED, true)                                                        \
    X(COMMIT, "commit", UNRESERVED, true)                                                          \
    X(COMMITTED, "committed", UNRESERVED, true)                                                    \
    X(CONFLICT, "conflict", UNRESERVED, true)                                                      \
    X(CONSTRAINT, "constraint", RESERVED, true)                                                    \
    X(COPY, "copy", UNRESERVED, true)                                                              \
    X(CREATE, "create", RESERVED, false)                                                           \
    X(CROSS, "cross", FUNCTION, true)                                                              \
    X(CURRENT, "current", UNRESERVED, true)                                                        \
    X(CURRENT_CATALOG, "current_catalog", RESERVED, true)                                          \
    X(CURRENT_DATE, "current_date", RESERVED, true)                                                \
    X(CURRENT_ROLE, "current_role", RESERVED, true)                                                \
    X(CURRENT_SCHEMA, "current_schema", FUNCTION, true)                                            \
    X(CURRENT_TIME, "current_time", RESERVED, true)                                                \
    X(CURRENT_TIMESTAMP, "current_timestamp", RESERVED, true)                                      \
    X(CURRENT_USER, "current_user", RESERVED, true)                                                \
    X(DATA, "data", UNRESERVED, true)                                                              \
    X(DEALLOCATE, "deallocate", UNRESERVED, true)                                                  \
    X(DECLARE, "declare", UNRESERVED, true)                                                        \
    X(DEFAULT, "default", RESERVED, true)                                                          \
    X(DEFERRABLE, "deferrable", RESERVED, true)                                                    \
    X(DELETE, "delete", UNRESERVED, true)                                                          \
    X(DESC, "desc", RESERVED, true)                                                                \
    X(DISTINCT, "distinct", RESERVED, true)                                                        \
    X(DO, "do", RESERVED, true)                                                                    \
    X(DOUBLE, "double", UNRESERVED, true)                                                          \
    X(DROP, "drop", UNRESERVED, true)                                                              \
    X(ELSE, "else", RESERVED, true)                                                                \
    X(END, "end", RESERVED, true)                                                                  \
    X(ESCAPE, "escape", UNRESERVED, true)                                                          \
    X(EXCEPT, "except", RESERVED, false)                                                           \
    X(EXCLUDE, "exclude", UNRESERVED, true)                                                        \
    X(EXECUTE, "execute", UNRESERVED, true)                                                        \
    X(EXISTS, "exists", COLUMN, true)                                                              \
    X(EXPLAIN, "explain", UNRESERVED, true)                                                        \
    X(EXTRACT, "extract", COLUMN, true)                                                            \
    X(FALSE, "false", RESERVED, true)                                                              \
    X(FETCH, "fetch", RESERVED, false)                                                             \
    X(FILTER, "filter", UNRESERVED, false)                                                         \
    X(FIRST, "first", UNRESERVED, true)                                                            \
    X(FLOAT, "float", COLUMN, true)                                                                \
    X(FOLLOWING, "following", UNRESERVED, true)                                                    \
    X(FOR, "for", RESERVED, false)                                                                 \
    X(FOREIGN, "foreign", RESERVED, true)                                                          \
    X(FREEZE, "freeze", FUNCTION, true)                                                            \
    X(FROM, "from", RESERVED, false)                                                               \
    X(FULL, "full", FUNCTION, true)                                                                \
    X(GRANT, "grant", RESERVED, false)                                                             \
    X(GREATEST, "greatest", COLUMN, true)                                                          \
    X(GROUP, "group", RESERVED, false)                                                             \
    X(GROUPS, "groups", UNRESERVED, true)                                                          \
    X(HAVING, "having", RESERVED, false)                                                           \
    X(IF, "if", UNRESERVED, true)                                                                  \
    X(ILIKE, "ilike", FUNCTION, true)                                                              \
    X(IN, "in", RESERVED, true)                                                                    \
    X(INDEX, "index", UNRESERVED, true)                                                            \
    X(INDEXES, "indexes", UNRESERVED, true)                                                        \
    X(INITIALLY, "initially", RESERVED, true)                                                      \
    X(INNER, "inner", FUNCTION, true)                                                              \
    X(INSERT, "insert", UNRESERVED, true)                                                          \
    X(INT, "int", COLUMN, true)                                                                    \
    X(INTEGER, "integer", COLUMN, true)                                                            \
    X(INTERSECT, "intersect", RESERVED, false)                                                     \
    X(INTO, "into", RESERVED, false)                                                               \
    X(IS, "is", FUNCTION, true)                                                                    \
    X(ISNULL, "isnull", FUNCTION, false)                                                           \
    X(ISOLATION, "isolation", UNRESERVED, true)                                                    \
    X(JOIN, "join", FUNCTION, true)                                                                \
    X(KEY, "key", UNRESERVED, true)                                                                \
    X(LAST, "last", UNRESERVED, true)                                                              \
    X(LATERAL, "lateral", RESERVED, true)                                                          \
    X(LEADING, "leading", RESERVED, true)                                                          \
    X(LEAST, "least", COLUMN, true)                                                                \
    X(LEFT, "left", FUNCTION, true)                                                                \
    X(LEVEL, "level", UNRESERVED, true)                                                            \
    X(LIKE, "like", FUNCTION, true)                                                                \
    X(LIMIT, "limit", RESERVED, false)                                                             \
    X(LOCAL, "local", UNRESERVED, true)                                                            \
    X(LOCALTIME, "localtime", RESERVED, true)                                                      \
    X(LOCALTIMESTAMP, "localtimestamp", RESERVED, true)                                            \
    X(LOCK, "lock", UNRESERVED, true)                                                              \
    X(MATCH, "match", UNRESERVED, true)                                                            \
    X(MATERIALIZED, "materialized", UNRESERVED, true)                                              \
    X(MERGE, "merge", UNRESERVED, true)                                                            \
    X(NATURAL, "natural", FUNCTION, true)                                                          \
    X(NEXT, "next", UNRESERVED, true)                                                              \
    X(NO, "no", UNRESERVED, true)                                                                  \
    X(NOT, "not", RESERVED, true)                                                                  \
    X(NOTHING, "nothing", UNRESERVED, true)                                                        \
    X(NOTNULL, "notnull", FUNCTION, false)                                                         \
    X(NULL, "null", RESERVED, true)                                                                \
    X(NULLIF, "nullif", COLUMN, true)                                                              \
    X(NULLS, "nulls", UNRESERVED, true)                                                            \
    X(OFFSET, "offset", RESERVED, false)                                                           \
    X(ON, "on", RESERVED, false)                                                                   \
    X(ONLY, "only", RESERVED, true)                                                                \
    X(OR, "or", RESERVED, true)                                                                    \
    X(ORDER, "order", RESERVED, false)                                                             \
    X(OUTER, "outer", FUNCTION, true)                                                              \
    X(OVER, "over", UNRESERVED, false)                                                             \
    X(OVERLAPS, "overlaps", FUNCTION, false)                                                       \
    X(PARTITION, "partition", UNRESERVED, true)                                                    \
    X(PLACING, "placing", RESERVED, true)                                                          \
    X(POSITION, "position", COLUMN, true)                                                          \
    X(PRECEDING, "preceding", UNRESERVED, true)                                                    \
    X(PRECISION, "precision", COLUMN, false)                                                       \
    X(PREPARE, "prepare", UNRESERVED, true)                                                        \
    X(PRIMARY, "primary", RESERVED, true)                                                          \
    X(RANGE, "range", UNRESERVED, true)                                                            \
    X(READ, "read", UNRESERVED, true)                                                              \
    X(REAL, "real", COLUMN, true)                                                                  \
    X(RECURSIVE, "recursive", UNRESERVED, true)                                                    \
    X(REFERENCES, "references", RESERVED, true)                                                    \
    X(REINDEX, "reindex", UNRESERVED, true)                                                        \
    X(RELEASE, "release", UNRESERVED, true)                                                        \
    X(RENAME, "rename", UNRESERVED, true)                                                          \
    X(REPEATABLE, "repeatable", UNRESERVED, true)                                                  \
    X(REPLACE, "replace", UNRESERVED, true)                                                        \
    X(RESET, "reset", UNRESERVED, true)                                                            \
    X(RESTRICT, "restrict", UNRESERVED, true)                                                      \
    X(RETURNING, "returning", RESERVED, false)                                                     \
    X(REVOKE, "revoke", UNRESERVED, true)                                                          \
    X(RIGHT, "right", FUNCTION, true)                                                              \
    X(ROLLBACK, "rollback", UNRESERVED, true)                                                      \
    X(ROW, "row", COLUMN, true)                                                                    \
    X(ROWS, "rows", UNRESERVED, true)                                                              \
    X(SAVEPOINT, "savepoint", UNRESERVED, true)                                                    \
    X(SELECT, "select", RESERVED, true)                                                            \
    X(SERIALIZABLE, "serializable", UNRESERVED, true)                                              \
    X(SESSION, "session", UNRESERVED, true)                                                        \
    X(SESSION_USER, "session_user", RESERVED, true)                                                \
    X(SET, "set", UNRESERVED, true)                                                                \
    X(SHOW, "show", UNRESERVED, true)                                                              \
    X(SIMILAR, "similar", FUNCTION, true)                                                          \
    X(SIMPLE, "simple", UNRESERVED, true)                                                          \
    X(SMALLINT, "smallint", COLUMN, true)                                                          \
    X(SOME, "some", RESERVED, true)                                                                \
    X(START, "start", UNRESERVED, true)                                                            \
    X(SUBSTRING, "substring", COLUMN, true)                                                        \
    X(SYMMETRIC, "symmetric", RESERVED, true)                                                      \
    X(TABLE, "table", RESERVED, true)                                                              \
    X(TABLES, "tables", UNRESERVED, true)                                                          \
    X(THEN, "then", RESERVED, true)                                                                \
    X(TO, "to", RESERVED, false)                                                                   \
    X(TRAILING, "trailing", RESERVED, true)                                                        \
    X(TRANSACTION, "transaction", UNRESERVED, true)                                                \
    X(TRIM, "trim", COLUMN, true)                                                                  \
    X(TRUE, "true", RESERVED, true)                                                                \
    X(TRUNCATE, "truncate", UNRESERVED, true)                                                      \
    X(UNBOUNDED, "unbounded", UNRESERVED, true)                                                    \
    X(UNCOMMITTED, "uncommitted", UNRESERVED, true)                                                \
    X(UNION, "union", RESERVED, false)                                                             \
    X(UNIQUE, "unique", RESERVED, true)                                                            \
    X(UNKNOWN, "unknown", UNRESERVED, true)                                                        \
    X(UPDATE, "update", UNRESERVED, true)                                                          \
    X(USER, "user", RESERVED, true)                                                                \
    X(USING, "using", RESERVED, true)                                                              \
    X(VACUUM, "vacuum", UNRESERVED, true)                                                          \
    X(VALUES, "values", COLUMN, true)                                                              \
    X(VARCHAR, "varchar", COLUMN, true)                                                            \
    X(VARIADIC, "variadic", RESERVED, true)                                                        \
    X(VARYING, "varying", UNRESERVED, false)                                                       \
    X(VERBOSE, "verbose", FUNCTION, true)                                                          \
    X(VIEW, "view", UNRESERVED, true)                                                              \
    X(WHEN, "when", RESERVED, true)                                                                \
    X(WHERE, "where", RESERVED, false)                                                             \
    X(WINDOW, "window", RESERVED, false)                                                           \
    X(WITH, "with", RESERVED, false)                                                               \
    X(WORK, "work", UNRESERVED, true)                                                              \
    X(WRITE, "write", UNRESERVED, true)

#define KEYWORD_ENUM(name, text, class, label) KEYWORD_##name,
enum keyword { KEYWORD_NONE, KEYWORDS(KEYWORD_ENUM) KEYWORD_COUNT };
#undef KEYWORD_ENUM

/* KEYWORD_NONE when the (folded) word is none. */
enum keyword parse__keyword_find(const char *word);
const char *parse__keyword_text(enum keyword keyword);
enum keyword_class parse__keyword_class(enum keyword keyword);
bool parse__keyword_is_label(enum keyword keyword);
/* The nearest of the words that begin a statement, or NULL when none is near. */
const char *parse__keyword_suggest(const char *word);
/* The same of the words that stand further behind. */
const char *parse__keyword_nearest(const char *word);

/* ---- tokens ---------------------------------------------------------------------------------- */

enum token_kind {
    TOKEN_END,
    TOKEN_ERROR,     /* the lexer or the grammar has failed; nothing accepts it */
    TOKEN_WORD,      /* unquoted identifier or keyword */
    TOKEN_QUOTED,    /* "identifier" */
    TOKEN_INTEGER,   /* fits 64 bits: integer */
    TOKEN_DECIMAL,   /* any other number: number */
    TOKEN_BYTES,     /* x'...': string */
    TOKEN_STRING,    /* string */
    TOKEN_PARAMETER, /* $n: integer */
    TOKEN_LEFT_PAREN,
    TOKEN_RIGHT_PAREN,
    TOKEN_LEFT_BRACKET,
    TOKEN_RIGHT_BRACKET,
    TOKEN_COMMA,
    TOKEN_SEMICOLON,
    TOKEN_DOT,
    TOKEN_COLON,
    TOKEN_CAST, /* :: */
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_STAR,
    TOKEN_SLASH,
    TOKEN_PERCENT,
    TOKEN_CARET,
    TOKEN_CONCAT,
    TOKEN_AMPERSAND,
    TOKEN_PIPE,
    TOKEN_HASH,
    TOKEN_TILDE,
    TOKEN_SHIFT_LEFT,
    TOKEN_SHIFT_RIGHT,
    TOKEN_IMATCH,     /* ~* */
    TOKEN_NOT_MATCH,  /* !~ */
    TOKEN_NOT_IMATCH, /* !~* */
    TOKEN_OPERATOR,   /* any other operator: PostgreSQL might know it, we do not */
};

struct token {
    enum token_kind kind;
    enum keyword keyword; /* of a TOKEN_WORD, or KEYWORD_NONE */
    uint32_t position;
    size_t start; /* byte offsets in the text */
    size_t end;
    const char *name;    /* TOKEN_WORD, TOKEN_QUOTED */
    struct slice string; /* TOKEN_STRING, in the arena */
    int64_t integer;
    struct value number; /* a numeric, or a double when that is too small for it */
    bool overlong;       /* as in struct ast_expr */
};

/* The state of parsing one statement. */
struct parse {
    struct slice text;
    struct arena *arena;
    struct error *error; /* never NULL */
    bool failed;
    /* The lexer's place. */
    size_t offset;
    uint32_t position;
    struct token token; /* the current one */
    struct token ahead; /* the one behind it, when has_ahead */
    bool has_ahead;
    enum token_kind previous_kind; /* of the token before the current one */
    size_t previous_end;
    uint32_t depth;   /* how deep the recursion is */
    uint32_t deepest; /* depth + height of the highest subtree seen */
    uint32_t parameter_count;
    bool sets_sequence;
};

/* lex.c: reads the next token, TOKEN_ERROR after an error. */
void parse__lex(struct parse *parse, struct token *token);
/* lex_text.c: the token begins at parse->offset with a quote, E', or $; *handled is false when the
 * text there is not a string. */
void parse__lex_bytes(struct parse *parse, struct token *token);
void parse__lex_quoted_name(struct parse *parse, struct token *token);
void parse__lex_string(struct parse *parse, struct token *token, size_t prefix, bool escapes);
bool parse__lex_dollar_string(struct parse *parse, struct token *token);
/* Moves the lexer to a byte offset behind, counting characters. */
void parse__lex_move(struct parse *parse, size_t offset);
/* An error at the token's place naming the text from its start to `end`. */
void parse__lex_error(struct parse *parse, struct token *token, size_t end, const char *sqlstate,
                      const char *message);

/* ---- helpers (parse.c) ----------------------------------------------------------------------- */

void parse__start(struct parse *parse, struct slice text, size_t offset, uint32_t position,
                  struct arena *arena, struct error *error);
void parse__advance(struct parse *parse);
/* The token behind the current one. */
const struct token *parse__peek(struct parse *parse);
bool parse__is(const struct parse *parse, enum token_kind kind);
bool parse__is_keyword(const struct parse *parse, enum keyword keyword);
bool parse__peek_keyword(struct parse *parse, enum keyword keyword);
/* A word that is no keyword, and so may be a name elsewhere. */
bool parse__is_word(const struct parse *parse, const char *word);
bool parse__accept_word(struct parse *parse, const char *word);
bool parse__expect_word(struct parse *parse, const char *word);
/* Consumes it when it is there. */
bool parse__accept(struct parse *parse, enum token_kind kind);
bool parse__accept_keyword(struct parse *parse, enum keyword keyword);
/* Consumes it or fails with a syntax error. */
bool parse__expect(struct parse *parse, enum token_kind kind);
bool parse__expect_keyword(struct parse *parse, enum keyword keyword);
/* All fail, and return false or NULL for the caller to return. */
bool parse__syntax_error(struct parse *parse);
bool parse__fail(struct parse *parse, const char *sqlstate, uint32_t position, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));
/* 0A000 "<what> is not supported" at the current token. */
bool parse__unsupported(struct parse *parse, const char *what);
/* 0A000 with a hint when the current word begins a statement of PostgreSQL's that is not there, or
 * names what `verb` could do there (refuse.c). False: it does not. */
bool parse__refuse_statement(struct parse *parse);
bool parse__refuse_object(struct parse *parse, const char *verb);
void parse__hint(struct parse *parse, const char *hint);
/* Hints at what was meant by the token that is the syntax error just found; `previous` is the kind
 * of the one before it. */
void parse__suggest(struct parse *parse, const struct token *token, enum token_kind previous);

/* Recursion guard: false after a 54001. Each parse__enter needs its parse__leave. */
bool parse__enter(struct parse *parse);
void parse__leave(struct parse *parse);
/* Notes a tree of `height` standing at the current depth; false after a 54001. */
bool parse__check_height(struct parse *parse, uint32_t height);

/* May the token be a column or table name; a function name; a label without AS? */
bool parse__token_is_name(const struct token *token);
bool parse__token_is_function(const struct token *token);
bool parse__token_is_bare_label(const struct token *token);
/* Column or table name. */
bool parse__name(struct parse *parse, struct ast_name *out);
/* A label after AS: any word. */
bool parse__label(struct parse *parse, struct ast_name *out);
/* Table name, perhaps with the schema `public` in front. */
bool parse__table_name(struct parse *parse, struct ast_name *out);
/* "(a, b, ...)", the current token being the parenthesis. */
bool parse__name_list(struct parse *parse, struct ast_name **names, uint32_t *count);
/* (a, lower(b), ...); `ordered`: each may say ASC or DESC. */
bool parse__index_keys(struct parse *parse, bool ordered, struct ast_index_key **keys,
                       uint32_t *count);

/* ---- grammar --------------------------------------------------------------------------------- */

/* expr.c */
struct ast_expr *parse__expr(struct parse *parse);
/* Binding powers, PostgreSQL's table of precedence from loose to tight. */
enum precedence {
    PRECEDENCE_NONE,
    PRECEDENCE_OR,
    PRECEDENCE_AND,
    PRECEDENCE_NOT,
    PRECEDENCE_IS,
    PRECEDENCE_COMPARE,
    PRECEDENCE_LIKE, /* LIKE, BETWEEN, IN */
    PRECEDENCE_OTHER,
    PRECEDENCE_ADD,
    PRECEDENCE_MULTIPLY,
    PRECEDENCE_POWER,
    PRECEDENCE_AT, /* AT TIME ZONE */
    PRECEDENCE_COLLATE,
    PRECEDENCE_UNARY,
    PRECEDENCE_CAST,
};
/* An expression of operators that bind at least as tightly as `least`. */
struct ast_expr *parse__expr_at(struct parse *parse, enum precedence least);
struct ast_expr *parse__expr_new(struct parse *parse, enum ast_expr_kind kind, uint32_t position);
/* Sets the height from the highest child; NULL after a 54001. */
struct ast_expr *parse__expr_finish(struct parse *parse, struct ast_expr *expr, uint32_t highest);
struct expr_list {
    struct ast_expr **items;
    uint32_t count;
    uint32_t capacity;
    uint32_t highest; /* height of the highest item */
};
bool parse__expr_append(struct parse *parse, struct expr_list *list, struct ast_expr *item);
/* Expressions separated by commas, at least one. */
bool parse__expr_list(struct parse *parse, struct expr_list *list);

/* expr_primary.c: everything that begins with neither an operator nor a parenthesis. */
struct ast_expr *parse__primary(struct parse *parse);
/* A type as in CAST and column definitions. */
bool parse__type(struct parse *parse, struct type_spec *type, uint32_t *position);

/* expr_datetime.c. A literal behind the name of its type: DATE '2024-02-29'. */
bool parse__typed_literal_starts(struct parse *parse);
struct ast_expr *parse__typed_literal(struct parse *parse);
/* What stands in the parentheses of EXTRACT. */
bool parse__extract(struct parse *parse, struct expr_list *list);
/* CURRENT_TIMESTAMP and its like, of that type. */
struct ast_expr *parse__current(struct parse *parse, enum sql_type type);
/* The current token is AT: is it AT TIME ZONE? */
/* The current token is TOKEN_OPERATOR: before an operand, or behind `left`. NULL after an error. */
struct ast_expr *parse__prefix_operator(struct parse *parse);
struct ast_expr *parse__infix_operator(struct parse *parse, struct ast_expr *left);
/* COLLATE and a name, read past; there is one collation. */
bool parse__collate(struct parse *parse);
bool parse__at_time_zone_follows(struct parse *parse);
/* The arguments of make_interval by name: the current token is the first name. The list becomes the
 * one by position, with zeros for what was not named. */
bool parse__named_arguments_follow(struct parse *parse);
bool parse__interval_arguments(struct parse *parse, struct expr_list *list);
struct ast_expr *parse__at_time_zone(struct parse *parse, struct ast_expr *left);
/* (a, b) OVERLAPS (c, d): the first is read, the current token is the word. */
struct ast_expr *parse__overlaps(struct parse *parse, const struct ast_expr *row);

/* expr_call.c: function calls and the forms that look like them. */
struct ast_expr *parse__call(struct parse *parse);
struct ast_expr *parse__call_keyword(struct parse *parse);

/* select.c, select_set.c, from.c: the current token begins SELECT, VALUES, WITH or a parenthesis
 * around one. */
struct ast_select *parse__select(struct parse *parse);
/* Of a statement by itself, whose WITH may stand in front of one that writes. */
bool parse__select_statement(struct parse *parse, struct ast_statement *statement);
/* SELECT or VALUES without what may stand behind a set operation. */
struct ast_select *parse__select_plain(struct parse *parse);
/* Goes on behind a query that was read: set operations, ORDER BY and so on. */
struct ast_select *parse__select_rest(struct parse *parse, struct ast_select *left,
                                      bool in_parentheses);
bool parse__set_follows(const struct parse *parse);
bool parse__select_starts(const struct token *token);
/* VALUES in an INSERT may hold the word DEFAULT. */
struct ast_select *parse__values(struct parse *parse, bool defaults);
bool parse__select_tail(struct parse *parse, struct ast_select *select);
struct ast_from *parse__from(struct parse *parse);
/* [RETURNING list]. */
/* [ORDER BY x, ...]; *highest is raised to the height of the highest. */
bool parse__orders(struct parse *parse, struct ast_order **orders, uint32_t *count,
                   uint32_t *highest);
/* OVER ..., behind the call. */
struct ast_expr *parse__over(struct parse *parse, struct ast_expr *call);
/* [WINDOW name AS (...), ...]. */
bool parse__windows(struct parse *parse, struct ast_window **windows, uint32_t *count,
                    uint32_t *highest);
bool parse__returning(struct parse *parse, struct ast_target **targets, uint32_t *count);
/* [AS] alias, missing when there is none. */
bool parse__table_alias(struct parse *parse, struct ast_name *alias);

/* dml.c, ddl.c, ddl_table.c: the current token is the statement's first. */
bool parse__insert(struct parse *parse, struct ast_statement *statement);
bool parse__update(struct parse *parse, struct ast_statement *statement);
bool parse__delete(struct parse *parse, struct ast_statement *statement);
bool parse__create(struct parse *parse, struct ast_statement *statement);
bool parse__drop(struct parse *parse, struct ast_statement *statement);
/* ddl_alter.c */
bool parse__alter(struct parse *parse, struct ast_statement *statement);
/* A column as in CREATE TABLE, with its constraints. */
bool parse__column_alone(struct parse *parse, struct ast_column_definition *column,
                         const struct ast_create_table **constraints);
bool parse__starts_table_constraint(const struct parse *parse);
/* [CONSTRAINT name] PRIMARY KEY, UNIQUE, FOREIGN KEY or CHECK; `table` is only for messages. */
bool parse__constraint_alone(struct parse *parse, struct ast_name table,
                             const struct ast_create_table **constraints);
/* What stands behind the word DEFAULT, the current token. */
bool parse__default(struct parse *parse, struct ast_column_definition *column);
/* ddl_sequence.c */
bool parse__create_sequence(struct parse *parse, struct ast_statement *statement);
bool parse__alter_sequence(struct parse *parse, struct ast_statement *statement);
/* SERIAL and its like; *found is false, and nothing read, when the type is another. */
bool parse__serial(struct parse *parse, struct ast_column_definition *column, bool *found);
/* GENERATED ... AS IDENTITY; the current token is GENERATED. */
bool parse__identity(struct parse *parse, struct ast_column_definition *column);
/* Behind ALTER COLUMN name: ADD GENERATED ...; DROP IDENTITY [IF EXISTS]; { SET GENERATED ... | SET
 * option | RESTART } ... What it is of these, the current token and the next one tell. */
bool parse__starts_identity(struct parse *parse);
bool parse__alter_identity(struct parse *parse, struct ast_alter_action *action);
bool parse__prepared(struct parse *parse, struct ast_statement *statement);
void parse__print_prepared(const struct ast_statement *statement, struct buffer *out);
bool parse__comment(struct parse *parse, struct ast_statement *statement);
void parse__print_comment(const struct ast_comment *comment, struct buffer *out);
bool parse__truncate(struct parse *parse, struct ast_statement *statement);
void parse__print_sequence_options(const struct ast_sequence_options *options, const char *lead,
                                   struct buffer *out);
bool parse__reindex(struct parse *parse, struct ast_statement *statement);
/* explain.c */
bool parse__explain(struct parse *parse, struct ast_statement *statement);
bool parse__analyze(struct parse *parse, struct ast_statement *statement);
/* copy.c */
bool parse__copy(struct parse *parse, struct ast_statement *statement);
void parse__print_copy(const struct ast_copy *copy, struct buffer *out);
struct ast_create_table *parse__create_table(struct parse *parse);
/* IF NOT EXISTS, IF EXISTS. */
bool parse__if_exists(struct parse *parse, bool negated, bool *out);
/* [INCLUDE (a, b, ...)]; *count is 0 when there is none. */
bool parse__include(struct parse *parse, struct ast_name **names, uint32_t *count);
/* [CASCADE | RESTRICT] at the end of a DROP. */
bool parse__drop_behavior(struct parse *parse, bool *cascade);

/* statement.c */
bool parse__statement(struct parse *parse, struct ast_statement *statement);

/* print_expr.c */
void parse__print_select(const struct ast_select *select, struct buffer *out);
void parse__print_from(const struct ast_from *from, struct buffer *out);
void parse__print_orders(const struct ast_order *orders, uint32_t count, const char *lead,
                         struct buffer *out);
void parse__print_over(const struct ast_window *window, struct buffer *out);
void parse__print_windows(const struct ast_window *windows, uint32_t count, struct buffer *out);
void parse__print_target(const struct ast_target *target, struct buffer *out);
void parse__print_names(const struct ast_name *names, uint32_t count, struct buffer *out);
void parse__print_text(const char *text, struct buffer *out);
void parse__print_string(struct slice text, struct buffer *out);
/* The fewest digits, at least 15 if there are as many, that read back as this double; finite. */
enum { PARSE__DOUBLE_SIZE = 40 };
void parse__double_text(double real, char text[static PARSE__DOUBLE_SIZE]);

#endif
