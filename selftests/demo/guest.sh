#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The demo's workload, in the guest: SQLite transactions, each of which is told
# on the console once SQLite has acknowledged it. demo=N on the kernel command
# line says how many.

set -eu
database=/var/lib/vpmem-demo.db
count=$(sed -n 's/.*\bdemo=\([0-9]*\).*/\1/p' /proc/cmdline)

query() {
	sqlite3 -batch "$database" "$@"
}

# With a log, FULL means that a transaction is durable once it is acknowledged.
# With SQLite's default, a rollback journal, it does not: the removal of the
# journal, by which the last transaction is committed, is not synced.
query "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS ledger
	(id INTEGER PRIMARY KEY, entry TEXT NOT NULL)" >/dev/null
last=$(query "SELECT coalesce(max(id), 0) FROM ledger")
. /etc/os-release
echo "demo: $PRETTY_NAME, $(sed -n 's/^\([^ ]*\) \/ \([^ ]*\) \([^ ]*\).*/root on \1, \2 (\3)/p' /proc/mounts)"
echo "demo: $last transactions were here before"

# Each INSERT is a transaction of its own. SQLite answers the SELECT after it
# has committed, and so synced, the one before.
id=$((last + 1))
end=$((last + count))
{
	echo "PRAGMA synchronous = FULL;"
	while [ $id -le $end ]; do
		echo "INSERT INTO ledger VALUES ($id, printf('entry %016d', $id * 7919));"
		echo "SELECT 'acknowledged $id';"
		id=$((id + 1))
	done
} | query
echo "demo: done"
