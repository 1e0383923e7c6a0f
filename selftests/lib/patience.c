// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much longer than on an ordinary kernel everything may take here. Test
 * programs are linked so that the harness's time limit of a case grows, too.
 */
#include "patience.h"

#include <stdlib.h>

unsigned int __real_alarm(unsigned int seconds);
unsigned int __wrap_alarm(unsigned int seconds);

unsigned int patience(void)
{
	const char *factor = getenv("VPMEM_PATIENCE");

	return factor && atoi(factor) > 0 ? atoi(factor) : 1;
}

unsigned int __wrap_alarm(unsigned int seconds)
{
	return __real_alarm(seconds * patience());
}
