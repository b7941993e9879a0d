/* Operators and functions on dates, times, timestamps and intervals.
 *
 * The arithmetic itself is that of sql/types; here is which of it a call means, and the session's
 * part in it. A timestamp with time zone is an instant: months are added to it, it is cut, and its
 * fields are taken in the session's time zone. */
#include <math.h>

#include "sql/exec/exec_int.h"

enum { ARGUMENTS_MAX = 7 };

/* One row: the arguments, none of them NULL; `out` has its type set. */
typedef status_t datetime_fn(struct eval *eval, const struct value *a, struct value *out,
                             struct error *error);

struct clock exec__clock(const struct exec *exec)
{
    const struct exec_context *context = &exec->top->context;
    return (struct clock){
        .now_us = (int64_t)context->transaction_us, .zone_s = context->zone_s, .is_known = true};
}

/* How far local time is ahead of UTC, for a value of this type. */
static int32_t zone_of(const struct eval *eval, enum sql_type type)
{
    return type == SQL_TIMESTAMPTZ ? eval->exec->top->context.zone_s : 0;
}

/* ---- operators ------------------------------------------------------------------------------- */

status_t exec__timestamp_add(const struct exec *exec, enum sql_type type, int64_t us,
                             struct interval interval, int64_t *out, struct error *error)
{
    bool by_zone = type == SQL_TIMESTAMPTZ && interval.months != 0;
    int32_t zone_s = by_zone ? exec->top->context.zone_s : 0;
    status_t status = timestamp_shift(us, zone_s, &us, error);
    if (status == OK)
        status = timestamp_add(us, interval, &us, error);
    return status ? status : timestamp_shift(us, -zone_s, out, error);
}

/* What date - x adds; 22008 for the one number without a negative. */
static status_t days_of(enum expr_call call, int64_t days, int64_t *out, struct error *error)
{
    if (call == CALL_ADD || days != INT64_MIN) {
        *out = call == CALL_ADD ? days : -days;
        return OK;
    }
    return error_sql(error, "22008", 0, "date out of range");
}

static status_t date_operator(struct eval *eval, const struct value *a, struct value *out,
                              struct error *error)
{
    enum expr_call call = eval->expr->call;
    if (a[1].type == SQL_DATE)
        return date_difference(a[0].as.integer, a[1].as.integer, &out->as.integer, error);
    if (a[1].type == SQL_TIME) {
        int64_t us;
        status_t status = timestamp_from_date(a[0].as.integer, &us, error);
        struct interval time = {.us = a[1].as.integer};
        return status ? status : timestamp_add(us, time, &out->as.integer, error);
    }
    ASSERT(a[1].type == SQL_INTEGER);
    int64_t days = 0;
    status_t status = days_of(call, a[1].as.integer, &days, error);
    return status ? status : date_add(a[0].as.integer, days, &out->as.integer, error);
}

static status_t time_operator(struct eval *eval, const struct value *a, struct value *out,
                              struct error *error)
{
    struct interval interval;
    (void)error;
    if (a[1].type == SQL_TIME) {
        out->as.interval = (struct interval){.us = a[0].as.integer - a[1].as.integer};
        return OK;
    }
    /* Only what is over whole days counts, so its negative exists. */
    interval = (struct interval){.us = a[1].as.interval.us % (INT64_C(86400) * 1000000)};
    if (eval->expr->call == CALL_SUBTRACT)
        interval.us = -interval.us;
    out->as.integer = time_add(a[0].as.integer, interval);
    return OK;
}

static status_t timestamp_operator(struct eval *eval, const struct value *a, struct value *out,
                                   struct error *error)
{
    if (a[1].type != SQL_INTERVAL)
        return timestamp_difference(a[0].as.integer, a[1].as.integer, &out->as.interval, error);
    struct interval interval = a[1].as.interval;
    status_t status = OK;
    if (eval->expr->call == CALL_SUBTRACT)
        status = interval_negate(interval, &interval, error);
    return status ? status
                  : exec__timestamp_add(eval->exec, a->type, a->as.integer, interval,
                                        &out->as.integer, error);
}

static status_t interval_operator(struct eval *eval, const struct value *a, struct value *out,
                                  struct error *error)
{
    struct interval interval = a[0].as.interval;
    struct interval other = {0};
    status_t status = OK;
    switch (eval->expr->call) {
    case CALL_NEGATE:
        return interval_negate(interval, &out->as.interval, error);
    case CALL_MULTIPLY:
        return interval_multiply(interval, a[1].as.real, &out->as.interval, error);
    case CALL_DIVIDE:
        return interval_divide(interval, a[1].as.real, &out->as.interval, error);
    case CALL_SUBTRACT:
        status = interval_negate(a[1].as.interval, &other, error);
        break;
    default:
        other = a[1].as.interval;
        break;
    }
    return status ? status : interval_add(interval, other, &out->as.interval, error);
}

static datetime_fn *operator_of(const struct expr *expr)
{
    bool is_operator = expr->call >= CALL_ADD && expr->call <= CALL_NEGATE;
    if (!is_operator || expr->argument_count == 0)
        return NULL;
    switch (expr->arguments[0]->type) {
    case SQL_DATE:
        return date_operator;
    case SQL_TIME:
        return time_operator;
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
        return timestamp_operator;
    case SQL_INTERVAL:
        return interval_operator;
    default:
        return NULL;
    }
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* The unit named by the first argument; that of a constant is looked up once. */
static status_t unit_of(struct eval *eval, const struct value *name, enum datetime_unit *unit,
                        struct error *error)
{
    if (eval->state) {
        *unit = *(const enum datetime_unit *)eval->state;
        return OK;
    }
    if (!datetime_unit_parse(name->as.text, unit)) {
        int size = name->as.text.size > 100 ? 100 : (int)name->as.text.size;
        status_t status = error_sql(error, "22023", 0, "unit \"%.*s\" not recognized", size,
                                    (const char *)name->as.text.data);
        error_hint(error, "Units are microseconds, milliseconds, second, minute, hour, day, week, "
                          "month, quarter, year, decade, century and millennium; to be extracted "
                          "also dow, isodow, doy, isoyear, epoch, julian and timezone.");
        return status;
    }
    if (eval->arguments[0]->constant) {
        enum datetime_unit *kept = arena_alloc(eval->exec->arena, sizeof *kept);
        *kept = *unit;
        eval->state = kept;
    }
    return OK;
}

static status_t take_field(struct eval *eval, const struct value *a, struct datetime_field *field,
                           struct error *error)
{
    static const enum datetime_kind kinds[SQL_TYPE_COUNT] = {
        [SQL_DATE] = DATETIME_DATE,
        [SQL_TIME] = DATETIME_TIME,
        [SQL_TIMESTAMP] = DATETIME_TIMESTAMP,
        [SQL_TIMESTAMPTZ] = DATETIME_TIMESTAMPTZ,
    };
    enum datetime_unit unit;
    status_t status = unit_of(eval, &a[0], &unit, error);
    if (status)
        return status;
    if (a[1].type == SQL_INTERVAL)
        return interval_extract(unit, a[1].as.interval, field, error);
    int32_t zone_s = zone_of(eval, a[1].type);
    int64_t us = a[1].as.integer;
    if (a[1].type == SQL_DATE)
        status = timestamp_from_date(us, &us, error);
    else if (zone_s)
        status = timestamp_shift(us, zone_s, &us, error);
    return status ? status : timestamp_extract(kinds[a[1].type], unit, us, zone_s, field, error);
}

static status_t extract(struct eval *eval, const struct value *a, struct value *out,
                        struct error *error)
{
    struct datetime_field field = {0};
    status_t status = take_field(eval, a, &field, error);
    if (status)
        return status;
    out->null = field.is_null;
    if (field.is_infinite) {
        status = error_sql(error, "22003", 0, "numeric cannot be infinite");
        error_hint(error, "date_part gives a double precision, which can.");
        return status;
    }
    bool fits = numeric_fit(field.number, field.scale, &out->as.numeric);
    ASSERT(fits);
    return OK;
}

static status_t date_part(struct eval *eval, const struct value *a, struct value *out,
                          struct error *error)
{
    static const double scales[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6};
    struct datetime_field field = {0};
    status_t status = take_field(eval, a, &field, error);
    if (status)
        return status;
    out->null = field.is_null;
    ASSERT(field.scale < sizeof scales / sizeof *scales);
    out->as.real = field.is_infinite ? (double)field.number * (double)INFINITY
                                     : (double)field.number / scales[field.scale];
    return OK;
}

static status_t date_trunc(struct eval *eval, const struct value *a, struct value *out,
                           struct error *error)
{
    enum datetime_unit unit;
    status_t status = unit_of(eval, &a[0], &unit, error);
    if (status)
        return status;
    if (a[1].type == SQL_INTERVAL)
        return interval_trunc(unit, a[1].as.interval, &out->as.interval, error);
    int32_t zone_s = zone_of(eval, a[1].type);
    int64_t us;
    status = timestamp_shift(a[1].as.integer, zone_s, &us, error);
    if (status == OK)
        status = timestamp_trunc(unit, us, &us, error);
    return status ? status : timestamp_shift(us, -zone_s, &out->as.integer, error);
}

static status_t date_bin(struct eval *eval, const struct value *a, struct value *out,
                         struct error *error)
{
    (void)eval;
    return timestamp_bin(a[0].as.interval, a[1].as.integer, a[2].as.integer, &out->as.integer,
                         error);
}

/* ---- intervals ------------------------------------------------------------------------------- */

static status_t age(struct eval *eval, const struct value *a, struct value *out,
                    struct error *error)
{
    int32_t zone_s = zone_of(eval, a[0].type);
    int64_t us[2];
    /* Of one: since then until the day begins. */
    if (eval->argument_count == 1) {
        struct clock clock = exec__clock(eval->exec);
        status_t status = timestamp_shift(clock.now_us, clock.zone_s, &us[0], error);
        if (status == OK)
            status = timestamp_trunc(UNIT_DAY, us[0], &us[0], error);
        if (status == OK)
            status = timestamp_shift(a[0].as.integer, zone_s, &us[1], error);
        return status ? status : timestamp_age(us[0], us[1], &out->as.interval, error);
    }
    for (int i = 0; i < 2; i++) {
        status_t status = timestamp_shift(a[i].as.integer, zone_s, &us[i], error);
        if (status)
            return status;
    }
    return timestamp_age(us[0], us[1], &out->as.interval, error);
}

static status_t justify(struct eval *eval, const struct value *a, struct value *out,
                        struct error *error)
{
    enum expr_call call = eval->expr->call;
    return interval_justify(a[0].as.interval, call != CALL_JUSTIFY_DAYS, call != CALL_JUSTIFY_HOURS,
                            &out->as.interval, error);
}

/* ---- from numbers ---------------------------------------------------------------------------- */

static status_t make_date(struct eval *eval, const struct value *a, struct value *out,
                          struct error *error)
{
    (void)eval;
    return date_make(a[0].as.integer, a[1].as.integer, a[2].as.integer, &out->as.integer, error);
}

static status_t make_time(struct eval *eval, const struct value *a, struct value *out,
                          struct error *error)
{
    (void)eval;
    return time_make(a[0].as.integer, a[1].as.integer, a[2].as.real, &out->as.integer, error);
}

static status_t make_timestamp(struct eval *eval, const struct value *a, struct value *out,
                               struct error *error)
{
    int64_t fields[5];
    for (int i = 0; i < 5; i++)
        fields[i] = a[i].as.integer;
    int64_t us;
    int32_t zone_s = zone_of(eval, eval->expr->type);
    status_t status = timestamp_make(fields, a[5].as.real, &us, error);
    if (status == OK && eval->argument_count == ARGUMENTS_MAX)
        status = zone_parse(a[6].as.text, &zone_s, error);
    return status ? status : timestamp_shift(us, -zone_s, &out->as.integer, error);
}

static status_t make_interval(struct eval *eval, const struct value *a, struct value *out,
                              struct error *error)
{
    int64_t fields[6] = {0};
    for (uint32_t i = 0; i < 6 && i < eval->argument_count; i++)
        fields[i] = a[i].as.integer;
    double second = eval->argument_count == ARGUMENTS_MAX ? a[6].as.real : 0;
    return interval_make(fields, second, &out->as.interval, error);
}

/* ---- patterns -------------------------------------------------------------------------------- */

static status_t to_char(struct eval *eval, const struct value *a, struct value *out,
                        struct error *error)
{
    struct buffer text = {0};
    status_t status;
    if (a[0].type == SQL_INTERVAL) {
        status = interval_to_char(a[0].as.interval, a[1].as.text, &text, error);
    } else {
        int32_t zone_s = zone_of(eval, a[0].type);
        int64_t us;
        status = timestamp_shift(a[0].as.integer, zone_s, &us, error);
        if (status == OK)
            status = timestamp_to_char(us, a[0].type == SQL_TIMESTAMPTZ ? &zone_s : NULL,
                                       a[1].as.text, &text, error);
    }
    if (status == OK)
        out->as.text = arena_copy(eval->scratch, buffer_slice(&text));
    buffer_free(&text);
    return status;
}

static status_t to_timestamp(struct eval *eval, const struct value *a, struct value *out,
                             struct error *error)
{
    if (eval->argument_count == 1)
        return timestamp_from_epoch(a[0].as.real, &out->as.integer, error);
    int64_t us = 0;
    bool zoned = false;
    status_t status = timestamp_from_char(a[0].as.text, a[1].as.text, &us, &zoned, error);
    int32_t zone_s = zoned ? 0 : eval->exec->top->context.zone_s;
    return status ? status : timestamp_shift(us, -zone_s, &out->as.integer, error);
}

static status_t to_date(struct eval *eval, const struct value *a, struct value *out,
                        struct error *error)
{
    (void)eval;
    int64_t us = 0;
    bool zoned;
    status_t status = timestamp_from_char(a[0].as.text, a[1].as.text, &us, &zoned, error);
    out->as.integer = timestamp_to_date(us);
    return status;
}

/* ---- zones and the clock --------------------------------------------------------------------- */

/* timezone(zone, x): what is local there becomes an instant, an instant what is local there. */
static status_t timezone_row(struct eval *eval, const struct value *a, struct value *out,
                             struct error *error)
{
    int32_t zone_s = 0;
    (void)eval;
    status_t status = OK;
    if (a[0].type == SQL_INTERVAL) {
        struct interval zone = a[0].as.interval;
        const int64_t most_us = INT64_C(16) * 3600 * 1000000;
        if (zone.months || zone.days || zone.us <= -most_us || zone.us >= most_us)
            return error_sql(error, "22023", 0,
                             "interval time zone must be hours and minutes, less than 16 hours");
        zone_s = (int32_t)(zone.us / 1000000);
    } else {
        status = zone_parse(a[0].as.text, &zone_s, error);
    }
    if (status)
        return status;
    return timestamp_shift(a[1].as.integer, a[1].type == SQL_TIMESTAMPTZ ? zone_s : -zone_s,
                           &out->as.integer, error);
}

static status_t is_finite(struct eval *eval, const struct value *a, struct value *out,
                          struct error *error)
{
    (void)eval;
    (void)error;
    out->as.boolean = a[0].type == SQL_INTERVAL || (a[0].as.integer != DATETIME_INFINITY &&
                                                    a[0].as.integer != DATETIME_MINUS_INFINITY);
    return OK;
}

/* Do two spans of time, each of two ends in any order, have an instant in common? An end belongs
 * to its span only when it is all of it. */
static status_t overlaps(struct eval *eval, const struct value *a, struct value *out,
                         struct error *error)
{
    int64_t ends[4];
    for (int i = 0; i < 4; i++) {
        status_t status = OK;
        ends[i] = a[i].as.integer;
        if (a[i].type == SQL_INTERVAL)
            status = exec__timestamp_add(eval->exec, a[i - 1].type, ends[i - 1], a[i].as.interval,
                                         &ends[i], error);
        if (status)
            return status;
    }
    for (int i = 0; i < 4; i += 2) {
        if (ends[i] <= ends[i + 1])
            continue;
        int64_t high = ends[i];
        ends[i] = ends[i + 1];
        ends[i + 1] = high;
    }
    out->as.boolean =
        ends[0] == ends[2] || (ends[0] < ends[2] ? ends[2] < ends[1] : ends[0] < ends[3]);
    return OK;
}

static status_t clock_row(struct eval *eval, const struct value *a, struct value *out,
                          struct error *error)
{
    const struct exec_context *context = &eval->exec->top->context;
    struct value now = value_datetime(SQL_TIMESTAMPTZ, (int64_t)context->transaction_us);
    (void)a;
    if (eval->expr->call == CALL_STATEMENT_TIMESTAMP)
        now.as.integer = (int64_t)exec__statement_us(eval->exec);
    if (eval->expr->call == CALL_CLOCK_TIMESTAMP)
        now.as.integer = (int64_t)env_wall_us(context->env);
    struct clock clock = exec__clock(eval->exec);
    return value_cast_at(&now, eval->expr->type, &clock, NULL, 0, out, error);
}

/* ---- */

static datetime_fn *function_of(const struct expr *expr)
{
    static datetime_fn *const functions[CALL_COUNT_] = {
        [CALL_AGE] = age,
        [CALL_EXTRACT] = extract,
        [CALL_DATE_PART] = date_part,
        [CALL_DATE_TRUNC] = date_trunc,
        [CALL_DATE_BIN] = date_bin,
        [CALL_JUSTIFY_HOURS] = justify,
        [CALL_JUSTIFY_DAYS] = justify,
        [CALL_JUSTIFY_INTERVAL] = justify,
        [CALL_MAKE_DATE] = make_date,
        [CALL_MAKE_TIME] = make_time,
        [CALL_MAKE_TIMESTAMP] = make_timestamp,
        [CALL_MAKE_INTERVAL] = make_interval,
        [CALL_TO_CHAR] = to_char,
        [CALL_TO_TIMESTAMP] = to_timestamp,
        [CALL_TO_DATE] = to_date,
        [CALL_TIMEZONE] = timezone_row,
        [CALL_ISFINITE] = is_finite,
        [CALL_OVERLAPS] = overlaps,
        [CALL_NOW] = clock_row,
        [CALL_STATEMENT_TIMESTAMP] = clock_row,
        [CALL_CLOCK_TIMESTAMP] = clock_row,
    };
    datetime_fn *function = operator_of(expr);
    return function ? function : functions[expr->call];
}

static status_t datetime_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    struct value arguments[ARGUMENTS_MAX];
    datetime_fn *function = function_of(eval->expr);
    ASSERT(function && eval->argument_count <= ARGUMENTS_MAX);
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    for (uint32_t j = 0; j < eval->argument_count; j++)
        if (eval->arguments[j]->constant)
            arguments[j] = vector_get(eval->arguments[j]->result, 0);
    for (uint32_t i = 0; i < in->selected && status == OK; i++) {
        uint32_t row = batch_row(in, i);
        if (vector_is_null(&eval->out, row))
            continue;
        for (uint32_t j = 0; j < eval->argument_count; j++)
            if (!eval->arguments[j]->constant)
                arguments[j] = vector_get(eval->arguments[j]->result, row);
        struct value out = {.type = eval->expr->type};
        status = function(eval, arguments, &out, error);
        if (status == OK)
            vector_set(&eval->out, row, &out);
    }
    if (status != OK && error && error->position == 0)
        error->position = eval->expr->position;
    return status;
}

eval_fn *exec__datetime_kernel(const struct expr *expr)
{
    ASSERT((uint32_t)expr->call < CALL_COUNT_);
    return function_of(expr) ? datetime_run : NULL;
}
