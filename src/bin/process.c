/* Programs that a person has named: an editor, a pager. */
#include "bin/process_int.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

extern char **environ;

/* By the shell, for the variables hold words of it. Standard input is the reading end of the pipe,
 * unless that is NULL. */
static pid_t start(const char *command, const int *pipe_ends)
{
    char *const words[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                           (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    pid_t pid = -1;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    if (pipe_ends) {
        posix_spawn_file_actions_adddup2(&actions, pipe_ends[0], STDIN_FILENO);
        posix_spawn_file_actions_addclose(&actions, pipe_ends[0]);
        /* Or it would never see an end. */
        posix_spawn_file_actions_addclose(&actions, pipe_ends[1]);
    }
    if (posix_spawn(&pid, "/bin/sh", &actions, &attributes, words, environ) != 0)
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return pid;
}

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return BIN__PROCESS_FAILED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : BIN__PROCESS_FAILED;
}

int bin__process_run(const char *command)
{
    pid_t pid = start(command, NULL);
    return pid < 0 ? BIN__PROCESS_FAILED : wait_for(pid);
}

bool bin__process_open(struct bin__process *process, const char *command)
{
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    process->pid = start(command, ends);
    close(ends[0]);
    process->fd = ends[1];
    if (process->pid < 0)
        close(ends[1]);
    return process->pid >= 0;
}

bool bin__write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t done = write(fd, at, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        size -= (size_t)done;
    }
    return true;
}

bool bin__process_write(struct bin__process *process, const void *data, size_t size)
{
    ASSERT(process->pid > 0);
    return bin__write_all(process->fd, data, size);
}

int bin__process_close(struct bin__process *process)
{
    ASSERT(process->pid > 0);
    close(process->fd);
    int status = wait_for(process->pid);
    process->pid = 0;
    return status;
}
