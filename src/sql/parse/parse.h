/* The parser: SQL text to a syntax tree, one statement at a time.
 *
 * The dialect is PostgreSQL's. The tree says what was written and nothing more: names are not
 * looked up, types not inferred. Only shapes that mean exactly the same are folded: the special
 * call syntaxes (SUBSTRING ... FROM), a sign in front of a number, AND and OR chains.
 *
 * Everything lives in the arena given, the text need not outlive it (but for ast_statement.text).
 * Nodes are plain structs tagged by `kind`; pointers marked "or NULL" are optional, all others are
 * there. Strings are NUL-terminated valid UTF-8. Positions are 1-based characters in the text given
 * to parse_begin (the whole of it, as a client sees it).
 *
 * Errors: 42601 syntax error (at or near "x", at end of input), 0A000 for what PostgreSQL has and
 * toyDB has not, 22021 invalid UTF-8 or a NUL character, 42622 identifier too long, 42704 unknown
 * type, 54000 text too long, 54001 nested too deeply. */
#ifndef SQL_PARSE_PARSE_H
#define SQL_PARSE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "sql/types/types.h"

enum {
    PARSE_TEXT_MAX = 1 << 20,    /* bytes of one text unless said otherwise */
    PARSE_DEPTH_MAX = 500,       /* height of the whole tree: later passes may recurse over it */
    PARSE_PARAMETER_MAX = 65535, /* $1 to this */
    PARSE_IDENTIFIER_MAX = 63,   /* bytes */
};

/* An identifier: folded to lower case unless it was quoted. text is NULL where an optional name is
 * missing. */
struct ast_name {
    const char *text;
    uint32_t position;
    bool quoted;
};

struct ast_select;
struct ast_order;
struct ast_window;

/* ---- expressions ----------------------------------------------------------------------------- */

enum ast_expr_kind {
    AST_LITERAL,    /* as.literal: number, text, TRUE, FALSE, NULL (of type SQL_UNKNOWN). A quoted
                       string is SQL_TEXT; whoever compares it with another type may read it as that */
    AST_PARAMETER,  /* as.parameter: 0 for $1 */
    AST_COLUMN,     /* as.column */
    AST_UNARY,      /* as.binary.operator, .left */
    AST_BINARY,     /* as.binary */
    AST_AND,        /* as.list: two or more, in the order written */
    AST_OR,         /* as.list */
    AST_IS,         /* as.is: left IS [NOT] NULL, TRUE, FALSE, UNKNOWN */
    AST_LIKE,       /* as.like */
    AST_BETWEEN,    /* as.between */
    AST_IN_LIST,    /* as.in: operand [NOT] IN (items...), none in a list that is empty */
    AST_IN_SELECT,  /* as.in: operand [NOT] IN (select) */
    AST_CASE,       /* as.match */
    AST_CAST,       /* as.cast: CAST(operand AS type), operand::type */
    AST_CALL,       /* as.call */
    AST_SCALAR,     /* as.select: (SELECT ...) as a value */
    AST_QUANTIFIED, /* as.quantified: operand <operator> ANY or ALL (select) */
    AST_EXISTS,     /* as.select */
    AST_ROW,        /* as.list: (a, b), ROW(a, b); only what compares rows takes it */
    AST_DEFAULT,    /* the word DEFAULT; only directly in VALUES of INSERT and in SET of UPDATE */
};

enum ast_operator {
    /* unary */
    AST_OP_NOT,
    AST_OP_NEGATE,
    AST_OP_PLUS,
    AST_OP_BIT_NOT,
    /* binary */
    AST_OP_EQ,
    AST_OP_NE,
    AST_OP_LT,
    AST_OP_LE,
    AST_OP_GT,
    AST_OP_GE,
    AST_OP_IS_DISTINCT,
    AST_OP_IS_NOT_DISTINCT,
    AST_OP_ADD,
    AST_OP_SUBTRACT,
    AST_OP_MULTIPLY,
    AST_OP_DIVIDE,
    AST_OP_MODULO,
    AST_OP_POWER,
    AST_OP_CONCAT,
    AST_OP_BIT_AND,
    AST_OP_BIT_OR,
    AST_OP_BIT_XOR, /* # */
    AST_OP_SHIFT_LEFT,
    AST_OP_SHIFT_RIGHT,
    AST_OP_MATCH,  /* ~ */
    AST_OP_IMATCH, /* ~* */
    AST_OP_NOT_MATCH,
    AST_OP_NOT_IMATCH,
    AST_OP_COUNT
};

enum ast_is { AST_IS_NULL, AST_IS_TRUE, AST_IS_FALSE, AST_IS_UNKNOWN };

struct ast_when {
    struct ast_expr *condition; /* with an operand: what it is compared with */
    struct ast_expr *result;
};

struct ast_expr {
    enum ast_expr_kind kind;
    uint32_t position; /* of its first token; of the operator for AST_BINARY, AST_IS, AST_LIKE,
                          AST_BETWEEN, AST_IN_*, AST_AND, AST_OR and ::, as PostgreSQL reports */
    uint32_t height;   /* of the tree below, subqueries included; a leaf has 1 */
    bool overlong;     /* AST_LITERAL: an integer of more digits than a numeric has, as a double; or
                          a number that is too small for one, as 0 */
    union {
        struct value literal;
        uint32_t parameter;
        struct {
            struct ast_name table; /* or missing */
            struct ast_name name;
        } column;
        struct {
            enum ast_operator operator;
            struct ast_expr *left;  /* the only one of AST_UNARY */
            struct ast_expr *right; /* NULL for AST_UNARY */
        } binary;
        struct {
            struct ast_expr **items;
            uint32_t count;
        } list;
        struct {
            struct ast_expr *operand;
            enum ast_is test;
            bool negated;
        } is;
        struct {
            struct ast_expr *operand;
            struct ast_expr *pattern;
            struct ast_expr *escape; /* or NULL */
            bool ignore_case;        /* ILIKE */
            bool similar;            /* SIMILAR TO */
            bool negated;
        } like;
        struct {
            struct ast_expr *operand;
            struct ast_expr *low;
            struct ast_expr *high;
            bool symmetric;
            bool negated;
        } between;
        struct {
            struct ast_expr *operand;
            struct ast_expr **items; /* AST_IN_LIST */
            uint32_t count;
            struct ast_select *select; /* AST_IN_SELECT */
            bool negated;
        } in;
        struct {
            struct ast_expr *operand; /* CASE operand WHEN ...; or NULL */
            struct ast_when *whens;
            uint32_t count;
            struct ast_expr *otherwise; /* ELSE, or NULL */
        } match;
        struct {
            struct ast_expr *operand;
            struct type_spec type;
            uint32_t type_position;
        } cast;
        struct {
            /* Folded name. Special syntaxes arrive as ordinary calls: substring(x, from [, for]),
               position(needle, haystack), trim / ltrim / rtrim(x [, characters]); and the
               words without parentheses as calls without arguments: current_user (also for USER,
               SESSION_USER, CURRENT_ROLE), current_database (CURRENT_CATALOG), now
               (CURRENT_TIMESTAMP). COALESCE, NULLIF, GREATEST, LEAST are calls too. */
            const char *name;
            struct ast_expr **arguments;
            uint32_t count;
            bool star;                /* count(*) */
            bool distinct;            /* count(DISTINCT x) */
            struct ast_order *orders; /* string_agg(x, ',' ORDER BY y), or NULL */
            uint32_t order_count;
            bool within_group;       /* the orders are those of WITHIN GROUP (ORDER BY ...) */
            struct ast_expr *filter; /* FILTER (WHERE ...), or NULL */
            struct ast_window *over; /* or NULL */
        } call;
        struct ast_select *select; /* AST_SCALAR, AST_EXISTS */
        struct {
            enum ast_operator operator; /* a comparison, EQ to GE */
            bool all;                   /* ALL; otherwise ANY or SOME */
            struct ast_expr *operand;
            struct ast_select *select;
        } quantified;
    } as;
};

/* ---- SELECT and VALUES ------------------------------------------------------------------------
 */

enum ast_from_kind { AST_FROM_TABLE, AST_FROM_SELECT, AST_FROM_JOIN, AST_FROM_FUNCTION };
enum ast_join_kind {
    AST_JOIN_INNER,
    AST_JOIN_LEFT,
    AST_JOIN_RIGHT,
    AST_JOIN_FULL,
    AST_JOIN_CROSS /* also for a comma; no condition */
};

struct ast_from {
    enum ast_from_kind kind;
    uint32_t position;        /* of its first token; of the word JOIN or the comma */
    struct ast_name schema;   /* AST_FROM_TABLE: one that is not "public", or missing */
    struct ast_name name;     /* AST_FROM_TABLE */
    struct ast_name alias;    /* or missing. A derived table without one is accepted. A join in
                                 parentheses with an alias is refused (0A000) */
    struct ast_name *columns; /* alias (a, b, ...): new names of the first columns; or NULL */
    uint32_t column_count;
    bool columns_exact;        /* there must be as many; nobody writes this, see plan_row.c */
    struct ast_select *select; /* AST_FROM_SELECT */
    bool lateral;              /* it may name what stands to its left; a function always may */
    struct ast_expr *call;     /* AST_FROM_FUNCTION */
    enum ast_join_kind join;   /* AST_FROM_JOIN */
    struct ast_from *left;
    struct ast_from *right;
    struct ast_expr *on;    /* or NULL */
    struct ast_name *using; /* USING (a, b), or NULL */
    uint32_t using_count;
    bool natural; /* NATURAL JOIN: USING all common columns */
};

/* One item of the select list: an expression, *, or t.* */
struct ast_target {
    struct ast_expr *expr; /* NULL: a star */
    struct ast_name table; /* of t.*, else missing */
    struct ast_name alias; /* or missing */
    uint32_t position;
};

struct ast_order {
    struct ast_expr *expr; /* may be a literal integer (a position) or a plain name (an alias) */
    bool descending;
    bool nulls_first; /* the default for DESC already put in */
    bool nulls_named; /* that was written */
};

enum ast_frame_mode { AST_FRAME_RANGE, AST_FRAME_ROWS, AST_FRAME_GROUPS };
enum ast_frame_place {
    AST_FRAME_FIRST,     /* UNBOUNDED PRECEDING */
    AST_FRAME_PRECEDING, /* offset PRECEDING */
    AST_FRAME_CURRENT,   /* CURRENT ROW */
    AST_FRAME_FOLLOWING,
    AST_FRAME_LAST /* UNBOUNDED FOLLOWING */
};

enum ast_frame_exclude {
    AST_EXCLUDE_NOTHING, /* NO OTHERS */
    AST_EXCLUDE_CURRENT, /* CURRENT ROW */
    AST_EXCLUDE_GROUP,   /* the row and its peers */
    AST_EXCLUDE_TIES     /* the peers */
};

struct ast_frame_bound {
    enum ast_frame_place place;
    struct ast_expr *offset; /* of PRECEDING and FOLLOWING, else NULL */
    uint32_t position;
};

/* OVER name, OVER (...), WINDOW name AS (...). */
struct ast_window {
    struct ast_name name; /* of the WINDOW clause, else missing */
    struct ast_name base; /* the window it begins with, or missing */
    bool is_reference;    /* OVER name: nothing but `base` stands here */
    struct ast_expr **partitions;
    uint32_t partition_count;
    struct ast_order *orders;
    uint32_t order_count;
    bool framed; /* otherwise the fields below say nothing */
    enum ast_frame_mode mode;
    struct ast_frame_bound start;
    struct ast_frame_bound end;
    enum ast_frame_exclude exclude;
    uint32_t frame_position;
    uint32_t position; /* of the parenthesis or the name behind OVER */
};

enum ast_materialized { AST_MATERIALIZED_UNSAID, AST_MATERIALIZED, AST_NOT_MATERIALIZED };

/* name [(a, b, ...)] AS [[NOT] MATERIALIZED] (SELECT ...) of WITH. */
struct ast_with {
    struct ast_name name;
    struct ast_name *columns; /* or NULL */
    uint32_t column_count;
    enum ast_materialized materialized;
    struct ast_select *select;
};

enum ast_set_kind { AST_SET_NONE, AST_SET_UNION, AST_SET_INTERSECT, AST_SET_EXCEPT };

/* SELECT; VALUES when row_count > 0; two of them under a set operation when `set` says so. */
struct ast_select {
    uint32_t position;
    uint32_t height;        /* of the tree below */
    struct ast_with *withs; /* in the order written; each may be named by those behind it */
    uint32_t with_count;
    bool recursive; /* WITH RECURSIVE: each may name itself, too */
    /* left UNION right: of the rest only orders, limit and offset stand here. */
    enum ast_set_kind set;
    bool set_all;          /* UNION ALL */
    bool in_parentheses;   /* as an operand of UNION and the like */
    uint32_t set_position; /* of the word */
    struct ast_select *left;
    struct ast_select *right;
    bool distinct;
    struct ast_expr **distinct_on; /* DISTINCT ON (a, b), or NULL; then `distinct` is not set */
    uint32_t distinct_on_count;
    struct ast_target *targets; /* may be none: SELECT FROM t */
    uint32_t target_count;
    struct ast_from *from;  /* a tree of joins, or NULL */
    struct ast_expr *where; /* or NULL */
    struct ast_expr **groups;
    uint32_t group_count;
    struct ast_expr *having;    /* or NULL */
    struct ast_window *windows; /* the WINDOW clause, or NULL */
    uint32_t window_count;
    /* VALUES: row-major, row_count * column_count; targets, from, ... are empty. AST_DEFAULT may
       stand here only when the VALUES is directly an INSERT's. */
    struct ast_expr **rows;
    uint32_t row_count;
    uint32_t column_count;
    struct ast_order *orders;
    uint32_t order_count;
    struct ast_expr *limit;  /* or NULL (also for LIMIT ALL) */
    struct ast_expr *offset; /* or NULL */
    bool with_ties;          /* FETCH ... WITH TIES: rows equal to the last one in the order, too */
};

/* ---- statements -------------------------------------------------------------------------------
 */

enum ast_statement_kind {
    AST_SELECT, /* also VALUES */
    AST_INSERT,
    AST_UPDATE,
    AST_DELETE,
    AST_CREATE_TABLE,
    AST_DROP_TABLE,
    AST_CREATE_INDEX,
    AST_DROP_INDEX,
    AST_CREATE_VIEW,
    AST_DROP_VIEW,
    AST_REINDEX,
    AST_ALTER_INDEX,
    AST_ALTER_VIEW,
    AST_VACUUM,
    AST_ALTER_TABLE,
    AST_BEGIN,
    AST_COMMIT,
    AST_ROLLBACK,
    AST_EXPLAIN,
    AST_COPY,
    AST_SET,
    AST_SHOW,
    AST_ANALYZE,
    AST_CREATE_SEQUENCE,
    AST_ALTER_SEQUENCE,
    AST_DROP_SEQUENCE,
    AST_TRUNCATE,
    AST_COMMENT,
    AST_PREPARE,
    AST_EXECUTE,
    AST_DEALLOCATE,
};

struct ast_assignment {
    struct ast_name column;
    struct ast_expr *value; /* may be AST_DEFAULT */
    /* (a, b) = (SELECT ...): of so many columns in a row, which have one AST_SCALAR as their value,
     * the place of this one; otherwise 0 of 0. */
    uint32_t group_place;
    uint32_t group_count;
};

/* What an index is over: a column or an expression. */
struct ast_index_key {
    struct ast_name name;  /* missing: an expression */
    struct ast_expr *expr; /* or NULL */
    uint32_t position;
    bool descending;
};

/* COMMENT ON: what, and its text or NULL. */
struct ast_comment {
    enum {
        AST_COMMENT_TABLE,
        AST_COMMENT_VIEW,
        AST_COMMENT_SEQUENCE,
        AST_COMMENT_INDEX,
        AST_COMMENT_COLUMN
    } on;
    struct ast_name name; /* of a column: of its table */
    struct ast_name column;
    const char *text; /* or NULL */
};

/* PREPARE name [(types)] AS statement; EXECUTE name [(arguments)]; DEALLOCATE name or ALL. */
struct ast_prepared {
    struct ast_name name;            /* missing: DEALLOCATE ALL */
    struct type_spec *types;         /* of PREPARE */
    struct ast_statement *statement; /* of PREPARE */
    struct ast_expr **arguments;     /* of EXECUTE */
    uint32_t count;                  /* types or arguments */
};

enum ast_conflict {
    AST_CONFLICT_ERROR,   /* nothing said */
    AST_CONFLICT_NOTHING, /* ON CONFLICT DO NOTHING */
    AST_CONFLICT_UPDATE,  /* ON CONFLICT DO UPDATE */
    AST_CONFLICT_REPLACE, /* INSERT OR REPLACE, REPLACE */
};

enum ast_overriding { AST_OVERRIDING_NONE, AST_OVERRIDING_SYSTEM, AST_OVERRIDING_USER };

struct ast_insert {
    enum ast_overriding overriding; /* OVERRIDING ... VALUE */
    struct ast_name table;
    struct ast_name alias;    /* or missing */
    struct ast_name *columns; /* or NULL: the first columns of the table */
    uint32_t column_count;
    struct ast_select *source; /* VALUES or SELECT; NULL: DEFAULT VALUES */
    enum ast_conflict conflict;
    uint32_t conflict_position;          /* of the word CONFLICT */
    struct ast_index_key *conflict_keys; /* ON CONFLICT (a, lower(b)), or NULL */
    uint32_t conflict_key_count;
    struct ast_expr *conflict_predicate; /* ON CONFLICT (a) WHERE condition, or NULL */
    struct ast_name conflict_constraint; /* ON CONFLICT ON CONSTRAINT, or missing */
    struct ast_assignment *assignments;  /* of DO UPDATE */
    uint32_t assignment_count;
    struct ast_expr *conflict_where; /* of DO UPDATE, or NULL */
    struct ast_target *returning;    /* or NULL */
    uint32_t returning_count;
};

struct ast_update {
    struct ast_name table;
    struct ast_name alias; /* or missing */
    struct ast_assignment *assignments;
    uint32_t assignment_count;
    struct ast_from *from;  /* UPDATE ... FROM, or NULL */
    struct ast_expr *where; /* or NULL */
    struct ast_target *returning;
    uint32_t returning_count;
};

struct ast_delete {
    struct ast_name table;
    struct ast_name alias;  /* or missing */
    struct ast_from *from;  /* DELETE ... USING, or NULL */
    struct ast_expr *where; /* or NULL */
    struct ast_target *returning;
    uint32_t returning_count;
};

/* How rows are written as lines, after PostgreSQL's COPY. */
struct copy_format {
    bool csv;          /* RFC 4180; otherwise fields between delimiters, with backslash escapes */
    bool header;       /* the first line has names */
    uint8_t delimiter; /* a comma, in the other format a tab */
    uint8_t quote;     /* of CSV, as the next */
    uint8_t escape;    /* in front of a quote or an escape inside of quotes */
    struct slice null; /* what stands for NULL: nothing, in the other format \N */
};

/* COPY table [(a, b)] FROM STDIN: the data is the statement's one parameter. COPY ... TO STDOUT. */
struct ast_copy {
    bool from;
    struct ast_name table;    /* FROM */
    struct ast_name *columns; /* or NULL: all */
    uint32_t column_count;
    struct ast_select *select; /* TO: what goes out */
    struct copy_format format;
};

enum ast_key_action {
    AST_KEY_NO_ACTION, /* also when nothing is said */
    AST_KEY_RESTRICT,
    AST_KEY_CASCADE,
    AST_KEY_SET_NULL,
    AST_KEY_SET_DEFAULT,
};

/* FOREIGN KEY ... REFERENCES, of a column or of the table. */
struct ast_foreign_key {
    struct ast_name constraint; /* or missing */
    uint32_t position;
    struct ast_name *columns;
    uint32_t column_count;
    struct ast_name parent;
    struct ast_name *parent_columns; /* NULL: the parent's primary key */
    uint32_t parent_column_count;
    enum ast_key_action on_delete;
    enum ast_key_action on_update;
};

/* CHECK (expr), of a column or of the table. */
struct ast_check {
    struct ast_name constraint; /* or missing */
    uint32_t position;
    struct ast_expr *expr;
    const char *sql; /* its source text */
};

/* PRIMARY KEY or UNIQUE, of a column or of the table. */
struct ast_key {
    struct ast_name constraint; /* or missing */
    uint32_t position;
    struct ast_name *columns;
    uint32_t column_count;
    struct ast_name *included; /* INCLUDE, of UNIQUE; or NULL */
    uint32_t included_count;
};

/* What was said of a sequence; what was not is false. */
struct ast_sequence_options {
    uint32_t position;
    bool has_start, has_increment, has_low, has_high, has_cache, has_cycle;
    bool no_low, no_high; /* NO MINVALUE, NO MAXVALUE */
    int64_t start, increment, low, high, cache;
    bool cycle;
    bool restart;      /* RESTART ... */
    bool restart_with; /* ... WITH: */
    int64_t restart_value;
    uint32_t bits;                /* AS SMALLINT, INT4, BIGINT: 16, 32, 64; or 0 */
    struct ast_name owner_table;  /* OWNED BY, or missing */
    struct ast_name owner_column; /* missing too: OWNED BY NONE when owned */
    bool owned;
};

enum ast_identity { AST_IDENTITY_NONE, AST_IDENTITY_ALWAYS, AST_IDENTITY_BY_DEFAULT };

struct ast_column_definition {
    const struct ast_sequence_options *sequence; /* SERIAL, GENERATED ... AS IDENTITY; or NULL */
    enum ast_identity identity;
    struct ast_name name;
    struct type_spec type;
    uint32_t type_position;
    bool not_null;
    struct ast_expr *default_value; /* or NULL */
    const char *default_sql;        /* its source text, or NULL */
};

/* Constraints of columns have been gathered with those of the table, in the order written. A column
 * of the primary key is not marked not_null here. */
struct ast_create_table {
    struct ast_name table;
    bool if_not_exists;
    struct ast_column_definition *columns;
    uint32_t column_count;
    struct ast_key primary_key; /* column_count 0: none; two are refused (42P16) */
    struct ast_key *uniques;
    uint32_t unique_count;
    struct ast_foreign_key *foreign_keys;
    uint32_t foreign_key_count;
    struct ast_check *checks;
    uint32_t check_count;
    /* CREATE TABLE ... AS: the columns are those of the query, nothing else stands here. */
    struct ast_select *source; /* or NULL */
    struct ast_name *names;    /* of the first columns, or NULL */
    uint32_t name_count;
    bool no_data; /* WITH NO DATA */
};

enum ast_alter {
    AST_ALTER_ADD,           /* ADD [COLUMN] definition */
    AST_ALTER_DROP,          /* DROP [COLUMN] name */
    AST_ALTER_RENAME,        /* RENAME TO to */
    AST_ALTER_RENAME_COLUMN, /* RENAME [COLUMN] name TO to */
    AST_ALTER_SET_DEFAULT,   /* ALTER [COLUMN] name SET DEFAULT, as in column */
    AST_ALTER_DROP_DEFAULT,
    AST_ALTER_SET_NOT_NULL,
    AST_ALTER_DROP_NOT_NULL,
    AST_ALTER_ADD_CONSTRAINT,  /* ADD [CONSTRAINT name] ..., in constraints */
    AST_ALTER_DROP_CONSTRAINT, /* DROP CONSTRAINT name */
    /* ALTER [COLUMN] name ADD GENERATED ... AS IDENTITY, as in column; SET GENERATED ..., SET
       option, RESTART: column.identity or none, column.sequence or NULL; DROP IDENTITY */
    AST_ALTER_ADD_IDENTITY,
    AST_ALTER_SET_IDENTITY,
    AST_ALTER_DROP_IDENTITY,
    AST_ALTER_RENAME_CONSTRAINT, /* RENAME CONSTRAINT name TO to */
};

struct ast_alter_action {
    enum ast_alter kind;
    struct ast_name name;                /* of the column; missing for RENAME TO and ADD */
    struct ast_name to;                  /* RENAME */
    struct ast_column_definition column; /* ADD; its default also for SET DEFAULT */
    bool if_exists;                      /* DROP; with ADD: if not exists */
    bool cascade;                        /* DROP ... CASCADE */
    /* ADD CONSTRAINT: the one constraint; ADD: those that stand behind the column. Else NULL. */
    const struct ast_create_table *constraints;
};

/* Actions are done one after the other. */
struct ast_alter_table {
    struct ast_name table;
    bool if_exists;
    struct ast_alter_action *actions;
    uint32_t action_count;
};

struct ast_create_view {
    struct ast_name view;
    struct ast_name *columns; /* names of the first columns, or NULL */
    uint32_t column_count;
    struct ast_select *select;
    struct slice sql; /* its text, as ast_statement.text */
    bool or_replace;
    bool if_not_exists;
};

/* REINDEX [INDEX | TABLE] name. */
struct ast_reindex {
    struct ast_name name;
    bool is_index; /* the word was there; */
    bool is_table; /* with neither it may be either */
};

struct ast_drop {
    struct ast_name *names;
    uint32_t count;
    bool if_exists;
    bool cascade;
};

/* ALTER { INDEX | VIEW } name RENAME TO to; ALTER VIEW name RENAME COLUMN column TO to. */
struct ast_rename {
    struct ast_name name;
    struct ast_name column; /* or missing */
    struct ast_name to;
    bool if_exists;
};

/* CREATE SEQUENCE and ALTER SEQUENCE. */
struct ast_sequence {
    struct ast_name name;
    bool if_exists;     /* of ALTER; with CREATE: if not exists */
    struct ast_name to; /* ALTER ... RENAME TO, or missing */
    struct ast_sequence_options options;
};

struct ast_truncate {
    struct ast_name *names;
    uint32_t count;
    bool cascade;
    bool restart; /* RESTART IDENTITY */
};

struct ast_create_index {
    struct ast_name index; /* or missing */
    struct ast_name table;
    struct ast_index_key *keys;
    uint32_t key_count;      /* those of INCLUDE, too, */
    uint32_t included_count; /* which come last */
    struct ast_expr *where;  /* a partial index; or NULL */
    const char *where_sql;
    bool unique;
    bool if_not_exists;
};

/* Isolation levels are accepted and all mean serializable. */
struct ast_begin {
    bool read_only;
};

/* ANALYZE [table]. */
struct ast_analyze {
    struct ast_name table; /* missing: all */
};

/* EXPLAIN [ANALYZE], or with a list: EXPLAIN (ANALYZE, WHY). */
struct ast_explain {
    bool why; /* for each index why it is not used */
    bool analyze;
    struct ast_statement *statement; /* SELECT, INSERT, UPDATE or DELETE */
};

/* SET [SESSION | LOCAL] name { = | TO } { value | DEFAULT }, RESET name. */
struct ast_set {
    bool all; /* RESET ALL: no name */
    struct ast_name name;
    const char *value; /* a word, a number or a string, as text; NULL: DEFAULT */
    uint32_t value_position;
};

enum ast_show_kind {
    AST_SHOW_SETTING,      /* SHOW name */
    AST_SHOW_ALL,          /* SHOW ALL: every setting */
    AST_SHOW_TABLES,       /* SHOW TABLES */
    AST_SHOW_COLUMNS,      /* SHOW COLUMNS FROM name */
    AST_SHOW_INDEXES,      /* SHOW INDEXES FROM name */
    AST_SHOW_CREATE_TABLE, /* SHOW CREATE TABLE name */
};

struct ast_show {
    enum ast_show_kind kind;
    struct ast_name name; /* of the setting or table; missing for ALL and TABLES */
};

struct ast_statement {
    enum ast_statement_kind kind;
    uint32_t position;        /* of its first token */
    struct slice text;        /* first to last token, without the semicolon; inside the text given
                                 to parse_begin */
    uint32_t parameter_count; /* the highest $n */
    bool sets_sequence;       /* calls setval: a SELECT that writes */
    const struct ast_select *with; /* WITH in front of INSERT, UPDATE, DELETE: only its items; or
                                      NULL */
    union {
        struct ast_select *select;
        struct ast_insert *insert;
        struct ast_update *update;
        struct ast_delete *delete;
        struct ast_create_table *create_table;
        struct ast_drop *drop; /* AST_DROP_TABLE, _INDEX, _VIEW, _SEQUENCE */
        struct ast_create_view *create_view;
        struct ast_reindex *reindex;
        struct ast_rename *rename;     /* AST_ALTER_INDEX, AST_ALTER_VIEW */
        struct ast_sequence *sequence; /* AST_CREATE_SEQUENCE, AST_ALTER_SEQUENCE */
        struct ast_truncate *truncate;
        struct ast_comment *comment;
        struct ast_prepared *prepared; /* AST_PREPARE, AST_EXECUTE, AST_DEALLOCATE */
        struct ast_alter_table *alter_table;
        struct ast_create_index *create_index;
        struct ast_begin *begin;
        struct ast_explain *explain;
        struct ast_analyze *analyze;
        struct ast_copy *copy;
        struct ast_set *set;
        struct ast_show *show;
    } as; /* nothing for COMMIT, ROLLBACK and VACUUM */
};

/* ---- parsing ----------------------------------------------------------------------------------
 */

/* A place in a text of statements separated by semicolons. Owns nothing. */
struct parser {
    struct slice text;
    size_t offset;     /* bytes read */
    uint32_t position; /* characters read */
};

/* Checks the text as a whole: length (text_max bytes, 0: PARSE_TEXT_MAX), UTF-8, no NUL. The text
 * must stay as it is until the last parse_next. */
status_t parse_begin(struct parser *parser, struct slice text, size_t text_max,
                     struct error *error);
/* The next statement; *statement is NULL at the end of the text. Empty statements are skipped. A
 * later statement's error does not show before its turn; after an error the parser is at its end.
 */
status_t parse_next(struct parser *parser, struct arena *arena, struct ast_statement **statement,
                    struct error *error);
/* True when only white space, comments and semicolons are left. */
bool parse__only_blank(const struct parser *parser);
static inline bool parse_at_end(const struct parser *parser)
{
    return parser->offset == parser->text.size || parse__only_blank(parser);
}
/* One expression and nothing else, e.g. a column's DEFAULT. */
status_t parse_expression(struct slice text, struct arena *arena, struct ast_expr **out,
                          struct error *error);

/* ---- printing ---------------------------------------------------------------------------------
 */

/* Appends the tree as SQL with every operator in parentheses. Parsing the result gives an equal
 * tree (positions and heights aside). */
void ast_print(const struct ast_statement *statement, struct buffer *out);
void ast_print_expr(const struct ast_expr *expr, struct buffer *out);
/* Calls `visit` for each AST_COLUMN of an expression, which it may change. Queries inside are not
 * looked into. */
typedef void ast_column_fn(void *context, struct ast_expr *column);
void ast_each_column(struct ast_expr *expr, ast_column_fn *visit, void *context);
/* The same with its calls, each before those in its arguments. */
void ast_each_call(struct ast_expr *expr, ast_column_fn *visit, void *context);
/* Has a statement's text a name like this, in whatever role? *star: it has a star that stands for
 * columns, or joins by the names that tables share. */
bool parse_names(struct slice text, const char *name, bool *star);
/* Appends an identifier, quoted when it must be (keywords, upper case, odd characters). */
void ast_print_name(const char *name, struct buffer *out);
/* A literal, with its quotes. */
void ast_print_text(const char *text, struct buffer *out);
/* "a", "lower(a)" or "(a + b)", as an index has it; without its order. */
void ast_print_index_key(const struct ast_index_key *key, struct buffer *out);
/* "+", "IS DISTINCT FROM", "NOT", ... */
const char *ast_operator_text(enum ast_operator op);

#endif
