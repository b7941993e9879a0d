/* Arithmetic on dates, timestamps and intervals. Sums are made in 128 bits and looked at once they
 * are complete, so nothing overflows on the way. */
#include <math.h>

#include "base/check.h"
#include "sql/types/datetime_int.h"

/* ---- between the types ----------------------------------------------------------------------- */

status_t timestamp_from_date(int64_t days, int64_t *us, struct error *error)
{
    ASSERT(us);
    *us = days; /* an infinity stays what it is */
    if (datetime__is_infinite(days))
        return OK;
    if (!datetime__timestamp_fits((__int128)days * DAY_US))
        return error_sql(error, "22008", 0, "date out of range for timestamp");
    *us = days * DAY_US;
    return OK;
}

int64_t timestamp_to_date(int64_t us)
{
    return datetime__is_infinite(us) ? us : datetime__floor_divide(us, DAY_US);
}

status_t timestamp_to_time(int64_t us, int64_t *time_us, struct error *error)
{
    ASSERT(time_us);
    if (datetime__is_infinite(us))
        return error_sql(error, "22008", 0, "an infinite timestamp has no time of day");
    *time_us = datetime__floor_modulo(us, DAY_US);
    return OK;
}

/* Takes a sum as a timestamp. */
static status_t timestamp_settle(__int128 us, int64_t *out, struct error *error)
{
    if (!datetime__timestamp_fits(us))
        return datetime__timestamp_error(error);
    *out = (int64_t)us;
    return OK;
}

status_t timestamp_shift(int64_t us, int32_t seconds, int64_t *out, struct error *error)
{
    ASSERT(out);
    *out = us;
    if (datetime__is_infinite(us))
        return OK;
    return timestamp_settle((__int128)us + seconds * SECOND_US, out, error);
}

/* ---- dates ----------------------------------------------------------------------------------- */

status_t date_add(int64_t days, int64_t more, int64_t *out, struct error *error)
{
    ASSERT(out);
    *out = days;
    if (datetime__is_infinite(days))
        return OK;
    __int128 sum = (__int128)days + more;
    if (sum < DATE_MIN || sum > DATE_MAX)
        return datetime__date_error(error);
    *out = (int64_t)sum;
    return OK;
}

status_t date_difference(int64_t a, int64_t b, int64_t *days, struct error *error)
{
    ASSERT(days);
    if (datetime__is_infinite(a) || datetime__is_infinite(b))
        return error_sql(error, "22008", 0, "cannot subtract infinite dates");
    *days = a - b;
    return OK;
}

/* ---- timestamps ------------------------------------------------------------------------------ */

/* The same day so many months on, or the month's last when it is shorter. */
static bool days_add_months(int64_t days, int32_t months, int64_t *out)
{
    struct civil_date civil = date_to_civil(days);
    int64_t count = (int64_t)civil.year * MONTHS_A_YEAR + civil.month - 1 + months;
    int64_t year = datetime__floor_divide(count, MONTHS_A_YEAR);
    int32_t month = (int32_t)datetime__floor_modulo(count, MONTHS_A_YEAR) + 1;
    if (year < -4713 || year > 5874897)
        return false;
    int32_t length = month_length((int32_t)year, month);
    civil = (struct civil_date){(int32_t)year, month, civil.day < length ? civil.day : length};
    *out = date_from_civil(civil);
    return true;
}

status_t timestamp_add(int64_t us, struct interval interval, int64_t *out, struct error *error)
{
    ASSERT(out);
    *out = us;
    if (datetime__is_infinite(us))
        return OK;
    int64_t days = datetime__floor_divide(us, DAY_US);
    int64_t rest = us - days * DAY_US;
    if (interval.months && !days_add_months(days, interval.months, &days))
        return datetime__timestamp_error(error);
    __int128 sum = ((__int128)days + interval.days) * DAY_US + rest + interval.us;
    return timestamp_settle(sum, out, error);
}

/* Takes sums as an interval. */
static status_t interval_settle(__int128 months, __int128 days, __int128 us, struct interval *out,
                                struct error *error)
{
    ASSERT(out);
    if (months > INT32_MAX || months < INT32_MIN || days > INT32_MAX || days < INT32_MIN ||
        us > INT64_MAX || us < INT64_MIN)
        return datetime__interval_error(error);
    *out = (struct interval){(int32_t)months, (int32_t)days, (int64_t)us};
    return OK;
}

status_t timestamp_difference(int64_t a, int64_t b, struct interval *out, struct error *error)
{
    if (datetime__is_infinite(a) || datetime__is_infinite(b))
        return error_sql(error, "22008", 0, "cannot subtract infinite timestamps");
    __int128 us = (__int128)a - b;
    return interval_settle(0, us / DAY_US, us % DAY_US, out, error);
}

int64_t time_add(int64_t us, struct interval interval)
{
    ASSERT(us >= 0 && us <= DAY_US);
    return datetime__floor_modulo(us + interval.us % DAY_US, DAY_US);
}

/* Counted as people do: first the years, then the months, then what days are left. The days lent by
 * a month are those of the month the earlier of both lies in. */
status_t timestamp_age(int64_t a, int64_t b, struct interval *out, struct error *error)
{
    if (datetime__is_infinite(a) || datetime__is_infinite(b))
        return error_sql(error, "22008", 0, "cannot subtract infinite timestamps");
    bool is_negative = a < b;
    int64_t late = is_negative ? b : a;
    int64_t early = is_negative ? a : b;
    struct civil_time to = datetime__broken_down(late);
    struct civil_time from = datetime__broken_down(early);
    int64_t us = datetime__floor_modulo(late, DAY_US) - datetime__floor_modulo(early, DAY_US);
    int64_t days = to.date.day - from.date.day;
    int64_t months =
        ((int64_t)to.date.year - from.date.year) * MONTHS_A_YEAR + to.date.month - from.date.month;
    if (us < 0) {
        us += DAY_US;
        days--;
    }
    if (days < 0) {
        days += month_length(from.date.year, from.date.month);
        months--;
    }
    ASSERT(months >= 0 && days >= 0 && us >= 0);
    if (is_negative)
        return interval_settle(-months, -days, -us, out, error);
    return interval_settle(months, days, us, out, error);
}

/* ---- intervals ------------------------------------------------------------------------------- */

status_t interval_negate(struct interval interval, struct interval *out, struct error *error)
{
    return interval_settle(-(__int128)interval.months, -(__int128)interval.days,
                           -(__int128)interval.us, out, error);
}

status_t interval_add(struct interval a, struct interval b, struct interval *out,
                      struct error *error)
{
    return interval_settle((__int128)a.months + b.months, (__int128)a.days + b.days,
                           (__int128)a.us + b.us, out, error);
}

/* Doubles carry noise: 0.1 month is 3 days and not 2 days 23:59:59.99. */
static double to_microseconds(double value)
{
    return rint(value * 1e6) / 1e6;
}

/* Each field times the factor; what is left of months goes into days, of days into time. */
status_t interval_multiply(struct interval interval, double factor, struct interval *out,
                           struct error *error)
{
    ASSERT(out);
    double months = interval.months * factor;
    double days = interval.days * factor;
    if (!isfinite(factor) || fabs(months) >= 0x1p31 || fabs(days) >= 0x1p31)
        return datetime__interval_error(error);
    double lent_days = to_microseconds((months - trunc(months)) * DAYS_A_MONTH);
    double seconds =
        to_microseconds((days - trunc(days) + lent_days - trunc(lent_days)) * 24 * 3600);
    double whole_days = trunc(days) + trunc(lent_days);
    if (fabs(seconds) >= 24 * 3600) {
        whole_days += trunc(seconds / (24 * 3600));
        seconds = fmod(seconds, 24 * 3600);
    }
    double us = rint((double)interval.us * factor + seconds * 1e6);
    if (fabs(us) >= 0x1p63 || fabs(whole_days) >= 0x1p31)
        return datetime__interval_error(error);
    return interval_settle((__int128)months, (__int128)whole_days, (__int128)us, out, error);
}

status_t interval_divide(struct interval interval, double divisor, struct interval *out,
                         struct error *error)
{
    if (divisor == 0)
        return error_sql(error, "22012", 0, "division by zero");
    if (!isfinite(divisor))
        return datetime__interval_error(error);
    return interval_multiply(interval, 1 / divisor, out, error);
}

static __int128 length(struct interval interval)
{
    return ((__int128)interval.months * DAYS_A_MONTH + interval.days) * DAY_US + interval.us;
}

int interval_compare(struct interval a, struct interval b)
{
    __int128 left = length(a);
    __int128 right = length(b);
    return (left > right) - (left < right);
}

/* Moves what is over a whole `unit` from *low to *high, then lets both have one sign. */
static void carry(__int128 *high, __int128 *low, int64_t unit)
{
    *high += *low / unit;
    *low %= unit;
    if (*high > 0 && *low < 0) {
        *low += unit;
        *high -= 1;
    } else if (*high < 0 && *low > 0) {
        *low -= unit;
        *high += 1;
    }
}

status_t interval_justify(struct interval interval, bool hours, bool days, struct interval *out,
                          struct error *error)
{
    __int128 month_count = interval.months;
    __int128 day_count = interval.days;
    __int128 us = interval.us;
    if (hours && days) {
        /* All of one sign: the days as time first, so that a carry goes up through both. */
        us += day_count * DAY_US;
        day_count = 0;
        __int128 month_us = (__int128)DAYS_A_MONTH * DAY_US;
        month_count += us / month_us;
        us %= month_us;
        if (month_count > 0 && us < 0) {
            us += month_us;
            month_count -= 1;
        } else if (month_count < 0 && us > 0) {
            us -= month_us;
            month_count += 1;
        }
        day_count = us / DAY_US;
        us %= DAY_US;
    } else if (hours) {
        carry(&day_count, &us, DAY_US);
    } else if (days) {
        carry(&month_count, &day_count, DAYS_A_MONTH);
    }
    return interval_settle(month_count, day_count, us, out, error);
}

/* ---- from numbers ---------------------------------------------------------------------------- */

status_t date_make(int64_t year, int64_t month, int64_t day, int64_t *days, struct error *error)
{
    ASSERT(days);
    /* There is no year 0: -1 is 1 BC. */
    int64_t astronomical = year < 0 && year > INT32_MIN ? year + 1 : year;
    if (year == 0 || !datetime__civil_exists(astronomical, month, day))
        return error_sql(error, "22008", 0, "date field value out of range: %lld-%02lld-%02lld",
                         (long long)year, (long long)month, (long long)day);
    struct civil_date civil = {(int32_t)astronomical, (int32_t)month, (int32_t)day};
    *days = date_from_civil(civil);
    return OK;
}

status_t time_make(int64_t hour, int64_t minute, double second, int64_t *us, struct error *error)
{
    ASSERT(us);
    bool good =
        hour >= 0 && hour <= 24 && minute >= 0 && minute <= 59 && second >= 0 && second <= 60;
    int64_t sum = good ? hour * HOUR_US + minute * MINUTE_US + (int64_t)rint(second * 1e6) : 0;
    if (!good || sum > DAY_US)
        return error_sql(error, "22008", 0, "time field value out of range: %lld:%02lld:%02g",
                         (long long)hour, (long long)minute, second);
    *us = sum;
    return OK;
}

status_t timestamp_make(const int64_t fields[5], double second, int64_t *us, struct error *error)
{
    ASSERT(fields && us);
    int64_t days;
    int64_t time_us;
    status_t status = date_make(fields[0], fields[1], fields[2], &days, error);
    if (status == OK)
        status = time_make(fields[3], fields[4], second, &time_us, error);
    if (status)
        return status;
    return timestamp_settle((__int128)days * DAY_US + time_us, us, error);
}

status_t interval_make(const int64_t fields[6], double second, struct interval *out,
                       struct error *error)
{
    ASSERT(fields && out);
    double second_us = rint(second * 1e6);
    if (!(fabs(second_us) < 0x1p63))
        return datetime__interval_error(error);
    __int128 months = (__int128)fields[0] * MONTHS_A_YEAR + fields[1];
    __int128 days = (__int128)fields[2] * 7 + fields[3];
    __int128 us =
        (__int128)fields[4] * HOUR_US + (__int128)fields[5] * MINUTE_US + (int64_t)second_us;
    return interval_settle(months, days, us, out, error);
}

status_t timestamp_from_epoch(double seconds, int64_t *us, struct error *error)
{
    ASSERT(us);
    if (isnan(seconds))
        return error_sql(error, "22008", 0, "timestamp cannot be NaN");
    if (isinf(seconds)) {
        *us = seconds > 0 ? DATETIME_INFINITY : DATETIME_MINUS_INFINITY;
        return OK;
    }
    double rounded = rint(seconds * 1e6);
    if (fabs(rounded) >= 0x1p63)
        return error_sql(error, "22008", 0, "timestamp out of range: \"%g\"", seconds);
    return timestamp_settle((int64_t)rounded, us, error);
}
