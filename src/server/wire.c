#include "server/wire_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"

/* ---- packed messages, as protobuf.dev/programming-guides/encoding has them ------------------- */

static bool take_varint(struct slice *bytes, uint64_t *out)
{
    enum { VARINT_BYTES_MAX = 10 };
    *out = 0;
    for (size_t i = 0; i < bytes->size && i < VARINT_BYTES_MAX; i++) {
        uint8_t byte = bytes->data[i];
        *out |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *bytes = slice_make(bytes->data + i + 1, bytes->size - i - 1);
            return true;
        }
    }
    return false;
}

/* The next field; *content is empty for a varint. */
static bool take_field(struct slice *bytes, uint32_t *number, struct slice *content)
{
    uint64_t key, size = 0, varint;
    if (!take_varint(bytes, &key))
        return false;
    switch (key & 7) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        if (!take_varint(bytes, &varint))
            return false;
        break;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        size = sizeof(uint64_t);
        break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!take_varint(bytes, &size))
            return false;
        break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        size = sizeof(uint32_t);
        break;
    default:
        return false;
    }
    if (size > bytes->size)
        return false;
    *number = (uint32_t)(key >> 3);
    *content = slice_make(bytes->data, size);
    *bytes = slice_make(bytes->data + size, bytes->size - size);
    return true;
}

bool wire_strings_whole(const ProtobufCMessageDescriptor *type, struct slice bytes)
{
    uint32_t number;
    struct slice content;
    while (bytes.size > 0) {
        if (!take_field(&bytes, &number, &content))
            return false;
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, number);
        if (!field || content.size == 0)
            continue;
        if (field->type == PROTOBUF_C_TYPE_STRING && memchr(content.data, 0, content.size))
            return false;
        if (field->type == PROTOBUF_C_TYPE_MESSAGE &&
            !wire_strings_whole(field->descriptor, content))
            return false;
    }
    return true;
}

/* ---- requests -------------------------------------------------------------------------------- */

static status_t parameter(const Value *packed, uint32_t number, struct value *out,
                          struct error *error)
{
    switch (packed->kind_case) {
    case VALUE__KIND__NOT_SET:
        *out = value_null(SQL_UNKNOWN);
        return OK;
    case VALUE__KIND_BOOLEAN:
        *out = value_boolean(packed->boolean);
        return OK;
    case VALUE__KIND_INTEGER:
        *out = value_integer(packed->integer);
        return OK;
    case VALUE__KIND_REAL:
        *out = value_double(packed->real);
        return OK;
    case VALUE__KIND_TEXT:
        *out = value_text(slice_from_string(packed->text));
        if (!utf8_valid(out->as.text))
            return error_sql(error, "22021", 0, "parameter $%u is not valid UTF-8", number);
        return OK;
    case VALUE__KIND_BYTES:
        *out = value_bytea(slice_make(packed->bytes.data, packed->bytes.len));
        return OK;
    default:
        return error_sql(error, "0A000", 0, "parameter $%u has a type that is not supported yet",
                         number);
    }
}

status_t wire_parameters(const ExecuteRequest *request, struct arena *arena, struct value **out,
                         struct error *error)
{
    if (request->n_parameters > SQL_PARAMETERS_MAX)
        return error_sql(error, "54023", 0, "more than %d parameters", SQL_PARAMETERS_MAX);
    *out = arena_alloc(arena, request->n_parameters * sizeof **out);
    for (size_t i = 0; i < request->n_parameters; i++) {
        status_t status = parameter(request->parameters[i], (uint32_t)i + 1, &(*out)[i], error);
        if (status != OK)
            return status;
    }
    return OK;
}

static ExecuteResponse *response(struct arena *arena, ExecuteResponse__MessageCase kind)
{
    ExecuteResponse *out = arena_alloc(arena, sizeof *out);
    execute_response__init(out);
    out->message_case = kind;
    return out;
}

static Type wire_type(enum sql_type type)
{
    switch (type) {
    case SQL_BOOLEAN:
        return TYPE__TYPE_BOOLEAN;
    case SQL_INTEGER:
        return TYPE__TYPE_INTEGER;
    case SQL_DOUBLE:
        return TYPE__TYPE_DOUBLE;
    case SQL_REAL:
        return TYPE__TYPE_DOUBLE;
    case SQL_TEXT:
        return TYPE__TYPE_TEXT;
    case SQL_BYTEA:
        return TYPE__TYPE_BYTES;
    default:
        return TYPE__TYPE_UNSPECIFIED;
    }
}

ExecuteResponse *wire_header(struct arena *arena, const struct sql_column *columns, uint32_t count)
{
    Header *header = arena_alloc(arena, sizeof *header);
    header__init(header);
    header->n_columns = count;
    header->columns = arena_alloc(arena, count * sizeof *header->columns);
    for (uint32_t i = 0; i < count; i++) {
        Column *column = arena_alloc(arena, sizeof *column);
        column__init(column);
        column->name = (char *)(uintptr_t)columns[i].name;
        column->type = wire_type(columns[i].type);
        column->type_name = (char *)(uintptr_t)type_name(columns[i].type);
        header->columns[i] = column;
    }
    ExecuteResponse *out = response(arena, EXECUTE_RESPONSE__MESSAGE_HEADER);
    out->header = header;
    return out;
}

/* The double that prints as the real does: 0.1, not 0.10000000149011612. */
static double wide_real(double real)
{
    struct value value = value_real(real);
    struct buffer text = {0};
    value_format(&value, &text);
    buffer_append_byte(&text, 0);
    double wide = isfinite(real) ? strtod((const char *)text.data, NULL) : real;
    buffer_free(&text);
    return wide;
}

/* A value of a type without a member of its own. */
static void wire_text(struct arena *arena, const struct vector *vector, uint32_t row,
                      int32_t zone_s, Value *out)
{
    struct value value = vector_get(vector, row);
    struct buffer text = {0};
    value_format_at(&value, zone_s, &text);
    out->kind_case = VALUE__KIND_TEXT;
    out->text = arena_keep_text(arena, &text);
}

static void wire_value(struct arena *arena, const struct vector *vector, uint32_t row,
                       int32_t zone_s, Value *out)
{
    value__init(out);
    if (vector->type == SQL_UNKNOWN || vector_is_null(vector, row))
        return;
    switch (vector->type) {
    case SQL_BOOLEAN:
        out->kind_case = VALUE__KIND_BOOLEAN;
        out->boolean = vector->as.booleans[row];
        return;
    case SQL_INTEGER:
        out->kind_case = VALUE__KIND_INTEGER;
        out->integer = vector->as.integers[row];
        return;
    case SQL_DOUBLE:
        out->kind_case = VALUE__KIND_REAL;
        out->real = vector->as.reals[row];
        return;
    case SQL_TEXT:
        /* Text holds no NUL (types.h), so a C string carries all of it. */
        out->kind_case = VALUE__KIND_TEXT;
        out->text = arena_strndup(arena, (const char *)vector->as.texts[row].data,
                                  vector->as.texts[row].size);
        return;
    case SQL_BYTEA:
        out->kind_case = VALUE__KIND_BYTES;
        out->bytes.data = (uint8_t *)(uintptr_t)vector->as.texts[row].data;
        out->bytes.len = vector->as.texts[row].size;
        return;
    case SQL_REAL:
        out->kind_case = VALUE__KIND_REAL;
        out->real = wide_real(vector->as.reals[row]);
        return;
    default:
        wire_text(arena, vector, row, zone_s, out);
        return;
    }
}

/* About what it takes in a message; what is not copied into the arena is counted by itself. */
static Row *wire_row(struct arena *arena, const struct batch *batch, uint32_t selected,
                     int32_t zone_s, size_t *borrowed)
{
    Row *row = arena_alloc(arena, sizeof *row);
    row__init(row);
    row->n_values = batch->column_count;
    row->values = arena_alloc(arena, batch->column_count * sizeof *row->values);
    Value *values = arena_alloc(arena, batch->column_count * sizeof *values);
    for (uint32_t c = 0; c < batch->column_count; c++) {
        wire_value(arena, &batch->columns[c], batch_row(batch, selected), zone_s, &values[c]);
        *borrowed += values[c].kind_case == VALUE__KIND_BYTES ? values[c].bytes.len : 0;
        row->values[c] = &values[c];
    }
    return row;
}

ExecuteResponse *wire_rows(struct arena *arena, const struct batch *batch, int32_t zone_s,
                           uint32_t *from)
{
    ASSERT(*from < batch->selected);
    Rows *rows = arena_alloc(arena, sizeof *rows);
    rows__init(rows);
    rows->rows = arena_alloc(arena, (batch->selected - *from) * sizeof *rows->rows);
    size_t before = arena->used, borrowed = 0;
    do
        rows->rows[rows->n_rows++] = wire_row(arena, batch, (*from)++, zone_s, &borrowed);
    while (*from < batch->selected && arena->used - before + borrowed < WIRE_ROWS_BYTES);
    ExecuteResponse *out = response(arena, EXECUTE_RESPONSE__MESSAGE_ROWS);
    out->rows = rows;
    return out;
}

static TransactionState wire_state(enum sql_transaction_state state)
{
    switch (state) {
    case SQL_IN_TRANSACTION:
        return TRANSACTION_STATE__TRANSACTION_STATE_OPEN;
    case SQL_FAILED_TRANSACTION:
        return TRANSACTION_STATE__TRANSACTION_STATE_FAILED;
    case SQL_IDLE:
        break;
    }
    return TRANSACTION_STATE__TRANSACTION_STATE_IDLE;
}

ExecuteResponse *wire_complete(struct arena *arena, const char *tag, uint64_t rows, bool more,
                               uint64_t elapsed_us, enum sql_transaction_state state)
{
    Completion *completion = arena_alloc(arena, sizeof *completion);
    completion__init(completion);
    completion->tag = arena_strndup(arena, tag, strlen(tag));
    completion->rows = rows;
    completion->more = more;
    completion->elapsed_us = elapsed_us;
    completion->transaction_state = wire_state(state);
    ExecuteResponse *out = response(arena, EXECUTE_RESPONSE__MESSAGE_COMPLETION);
    out->completion = completion;
    return out;
}

ExecuteResponse *wire_error(struct arena *arena, const struct error *error,
                            enum sql_transaction_state state)
{
    Error *packed = arena_alloc(arena, sizeof *packed);
    error__init(packed);
    packed->sqlstate = (char *)(uintptr_t)error->sqlstate;
    packed->message = (char *)(uintptr_t)error->message;
    packed->detail = (char *)(uintptr_t)error->detail;
    packed->hint = (char *)(uintptr_t)error->hint;
    packed->position = error->position;
    packed->transaction_state = wire_state(state);
    ExecuteResponse *out = response(arena, EXECUTE_RESPONSE__MESSAGE_ERROR);
    out->error = packed;
    return out;
}

/* What clients that retry go by, and so: UNAVAILABLE only where nothing has happened and the same
 * request may do better in a moment or elsewhere; ABORTED where the transaction is to be run again
 * as a whole; RESOURCE_EXHAUSTED where it may go on once there is room. What would fail again, and
 * what may have taken place already (40003, 08007), has a code that nobody retries. The first row
 * that fits counts. */
enum grpc_status wire_status(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        enum grpc_status status;
    } rows[] = {
        {"02", GRPC_NOT_FOUND},
        {"07", GRPC_INVALID_ARGUMENT},
        {"08P01", GRPC_INVALID_ARGUMENT},
        {"08007", GRPC_UNKNOWN},
        {"08", GRPC_UNAVAILABLE},
        {"0A", GRPC_UNIMPLEMENTED},
        {"21", GRPC_INVALID_ARGUMENT},
        {"22", GRPC_INVALID_ARGUMENT},
        {"23505", GRPC_ALREADY_EXISTS},
        {"23", GRPC_FAILED_PRECONDITION},
        {"25", GRPC_FAILED_PRECONDITION},
        {"26", GRPC_INVALID_ARGUMENT},
        {"28", GRPC_UNAUTHENTICATED},
        {"2B", GRPC_FAILED_PRECONDITION},
        {"34", GRPC_INVALID_ARGUMENT},
        {"3F", GRPC_INVALID_ARGUMENT},
        {"40003", GRPC_UNKNOWN},
        {"40", GRPC_ABORTED},
        {"42P07", GRPC_ALREADY_EXISTS},
        {"42710", GRPC_ALREADY_EXISTS},
        {"42", GRPC_INVALID_ARGUMENT},
        {"53", GRPC_RESOURCE_EXHAUSTED},
        {"54", GRPC_INVALID_ARGUMENT},
        {"55", GRPC_FAILED_PRECONDITION},
        {"57014", GRPC_CANCELLED},
        {"57P", GRPC_UNAVAILABLE},
        {"58", GRPC_INTERNAL},
        {"XX001", GRPC_DATA_LOSS},
        {"XX002", GRPC_DATA_LOSS},
        {"XX", GRPC_INTERNAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strncmp(sqlstate, rows[i].prefix, strlen(rows[i].prefix)) == 0)
            return rows[i].status;
    return GRPC_UNKNOWN;
}
