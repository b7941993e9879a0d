/* A schema in memory to plan statements against. */
#ifndef TESTS_UNIT_SQL_PLAN_PLAN_WORLD_H
#define TESTS_UNIT_SQL_PLAN_PLAN_WORLD_H

#include "sql/plan/plan.h"
#include "sql/store/store.h"

extern struct plan_world {
    struct store_memory *store;
    struct store_txn *txn;
    struct catalog *catalog;
    struct arena arena;
    struct error error;
    struct planned planned;
} f;

/* With one table. */
void plan_world_open(const struct table_definition *definition);
/* The teardown of cmocka. */
int plan_world_close(void **state);
/* One statement, of at most 64 MiB. */
struct ast_statement *parse(const char *sql);
/* Into f.planned, in f.arena. */
status_t plan_with(const char *sql, const struct plan_options *options);
/* Appends head, the item `count` times with separators between, and tail; and its end; the text. In
 * the item # is the number, ~ the next one, @ and & the same counted down. */
char *repeat(struct buffer *sql, const char *head, const char *item, const char *separator,
             uint32_t count, const char *tail);

#endif
