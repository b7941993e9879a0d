/* toydb node, toydb transfer-leader: who belongs to the cluster, and who leads it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "bin/bin_int.h"

#define HELP_COMMON                                                                                \
    "  -H, --host HOST:PORT,...  nodes to try; the first that answers is asked\n"                  \
    "                            [TOYDB_HOST or localhost:9601]\n"                                 \
    "      --timeout SECONDS     how long to wait until it is so [60]\n"                           \
    "      --help                show this\n"

static const char help_node[] =
    "Usage: toydb node list|add|remove|promote [OPTIONS]\n"
    "Shows or changes which nodes belong to a cluster.\n"
    "\n"
    "  list                 the members, and how far each has come\n"
    "  add ID HOST:PORT     let node ID in, at that address; or tell that it is there now. It "
    "gets\n"
    "                       the data, then a vote. \"toydb start --join\" does this by itself\n"
    "  add --learner ...    the same, but it never gets a vote until it is promoted\n"
    "  remove ID            the node stops by itself when it hears of it; its data stays\n"
    "  promote ID           gives a learner a vote, once it has caught up\n"
    "\n" HELP_COMMON "\n"
    "Each waits until the change is made by a majority of the voters. Asking again for what is so\n"
    "already is harmless. Exit code 1: refused, or not so within the time; 2: no node answers.\n";

static const char help_transfer[] =
    "Usage: toydb transfer-leader [ID] [OPTIONS]\n"
    "Has another node lead: node ID, or whichever is best prepared.\n"
    "\n" HELP_COMMON;

/* ---- answers -------------------------------------------------------------------------------- */

static const struct toydb_member *member_find(const struct toydb_members *members, uint32_t id)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (members->items[i].id == id)
            return &members->items[i];
    return NULL;
}

static void members_print(const struct toydb_members *members)
{
    uint32_t voters = 0;
    for (uint32_t i = 0; i < members->count; i++)
        voters += members->items[i].voter;
    printf("The cluster has %" PRIu32 " node%s, %" PRIu32 " of them with a vote.\n", members->count,
           members->count == 1 ? "" : "s", voters);
}

static void member_print(const struct toydb_members *members, uint32_t id)
{
    const struct toydb_member *member = member_find(members, id);
    if (!member)
        printf("node %" PRIu32 " is no member\n", id);
    else if (member->voter)
        printf("node %" PRIu32 " is a member at %s, with a vote\n", id, member->address);
    else
        printf("node %" PRIu32 " is a member at %s, a learner%s\n", id, member->address,
               member->promote ? "; it gets a vote when it has caught up" : "");
    members_print(members);
}

/* ---- toydb node ------------------------------------------------------------------------------ */

static int list(struct bin__admin *admin)
{
    struct toydb_error error;
    struct toydb_status *status;
    enum toydb_result result = toydb_status(admin->session, &status, &error);
    if (result != TOYDB_OK)
        return bin__admin_end(admin, result, &error);
    struct toydb_status *leader = bin__status_leader(status);
    struct bin__output output;
    bin__output_init(&output, bin__write_stdout, NULL);
    output.pretty = isatty(STDOUT_FILENO);
    output.colour = bin__colour(STDOUT_FILENO);
    bin__nodes_table(&output, status, leader);
    bool written = !output.failed;
    bin__output_free(&output);
    toydb_status_free(leader);
    toydb_status_free(status);
    int code = bin__admin_end(admin, TOYDB_OK, NULL);
    return written ? code : BIN__EXIT_FAILED;
}

/* add, remove or promote */
static int change(struct bin__admin *admin, const char *what, uint32_t id)
{
    struct toydb_error error;
    struct toydb_members *members = NULL;
    struct toydb_member node = {.id = id, .promote = !admin->learner};
    enum toydb_result result;
    if (strcmp(what, "add") == 0) {
        node.address = admin->words[2];
        result = toydb_node_add(admin->session, &node, admin->timeout_ms, &members, &error);
    } else if (strcmp(what, "remove") == 0) {
        result = toydb_node_remove(admin->session, id, admin->timeout_ms, &members, &error);
    } else {
        result = toydb_node_promote(admin->session, id, admin->timeout_ms, &members, &error);
    }
    if (result == TOYDB_OK)
        member_print(members, id);
    toydb_members_free(members);
    return bin__admin_end(admin, result, &error);
}

int bin__node(int argc, char **argv)
{
    static const struct {
        const char *name, *command;
        uint32_t words; /* with itself */
    } actions[] = {{"list", "toydb node list", 1},
                   {"add", "toydb node add", 3},
                   {"remove", "toydb node remove", 2},
                   {"promote", "toydb node promote", 2}};
    struct bin__admin admin = {.command = "toydb node"};
    int code = bin__admin_parse(&admin, argc, argv, help_node, true, false);
    if (code >= 0)
        return code;
    if (admin.word_count == 0)
        return bin__usage_error("toydb node", "say what: list, add, remove or promote");
    size_t at = 0;
    while (at < 4 && strcmp(admin.words[0], actions[at].name) != 0)
        at++;
    if (at == 4)
        return bin__usage_error("toydb node", "unknown command \"%s\"", admin.words[0]);
    uint32_t id = 0;
    if (actions[at].words > 1 && !bin__admin_id(&admin, 1, &id))
        return BIN__EXIT_USAGE;
    if (admin.word_count < actions[at].words)
        return bin__usage_error("toydb node", "say where node %" PRIu32 " is: HOST:PORT", id);
    if (admin.word_count > actions[at].words)
        return bin__usage_error("toydb node", "unexpected argument \"%s\"",
                                admin.words[actions[at].words]);
    if (admin.learner && at != 1)
        return bin__usage_error("toydb node", "--learner goes with add");
    admin.command = actions[at].command;
    code = bin__admin_open(&admin);
    if (code != BIN__EXIT_OK)
        return code;
    return at == 0 ? list(&admin) : change(&admin, actions[at].name, id);
}

/* ---- toydb transfer-leader ------------------------------------------------------------------- */

int bin__transfer_leader(int argc, char **argv)
{
    struct bin__admin admin = {.command = "toydb transfer-leader"};
    struct toydb_error error;
    uint32_t id = 0, leader = 0;
    int code = bin__admin_parse(&admin, argc, argv, help_transfer, false, false);
    if (code >= 0)
        return code;
    if (admin.word_count > 1)
        return bin__usage_error(admin.command, "unexpected argument \"%s\"", admin.words[1]);
    if (admin.word_count == 1 && !bin__admin_id(&admin, 0, &id))
        return BIN__EXIT_USAGE;
    code = bin__admin_open(&admin);
    if (code != BIN__EXIT_OK)
        return code;
    enum toydb_result result =
        toydb_leader_transfer(admin.session, id, admin.timeout_ms, &leader, &error);
    if (result == TOYDB_OK && leader)
        printf("node %" PRIu32 " leads\n", leader);
    else if (result == TOYDB_OK)
        printf("another node leads\n");
    return bin__admin_end(&admin, result, &error);
}
