/* Replays the files named on the command line; without any, spoils good statements at random. */
#include "../replay.h"

enum { ROUNDS = 6000 };

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
    "select n + m * 1.10, n / 3, m % 0.7, -n, round(m, -2), trunc(n, 1), sqrt(m), sum(n) over "
    "(order by n) from w where n = 1.5 or m between 0.1 and 99999999999999999999.5 or r > 0.1",
    "select sum(n * (1 - m)), avg(m), min(r), max(b), min(u), max(v), count(distinct m) from w "
    "group by n, m, v, u having sum(m) > 1e3 order by 1",
    "select b || x'01', substring(b, 2), encode(b, 'base64'), decode('00ff', 'hex'), length(b), "
    "u::text, b::text, n::text, '12.345'::numeric(4, 1), n::float, n::int, r::text from w where "
    "b < x'01' or u in ('a0eebc999c0b4ef8bb6d6bb9bd380a11')",
    "select e::timestamp, o::date, z::timestamp, o::time(3), v::time, n::smallint, m::real from w "
    "where e > '2020-01-01' and v < '2 days' order by v, e desc",
    "insert into w (n, m, b) select id / 3.0, c, '\\x00'::bytea from t; update w set m = n * 1e10, "
    "r = m, e = '2000-02-29'; delete from w where m = (select max(m) from w)",
};

int main(int argc, char **argv)
{
    return fuzz_replay_statements(argc, argv, good, sizeof good / sizeof *good, ROUNDS);
}
