/* SET and SHOW. Few settings do anything yet; the others are those that drivers set when they
 * connect, and may only be set to what is true anyway. A SET is not undone by ROLLBACK. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/mem.h"
#include "sql_int.h"

enum setting_rule {
    SETTING_FIXED,    /* can be set to `value` or one of `also` */
    SETTING_FREE,     /* any text */
    SETTING_SWITCH,   /* on or off */
    SETTING_ZONE,     /* UTC or an offset from it */
    SETTING_MEMORY,   /* work_mem: kilobytes, or with a unit */
    SETTING_ROWS,     /* vector_size: a number */
    SETTING_COUNT_OF, /* a number, not negative */
    SETTING_COUNTS,   /* a number of at most SETTING_COUNTS_MAX, or auto */
    SETTING_SHOWN,    /* cannot be set */
};

struct setting {
    const char *name;
    enum setting_rule rule;
    const char *value; /* the default */
    const char *also;  /* further values that mean no change, separated by | */
    const char *what;
};

static const struct setting table[] = {
    {"application_name", SETTING_FREE, "", NULL, "Name of the client, for people."},
    {"client_encoding", SETTING_FIXED, "UTF8", "utf-8|unicode", "Encoding of text."},
    {"client_min_messages", SETTING_FREE, "notice", NULL, "There are no notices."},
    {"datestyle", SETTING_FIXED, "ISO, MDY", "iso",
     "Dates are shown as ISO 8601 has it, and read as month, day, year."},
    {"default_transaction_isolation", SETTING_FIXED, "serializable",
     "repeatable read|read committed|read uncommitted",
     "All transactions are serializable, which satisfies every level."},
    {"extra_float_digits", SETTING_FREE, "1", NULL,
     "Doubles are always shown in the shortest form that reads back."},
    {"late_columns", SETTING_SWITCH, "on", NULL,
     "Columns that a filter does not need are read of the rows it leaves; off: of all rows."},
    {"online_index_rows", SETTING_COUNT_OF, "2000", NULL,
     "A table of more rows gets an index by many transactions, which let others change it."},
    {"parallel_rows", SETTING_COUNT_OF, "50000", NULL,
     "A table of fewer rows is read by one thread."},
    {"parallel_workers", SETTING_COUNTS, "auto", NULL,
     "Threads that may read a large table for one statement; 0 and 1: its own alone, auto: one a "
     "processor."},
    {"require_primary_key", SETTING_SWITCH, "on", NULL,
     "CREATE TABLE must give a primary key; off: a hidden row id serves without one."},
    {"search_path", SETTING_FIXED, "public", "\"$user\", public", "There is one schema."},
    {"server_encoding", SETTING_SHOWN, "UTF8", NULL, "Encoding of text in the database."},
    {"server_version", SETTING_SHOWN, TOYDB_VERSION, NULL, "Version of toyDB."},
    {"sqlite_compatibility", SETTING_SWITCH, "off", NULL,
     "Statements PostgreSQL refuses and SQLite does not are run as SQLite does."},
    {"standard_conforming_strings", SETTING_FIXED, "on", "true|1|yes",
     "Backslashes in plain strings are ordinary characters."},
    {"timezone", SETTING_ZONE, "UTC", NULL,
     "Where timestamps with time zone are shown and read: UTC, or hours east of it."},
    {"transaction_isolation", SETTING_SHOWN, "serializable", NULL,
     "All transactions are serializable."},
    {"vector_size", SETTING_ROWS, "1024", NULL,
     "Rows an operator hands on at once, 1 to 1024: the same rows come out, faster or slower."},
    {"work_mem", SETTING_MEMORY, "64MB", NULL,
     "What a sort, join or aggregation may hold before it puts rows aside in files; a statement "
     "may hold four times that, and 256MB at least."},
};

#define WORK_MEMORY_MIN     ((uint64_t)64 << 10)
#define WORK_MEMORY_DEFAULT ((uint64_t)64 << 20)
#define WORK_MEMORY_MAX     ((uint64_t)1 << 30)

enum {
    SETTING_COUNT = sizeof table / sizeof *table,
    SETTING_VALUE_MAX = 128,
    SETTING_COUNTS_MAX = 64
};

struct settings {
    char values[SETTING_COUNT][SETTING_VALUE_MAX];
    int32_t zone_s;       /* what the text of SETTING_ZONE says */
    size_t work_memory;   /* likewise of SETTING_MEMORY, in bytes */
    uint32_t vector_rows; /* likewise of SETTING_ROWS */
    bool sqlite;          /* likewise of sqlite_compatibility, which every statement asks */
    size_t workers;       /* which one is parallel_workers */
    size_t parallel_rows; /* likewise */
    size_t late_columns;  /* likewise */
};

static void reset(struct settings *settings, size_t i)
{
    snprintf(settings->values[i], SETTING_VALUE_MAX, "%s", table[i].value);
    if (table[i].rule == SETTING_ZONE)
        settings->zone_s = 0;
    if (table[i].rule == SETTING_MEMORY)
        settings->work_memory = WORK_MEMORY_DEFAULT;
    if (table[i].rule == SETTING_ROWS)
        settings->vector_rows = BATCH_ROWS_MAX;
}

struct settings *sql__settings_create(void)
{
    struct settings *settings = mem_zalloc(1, sizeof *settings);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        reset(settings, i);
        if (table[i].rule == SETTING_COUNTS)
            settings->workers = i;
        if (strcmp(table[i].name, "parallel_rows") == 0)
            settings->parallel_rows = i;
        if (strcmp(table[i].name, "late_columns") == 0)
            settings->late_columns = i;
    }
    return settings;
}

void sql__settings_destroy(struct settings *settings)
{
    mem_free(settings);
}

/* SETTING_COUNT when there is none. Names of settings ignore case, quoted or not. */
static size_t find(const char *name)
{
    size_t i = 0;
    while (i < SETTING_COUNT && strcasecmp(table[i].name, name) != 0)
        i++;
    return i;
}

static status_t unknown(const struct ast_name *name, struct error *error)
{
    error_sql(error, "42704", name->position, "unrecognized configuration parameter \"%s\"",
              name->text);
    uint32_t best = 3; /* as far as a slip of the fingers goes */
    const char *near = NULL;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        uint32_t distance = catalog_name_distance(name->text, table[i].name);
        if (distance > 0 && distance < best) {
            best = distance;
            near = table[i].name;
        }
    }
    if (near)
        error_hint(error, "Perhaps you meant the setting \"%s\".", near);
    else
        error_hint(error, "SHOW ALL lists the settings.");
    return ERR_SQL;
}

/* Is `value` one of the texts between the bars? */
static bool among(const char *list, const char *value)
{
    size_t size = strlen(value);
    for (const char *at = list; at && *at;) {
        size_t length = strcspn(at, "|");
        if (length == size && strncasecmp(at, value, size) == 0)
            return true;
        at += length;
        at += *at == '|';
    }
    return false;
}

static status_t refuse(const struct setting *setting, const struct ast_set *set,
                       struct error *error)
{
    error_sql(error, "0A000", set->value_position, "%s can only be \"%s\"", setting->name,
              setting->value);
    error_hint(error, "%s", setting->what);
    return ERR_SQL;
}

static bool is_on(const struct settings *settings, const char *name)
{
    size_t i = find(name);
    ASSERT(i < SETTING_COUNT && table[i].rule == SETTING_SWITCH);
    return strcmp(settings->values[i], "on") == 0;
}

bool sql__settings_require_primary_key(const struct settings *settings)
{
    return is_on(settings, "require_primary_key");
}

bool sql__settings_sqlite(const struct settings *settings)
{
    return settings->sqlite;
}

uint64_t sql__settings_online_index_rows(const struct settings *settings)
{
    size_t i = find("online_index_rows");
    ASSERT(i < SETTING_COUNT && table[i].rule == SETTING_COUNT_OF);
    return strtoull(settings->values[i], NULL, 10);
}

uint32_t sql__settings_threads_max(const struct settings *settings)
{
    const char *value = settings->values[settings->workers];
    if (strcmp(value, "auto") == 0)
        return 0;
    unsigned long workers = strtoul(value, NULL, 10);
    ASSERT(workers <= SETTING_COUNTS_MAX);
    return workers < 1 ? 1 : (uint32_t)workers;
}

uint32_t sql__settings_parallel_rows(const struct settings *settings)
{
    uint64_t rows = 0; /* asked by each statement: strtoul takes its time */
    for (const char *digit = settings->values[settings->parallel_rows]; *digit; digit++) {
        ASSERT(*digit >= '0' && *digit <= '9');
        rows = rows < UINT32_MAX ? rows * 10 + (uint64_t)(*digit - '0') : rows;
    }
    return rows < 1 ? 1 : rows < UINT32_MAX ? (uint32_t)rows : UINT32_MAX;
}

bool sql__settings_late_columns(const struct settings *settings)
{
    return strcmp(settings->values[settings->late_columns], "on") == 0;
}

int32_t sql__settings_zone_s(const struct settings *settings)
{
    return settings->zone_s;
}

size_t sql__settings_work_memory(const struct settings *settings)
{
    return settings->work_memory;
}

/* As few digits as are exact. */
static void show_memory(struct settings *settings, size_t i, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    for (; bytes % 1024 == 0 && unit + 1 < sizeof units / sizeof *units; unit++)
        bytes /= 1024;
    snprintf(settings->values[i], SETTING_VALUE_MAX, "%llu%s", (unsigned long long)bytes,
             units[unit]);
}

void sql__settings_work_memory_set(struct settings *settings, size_t bytes)
{
    ASSERT(bytes > 0);
    settings->work_memory = bytes;
    show_memory(settings, find("work_mem"), bytes);
}

uint32_t sql__settings_vector_rows(const struct settings *settings)
{
    return settings->vector_rows;
}

/* Digits, then whatever: *rest. False: there are none, or far too many. */
static bool read_number(const char *text, uint64_t *number, const char **rest)
{
    enum { DIGITS_MAX = 15 };
    size_t digits = strspn(text, "0123456789");
    *number = 0;
    for (size_t i = 0; i < digits && digits <= DIGITS_MAX; i++)
        *number = *number * 10 + (uint64_t)(text[i] - '0');
    *rest = text + digits;
    return digits > 0 && digits <= DIGITS_MAX;
}

static status_t refuse_value(const struct setting *setting, const struct ast_set *set,
                             const char *hint, struct error *error)
{
    error_sql(error, "22023", set->value_position, "invalid value for parameter \"%s\": \"%s\"",
              setting->name, set->value);
    error_hint(error, "%s", hint);
    return ERR_SQL;
}

static status_t set_memory(struct sql_session *session, size_t i, const struct ast_set *set)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    const char *unit;
    uint64_t bytes;
    size_t power = 1; /* without a unit: kB */
    bool known = read_number(set->value, &bytes, &unit);
    unit += strspn(unit, " ");
    for (size_t u = 0; *unit && u <= sizeof units / sizeof *units; u++) {
        power = u;
        if (u == sizeof units / sizeof *units || strcasecmp(unit, units[u]) == 0)
            break;
    }
    known = known && power < sizeof units / sizeof *units;
    for (size_t p = 0; known && p < power; p++)
        known = !__builtin_mul_overflow(bytes, (uint64_t)1024, &bytes);
    if (!known || bytes < WORK_MEMORY_MIN || bytes > WORK_MEMORY_MAX)
        return refuse_value(&table[i], set,
                            "From 64kB to 1GB; the units are B, kB, MB, GB and TB, and kB where "
                            "there is none.",
                            &session->error);
    session->settings->work_memory = (size_t)bytes;
    show_memory(session->settings, i, bytes);
    return OK;
}

static status_t set_rows(struct sql_session *session, size_t i, const struct ast_set *set)
{
    const char *rest;
    uint64_t rows;
    if (!read_number(set->value, &rows, &rest) || *rest || rows < 1 || rows > BATCH_ROWS_MAX)
        return refuse_value(&table[i], set, "A number from 1 to 1024.", &session->error);
    session->settings->vector_rows = (uint32_t)rows;
    snprintf(session->settings->values[i], SETTING_VALUE_MAX, "%u", (unsigned)rows);
    return OK;
}

/* UTC, +05:30, or hours as a number. */
static status_t set_zone(struct sql_session *session, size_t i, const struct ast_set *set)
{
    struct settings *settings = session->settings;
    char text[SETTING_VALUE_MAX];
    char shown[DATETIME_TEXT_MAX];
    bool is_number = set->value[0] >= '0' && set->value[0] <= '9';
    bool is_utc = among("etc/utc|etc/gmt|etc/uct|local", set->value);
    snprintf(text, sizeof text, "%s%s", is_number ? "+" : "", is_utc ? "UTC" : set->value);
    status_t status = zone_parse(slice_from_string(text), &settings->zone_s, &session->error);
    if (status) {
        session->error.position = set->value_position;
        return status;
    }
    zone_format(settings->zone_s, shown);
    snprintf(settings->values[i], SETTING_VALUE_MAX, "%s", shown);
    return OK;
}

static status_t set_switch(struct sql_session *session, size_t i, const struct ast_set *set)
{
    bool on = among("on|true|yes|1", set->value);
    if (!on && !among("off|false|no|0", set->value))
        return error_sql(&session->error, "22023", set->value_position,
                         "parameter \"%s\" requires a Boolean value", table[i].name);
    snprintf(session->settings->values[i], SETTING_VALUE_MAX, "%s", on ? "on" : "off");
    session->settings->sqlite = is_on(session->settings, "sqlite_compatibility");
    return OK;
}

static status_t set_count(struct sql_session *session, size_t i, const struct ast_set *set)
{
    enum { DIGITS_MAX = 18 };
    size_t digits = strspn(set->value, "0123456789");
    if (digits == 0 || digits > DIGITS_MAX || set->value[digits] != '\0')
        return error_sql(&session->error, "22023", set->value_position,
                         "parameter \"%s\" requires a number that is not negative", table[i].name);
    snprintf(session->settings->values[i], SETTING_VALUE_MAX, "%s", set->value);
    return OK;
}

static status_t set_counts(struct sql_session *session, size_t i, const struct ast_set *set)
{
    char *end;
    unsigned long count = strtoul(set->value, &end, 10);
    bool is_auto = strcasecmp(set->value, "auto") == 0;
    bool is_number = set->value[0] >= '0' && set->value[0] <= '9' && *end == 0;
    if (!is_auto && !(is_number && count <= SETTING_COUNTS_MAX))
        return error_sql(&session->error, "22023", set->value_position,
                         "parameter \"%s\" requires a number from 0 to %d, or auto", table[i].name,
                         SETTING_COUNTS_MAX);
    char *value = session->settings->values[i];
    if (is_auto)
        snprintf(value, SETTING_VALUE_MAX, "auto");
    else
        snprintf(value, SETTING_VALUE_MAX, "%lu", count);
    return OK;
}

status_t sql__settings_set(struct sql_session *session, const struct ast_set *set)
{
    struct error *error = &session->error;
    if (set->all) {
        for (size_t i = 0; i < SETTING_COUNT; i++)
            reset(session->settings, i);
        session->settings->sqlite = is_on(session->settings, "sqlite_compatibility");
        snprintf(session->tag, sizeof session->tag, "RESET");
        return OK;
    }
    size_t i = find(set->name.text);
    if (i == SETTING_COUNT)
        return unknown(&set->name, error);
    const struct setting *setting = &table[i];
    if (setting->rule == SETTING_SHOWN)
        return error_sql(error, "55P02", set->name.position, "parameter \"%s\" cannot be changed",
                         setting->name);
    snprintf(session->tag, sizeof session->tag, "SET");
    if (!set->value) {
        reset(session->settings, i);
        session->settings->sqlite = is_on(session->settings, "sqlite_compatibility");
        return OK;
    }
    if (setting->rule == SETTING_FIXED) {
        bool same = strcasecmp(set->value, setting->value) == 0 || among(setting->also, set->value);
        return same ? OK : refuse(setting, set, error);
    }
    if (setting->rule == SETTING_SWITCH)
        return set_switch(session, i, set);
    if (setting->rule == SETTING_ZONE)
        return set_zone(session, i, set);
    if (setting->rule == SETTING_COUNTS)
        return set_counts(session, i, set);
    if (setting->rule == SETTING_MEMORY)
        return set_memory(session, i, set);
    if (setting->rule == SETTING_ROWS)
        return set_rows(session, i, set);
    if (setting->rule == SETTING_COUNT_OF)
        return set_count(session, i, set);
    ASSERT(setting->rule == SETTING_FREE);
    if (strlen(set->value) >= SETTING_VALUE_MAX)
        return error_sql(error, "22023", set->value_position,
                         "value of \"%s\" is longer than %d bytes", setting->name,
                         SETTING_VALUE_MAX - 1);
    snprintf(session->settings->values[i], SETTING_VALUE_MAX, "%s", set->value);
    return OK;
}

static void show_all(struct sql_session *session)
{
    sql__result_column(session, "name", SQL_TEXT);
    sql__result_column(session, "setting", SQL_TEXT);
    sql__result_column(session, "description", SQL_TEXT);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct value *row = sql__result_row(session);
        row[0] = sql__result_text(session, table[i].name);
        row[1] = sql__result_text(session, session->settings->values[i]);
        row[2] = sql__result_text(session, table[i].what);
    }
}

void sql__settings_rows(const struct settings *settings, struct sql_rows *rows)
{
    sql_rows_column(rows, "name", SQL_TEXT);
    sql_rows_column(rows, "setting", SQL_TEXT);
    sql_rows_column(rows, "default_value", SQL_TEXT);
    sql_rows_column(rows, "description", SQL_TEXT);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        sql_rows_begin(rows);
        sql_rows_text(rows, table[i].name);
        sql_rows_text(rows, settings->values[i]);
        sql_rows_text(rows, table[i].value);
        sql_rows_text(rows, table[i].what);
    }
}

status_t sql__settings_show(struct sql_session *session, const struct ast_show *show)
{
    snprintf(session->tag, sizeof session->tag, "SHOW");
    if (show->kind == AST_SHOW_ALL) {
        show_all(session);
        return OK;
    }
    ASSERT(show->kind == AST_SHOW_SETTING);
    size_t i = find(show->name.text);
    if (i == SETTING_COUNT)
        return unknown(&show->name, &session->error);
    sql__result_column(session, table[i].name, SQL_TEXT);
    struct value *row = sql__result_row(session);
    row[0] = sql__result_text(session, session->settings->values[i]);
    return OK;
}
