/* Inside sql/types: the text of a date or time, taken apart. */
#ifndef SQL_TYPES_DATETIME_READ_INT_H
#define SQL_TYPES_DATETIME_READ_INT_H

#include "sql/types/datetime_int.h"

enum datetime_special {
    SPECIAL_NONE,
    SPECIAL_EPOCH,
    SPECIAL_INFINITY,
    SPECIAL_MINUS_INFINITY,
    SPECIAL_NOW,
    SPECIAL_TODAY,
    SPECIAL_TOMORROW,
    SPECIAL_YESTERDAY,
};

enum datetime_fault {
    FAULT_NONE,
    FAULT_SYNTAX,
    FAULT_FIELD,     /* no such hour, day, ... */
    FAULT_ORDER,     /* the same, and another order of day and month would do */
    FAULT_ZONE,      /* an offset no zone has */
    FAULT_ZONE_NAME, /* a zone known by name only */
};

/* A piece of a date: digits, or the name of a month. */
struct datetime_part {
    int64_t number;
    uint32_t digits; /* 0: a name */
};

struct datetime_reading {
    struct slice text;
    size_t at;
    enum datetime_fault fault;
    enum datetime_special special;
    bool has_date;
    bool has_time;
    bool has_zone;
    bool has_era;
    bool is_bc;
    bool time_follows; /* behind a T */
    bool time_wanted;  /* 1234 is one, not a year */
    bool year_first;   /* so that no other order would do */
    int64_t year;
    int64_t year_added; /* to one of two digits, before it is known to be BC */
    int64_t month;
    int64_t day;
    int64_t hour;
    int64_t rest_us; /* minutes and seconds */
    char meridian;   /* 'a', 'p' or 0 */
    int32_t zone_s;
    int32_t month_named; /* of a date in several pieces; 0: none */
    struct datetime_part parts[2];
    uint32_t part_count;
};

/* Reads r->text, all of it, with time_wanted as set and everything else zero. False: r->fault. */
bool datetime__read(struct datetime_reading *r);
/* The same of text that is a zone: UTC or an offset. */
bool datetime__read_zone(struct datetime_reading *r);

#endif
