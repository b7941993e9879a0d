/* Replays the files named on the command line; without any, spoils good statements at random. */
#include "../replay.h"

enum { ROUNDS = 30000 };

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

int main(int argc, char **argv)
{
    return fuzz_replay_statements(argc, argv, good, sizeof good / sizeof *good, ROUNDS);
}
