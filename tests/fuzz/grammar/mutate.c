/* The hook of libFuzzer: half of the changes are of tokens, the rest its own. */
#include "mutate.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    if (seed % 2)
        return LLVMFuzzerMutate(data, size, size_max);
    return mutate_tokens(data, size, size_max, seed / 2);
}
