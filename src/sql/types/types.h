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
 * the proleptic Gregorian calendar. The greatest and the least number are the infinities. Dates
 * reach from 4714-11-24 BC to 5874897-12-31, timestamps from the same day to the end of 294246.
 *
 * Errors: 22007 invalid syntax, 22008 field or result out of range, 22009 zone displacement out of
 * range, 22015 interval field out of range, 22023 unknown unit or zone. They carry no position. */

#define DATETIME_INFINITY       INT64_MAX
#define DATETIME_MINUS_INFINITY INT64_MIN

enum { DATETIME_TEXT_MAX = 128 }; /* bytes of any of them as text, with a NUL */

/* Months and days are kept apart, because their length depends on what they are added to. */
struct interval {
    int32_t months;
    int32_t days;
    int64_t us;
};

/* What 'now' and 'today' mean, and where: time zones are fixed offsets from UTC. */
struct clock {
    int64_t now_us;  /* a timestamp with time zone */
    int32_t zone_s;  /* seconds east of UTC */
    bool is_known;   /* false: 'now' and its like cannot be told (22007) */
    bool *was_asked; /* set to true when a text needed now_us or zone_s; may be NULL */
};

/* A calendar date; year 0 is 1 BC. */
struct civil_date {
    int32_t year;
    int32_t month; /* 1 to 12 */
    int32_t day;   /* 1 to 31 */
};
/* Days since 1970-01-01; month and day must exist in that year. */
int64_t date_from_civil(struct civil_date civil);
/* Of a finite date in range. */
struct civil_date date_to_civil(int64_t days);
int32_t month_length(int32_t year, int32_t month);

/* Text to values: the ISO forms, and those PostgreSQL reads with datestyle MDY. */
status_t date_parse(struct slice text, const struct clock *clock, int64_t *days,
                    struct error *error);
status_t time_parse(struct slice text, const struct clock *clock, int64_t *us, struct error *error);
/* A zone in the text of a timestamp without time zone is passed over. */
status_t timestamp_parse(struct slice text, bool with_zone, const struct clock *clock, int64_t *us,
                         struct error *error);

/* What is counted, or where something is cut. */
enum datetime_unit {
    UNIT_MICROSECOND,
    UNIT_MILLISECOND,
    UNIT_SECOND,
    UNIT_MINUTE,
    UNIT_HOUR,
    UNIT_DAY,
    UNIT_WEEK,
    UNIT_MONTH,
    UNIT_QUARTER,
    UNIT_YEAR,
    UNIT_DECADE,
    UNIT_CENTURY,
    UNIT_MILLENNIUM,
    /* Only to be extracted. */
    UNIT_DOW,
    UNIT_ISODOW,
    UNIT_DOY,
    UNIT_ISOYEAR,
    UNIT_EPOCH,
    UNIT_JULIAN,
    UNIT_TIMEZONE,
    UNIT_TIMEZONE_HOUR,
    UNIT_TIMEZONE_MINUTE,
    UNIT_COUNT
};
/* Singular, plural and short spellings, any case. False: none. */
bool datetime_unit_parse(struct slice text, enum datetime_unit *unit);
const char *datetime_unit_name(enum datetime_unit unit);

/* '1 year 2 mons 3 days 04:05:06.7', '1-2', 'P1Y2M3DT4H5M6S'. A number without a unit counts
 * `unit`s. */
status_t interval_parse(struct slice text, enum datetime_unit unit, struct interval *out,
                        struct error *error);
/* INTERVAL '...' DAY TO MINUTE: what is smaller than the last field is cut off. */
struct interval interval_cut(struct interval interval, enum datetime_unit last);
/* "UTC", "Z", "+05:30", "-8", "UTC+3" (which is east, not as POSIX has it), "5.5". Named zones are
 * refused (22023). */
status_t zone_parse(struct slice text, int32_t *zone_s, struct error *error);

/* Values to text as PostgreSQL's ISO style; a NUL at the end, the length comes back. */
size_t date_format(int64_t days, char out[DATETIME_TEXT_MAX]);
size_t time_format(int64_t us, char out[DATETIME_TEXT_MAX]);
size_t timestamp_format(int64_t us, char out[DATETIME_TEXT_MAX]);
size_t timestamptz_format(int64_t us, int32_t zone_s, char out[DATETIME_TEXT_MAX]);
size_t interval_format(struct interval interval, char out[DATETIME_TEXT_MAX]);
/* "UTC" or "+05:30". */
size_t zone_format(int32_t zone_s, char out[DATETIME_TEXT_MAX]);

/* Between the types. Infinities stay what they are, but have no time of day (22008). */
status_t timestamp_from_date(int64_t days, int64_t *us, struct error *error);
int64_t timestamp_to_date(int64_t us);
status_t timestamp_to_time(int64_t us, int64_t *time_us, struct error *error);
/* Local time is UTC moved by the zone's seconds, UTC is local time moved by as many the other way.
 */
status_t timestamp_shift(int64_t us, int32_t seconds, int64_t *out, struct error *error);

/* Arithmetic. A month added ends at the last day when the new month is shorter. */
status_t date_add(int64_t days, int64_t more, int64_t *out, struct error *error);
status_t date_difference(int64_t a, int64_t b, int64_t *days, struct error *error);
status_t timestamp_add(int64_t us, struct interval interval, int64_t *out, struct error *error);
status_t timestamp_difference(int64_t a, int64_t b, struct interval *out, struct error *error);
/* Within a day: what goes over midnight comes in on the other side. */
int64_t time_add(int64_t us, struct interval interval);
/* The same in years, months and days. */
status_t timestamp_age(int64_t a, int64_t b, struct interval *out, struct error *error);
status_t interval_negate(struct interval interval, struct interval *out, struct error *error);
status_t interval_add(struct interval a, struct interval b, struct interval *out,
                      struct error *error);
/* 22012 for a divisor of 0. */
status_t interval_multiply(struct interval interval, double factor, struct interval *out,
                           struct error *error);
status_t interval_divide(struct interval interval, double divisor, struct interval *out,
                         struct error *error);
/* A month is 30 days, a day 24 hours. */
int interval_compare(struct interval a, struct interval b);
/* Whole days out of the time, whole months out of the days, or both. */
status_t interval_justify(struct interval interval, bool hours, bool days, struct interval *out,
                          struct error *error);

/* Fields. date_trunc and its like: 22023 with units that cannot be cut at. */
status_t timestamp_trunc(enum datetime_unit unit, int64_t us, int64_t *out, struct error *error);
status_t interval_trunc(enum datetime_unit unit, struct interval interval, struct interval *out,
                        struct error *error);
/* The beginning of the stride that `us` is in, strides being laid out from `origin`. */
status_t timestamp_bin(struct interval stride, int64_t us, int64_t origin, int64_t *out,
                       struct error *error);
/* A field's value is number / 10^scale; or infinite (number is 1 or -1), or none (is_null). */
struct datetime_field {
    int64_t number;
    uint8_t scale;
    bool is_infinite;
    bool is_null;
};
/* Of SQL_DATE, SQL_TIME, SQL_TIMESTAMP, or, with time zone, SQL_TIMESTAMPTZ: 22023 when there is
 * no such field. `us` is local time, for a date its midnight. */
enum datetime_kind { DATETIME_DATE, DATETIME_TIME, DATETIME_TIMESTAMP, DATETIME_TIMESTAMPTZ };
status_t timestamp_extract(enum datetime_kind kind, enum datetime_unit unit, int64_t us,
                           int32_t zone_s, struct datetime_field *out, struct error *error);
status_t interval_extract(enum datetime_unit unit, struct interval interval,
                          struct datetime_field *out, struct error *error);

/* From numbers. Seconds may have a fraction. */
status_t date_make(int64_t year, int64_t month, int64_t day, int64_t *days, struct error *error);
status_t time_make(int64_t hour, int64_t minute, double second, int64_t *us, struct error *error);
status_t timestamp_make(const int64_t fields[5], double second, int64_t *us, struct error *error);
/* Years, months, weeks, days, hours, minutes, then seconds. */
status_t interval_make(const int64_t fields[6], double second, struct interval *out,
                       struct error *error);
status_t timestamp_from_epoch(double seconds, int64_t *us, struct error *error);

/* to_char, to_timestamp and to_date with PostgreSQL's template patterns. */
status_t timestamp_to_char(int64_t us, const int32_t *zone_s, struct slice pattern,
                           struct buffer *out, struct error *error);
status_t interval_to_char(struct interval interval, struct slice pattern, struct buffer *out,
                          struct error *error);
/* Local time, or, when the text has an offset, moved to UTC and *zoned. */
status_t timestamp_from_char(struct slice text, struct slice pattern, int64_t *us, bool *zoned,
                             struct error *error);

#endif
