// SPDX-License-Identifier: GPL-2.0
/* Module init and exit. */
#include "vpmem.h"

#include <linux/module.h>

static int __init vpmem_init(void)
{
	int err;

	err = vpmem_devices_init();
	if (err)
		return err;
	err = vpmem_behind_init();
	if (err)
		goto err_devices;
	err = vpmem_serve_init();
	if (err)
		goto err_behind;
	err = vpmem_netlink_init();
	if (err)
		goto err_serve;
	return 0;

err_serve:
	vpmem_serve_exit();
err_behind:
	vpmem_behind_exit();
err_devices:
	vpmem_devices_exit();
	return err;
}

static void __exit vpmem_exit(void)
{
	vpmem_devices_close();
	vpmem_netlink_exit();
	vpmem_serve_exit();
	vpmem_behind_exit();
	vpmem_devices_exit();
}

module_init(vpmem_init);
module_exit(vpmem_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("vpmem developers");
MODULE_DESCRIPTION("In-kernel flush service for virtio-pmem devices");
