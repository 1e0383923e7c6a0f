// SPDX-License-Identifier: GPL-2.0-or-later
/* vpmemctl clear-error: forget a sticky sync error. */
#include "device.h"

int cmd_clear_error(struct ctl *ctl)
{
	static const struct vpmem_dev_change change = {
		.present = VPMEM_SET_CLEAR_ERROR,
	};

	return device_change(ctl, &change);
}
