/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

struct config;

/** enum options_result - What main() does after options_parse(). */
enum options_result {
	OPTIONS_OK,
	OPTIONS_EXIT_OK,	/* --help or --version was answered */
	OPTIONS_USAGE,		/* one line of error was written */
};

/**
 * options_parse() - Read the command line and the file that --config names.
 * @config: filled in; config_exit() releases it whatever the result
 *
 * Options after --config override it. Errors are written as one line. Files
 * are not opened but for the JSON file.
 */
enum options_result options_parse(struct config *config, int argc, char **argv);

#endif /* OPTIONS_H */
