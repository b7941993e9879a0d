/* Making, comparing and hashing values. */
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "sql/types/types.h"

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

int value_compare(const struct value *a, const struct value *b)
{
    ASSERT(a && b);
    if (a->null || b->null)
        return (int)a->null - (int)b->null;
    if (a->type == SQL_INTEGER && b->type == SQL_DOUBLE)
        return compare_integer_double(a->as.integer, b->as.real);
    if (a->type == SQL_DOUBLE && b->type == SQL_INTEGER)
        return -compare_integer_double(b->as.integer, a->as.real);
    ASSERT(a->type == b->type);
    switch (a->type) {
    case SQL_BOOLEAN:
        return (int)a->as.boolean - (int)b->as.boolean;
    case SQL_INTEGER:
        return compare_integers(a->as.integer, b->as.integer);
    case SQL_DOUBLE:
        return compare_doubles(a->as.real, b->as.real);
    case SQL_TEXT:
        return slice_compare(a->as.text, b->as.text);
    case SQL_UNKNOWN:
    case SQL_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
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

uint64_t value_hash(const struct value *value)
{
    ASSERT(value);
    if (value->null)
        return 0x6e756c6c6e756c6c;
    switch (value->type) {
    case SQL_BOOLEAN:
        return hash_mix(value->as.boolean ? 0x74727565 : 0x66616c73);
    case SQL_INTEGER:
        return hash_mix((uint64_t)value->as.integer);
    case SQL_DOUBLE:
        return hash_double(value->as.real);
    case SQL_TEXT:
        return slice_hash(value->as.text);
    case SQL_UNKNOWN:
    case SQL_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}
