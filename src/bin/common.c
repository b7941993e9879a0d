/* What both programs and all commands need. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "bin/bin_int.h"

int bin__usage_error(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", command);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nTry \"%s --help\".\n", command);
    va_end(args);
    return BIN__EXIT_USAGE;
}

int bin__option_error(const char *command, int option, char **argv)
{
    ASSERT(option == ':' || option == '?');
    const char *given = argv[optind - 1];
    return option == ':' ? bin__usage_error(command, "%s needs a value", given)
                         : bin__usage_error(command, "unknown option %s", given);
}

int bin__no_more_arguments(const char *command, int argc, char **argv)
{
    ASSERT(optind > 0);
    return optind < argc ? bin__usage_error(command, "unexpected argument \"%s\"", argv[optind])
                         : -1;
}

void bin__error_print(const char *command, const struct error *error)
{
    ASSERT(*error->message);
    fprintf(stderr, "%s: %s\n", command, error->message);
    if (*error->detail)
        fprintf(stderr, "%s\n", error->detail);
    if (*error->hint)
        fprintf(stderr, "%s\n", error->hint);
}

bool bin__number_parse(const char *text, uint64_t low, uint64_t high, uint64_t *out)
{
    ASSERT(low <= high);
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*end || errno || value < low || value > high)
        return false;
    *out = value;
    return true;
}

const char *bin__host_default(void)
{
    const char *host = getenv("TOYDB_HOST");
    return host && *host ? host : BIN__HOST_DEFAULT;
}

int bin__connect_failed(const char *program, const char *addresses, const struct toydb_error *error)
{
    if (error->result != TOYDB_UNREACHABLE) {
        fprintf(stderr, "%s: %s\n", program, error->message);
        return BIN__EXIT_USAGE;
    }
    if (strchr(addresses, ','))
        fprintf(stderr, "%s: could not connect to any of %s (the last: %s)\n", program, addresses,
                error->message);
    else
        fprintf(stderr, "%s: %s\n", program, error->message);
    fprintf(stderr, "Is a node running there? \"toydb cluster\" starts a local cluster; "
                    "-H names other addresses.\n");
    return BIN__EXIT_UNREACHABLE;
}

bool bin__colour(int fd)
{
    const char *no = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return isatty(fd) && !(no && *no) && !(terminal && strcmp(terminal, "dumb") == 0);
}

bool bin__write_stdout(void *context, const void *data, size_t size)
{
    MAYBE(context == NULL);
    return fwrite(data, 1, size, stdout) == size && fflush(stdout) == 0;
}
