/* Replays the files named on the command line; without any, spoils good texts at random. */
#include "../replay.h"

enum { ROUNDS = 30000 };

static const char *const good[] = {
    "select E'\\u00e9\\n\\x41' 'b', U&'x', $tag$ a $$ b $tag$, $$c$$, 'it''s', \"q\"\"n\", "
    "x'00fF', $12",
    "1 1. .5 1e5 1.5e-3 0.1e+2 9223372036854775808 00.10 1..2 123abc 1e "
    "99999999999999999999999999999999999999999",
    "a<=b >=<> != :: := || -> ~ !~ ~* !~* & | << >> ^ % [1] ; , . /* a /* b */ c */ -- end\n 'x'\n "
    " 'y'",
    "\xc3\xa9t\xc3\xa9 _a1$ A.\"B\".c 'a\xc3\xa9' E'\\'' E'\\\\' '' \"\xc3\xa9\" -- \xc3\xa9",
};

int main(int argc, char **argv)
{
    return fuzz_replay_statements(argc, argv, good, sizeof good / sizeof *good, ROUNDS);
}
