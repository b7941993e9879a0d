#include "plan_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct plan_world f;

void plan_world_open(const struct table_definition *definition)
{
    memset(&f, 0, sizeof f);
    f.store = store_memory_create();
    f.txn = store_memory_begin(f.store);
    assert_int_equal(catalog_load(f.txn, &f.catalog, &f.error), OK);
    assert_int_equal(catalog_create_table(f.txn, f.catalog, definition, &f.error), OK);
    catalog_release(f.catalog);
    assert_int_equal(catalog_load(f.txn, &f.catalog, &f.error), OK);
}

int plan_world_close(void **state)
{
    (void)state;
    catalog_release(f.catalog);
    store_memory_rollback(f.txn);
    store_memory_destroy(f.store);
    arena_free(&f.arena);
    return 0;
}

struct ast_statement *parse(const char *sql)
{
    struct parser parser;
    struct ast_statement *statement = NULL;
    assert_int_equal(parse_begin(&parser, slice_from_string(sql), 64 << 20, &f.error), OK);
    assert_int_equal(parse_next(&parser, &f.arena, &statement, &f.error), OK);
    assert_non_null(statement);
    return statement;
}

status_t plan_with(const char *sql, const struct plan_options *options)
{
    return plan_statement(parse(sql), f.catalog, options, &f.arena, &f.planned, &f.error);
}

char *repeat(struct buffer *sql, const char *head, const char *item, const char *separator,
             uint32_t count, const char *tail)
{
    buffer_append_string(sql, head);
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(sql, i ? separator : "");
        for (const char *at = item; *at; at++) {
            uint32_t number = *at == '#'   ? i
                              : *at == '~' ? i + 1
                              : *at == '@' ? count - 1 - i
                                           : count - i;
            if (strchr("#~@&", *at))
                buffer_printf(sql, "%u", number);
            else
                buffer_append_byte(sql, (uint8_t)*at);
        }
    }
    buffer_append_string(sql, tail);
    buffer_append_byte(sql, 0);
    assert_false(sql->failed);
    return (char *)sql->data;
}
