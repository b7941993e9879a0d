/* Every process has one directory, "toydb-test-" and its process id, and in it those asked for. */
#include "scratch.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

static const char prefix[] = "toydb-test-";
static char own[128];
static pid_t owner;

static const char *base(void)
{
    const char *tmp = getenv("TMPDIR");
    return tmp ? tmp : "/tmp";
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info, (void)type, (void)ftw;
    return remove(path);
}

void scratch_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void own_remove(void)
{
    if (getpid() == owner) /* not in a forked child */
        scratch_remove(own);
}

/* Of processes that are no more. */
static void stale_remove(void)
{
    DIR *list = opendir(base());
    ASSERT(list);
    struct dirent *entry;
    while ((entry = readdir(list))) {
        char path[512], *end;
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) != 0)
            continue;
        long pid = strtol(entry->d_name + sizeof prefix - 1, &end, 10);
        if (*end || pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
            continue;
        int length = snprintf(path, sizeof path, "%s/%s", base(), entry->d_name);
        ASSERT(length < (int)sizeof path);
        scratch_remove(path);
    }
    closedir(list);
}

void scratch_make(char *dir, size_t size)
{
    if (owner != getpid()) {
        stale_remove();
        snprintf(own, sizeof own, "%s/%s%ld", base(), prefix, (long)getpid());
        int made = mkdir(own, 0700);
        ASSERT(made == 0 || errno == EEXIST);
        if (owner == 0) {
            int registered = atexit(own_remove);
            ASSERT(registered == 0);
        }
        owner = getpid();
    }
    int length = snprintf(dir, size, "%s/XXXXXX", own);
    ASSERT(length < (int)size);
    char *named = mkdtemp(dir);
    ASSERT(named);
}

uint16_t scratch_port(int *fd)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    int on = 1;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = bind(*fd, (struct sockaddr *)&where, size);
    ASSERT(result == 0);
    result = getsockname(*fd, (struct sockaddr *)&where, &size);
    ASSERT(result == 0);
    result = setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ASSERT(result == 0);
    return ntohs(where.sin_port);
}
