/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * From the kernel's answer to a refused request to a sentence for people. Pure:
 * bytes in, text out.
 */
#ifndef VPMEM_EXTACK_H
#define VPMEM_EXTACK_H

#include <stddef.h>

#include <linux/netlink.h>

/**
 * vpmem_extack_parse() - Take apart an NLMSG_ERROR or NLMSG_DONE message.
 * @nlh: complete message
 * @request: what it answers, with the family's header, to name the attribute
 *	     that the kernel only gives the position of
 * @text: receives the kernel's sentence, or else that of the errno, followed
 *	  by the name of the offending attribute; empty if there is no error
 * @size: bytes at @text
 *
 * Return: the kernel's 0 or -errno; -EPROTO if the message is malformed.
 */
int vpmem_extack_parse(const struct nlmsghdr *nlh,
		       const struct nlmsghdr *request, char *text, size_t size);

#endif /* VPMEM_EXTACK_H */
