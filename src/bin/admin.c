/* What the commands that change the cluster share. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "bin/bin_int.h"

enum { OPTION_TIMEOUT = 256, OPTION_LEARNER, OPTION_CLUSTER, OPTION_DATA, OPTION_HELP };
enum { TIMEOUT_SECONDS_DEFAULT = 60, TIMEOUT_SECONDS_MAX = 1000000 };

static const struct option options[] = {{"host", required_argument, NULL, 'H'},
                                        {"timeout", required_argument, NULL, OPTION_TIMEOUT},
                                        {"learner", no_argument, NULL, OPTION_LEARNER},
                                        {"cluster", no_argument, NULL, OPTION_CLUSTER},
                                        {"data", required_argument, NULL, OPTION_DATA},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {NULL, 0, NULL, 0}};

/* -1: go on. */
static int option_take(struct bin__admin *admin, int option, char **argv)
{
    uint64_t seconds;
    switch (option) {
    case 1: /* not an option */
        if (admin->word_count == BIN__ADMIN_WORDS_MAX)
            return bin__usage_error(admin->command, "unexpected argument \"%s\"", optarg);
        admin->words[admin->word_count++] = optarg;
        return -1;
    case 'H':
        admin->host = optarg;
        return -1;
    case OPTION_TIMEOUT:
        if (!bin__number_parse(optarg, 1, TIMEOUT_SECONDS_MAX, &seconds))
            return bin__usage_error(admin->command,
                                    "--timeout takes seconds from 1 to %d, not \"%s\"",
                                    TIMEOUT_SECONDS_MAX, optarg);
        admin->timeout_ms = (uint32_t)seconds * 1000;
        return -1;
    case OPTION_LEARNER:
        admin->learner = true;
        return -1;
    case OPTION_CLUSTER:
        admin->cluster = true;
        return -1;
    case OPTION_DATA:
        admin->data = optarg;
        return -1;
    default:
        return bin__option_error(admin->command, option, argv);
    }
}

int bin__admin_parse(struct bin__admin *admin, int argc, char **argv, const char *help,
                     bool takes_learner, bool takes_cluster)
{
    int option;
    int code = -1;
    ASSERT(admin->command && argc > 0);
    admin->host = bin__host_default();
    admin->timeout_ms = TIMEOUT_SECONDS_DEFAULT * 1000;
    opterr = 0;
    optind = 1;
    while (code < 0 && (option = getopt_long(argc, argv, "-:H:", options, NULL)) != -1) {
        if (option == OPTION_HELP) {
            fputs(help, stdout);
            return BIN__EXIT_OK;
        }
        code = option_take(admin, option, argv);
    }
    if (code < 0 && admin->learner && !takes_learner)
        return bin__usage_error(admin->command, "unknown option --learner");
    if (code < 0 && admin->cluster && !takes_cluster)
        return bin__usage_error(admin->command, "unknown option --cluster");
    if (code < 0 && admin->data && !takes_cluster)
        return bin__usage_error(admin->command, "unknown option --data");
    return code;
}

bool bin__admin_id(const struct bin__admin *admin, uint32_t at, uint32_t *id)
{
    uint64_t number;
    if (at >= admin->word_count) {
        bin__usage_error(admin->command, "say which node, by its number");
        return false;
    }
    if (!bin__number_parse(admin->words[at], 1, UINT32_MAX, &number)) {
        bin__usage_error(admin->command, "\"%s\" is not the number of a node", admin->words[at]);
        return false;
    }
    *id = (uint32_t)number;
    return true;
}

/* The hosts given and the members' addresses: the node that was asked may be the one to go. */
static struct toydb_session *session_widen(struct toydb_session *session, const char *host)
{
    struct toydb_status *status;
    struct toydb_session *wide = NULL;
    if (toydb_status(session, &status, NULL) != TOYDB_OK)
        return session;
    struct buffer addresses = {0};
    buffer_append_string(&addresses, host);
    for (uint32_t i = 0; i < status->node_count; i++)
        if (*status->nodes[i].address)
            buffer_printf(&addresses, ",%s", status->nodes[i].address);
    buffer_append_byte(&addresses, '\0');
    if (!addresses.failed)
        wide = toydb_session_open((const char *)addresses.data, NULL, NULL);
    buffer_free(&addresses);
    toydb_status_free(status);
    if (!wide)
        return session;
    toydb_session_close(session);
    return wide;
}

int bin__admin_open(struct bin__admin *admin)
{
    struct toydb_error error;
    admin->session = toydb_session_open(admin->host, NULL, &error);
    if (!admin->session)
        return bin__connect_failed(admin->command, admin->host, &error);
    admin->session = session_widen(admin->session, admin->host);
    return BIN__EXIT_OK;
}

int bin__admin_end(struct bin__admin *admin, enum toydb_result result,
                   const struct toydb_error *error)
{
    toydb_session_close(admin->session);
    admin->session = NULL;
    if (result == TOYDB_OK)
        return BIN__EXIT_OK;
    fprintf(stderr, "%s: %s\n", admin->command, error->message);
    if (*error->hint)
        fprintf(stderr, "%s\n", error->hint);
    else if (result == TOYDB_LOST)
        fprintf(stderr, "It may be under way; asking again is harmless.\n");
    return result == TOYDB_UNREACHABLE && strcmp(error->sqlstate, "08001") == 0
               ? BIN__EXIT_UNREACHABLE
               : BIN__EXIT_FAILED;
}
