/* Making, comparing and hashing values. */
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "sql/types/types_int.h"

struct value value_null(enum sql_type type)
{
    return (struct value){.type = type, .null = true};
}

struct value value_boolean(bool boolean)
{
    return (struct value){.type = SQL_BOOLEAN, .as.boolean = boolean};
}

struct value value_integer(int64_t integer)
{
    return (struct value){.type = SQL_INTEGER, .as.integer = integer};
}

struct value value_double(double real)
{
    return (struct value){.type = SQL_DOUBLE, .as.real = real};
}

struct value value_text(struct slice text)
{
    return (struct value){.type = SQL_TEXT, .as.text = text};
}

struct value value_real(double real)
{
    return (struct value){.type = SQL_REAL, .as.real = (double)(float)real};
}

struct value value_numeric(struct numeric numeric)
{
    return (struct value){.type = SQL_NUMERIC, .as.numeric = numeric};
}

struct value value_bytea(struct slice bytes)
{
    return (struct value){.type = SQL_BYTEA, .as.text = bytes};
}

struct value value_interval(struct interval interval)
{
    return (struct value){.type = SQL_INTERVAL, .as.interval = interval};
}

struct value value_uuid(struct uuid uuid)
{
    return (struct value){.type = SQL_UUID, .as.uuid = uuid};
}

struct value value_datetime(enum sql_type type, int64_t count)
{
    ASSERT(type >= SQL_DATE && type <= SQL_TIMESTAMPTZ);
    return (struct value){.type = type, .as.integer = count};
}

static int compare_integers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_doubles(double a, double b)
{
    if (isnan(a) || isnan(b))
        return !!isnan(a) - !!isnan(b);
    return (a > b) - (a < b);
}

/* Exact, where converting the integer would round it from 2^53 on. */
static int compare_integer_double(int64_t a, double b)
{
    if (isnan(b) || b >= 0x1p63)
        return -1;
    if (b < -0x1p63)
        return 1;
    int64_t whole = (int64_t)b;
    if (a != whole)
        return compare_integers(a, whole);
    /* `whole` came from a double, so it converts back without loss. */
    return compare_doubles((double)whole, b);
}

/* Numbers of two types: integers and numerics exactly, both against doubles as near as it goes. */
static int compare_numbers(const struct value *a, const struct value *b)
{
    enum sql_type x = type_storage(a->type);
    enum sql_type y = type_storage(b->type);
    if (x == SQL_INTEGER && y == SQL_DOUBLE)
        return compare_integer_double(a->as.integer, b->as.real);
    if (x == SQL_NUMERIC && y == SQL_DOUBLE)
        return compare_doubles(numeric_to_double(a->as.numeric), b->as.real);
    if (x == SQL_INTEGER && y == SQL_NUMERIC)
        return numeric_compare(numeric_from_integer(a->as.integer), b->as.numeric);
    ASSERT(x == SQL_DOUBLE || x == SQL_NUMERIC);
    return -compare_numbers(b, a);
}

/* A month has 30 days and a day 24 hours, as far as order goes. */
__int128 value__interval_length(struct interval interval)
{
    const int64_t day_us = INT64_C(86400000000);
    return ((__int128)interval.months * 30 + interval.days) * day_us + interval.us;
}

int value_compare(const struct value *a, const struct value *b)
{
    ASSERT(a && b);
    if (a->null || b->null)
        return (int)a->null - (int)b->null;
    enum sql_type storage = type_storage(a->type);
    if (storage != type_storage(b->type)) {
        ASSERT(type_is_number(a->type) && type_is_number(b->type));
        return compare_numbers(a, b);
    }
    switch (storage) {
    case SQL_BOOLEAN:
        return (int)a->as.boolean - (int)b->as.boolean;
    case SQL_INTEGER:
        return compare_integers(a->as.integer, b->as.integer);
    case SQL_DOUBLE:
        return compare_doubles(a->as.real, b->as.real);
    case SQL_TEXT:
        return slice_compare(a->as.text, b->as.text);
    case SQL_NUMERIC:
        return numeric_compare(a->as.numeric, b->as.numeric);
    case SQL_INTERVAL: {
        __int128 x = value__interval_length(a->as.interval);
        __int128 y = value__interval_length(b->as.interval);
        return (x > y) - (x < y);
    }
    case SQL_UUID:
        return memcmp(a->as.uuid.bytes, b->as.uuid.bytes, sizeof(struct uuid));
    default:
        UNREACHABLE();
    }
}

static uint64_t hash_mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0xe9846af9b1a615d;
    h ^= h >> 32;
    h *= 0xe9846af9b1a615d;
    h ^= h >> 28;
    return h;
}

/* A double that is a 64-bit integer hashes as that integer (so -0 as 0); all NaNs are one. */
static uint64_t hash_double(double real)
{
    if (real >= -0x1p63 && real < 0x1p63 && real == (double)(int64_t)real)
        return hash_mix((uint64_t)(int64_t)real);
    if (isnan(real))
        real = (double)NAN;
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return hash_mix(bits ^ 0x5bd1e9955bd1e995);
}

static uint64_t hash_wide(__int128 number)
{
    return hash_mix((uint64_t)number ^ hash_mix((uint64_t)(number >> 64)));
}

/* As the integer or double of the same value, if there is one. The nearest double of equal numbers
 * is one, so that zeros at the end matter only to numbers that are beyond it. */
static uint64_t hash_numeric(struct numeric numeric)
{
    __int128 own = numeric_coefficient(numeric);
    if (own <= INT64_C(1) << 53 && own >= -(INT64_C(1) << 53))
        return hash_double(numeric_to_double(numeric));
    struct numeric trimmed = numeric_trim(numeric);
    __int128 coefficient = numeric_coefficient(trimmed);
    if (numeric_scale(trimmed) == 0 && coefficient == (int64_t)coefficient)
        return hash_mix((uint64_t)(int64_t)coefficient);
    return hash_double(numeric_to_double(trimmed));
}

uint64_t value_hash(const struct value *value)
{
    ASSERT(value);
    if (value->null)
        return 0x6e756c6c6e756c6c;
    switch (type_storage(value->type)) {
    case SQL_BOOLEAN:
        return hash_mix(value->as.boolean ? 0x74727565 : 0x66616c73);
    case SQL_INTEGER:
        return hash_mix((uint64_t)value->as.integer);
    case SQL_DOUBLE:
        return hash_double(value->as.real);
    case SQL_TEXT:
        return slice_hash(value->as.text);
    case SQL_NUMERIC:
        return hash_numeric(value->as.numeric);
    case SQL_INTERVAL:
        return hash_wide(value__interval_length(value->as.interval));
    case SQL_UUID:
        return slice_hash(slice_make(value->as.uuid.bytes, sizeof(struct uuid)));
    default:
        UNREACHABLE();
    }
}
