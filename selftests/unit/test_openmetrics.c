// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The OpenMetrics text: read by a parser that knows the format's rules, and no
 * names, and looked up in what that has found.
 */
#include "openmetrics.h"
#include "ctl.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#define SAMPLES_MAX	1024
#define FAMILIES_MAX	64

/* A sample: its name, labels as they are written, and value. */
struct sample {
	char name[64];
	char labels[256];
	char value[32];
};

struct text {
	char all[1 << 18];
	struct sample samples[SAMPLES_MAX];
	int nr_samples;
	char families[FAMILIES_MAX][64];
	int nr_families;
	char type[16];
	bool has_help, has_end;
	const char *why;
};

FIXTURE(openmetrics) {
	struct vpmem_dev_info infos[2];
	struct text text;
};

/* Errors are the program's, which is not here. */
int ctl_error(const char *fmt, ...)
{
	return CTL_FAILED;
}

FIXTURE_SETUP(openmetrics)
{
	struct vpmem_dev_info *info = &self->infos[0];

	info->id = 3;
	strcpy(info->name, "root");
	info->length = 2 << 20;
	info->exec_effective = VPMEM_EXEC_WORKER;
	info->queue_state = VPMEM_QUEUE_STATE_RUNNING;
	info->stats.flushes = 17;
	info->stats.bytes_written = 8192;
	info->stats.cpu_ns = 12003000004;
	info->stats.flush_hist[0] = 1;
	info->stats.flush_hist[10] = 4;
	info->stats.flush_hist[VPMEM_HIST_BUCKETS - 1] = 2;
	info->stats.flush_ns = 999;
	self->infos[1] = *info;
	self->infos[1].id = 4;
	self->infos[1].error = EIO;
}

FIXTURE_TEARDOWN(openmetrics)
{
}

/* The parser. Each function returns whether the line is right. */

static bool wrong(struct text *text, const char *why)
{
	text->why = why;
	return false;
}

static bool begin_family(struct text *text, const char *rest)
{
	char *family = text->families[text->nr_families];
	int i;

	if (sscanf(rest, "%63s %15s", family, text->type) != 2)
		return wrong(text, "a TYPE without a type");
	for (i = 0; i < text->nr_families; i++) {
		if (!strcmp(text->families[i], family))
			return wrong(text, "a family that is in two places");
	}
	text->nr_families++;
	text->has_help = false;
	return true;
}

static const char *family_of(struct text *text)
{
	return text->nr_families ? text->families[text->nr_families - 1] : "";
}

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len > strlen(end) && !strcmp(text + len - strlen(end), end);
}

static bool take_comment(struct text *text, const char *line)
{
	char what[8], name[64], unit[16];

	if (!strcmp(line, "# EOF")) {
		text->has_end = true;
		return true;
	}
	if (!strncmp(line, "# TYPE ", 7))
		return begin_family(text, line + 7);
	if (sscanf(line, "# %7s %63s %15s", what, name, unit) != 3 ||
	    strcmp(name, family_of(text)))
		return wrong(text, "metadata of another family");
	if (!strcmp(what, "HELP")) {
		text->has_help = true;
		return true;
	}
	if (strcmp(what, "UNIT") || !ends_in(name, unit))
		return wrong(text, "a unit that is not in the name");
	return true;
}

/* Labels are NAME="VALUE" with a comma between them. */
static const char *skip_labels(const char *at)
{
	do {
		at++;
		at += strspn(at, "abcdefghijklmnopqrstuvwxyz_");
		if (strncmp(at, "=\"", 2))
			return NULL;
		for (at += 2; *at && *at != '"'; at++) {
			if (*at == '\\' && !strchr("\\\"n", *++at))
				return NULL;
		}
		if (*at++ != '"')
			return NULL;
	} while (*at == ',');
	return strncmp(at, "} ", 2) ? NULL : at;
}

static bool has_suffix(const char *type, const char *suffix)
{
	if (!strcmp(type, "counter"))
		return !strcmp(suffix, "_total");
	if (!strcmp(type, "info"))
		return !strcmp(suffix, "_info");
	if (!strcmp(type, "histogram"))
		return !strcmp(suffix, "_bucket") || !strcmp(suffix, "_sum") ||
		       !strcmp(suffix, "_count");
	return (!strcmp(type, "gauge") || !strcmp(type, "stateset")) && !*suffix;
}

static bool take_sample(struct text *text, const char *line)
{
	struct sample *sample = &text->samples[text->nr_samples++];
	const char *family = family_of(text);
	const char *open = strchr(line, '{');
	const char *close = open ? skip_labels(open) : NULL;
	char *end;

	if (!close)
		return wrong(text, "labels that are none");
	snprintf(sample->name, sizeof(sample->name), "%.*s",
		 (int)(open - line), line);
	snprintf(sample->labels, sizeof(sample->labels), "%.*s",
		 (int)(close - open - 1), open + 1);
	snprintf(sample->value, sizeof(sample->value), "%s", close + 2);
	strtod(sample->value, &end);
	if (*end || !*sample->value)
		return wrong(text, "a value that is no number");
	if (!text->has_help)
		return wrong(text, "a sample without help");
	if (strncmp(sample->name, family, strlen(family)) ||
	    !has_suffix(text->type, sample->name + strlen(family)))
		return wrong(text, "a name that does not go with the type");
	return true;
}

static bool parse(struct text *text)
{
	char *rest = text->all, *line;

	while ((line = strsep(&rest, "\n")) && rest) {
		if (text->has_end)
			return wrong(text, "something behind the end");
		if (*line == '#' ? !take_comment(text, line) :
				   !take_sample(text, line)) {
			fprintf(stderr, "%s: %s\n", text->why, line);
			return false;
		}
	}
	return text->has_end || wrong(text, "no end");
}

static bool print(struct text *text, const struct vpmem_dev_info *infos,
		  size_t count)
{
	FILE *out = fmemopen(text->all, sizeof(text->all), "w");

	openmetrics_print(out, infos, count);
	fclose(out);
	return parse(text);
}

static const char *value_of(struct text *text, const char *name,
			    const char *labels)
{
	int i;

	for (i = 0; i < text->nr_samples; i++) {
		if (!strcmp(text->samples[i].name, name) &&
		    !strcmp(text->samples[i].labels, labels))
			return text->samples[i].value;
	}
	return "there is none";
}

#define ROOT	"device=\"3\",name=\"root\""

#define EXPECT_SAMPLE(value, name, labels)				\
	EXPECT_STREQ(value, value_of(&self->text, name, labels))

TEST_F(openmetrics, no_devices)
{
	EXPECT_TRUE(print(&self->text, NULL, 0));
	EXPECT_EQ(0, self->text.nr_samples);
	EXPECT_LT(20, self->text.nr_families);
}

TEST_F(openmetrics, values)
{
	ASSERT_TRUE(print(&self->text, self->infos, 2));
	EXPECT_SAMPLE("17", "vpmem_flushes_total", ROOT);
	EXPECT_SAMPLE("8192", "vpmem_written_bytes_total", ROOT);
	EXPECT_SAMPLE("12.003000004", "vpmem_cpu_seconds_total", ROOT);
	EXPECT_SAMPLE("2097152", "vpmem_size_bytes", ROOT);
	EXPECT_SAMPLE("0", "vpmem_sticky_errno", ROOT);
	EXPECT_SAMPLE("5", "vpmem_sticky_errno", "device=\"4\",name=\"root\"");
	EXPECT_SAMPLE("1", "vpmem_queue_state",
		      ROOT ",vpmem_queue_state=\"running\"");
	EXPECT_SAMPLE("0", "vpmem_queue_state",
		      ROOT ",vpmem_queue_state=\"broken\"");
	EXPECT_SAMPLE("1", "vpmem_device_info",
		      ROOT ",exec=\"auto\",exec_effective=\"worker\",on_error=\"sticky\"");
}

TEST_F(openmetrics, histogram)
{
	long long last = 0;
	int i, nr = 0;

	ASSERT_TRUE(print(&self->text, self->infos, 1));
#define BUCKET(le)	ROOT ",le=\"" le "\""
	EXPECT_SAMPLE("1", "vpmem_flush_duration_seconds_bucket", BUCKET("0.000000001"));
	EXPECT_SAMPLE("1", "vpmem_flush_duration_seconds_bucket", BUCKET("0.000001023"));
	EXPECT_SAMPLE("5", "vpmem_flush_duration_seconds_bucket", BUCKET("0.000002047"));
	EXPECT_SAMPLE("5", "vpmem_flush_duration_seconds_bucket", BUCKET("549.755813887"));
	EXPECT_SAMPLE("7", "vpmem_flush_duration_seconds_bucket", BUCKET("+Inf"));
	EXPECT_SAMPLE("7", "vpmem_flush_duration_seconds_count", ROOT);
	EXPECT_SAMPLE("0.000000999", "vpmem_flush_duration_seconds_sum", ROOT);
	for (i = 0; i < self->text.nr_samples; i++) {
		const struct sample *sample = &self->text.samples[i];

		if (strcmp(sample->name, "vpmem_flush_duration_seconds_bucket"))
			continue;
		nr++;
		EXPECT_LE(last, atoll(sample->value));
		last = atoll(sample->value);
	}
	EXPECT_EQ(VPMEM_HIST_BUCKETS, nr);
}

TEST_F(openmetrics, names_that_need_care)
{
	strcpy(self->infos[0].name, "a\"b\\c\ne");
	strcpy(self->infos[1].name, "\xff" "e");
	ASSERT_TRUE(print(&self->text, self->infos, 2));
	EXPECT_SAMPLE("17", "vpmem_flushes_total",
		      "device=\"3\",name=\"a\\\"b\\\\c\\ne\"");
	EXPECT_SAMPLE("17", "vpmem_flushes_total", "device=\"4\",name=\"?e\"");
}

TEST_HARNESS_MAIN
