/*
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What libFuzzer asks of a fuzzer, and gives to it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned int seed);
/* The library's own way of changing bytes. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
