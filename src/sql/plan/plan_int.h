/* Inside the planner.
 *
 * Between binding and choosing, a column is known by its `slot`: a number that is unique in its
 * query block and stays the same whatever order the joins end up in. EXPR_COLUMN.index is a slot
 * until a stage is laid out; plan__resolve then turns slots into places in the input's batches. So
 * rewriting and reordering never renumber anything. */
#ifndef SQL_PLAN_PLAN_INT_H
#define SQL_PLAN_PLAN_INT_H

#include "base/check.h"
#include "sql/plan/plan.h"

enum { RELATIONS_MAX = 64 /* in one FROM: sets of them are one word */ };
enum { NOWHERE = UINT32_MAX };

/* One statement's planning. */
struct planner {
    const struct catalog *catalog; /* NULL in plan_default_expression */
    const struct plan_options *options;
    struct arena *arena;
    struct error *error;
    enum sql_type *parameter_types;
    uint32_t parameter_count;
    bool keep_unknown;   /* outputs of the next block may stay untyped: INSERT gives them types */
    struct scope *outer; /* what is in sight around the block being bound, or NULL */
    const struct from_node *to_left; /* what the next item of FROM may name, or NULL */
    uint32_t depth;                  /* blocks inside blocks */
    struct subquery **subqueries;    /* all that were bound, in that order */
    uint32_t subquery_count;
    uint32_t subquery_capacity;
    uint32_t cell_count;
    struct with *withs; /* in sight, the innermost first */
    uint32_t working_count;
    uint32_t working_reads; /* places bound so far that read a working table */
    uint32_t common_count;
    const struct view *view; /* whose query is being bound, or NULL */
    struct plan_use *uses;
    uint32_t use_count;
    uint32_t use_capacity;
    struct plan_nextval *nextvals;
    uint32_t nextval_count;
    uint32_t nextval_capacity;
    bool is_momentary;  /* as in struct planned */
    bool in_outer_join; /* on a side of one that may be without rows */
    uint32_t repeated;  /* nodes of expressions that stand in more than one place */
    uint32_t operands;  /* numbers given to operands */
    uint32_t blocks;    /* bound so far */
    uint32_t steps;     /* of plan__poll */
    size_t used_first;  /* of the arena, before */
    status_t stopped;   /* what plan__poll said; what has no status to return goes on shortly */
};

/* Blocks inside blocks, those of views included: binding and choosing recurse over them. And of all
 * of them: views of views, each of which is read twice, are twice as many at each level. */
enum { QUERY_DEPTH_MAX = 600, QUERY_BLOCKS_MAX = 10000 };

/* Whether the planning may go on: called wherever it does the work of one expression, one input or
 * one pair of them, so that a statement that takes long can be ended, or be planned elsewhere. */
status_t plan__poll(struct planner *planner);

/* A query inside an expression, from binding to the end of planning. */
struct subquery {
    struct subplan subplan; /* what the finished plan has of it; first */
    struct query *query;
    uint32_t *cells;
    uint32_t cell_capacity;
    struct expr **values; /* of the cells, over the block around */
    uint32_t value_capacity;
    struct expr *replaced; /* by this, which is not correlated; or NULL */
};

/* A query of WITH that is bound once for all places that name it. */
struct common {
    struct query *query;
    const char *name;
    uint32_t reads;      /* places; with one of them it is a derived table like any other */
    double rows;         /* as a guess before it is laid out; 0: not made yet */
    uint32_t number;     /* of a finished plan, when laid out */
    struct stage *stage; /* when laid out */
};

/* WITH RECURSIVE while its query is bound. */
struct recursion {
    const char *name;
    const struct query *first; /* the term that is run once: it gives the types and names */
    const char *refusal;       /* why no place may name it yet, or NULL */
    uint32_t number;
    uint32_t reads;
    double rows; /* of the working table, as a guess; when the first term is laid out */
};

/* A name of WITH, in sight behind it, and, when recursive, inside it. */
struct with {
    const struct ast_with *ast;
    struct with *next;
    struct scope *outer; /* as it was at the WITH */
    bool recursive;
    struct common *common;       /* or NULL: bound anew for each place */
    struct recursion *recursion; /* the name stands for the rows of the last time */
};

struct exprs {
    struct expr **items;
    uint32_t count;
    uint32_t capacity;
};

struct slot {
    const char *name;    /* the column's own */
    const char *display; /* as EXPLAIN has it; NULL until asked for */
    enum sql_type type;
    uint32_t length;   /* as plan__declared_length */
    uint32_t relation; /* place in query->relations, NOWHERE: a group or an aggregate */
    uint32_t place;    /* in the relation's columns */
    bool not_null;     /* in its table; an outer join may still make it NULL */
    bool hidden;       /* a row id: no name means it, no star has it */
    bool used;         /* something above the scan needs it */
};

/* Groups, and aggregates, of one block: each is compared with all before it. */
enum { GROUPS_MAX = 1664 };

struct query;
struct stage;
struct wish;

/* The functions that share PARTITION BY and ORDER BY. */
struct window {
    struct exprs partitions;
    struct sort_key *keys;
    uint32_t key_count;
    struct window_function *functions;
    uint32_t *slots; /* of each function */
    uint32_t function_count;
    uint32_t function_capacity;
    uint32_t slot_capacity;
};

/* A table or a derived table in FROM. */
struct relation {
    const char *alias;         /* NULL: a derived table without one */
    const struct table *table; /* or NULL */
    struct query *derived;     /* or NULL */
    const struct view *view;   /* that the derived table is the query of, or NULL */
    const char **names;        /* renamed columns, or NULL: the table's own */
    struct subquery *lateral;  /* the cells of a derived table that names what is to its left */
    struct common *common;     /* the derived table may be one that others read too; or NULL */
    uint32_t slot_first;
    uint32_t column_count;
    uint32_t searches;          /* of columns by name */
    struct named_column *named; /* those in order, or NULL (plan_names.c) */
    uint32_t named_count;
    const struct stage *laid_out; /* of a derived table, when chosen; it has no wish of order */
};

/* A column merged by USING or NATURAL. */
struct merged_column {
    const char *name;
    struct expr *expr;
};

/* FROM as a tree. Binding makes leaves and joins of two; pushdown turns a nest of inner joins into
 * one node of many inputs. */
struct from_node {
    bool leaf;
    uint32_t relation;  /* of a leaf */
    uint64_t relations; /* set of all below */
    enum join_kind kind;
    bool lateral; /* of two inputs, INNER or LEFT; the right one is a leaf that sees the left one */
    struct from_node **inputs;
    uint32_t input_count;
    struct exprs on; /* inner: all conditions over several inputs; outer: its ON */
    bool closed;     /* equalities in `on` have all that follow from them beside them */
    /* As an input of a set: INNER, or SEMI or ANTI on conditions of its own, with others of it. */
    enum join_kind joined_as;
    struct exprs joined_on;
    struct exprs filters; /* to be applied on what the node produces */
    struct merged_column *merged;
    uint32_t merged_count;
};

/* One query block. */
struct query {
    struct slot *slots;
    uint32_t slot_count;
    uint32_t slot_capacity;
    struct relation *relations;
    uint32_t relation_count;
    struct from_node *from; /* NULL: none */
    struct exprs where;
    struct window *row_window; /* over the rows WHERE leaves, before they are grouped; or NULL */
    struct exprs row_where;    /* conditions on it (plan_same_rows.c) */

    bool aggregated;
    struct exprs groups;
    uint32_t *group_slots;
    uint32_t group_slot_capacity;
    struct aggregate *aggregates;
    uint32_t *aggregate_slots;
    uint32_t aggregate_count;
    uint32_t aggregate_capacity;
    uint32_t aggregate_slot_capacity;
    struct exprs having;

    const struct ast_select *ast; /* whose WINDOW clause names mean; while it is bound */
    struct window *windows;       /* computed behind HAVING */
    uint32_t window_count;
    uint32_t window_capacity;

    struct exprs outputs;
    const char **output_names;
    uint32_t name_capacity;
    bool distinct;
    struct exprs distinct_on; /* DISTINCT ON: the first row of each of their values */
    struct sort_key *orders;
    uint32_t *order_outputs; /* the output a key is, or NOWHERE */
    uint32_t order_count;
    struct expr *limit;
    struct expr *offset;
    bool with_ties; /* rows that the order has equal to the last one belong to the limit */

    struct exprs series;                  /* generate_series: start, stop, step; or none */
    const struct ast_expr *series_target; /* one in the select list, or NULL */
    bool is_values;
    struct expr **rows; /* row-major */
    uint32_t row_count;

    struct bound_subquery *bound_subqueries; /* newest first */

    struct recursion *recursion; /* a union over itself; or, without inputs, the working table */

    enum ast_set_kind set; /* of two queries, whose columns are this one's */
    bool set_all;
    struct query *inputs[2];
};

/* What names mean while an expression is bound. */
struct scope {
    struct planner *planner;
    struct query *query;          /* NULL: no columns at all */
    const struct from_node *from; /* the part of FROM in sight, or NULL */
    const char *clause;           /* "WHERE", for messages */
    bool aggregates;              /* allowed here */
    bool in_aggregate;
    bool windows;  /* allowed here */
    bool conjunct; /* what is bound next decides alone: NULL may be false */
    bool in_window;
    const char *choice;        /* CASE or COALESCE, when it is within one */
    bool local;                /* names of blocks around are not looked for */
    struct scope *outer;       /* while a subquery in it is bound: planner->outer as it was */
    struct subquery *subquery; /* the one that is being bound */
};

/* ---- expressions: plan_node.c ---------------------------------------------------------------- */

struct expr *plan__node(struct planner *planner, enum expr_kind kind, enum sql_type type,
                        uint32_t position);
struct expr *plan__constant(struct planner *planner, struct value value, uint32_t position);
struct expr *plan__call(struct planner *planner, enum expr_call call, enum sql_type type,
                        uint32_t position, struct expr **arguments, uint32_t count);
struct expr *plan__call2(struct planner *planner, enum expr_call call, enum sql_type type,
                         uint32_t position, struct expr *a, struct expr *b);
struct expr *plan__call1(struct planner *planner, enum expr_call call, enum sql_type type,
                         uint32_t position, struct expr *a);
struct expr *plan__column(struct planner *planner, struct query *query, uint32_t slot,
                          uint32_t position);
struct expr *plan__and(struct planner *planner, struct expr **items, uint32_t count);
/* The same of conditions whose order is free: those with a subquery, which runs for each row the
 * others have left, come last. At least one. */
struct expr *plan__predicate(struct planner *planner, const struct exprs *conditions);
void plan__append(struct planner *planner, struct exprs *list, struct expr *expr);
/* Same shape, columns and constants; positions may differ. Volatile ones are never equal. */
bool plan__equal(const struct expr *a, const struct expr *b);
bool plan__is_constant(const struct expr *expr); /* EXPR_CONSTANT */
bool plan__is_true(const struct expr *expr);
bool plan__is_false_or_null(const struct expr *expr);
/* The relations whose columns occur. */
uint64_t plan__relations(const struct query *query, const struct expr *expr);
bool plan__has_columns(const struct expr *expr);
bool plan__has_outer(const struct expr *expr); /* EXPR_OUTER */
bool plan__has_subquery(const struct expr *expr);
bool plan__mentions(const struct expr *expr, uint32_t slot);
/* The expression will stand in `places` places, each of which is walked for itself, inside others
 * that may be repeated, too. 54001 when that comes to too much in one statement. */
status_t plan__repeat(struct planner *planner, const struct expr *expr, uint32_t places,
                      uint32_t position);
/* The same of an operand that a construct of SQL has once and its expression several times. A
 * volatile one must be computed once: what stands for it comes into *expr, and plan__bind_operands
 * then puts all in `operands` around the construct's expression. */
status_t plan__operand(struct planner *planner, struct exprs *operands, struct expr **expr,
                       uint32_t places, uint32_t position);
struct expr *plan__bind_operands(struct planner *planner, const struct exprs *operands,
                                 struct expr *body);
/* Marks every slot that occurs as used. */
void plan__mark_used(struct query *query, const struct expr *expr);
/* A copy in which every slot s is column positions[s] of the input. Unchanged parts are shared. */
struct expr *plan__resolve(struct planner *planner, struct expr *expr, const uint32_t *positions);
/* A copy in which slot slot_first + i is replaced by replacements[i], for i < count. */
struct expr *plan__substitute(struct planner *planner, struct expr *expr, uint32_t slot_first,
                              struct expr **replacements, uint32_t count);
bool plan__is_comparison(enum expr_call call); /* EQ to GE */
enum expr_call plan__binary_call(enum ast_operator op);
enum expr_call plan__comparison_call(enum ast_operator op);
/* A constant for one run of the block: also a parameter, or a value of the row around. */
bool plan__is_fixed(const struct expr *expr);

/* ---- typing: plan_type.c --------------------------------------------------------------------- */

/* Implicitly: integer to double, unknown to anything. */
bool plan__can_coerce(enum sql_type from, enum sql_type to);
/* *expr becomes of `type`; the caller has asked plan__can_coerce. Fails when a literal cannot be
 * read as that type (22P02). */
status_t plan__coerce(struct planner *planner, struct expr **expr, enum sql_type type);
/* A cast that nobody wrote. */
struct expr *plan__cast_implicit(struct planner *planner, struct expr *operand, enum sql_type type);
/* What is still unknown becomes text. */
status_t plan__settle(struct planner *planner, struct expr **expr);
/* Brings all to one type, of texts with a *length as plan__text_length; `first` is looked at before
 * the others, or NULL; `what` names the construct in 42804 ("CASE types integer and text cannot
 * be matched"). */
status_t plan__unify(struct planner *planner, const char *what, struct expr **items, uint32_t count,
                     uint32_t stride, const struct expr *first, enum sql_type *type,
                     uint32_t *length);
/* A condition: boolean or 42804 "argument of WHERE must be type boolean, not type integer". */
status_t plan__require(struct planner *planner, struct expr **expr, enum sql_type type,
                       const char *clause);
status_t plan__type_operator(struct planner *planner, enum expr_call call, const char *text,
                             struct expr *left, struct expr *right, uint32_t position,
                             struct expr **out);
status_t plan__type_cast(struct planner *planner, struct expr *operand, struct type_spec spec,
                         uint32_t position, struct expr **out);
/* Assignment to a column: 42804 when the kinds do not go together. */
status_t plan__assign(struct planner *planner, struct expr **expr, const struct column *column);

/* ---- SQLite's ways: plan_lenient.c -------------------------------------------------------------
 */

/* Division of doubles that may be integers in disguise, and by zero. */
status_t plan__lenient_division(struct planner *planner, struct expr **expr);
/* Does NULLIF of these two keep the integer it begins with? Then it is this CASE. */
bool plan__lenient_keeps(const struct planner *planner, struct expr *const *arguments);
status_t plan__lenient_nullif(struct planner *planner, struct expr **arguments, uint32_t position,
                              struct expr **out);
/* A literal that is no number, compared with one: as texts. */
status_t plan__lenient_comparison(struct planner *planner, enum expr_call call, struct expr **left,
                                  struct expr **right);
/* Is it asked for, and are items[0], items[stride], ... all NULL? Then they are integers. */
bool plan__lenient_nulls(const struct planner *planner, struct expr *const *items, uint32_t count,
                         uint32_t stride);
/* UNION, EXCEPT and INTERSECT bind alike: the query with all that is in no parentheses leaning to
 * the left. */
const struct ast_select *plan__lenient_set(struct planner *planner, const struct ast_select *ast);
/* NULLs are the greatest values, or the least ones with SQLite's ways. */
bool plan__nulls_first(const struct planner *planner, const struct ast_order *order);

/* ---- functions: plan_function.c -------------------------------------------------------------- */

/* The arguments are bound, not yet typed to the function. */
status_t plan__type_function(struct planner *planner, const char *name, struct expr **arguments,
                             uint32_t count, uint32_t position, struct expr **out);
bool plan__aggregate_by_name(const char *name, enum aggregate_kind *kind);

/* ---- binding: plan_expr.c, plan_from.c, plan_bind.c, plan_aggregate.c, plan_subquery.c,
 * plan_set.c
 */

status_t plan__bind_expr(struct scope *scope, const struct ast_expr *ast, struct expr **out);
/* Binds, requires boolean, splits AND into conjuncts. */
status_t plan__bind_condition(struct scope *scope, const struct ast_expr *ast, struct exprs *out);
status_t plan__bind_column(struct scope *scope, const struct ast_expr *ast, struct expr **out);
/* A derived table without a name; there must be room for it. */
void plan__add_derived(struct planner *planner, struct query *query, struct query *derived,
                       struct from_node **out);
/* The query that stands for a table of another schema, as a derived table. */
status_t plan__bind_internal(struct planner *planner, const struct ast_from *ast,
                             struct query **out);
/* Likewise that of a view. */
status_t plan__bind_view(struct planner *planner, const struct view *view, struct query **out);
status_t plan__bind_from(struct planner *planner, struct query *query, const struct ast_from *ast,
                         struct from_node **out);
/* The slot of a relation's column with this name. *count gets how many there are (a derived table
 * may have several). */
uint32_t plan__column_by_name(struct planner *planner, struct query *query, uint32_t at,
                              const char *name, uint32_t *count);
/* Adds the one table that UPDATE and DELETE are about. */
status_t plan__bind_table(struct planner *planner, struct query *query, const struct table *table,
                          const char *alias, struct from_node **out);
/* Notes that the statement is made of a table or view. */
void plan__note_use(struct planner *planner, uint32_t relation_id, uint32_t ordinal_end);
/* 42P01 with a hint when there is none. */
status_t plan__find_table(struct planner *planner, const struct ast_name *name,
                          const struct table **out);
/* Appends the columns a star stands for. */
status_t plan__expand_star(struct scope *scope, const struct ast_target *target);
status_t plan__bind_select(struct planner *planner, const struct ast_select *ast,
                           struct query **out);
void plan__add_output(struct planner *planner, struct query *query, struct expr *expr,
                      const char *name);
uint32_t plan__add_slot(struct planner *planner, struct query *query, struct slot slot);
status_t plan__bind_aggregate(struct scope *scope, const struct ast_expr *ast,
                              enum aggregate_kind kind, struct expr **out);
status_t plan__bind_groups(struct scope *scope, const struct ast_select *ast);
/* Rows compared: plan_row.c. */
bool plan__compares_rows(const struct ast_expr *ast);
status_t plan__bind_rows(struct scope *scope, const struct ast_expr *ast, bool conjunct,
                         struct expr **out);
/* A query inside an expression of the scope. */
status_t plan__bind_subquery(struct scope *scope, const struct ast_expr *ast, struct expr **out);
/* One of the columns of a query, an AST_SCALAR, that stands for a row of `count` values. Others of
 * the same query, in the same scope, are of the same run of it. `mismatch`: the message when it has
 * another number of columns, NULL for the usual one. */
status_t plan__bind_subquery_column(struct scope *scope, const struct ast_expr *ast,
                                    uint32_t column, uint32_t count, const char *mismatch,
                                    struct expr **out);
/* The value of an assignment: an expression, DEFAULT, or its part of a query's row. */
status_t plan__bind_assigned(struct scope *scope, const struct ast_assignment *ast,
                             const struct column *column, struct expr **out);
/* A column of a block around the scope's, as a cell. When there is none *found is false (and the
 * error is not told); otherwise the status counts. */
/* An aggregate over columns of a block further out is worked out there; *found: this is one. */
status_t plan__bind_outer_aggregate(struct scope *scope, const struct ast_expr *ast,
                                    enum aggregate_kind kind, bool *found, struct expr **out);
status_t plan__bind_outer(struct scope *scope, const struct ast_expr *ast, bool *found,
                          struct expr **out);
/* The columns of a union whose inputs are bound. */
status_t plan__unify_set(struct planner *planner, const struct ast_select *ast,
                         struct query *query);
/* What WITH names, in sight until planner->withs is what it was. */
void plan__push_withs(struct planner *planner, const struct ast_select *ast);
/* The query of a name of WITH, for one more place that names it; *common when it may be shared. */
status_t plan__bind_with(struct planner *planner, struct with *with, const struct ast_from *place,
                         struct query **out, struct common **common);
/* Is it read by several places, and so a wall to what is around? */
bool plan__is_common(const struct relation *relation);
/* Lays out a common query, once, and a place that reads it. */
status_t plan__choose_common(struct planner *planner, struct common *common, struct stage *out);
/* Lays out the working table. */
void plan__choose_working(struct planner *planner, struct query *query, struct stage *out);
status_t plan__bind_set(struct planner *planner, const struct ast_select *ast, struct query *query);
/* Output i of a block becomes of the type; 42804 with `what` when it cannot. */
status_t plan__coerce_output(struct planner *planner, struct query *query, uint32_t i,
                             enum sql_type type);
/* The place of an aggregate's i-th expression, which may be NULL; NULL when there is none further.
 */
struct expr **plan__aggregate_expr(struct aggregate *aggregate, uint32_t i);

/* ---- windows: plan_window.c --------------------------------------------------------------------
 */

uint32_t plan__window_count(void);
const char *plan__window_name(uint32_t i); /* NULL behind the last */
bool plan__window_by_name(const char *name, enum window_kind *kind);
/* A call with OVER. */
status_t plan__bind_window(struct scope *scope, const struct ast_expr *ast, struct expr **out);
/* Every window of the WINDOW clause, used or not, must make sense. */
status_t plan__check_windows(struct scope *scope, const struct ast_select *ast);
/* The place of a window's i-th expression, which may be NULL; NULL when there is none further. */
struct expr **plan__window_expr(struct window *window, uint32_t i);
/* Lays out all windows over the stage. */
void plan__add_windows(struct planner *planner, struct query *query, struct stage *stage);
/* What the first window wants its input sorted by. */
void plan__window_wish(struct planner *planner, struct query *query, struct wish *wish);
/* Of the block's row_window: its order, and itself with the conditions on it. */
void plan__row_window_wish(struct planner *planner, struct query *query, struct wish *wish);
void plan__add_row_window(struct planner *planner, struct query *query, struct stage *stage);
/* Whether a condition over the block's columns drops whole partitions of every window, and all rows
 * that DISTINCT ON takes for one. */
bool plan__window_lets_pass(const struct query *query, const struct expr *condition);

/* ---- LATERAL: plan_lateral.c -------------------------------------------------------------------
 */

/* A derived table or a function of FROM that may name what stands to its left. */
status_t plan__bind_lateral(struct planner *planner, struct query *query,
                            const struct ast_from *ast, struct relation *relation);
/* A join whose right side does. */
status_t plan__choose_lateral(struct planner *planner, struct query *query, struct from_node *node,
                              const struct wish *wish, struct stage *out);
void plan__choose_series(struct planner *planner, struct query *query, struct stage *out);
bool plan__has_lateral(const struct query *query);

/* ---- rewriting: plan_fold.c, plan_rewrite.c, plan_pushdown.c ----------------------------------
 */

/* The call, cast, IN of constants as a constant; NULL when it must be left to run time. */
struct expr *plan__fold(struct planner *planner, const struct expr *expr);
/* Bottom-up: constants folded, AND, OR, NOT, CASE, COALESCE simplified. */
struct expr *plan__simplify(struct planner *planner, struct expr *expr);
/* Splits the items' ANDs; drops what is true and what stands twice. */
void plan__simplify_conjuncts(struct planner *planner, struct exprs *list);
void plan__rewrite_query(struct planner *planner, struct query *query);
void plan__push_down(struct planner *planner, struct query *query);
/* Does the block take anything from those around it? `but_where`: elsewhere than in WHERE. */
bool plan__query_has_outer(const struct query *query, bool but_where);
/* Conditions that are subqueries become joins where they can; before anything else is rewritten. */
void plan__unnest(struct planner *planner, struct query *query);

/* An inner block on its way into the one around it. */
struct unnesting {
    struct planner *planner;
    struct query *query;           /* the block around */
    const struct subplan *subplan; /* whose query is taken over */
    struct expr **values;          /* of its cells */
    struct expr **columns;         /* what each of its slots is in the block around */
    uint32_t slot_count;
    uint32_t relation_first;
};
/* An expression of the inner block as one of the block around. */
struct expr *plan__taken_over(const struct unnesting *unnesting, struct expr *expr);
/* A scalar subquery of the same rows as the block's own becomes a window over them. */
void plan__share_rows(struct planner *planner, struct query *query);
/* Scalar subqueries that aggregate become joins with all groups where that costs less. */
void plan__decorrelate(struct planner *planner, struct query *query);

/* ---- choosing: plan_estimate.c, plan_scan.c, plan_join.c, plan_choose.c ------------------------
 */

/* A piece of plan and what is known of it. */
struct stage {
    struct plan *plan;
    uint32_t *slots; /* slot of each column it produces */
    double rows;
    double cost;   /* in units of one row passed on by a scan */
    bool ordered;  /* the order wished for holds */
    bool is_short; /* at most some hundred rows are touched, by key */
    /* Slots its rows ascend by, NULLs last: by the first, then by the next; none when unknown. */
    const uint32_t *order;
    uint32_t order_count;
};

/* The order wished for by what stands above. */
struct wish {
    const struct sort_key *keys; /* over slots */
    uint32_t key_count;
    double limit;        /* rows wanted, 0: all */
    int64_t exact_limit; /* no row behind so many is looked at, 0: not known */
};

/* An operator that passes its input's columns on. */
void plan__put_over(struct planner *planner, enum plan_kind kind, struct stage *stage);
/* The order in which rows come is relied on: joins below have to keep it also when they put rows
 * aside. */
void plan__rely_on_order(struct plan *plan);
/* Puts key filters into a finished plan (plan_key_filter.c). */
void plan__filter_keys(struct planner *planner, const struct planned *planned);
struct plan *plan__operator(struct planner *planner, enum plan_kind kind, uint32_t column_count,
                            struct plan *left, struct plan *right);
/* Types and names of what a stage produces, from its slots. */
void plan__describe(struct planner *planner, const struct query *query, struct stage *stage);
/* The copy of an aggregate gets its expressions over an input's columns. */
void plan__resolve_aggregate(struct planner *planner, struct aggregate *aggregate,
                             const uint32_t *positions);
/* Groups the rows of a stage, and computes `count` of the block's aggregates from `first` on. */
void plan__add_aggregates(struct planner *planner, struct query *query, uint32_t first,
                          uint32_t count, struct stage *stage);
/* Do rows of the plan that are equal in these columns of it come one after the other
 * (plan_grouped.c)? Joins below have to keep their order then. */
bool plan__comes_grouped(struct planner *planner, const struct plan *plan,
                         struct expr *const *groups, uint32_t count);
/* The block's aggregates, when they are the ends of indexes. */
bool plan__choose_extremes(struct planner *planner, struct query *query, struct stage *out);
/* A scan of a table under its conditions, by the cheapest path. */
void plan__choose_scan(struct planner *planner, struct query *query, uint32_t relation,
                       const struct exprs *conditions, const struct wish *wish, struct stage *out);
/* The right side of a lookup join: for one row of `left` the table's rows that satisfy `conditions`
 * as far as a key covers them; what it does not cover goes to *rest. Rows and cost are of one
 * look-up. False when no key serves. */
bool plan__choose_lookup(struct planner *planner, struct query *query, uint32_t relation,
                         const struct exprs *conditions, const struct stage *left,
                         uint64_t left_relations, struct stage *out, struct exprs *rest);
/* One look-up of a join: what it costs to begin, the rows it is thought to find, and each of them.
 * Zeros: no key serves. */
struct lookup {
    double seek_cost;
    double rows;
    double row_cost;
};
struct lookup plan__weigh_lookup(struct planner *planner, struct query *query, uint32_t relation,
                                 const struct exprs *conditions, uint64_t left_relations);
status_t plan__choose_from(struct planner *planner, struct query *query, struct from_node *node,
                           const struct wish *wish, struct stage *out);
/* A set of inputs, in the order that costs least (plan_order.c). */
status_t plan__choose_inner(struct planner *planner, struct query *query, struct from_node *node,
                            const struct wish *wish, struct stage *out);
status_t plan__choose_query(struct planner *planner, struct query *query, struct stage *out);
/* Rewrites a bound block and chooses its plan. */
status_t plan__finish_query(struct planner *planner, struct query *query, struct stage *out);
status_t plan__choose_set(struct planner *planner, struct query *query, struct stage *out);
/* What a sort of so many rows costs. */
double plan__sort_cost(double rows, double limit);
void plan__add_filter(struct planner *planner, struct query *query, struct stage *stage,
                      const struct exprs *conditions);
/* The part of the rows that a condition lets through, as a guess. */
double plan__selectivity(struct planner *planner, const struct query *query,
                         const struct expr *condition);
/* Of all of them together: two bounds of one column are one interval. */
double plan__selectivity_all(struct planner *planner, const struct query *query,
                             const struct exprs *conditions);
/* What is known of the values of an expression over slots, or NULL. */
const struct column_statistics *plan__column_statistics(struct planner *planner,
                                                        const struct query *query,
                                                        const struct expr *expr);
/* How many rows grouping by these leaves of `rows`. */
double plan__group_rows(struct planner *planner, const struct query *query,
                        const struct exprs *groups, double rows);
/* How many rows come of two inputs joined; of SEMI and ANTI, left ones. */
double plan__join_rows(enum join_kind kind, double left, double right, double selectivity);
/* Of a condition between two inputs. */
double plan__join_selectivity(struct planner *planner, const struct query *query,
                              const struct expr *condition);
double plan__table_rows(struct planner *planner, const struct table *table);
/* Of a block that is not laid out: before it is grouped; and those of all that it reads. */
double plan__block_rows(struct planner *planner, const struct query *query);
double plan__rows_read(struct planner *planner, const struct query *query);
/* Of its columns. */
bool plan__has_statistics(struct planner *planner, const struct table *table);
/* positions[slot] of the columns of one or two stages side by side; NOWHERE for others. */
uint32_t *plan__positions(struct planner *planner, const struct query *query,
                          const struct stage *left, const struct stage *right);
const char *plan__slot_display(struct planner *planner, struct query *query, uint32_t slot);

/* What nothing looks at of a derived table is not computed; before it is laid out (plan_prune.c).
 */
void plan__prune(struct planner *planner, const struct query *query, const struct from_node *leaf);

/* ---- limits: plan_limit.c ----------------------------------------------------------------------
 */

/* LIMIT + OFFSET, when they are known, and may be pushed down. */
bool plan__known_limit(const struct planner *planner, const struct query *query, int64_t *rows);
/* ORDER BY and LIMIT into what a block's rows are made of; before that is laid out. */
void plan__push_limit(struct planner *planner, struct query *query);
/* Sorts the left side of a LEFT JOIN and ends it, when nothing of the right side is in the wish. */
void plan__limit_left(struct planner *planner, struct query *query, const struct wish *wish,
                      uint64_t left_relations, struct stage *left);

/* ---- two inputs joined: plan_join.c ------------------------------------------------------------
 */

/* A condition that joins, and what is asked of it over and over. */
struct link {
    struct expr *condition;
    uint64_t relations;
    bool is_equality;  /* of two sides without a relation in common: sides[0] = sides[1] */
    uint64_t sides[2]; /* their relations */
    double selectivity;
};

/* Two inputs about to be joined. As long as the method is only weighed they have no plans. */
struct join {
    struct planner *planner;
    struct query *query;
    enum join_kind kind;
    struct stage left;
    struct stage right;
    uint64_t left_relations;
    uint64_t right_relations;
    const struct from_node *right_node; /* NULL: not a table to look up */
    const struct link **links;
    uint32_t link_count;
    double rows;
    double fraction; /* of the left rows that a LIMIT above will ask for */
    struct lookup lookup;
};

struct link plan__link(struct planner *planner, const struct query *query, struct expr *condition);
/* Links between the same two tables say less together than each by itself. */
void plan__correlate_links(struct planner *planner, const struct query *query, struct link *links,
                           uint32_t count);
/* Fills join->lookup. */
void plan__weigh_join_lookup(struct join *join);
/* The cheapest method; rows, cost and order of what comes of it into *out, which has no plan. */
enum plan_kind plan__join_method(const struct join *join, struct stage *out);
/* The join by that method, whose inputs have plans. */
void plan__lay_out_join(const struct join *join, enum plan_kind method, struct stage *out);

/* ---- writes: plan_modify.c --------------------------------------------------------------------
 */

/* A copy of the planner's own. */
const struct copy_format *plan__copy_format(struct planner *planner,
                                            const struct copy_format *format);
status_t plan__copy_from(struct planner *planner, const struct ast_copy *ast, struct planned *out);
status_t plan__insert(struct planner *planner, const struct ast_insert *ast, struct planned *out);
status_t plan__update(struct planner *planner, const struct ast_update *ast, struct planned *out);
status_t plan__delete(struct planner *planner, const struct ast_delete *ast, struct planned *out);
/* Marks an UPDATE or DELETE that is complete but for RETURNING as one of one row, if it is
 * (plan_one_row.c). */
void plan__one_row(struct planner *planner, struct plan *plan);

/* The clauses of INSERT ... ON CONFLICT, onto its node. */
status_t plan__conflict(struct planner *planner, const struct ast_insert *ast,
                        const struct table *table, struct plan *insert);
/* RETURNING, a select list over the rows that the node at out->root changes, where nothing but the
 * table is in sight. */
status_t plan__returning_table(struct planner *planner, const struct table *table,
                               const char *alias, const struct ast_target *targets, uint32_t count,
                               struct planned *out);
/* The same where the table, relation 0 of the block, is joined with others. Binds the list, before
 * the block is finished, and adds what it needs of the others to the block's outputs; *out is the
 * list for plan__returning, which is called with the node in place, or NULL when there is none. */
status_t plan__returning_joined(struct planner *planner, struct query *block,
                                const struct table *table, const struct ast_target *targets,
                                uint32_t count, struct query **out);
status_t plan__returning(struct planner *planner, struct query *list, struct planned *out);
/* Notes what nextval takes from in an expression. */
void plan__note_nextvals(struct planner *planner, const struct expr *expr, bool each_row);
/* Those noted from number `from` on are called when rows have been written already. */
void plan__nextvals_are_late(struct planner *planner, uint32_t from);
/* A column's DEFAULT, or NULL without one. */
status_t plan__default(struct planner *planner, const struct column *column, struct expr **out);
/* The place of a column that is assigned to; 42703 with a hint. */
status_t plan__find_column(struct planner *planner, const struct table *table,
                           const struct ast_name *name, uint32_t *place);
/* Appends one output an item. */
status_t plan__bind_targets(struct scope *scope, const struct ast_target *targets, uint32_t count);

/* ---- plans looked through: plan_walk.c ---------------------------------------------------------
 */

/* Subqueries in the expressions of one node, each once; items to be freed. */
struct subplans {
    const struct subplan **items;
    uint32_t count;
    uint32_t capacity;
};
void plan__find_subplans(const struct plan *plan, struct subplans *out);

/* ---- printing: plan_print.c -------------------------------------------------------------------
 */

/* An operator's text ("=", "IS DISTINCT FROM"), NULL for functions. */
const char *plan__operator_text(enum expr_call call);
/* "rank() OVER (PARTITION BY a ORDER BY b)". */
void plan__print_window(const struct plan *plan, const struct window_function *function,
                        struct buffer *out);
/* "sum(DISTINCT o.total) FILTER (WHERE o.paid)". */
void plan__print_aggregate(const struct aggregate *aggregate, struct buffer *out);
/* "a, b DESC NULLS LAST". */
void plan__print_sort_keys(const struct sort_key *keys, uint32_t count, struct buffer *out);
const char *plan__aggregate_name(enum aggregate_kind kind);

/* ---- functions, dates and times (plan_function.c, plan_datetime.c) ------------------------------
 */

enum { FUNCTION_ARGUMENTS_MAX = 7 };

struct function {
    const char *name;
    enum expr_call call;
    enum sql_type result;
    uint8_t arguments_min;
    uint8_t arguments_max;
    enum sql_type arguments[FUNCTION_ARGUMENTS_MAX];
};

const struct function *plan__datetime_functions(uint32_t *count);
/* date_trunc(field, instant, zone): cut as it is there, and again an instant. */
status_t plan__trunc_in_zone(struct planner *planner, struct expr **arguments, uint32_t position,
                             struct expr **out);
/* An operator with a date, time or interval on a side; *known: it is one. */
status_t plan__datetime_operator(struct planner *planner, enum expr_call call, const char *text,
                                 struct expr *left, struct expr *right, uint32_t position,
                                 bool *known, struct expr **out);
/* generate_series is of integers, timestamps, or, also of dates, timestamps with time zone. */
enum sql_type plan__series_type(const struct expr *start, const struct expr *stop);
/* A text constant as a value of `type`; as a cast that is still to be done when it depends on the
 * session's clock or time zone. */
status_t plan__literal(struct planner *planner, const struct expr *literal, enum sql_type type,
                       struct expr **out);

#endif
