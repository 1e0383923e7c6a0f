// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes lib/ring_vectors.h as inputs for the ring fuzzer into a directory. */
#include "ring_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static size_t make_input(const struct ring_vector *v, uint8_t *input)
{
	static uint8_t image[RING_MEM_BYTES];
	size_t len = 0, i;

	ring_vector_build(v, image);
	input[len++] = (v->features & F_INDIRECT ? INPUT_F_INDIRECT : 0) |
		       (v->features & F_EVENT_IDX ? INPUT_F_EVENT_IDX : 0);
	input[len++] = __builtin_ctz(RING_SIZE);
	input[len++] = v->start;
	input[len++] = v->start >> 8;
	for (i = 0; i < INPUT_PLACES; i++) {
		memcpy(input + len, image + input_places[i].gpa,
		       input_places[i].len);
		len += input_places[i].len;
	}
	return len;
}

int main(int argc, char **argv)
{
	uint8_t input[1024];
	char name[32];
	size_t i;

	if (argc != 2 || chdir(argv[1])) {
		fprintf(stderr, "usage: ring_seeds DIRECTORY\n");
		return 2;
	}
	for (i = 0; i < RING_VECTORS; i++) {
		size_t len = make_input(&ring_vectors[i], input);
		FILE *file;

		snprintf(name, sizeof(name), "vector-%02zu", i);
		file = fopen(name, "w");
		if (!file || fwrite(input, 1, len, file) != len ||
		    fclose(file)) {
			perror(name);
			return 1;
		}
	}
	return 0;
}
