/* Replays the files named on the command line; without any, spoils good statements at random. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"
#include "fuzz_sql.h"

enum { ROUNDS = 6000, INPUT_MAX = 400 };

static const char *const good[] = {
    "select distinct t.a, u.*, count(*) filter (where d) from t join u on t.id = u.t_id where a in "
    "(10, 30.0) or b between 'a' and 'z' group by t.a, u.id, u.t_id, u.s having count(*) > 0 order "
    "by 1 desc nulls last limit 10 offset 0",
    "select a + id * 2, b || 'x', c / 2, not d, -a % 3, c ^ 2, a & 7, a << 2 from t where a is not "
    "null and c <> 1 or d is unknown",
    "select case when a > 10 then b else 'none' end, coalesce(a, 0), nullif(a, 10), greatest(a, "
    "20) "
    "from t left join u using (id) where b like 'x%' order by id",
    "select upper(b), length(b), substring(b from 1 for 2), trim(both 'x' from b), position('x' in "
    "b), replace(b, 'x', 'yy'), lpad(b, 5), left(b, 1), round(c), abs(a), sqrt(c), md5(b) from t",
    "insert into t (id, a, b) values (4, 1, 'n'), (5, default, null); update t set a = a + 1, b = "
    "upper(b) where id >= 2; delete from u where t_id = 1",
    "insert into t select id + 10, t_id, s, id / 2.0, id = 1 from u; update t set id = id + 1; "
    "delete from t where id not in (1, 2)",
    "create table v (x int, y text default 'q' || 'r', z double precision unique, primary key (x, "
    "y), foreign key (x) references t); insert into v (x) values (1); drop table v",
    "create unique index i on u (t_id, s); drop index t_a; explain select * from t where a = 1; "
    "show "
    "create table u; show indexes from t",
    "explain analyze select sum(a), avg(c), min(b), max(distinct a) from t, u where t.id = u.id; "
    "explain update t set a = 1 where id between 1 and 2",
    "begin; delete from u; update t set id = 100 where id = 1; select * from t order by id; "
    "commit; "
    "select s from (select s, id from u where id < 3) x (s, i) where i > 1",
    "select cast(a as text), b::int, c::int, '1.5'::double precision, 't'::boolean, d::int from t; "
    "values (1, 'a'), (2, null) order by 2",
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
