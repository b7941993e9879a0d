/* generate_series: start, start + step, ... as far as stop. Of integers, of numerics, or of
 * timestamps with an interval between them. */
#include "sql/exec/exec_int.h"

struct series {
    struct operator op;
    bool known;
    bool done;
    int64_t next;
    int64_t stop;
    int64_t step;             /* of timestamps only its sign */
    struct interval interval; /* of timestamps */
    struct numeric numeric_next, numeric_stop, numeric_step;
    struct batch *out;
};

static void numerics_find(struct series *series, const struct value values[3])
{
    series->numeric_next = values[0].as.numeric;
    series->numeric_stop = values[1].as.numeric;
    series->numeric_step = values[2].as.numeric;
    series->step = numeric_compare(series->numeric_step, numeric_from_integer(0));
}

/* With a NULL anywhere there are no rows. */
static status_t bounds_find(struct series *series, struct error *error)
{
    struct expr *const *bounds = series->op.plan->as.series.bounds;
    struct value values[3];
    series->known = true;
    for (int i = 0; i < 3; i++) {
        status_t status = exec__expr_value(series->op.exec, bounds[i], &values[i], error);
        if (status != OK)
            return status;
        series->done |= values[i].null;
    }
    if (series->done)
        return OK;
    if (values[2].type == SQL_NUMERIC) {
        numerics_find(series, values);
        if (series->step == 0)
            return error_sql(error, "22023", bounds[2]->position, "step size cannot equal zero");
        return OK;
    }
    series->next = values[0].as.integer;
    series->stop = values[1].as.integer;
    series->step = values[2].as.integer;
    if (values[2].type == SQL_INTERVAL) {
        series->interval = values[2].as.interval;
        series->step = interval_compare(series->interval, (struct interval){0});
        if (series->next == DATETIME_INFINITY || series->next == DATETIME_MINUS_INFINITY)
            return error_sql(error, "22023", bounds[0]->position, "start value cannot be infinity");
    }
    if (series->step == 0)
        return error_sql(error, "22023", bounds[2]->position, "step size cannot equal zero");
    return OK;
}

/* Steps on; at the end of all integers the series is done, at that of all timestamps 22008. */
static status_t step(struct series *series, struct error *error)
{
    enum sql_type type = series->op.plan->types[0];
    if (type != SQL_INTEGER)
        return exec__timestamp_add(series->op.exec, type, series->next, series->interval,
                                   &series->next, error);
    series->done = __builtin_add_overflow(series->next, series->step, &series->next);
    return OK;
}

/* The numbers of one batch; the last there is room for ends the series. */
static uint32_t numerics_next(struct series *series)
{
    struct numeric *values = series->out->columns[0].as.numerics;
    uint32_t count = 0;
    while (count < series->op.exec->batch_rows && !series->done) {
        int order = numeric_compare(series->numeric_next, series->numeric_stop);
        series->done = series->step > 0 ? order > 0 : order < 0;
        if (series->done)
            break;
        values[count++] = series->numeric_next;
        series->done =
            !numeric_add(series->numeric_next, series->numeric_step, &series->numeric_next);
    }
    return count;
}

static status_t series_next(struct operator* op, struct batch **out, struct error *error)
{
    struct series *series = (struct series *)op;
    status_t status = series->known ? OK : bounds_find(series, error);
    if (status != OK || series->done)
        return status;
    uint32_t count = 0;
    exec__batch_prepare(op->exec, &series->out, op->plan->types, 1, op->exec->batch_rows);
    int64_t *values = series->out->columns[0].as.integers;
    if (op->plan->types[0] == SQL_NUMERIC)
        count = numerics_next(series);
    while (op->plan->types[0] != SQL_NUMERIC && status == OK && count < op->exec->batch_rows &&
           !series->done) {
        series->done = series->step > 0 ? series->next > series->stop : series->next < series->stop;
        if (series->done)
            break;
        values[count++] = series->next;
        status = step(series, error);
    }
    if (status != OK)
        return status;
    series->out->row_count = series->out->selected = count;
    *out = count > 0 ? series->out : NULL;
    return OK;
}

static const struct operator_ops series_ops = {series_next, NULL};

status_t exec__series_open(struct exec *exec, const struct plan *plan, struct operator** out,
                           struct error *error)
{
    (void)error;
    struct series *series = exec__operator_create(exec, plan, &series_ops, sizeof *series);
    *out = &series->op;
    return OK;
}
