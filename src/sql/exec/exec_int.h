/* Inside the executor: operators, compiled expressions, collected rows, hash tables.
 *
 * Who owns what. Everything that lives as long as the statement (operators, compiled expressions,
 * their vectors) is in the context's arena. What grows with the data is in an arena or array of the
 * operator that collects it, counted by exec__memory_charge and freed by its close. Text made by a
 * function lives in a `scratch` arena of the operator that evaluates it, reset at its next batch.
 */
#ifndef SQL_EXEC_EXEC_INT_H
#define SQL_EXEC_EXEC_INT_H

#include "base/check.h"
#include "base/prng.h"
#include "sql/exec/exec.h"
#include "sql/exec/slots_int.h"

enum {
    EXEC_BATCH_FIRST = 64, /* rows of the first batch of a scan: most statements want few */
    EXEC_MEMORY_DEFAULT = 256 << 20,
    EXEC_TEXT_SIZE_MAX = 1 << 24, /* bytes of text a function or an aggregate may make at once: what
                                     it does with them cannot be cancelled half-way */
};

/* ---- operators ------------------------------------------------------------------------------- */

struct operator;

struct operator_ops {
    /* *batch is valid until the next call; NULL at the end, and then again. Never an empty one. */
    status_t (*next)(struct operator* op, struct batch **batch, struct error *error);
    void (*close)(struct operator* op); /* NULL: nothing to free */
};

/* The first member of each operator's own struct. */
struct operator
{
    const struct operator_ops *ops;
    struct exec *exec;
    const struct plan *plan;
    struct operator* left;
    struct operator* right;
    struct operator* opened_before; /* list of all, for exec_close */
    struct exec_figures figures;
    uint64_t memory; /* held now, when measured */
};

struct subquery;
struct common;
struct operand;
struct collection;
struct row_store;

/* One run of a plan: the statement's, or a subquery's within it. */
struct exec {
    struct exec_context context;
    const struct exec *leader;    /* of one that helps another: that one; see parallel.c */
    struct exec *top;             /* the statement's own, itself included: it counts the memory */
    struct value *cells;          /* of top: values of the rows around subqueries */
    struct subquery **subqueries; /* of top, by number; made when first run */
    uint32_t subquery_count;
    struct row_store **workings; /* of top, by number: the rows of the last time */
    struct common **commons;     /* of top, by number; made when first read */
    uint32_t common_count;
    struct exec_measured *measured; /* of top: operators that were closed before the end */
    uint32_t measured_count;
    uint32_t measured_capacity;
    struct arena *arena;
    uint32_t batch_rows;
    size_t memory_budget;
    size_t memory_used;
    bool put_aside; /* of top: an operator has files, and the text of its rows is theirs */
    uint64_t rows_affected;
    bool written;
    bool takes_values;  /* of sequences */
    bool takes_unnamed; /* of some whose names are only known when they are called */
    bool may_gather;    /* nothing is written while rows are read, and there are threads to help */
    bool few_wanted;    /* of what is being opened: reading will stop early */
    const struct plan *gathered; /* a scan that is read by several threads from further above */
    const struct plan *plan;     /* root's, or what is below it when several threads read it */
    struct operator* root;
    struct operator* opened;        /* newest first */
    struct operator* at_work;       /* of top: whose next is running, when measured */
    struct batch one_row;           /* no columns: what constants are evaluated over */
    const struct operand *operands; /* bound around what is being compiled */
    struct prng prng;               /* random() */
    bool prng_seeded;
    int64_t row_id_next; /* 0: none was given yet */
    status_t failed;     /* an error is final: later calls give it again */
};

/* What operators of a node did in runs that are over. */
struct exec_measured {
    const struct plan *plan;
    struct exec_figures figures;
};

void exec__init(struct exec *exec, const struct exec_context *context);
/* Closes all that were opened; their figures are noted when measured. */
void exec__operators_close(struct exec *exec);
void exec__subqueries_close(struct exec *top);
void exec__commons_close(struct exec *top);
/* A run of its own within the statement's, with what it makes in `arena`. */
void exec__init_inner(struct exec *exec, struct exec *top, struct arena *arena);

/* Zeroed memory of `size` for an operator, its inputs not yet opened. */
void *exec__operator_create(struct exec *exec, const struct plan *plan,
                            const struct operator_ops *ops, size_t size);
status_t exec__operator_open(struct exec *exec, const struct plan *plan, struct operator** out,
                             struct error *error);
status_t exec__operator_next(struct operator* op, struct batch **batch, struct error *error);
/* When the statement began, as it is told; asked for the first time: now. */
static inline uint64_t exec__statement_us(struct exec *exec)
{
    struct exec_context *context = &exec->top->context;
    if (context->statement_us == 0)
        context->statement_us = env_wall_us(context->env);
    return context->statement_us;
}
/* The statement's random bits. */
uint64_t exec__random(struct exec *exec);
/* Does text in this output column stay valid until exec_close? */
bool exec__text_is_stable(const struct plan *plan, uint32_t column);

struct bounds {
    struct slice low;
    struct slice high; /* exclusive; empty: no bound */
    bool is_point;     /* low is one whole key that exists at most once */
};

/* One for each plan_kind. */
status_t exec__values_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__scan_open(struct exec *, const struct plan *, struct operator**, struct error *);
/* Of a scan of one range, before its first row: that range. False: it is no such scan. */
status_t exec__scan_range(struct operator* scan, struct bounds *range, bool *found,
                          struct error *error);
/* Reads that part of a range noted as read next; the bounds are the caller's. */
void exec__scan_set_part(struct operator* scan, const struct bounds *part);
/* How many rows a scan gives, without reading them; it is then at its end. */
status_t exec__scan_count(struct operator* scan, uint64_t *rows, struct error *error);
status_t exec__key_filter_open(struct exec *, const struct plan *, struct operator**,
                               struct error *);
status_t exec__filter_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__project_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__hash_join_open(struct exec *, const struct plan *, struct operator**,
                              struct error *);
/* Collects and hashes the right side now, before the first row. *whole: all of it fits, and others
 * may look rows up in it. */
status_t exec__hash_join_build(struct operator* join, bool *whole, struct error *error);
/* More left rows may come after their end. */
void exec__hash_join_go_on(struct operator* join);
status_t exec__nested_loop_open(struct exec *, const struct plan *, struct operator**,
                                struct error *);
status_t exec__lookup_join_open(struct exec *, const struct plan *, struct operator**,
                                struct error *);
status_t exec__merge_join_open(struct exec *, const struct plan *, struct operator**,
                               struct error *);
status_t exec__aggregate_open(struct exec *, const struct plan *, struct operator**,
                              struct error *);
status_t exec__window_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__sort_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__top_n_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__limit_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__limit_ties_open(struct exec *, const struct plan *, struct operator**,
                               struct error *);
status_t exec__distinct_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__copy_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__append_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__lateral_join_open(struct exec *, const struct plan *, struct operator**,
                                 struct error *);
status_t exec__series_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__recursive_open(struct exec *, const struct plan *, struct operator**,
                              struct error *);
status_t exec__working_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__common_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__set_open(struct exec *, const struct plan *, struct operator**, struct error *);
status_t exec__modify_open(struct exec *, const struct plan *, struct operator**, struct error *);

/* LIMIT and OFFSET as numbers; 2201W, 2201X when negative. */
status_t exec__limit_values(struct exec *exec, const struct expr *limit, const struct expr *offset,
                            uint64_t *rows, uint64_t *skip, struct error *error);

/* ERR_CANCELED when the cancel flag is up. */
status_t exec__cancel_check(const struct exec *exec, struct error *error);

/* Work between two looks at the cancel flag, counted in steps of about a nanosecond. */
struct pace {
    const struct exec *exec;
    uint64_t steps;
};

static inline status_t exec__pace(struct pace *pace, uint64_t steps, struct error *error)
{
    enum { STEPS_BETWEEN = 1 << 20 };
    pace->steps += steps;
    if (pace->steps < STEPS_BETWEEN)
        return OK;
    pace->steps = 0;
    return exec__cancel_check(pace->exec, error);
}

/* Counts bytes held; ERR_NOMEM (53200) over the budget, and then they are counted all the same. */
status_t exec__memory_charge(struct exec *exec, size_t bytes, struct error *error);
void exec__memory_release(struct exec *exec, size_t bytes);

/* ---- vectors --------------------------------------------------------------------------------- */

/* 1, EXEC_BATCH_FIRST or the whole batch size: the least that holds `rows`. */
uint32_t exec__capacity(const struct exec *exec, uint32_t rows);
/* All of the first `rows` NULL. */
void exec__vector_null_all(struct vector *vector, uint32_t rows);
/* dst[at + i] = src[rows[i]], or src[i] when rows is NULL. Text is not copied. The entries written
 * must not be NULL before. */
void exec__vector_gather(struct vector *dst, uint32_t at, const struct vector *src,
                         const uint32_t *rows, uint32_t count);
/* dst[to] = src[from], which is not NULL. */
static inline void exec__entry_copy(struct vector *dst, uint32_t to, const struct vector *src,
                                    uint32_t from)
{
    switch (type_storage(dst->type)) {
    case SQL_BOOLEAN:
        dst->as.booleans[to] = src->as.booleans[from];
        break;
    case SQL_TEXT:
        dst->as.texts[to] = src->as.texts[from];
        break;
    case SQL_NUMERIC:
        dst->as.numerics[to] = src->as.numerics[from];
        break;
    case SQL_INTERVAL:
        dst->as.intervals[to] = src->as.intervals[from];
        break;
    case SQL_UUID:
        dst->as.uuids[to] = src->as.uuids[from];
        break;
    default: /* of 8 bytes */
        dst->as.integers[to] = src->as.integers[from];
        break;
    }
}
/* dst[row] = src[row], or src[0] with `constant`, for the rows of `in`. */
void exec__vector_scatter(struct vector *dst, const struct vector *src, bool constant,
                          const struct batch *in);
/* Makes *batch one of at least `rows` rows, empty; what was in it is lost. */
void exec__batch_prepare(struct exec *exec, struct batch **batch, const enum sql_type *types,
                         uint32_t column_count, uint32_t rows);

/* ---- expressions (eval.c) -------------------------------------------------------------------- */

struct eval;
typedef status_t eval_fn(struct eval *eval, const struct batch *in, struct error *error);

/* A compiled expression. After a run `result` holds a value at each selected row of the input, or,
 * when `constant`, one value at row 0. It stays until the next run. */
struct eval {
    const struct expr *expr;
    struct exec *exec;
    struct arena *scratch; /* for text made here */
    eval_fn *run;
    struct eval **arguments;
    uint32_t argument_count;
    bool constant;
    bool done; /* constant and already computed */
    const struct vector *result;
    struct vector out;       /* what result points to, unless it is a column of the input */
    uint32_t *selections[2]; /* room for narrowed selections, see exec__eval_selections */
    uint32_t selection_capacity;
    void *state; /* of the kernel */
};

/* Sets named[i] of each column i that the expression names. */
void exec__expr_columns(const struct expr *expr, bool *named);
status_t exec__eval_compile(struct exec *exec, const struct expr *expr, struct arena *scratch,
                            struct eval **out, struct error *error);
status_t exec__eval_compile_all(struct exec *exec, struct expr *const *exprs, uint32_t count,
                                struct arena *scratch, struct eval ***out, struct error *error);
/* `in` must have at least one selected row. */
status_t exec__eval_run(struct eval *eval, const struct batch *in, struct error *error);
/* As exec__eval_run, but a constant is spread over the rows: result holds a value at each. */
status_t exec__eval_column(struct eval *eval, const struct batch *in, const struct vector **result,
                           struct error *error);
/* Puts the rows for which a boolean expression is true into `selection` (room for in->row_count;
 * may be in->selection itself). */
status_t exec__eval_filter(struct eval *eval, const struct batch *in, uint32_t *selection,
                           uint32_t *selected, struct error *error);
/* One value of an expression without columns. */
status_t exec__eval_constant(struct eval *eval, struct value *out, struct error *error);

/* As exec__expr_value, of any kind. */
status_t exec__expr_value_any(struct exec *exec, const struct expr *expr, struct value *out,
                              struct error *error);
/* The same without compiling first, as cheap as can be for constants and parameters. */
static inline status_t exec__expr_value(struct exec *exec, const struct expr *expr,
                                        struct value *out, struct error *error)
{
    const struct exec_context *context = &exec->context;
    if (expr->kind != EXPR_PARAMETER || expr->index >= context->parameter_count)
        return exec__expr_value_any(exec, expr, out, error);
    *out = context->parameters[expr->index];
    ASSERT(out->null || out->type == expr->type);
    out->type = expr->type;
    return OK;
}

/* The statement's: the transaction's start, and the session's zone. */
struct clock exec__clock(const struct exec *exec);
/* A timestamp of that type and an interval; months are those of the session's zone. */
status_t exec__timestamp_add(const struct exec *exec, enum sql_type type, int64_t us,
                             struct interval interval, int64_t *out, struct error *error);

/* For kernels. */
void exec__eval_prepare(struct eval *eval, uint32_t rows); /* an `out` without NULLs */
void exec__eval_selections(struct eval *eval, uint32_t rows);
/* Runs the arguments and unites their NULLs in `out`; *all_null when there is nothing to do. */
status_t exec__eval_strict(struct eval *eval, const struct batch *in, bool *all_null,
                           struct error *error);
/* The value at one row, into `out`. */
typedef status_t eval_row_fn(struct eval *eval, uint32_t row, struct error *error);
/* That at each selected row that is not NULL in `out`. 53200 when the text made for them is more
 * than the statement may hold. */
status_t exec__eval_rows(struct eval *eval, const struct batch *in, eval_row_fn *function,
                         struct error *error);
static inline uint32_t exec__eval_row(const struct eval *eval, uint32_t row)
{
    return eval->constant ? 0 : row;
}
static inline bool exec__eval_null(const struct eval *eval, uint32_t row)
{
    return vector_is_null(eval->result, exec__eval_row(eval, row));
}
static inline struct numeric exec__eval_numeric(const struct eval *eval, uint32_t row)
{
    return eval->result->as.numerics[exec__eval_row(eval, row)];
}
static inline int64_t exec__eval_integer(const struct eval *eval, uint32_t row)
{
    return eval->result->as.integers[exec__eval_row(eval, row)];
}
static inline double exec__eval_double(const struct eval *eval, uint32_t row)
{
    return eval->result->as.reals[exec__eval_row(eval, row)];
}
static inline struct slice exec__eval_text(const struct eval *eval, uint32_t row)
{
    return eval->result->as.texts[exec__eval_row(eval, row)];
}
/* Letters of Latin-1, Greek and Cyrillic in the other case. */
uint32_t exec__char_upper(uint32_t c);
uint32_t exec__char_lower(uint32_t c);
/* The kernel of an EXPR_CALL, or NULL when it is another file's. */
eval_fn *exec__compare_kernel(const struct expr *expr);
eval_fn *exec__bytes_kernel(const struct expr *expr);
eval_fn *exec__numeric_kernel(const struct expr *expr);
eval_fn *exec__number_kernel(const struct expr *expr);
eval_fn *exec__bits_kernel(const struct expr *expr);
eval_fn *exec__arithmetic_kernel(const struct expr *expr);
eval_fn *exec__math_kernel(const struct expr *expr);
eval_fn *exec__text_kernel(const struct expr *expr);
eval_fn *exec__regex_kernel(const struct expr *expr);
eval_fn *exec__string_kernel(const struct expr *expr);
eval_fn *exec__real_kernel(const struct expr *expr);
eval_fn *exec__like_kernel(const struct expr *expr);
eval_fn *exec__case_kernel(const struct expr *expr);
eval_fn *exec__datetime_kernel(const struct expr *expr);
eval_fn *exec__sequence_kernel(const struct expr *expr);
eval_fn *exec__copy_kernel(const struct expr *expr);
/* EXPR_BIND, and an EXPR_OPERAND within it. */
status_t exec__bind_compile(struct eval *eval, struct arena *scratch, struct error *error);
void exec__operand_compile(struct eval *eval);
/* Kernels of the other kinds. */
eval_fn exec__and_run, exec__or_run, exec__case_run, exec__in_run, exec__cast_run,
    exec__subquery_run;

/* The order of two values under a sort key. */
static inline int exec__sort_key_order(const struct sort_key *key, const struct value *a,
                                       const struct value *b)
{
    if (a->null || b->null) {
        int order = (int)a->null - (int)b->null; /* NULLs last */
        return key->nulls_first ? -order : order;
    }
    int order = value_compare(a, b);
    return key->descending ? -order : order;
}

/* ---- collected rows (collection.c) ------------------------------------------------------------
 */

/* Rows kept as columns, in chunks of BATCH_ROWS_MAX; a row's number tells chunk and place. */
struct collection {
    struct exec *exec;
    struct arena arena;
    size_t charged;
    const enum sql_type *types;
    const bool *stable; /* text of this column need not be copied; NULL: copy all */
    uint32_t column_count;
    const struct vector **sources; /* room for exec__collection_append_batch */
    struct batch **chunks;
    uint32_t chunk_count;
    uint32_t chunk_capacity;
    uint32_t row_count;
};

void exec__collection_init(struct collection *collection, struct exec *exec,
                           const enum sql_type *types, const bool *stable, uint32_t column_count);
void exec__collection_free(struct collection *collection);
/* Appends the `count` rows listed (NULL: the first `count`). One vector a column. */
status_t exec__collection_append(struct collection *collection, const struct vector *const *columns,
                                 const uint32_t *rows, uint32_t count, struct error *error);
/* dst[at + i] = the column at rows[i]; NULL for EXEC_NO_ROW. */
void exec__collection_gather(const struct collection *collection, uint32_t column,
                             const uint32_t *rows, uint32_t count, struct vector *dst, uint32_t at);
/* Appends the selected rows of a batch of the same columns. */
status_t exec__collection_append_batch(struct collection *collection, const struct batch *batch,
                                       struct error *error);
/* *batch of a plan node's columns gets rows from `row` on; returns how many. There must be one. */
uint32_t exec__collection_batch(const struct collection *collection, struct exec *exec,
                                const struct plan *plan, uint32_t row, struct batch **batch);
static inline const struct vector *exec__collection_vector(const struct collection *collection,
                                                           uint32_t column, uint32_t row)
{
    return &collection->chunks[row / BATCH_ROWS_MAX]->columns[column];
}
static inline struct value exec__collection_value(const struct collection *collection,
                                                  uint32_t column, uint32_t row)
{
    return vector_get(exec__collection_vector(collection, column, row), row % BATCH_ROWS_MAX);
}

/* ---- hashing (hash.c) --------------------------------------------------------------------------
 */

/* hashes[i] of the keys at rows[i] (NULL: i). NULL is a value like another. */
void exec__hash_rows(const struct vector *const *keys, uint32_t key_count, const uint32_t *rows,
                     uint32_t count, uint64_t *hashes);
/* Are two entries of one type equal, NULL being equal to NULL? */
bool exec__entries_equal(const struct vector *a, uint32_t a_row, const struct vector *b,
                         uint32_t b_row);

/* Tuples to numbers 0, 1, 2, ... in order of arrival, NULLs being equal. */
struct key_table {
    struct collection keys;
    struct slots slots;
};
/* Bytes held. */
static inline size_t exec__key_table_memory(const struct key_table *table)
{
    return table->slots.charged + table->keys.charged;
}

void exec__key_table_init(struct key_table *table, struct exec *exec, const enum sql_type *types,
                          const bool *stable, uint32_t column_count);
void exec__key_table_free(struct key_table *table);
/* numbers[i] of the tuple at rows[i]; is_new[i] (may be NULL) tells whether it was added now. */
status_t exec__key_table_put(struct key_table *table, const struct vector *const *keys,
                             const uint32_t *rows, uint32_t count, uint32_t *numbers, bool *is_new,
                             struct error *error);

/* numbers[i] of the tuple at rows[i], EXEC_NO_ROW when it is not there. */
void exec__key_table_find(const struct key_table *table, const struct vector *const *keys,
                          const uint32_t *rows, uint32_t count, uint32_t *numbers);

/* ---- aggregates (aggregate_state.c) ------------------------------------------------------------
 */

/* What an aggregate keeps of one group or window frame; zeroed: of nothing yet. */
struct aggregate_state {
    union {
        __int128 sum;
        double real;
        int64_t integer;
        bool boolean;
        struct numeric numeric;
        struct interval interval;
        struct uuid uuid;
        struct {
            double sum;
            double squares; /* of the differences from the mean */
        } spread;
        struct numeric_spread *exact;
        struct aggregate_pairs *pairs;
        struct {
            uint8_t *data;
            size_t size;
        } text; /* with room for `capacity` bytes */
    } as;
    uint64_t count; /* values taken in */
    size_t capacity;
    uint32_t scale; /* of a sum of numerics */
};

/* One vector of values (NULL: count(*)), of which the `count` rows listed are taken, none NULL (but
 * for AGGREGATE_FIRST). */
struct aggregate_intake {
    const struct vector *values;
    const struct vector *separators; /* of aggregates with two arguments; has NULLs */
    const uint32_t *rows;
    uint32_t count;
    const uint32_t *group_of; /* by row: which state; NULL: all to the first */
};

/* Text is kept in `texts`. 22003 when a sum of doubles is out of range. */
status_t exec__states_take(const struct aggregate *aggregate, struct aggregate_state *states,
                           const struct aggregate_intake *intake, struct arena *texts,
                           struct error *error);
/* Text of the result is that of the state. 22003 when a sum does not fit. */
status_t exec__state_result(const struct aggregate *aggregate, const struct aggregate_state *state,
                            struct value *out, struct error *error);
/* Can two states become the one of both their values? */
bool exec__state_can_merge(const struct aggregate *aggregate);
status_t exec__state_merge(const struct aggregate *aggregate, struct aggregate_state *into,
                           const struct aggregate_state *from, struct arena *texts,
                           struct error *error);

/* What a state that can be merged holds by a pointer: of one that was copied byte by byte it makes
 * a whole one again, with memory of its own. */
struct slice exec__state_beside(const struct aggregate *aggregate,
                                const struct aggregate_state *state);
void exec__state_restore(const struct aggregate *aggregate, struct aggregate_state *state,
                         struct slice beside, struct arena *texts);

static inline struct aggregate_state *
exec__state_of(struct aggregate_state *states, const struct aggregate_intake *intake, uint32_t row)
{
    return &states[intake->group_of ? intake->group_of[row] : 0];
}

/* Variances, and what is told of pairs of doubles (aggregate_spread.c). 22003 when a sum leaves
 * what doubles can be. */
static inline bool exec__is_variance(enum aggregate_kind kind)
{
    return kind >= AGGREGATE_VAR_SAMP && kind <= AGGREGATE_STDDEV_POP;
}
status_t exec__spread_take(struct aggregate_state *states, const struct aggregate_intake *intake,
                           struct arena *texts, struct error *error);
status_t exec__spread_merge(enum sql_type type, struct aggregate_state *into,
                            const struct aggregate_state *from, struct error *error);
status_t exec__spread_result(const struct aggregate *aggregate, const struct aggregate_state *state,
                             struct value *out, struct error *error);
status_t exec__pairs_take(struct aggregate_state *states, const struct aggregate_intake *intake,
                          struct arena *texts, struct error *error);
status_t exec__pairs_merge(struct aggregate_state *into, const struct aggregate_state *from,
                           struct error *error);
void exec__pairs_result(const struct aggregate *aggregate, const struct aggregate_state *state,
                        struct value *out);
struct slice exec__spread_beside(const struct aggregate *aggregate,
                                 const struct aggregate_state *state);
/* *into, which has no values, gets those of `from`, in memory of its own. */
void exec__spread_copy(const struct aggregate *aggregate, struct aggregate_state *into,
                       const struct aggregate_state *from, struct arena *texts);

/* ---- key ranges and reading rows (range.c, scan.c) ---------------------------------------------
 */

/* A key range made of values: `values` are of the equal columns, then lower, then upper as far as
 * the range has them. *empty when it selects nothing (a NULL, or low above high). The bounds point
 * into `low` and `high`, which are written anew. */
status_t exec__range_bounds(const struct table *table, const struct index *index,
                            const struct key_range *range, const struct value *values,
                            struct buffer *low, struct buffer *high, struct bounds *bounds,
                            bool *empty, struct error *error);
/* The expressions of a range in the order of those values; room for CATALOG_KEY_COLUMNS_MAX + 2. */
uint32_t exec__range_exprs(const struct key_range *range, const struct expr **exprs);

/* `columns` (places in table->columns; NULL: the first `count`) as row_decode wants them, ascending
 * by ordinal; order[i] tells which of them is the i-th. */
void exec__row_shape(const struct table *table, const uint32_t *columns, uint32_t count,
                     struct arena *arena, struct row_shape *shape, uint32_t **order);

/* Whole rows, up to a number of them at a time; all memory is the arena's. */
struct table_rows {
    const struct table *table;
    struct row_shape shape;
    struct batch *batch; /* emptied by its user, with batch_reset */
    struct vector **targets;
    struct value *row;
};
void exec__rows_init(struct table_rows *rows, const struct table *table, uint32_t capacity,
                     struct arena *arena);
/* ERR_CORRUPT, as row_decode. */
status_t exec__rows_decode(struct table_rows *rows, struct slice stored, uint32_t at);
/* In the order of the table's columns; good until the next call. */
struct value *exec__rows_get(struct table_rows *rows, uint32_t at);

/* Columns of a scan as row_decode wants them. */
struct row_part {
    struct row_shape shape;
    uint32_t *order; /* the shape's i-th is column order[i] */
    struct vector **targets;
    uint32_t *ordinals; /* the shape's own, of one that can be set */
    enum sql_type *types;
    struct value *missing;
};

/* What a scan reads of a table, and how: shared by scan and lookup join (row_reader.c). */
struct row_reader {
    struct exec *exec;
    const struct plan *plan; /* PLAN_SCAN */
    struct row_part whole;   /* all its columns */
    /* index_only: where each column is, in the index's key or the primary key's */
    uint32_t *places;
    struct arena text; /* unescaped text of index_only */
    struct buffer row_key;
};

void exec__row_reader_init(struct row_reader *reader, struct exec *exec, const struct plan *plan);
void exec__row_reader_free(struct row_reader *reader);
/* A part of no columns yet, of a reader that is not index_only. */
void exec__row_part_init(const struct row_reader *reader, struct row_part *part);
/* Makes it those that are true in `columns`. */
void exec__row_part_set(const struct row_reader *reader, struct row_part *part,
                        const bool *columns);
/* Decodes one entry of the index into row `at` of `columns`. */
status_t exec__row_reader_read(struct row_reader *reader, const struct store_entry *entry,
                               struct vector *columns, uint32_t at, struct error *error);
/* A part of many (all, when index_only), into rows `at` and following. The entries' values become
 * the rows, also where they are an index's. */
status_t exec__row_reader_read_many(struct row_reader *reader, struct row_part *part,
                                    struct store_entry *entries, uint32_t count,
                                    struct vector *columns, uint32_t at, struct error *error);
/* A part of entries whose values have become rows: of those listed (ascending; NULL: the first),
 * each into the row of its number. */
status_t exec__row_reader_read_some(struct row_reader *reader, struct row_part *part,
                                    const struct store_entry *entries, const uint32_t *rows,
                                    uint32_t count, struct vector *columns, struct error *error);

/* ---- joins (join.c) ----------------------------------------------------------------------------
 */

/* What all joins share: pairs of a left row and a right row become an output batch, with the rest
 * of ON applied, and it is known who found a partner.
 *
 * With keep_left each left row's pairs are followed by one with EXEC_NO_ROW on the right. It comes
 * out only when no pair of that left row did: so left rows keep their order. */
struct join {
    struct operator* op;
    struct eval *condition; /* or NULL */
    struct arena scratch;
    uint32_t left_columns;
    uint32_t right_columns;
    bool keep_left;      /* LEFT, FULL: left rows without a partner come out with NULLs */
    bool keep_right;     /* RIGHT, FULL */
    bool is_semi;        /* a left row comes out once, and only its columns do */
    bool is_anti;        /* only left rows without a partner come out */
    bool notes_left;     /* left_matched is wanted in any case */
    bool row_paired;     /* the left row being looked at has got a pair */
    uint32_t *left_rows; /* pairs: row of the left batch, row of the right side */
    uint32_t *right_rows;
    uint32_t *survivors;
    uint32_t pair_count;
    uint32_t pair_limit; /* at most the batch size */
    uint32_t pair_capacity;
    uint64_t left_matched[BATCH_ROWS_MAX / 64]; /* of the current left batch */
    uint64_t *right_matched;                    /* bitmap over all right rows, with keep_right */
    size_t right_matched_size;
    uint64_t right_base;          /* the number of the right rows' first one, for the bitmap */
    uint64_t right_place;         /* next row to look at for rows without a partner */
    struct batch condition_batch; /* only the columns the condition looks at are filled */
    bool *condition_columns;
    uint32_t condition_capacity;
    struct batch *out;
};

/* Where the right rows of pairs are: in a collection, or in the columns of a batch. */
struct join_right {
    const struct collection *collection;
    const struct vector *vectors;
};

status_t exec__join_init(struct join *join, struct operator* op, struct error *error);
void exec__join_free(struct join *join);
/* A new left batch: nobody has a partner yet. Room for at least one and at best `pairs` pairs. */
void exec__join_left_batch(struct join *join, uint32_t pairs);
static inline bool exec__join_full(const struct join *join)
{
    return join->pair_count == join->pair_limit;
}
static inline void exec__join_pair(struct join *join, uint32_t left_row, uint32_t right_row)
{
    join->left_rows[join->pair_count] = left_row;
    join->right_rows[join->pair_count++] = right_row;
    join->row_paired = true;
}
/* Is it known already that further pairs of the left row change nothing? */
static inline bool exec__join_row_known(const struct join *join, uint32_t left_row)
{
    return (join->is_semi || join->is_anti) &&
           ((!join->condition && join->row_paired) ||
            (join->left_matched[left_row / 64] >> (left_row % 64) & 1));
}
/* After the last pair of a left row. False: no room, come again. */
bool exec__join_row_end(struct join *join, uint32_t left_row);
/* Turns the pairs into *batch (NULL when none is left over) and empties them. */
status_t exec__join_emit(struct join *join, const struct batch *left, struct join_right right,
                         struct batch **batch, struct error *error);
/* keep_right: begins the bitmap over the right rows, when they are all there. */
status_t exec__join_right_ready(struct join *join, uint64_t rows, struct error *error);
/* Loses the bitmap: other rows will be collected. */
void exec__join_right_forget(struct join *join);
/* keep_right: *batch of right rows that found no partner, of the `rows` rows there are from
 * right_base on; NULL when they have been looked at. */
status_t exec__join_right_rest(struct join *join, struct join_right right, uint32_t rows,
                               struct batch **batch, struct error *error);
/* Collects all of an operator's rows, with `keys` evaluated behind its columns. */
status_t exec__collect(struct operator* input, struct eval **keys, uint32_t key_count,
                       struct arena *scratch, struct collection *into, struct error *error);
/* Types and stability of the columns of `input` followed by key expressions. */
void exec__collection_shape(struct exec *exec, const struct plan *input, struct expr *const *keys,
                            uint32_t key_count, enum sql_type **types, bool **stable);

/* ---- several threads (parallel.c) -------------------------------------------------------------
 */

/* What each thread does with its own operators. */
struct parallel_ops {
    /* Opens a node of the plan for a helper, with what is needed to take its rows. */
    status_t (*open)(struct exec *helper, const struct plan *plan, struct operator** out,
                     struct error *error);
    /* Takes all rows of the input of `op`, which are those of part `number`, into `results`, which
     * only this call uses. */
    status_t (*take)(struct operator* op, void *results, uint32_t number, struct error *error);
};
enum { PARALLEL_PARTS_MAX = 256 };
struct parallel;
/* The scan of a plan that several threads can work off, each a part of the scan; or NULL. */
const struct plan *exec__parallel_scan(const struct plan *plan);
/* Can the input of `op` be read by several threads, and is it worth it? *out is NULL when not; to
 * be destroyed also after an error. */
status_t exec__parallel_begin(struct operator* op, struct parallel **out, struct error *error);
uint32_t exec__parallel_parts(const struct parallel *parallel);
/* How many rows are read, about. */
double exec__parallel_rows(const struct parallel *parallel);
/* Bytes each thread may hold of what it collects. */
size_t exec__parallel_share(const struct parallel *parallel);
/* Every part is taken by one of the threads. Error: that of the first part that has one. What was
 * taken is good until exec__parallel_destroy. */
status_t exec__parallel_run(struct parallel *parallel, const struct parallel_ops *ops,
                            void *results, struct error *error);
/* Any thread: no further part is begun. */
void exec__parallel_stop(struct parallel *parallel);
/* After a run, before its end: the leader's own input starts from its first row, to be read by it
 * alone. */
void exec__parallel_again(struct parallel *parallel);
/* NULL is allowed. */
void exec__parallel_destroy(struct parallel *parallel);
/* Gives it the same value on any thread, in any order? */
bool exec__parallel_expr(const struct expr *expr);
/* Does an aggregation give its groups out as they end (aggregate_runs.c)? */
bool exec__aggregate_in_runs(const struct exec *exec, const struct plan *plan);
/* Can an aggregation be worked out by several threads (aggregate_parallel.c)? */
bool exec__aggregate_is_parallel(const struct plan *plan);
/* Rows in their order, read by several threads (gather.c): is it worth trying for a plan that is
 * about to be opened, and opening it so. */
bool exec__gather_wanted(const struct exec *exec, const struct plan *plan);
status_t exec__gather_open(struct exec *exec, const struct plan *plan, struct operator** out,
                           struct error *error);

#endif
