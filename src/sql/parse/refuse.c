/* What PostgreSQL has and toyDB has not, and what stands for it: statements by their first word,
 * and what CREATE, DROP and ALTER would make. */
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

struct refusal {
    const char *word;
    const char *hint; /* or NULL */
};

static const char one_user[] = "There is one user: whoever reaches a node may do everything.";
static const char no_cursors[] =
    "Results stream; LIMIT and a condition on the key read them page by page.";
static const char no_procedures[] = "There are no procedures in the database: programs run the "
                                    "statements, in a transaction.";
static const char no_savepoints[] = "A transaction is undone as a whole: ROLLBACK, and run it "
                                    "again.";
static const char no_events[] = "There are no notifications: a program asks again for what has "
                                "come, by a condition on the key.";

static const struct refusal statements[] = {
    {"call", no_procedures},
    {"checkpoint", "Nodes take checkpoints by themselves."},
    {"close", no_cursors},
    {"cluster", "Rows are kept in the order of their primary key."},
    {"declare", no_cursors},
    {"discard", "RESET ALL takes settings back, DEALLOCATE ALL prepared statements."},
    {"do", no_procedures},
    {"fetch", no_cursors},
    {"grant", one_user},
    {"import", NULL},
    {"listen", no_events},
    {"load", NULL},
    {"lock", "It is not needed: transactions are serializable, a conflict is found at COMMIT."},
    {"merge", "INSERT ... ON CONFLICT DO UPDATE puts in or changes."},
    {"move", no_cursors},
    {"notify", no_events},
    {"reassign", one_user},
    {"refresh", "There are no materialized views; CREATE TABLE AS keeps the rows of a query."},
    {"release", no_savepoints},
    {"revoke", one_user},
    {"savepoint", no_savepoints},
    {"security", NULL},
    {"table", "It is SELECT * FROM table."},
    {"unlisten", no_events},
};

static const struct refusal objects[] = {
    {"access", NULL},
    {"aggregate", no_procedures},
    {"cast", NULL},
    {"collation", "The one collation is \"C\": text is ordered by its bytes."},
    {"conversion", NULL},
    {"database", "There is one database, and all tables are in the schema \"public\"."},
    {"domain", "A CHECK limits what a column may have."},
    {"event", "There are no triggers: CHECK, DEFAULT, foreign keys with actions, and programs."},
    {"extension",
     "What there is is built in, as gen_random_uuid(), sha256() and regexp_replace()."},
    {"foreign", NULL},
    {"function", no_procedures},
    {"group", one_user},
    {"language", no_procedures},
    {"materialized", "There are no materialized views; CREATE TABLE AS keeps the rows of a query."},
    {"operator", NULL},
    {"policy", one_user},
    {"procedure", no_procedures},
    {"publication", "Every node has all data already."},
    {"role", one_user},
    {"routine", no_procedures},
    {"rule", "There are no rules: CHECK, DEFAULT, foreign keys with actions, and programs."},
    {"schema", "There is one schema, \"public\"."},
    {"server", NULL},
    {"statistics", "ANALYZE gathers what there is to know."},
    {"subscription", "Every node has all data already."},
    {"tablespace", NULL},
    {"temp", "There are no temporary tables; WITH names the rows of a query for one statement."},
    {"temporary",
     "There are no temporary tables; WITH names the rows of a query for one statement."},
    {"text", NULL},
    {"trigger", "There are no triggers: CHECK, DEFAULT, foreign keys with actions, and programs."},
    {"type",
     "A column of type TEXT with CHECK (x IN ('a', 'b')) has the values of an enumeration."},
    {"unlogged", "All tables are kept by a majority of the nodes."},
    {"user", one_user},
};

static bool refuse(struct parse *parse, const struct refusal *table, size_t count, const char *verb)
{
    const struct token *token = &parse->token;
    if (token->kind != TOKEN_WORD)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].word, token->name) != 0)
            continue;
        char word[32];
        size_t size = strlen(table[i].word);
        ASSERT(size < sizeof word);
        for (size_t c = 0; c <= size; c++) {
            char letter = table[i].word[c];
            word[c] = (char)(letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter);
        }
        parse__fail(parse, "0A000", token->position, "%s%s%s is not supported", verb,
                    *verb ? " " : "", word);
        if (table[i].hint)
            parse__hint(parse, table[i].hint);
        return true;
    }
    return false;
}

bool parse__refuse_statement(struct parse *parse)
{
    return refuse(parse, statements, sizeof statements / sizeof *statements, "");
}

bool parse__refuse_object(struct parse *parse, const char *verb)
{
    return refuse(parse, objects, sizeof objects / sizeof *objects, verb);
}
