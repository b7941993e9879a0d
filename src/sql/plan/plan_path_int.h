/* Inside the ways to read a table: what the conditions say of its columns (plan_restrict.c), by
 * which index they are best served (plan_path.c), the scan or look-up that comes of it
 * (plan_scan.c), and why it is not another (plan_why.c). */
#ifndef SQL_PLAN_PLAN_PATH_INT_H
#define SQL_PLAN_PLAN_PATH_INT_H

#include "sql/plan/plan_int.h"

enum restriction_kind { FIXED, LISTED, LOWER, UPPER };

/* One column's part in a condition. */
struct restriction {
    enum restriction_kind kind;
    uint32_t place; /* in table->columns */
    bool inclusive; /* of a bound */
    bool exact;     /* the condition says no more than this */
    bool half;      /* it says no more than this and the opposite bound together */
    uint32_t condition;
    struct expr *value; /* FIXED, LOWER, UPPER */
    struct expr **list; /* LISTED */
    uint32_t list_count;
};

struct restrictions {
    struct restriction *items;
    uint32_t count;
    uint32_t capacity;
};

/* A way to read a table. */
struct path {
    const struct index *index;
    const struct restriction *equal[CATALOG_KEY_COLUMNS_MAX];
    uint32_t equal_count;
    const struct restriction *lower;
    const struct restriction *upper;
    uint32_t range_count; /* 0: all of it */
    double scanned;       /* rows or entries read */
    double cost;
    double seek_cost; /* of a range, and of a row in it */
    double row_cost;
    bool index_only;
    bool ordered;
    bool reverse;
    bool single; /* at most one row a range: a whole unique key */
};

/* The table, what is asked of it, and what may stand in its keys. */
struct access {
    struct planner *planner;
    struct query *query;
    const struct relation *relation;
    const struct table *table;
    const struct exprs *conditions;
    uint64_t outside; /* relations whose columns may stand in a range: the left ones of a lookup */
    struct restrictions restrictions;
    struct expr **computed; /* what the table's indexes are over, NULL where it cannot be read */
    uint32_t *mentions;     /* for each column how many of the conditions mention it */
    double table_rows;
    double rows; /* that satisfy all conditions */
    const struct wish *wish;
};

/* Fills access->computed. */
void plan__read_computed(struct access *access);
/* The place of an expression over the places of the table's columns among those that its indexes
 * are over. */
bool plan__computed_find(struct planner *planner, const struct table *table,
                         const struct expr *expr, uint32_t *place);
/* The place of the column when `expr` is a column of the table, or something an index of it is
 * over. */
bool plan__own_column(const struct access *access, const struct expr *expr, uint32_t *place);
/* Reads the conditions into access->restrictions. */
void plan__read_restrictions(struct access *access);
/* The restriction of a column; of several bounds the tightest. */
const struct restriction *plan__find_restriction(const struct access *access, uint32_t place,
                                                 enum restriction_kind kind);
/* Are all values of an IN list constants? */
bool plan__list_is_constant(const struct restriction *restriction);
/* Whether the path makes a condition superfluous. */
bool plan__is_covered(const struct path *path, uint32_t condition);
/* Whether the scan has to produce a column: for what is above, or for the filter on it. */
bool plan__is_needed(const struct access *access, const struct path *path, uint32_t place);
/* The path by one index; false when it serves nothing. */
bool plan__index_path(const struct access *access, const struct index *index, struct path *path);
/* The same with key values that come from a left row. */
bool plan__lookup_path(const struct access *access, const struct index *index, struct path *path);
/* plan_why.c: takes down for each index why it is not the one chosen, if that was asked. */
void plan__note_why(const struct access *access, const struct path *chosen, struct plan *scan);
/* Are all parts of a partial index's condition among these, which are over the table's places? */
bool plan__predicate_among(struct planner *planner, const struct table *table,
                           const struct index *index, const struct exprs *conditions);
/* Do the conditions say all that a partial index asks of its rows? What they say of it is put into
 * *said, which may be NULL. */
bool plan__predicate_implied(const struct access *access, const struct index *index,
                             struct exprs *said);
/* The cheapest path of all indexes. */
struct path plan__best_path(const struct access *access);
/* The cheapest one whose key values come from a left row; its index is NULL when there is none. */
struct path plan__best_lookup(const struct access *access);

#endif
