# SPDX-License-Identifier: GPL-2.0-or-later
# Turns the report of programs that ran into one TAP stream with a summary.
#
# Input is what selftests/qemu/l1-init describes, from L1 or from the host. A
# program passes by its own "ok" lines alone: one that says nothing, stops early
# or ends badly has failed.
#
# "@reset TEXT" takes back a program that runs again. What passed before is not
# reported twice; what failed is held back until it is clear that no second run
# follows.
#
# Variables: logs, a directory for each program's output; verbose.

function result(good, name, directive)
{
	if (directive ~ /^# SKIP/)
		skipped++
	else if (good)
		passed++
	else
		failed++
	printf "%s %d - %s%s%s\n", good ? "ok" : "not ok", ++total, name,
		directive == "" ? "" : " ", directive
}

function good_result(name, directive)
{
	if (!(name in reported))
		result(1, name, directive)
	reported[name] = 1
}

function bad_result(name)
{
	bad++
	held[helds++] = name
}

function release_held(	i)
{
	for (i = 0; i < helds; i++)
		result(0, held[i], "")
	helds = 0
}

function forget()
{
	name = ""
	lines = cases = bad = planned = helds = 0
	skip_all = ""
	delete text
}

function add(line)
{
	text[lines++] = line
}

# Case of a program: "ok 3 NAME", "not ok 3 - NAME # SKIP why".
function take_case(line,	good, directive)
{
	good = line !~ /^not/
	sub(/^(not )?ok *[0-9]* *(- )?/, "", line)
	if (match(line, / *# *SKIP.*/)) {
		directive = substr(line, RSTART)
		sub(/^ *# */, "# ", directive)
		line = substr(line, 1, RSTART - 1)
	}
	cases++
	if (good || directive != "")
		good_result(name ": " line, directive)
	else
		bad_result(name ": " line)
}

function fault(why)
{
	bad_result(name ": " why)
}

function check_end(status)
{
	if (skip_all != "" && !cases)
		good_result(name, skip_all)
	else if (status == "timeout")
		fault("did not end in time")
	else if (status > 128)
		fault("killed by signal " status - 128)
	else if (status != 0 && !bad)
		fault("exit status " status " without a failed case")
	else if (!cases)
		fault("ran no case")
	else if (planned && cases < planned)
		fault("ran only " cases " of " planned " cases")
}

function show(	i, file)
{
	if (logs != "") {
		file = name
		gsub("/", "-", file)
		file = logs "/" file ".log"
		for (i = 0; i < lines; i++)
			print text[i] > file
		close(file)
	}
	if (bad || verbose)
		for (i = 0; i < lines; i++)
			print "# " text[i]
}

BEGIN			{ print "TAP version 13"; forget() }
			{ sub(/\r$/, "") }
/^@start /		{ forget(); name = $2; next }
/^@reset/		{ forget(); print "# " substr($0, 8); fflush(); next }
/^@say /		{ print "# " substr($0, 6); fflush(); next }
name == ""		{ next }
/^@note /		{ add(substr($0, 7)); next }
/^@fault /		{ add(substr($0, 8)); fault(substr($0, 8)); next }
/^@end /		{ check_end($3); release_held(); show(); forget(); fflush(); next }
!/^\|/			{ next }
			{ $0 = substr($0, 2); add($0) }
/^(not )?ok( |$)/	{ take_case($0) }
/^1\.\.0.*SKIP/		{ skip_all = $0; sub(/.*# */, "# ", skip_all); next }
/^1\.\.[0-9]+/		{ planned = substr($1, 4) + 0 }
END {
	release_held()
	printf "1..%d\n", total
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0 || passed == 0
}
