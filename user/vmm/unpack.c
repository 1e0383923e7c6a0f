// SPDX-License-Identifier: GPL-2.0-or-later
/* Decompression of a kernel image's payload, each format by its library. */
#include "unpack.h"
#include "util.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <zlib.h>
#include <zstd.h>

/* Uncompressed size of a block in lz4's legacy frame. */
#define LZ4_LEGACY_BLOCK	(8u << 20)
#define LZ4_MAGIC_BYTES		4

/* The container of lzop: what is set in its flags is there. */
#define LZOP_MAGIC_BYTES	9
#define LZOP_ADLER32		0x001	/* of the unpacked data */
#define LZOP_ADLER32_PACKED	0x002
#define LZOP_EXTRA		0x040
#define LZOP_CRC32		0x100
#define LZOP_CRC32_PACKED	0x200
#define LZOP_FILTER		0x800
#define LZOP_VERSION_MIN	0x0940

/* A damaged header may ask for any size of dictionary: as a power of two. */
#define DICTIONARY_MAX_LOG	30
#define DICTIONARY_MAX		(1ull << DICTIONARY_MAX_LOG)

static int unpack_gzip(const void *data, size_t len, void *out, size_t *out_len)
{
	z_stream stream = {
		.next_in = (Bytef *)data,
		.avail_in = len,
		.next_out = out,
		.avail_out = *out_len,
	};
	int ret;

	/* 16: with a gzip header. */
	if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK)
		return -ENOMEM;
	ret = inflate(&stream, Z_FINISH);
	*out_len = stream.total_out;
	inflateEnd(&stream);
	if (ret == Z_STREAM_END)
		return 0;
	if (ret == Z_MEM_ERROR)
		return -ENOMEM;
	return ret == Z_BUF_ERROR && !stream.avail_out ? -ENOSPC : -EBADMSG;
}

static int unpack_lzma_stream(lzma_stream *stream, const void *data,
			      size_t len, void *out, size_t *out_len)
{
	lzma_ret ret;

	stream->next_in = data;
	stream->avail_in = len;
	stream->next_out = out;
	stream->avail_out = *out_len;
	ret = lzma_code(stream, LZMA_RUN);
	*out_len = stream->total_out;
	lzma_end(stream);
	if (ret == LZMA_STREAM_END)
		return 0;
	if (ret == LZMA_MEM_ERROR || ret == LZMA_MEMLIMIT_ERROR)
		return -ENOMEM;
	return ret == LZMA_OK && !stream->avail_out ? -ENOSPC : -EBADMSG;
}

static int unpack_xz(const void *data, size_t len, void *out, size_t *out_len)
{
	lzma_stream stream = LZMA_STREAM_INIT;

	if (lzma_stream_decoder(&stream, DICTIONARY_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	return unpack_lzma_stream(&stream, data, len, out, out_len);
}

static int unpack_lzma(const void *data, size_t len, void *out, size_t *out_len)
{
	lzma_stream stream = LZMA_STREAM_INIT;

	if (lzma_alone_decoder(&stream, DICTIONARY_MAX) != LZMA_OK)
		return -ENOMEM;
	return unpack_lzma_stream(&stream, data, len, out, out_len);
}

static int unpack_bzip2(const void *data, size_t len, void *out,
			size_t *out_len)
{
	bz_stream stream = {
		.next_in = (char *)data,
		.avail_in = len,
		.next_out = out,
		.avail_out = *out_len,
	};
	int ret;

	if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK)
		return -ENOMEM;
	ret = BZ2_bzDecompress(&stream);
	*out_len -= stream.avail_out;
	BZ2_bzDecompressEnd(&stream);
	if (ret == BZ_STREAM_END)
		return 0;
	if (ret == BZ_MEM_ERROR)
		return -ENOMEM;
	return ret == BZ_OK && !stream.avail_out ? -ENOSPC : -EBADMSG;
}

static int unpack_zstd(const void *data, size_t len, void *out, size_t *out_len)
{
	ZSTD_inBuffer in = { .src = data, .size = len };
	ZSTD_outBuffer dst = { .dst = out, .size = *out_len };
	ZSTD_DStream *stream = ZSTD_createDStream();
	size_t ret;

	if (!stream)
		return -ENOMEM;
	/* The kernel's build may choose a larger window than the default. */
	ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax,
			       DICTIONARY_MAX_LOG);
	ret = ZSTD_decompressStream(stream, &dst, &in);
	while (ret && !ZSTD_isError(ret) && in.pos < in.size &&
	       dst.pos < dst.size)
		ret = ZSTD_decompressStream(stream, &dst, &in);
	ZSTD_freeDStream(stream);
	*out_len = dst.pos;
	if (!ret)
		return 0;
	return !ZSTD_isError(ret) && dst.pos == dst.size ? -ENOSPC : -EBADMSG;
}

/* Blocks of a size and that many bytes; a size that cannot be ends them. */
static int unpack_lz4(const void *data, size_t len, void *out, size_t *out_len)
{
	const uint8_t *in = (const uint8_t *)data + LZ4_MAGIC_BYTES;
	const uint8_t *end = (const uint8_t *)data + len;
	size_t done = 0;

	while (end - in > 4) {
		uint32_t block;
		size_t room = *out_len - done;
		int ret;

		memcpy(&block, in, sizeof(block));
		block = le32toh(block);
		in += sizeof(block);
		if (!block || block > (size_t)(end - in))
			break;
		if (room > LZ4_LEGACY_BLOCK)
			room = LZ4_LEGACY_BLOCK;
		ret = LZ4_decompress_safe((const char *)in, (char *)out + done,
					  block, room);
		if (ret < 0)
			return -EBADMSG;
		in += block;
		done += ret;
	}
	*out_len = done;
	return done ? 0 : -EBADMSG;
}

/**
 * struct cursor - What is left of the data to be unpacked.
 * @at: next byte
 * @left: bytes from there on
 * @is_short: more was asked for than there is
 */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool is_short;
};

/* Returns NULL at the end. */
static const uint8_t *take(struct cursor *cursor, size_t len)
{
	const uint8_t *at = cursor->at;

	if (cursor->is_short || len > cursor->left) {
		cursor->is_short = true;
		return NULL;
	}
	cursor->at += len;
	cursor->left -= len;
	return at;
}

/* A big-endian number of up to four bytes; 0 at the end. */
static uint32_t take_number(struct cursor *cursor, size_t bytes)
{
	const uint8_t *at = take(cursor, bytes);
	uint32_t number = 0;

	for (size_t i = 0; at && i < bytes; i++)
		number = number << 8 | at[i];
	return number;
}

/* Version, library, needed version, method, level; flags; then what is skipped. */
static int take_lzop_header(struct cursor *cursor, uint32_t *flags)
{
	uint32_t version;

	take(cursor, LZOP_MAGIC_BYTES);
	version = take_number(cursor, 2);
	take(cursor, 2 + 2 + 1 + 1);
	*flags = take_number(cursor, 4);
	if (*flags & LZOP_FILTER || version < LZOP_VERSION_MIN)
		return -EBADMSG;
	/* Mode and time of a file, then its name and a checksum. */
	take(cursor, 4 + 4 + 4);
	take(cursor, take_number(cursor, 1));
	take(cursor, 4);
	if (*flags & LZOP_EXTRA) {
		take(cursor, take_number(cursor, 4));
		take(cursor, 4);
	}
	return cursor->is_short ? -EBADMSG : 0;
}

/* One block, of which @out_len bytes are the result. */
static int unpack_lzop_block(struct cursor *cursor, uint32_t flags, void *out,
			     uint32_t out_len)
{
	uint32_t len = take_number(cursor, 4);
	uint32_t adler = flags & LZOP_ADLER32 ? take_number(cursor, 4) : 0;
	uint32_t crc = flags & LZOP_CRC32 ? take_number(cursor, 4) : 0;
	lzo_uint done = out_len;
	const uint8_t *data;

	if (len < out_len)
		take(cursor, (flags & LZOP_ADLER32_PACKED ? 4 : 0) +
			     (flags & LZOP_CRC32_PACKED ? 4 : 0));
	data = take(cursor, len);
	if (!data || len > out_len)
		return -EBADMSG;
	if (len == out_len)
		memcpy(out, data, len);
	else if (lzo1x_decompress_safe(data, len, out, &done, NULL) != LZO_E_OK ||
		 done != out_len)
		return -EBADMSG;
	if ((flags & LZOP_ADLER32 && adler32_z(1, out, out_len) != adler) ||
	    (flags & LZOP_CRC32 && crc32_z(0, out, out_len) != crc))
		return -EBADMSG;
	return 0;
}

/* Blocks until one without a length. */
static int unpack_lzo(const void *data, size_t len, void *out, size_t *out_len)
{
	struct cursor cursor = { .at = data, .left = len };
	size_t room = *out_len;
	uint32_t flags, block;
	int err = take_lzop_header(&cursor, &flags);

	*out_len = 0;
	while (!err) {
		block = take_number(&cursor, 4);
		if (cursor.is_short)
			return -EBADMSG;
		if (!block)
			return 0;
		if (block > room - *out_len)
			return -ENOSPC;
		err = unpack_lzop_block(&cursor, flags, (char *)out + *out_len,
					block);
		*out_len += block;
	}
	return err;
}

static const struct format {
	const char *name;
	const char *magic;
	size_t magic_len;
	int (*unpack)(const void *data, size_t len, void *out, size_t *out_len);
} formats[] = {
	{ "gzip", "\x1f\x8b", 2, unpack_gzip },
	{ "xz", "\xfd" "7zXZ\0", 6, unpack_xz },
	{ "zstd", "\x28\xb5\x2f\xfd", 4, unpack_zstd },
	{ "lz4", "\x02\x21\x4c\x18", 4, unpack_lz4 },
	{ "bzip2", "BZh", 3, unpack_bzip2 },
	{ "lzma", "\x5d\0\0", 3, unpack_lzma },
	{ "lzo", "\x89LZO\0\r\n\x1a\n", LZOP_MAGIC_BYTES, unpack_lzo },
};

static const struct format *find_format(const void *data, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (len >= formats[i].magic_len &&
		    !memcmp(data, formats[i].magic, formats[i].magic_len))
			return &formats[i];
	}
	return NULL;
}

const char *unpack_format(const void *data, size_t len)
{
	const struct format *format = find_format(data, len);

	return format ? format->name : NULL;
}

int unpack(const void *data, size_t len, void *out, size_t *out_len)
{
	const struct format *format = find_format(data, len);

	if (!format)
		return -EOPNOTSUPP;
	return format->unpack(data, len, out, out_len);
}
