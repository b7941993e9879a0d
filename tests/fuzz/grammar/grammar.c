/* The grammar is text: templates for expressions of each type, in which %X stands for another of
 * type X, and a few functions for what stands around them. Types are letters:
 *
 *     I integer  N numeric  D double  T text  B boolean  Y bytea  U uuid
 *     A date  M time  S timestamp  Z timestamptz  V interval
 *
 * In a template %* is an expression of any type, the same one for all of the template, %Q a query
 * of one column of that type, and %. one of the template's own type. */
#include "grammar.h"

#include <string.h>

#include "base/check.h"

enum { SCOPE_MAX = 16, DEPTH_MAX = 6, SIZE_MAX_OF_STATEMENT = 4000 };

static const char TYPES[] = "INDTBYUAMSZV";

const char *const grammar_schema[] = {
    "create table t (id int primary key, i int, s smallint, n numeric(8, 2), d double precision, "
    "x text, v varchar(9), b boolean, y bytea, u uuid, a date, m time, o timestamp, z timestamptz, "
    "p interval)",
    "create table u (k int, l text, i int references t on delete set null, n numeric, x text not "
    "null, b boolean, a date default '2024-01-01', primary key (k, l))",
    "create table w (id bigint unique, i int not null check (i > -1000000), x text, d real, o "
    "timestamp primary key)",
    "create index t_i on t (i desc, x)",
    "create index t_n on t (n) include (x)",
    "create index t_half on t (x, (i % 3) desc) where i > 1",
    "create index t_lower on t (lower(x), d)",
    "create unique index t_u on t (u)",
    "create index t_time on t (a, m desc, o)",
    "create index t_z on t (z desc) where b",
    "create index t_y on t (y, p)",
    "create index u_i on u (i) where i is not null",
    "create index u_x on u (x desc, n)",
    "create index w_d on w (d)",
    "insert into t values (1, 1, 1, 1.5, 0.5, 'a', 'b', true, x'00ff', "
    "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2024-02-29', '12:00', '2024-02-29 12:00', "
    "'2024-02-29 12:00+01', '1 day'), (2, null, -3, -2.25, 1e10, '', 'bb', false, '', null, "
    "'infinity', '00:00', '-infinity', '1970-01-01', '1 mon'), (3, 3, null, null, null, null, "
    "null, null, null, null, null, null, null, null, null), (4, 3, 7, 1.50, -0.5, 'ab', 'A', true, "
    "x'00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '2024-03-01', '23:59:59.5', '2024-03-01', "
    "'infinity', '-1 day 02:00'), (5, 1, 0, 999999.99, 0, 'a%', 'é', false, x'61', null, "
    "'1999-12-31', '12:00', '1999-12-31 23:59', '2000-01-01', '0')",
    "insert into u values (1, 'a', 1, 1.5, 'a', true, '2024-02-29'), (1, 'b', 1, null, 'b', null, "
    "null), (2, 'a', null, 1e20, 'ab', false, '1999-12-31'), (3, '', 4, 0.001, '', true, "
    "'infinity'), (4, 'x', 3, -1, 'a', false, '2024-01-01')",
    "insert into w values (1, 1, 'a', 0.5, '2024-02-29 12:00'), (2, 3, null, null, '2024-03-01'), "
    "(null, 3, 'ab', 1e10, '1999-12-31 23:59'), (9223372036854775807, 0, 'b', -0.5, 'infinity')",
    "create view vt (i, x, n, b) as select i, x || 'q', n * 2, b from t where i is not null",
    "create view vu as select i, count(*) as c, max(x) as x, sum(n) as n from u group by i",
};
const size_t grammar_schema_count = sizeof grammar_schema / sizeof *grammar_schema;

/* The columns of a relation with their types: "id:I i:I". */
static const struct {
    const char *name;
    const char *columns;
} relations[] = {
    {"t", "id:I i:I s:I n:N d:D x:T v:T b:B y:Y u:U a:A m:M o:S z:Z p:V"},
    {"u", "k:I l:T i:I n:N x:T b:B a:A"},
    {"w", "id:I i:I x:T d:D o:S"},
    {"vt", "i:I x:T n:N b:B"},
    {"vu", "i:I c:I x:T n:N"},
};
enum { TABLES = 3, RELATIONS = sizeof relations / sizeof *relations };

/* A line a type, in the order of TYPES. The first is the shortest, and ends the recursion. */
static const char *const literals[][8] = {
    {"1", "0", "3", "-1", "2", "NULL::int", "100", "9223372036854775807"},
    {"1.5", "0.0", "-2.25", "1.50", "999999.99", "NULL::numeric", "0.001",
     "12345678901234567890.5"},
    {"0.5::float8", "1e10::float8", "'nan'::float8", "'infinity'::float8", "-0.5::float8",
     "NULL::float8", "1e-300::float8", "'-0'::float8"},
    {"'a'", "''", "'ab'", "'a%'", "'12'", "NULL::text", "'é'", "'A'"},
    {"TRUE", "FALSE", "NULL::boolean", "TRUE", "FALSE", "TRUE", "FALSE", "NULL::boolean"},
    {"x'61'", "x''", "x'00ff'", "'\\x0061'::bytea", "x'61'", "NULL::bytea", "x''", "x'00'"},
    {"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "NULL::uuid",
     "'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid", "NULL::uuid", "NULL::uuid", "NULL::uuid",
     "NULL::uuid", "NULL::uuid"},
    {"DATE '2024-02-29'", "DATE 'infinity'", "DATE '1999-12-31'", "NULL::date", "DATE '2024-03-01'",
     "DATE '-infinity'", "DATE '0001-01-01'", "DATE '2024-01-01'"},
    {"TIME '12:00'", "TIME '00:00'", "TIME '23:59:59.5'", "NULL::time", "TIME '24:00'",
     "TIME '12:00'", "TIME '01:02:03.000004'", "NULL::time"},
    {"TIMESTAMP '2024-02-29 12:00'", "TIMESTAMP 'infinity'", "TIMESTAMP '1999-12-31 23:59'",
     "NULL::timestamp", "TIMESTAMP '2024-03-01'", "TIMESTAMP '-infinity'", "TIMESTAMP '0001-01-01'",
     "TIMESTAMP '2000-01-01'"},
    {"TIMESTAMPTZ '2024-02-29 12:00+01'", "TIMESTAMPTZ 'infinity'", "NULL::timestamptz",
     "TIMESTAMPTZ '1970-01-01'", "TIMESTAMPTZ '2000-01-01'", "TIMESTAMPTZ '-infinity'",
     "TIMESTAMPTZ '2024-03-01 00:00-12'", "NULL::timestamptz"},
    {"INTERVAL '1 day'", "INTERVAL '0'", "INTERVAL '1 mon -1 day'", "NULL::interval",
     "INTERVAL '02:00'", "INTERVAL '-1 year'", "INTERVAL '100000 hours'", "INTERVAL '30 days'"},
};

/* Of all types, then a line a type; NULL ends it. */
static const char *const common[] = {"coalesce(%., %.)",
                                     "nullif(%., %.)",
                                     "CASE WHEN %B THEN %. ELSE %. END",
                                     "CASE %* WHEN %* THEN %. WHEN %* THEN %. END",
                                     "(%Q)",
                                     "greatest(%., %.)",
                                     "least(%., %.)",
                                     NULL};
static const char *const of_types[][24] = {
    {"(%I + %I)", "(%I - %I)",      "(%I * %I)",  "(%I / 2)", "(%I % 3)",
     "(- %I)",    "abs(%I)",        "length(%T)", "%T::int",  "%N::int",
     "(%I & %I)", "(%I | %I)",      "(%I << 1)",  "sign(%I)", "position(%T in %T)",
     "(%A - %A)", "mod(%I, 5)",     "ascii(%T)",  "%B::int",  "%D::int",
     "(%I / %I)", "strpos(%T, %T)", NULL},
    {"(%N + %N)", "(%N - %N)", "(%N * %N)", "(%N / 3)", "(%N % 1.5)", "(- %N)", "round(%N, 1)",
     "trunc(%N)", "abs(%N)", "%I::numeric", "%D::numeric", "ceil(%N)", "floor(%N)", "%T::numeric",
     "(%N * %I)", "%N::numeric(10, 1)", "(%N / %N)", "sqrt(abs(%N))", NULL},
    {"(%D + %D)", "(%D - %D)", "(%D * %D)", "(%D / 2)", "(- %D)", "abs(%D)", "%I::float8",
     "%N::float8", "sqrt(abs(%D))", "floor(%D)", "(%D * %I)", "(%D / %D)", "%D::real",
     "extract(epoch from %V)::float8", "extract(day from %S)::float8", "%T::float8", NULL},
    {"(%T || %T)",
     "upper(%T)",
     "lower(%T)",
     "substr(%T, %I, 2)",
     "%I::text",
     "%N::text",
     "%A::text",
     "%V::text",
     "replace(%T, %T, %T)",
     "trim(%T)",
     "left(%T, %I)",
     "lpad(%T, 5, %T)",
     "%Y::text",
     "repeat(%T, 3)",
     "%B::text",
     "%S::text",
     "concat(%T, %I, %B)",
     "reverse(%T)",
     "%U::text",
     "(%T || %I)",
     "split_part(%T, 'a', 1)",
     "%M::text",
     "md5(%T)",
     NULL},
    {"(%* = %*)",
     "(%* < %*)",
     "(%* <= %*)",
     "(%* <> %*)",
     "(%* IS NULL)",
     "(%* IS NOT NULL)",
     "(%B AND %B)",
     "(%B OR %B)",
     "(NOT %B)",
     "(%* IS DISTINCT FROM %*)",
     "(%* BETWEEN %* AND %*)",
     "(%* IN (%*, %*, %*))",
     "(%* IN (%Q))",
     "(%* NOT IN (%Q))",
     "(EXISTS (%Q))",
     "(NOT EXISTS (%Q))",
     "(%* > ANY (%Q))",
     "(%* <= ALL (%Q))",
     "(%T LIKE %T)",
     "(%B IS TRUE)",
     "(%T ~ 'a.?')",
     "((%I, %T) = (%I, %T))",
     "(%* NOT IN (%*, %*))",
     NULL},
    {"(%Y || %Y)", "substring(%Y, 1)", "%T::bytea", "decode('00ff', 'hex')", NULL},
    {"%T::uuid", "coalesce(%U, %U)", NULL},
    {"(%A + 1)", "(%A - %I)", "%S::date", "%Z::date", "%T::date", "(%A + 30)", NULL},
    {"%S::time", "(%M + %V)", "%T::time", "(%M - %V)", NULL},
    {"(%S + %V)", "(%S - %V)", "%A::timestamp", "(%A + %M)", "date_trunc('month', %S)",
     "%T::timestamp", "date_trunc('hour', %S)", NULL},
    {"(%Z + %V)", "(%Z - %V)", "%S::timestamptz", "date_trunc('day', %Z)", NULL},
    {"(%S - %S)", "(%V + %V)", "(%V * 2)", "(- %V)", "(%Z - %Z)", "%M::interval", "(%M - %M)",
     "%T::interval", "(%V / 3)", NULL},
};
/* Of exact results whatever the order; %% is what is inside. */
static const char *const aggregates[] = {"count(*)",
                                         "count(%*)",
                                         "count(DISTINCT %*)",
                                         "min(%T)",
                                         "max(%I)",
                                         "sum(%I)",
                                         "max(%A)",
                                         "min(%N)",
                                         "sum(DISTINCT %I)",
                                         "sum(%N)",
                                         "count(*) FILTER (WHERE %B)",
                                         "bool_and(%B)",
                                         "bool_or(%B)",
                                         "sum(%I) FILTER (WHERE %B)",
                                         "max(%V)",
                                         "min(%S)",
                                         "count(DISTINCT %T)",
                                         "avg(%N)",
                                         "min(%D)",
                                         NULL};
static const char *const windows[] = {
    "count(*) OVER ()",
    "sum(%I) OVER (PARTITION BY %*)",
    "rank() OVER (ORDER BY %* DESC)",
    "dense_rank() OVER (PARTITION BY %B ORDER BY %*)",
    "min(%T) OVER (ORDER BY %*)",
    "count(%*) OVER (PARTITION BY %T ORDER BY %I NULLS FIRST)",
    "max(%A) OVER (PARTITION BY %I)",
    "sum(%N) OVER (ORDER BY %I RANGE BETWEEN 1 PRECEDING AND 2 FOLLOWING)",
    "count(*) OVER (ORDER BY %* GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW)",
    "cume_dist() OVER (ORDER BY %*)",
    NULL};
static const char *const loose_windows[] = {
    "row_number() OVER (ORDER BY %*)",
    "lag(%*) OVER (ORDER BY %I)",
    "first_value(%*) OVER (ORDER BY %I)",
    "ntile(3) OVER (PARTITION BY %B)",
    "nth_value(%*, 2) OVER (ORDER BY %T ROWS 2 PRECEDING)",
    "sum(%I) OVER (ORDER BY %I ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)",
    "lead(%T, 2, 'z') OVER ()",
    NULL};

struct source {
    const char *columns;
    uint32_t alias; /* q0, q1, ... */
};

struct grammar {
    struct slice choices;
    size_t at;
    struct buffer *out;
    struct source scope[SCOPE_MAX];
    uint32_t visible; /* of the scope, innermost last */
    uint32_t own;     /* where the innermost query's begin */
    uint32_t depth;
    uint32_t aliases;
    struct grammar_traits traits;
};

static void query(struct grammar *g, const char *types);

static uint32_t choose(struct grammar *g, uint32_t count)
{
    ASSERT(count > 0);
    bool over = g->out->size > SIZE_MAX_OF_STATEMENT;
    return g->at < g->choices.size && !over ? g->choices.data[g->at++] % count : 0;
}

static void put(struct grammar *g, const char *text)
{
    buffer_append_string(g->out, text);
}

static uint32_t count_of(const char *const *list)
{
    uint32_t count = 0;
    while (list[count])
        count++;
    return count;
}

static size_t type_place(char type)
{
    const char *at = strchr(TYPES, type);
    ASSERT(type && at);
    return (size_t)(at - TYPES);
}

/* ---- expressions ------------------------------------------------------------------------------
 */

/* How many columns of the type the source has; the one with that number is written. */
static uint32_t columns_of(struct grammar *g, const struct source *source, char type,
                           uint32_t wanted)
{
    uint32_t count = 0;
    for (const char *at = source->columns; *at;) {
        const char *colon = strchr(at, ':');
        ASSERT(colon);
        if (colon[1] == type && count++ == wanted)
            buffer_printf(g->out, "q%u.%.*s", source->alias, (int)(colon - at), at);
        at = colon + 2;
        at += *at == ' ';
    }
    return count;
}

static bool column(struct grammar *g, char type)
{
    if (g->visible == 0)
        return false;
    /* Mostly of the innermost query. */
    uint32_t first = g->own < g->visible && choose(g, 4) ? g->own : 0;
    const struct source *source = &g->scope[first + choose(g, g->visible - first)];
    uint32_t count = columns_of(g, source, type, UINT32_MAX);
    if (count == 0)
        return false;
    columns_of(g, source, type, choose(g, count));
    return true;
}

static void template(struct grammar *g, const char *text, char own);

static void expression(struct grammar *g, char type)
{
    uint32_t dice = choose(g, 8);
    if (dice < 4 || g->depth >= DEPTH_MAX) {
        if ((dice % 2 == 0 || g->depth >= DEPTH_MAX) && column(g, type))
            return;
        put(g, literals[type_place(type)][choose(g, 8)]);
        return;
    }
    g->depth++;
    const char *const *list = dice == 4 ? common : of_types[type_place(type)];
    template(g, list[choose(g, count_of(list))], type);
    g->depth--;
}

static void template(struct grammar *g, const char *text, char own)
{
    char any = strstr(text, "%*") ? TYPES[choose(g, sizeof TYPES - 1)] : 'I';
    char of_query[] = {strstr(text, "%*") ? any : own, '\0'};
    for (; *text; text++) {
        if (*text != '%' || text[1] == ' ' || text[1] == '\0') {
            buffer_append_byte(g->out, (uint8_t)*text);
            continue;
        }
        text++;
        if (*text == 'Q')
            query(g, of_query);
        else
            expression(g, *text == '*' ? any : *text == '.' ? own : *text);
    }
}

/* ---- queries ----------------------------------------------------------------------------------
 */

static void source_add(struct grammar *g, const char *columns)
{
    ASSERT(g->visible < SCOPE_MAX);
    g->scope[g->visible++] = (struct source){.columns = columns, .alias = g->aliases};
    buffer_printf(g->out, " AS q%u", g->aliases++);
}

static void relation(struct grammar *g)
{
    uint32_t dice = choose(g, RELATIONS + 3);
    if (dice < RELATIONS) {
        put(g, relations[dice].name);
        source_add(g, relations[dice].columns);
        return;
    }
    if (dice == RELATIONS) {
        put(g, "generate_series(1, 3)");
        buffer_printf(g->out, " AS q%u (i)", g->aliases);
        g->scope[g->visible++] = (struct source){.columns = "i:I", .alias = g->aliases++};
        return;
    }
    /* A derived table does not see what stands beside it, unless it is lateral. */
    struct grammar outside = *g;
    bool lateral = choose(g, 3) == 2 && g->visible > g->own;
    put(g, lateral ? "LATERAL (" : "(");
    if (!lateral)
        g->visible = g->own;
    g->depth++;
    query(g, "ITN");
    g->depth--;
    g->visible = outside.visible;
    memcpy(g->scope, outside.scope, sizeof g->scope);
    put(g, ")");
    buffer_printf(g->out, " AS q%u (i, x, n)", g->aliases);
    g->scope[g->visible++] = (struct source){.columns = "i:I x:T n:N", .alias = g->aliases++};
}

static void from(struct grammar *g)
{
    static const char *const joins[] = {" JOIN ",      " LEFT JOIN ",  " RIGHT JOIN ",
                                        " FULL JOIN ", " CROSS JOIN ", ", "};
    uint32_t more = g->depth > 3 ? 0 : choose(g, g->depth ? 2 : 4);
    put(g, " FROM ");
    relation(g);
    /* Behind a comma ON sees only what is behind it, too: so commas come last. */
    for (uint32_t i = 0, kind = 0; i < more && g->visible + 1 < SCOPE_MAX; i++) {
        kind = kind == 5 ? 5 : choose(g, 6);
        put(g, joins[kind]);
        relation(g);
        if (kind > 3)
            continue;
        put(g, " ON ");
        if (choose(g, 2) == 0) {
            char type = "ITNA"[choose(g, 4)];
            const struct source last = g->scope[g->visible - 1];
            uint32_t count = columns_of(g, &last, type, UINT32_MAX);
            if (count > 0) {
                columns_of(g, &last, type, choose(g, count));
                put(g, " = ");
                g->visible--;
                expression(g, type);
                g->scope[g->visible++] = last;
                continue;
            }
        }
        /* A FULL join has equalities or nothing. */
        if (kind == 3)
            put(g, "TRUE");
        else
            expression(g, 'B');
    }
}

static void tail(struct grammar *g, uint32_t columns)
{
    if (choose(g, 4) == 3) {
        buffer_printf(g->out, " ORDER BY %u%s", 1 + choose(g, columns),
                      choose(g, 2) ? " DESC" : "");
        put(g, choose(g, 3) == 2 ? " NULLS FIRST" : "");
    }
    if (choose(g, 8) == 7) {
        buffer_printf(g->out, " LIMIT %u OFFSET %u", choose(g, 5), choose(g, 3));
        g->traits.loose = true;
    }
}

static void where(struct grammar *g)
{
    if (choose(g, 3) == 0)
        return;
    put(g, " WHERE ");
    expression(g, 'B');
}

/* SELECT key, aggregates ... GROUP BY key; a column for each type, for the outside. */
static void grouped(struct grammar *g, const char *types, struct slice source)
{
    struct buffer keys = {0};
    put(g, "SELECT ");
    for (uint32_t i = 0; types[i]; i++) {
        static const char *const folds[] = {"min(%.)", "max(%.)", "max(%.)", "min(%.)"};
        put(g, i ? ", " : "");
        if (choose(g, 2) == 0) {
            buffer_printf(&keys, "%s%u", keys.size ? ", " : "", i + 1);
            expression(g, types[i]);
        } else if (types[i] == 'I' || types[i] == 'N') {
            const char *fold = aggregates[choose(g, count_of(aggregates))];
            put(g, "coalesce((");
            template(g,
                     types[i] == 'I'  ? "count(%*)"
                     : fold[0] == 's' ? "sum(%N)"
                                      : "max(%N)",
                     types[i]);
            put(g, "), 0)");
        } else if (types[i] == 'B') {
            template(g, "bool_or(%B)", 'B');
        } else if (types[i] == 'U' || types[i] == 'Y') {
            template(g, "CASE WHEN count(*) > 1 THEN max(%.) END", types[i]);
        } else {
            template(g, folds[choose(g, 4)], types[i]);
        }
    }
    buffer_append_slice(g->out, source);
    where(g);
    if (keys.size > 0) {
        put(g, " GROUP BY ");
        buffer_append_slice(g->out, buffer_slice(&keys));
    }
    if (choose(g, 4) == 3) {
        put(g, " HAVING ");
        template(g, "count(*) > 1 OR max(%*) IS NULL", 'B');
    }
    buffer_free(&keys);
}

static void plain(struct grammar *g, const char *types, struct slice source)
{
    put(g, choose(g, 6) == 5 ? "SELECT DISTINCT " : "SELECT ");
    for (uint32_t i = 0; types[i]; i++) {
        put(g, i ? ", " : "");
        expression(g, types[i]);
    }
    buffer_append_slice(g->out, source);
    where(g);
}

/* With one column of any type besides. */
static void windowed(struct grammar *g, struct slice source)
{
    bool loose = choose(g, 3) == 2;
    const char *const *list = loose ? loose_windows : windows;
    g->traits.loose |= loose;
    put(g, "SELECT ");
    template(g, list[choose(g, count_of(list))], 'I');
    put(g, ", ");
    template(g, "%*", 'I');
    buffer_append_slice(g->out, source);
    where(g);
}

static void select_one(struct grammar *g, const char *types)
{
    uint32_t visible = g->visible;
    uint32_t own = g->own;
    struct buffer source = {0};
    struct buffer *out = g->out;
    g->own = g->visible;
    g->depth++;
    /* What it is over comes first: the rest is about it. */
    if (g->visible + 6 < SCOPE_MAX && g->depth <= DEPTH_MAX) {
        g->out = &source;
        from(g);
        g->out = out;
    }
    uint32_t dice = choose(g, 6);
    if (!types && dice == 5)
        windowed(g, buffer_slice(&source));
    else if (dice == 4)
        grouped(g, types ? types : "ITN", buffer_slice(&source));
    else
        plain(g, types ? types : "ITBA", buffer_slice(&source));
    g->depth--;
    g->visible = visible;
    g->own = own;
    buffer_free(&source);
}

/* Columns of these types, or NULL: of any. */
static void query(struct grammar *g, const char *types)
{
    static const char *const sets[] = {" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT "};
    bool set = types && choose(g, 8) == 7 && g->depth < 4;
    select_one(g, types);
    if (set) {
        put(g, sets[choose(g, 4)]);
        select_one(g, types);
    }
    tail(g, types ? (uint32_t)strlen(types) : 1);
}

/* ---- statements -------------------------------------------------------------------------------
 */

static void with(struct grammar *g)
{
    static const char *const forms[] = {"WITH ", "WITH RECURSIVE "};
    bool recursive = choose(g, 2) == 1;
    put(g, forms[recursive]);
    if (recursive) {
        put(g, "c (i, x, n) AS (SELECT 1, 'a', 1.5 UNION ALL SELECT i + 1, x || 'b', n * 2 FROM c "
               "WHERE i < 5");
        put(g, choose(g, 2) ? " AND x IN (SELECT x || 'a' FROM t UNION SELECT 'a'))" : ")");
    } else {
        put(g, choose(g, 2) ? "c (i, x, n) AS MATERIALIZED (" : "c (i, x, n) AS (");
        query(g, "ITN");
        put(g, ")");
    }
    buffer_printf(g->out, " SELECT q%u.i, q%u.n FROM c AS q%u, c AS q%u WHERE ", g->aliases,
                  g->aliases + 1, g->aliases, g->aliases + 1);
    for (int i = 0; i < 2; i++)
        g->scope[g->visible++] = (struct source){.columns = "i:I x:T n:N", .alias = g->aliases++};
    expression(g, 'B');
}

static void change(struct grammar *g)
{
    uint32_t table = choose(g, TABLES);
    const char *name = relations[table].name;
    uint32_t kind = choose(g, 4);
    g->traits.writes = true;
    if (kind == 0) {
        static const char *const types[] = {"IIINDTTBYUAMSZV", "ITINTBA", "IITDS"};
        buffer_printf(g->out, "INSERT INTO %s ", name);
        query(g, types[table]);
        static const char *const keys[] = {"id", "k, l", "o"};
        static const char *const sets[] = {"i = excluded.i + 1, x = NULL",
                                           "i = u.k, n = excluded.n",
                                           "i = excluded.i, x = w.x || 'c'"};
        uint32_t conflict = choose(g, 3);
        if (conflict == 1)
            put(g, " ON CONFLICT DO NOTHING");
        if (conflict == 2)
            buffer_printf(g->out, " ON CONFLICT (%s) DO UPDATE SET %s", keys[table], sets[table]);
        return;
    }
    buffer_printf(g->out, kind == 1 ? "DELETE FROM %s" : "UPDATE %s", name);
    source_add(g, relations[table].columns);
    if (kind != 1) {
        static const char *const names[][5] = {{"i:I", "x:T", "n:N", "z:Z", "b:B"},
                                               {"i:I", "x:T", "n:N", "k:I", "a:A"},
                                               {"i:I", "x:T", "d:D", "id:I", "o:S"}};
        const char *first = names[table][choose(g, 5)];
        buffer_printf(g->out, " SET %.*s = ", (int)(strchr(first, ':') - first), first);
        expression(g, first[strlen(first) - 1]);
    }
    where(g);
}

void grammar_statement(struct slice choices, struct buffer *out, struct grammar_traits *traits)
{
    ASSERT(out && traits);
    struct grammar g = {.choices = choices, .out = out};
    switch (choose(&g, 8)) {
    case 7:
    case 6:
        change(&g);
        break;
    case 5:
        with(&g);
        break;
    case 4:
        put(&g, "EXPLAIN (WHY) ");
        g.traits.loose = true;
        query(&g, NULL);
        break;
    case 3:
        query(&g, "IT");
        break;
    default:
        query(&g, NULL);
    }
    *traits = g.traits;
}

void grammar_fragment(struct slice choices, struct buffer *out)
{
    ASSERT(out);
    struct grammar g = {.choices = choices, .out = out};
    g.scope[g.visible++] = (struct source){.columns = relations[0].columns};
    if (choose(&g, 4) == 3)
        query(&g, "IT");
    else
        expression(&g, TYPES[choose(&g, sizeof TYPES - 1)]);
}
