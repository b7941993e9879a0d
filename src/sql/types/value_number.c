/* Casts between numbers. To an integer, doubles round half to even and numerics half away from
 * zero, as PostgreSQL has it. */
#include <math.h>

#include "base/check.h"
#include "sql/types/types_int.h"

static status_t to_integer(const struct value *value, uint32_t position, struct value *out,
                           struct error *error)
{
    if (value->type == SQL_NUMERIC) {
        int64_t integer;
        if (!numeric_to_integer(value->as.numeric, &integer))
            return value__range_error(SQL_INTEGER, position, error);
        *out = value_integer(integer);
        return OK;
    }
    double rounded = rint(value->as.real); /* to even: the default rounding mode is never changed */
    if (isnan(rounded) || rounded < -0x1p63 || rounded >= 0x1p63)
        return value__range_error(SQL_INTEGER, position, error);
    *out = value_integer((int64_t)rounded);
    return OK;
}

static status_t to_double(const struct value *value, uint32_t position, struct value *out,
                          struct error *error)
{
    (void)position;
    (void)error;
    if (value->type == SQL_NUMERIC)
        *out = value_double(numeric_to_double(value->as.numeric));
    else if (value->type == SQL_INTEGER)
        *out = value_double((double)value->as.integer);
    else
        *out = value_double(value->as.real);
    return OK;
}

static status_t to_real(const struct value *value, uint32_t position, struct value *out,
                        struct error *error)
{
    status_t status = to_double(value, position, out, error);
    ASSERT(status == OK);
    double wide = out->as.real;
    *out = value_real(wide);
    if (isinf(out->as.real) && !isinf(wide))
        return error_sql(error, "22003", position, "value out of range: overflow");
    if (out->as.real == 0 && wide != 0)
        return error_sql(error, "22003", position, "value out of range: underflow");
    return status;
}

static status_t to_numeric(const struct value *value, uint32_t position, struct value *out,
                           struct error *error)
{
    struct numeric numeric;
    if (value->type == SQL_INTEGER) {
        *out = value_numeric(numeric_from_integer(value->as.integer));
        return OK;
    }
    if (isnan(value->as.real))
        return error_sql(error, "22003", position, "cannot convert NaN to numeric");
    if (isinf(value->as.real))
        return error_sql(error, "22003", position, "cannot convert infinity to numeric");
    if (!numeric_from_double(value->as.real, value->type == SQL_REAL, &numeric))
        return value__range_error(SQL_NUMERIC, position, error);
    *out = value_numeric(numeric);
    return OK;
}

status_t value__number_cast(const struct value *value, enum sql_type type, uint32_t position,
                            struct value *out, struct error *error)
{
    ASSERT(!value->null && type_is_number(value->type));
    ASSERT(type != value->type);
    switch (type) {
    case SQL_INTEGER:
        return to_integer(value, position, out, error);
    case SQL_DOUBLE:
        return to_double(value, position, out, error);
    case SQL_REAL:
        return to_real(value, position, out, error);
    case SQL_NUMERIC:
        return to_numeric(value, position, out, error);
    default:
        UNREACHABLE();
    }
}
