/* A fuzz target without a fuzzing engine: what the replaying mains share. Each of them runs the
 * files named on its command line through the target; without any it makes good inputs, spoils them
 * at random and runs those, from a fixed seed. With "--corpus DIR" it writes good inputs into that
 * directory: what a fuzzing engine begins with. */
#ifndef FUZZ_REPLAY_H
#define FUZZ_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/prng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Is a corpus asked for? Then of this directory; else NULL. */
const char *fuzz_corpus_wanted(int argc, char **argv);
/* Writes input `number` of the corpus. Returns the exit code. */
int fuzz_corpus_write(const char *dir, uint32_t number, struct slice input);

/* Runs every file named. Returns the exit code: 0, or 1 when one could not be read. */
int fuzz_replay_files(int argc, char **argv);

/* Up to changes_max - 1 bytes set, bits flipped or ends cut off. `bytes` must not be empty, and
 * will not be. */
void fuzz_spoil(struct prng *prng, struct buffer *bytes, uint32_t changes_max);

/* Makes a good input anew; at least 1 byte. */
typedef void fuzz_make_fn(struct prng *prng, struct buffer *input);
/* The main of a target whose good inputs are made by lot: `rounds` of them from `seed`, most of
 * them spoiled (changes_max as above). */
int fuzz_replay_made(int argc, char **argv, fuzz_make_fn *make, uint64_t seed, uint32_t rounds,
                     uint32_t changes_max);

/* The main of a target that reads statements: `rounds` times one of `good`, at most
 * FUZZ_STATEMENT_MAX bytes long, with pieces of others put over, between or taken out. */
enum { FUZZ_STATEMENT_MAX = 400 };
int fuzz_replay_statements(int argc, char **argv, const char *const *good, size_t count,
                           uint32_t rounds);

#endif
