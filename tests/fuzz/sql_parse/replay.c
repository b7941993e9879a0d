/* Replays the files named on the command line; without any, spoils good statements at random. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"
#include "fuzz_sql_parse.h"

enum { ROUNDS = 30000, INPUT_MAX = 400 };

static const char *const good[] = {
    "select distinct a, t.*, count(*) filter (where b) from t as x join u using (a) left join v on "
    "x.b = v.c, w where a in (1, 2.5, 'x') and b between $1 and $2 or c like 'y%' escape '!' "
    "group by a having count(distinct b) > 1 order by 1 desc nulls last limit 10 offset 5",
    "create table if not exists t (a int primary key, b varchar(10) not null default 'x' || 'y' "
    "unique, c double precision references u (d) on delete restrict, foreign key (a, b) references "
    "v, constraint n unique (a, c))",
    "insert into t (a, b) values (1, default), (-9223372036854775808, E'\\u00e9\\n'); insert into "
    "t "
    "select * from (select 1) s; insert into t default values",
    "update t as x set a = case a when 1 then 2 else 3 end, b = default where exists (select 1) ; "
    "delete from t where not a is distinct from b and c::text = cast(d as text)",
    "begin read only; /* a /* b */ c */ select substring(a from 1 for 2), trim(both 'x' from b), "
    "position('a' in c), coalesce(d, e), current_user; commit -- end",
    "explain analyze select $$dollar$$, $tag$x$tag$, 'it''s', \"Quoted \"\"name\"\"\", 1e-5, .5",
    "create unique index i on t (a desc, b); drop table if exists a, b; drop index i; set a.b = "
    "'c'; show create table t; show columns from t; reset x",
};

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    struct buffer all = {0};
    uint8_t chunk[4096];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_append(&all, chunk, got);
    fclose(file);
    LLVMFuzzerTestOneInput(all.data, all.size);
    buffer_free(&all);
}

/* Puts a piece of a good statement at a random place, over or between what is there. */
static size_t spoil(struct prng *prng, uint8_t *text, size_t size)
{
    const char *donor = good[prng_below(prng, sizeof good / sizeof *good)];
    size_t from = prng_below(prng, strlen(donor));
    size_t count = prng_between(prng, 1, 12);
    if (count > strlen(donor) - from)
        count = strlen(donor) - from;
    size_t at = prng_below(prng, size + 1);
    switch (prng_below(prng, 4)) {
    case 0:
        if (size)
            text[prng_below(prng, size)] = (uint8_t)prng_next(prng);
        return size;
    case 1: /* cut */
        count = count > size - at ? size - at : count;
        memmove(text + at, text + at + count, size - at - count);
        return size - count;
    case 2: /* over */
        count = count > size - at ? size - at : count;
        memcpy(text + at, donor + from, count);
        return size;
    default: /* between */
        if (size + count > INPUT_MAX)
            return size;
        memmove(text + at + count, text + at, size - at);
        memcpy(text + at, donor + from, count);
        return size + count;
    }
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++)
        replay_file(arguments[i]);
    if (count > 1)
        return 0;
    struct prng prng;
    prng_seed(&prng, 7);
    for (int round = 0; round < ROUNDS; round++) {
        const char *base = good[prng_below(&prng, sizeof good / sizeof *good)];
        size_t size = strlen(base);
        ASSERT(size <= INPUT_MAX);
        /* Exactly as large as the text, so that a sanitizer sees a read behind its end. */
        uint8_t work[INPUT_MAX];
        memcpy(work, base, size);
        for (uint64_t n = prng_below(&prng, 4); n > 0; n--)
            size = spoil(&prng, work, size);
        uint8_t *exact = mem_alloc(size);
        memcpy(exact, work, size);
        LLVMFuzzerTestOneInput(exact, size);
        mem_free(exact);
    }
    return 0;
}
