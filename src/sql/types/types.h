/* Types, values, columns of values, and their encodings as keys and rows.
 *
 * Semantics are PostgreSQL's: three-valued logic, NULL sorts last (ascending), integer division
 * truncates, overflow is an error (22003), NaN equals itself and sorts above all numbers, -0 equals
 * 0, text compares by bytes (the "C" collation) and is valid UTF-8 without NUL characters.
 *
 * Errors carry SQLSTATE: 22003 numeric out of range, 22012 division by zero, 22P02 invalid text
 * representation, 22001 string too long, 22021 invalid UTF-8, 54000 key too long.
 *
 * Numbers behind the point: NUMERIC is exact, at most 36 digits in all. What arithmetic gives keeps
 * its digits before the point, and of those behind it as many as there is room for, rounded half
 * away from zero; only digits before the point that do not fit are an error (22003). */
#ifndef SQL_TYPES_TYPES_H
#define SQL_TYPES_TYPES_H

#include <stdatomic.h>
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
    SQL_REAL,        /* IEEE 754 binary32, held as the double of the same value */
    SQL_NUMERIC,     /* exact decimal */
    SQL_BYTEA,       /* bytes */
    SQL_DATE,        /* what the next four count: see "dates and times" below */
    SQL_TIME,        /* of a day */
    SQL_TIMESTAMP,   /* without time zone */
    SQL_TIMESTAMPTZ, /* with: an instant */
    SQL_INTERVAL,
    SQL_UUID,
    SQL_TYPE_COUNT
};

/* How a type's values are held, in a vector and in a struct value: as those of SQL_BOOLEAN,
 * SQL_INTEGER (dates and times, too), SQL_DOUBLE (reals, too), SQL_TEXT (bytes, too), SQL_NUMERIC,
 * SQL_INTERVAL or SQL_UUID; SQL_UNKNOWN has none. Types held alike compare alike. */
static inline enum sql_type type_storage(enum sql_type type)
{
    static const uint8_t storages[SQL_TYPE_COUNT] = {
        [SQL_BOOLEAN] = SQL_BOOLEAN,     [SQL_INTEGER] = SQL_INTEGER,
        [SQL_DOUBLE] = SQL_DOUBLE,       [SQL_TEXT] = SQL_TEXT,
        [SQL_REAL] = SQL_DOUBLE,         [SQL_NUMERIC] = SQL_NUMERIC,
        [SQL_BYTEA] = SQL_TEXT,          [SQL_DATE] = SQL_INTEGER,
        [SQL_TIME] = SQL_INTEGER,        [SQL_TIMESTAMP] = SQL_INTEGER,
        [SQL_TIMESTAMPTZ] = SQL_INTEGER, [SQL_INTERVAL] = SQL_INTERVAL,
        [SQL_UUID] = SQL_UUID,
    };
    return (enum sql_type)storages[type];
}
/* Its values point to bytes elsewhere. */
static inline bool type_is_slice(enum sql_type type)
{
    return type == SQL_TEXT || type == SQL_BYTEA;
}
/* integer, real, double precision, numeric. */
static inline bool type_is_number(enum sql_type type)
{
    return type == SQL_INTEGER || type == SQL_DOUBLE || type == SQL_REAL || type == SQL_NUMERIC;
}
/* Values that compare as equal are the same value: not so for -0, 1.00 and 24 hours. A key then
 * tells all there is to tell. */
static inline bool type_key_is_exact(enum sql_type type)
{
    enum sql_type storage = type_storage(type);
    return storage != SQL_DOUBLE && storage != SQL_NUMERIC && storage != SQL_INTERVAL;
}

/* In the length of a text: blanks at the end mean nothing, and are not kept. */
#define TYPE_LENGTH_CHAR (UINT32_C(1) << 31)
/* The length of a VARCHAR that is told none, more than any text has: what sets it apart from a
 * TEXT. Catalogs that were written before it was kept have 0 for it, which is a TEXT. */
#define TYPE_LENGTH_VARCHAR (UINT32_C(1) << 30)

/* A declared column type: `kind` and what limits its values. length_max depends on the kind; 0: no
 * limit. SQL_TEXT: characters, of CHAR(n) with TYPE_LENGTH_CHAR, or TYPE_LENGTH_VARCHAR.
 * SQL_INTEGER: 16 or 32 for SMALLINT and INT4. SQL_NUMERIC: precision * 256 + scale. Times,
 * timestamps: digits of the second + 1. */
struct type_spec {
    enum sql_type kind;
    uint32_t length_max;
};

/* Whether there are values of its kind that it cannot hold. */
static inline bool type_spec_limits(struct type_spec spec)
{
    return spec.length_max > 0 && (spec.kind != SQL_TEXT || spec.length_max != TYPE_LENGTH_VARCHAR);
}

/* "boolean", "integer", "double precision", "text", "timestamp with time zone", ..., "unknown". */
const char *type_name(enum sql_type type);
/* As declared: "character varying(10)", "smallint", "int4", ... into out. */
void type_spec_name(struct type_spec spec, char *out, size_t size);
/* Understands every spelling of the SQL reference (int, int2, int4, int8, bigint, float, float8,
 * real, double precision, string, varchar, char varying, bool, decimal, timestamptz, ...), any
 * case, words separated by one space. INT and INTEGER are 64 bits. `length`
 * and `scale` are the numbers in parentheses or -1. False: no such type, or not with those numbers.
 */
bool type_spec_parse(const char *name, int64_t length, int64_t scale, struct type_spec *out);

/* ---- what values consist of ------------------------------------------------------------------ */

/* coefficient / 10^scale. One number of 128 bits, coefficient * 64 + scale, in two halves. */
struct numeric {
    uint64_t low;
    uint64_t high;
};

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

struct uuid {
    uint8_t bytes[16];
};

/* ---- values --------------------------------------------------------------------------------- */

struct value {
    enum sql_type type;
    bool null;
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct slice text; /* owned elsewhere: arena, snapshot or statement text */
        struct numeric numeric;
        struct interval interval;
        struct uuid uuid;
    } as;
};

struct value value_null(enum sql_type type);
struct value value_boolean(bool boolean);
struct value value_integer(int64_t integer);
struct value value_double(double real);
struct value value_text(struct slice text);
struct value value_real(double real); /* rounded to binary32 */
struct value value_numeric(struct numeric numeric);
struct value value_bytea(struct slice bytes);
struct value value_interval(struct interval interval);
struct value value_uuid(struct uuid uuid);
/* SQL_DATE to SQL_TIMESTAMPTZ. */
struct value value_datetime(enum sql_type type, int64_t count);

/* Total order for sorting, grouping and keys: values of one type, or two numbers; NULL after
 * everything and equal to itself. <0, 0, >0. */
int value_compare(const struct value *a, const struct value *b);
/* Equal values of one type hash alike, and so do equal integers, doubles and numerics while a
 * double is exact. */
uint64_t value_hash(const struct value *value);
/* Whether CAST knows the way; 42846 otherwise. NULLs and values of unknown type go anywhere. */
bool type_can_cast(enum sql_type from, enum sql_type to);
/* CAST semantics. Text results are put into the arena (which may be NULL for other types).
 * Double to integer rounds half to even; boolean to text gives true and false. `position` goes into
 * the error: 22P02, 22003, 42846. */
status_t value_cast(const struct value *value, enum sql_type type, struct arena *arena,
                    uint32_t position, struct value *out, struct error *error);
/* The same where the session's clock and zone are known: text such as 'now', and what has no time
 * zone against what has one, go by it. In value_cast there is no now (22007), and the zone is UTC.
 */
status_t value_cast_at(const struct value *value, enum sql_type type, const struct clock *clock,
                       struct arena *arena, uint32_t position, struct value *out,
                       struct error *error);
/* Makes a value of spec.kind fit the rest of `spec`: smallint and int4 are checked, and so is the
 * length of text (22001; blanks over it are cut off); numeric and times are rounded, and 22003 when
 * the digits before the point are too many. */
status_t value_fit(struct value *value, struct type_spec spec, uint32_t position,
                   struct error *error);
/* Assignment to a declared column: cast to its kind, then range and length checked (22003, 22001;
 * blanks over a length are cut off); the error's detail names the column. Text of the result may be
 * that of `value`. */
status_t value_assign(const struct value *value, struct type_spec spec, const char *column,
                      struct arena *arena, struct value *out, struct error *error);
/* Appends the text a client sees (true/false as "t"/"f", doubles in the shortest form that reads
 * back, as PostgreSQL prints them: 0.1, 1e+100, 3, Infinity, NaN). Nothing for NULL. */
void value_format(const struct value *value, struct buffer *out);
/* A timestamp with time zone as it is `zone_s` seconds east of UTC; value_format: in UTC. */
void value_format_at(const struct value *value, int32_t zone_s, struct buffer *out);

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
        struct numeric *numerics;
        struct interval *intervals;
        struct uuid *uuids;
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
 *   text       bytes with 00 written as 00 ff, ended by 00 01; so bytes
 *   numeric    one byte of sign and exponent, two decimal digits a byte, one byte for the end
 *              (see key.c); equal values have one key, whatever their scale
 *   interval   16 bytes big-endian, sign bit flipped: its length in us, a month having 30 days
 *   uuid       its 16 bytes
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

/* Numbers, booleans and text are MessagePack's own, so are bytes (bin); dates and times are
 * integers, a real is a float 32. The others are extensions: type 1 numeric (one byte scale, then
 * the coefficient, two's complement, big-endian, as short as it goes), type 2 interval (4 bytes
 * months, 4 days, 8 us, big-endian), type 3 uuid.
 *
 * Ordinals are never reused; a row written before a column was added is shorter, the column then
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
/* The same of one row, into a value each: target i is out[places[i]]. */
status_t row_decode_values(struct slice row, const struct row_shape *shape, const uint32_t *places,
                           struct value *out);
/* The same of `count` rows, into rows `at` and following; they are `stride` bytes apart. */
status_t row_decode_many(const struct slice *rows, size_t stride, uint32_t count,
                         const struct row_shape *shape, struct vector **targets, uint32_t at);
/* The same of those rows only whose numbers are in `which` (ascending), each into the row of its
 * number. */
status_t row_decode_some(const struct slice *rows, size_t stride, const uint32_t *which,
                         uint32_t count, const struct row_shape *shape, struct vector **targets);

/* ---- exact decimals ---------------------------------------------------------------------------
 *
 * Results that do not fit are rounded, or refused (false), as told at the top. */

enum {
    NUMERIC_DIGITS_MAX = 36, /* of the coefficient */
    NUMERIC_SCALE_MAX = 36,
    NUMERIC_SCALE_BITS = 6,
    NUMERIC_TEXT_MAX = 40, /* bytes: sign, digits, point, a zero before it, NUL */
};

static inline __int128 numeric_coefficient(struct numeric numeric)
{
    return (__int128)((unsigned __int128)numeric.high << 64 | numeric.low) >> NUMERIC_SCALE_BITS;
}
static inline uint32_t numeric_scale(struct numeric numeric)
{
    return (uint32_t)(numeric.low & ((1U << NUMERIC_SCALE_BITS) - 1));
}
/* The coefficient has at most NUMERIC_DIGITS_MAX digits. */
static inline struct numeric numeric_make(__int128 coefficient, uint32_t scale)
{
    unsigned __int128 packed = (unsigned __int128)coefficient << NUMERIC_SCALE_BITS | scale;
    return (struct numeric){.low = (uint64_t)packed, .high = (uint64_t)(packed >> 64)};
}
/* 10^exponent, 0 to 38. */
unsigned __int128 numeric_power_of_ten(uint32_t exponent);
/* A whole number, such as a count or the value of an integer. */
struct numeric numeric_from_integer(int64_t integer);
/* With the 15 (of a real: 6) significant digits that it surely has. */
bool numeric_from_double(double real, bool is_real, struct numeric *out);
/* The nearest double. */
double numeric_to_double(struct numeric numeric);
/* Rounded half away from zero. */
bool numeric_to_integer(struct numeric numeric, int64_t *out);
/* Of [+-] digits [. digits] [e exponent], as is. ERR_SQL when it is not such a text, ERR_TOO_LONG
 * when it has too many digits. */
status_t numeric_parse(struct slice text, struct numeric *out);
/* With as many digits behind the point as its scale says; returns the length. */
size_t numeric_format(struct numeric numeric, char out[NUMERIC_TEXT_MAX]);
int numeric_compare(struct numeric a, struct numeric b);
/* The same, quick for two of one scale: then they are ordered as what they are packed in. */
static inline int numeric_order(struct numeric a, struct numeric b)
{
    if (numeric_scale(a) != numeric_scale(b))
        return numeric_compare(a, b);
    if (a.high != b.high)
        return (int64_t)a.high < (int64_t)b.high ? -1 : 1;
    return (a.low > b.low) - (a.low < b.low);
}
/* The same value without zeros at the end. */
struct numeric numeric_trim(struct numeric numeric);
/* Coefficient and scale of a sum or product before it was made to fit. */
bool numeric_fit(__int128 coefficient, uint32_t scale, struct numeric *out);
bool numeric_add(struct numeric a, struct numeric b, struct numeric *out);
bool numeric_subtract(struct numeric a, struct numeric b, struct numeric *out);
bool numeric_multiply(struct numeric a, struct numeric b, struct numeric *out);
/* b is not zero. Digits behind the point as PostgreSQL chooses them: 16 significant ones at least,
 * and no fewer than the operands have. */
bool numeric_divide(struct numeric a, struct numeric b, struct numeric *out);
/* b is not zero. The remainder has the sign of a. */
bool numeric_modulo(struct numeric a, struct numeric b, struct numeric *out);
struct numeric numeric_negate(struct numeric numeric);
/* To `digits` behind the point (below 0: before it). */
enum numeric_rounding { NUMERIC_HALF_AWAY, NUMERIC_TOWARDS_ZERO, NUMERIC_DOWN, NUMERIC_UP };
bool numeric_round(struct numeric numeric, int64_t digits, enum numeric_rounding rounding,
                   struct numeric *out);
/* Not of a negative number. */
bool numeric_sqrt(struct numeric numeric, struct numeric *out);
/* Of numbers above 0; a base is not 1. As many digits behind the point as PostgreSQL gives. */
bool numeric_ln(struct numeric numeric, struct numeric *out);
bool numeric_log(struct numeric base, struct numeric numeric, struct numeric *out);
bool numeric_exp(struct numeric numeric, struct numeric *out);
/* to_char and to_number with PostgreSQL's template patterns. Errors carry no position. */
status_t numeric_to_char(struct numeric number, struct slice text, struct buffer *out,
                         struct error *error);
status_t numeric_from_char(struct slice text, struct slice pattern, struct numeric *out,
                           struct error *error);
enum numeric_power {
    NUMERIC_POWER_OK,
    NUMERIC_POWER_OVERFLOW,
    NUMERIC_POWER_OF_ZERO, /* 0 to a negative power */
    NUMERIC_POWER_COMPLEX, /* a negative number to a power that is not whole */
};
enum numeric_power numeric_power(struct numeric base, struct numeric exponent, struct numeric *out);

/* What an exact variance is made of; zeroed: of no values (numeric_spread.c). */
enum { NUMERIC_SPREAD_SUM_WORDS = 5, NUMERIC_SPREAD_SQUARE_WORDS = 9 };
struct numeric_spread {
    uint64_t count;
    uint32_t scale;
    uint64_t sum[NUMERIC_SPREAD_SUM_WORDS]; /* two's complement */
    uint64_t squares[NUMERIC_SPREAD_SQUARE_WORDS];
};
/* Takes in coefficient / 10^scale, of at most NUMERIC_DIGITS_MAX digits. */
void numeric_spread_add(struct numeric_spread *spread, __int128 coefficient, uint32_t scale);
void numeric_spread_merge(struct numeric_spread *into, const struct numeric_spread *from);
/* Of a sample of at least two values, or of a population of at least one; with `root` its standard
 * deviation. */
bool numeric_spread_variance(const struct numeric_spread *spread, bool sample, bool root,
                             struct numeric *out);

/* ---- bytes and UUIDs --------------------------------------------------------------------------
 */

/* 8-4-4-4-12 hexadecimal digits, hyphens after any group of four or none, braces around it or not.
 */
bool uuid_parse(struct slice text, struct uuid *out);
/* Appends the usual form. */
void uuid_format(struct uuid uuid, struct buffer *out);
/* Version 4 of 16 random bytes. */
struct uuid uuid_from_random(const uint8_t random[16]);

/* Of hexadecimal digits, with blanks between the bytes or not. `culprit` is what is no digit. The
 * bytes are put into the arena. */
enum bytes_fault { BYTES_OK, BYTES_DIGIT, BYTES_ODD };
enum bytes_fault bytes_from_hex(struct slice text, struct arena *arena, struct slice *out,
                                uint8_t *culprit);
/* \\ is a backslash, \ooo the byte of that octal number, anything else itself. False: a backslash
 * with something else behind it. */
bool bytes_from_escaped(struct slice text, struct arena *arena, struct slice *out);
void bytes_to_hex(struct slice bytes, struct buffer *out);
void bytes_to_escaped(struct slice bytes, struct buffer *out);

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

/* ---- patterns (like.c) ------------------------------------------------------------------------
 */

enum { LIKE_ESCAPE_NONE = 0x110000 }; /* above every character */

/* Does the text match the pattern of LIKE, or, with `fold`, of ILIKE? False in *valid: the pattern
 * ends with its escape character. It may take the product of both sizes: when `cancel` (may be
 * NULL) is up it soon ends with whatever. */
bool like_match(struct slice text, struct slice pattern, uint32_t escape, bool fold,
                const atomic_bool *cancel, bool *valid);

/* A pattern taken apart for many texts (like_parts.c): literals one behind the other. */
struct like_parts {
    struct slice *literals; /* none is empty; in the arena */
    uint32_t count;
    bool from_start; /* the first one is where the text begins */
    bool to_end;     /* the last one is where it ends */
};
/* False: it is a pattern for like_match. */
bool like_parts_make(struct slice pattern, uint32_t escape, struct arena *arena,
                     struct like_parts *parts);
/* As like_match without `fold`. */
bool like_parts_match(const struct like_parts *parts, struct slice text);

#endif
