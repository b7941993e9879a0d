/* Tab, of the prompt. */
#ifndef BIN_SHELL_COMPLETE_INT_H
#define BIN_SHELL_COMPLETE_INT_H

#include <histedit.h>

#include "bin/complete_int.h"
#include "bin/shell_int.h"

struct bin__completion {
    struct bin__shell *shell;
    struct bin__names names;
    bool fresh; /* they were asked for since the statement was begun */
};

/* Puts into the line what is sure, and otherwise shows what could be. True: something was printed,
 * the line is to be drawn again. */
bool bin__completion_run(struct bin__completion *completion, EditLine *edit);
void bin__completion_free(struct bin__completion *completion);

#endif
