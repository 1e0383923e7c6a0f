/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * From received messages to plain structs. Pure: bytes in, structs out. A
 * module older or newer than the library is met half-way: an attribute that is
 * missing, or of a size that makes no sense, leaves 0 behind, an unknown one is
 * passed over.
 */
#ifndef VPMEM_MSG_H
#define VPMEM_MSG_H

#include <stdbool.h>

#include <linux/netlink.h>
#include <vpmem/vpmem.h>

/**
 * struct vpmem_family - How to address the module.
 * @id: message type of its commands and events
 * @events_group: multicast group of its events, 0 if it has none
 */
struct vpmem_family {
	uint16_t id;
	uint32_t events_group;
};

/**
 * vpmem_msg_parse_family() - Take apart the controller's answer.
 * @nlh: complete message
 * @family: receives the result
 *
 * Return: 0; -EPROTO if there is no family in it.
 */
int vpmem_msg_parse_family(const struct nlmsghdr *nlh,
			   struct vpmem_family *family);

/**
 * vpmem_msg_removes_family() - Whether the controller tells of a family's end.
 * @nlh: complete message
 * @id: the family
 */
bool vpmem_msg_removes_family(const struct nlmsghdr *nlh, uint16_t id);

/**
 * vpmem_msg_parse_dev() - Take apart a description of a device.
 * @nlh: complete message
 * @info: receives the result
 *
 * Return: 0; -EPROTO if it names no device.
 */
int vpmem_msg_parse_dev(const struct nlmsghdr *nlh,
			struct vpmem_dev_info *info);

/**
 * vpmem_msg_is_event() - Whether a message of the family is an event.
 * @nlh: complete message
 */
bool vpmem_msg_is_event(const struct nlmsghdr *nlh);

/**
 * vpmem_msg_parse_event() - Take apart an event.
 * @nlh: message for which vpmem_msg_is_event() holds
 * @event: receives the result
 *
 * Return: 0; -EPROTO if the event is of an unknown kind or names no device.
 */
int vpmem_msg_parse_event(const struct nlmsghdr *nlh,
			  struct vpmem_event *event);

#endif /* VPMEM_MSG_H */
