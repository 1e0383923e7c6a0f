/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decompression of a kernel image's payload; knows no kernel. */
#ifndef UNPACK_H
#define UNPACK_H

#include <stddef.h>

/** unpack_format() - Name of the format that @data is in, or NULL. */
const char *unpack_format(const void *data, size_t len);

/**
 * unpack() - Decompress a whole buffer.
 * @data: gzip, xz, lzma, bzip2, zstd, lz4 (legacy frames) or lzo (lzop) data
 * @len: bytes of it
 * @out: receives the result
 * @out_len: room in @out; receives the length of the result
 *
 * Bytes behind the end of the compressed stream are ignored.
 *
 * Return: 0; -EOPNOTSUPP for another format; -EBADMSG if the data is damaged;
 * -ENOSPC if @out is too small; -ENOMEM.
 */
int unpack(const void *data, size_t len, void *out, size_t *out_len);

#endif /* UNPACK_H */
