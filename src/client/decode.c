/* Messages of protobuf/toydb.proto, and the structs of the public header. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "client/client_int.h"

enum toydb_result client__error_set(struct toydb_error *error, enum toydb_result result,
                                    const char *sqlstate, const char *format, ...)
{
    ASSERT(strlen(sqlstate) == 5);
    if (!error)
        return result;
    *error = (struct toydb_error){.result = result};
    memcpy(error->sqlstate, sqlstate, sizeof error->sqlstate);
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return result;
}

void client__error_decode(const Error *message, struct toydb_error *error)
{
    if (!error)
        return;
    *error = (struct toydb_error){.result = TOYDB_ERROR, .position = message->position};
    snprintf(error->sqlstate, sizeof error->sqlstate, "%s",
             strlen(message->sqlstate) == 5 ? message->sqlstate : "XX000");
    snprintf(error->message, sizeof error->message, "%s", message->message);
    snprintf(error->detail, sizeof error->detail, "%s", message->detail);
    snprintf(error->hint, sizeof error->hint, "%s", message->hint);
}

static enum toydb_type type_decode(Type type)
{
    switch (type) {
    case TYPE__TYPE_BOOLEAN:
        return TOYDB_BOOLEAN;
    case TYPE__TYPE_INTEGER:
        return TOYDB_INTEGER;
    case TYPE__TYPE_DOUBLE:
        return TOYDB_DOUBLE;
    case TYPE__TYPE_TEXT:
        return TOYDB_TEXT;
    case TYPE__TYPE_BYTES:
        return TOYDB_BYTES;
    default:
        return TOYDB_NULL; /* a type newer than this client, or none */
    }
}

struct toydb_column *client__columns_decode(struct arena *arena, const Header *header)
{
    struct toydb_column *columns = arena_zalloc(arena, header->n_columns * sizeof *columns);
    for (size_t i = 0; i < header->n_columns; i++) {
        const Column *column = header->columns[i];
        columns[i].name = arena_strndup(arena, column->name, strlen(column->name));
        columns[i].type = type_decode(column->type);
        columns[i].type_name = arena_strndup(arena, column->type_name, strlen(column->type_name));
    }
    return columns;
}

void client__value_decode(const Value *message, struct toydb_value *value)
{
    *value = (struct toydb_value){.type = TOYDB_NULL};
    switch (message->kind_case) {
    case VALUE__KIND_BOOLEAN:
        value->type = TOYDB_BOOLEAN;
        value->boolean = message->boolean;
        break;
    case VALUE__KIND_INTEGER:
        value->type = TOYDB_INTEGER;
        value->integer = message->integer;
        break;
    case VALUE__KIND_REAL:
        value->type = TOYDB_DOUBLE;
        value->real = message->real;
        break;
    case VALUE__KIND_TEXT:
        value->type = TOYDB_TEXT;
        value->text.data = message->text;
        value->text.size = strlen(message->text);
        break;
    case VALUE__KIND_BYTES:
        value->type = TOYDB_BYTES;
        value->text.data = (const char *)message->bytes.data;
        value->text.size = message->bytes.len;
        break;
    default:
        break; /* NULL */
    }
}

bool client__value_encode(struct arena *arena, const struct toydb_value *value, Value *message)
{
    value__init(message);
    switch (value->type) {
    case TOYDB_NULL:
        break;
    case TOYDB_BOOLEAN:
        message->kind_case = VALUE__KIND_BOOLEAN;
        message->boolean = value->boolean;
        break;
    case TOYDB_INTEGER:
        message->kind_case = VALUE__KIND_INTEGER;
        message->integer = value->integer;
        break;
    case TOYDB_DOUBLE:
        message->kind_case = VALUE__KIND_REAL;
        message->real = value->real;
        break;
    case TOYDB_TEXT:
        message->kind_case = VALUE__KIND_TEXT;
        if (value->text.size && memchr(value->text.data, 0, value->text.size))
            return false;
        message->text =
            arena_strndup(arena, value->text.size ? value->text.data : "", value->text.size);
        break;
    case TOYDB_BYTES:
        message->kind_case = VALUE__KIND_BYTES;
        message->bytes.data = (uint8_t *)(uintptr_t)value->text.data;
        message->bytes.len = value->text.size;
        break;
    }
    return true;
}

static void *allocator_alloc(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void allocator_free(void *arena, void *pointer)
{
    (void)arena, (void)pointer;
}

ProtobufCAllocator client__arena_allocator(struct arena *arena)
{
    return (ProtobufCAllocator){
        .alloc = allocator_alloc, .free = allocator_free, .allocator_data = arena};
}
