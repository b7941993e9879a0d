/* Types, values, columns of values, and their encodings as keys and rows.
 *
 * Semantics are PostgreSQL's: three-valued logic, NULL sorts last (ascending), integer division
 * truncates, overflow is an error (22003), NaN equals itself and sorts above all numbers, -0 equals
 * 0, text compares by bytes (the "C" collation) and is valid UTF-8 without NUL characters.
 *
 * Errors carry SQLSTATE: 22003 numeric out of range, 22012 division by zero, 22P02 invalid text
 * representation, 22001 string too long, 22021 invalid UTF-8, 54000 key too long. */
#ifndef SQL_TYPES_TYPES_H
#define SQL_TYPES_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

/* ---- types ---------------------------------------------------------------------------------- */

enum sql_type {
    SQL_UNKNOWN, /* the type of a bare NULL or of a parameter not yet typed */
    SQL_BOOLEAN,
    SQL_INTEGER, /* 64 bits signed */
    SQL_DOUBLE,  /* IEEE 754 binary64 */
    SQL_TEXT,
    SQL_TYPE_COUNT
};

/* A declared column type: `kind` and what limits its values. */
struct type_spec {
    enum sql_type kind;
    uint32_t length_max; /* SQL_TEXT: characters, 0: no limit.  SQL_INTEGER: 16 or 32 for SMALLINT
                            and INT4, 0: all 64 bits */
};

/* "boolean", "integer", "double precision", "text", "unknown". */
const char *type_name(enum sql_type type);
/* As declared: "character varying(10)", "smallint", "int4", ... into out. */
void type_spec_name(struct type_spec spec, char *out, size_t size);
/* Understands every spelling of the SQL reference (int, int2, int4, int8, bigint, float, float8,
 * real, double precision, string, varchar, char varying, bool, ...), any case, words separated by
 * one space. INT and INTEGER are 64 bits; CHAR(n) is VARCHAR(n). `length` is the number in
 * parentheses or -1. False: no such type, or not with that length. */
bool type_spec_parse(const char *name, int64_t length, struct type_spec *out);

/* ---- values --------------------------------------------------------------------------------- */

struct value {
    enum sql_type type;
    bool null;
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct slice text; /* owned elsewhere: arena, snapshot or statement text */
    } as;
};

struct value value_null(enum sql_type type);
struct value value_boolean(bool boolean);
struct value value_integer(int64_t integer);
struct value value_double(double real);
struct value value_text(struct slice text);

/* Total order for sorting, grouping and keys: values of one type, or integer against double;
 * NULL after everything and equal to itself. <0, 0, >0. */
int value_compare(const struct value *a, const struct value *b);
/* Equal values (by value_compare, integer and double alike) hash alike. */
uint64_t value_hash(const struct value *value);
/* Whether CAST knows the way; 42846 otherwise. NULLs and values of unknown type go anywhere. */
bool type_can_cast(enum sql_type from, enum sql_type to);
/* CAST semantics. Text results are put into the arena (which may be NULL for other types).
 * Double to integer rounds half to even; boolean to text gives true and false. `position` goes into
 * the error: 22P02, 22003, 42846. */
status_t value_cast(const struct value *value, enum sql_type type, struct arena *arena,
                    uint32_t position, struct value *out, struct error *error);
/* Assignment to a declared column: cast to its kind, then range and length checked (22003, 22001;
 * blanks over a length are cut off); the error's detail names the column. Text of the result may be
 * that of `value`. */
status_t value_assign(const struct value *value, struct type_spec spec, const char *column,
                      struct arena *arena, struct value *out, struct error *error);
/* Appends the text a client sees (true/false as "t"/"f", doubles in the shortest form that reads
 * back, as PostgreSQL prints them: 0.1, 1e+100, 3, Infinity, NaN). Nothing for NULL. */
void value_format(const struct value *value, struct buffer *out);

/* ---- columns of values ---------------------------------------------------------------------- */

enum { BATCH_ROWS_MAX = 1024 };

/* A column of up to `capacity` values of one type. */
struct vector {
    enum sql_type type;
    uint32_t capacity;
    bool has_nulls;  /* false: `nulls` need not be looked at */
    uint64_t *nulls; /* bitmap, bit set: NULL; (capacity + 63) / 64 words */
    union {
        bool *booleans;
        int64_t *integers;
        double *reals;
        struct slice *texts; /* NULL entries hold an empty slice */
        void *data;
    } as;
};

/* Rows as columns. With a selection only the rows it lists (ascending) are part of the batch. */
struct batch {
    struct vector *columns;
    uint32_t column_count;
    uint32_t row_count;  /* rows present in the vectors */
    uint32_t *selection; /* NULL: all row_count rows */
    uint32_t selected;   /* length of selection; equals row_count without one */
};

/* Allocated in the arena with room for `capacity` rows (1 to BATCH_ROWS_MAX): point queries ask
 * for little. SQL_UNKNOWN columns hold only NULLs. */
void vector_init(struct vector *vector, struct arena *arena, enum sql_type type, uint32_t capacity);
struct batch *batch_create(struct arena *arena, const enum sql_type *types, uint32_t column_count,
                           uint32_t capacity);
/* Back to no rows, no selection, no NULLs. */
void batch_reset(struct batch *batch);
static inline bool vector_is_null(const struct vector *vector, uint32_t row)
{
    return vector->has_nulls && (vector->nulls[row / 64] >> (row % 64) & 1);
}
void vector_set_null(struct vector *vector, uint32_t row);
struct value vector_get(const struct vector *vector, uint32_t row);
/* The value's type must be the vector's, or it must be NULL. Text is not copied. */
void vector_set(struct vector *vector, uint32_t row, const struct value *value);
static inline uint32_t batch_row(const struct batch *batch, uint32_t i)
{
    return batch->selection ? batch->selection[i] : i;
}

/* ---- keys: memcomparable, self-delimiting ---------------------------------------------------- */

/* value_compare order becomes memcmp order, and no encoded value is a prefix of another, so
 * encodings may be put one behind another.
 *   first byte 0x01 value, 0x02 NULL (sorts last)
 *   boolean    00 or 01
 *   integer    8 bytes big-endian, sign bit flipped
 *   double     8 bytes big-endian IEEE; sign bit flipped when positive, all bits when negative
 *   text       bytes with 00 written as 00 ff, ended by 00 01
 * Descending: every byte inverted. Numeric columns are always encoded in the column's own type. */
void key_append_value(struct buffer *key, const struct value *value, bool descending);
/* Reads one value off the front of *key; text points into the key, or is put into the arena when it
 * must be unescaped or inverted. ERR_CORRUPT when the bytes are not such an encoding; *key then
 * stays. */
status_t key_take_value(struct slice *key, enum sql_type type, bool descending, struct arena *arena,
                        struct value *value);
/* The same, without looking at what the value is. */
status_t key_skip_value(struct slice *key, enum sql_type type, bool descending);
/* Turns a key prefix into the smallest key that is above all keys beginning with it. False when
 * there is none (all ff). */
bool key_prefix_end(struct buffer *key);

/* ---- rows: one MessagePack array, values by column ordinal ------------------------------------
 */

/* Ordinals are never reused; a row written before a column was added is shorter, the column then
 * reads as `missing` (the default at ADD COLUMN). Dropped columns are written as nil. */
void row_encode(struct buffer *row, const struct value *values, uint32_t count);
/* What of a row is wanted: for target i, the value at ordinal ordinals[i] (strictly ascending). */
struct row_shape {
    const uint32_t *ordinals;
    const enum sql_type *types;
    const struct value *missing;
    uint32_t count;
};
/* Decodes into row `at` of targets[0..count), whose types are the shape's. Text points into `row`
 * (or into `missing`). ERR_CORRUPT when malformed or of another type than declared; reading stops
 * behind the last wanted value, so what comes after it is not looked at. */
status_t row_decode(struct slice row, const struct row_shape *shape, struct vector **targets,
                    uint32_t at);
/* The same of `count` rows, into rows `at` and following; they are `stride` bytes apart. */
status_t row_decode_many(const struct slice *rows, size_t stride, uint32_t count,
                         const struct row_shape *shape, struct vector **targets, uint32_t at);

/* ---- dates and times --------------------------------------------------------------------------
 *
 * A date is a number of days, a timestamp a number of microseconds since 1970-01-01 00:00 (a
 * timestamp with time zone: UTC), a time the microseconds since midnight (24:00 included), all in
 * the proleptic Gregorian calendar. The greatest and the least number are the infinities. */

#define DATETIME_INFINITY       INT64_MAX
#define DATETIME_MINUS_INFINITY INT64_MIN

/* Months and days are kept apart, because their length depends on what they are added to. */
struct interval {
    int32_t months;
    int32_t days;
    int64_t us;
};

#endif
