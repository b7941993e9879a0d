/* What the files that bind calls of aggregates, and of sets of rows, share. */
#ifndef SQL_PLAN_PLAN_AGGREGATE_INT_H
#define SQL_PLAN_PLAN_AGGREGATE_INT_H

#include "sql/plan/plan_int.h"

/* What may be written for this kind of aggregate: 42883, 42809, 42601. */
status_t plan__check_aggregate(struct scope *scope, const struct ast_expr *ast,
                               enum aggregate_kind kind);
/* The arguments' types settled and the result's found. */
status_t plan__type_aggregate(struct planner *planner, struct aggregate *aggregate,
                              const char *name, uint32_t position);
/* What stands behind the name: arguments, ORDER BY and FILTER, their types settled. Aggregates must
 * be refused by the scope. */
status_t plan__bind_aggregate_call(struct scope *scope, const struct ast_expr *ast,
                                   enum aggregate_kind kind, struct aggregate *out);

/* After outputs, HAVING and ORDER BY are bound: puts group columns in the place of equal
 * expressions, 42803 for what is neither grouped nor aggregated. */
status_t plan__check_grouping(struct planner *planner, struct query *query);
/* generate_series in the select list: joined to FROM. 0A000 where it cannot be. */
status_t plan__bind_series_target(struct scope *scope, const struct ast_expr *call,
                                  struct expr **out);
status_t plan__check_series_target(struct planner *planner, const struct query *query);

#endif
