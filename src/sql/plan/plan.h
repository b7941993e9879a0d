/* The planner: a parsed statement bound to the catalog, typed, rewritten and laid out as a tree of
 * operators for the executor.
 *
 * plan_statement runs in three steps, each its own file: bind (names to columns, types, implicit
 * casts, aggregates; PostgreSQL's errors with positions), rewrite (constant folding, predicate
 * pushdown, inference through equalities, projection pruning), choose (access paths by primary key
 * and index, join order and method). EXPLAIN prints the result.
 *
 * A plan is immutable once made, lives in the arena it was made in, refers to tables of the catalog
 * picture it was made from (which must outlive it), and may be executed many times with different
 * parameters. Expressions of a node are over the columns of its input batches. No expression and no
 * output column of a finished plan has the type SQL_UNKNOWN: a bare NULL that nothing gave a type
 * is text. */
#ifndef SQL_PLAN_PLAN_H
#define SQL_PLAN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "sql/catalog/catalog.h"
#include "sql/parse/parse.h"
#include "sql/types/types.h"

/* ---- expressions ----------------------------------------------------------------------------- */

enum expr_kind {
    EXPR_CONSTANT,
    EXPR_PARAMETER, /* $n; its type was inferred or given */
    EXPR_COLUMN,    /* of the input batch; in a join's condition the left columns come first */
    EXPR_AND,       /* n-ary, three-valued */
    EXPR_OR,
    EXPR_CALL,     /* a strict or special operator or function on `arguments` */
    EXPR_CASE,     /* arguments: when, then, when, then, ..., else (always present) */
    EXPR_CAST,     /* one argument, to `type` */
    EXPR_IN,       /* arguments[0] IN (arguments[1..]); NULLs as SQL says */
    EXPR_OUTER,    /* in a subquery: a value of the row around it, cell `index` of the statement */
    EXPR_SUBQUERY, /* `subplan`; arguments: its operands, then the values of its cells */
    EXPR_BIND, /* arguments: an operand, computed once a row, and what is made of it, the result,
                  which finds it in any number of EXPR_OPERAND with the same `index` */
    EXPR_OPERAND,
};

/* Arguments have equal types where the operator is binary on one type (the binder inserts casts);
 * the kernel is chosen by the first argument's type. Where no other types are named below: bits and
 * counts are integers, mathematics are doubles. */
enum expr_call {
    /* comparison, to boolean */
    CALL_EQ,
    CALL_NE,
    CALL_LT,
    CALL_LE,
    CALL_GT,
    CALL_GE,
    CALL_IS_DISTINCT,
    CALL_IS_NOT_DISTINCT,
    CALL_IS_NULL,
    CALL_IS_NOT_NULL,
    CALL_IS_TRUE,
    CALL_IS_NOT_TRUE,
    CALL_IS_FALSE,
    CALL_IS_NOT_FALSE,
    CALL_NOT,
    CALL_MATCH,  /* ~ : a regular expression */
    CALL_IMATCH, /* ~* */
    CALL_SIMILAR,
    CALL_LIKE,
    CALL_ILIKE, /* 2 arguments, or 3 with the escape character */
    /* arithmetic on numbers */
    CALL_ADD,
    CALL_SUBTRACT,
    CALL_MULTIPLY,
    CALL_DIVIDE,
    CALL_MODULO,
    CALL_POWER, /* of doubles, or of numerics */
    CALL_NEGATE,
    /* bits, integers */
    CALL_BIT_AND,
    CALL_BIT_OR,
    CALL_BIT_XOR,
    CALL_BIT_NOT,
    CALL_SHIFT_LEFT,
    CALL_SHIFT_RIGHT,
    /* text */
    CALL_CONCAT,    /* || : NULL if either is */
    CALL_COPY_LINE, /* (any types): a line of COPY ... TO; no statement can call it */
    CALL_CONCAT_FN, /* concat(...): NULLs skipped, any types (cast to text by the binder) */
    CALL_LENGTH,
    CALL_OCTET_LENGTH,
    CALL_UPPER,
    CALL_LOWER,
    CALL_TRIM, /* (text [, characters to strip]), as LTRIM and RTRIM */
    CALL_LTRIM,
    CALL_RTRIM,
    CALL_SUBSTRING, /* (text, from [, length]) in characters */
    CALL_REPLACE,
    CALL_POSITION, /* (needle, haystack) */
    CALL_LEFT,     /* (text, count); so RIGHT and REPEAT */
    CALL_RIGHT,
    CALL_REVERSE,
    CALL_REPEAT,
    CALL_LPAD, /* (text, length [, fill]) */
    CALL_RPAD,
    CALL_STARTS_WITH,
    CALL_ASCII,
    CALL_CHR,
    CALL_MD5,
    /* bytes; CONCAT, OCTET_LENGTH, SUBSTRING, POSITION and MD5 take them, too */
    CALL_GET_BYTE, /* (bytes, place from 0) */
    CALL_ENCODE,   /* (bytes, form) to text */
    CALL_DECODE,   /* (text, form) to bytes */
    CALL_RANDOM_UUID,
    /* mathematics */
    CALL_ABS, /* of any number; the next five and sqrt of a numeric, too */
    CALL_SIGN,
    CALL_ROUND, /* (double [, digits]) to double */
    CALL_TRUNC, /* likewise */
    CALL_CEIL,
    CALL_FLOOR,
    CALL_SQRT,
    CALL_EXP,
    CALL_LN,
    CALL_LOG10,
    CALL_PI,
    CALL_SIN,
    CALL_COS,
    CALL_TAN,
    CALL_ATAN,
    CALL_RANDOM,
    CALL_ASIN,
    CALL_ACOS,
    CALL_ATAN2,
    CALL_COT,
    CALL_SINH,
    CALL_COSH,
    CALL_TANH,
    CALL_DEGREES,
    CALL_RADIANS,
    CALL_CBRT,
    CALL_LOG,          /* (base, x) */
    CALL_GCD,          /* of integers */
    CALL_LCM,          /* of integers */
    CALL_WIDTH_BUCKET, /* (x, low, high, integer) to integer */
    /* more text */
    CALL_SPLIT_PART, /* (text, separator, integer) */
    CALL_STRPOS,     /* (haystack, needle) */
    CALL_OVERLAY,    /* (text, with, from [, for]) */
    CALL_TRANSLATE,
    CALL_INITCAP,
    CALL_TO_HEX, /* of an integer */
    CALL_QUOTE_IDENT,
    CALL_QUOTE_LITERAL,
    CALL_QUOTE_NULLABLE, /* NULL gives a text */
    CALL_CONCAT_WS,      /* (separator, ...): NULLs skipped but for the first */
    CALL_REGEXP_LIKE,    /* (text, pattern [, flags]) */
    CALL_REGEXP_COUNT,
    CALL_REGEXP_SUBSTR,  /* NULL when there is no match */
    CALL_REGEXP_REPLACE, /* (text, pattern, replacement [, flags]) */
    CALL_FORMAT,         /* (format, ...): any types, cast to text by the binder */
    /* conditional: evaluated lazily, left to right */
    CALL_COALESCE,
    CALL_NULLIF,
    CALL_GREATEST, /* NULLs are skipped */
    CALL_LEAST,
    /* the world */
    CALL_NOW, /* of the transaction's start; to a timestamp with time zone, or what it becomes as a
                 date, a time or a timestamp of the session's zone */
    CALL_VERSION,
    CALL_CURRENT_USER,
    CALL_CURRENT_DATABASE,
    CALL_CURRENT_SCHEMA,
    CALL_ROW_ID, /* of a table without a primary key; no statement can call it */
    /* dates and times; the operators on them are those of arithmetic */
    CALL_AGE,     /* (timestamp [, timestamp]) */
    CALL_EXTRACT, /* (unit, anything) to numeric */
    CALL_DATE_PART,
    CALL_DATE_TRUNC,
    CALL_DATE_BIN, /* (stride, timestamp, origin) */
    CALL_JUSTIFY_HOURS,
    CALL_JUSTIFY_DAYS,
    CALL_JUSTIFY_INTERVAL,
    CALL_MAKE_DATE,
    CALL_MAKE_TIME,
    CALL_MAKE_TIMESTAMP, /* (year, month, day, hour, minute, second [, zone]) */
    CALL_MAKE_INTERVAL,  /* ([years, months, weeks, days, hours, minutes, seconds]) */
    CALL_TO_CHAR,        /* (anything, pattern) */
    CALL_TO_TIMESTAMP,   /* (text, pattern), or (seconds since 1970) */
    CALL_TO_DATE,
    CALL_TIMEZONE, /* (zone, timestamp): x AT TIME ZONE zone */
    CALL_ISFINITE,
    CALL_OVERLAPS, /* (begin, end, begin, end) */
    CALL_STATEMENT_TIMESTAMP,
    CALL_CLOCK_TIMESTAMP,
    /* sequences, by the name of one (see exec_sequences) */
    CALL_NEXTVAL,
    CALL_CURRVAL,
    CALL_SETVAL,
    CALL_LASTVAL,

    CALL_SHA224, /* of bytes; so the next three */
    CALL_SHA256,
    CALL_SHA384,
    CALL_SHA512,
    CALL_CRC32,
    CALL_CRC32C,
    CALL_GET_BIT, /* (bytes, place from 0) */
    CALL_SET_BIT, /* (bytes, place, 0 or 1) */
    CALL_SET_BYTE,
    CALL_BIT_COUNT,
    CALL_BIT_LENGTH, /* of text or bytes */
    CALL_TO_BIN,     /* of an integer, as CALL_TO_HEX */
    CALL_TO_OCT,
    CALL_DIV,       /* of numerics, towards zero */
    CALL_FACTORIAL, /* of an integer, to numeric */
    CALL_SCALE,     /* of a numeric; so the next two */
    CALL_MIN_SCALE,
    CALL_TRIM_SCALE,
    CALL_ASINH, /* of doubles, to CALL_ERFC; the next ones in degrees */
    CALL_ACOSH,
    CALL_ATANH,
    CALL_SIND,
    CALL_COSD,
    CALL_TAND,
    CALL_COTD,
    CALL_ASIND,
    CALL_ACOSD,
    CALL_ATAND,
    CALL_ATAN2D,
    CALL_ERF,
    CALL_ERFC,
    CALL_TO_NUMBER, /* (text, pattern) */
    CALL_NUM_NULLS, /* of anything */
    CALL_NUM_NONNULLS,
    CALL_REGEXP_INSTR, /* (text, pattern) */
    CALL_REGEXP_PART,  /* (text, pattern): what matched, or of it the first group */
    CALL_SETSEED,      /* of a double, -1 to 1 */
    CALL_COUNT_        /* number of calls, not a call */
};

struct expr {
    enum expr_kind kind;
    enum sql_type type;
    uint32_t position; /* 1-based character in the statement, 0: none */
    enum expr_call call;
    struct value constant; /* EXPR_CONSTANT */
    uint32_t index;        /* EXPR_COLUMN: column of the input; EXPR_PARAMETER: 0-based;
                              EXPR_BIND, EXPR_OPERAND: the operand's number; EXPR_SUBQUERY:
                              the column it gives, 0 but for a scalar one of several */
    const char *name;      /* EXPR_COLUMN: as EXPLAIN prints it ("o.id"); EXPR_CALL: its name */
    struct expr **arguments;
    uint32_t argument_count;
    bool is_volatile;    /* random(), or has it inside: not folded, not moved */
    uint32_t cast_limit; /* EXPR_CAST: `length_max` of the type it is to (struct type_spec); while
                            planning, of a column or a text: that of what it was declared as */
    const struct subplan *subplan;  /* EXPR_SUBQUERY */
    const struct copy_format *copy; /* of CALL_COPY_LINE */
    bool is_implicit;               /* EXPR_CAST: nobody wrote it */
};

enum subplan_kind {
    SUBPLAN_SCALAR, /* a value of its one row; NULL without a row, 21000 with several */
    SUBPLAN_EXISTS, /* whether it has a row */
    SUBPLAN_IN,     /* whether the operand equals a value of it; NULLs as SQL says */
    SUBPLAN_ANY,    /* whether `operand comparison value` holds for one, for each of its values */
    SUBPLAN_ALL
};

/* A query inside an expression. Before it runs the arguments behind the operands are put into its
 * cells, where EXPR_OUTER finds them; it depends on nothing else, so with the same values in its
 * cells it need not run again. */
struct subplan {
    enum subplan_kind kind;
    enum expr_call comparison; /* ANY, ALL: NE to GE */
    uint32_t number;           /* its place in planned.subplans */
    uint32_t operand_count;    /* IN, ANY, ALL: 1; otherwise 0 */
    uint32_t cell_count;
    const uint32_t *cells; /* of the statement */
    struct plan *plan;     /* one column, but for EXISTS and rows of scalars */
    uint32_t position;
};

enum aggregate_kind {
    AGGREGATE_COUNT_ROWS,
    AGGREGATE_COUNT,
    AGGREGATE_SUM,
    AGGREGATE_AVG,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_FIRST, /* of the first row, NULL or not; no statement can call it */
    AGGREGATE_BOOL_AND,
    AGGREGATE_BOOL_OR,
    AGGREGATE_BIT_AND,
    AGGREGATE_BIT_OR,
    AGGREGATE_BIT_XOR,
    AGGREGATE_VAR_SAMP, /* of doubles or numerics; NULL of fewer than two values */
    AGGREGATE_VAR_POP,
    AGGREGATE_STDDEV_SAMP,
    AGGREGATE_STDDEV_POP,
    AGGREGATE_STRING,     /* string_agg: texts with a separator between */
    AGGREGATE_ANY,        /* any value, NULL when there is none */
    AGGREGATE_REGR_COUNT, /* to AGGREGATE_CORR: of pairs (y, x), the second of which is
                             `separator` */
    AGGREGATE_REGR_SXX,
    AGGREGATE_REGR_SYY,
    AGGREGATE_REGR_SXY,
    AGGREGATE_REGR_AVGX,
    AGGREGATE_REGR_AVGY,
    AGGREGATE_REGR_R2,
    AGGREGATE_REGR_SLOPE,
    AGGREGATE_REGR_INTERCEPT,
    AGGREGATE_COVAR_POP,
    AGGREGATE_COVAR_SAMP,
    AGGREGATE_CORR,
    AGGREGATE_PERCENTILE_CONT, /* (fraction: `separator`) WITHIN GROUP (ORDER BY argument) */
    AGGREGATE_PERCENTILE_DISC,
    AGGREGATE_MODE, /* () WITHIN GROUP (ORDER BY argument) */
};

/* Of pairs of doubles (y, x). */
static inline bool aggregate_is_of_pairs(enum aggregate_kind kind)
{
    return kind >= AGGREGATE_REGR_COUNT && kind <= AGGREGATE_CORR;
}
/* Called with WITHIN GROUP (ORDER BY ...). */
static inline bool aggregate_is_ordered_set(enum aggregate_kind kind)
{
    return kind >= AGGREGATE_PERCENTILE_CONT && kind <= AGGREGATE_MODE;
}

struct sort_key {
    struct expr *expr;
    bool descending;
    bool nulls_first;
};

struct aggregate {
    enum aggregate_kind kind;
    struct expr *argument;  /* NULL for count(*) */
    struct expr *separator; /* of AGGREGATE_STRING; the x of AGGREGATE_REGR_COUNT and its like; the
                               fraction of percentiles; else NULL */
    bool distinct;
    bool descending;         /* WITHIN GROUP (ORDER BY argument DESC) */
    enum sql_type type;      /* of the result: count integer, avg of integers numeric (a double with
                                sqlite_compatibility), others as their argument (avg of integers keeps
                                an integer argument) */
    struct expr *filter;     /* FILTER (WHERE ...), or NULL */
    struct sort_key *orders; /* in which it takes its values in, where that matters */
    uint32_t order_count;
};

/* ---- windows ----------------------------------------------------------------------------------
 */

enum window_kind {
    WINDOW_AGGREGATE, /* of the frame */
    WINDOW_ROW_NUMBER,
    WINDOW_RANK,
    WINDOW_DENSE_RANK,
    WINDOW_PERCENT_RANK,
    WINDOW_CUME_DIST,
    WINDOW_NTILE, /* (buckets) */
    WINDOW_LAG,   /* (value [, offset [, default]]), so LEAD */
    WINDOW_LEAD,
    WINDOW_FIRST_VALUE, /* of the frame; (value) */
    WINDOW_LAST_VALUE,
    WINDOW_NTH_VALUE /* (value, n) */
};

enum frame_mode { FRAME_RANGE, FRAME_ROWS, FRAME_GROUPS };
enum frame_place { FRAME_FIRST, FRAME_PRECEDING, FRAME_CURRENT, FRAME_FOLLOWING, FRAME_LAST };

enum frame_exclude { EXCLUDE_NOTHING, EXCLUDE_CURRENT, EXCLUDE_GROUP, EXCLUDE_TIES };

/* The rows of the partition a function looks at. From row to row neither end moves back. */
struct window_frame {
    enum frame_mode mode;
    enum frame_place start;
    enum frame_place end;
    enum frame_exclude exclude;
    /* Without columns: integer; with FRAME_RANGE of the type of the one key if that is an integer
       or numeric, double if it is real, interval if it has to do with time. */
    struct expr *start_offset; /* of PRECEDING and FOLLOWING, else NULL */
    struct expr *end_offset;
};

enum { WINDOW_ARGUMENTS_MAX = 3 };

struct window_function {
    enum window_kind kind;
    const char *name;
    struct aggregate aggregate;                   /* WINDOW_AGGREGATE */
    struct expr *arguments[WINDOW_ARGUMENTS_MAX]; /* of the others */
    uint32_t argument_count;
    enum sql_type type;
    uint32_t length; /* while planning, of a text: what it was declared with, as of a column */
    struct window_frame frame;
};

/* ---- operators --------------------------------------------------------------------------------
 */

enum plan_kind {
    PLAN_VALUES, /* rows of expressions; a SELECT without FROM is one row; row_count may be 0 (a
                    condition that can never hold), and so may column_count */
    PLAN_SCAN,   /* a table, whole or by key ranges of its primary key or an index */
    PLAN_FILTER,
    PLAN_PROJECT,
    PLAN_HASH_JOIN,
    PLAN_NESTED_LOOP_JOIN, /* right side materialised once */
    PLAN_LOOKUP_JOIN,      /* for each left row, look the right table up by key */
    PLAN_MERGE_JOIN,       /* both sides ascend by the keys, NULLs last */
    PLAN_LATERAL_JOIN,     /* the right side is run anew for each left row, whose values it sees */
    PLAN_SERIES,           /* generate_series */
    PLAN_AGGREGATE,
    PLAN_WINDOW, /* its input is sorted by the partitions, then the keys */
    PLAN_SORT,
    PLAN_TOP_N, /* sort with a limit (and offset) known */
    PLAN_LIMIT,
    PLAN_COPY, /* the rows of COPY ... FROM STDIN, read from the parameter */
    PLAN_DISTINCT,
    PLAN_APPEND,    /* all rows of the left input, then all of the right one */
    PLAN_INTERSECT, /* rows of the left input that the right one has, by as.set.all how often */
    PLAN_EXCEPT,    /* likewise those that the right one has not */
    PLAN_RECURSIVE, /* WITH RECURSIVE: the rows of the left input, then those of the right one, over
                       and over as long as there come any */
    PLAN_WORKING,   /* inside its right input: the rows of the last time */
    PLAN_COMMON,    /* a query of WITH that several places read, run once */
    PLAN_INSERT,
    PLAN_UPDATE,
    PLAN_DELETE,
    PLAN_KEY_FILTER, /* rows whose keys a hash join above has among its right rows */
    PLAN_GATHER,     /* the executor's own: the left input, read by several threads */
};

/* One contiguous range of an index: `equal` fixes the first equal_count key columns, then one
 * further column may have bounds (lower <= upper in the order of values, also where the index is
 * descending). Expressions have no columns (constants, parameters, or, in a lookup join, columns of
 * the left row) and the type of their key column. A NULL in `equal` or a bound selects nothing, and
 * a column with one bound never matches NULL. */
struct key_range {
    struct expr **equal;
    uint32_t equal_count;
    struct expr *lower; /* or NULL */
    struct expr *upper;
    bool lower_inclusive;
    bool upper_inclusive;
};

/* In a finished plan only INNER (without a condition: the cross product), LEFT, FULL, SEMI and ANTI
 * stand; FULL is never a look-up. All but FULL give its rows in the order of its left input: an
 * ORDER BY may rely on it. */
enum join_kind {
    JOIN_INNER,
    JOIN_LEFT,
    JOIN_RIGHT,
    JOIN_FULL,
    JOIN_CROSS,
    JOIN_SEMI, /* left rows that have a partner, each once; only the left columns come out */
    JOIN_ANTI, /* left rows that have none; likewise */
};

/* What INSERT does where a row with the same unique key is there already. */
enum conflict_action {
    CONFLICT_ERROR,   /* 23505 */
    CONFLICT_NOTHING, /* leaves it */
    CONFLICT_UPDATE,  /* changes it; 21000 when this statement made it */
    CONFLICT_REPLACE  /* takes it away, and every other one that is in the way */
};

/* What a table asks of its rows, as expressions over its columns (EXPR_COLUMN.index is a place in
 * table->columns). */
struct plan_check {
    const char *name;
    struct expr *expr; /* false: the row is refused */
};

struct plan_rules {
    struct plan_check *checks;
    uint32_t check_count;
    struct expr **predicates; /* of the indexes, by place in table->indexes, NULL where there is
                                 none; or NULL */
    struct expr **computed;   /* what indexes are over, one for each of table->computed_count */
};

struct plan {
    enum plan_kind kind;
    /* What it produces. */
    enum sql_type *types;
    const char **names;
    uint32_t column_count;
    double rows_estimate;
    struct plan *left;  /* the only input, or the left (probe, outer) one */
    struct plan *right; /* the right (build, inner) one */

    union {
        struct {
            struct expr **rows; /* row-major: row_count * column_count */
            uint32_t row_count;
        } values;
        struct {
            const struct table *table;
            const char *alias;         /* for EXPLAIN; the table's name without one */
            const struct index *index; /* which key space is read; table->indexes[0]: the rows */
            struct key_range *ranges;  /* scanned one after another as listed, also in reverse;
                                          duplicates are removed by the executor (two ranges may
                                          turn out equal, but never overlap otherwise) */
            uint32_t range_count;      /* 0: all of it */
            bool reverse;              /* each range from its high end */
            uint32_t *columns;         /* produced: places in table->columns, ascending */
            bool index_only;  /* an index alone has all the columns: rows are not fetched */
            const char **why; /* of each index, why it is used or not; NULL: it was not asked */
        } scan;               /* PLAN_SCAN, and the right side's description in PLAN_LOOKUP_JOIN */
        struct {
            const struct copy_format *format;
            const struct type_spec *specs; /* of the columns */
            const char *table;             /* for messages */
        } copy;
        struct {
            struct expr *predicate; /* boolean; NULL and false drop the row */
        } filter;
        struct {
            const struct plan *join; /* PLAN_HASH_JOIN, INNER or SEMI, this is on its left side */
            struct expr **keys;      /* columns; each is what the join's left key is made of */
            uint32_t key_count;
        } key_filter;
        struct {
            struct expr **exprs; /* column_count of them */
        } project;
        struct {
            enum join_kind kind;
            /* Hash and merge join: left_keys[i] = right_keys[i], each over its own side's columns;
               of a merge join they are columns. */
            struct expr **left_keys;
            struct expr **right_keys;
            uint32_t key_count;
            struct expr *condition; /* the rest of ON, over left columns then right; or NULL */
            bool keeps_order;       /* somebody relies on the order of the left rows */
            /* PLAN_LOOKUP_JOIN: right->kind is PLAN_SCAN with one range whose expressions are over
               the left columns; it is executed once a left row. kind is INNER or LEFT. */
        } join;
        struct {
            enum join_kind kind;   /* INNER, LEFT */
            struct expr **values;  /* over the left columns, for the cells */
            const uint32_t *cells; /* of the statement: EXPR_OUTER of the right side finds them */
            uint32_t cell_count;
            struct expr *condition; /* ON of LEFT, over left columns then right; or NULL */
        } lateral;
        struct {
            struct expr *bounds[3]; /* integers without columns: start, stop, step */
        } series;
        struct {
            struct expr **groups;
            uint32_t group_count; /* 0: one group, even of no rows */
            struct aggregate *aggregates;
            uint32_t aggregate_count;
            bool grouped; /* rows with equal groups come one after the other */
        } aggregate;      /* produces groups, then aggregates */
        struct {
            struct expr **partitions;
            uint32_t partition_count;
            struct sort_key *keys;
            uint32_t key_count;
            struct window_function *functions;
            uint32_t function_count;
        } window; /* produces the input's columns, then the functions; rows stay in their order */
        struct {
            struct sort_key *keys;
            uint32_t key_count;
            struct expr *limit; /* PLAN_TOP_N only */
            struct expr *offset;
        } sort;
        struct {
            struct expr *limit; /* integer, constant or parameter; NULL expression or value: all */
            struct expr *offset;
            /* The rows behind the last one that equal it in these, the order they come in, too. */
            bool with_ties;
            struct sort_key *keys;
            uint32_t key_count;
        } limit;
        struct {
            struct expr **keys; /* PLAN_DISTINCT: the first row of each of their values */
            uint32_t key_count; /* 0: of all columns */
            bool ordered;       /* rows with equal keys come one after the other */
        } distinct;
        struct {
            bool all; /* repetitions are rows of their own; otherwise each row comes out once */
        } set;        /* PLAN_INTERSECT, PLAN_EXCEPT */
        struct {
            uint32_t number; /* of the working table, or of the common query */
            const char *name;
            bool all;          /* PLAN_RECURSIVE: a row may come again */
            struct plan *plan; /* PLAN_COMMON: what is run */
        } with;                /* PLAN_RECURSIVE, PLAN_WORKING, PLAN_COMMON */
        struct {
            const struct table *table;
            const struct plan_rules *rules;
            /* INSERT: the input has one column a column of the table, already cast to the column's
               kind; ranges, lengths, NOT NULL, UNIQUE, FOREIGN KEY are checked by the executor.
               UPDATE: the input has all the table's columns as they are, then the values for
               `assigned`, cast likewise. DELETE: all the table's columns. */
            uint32_t *assigned; /* places in table->columns; UPDATE, and CONFLICT_UPDATE */
            uint32_t assigned_count;
            /* UPDATE, DELETE: a row may come several times; the first counts. */
            bool may_repeat;
            /* UPDATE, DELETE of the one row a key leads to, NULL otherwise: a PLAN_SCAN of one
               range, what else must be true of the row (or NULL), and the values for `assigned`,
               over the table's columns. `left` says the same. */
            const struct plan *one_row;
            struct expr *one_row_filter;
            struct expr **one_row_values;
            /* The changed rows come out, with all the table's columns: as they are now, those of
               DELETE as they were; behind them, of UPDATE and DELETE, any columns that the input
               has behind those it needs. Otherwise nothing comes out. */
            bool returning;
            enum conflict_action conflict;      /* INSERT */
            const struct index *conflict_index; /* the one that counts; NULL: each unique one.
                                                   Never NULL with CONFLICT_UPDATE */
            struct expr **conflict_values;      /* for `assigned`, over the columns of the row that
                                                   is there, then of the one that is not put in */
            struct expr *conflict_where;        /* likewise, or NULL; not true: nothing is done */
        } modify;
    } as;
};

/* ---- statements ---------------------------------------------------------------------------------
 */

/* What is known of the values of a column; NULLs are counted apart. */
struct column_statistics {
    bool known;
    double null_fraction;
    double distinct; /* different values */
    /* The most common ones, the most common first, each with its share of all rows. */
    struct value *common;
    double *common_fraction;
    uint32_t common_count;
    /* The others: between two neighbouring bounds lie equally many; ascending. None: too few. */
    struct value *bounds;
    uint32_t bound_count;
};

struct table_statistics {
    double rows;
    struct column_statistics *columns; /* by ordinal */
    uint32_t column_count;             /* may be none: only the number of rows is known */
};

struct plan_options {
    /* Types of $1.. as far as the client gave them; SQL_UNKNOWN: infer. */
    const enum sql_type *parameter_types;
    uint32_t parameter_count;
    /* Lenient where SQLite is, see plan_lenient.c. */
    bool sqlite;
    /* Rewrites that may be switched off, for tests and EXPLAIN; all on by default. */
    bool no_fold, no_pushdown, no_index, no_hash_join, no_lookup_join, no_top_n, no_unnest;
    bool no_merge_join, no_decorrelate, no_limit_pushdown, no_prune;
    bool no_grouped;    /* nobody knows that rows come group by group */
    bool no_extremes;   /* min and max by index */
    bool declared;      /* planned.declared is wanted; CHAR(n) comes out without its blanks */
    bool no_one_row;    /* one row is written as many are */
    bool no_same_rows;  /* subqueries over the block's own rows are run */
    bool no_key_filter; /* groups nobody asks for are made */
    bool no_join_order; /* inputs are joined as they are written */
    /* Appends the text of the query that stands for a table of another schema than "public", which
     * has its rows in it. ERR_NOT_FOUND: the schema has no such table; ERR_UNSUPPORTED: there is no
     * such schema. NULL: there is none. */
    status_t (*internal)(void *context, const char *schema, const char *table, struct buffer *sql,
                         struct error *error);
    void *internal_context;
    bool why; /* take down for each index why it is not used */
    /* What is known of tables, or NULL: they are taken as 1000 rows. It must stay as it is until
       the planning ends. */
    const struct table_statistics *(*statistics)(void *context, const struct table *table);
    void *statistics_context;
    /* Row counts alone, or NULL. */
    double (*table_rows)(void *context, const struct table *table);
    void *table_rows_context;
    /* Asked over and over while the planning goes on: anything but OK, told in the error, ends it
       with that. NULL: it goes on. */
    status_t (*poll)(void *context, struct error *error);
    void *poll_context;
    size_t memory_max; /* of the arena, for one plan; more: 53200. 0: any */
};

struct plan_use {
    uint32_t relation_id;
    uint32_t ordinal_end; /* as in struct view_use */
    bool direct;          /* not through a view */
};

/* A sequence that the statement takes from. */
struct plan_nextval {
    const char *name; /* as nextval's argument has it; NULL: only known when it is called */
    bool each_row;    /* the DEFAULT of a column: once for each row put in; else once */
    bool late; /* in RETURNING or ON CONFLICT: for each row, when rows have been written already */
};

struct planned {
    struct plan_nextval *nextvals;
    uint32_t nextval_count;
    struct plan *root;
    enum sql_type *parameter_types; /* inferred; what stays unknown is text */
    uint32_t parameter_count;
    uint32_t *declared;        /* `length_max` of a SELECT's columns; NULL: not wanted */
    struct subplan **subplans; /* queries inside expressions */
    uint32_t subplan_count;
    uint32_t cell_count;
    uint32_t working_count; /* of PLAN_RECURSIVE */
    uint32_t common_count;  /* of PLAN_COMMON */
    struct plan_use *uses;  /* tables and views it names itself, and through views */
    uint32_t use_count;
    bool returns_rows; /* SELECT, VALUES */
    bool is_momentary; /* has rows in it that were made for this one statement */
    bool writes;
    /* True when it touches at most some hundred rows, by key: it may run where it arrived. */
    bool is_short;
};

/* Plans SELECT, VALUES, INSERT, UPDATE, DELETE; of an EXPLAIN the statement inside it. Everything
 * is allocated in the arena. Errors: 42P01 undefined table, 42703 undefined column, 42702
 * ambiguous, 42883 undefined function, 42804 datatype mismatch, 42803 grouping error, 42P18
 * indeterminate datatype, 0A000, ... with position and hint. */
status_t plan_statement(const struct ast_statement *statement, const struct catalog *catalog,
                        const struct plan_options *options, struct arena *arena,
                        struct planned *out, struct error *error);

/* The type of a column that is declared so: SQLite's numbers with a fraction are of one kind. */
struct type_spec plan_column_type(struct type_spec declared, bool sqlite);

/* A column's DEFAULT: an expression without columns, cast to its type. */
status_t plan_default_expression(const struct ast_expr *ast, const char *name,
                                 struct type_spec type, struct arena *arena, struct expr **out,
                                 struct error *error);

/* An argument of EXECUTE: without columns, queries and parameters. */
status_t plan_argument(const struct ast_expr *ast, struct arena *arena, struct expr **out,
                       struct error *error);

/* An expression over a table's columns, without aggregates and queries: `what` names it in errors
 * ("CHECK"). SQL_UNKNOWN: of any type; else it must be of that type. */
status_t plan_row_expression(const struct ast_expr *ast, const struct table *table,
                             const char *what, enum sql_type type, struct arena *arena,
                             struct expr **out, struct error *error);
/* Has the same value for the same row at any time, for anyone: what an index may rest on. */
bool plan_is_lasting(const struct expr *expr);
/* A column's DEFAULT, of its kind; NULL without one. */
status_t plan_default(const struct column *column, struct arena *arena, struct expr **out,
                      struct error *error);
/* The table's own, from its catalog. */
status_t plan_rules(const struct table *table, struct arena *arena, const struct plan_rules **out,
                    struct error *error);

/* Of a PLAN_SCAN: are the rows found by whole unique keys? Then each range has one at most. */
bool plan_is_lookup(const struct plan *scan);
/* Draws the tree, one line a row, into `out`:
 *     Project: o.id, c.name
 *     └─ Hash Join (inner): o.customer_id = c.id
 *        ├─ Scan: orders o
 *        └─ Index Scan: customers c using customers_name_idx (name = 'x')            */
void plan_explain(const struct plan *plan, struct buffer *out);
/* The same; `note` may add to the end of each node's line. */
typedef void plan_note_fn(void *context, const struct plan *node, struct buffer *out);
void plan_explain_noted(const struct plan *plan, plan_note_fn *note, void *context,
                        struct buffer *out);
/* For each index of each table that is read why it is used or not; the plan was made with `why`. */
void plan_explain_why(const struct plan *plan, struct buffer *out);
/* One expression as SQL text, for EXPLAIN and tests. */
void expr_print(const struct expr *expr, struct buffer *out);

/* A call or cast that is NULL when any argument is. */
bool expr_is_strict(const struct expr *expr);

/* ---- comparisons (EQ to GE) ---------------------------------------------------------------- */

/* Whether `a call b` holds, `order` being that of a and b: below, at or above 0. */
static inline bool expr_order_holds(enum expr_call call, int order)
{
    static const uint8_t below_at_above[] = {
        [CALL_EQ] = 2, [CALL_NE] = 5, [CALL_LT] = 1, [CALL_LE] = 3, [CALL_GT] = 4, [CALL_GE] = 6};
    return below_at_above[call] >> ((order >= 0) + (order > 0)) & 1;
}
/* The comparison with its sides exchanged; the same for what is not one. */
enum expr_call expr_call_mirrored(enum expr_call call);

/* ---- what functions there are ---------------------------------------------------------------- */

struct plan_function {
    const char *name;
    const char *kind;               /* "function", "aggregate", "window", "set" (of rows) */
    const enum sql_type *arguments; /* or NULL: various */
    uint32_t arguments_min;
    uint32_t arguments_max; /* UINT32_MAX: any number, or not told */
    enum sql_type result;   /* SQL_UNKNOWN: that of the arguments, or not told */
};

/* Function number i, from 0; false when there is none. One of several types comes several times. */
bool plan_function_at(uint32_t i, struct plan_function *out);

#endif
