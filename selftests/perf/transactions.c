// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Times SQLite's transactions, in cycles of the time stamp counter: see bench.c.
 *
 * usage: transactions COUNT PATH:LOAD...
 *
 * LOAD is how SQLite keeps its journal: "wal", "persist", .... The database is
 * PATH.LOAD. Each transaction inserts a row, and is durable when sqlite3 goes on
 * to the next. What is printed is as of bench, but for the extremes:
 *
 *	bench begin LOAD PATH
 *	bench end
 *	bench result LOAD COUNT MEAN
 */
#include "console.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include <sys/wait.h>

#define WARM_UP		100
#define WARM_UP_SCRIPT	"/tmp/warm-up.sql"
#define SCRIPT		"/tmp/transactions.sql"

/* A running sqlite3. */
struct shell {
	pid_t pid;
	FILE *to;
	FILE *from;
};

static void run_shell(const char *path, int in, int out)
{
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execlp("sqlite3", "sqlite3", "-batch", path, (char *)NULL);
	_exit(127);
}

static int shell_start(struct shell *shell, const char *path)
{
	int to[2], from[2];

	if (pipe(to) || pipe(from))
		return errno;
	shell->pid = fork();
	if (shell->pid < 0)
		return errno;
	if (!shell->pid) {
		close(to[1]);
		close(from[0]);
		run_shell(path, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	shell->to = fdopen(to[1], "w");
	shell->from = fdopen(from[0], "r");
	return shell->to && shell->from ? 0 : ENOMEM;
}

/* Whether it ended well. */
static bool shell_end(struct shell *shell)
{
	int status;

	fclose(shell->to);
	fclose(shell->from);
	return waitpid(shell->pid, &status, 0) == shell->pid && !status;
}

/* Waits until all is done that it was told before. */
static int shell_wait(struct shell *shell)
{
	char line[256];

	fprintf(shell->to, "SELECT 'reached';\n");
	fflush(shell->to);
	while (fgets(line, sizeof(line), shell->from)) {
		if (!strcmp(line, "reached\n"))
			return 0;
	}
	return EIO;
}

/* So that sqlite3 waits for nobody between transactions. */
static int write_script(const char *path, int first, int count)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return errno;
	for (int id = first; id < first + count; id++)
		fprintf(file, "INSERT INTO ledger VALUES (%d, "
			"printf('entry %%0100d', %d));\n", id, id);
	return fclose(file) ? errno : 0;
}

static int shell_read(struct shell *shell, const char *script)
{
	fprintf(shell->to, ".read %s\n", script);
	return shell_wait(shell);
}

static int prepare(struct shell *shell, const char *load, int count)
{
	int err = write_script(WARM_UP_SCRIPT, 1, WARM_UP) ?:
		  write_script(SCRIPT, WARM_UP + 1, count);

	if (err)
		return err;
	fprintf(shell->to, ".bail on\nPRAGMA journal_mode = %s;\n"
		"PRAGMA synchronous = FULL;\nCREATE TABLE ledger "
		"(id INTEGER PRIMARY KEY, entry TEXT NOT NULL);\n", load);
	return shell_read(shell, WARM_UP_SCRIPT);
}

static int measure(struct shell *shell, const char *load, const char *path,
		   int count)
{
	uint64_t start, elapsed;
	int err;

	printf("bench begin %s %s\n", load, path);
	console_wait_for_line();
	start = __rdtsc();
	err = shell_read(shell, SCRIPT);
	elapsed = __rdtsc() - start;
	printf("bench end\n");
	console_wait_for_line();
	if (!err)
		printf("bench result %s %d %llu\n", load, count,
		       (unsigned long long)(elapsed / count));
	return err;
}

/* PATH:LOAD */
static int run_argument(const char *argument, int count)
{
	const char *colon = strrchr(argument, ':');
	struct shell shell = { 0 };
	char *path, *database;
	int err;

	if (!colon ||
	    asprintf(&path, "%.*s", (int)(colon - argument), argument) < 0 ||
	    asprintf(&database, "%s.%s", path, colon + 1) < 0)
		return EINVAL;
	err = shell_start(&shell, database) ?:
	      prepare(&shell, colon + 1, count) ?:
	      measure(&shell, colon + 1, path, count);
	if (shell.from && !shell_end(&shell) && !err)
		err = EIO;
	free(database);
	free(path);
	return err;
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[1]) : 0;
	int err = 0;

	if (count < 1) {
		fprintf(stderr, "usage: transactions COUNT PATH:LOAD...\n");
		return 2;
	}
	console_be_quiet();
	for (int i = 2; !err && i < argc; i++) {
		err = run_argument(argv[i], count);
		if (err)
			fprintf(stderr, "bench: %s: %s\n", argv[i], strerror(err));
	}
	return err != 0;
}
