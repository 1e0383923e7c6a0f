// SPDX-License-Identifier: GPL-2.0
/* How many devices each user has, and may have. */
#include "vpmem.h"

#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>

static unsigned int vpmem_max_devices_per_user = 4096;
module_param_named(max_devices_per_user, vpmem_max_devices_per_user, uint,
		   0644);
MODULE_PARM_DESC(max_devices_per_user,
		 "Most devices that a user's sockets may own; fewer than there are refuses further ones");

/* Numbers of devices by user id; @vpmem_users_lock makes changes one step. */
static DEFINE_MUTEX(vpmem_users_lock);
static DEFINE_XARRAY(vpmem_users);

static unsigned long vpmem_user_devices(kuid_t uid)
{
	void *entry = xa_load(&vpmem_users, __kuid_val(uid));

	return entry ? xa_to_value(entry) : 0;
}

/**
 * vpmem_user_charge() - Count a device that a user is to get.
 * @uid: user
 *
 * Context: process.
 * Return: 0; -EDQUOT if the user has as many as he may; -ENOMEM.
 */
int vpmem_user_charge(kuid_t uid)
{
	unsigned long nr;
	int err;

	mutex_lock(&vpmem_users_lock);
	nr = vpmem_user_devices(uid);
	if (nr >= READ_ONCE(vpmem_max_devices_per_user))
		err = -EDQUOT;
	else
		err = xa_err(xa_store(&vpmem_users, __kuid_val(uid),
				      xa_mk_value(nr + 1), GFP_KERNEL_ACCOUNT));
	mutex_unlock(&vpmem_users_lock);
	return err;
}

/**
 * vpmem_user_uncharge() - Undo vpmem_user_charge() for a device that is gone.
 * @uid: user
 *
 * Context: process. Needs no memory.
 */
void vpmem_user_uncharge(kuid_t uid)
{
	unsigned long nr;

	mutex_lock(&vpmem_users_lock);
	nr = vpmem_user_devices(uid);
	if (nr > 1)
		xa_store(&vpmem_users, __kuid_val(uid), xa_mk_value(nr - 1),
			 GFP_KERNEL);
	else
		xa_erase(&vpmem_users, __kuid_val(uid));
	mutex_unlock(&vpmem_users_lock);
}
