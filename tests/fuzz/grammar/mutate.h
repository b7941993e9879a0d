/* Texts of SQL changed by whole tokens: what a fuzzing engine calls instead of changing bytes. */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* Changes the text in place; returns its new size, at most size_max. */
size_t mutate_tokens(uint8_t *text, size_t size, size_t size_max, uint32_t seed);

/* The engine's own changes of bytes, and its hook. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

#endif
