# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# Tests in shell that print TAP.  A test program is
#
#	#!/bin/sh
#	lib=$(dirname "$0")/../lib
#	[ "${LAB-}" ] || LAB=1 exec python3 -B "$lib/console.py" "$0" "$@"
#	. "$lib/tap.sh"
#	test_case 'what is true' the_function
#	run_tests "$@"
#
# Each test's function runs in a shell of its own, under set -eu: it passes if it
# comes to its end.  --only PATTERN (repeatable) selects tests by name.

tests=
SKIPPED=77

# test_case NAME FUNCTION
test_case()
{
	tests="$tests$2 $1
"
}

# is GOT EXPECTED: equal, or the test fails
is()
{
	[ "$1" = "$2" ] && return
	printf 'expected:\n%s\ngot:\n%s\n' "$2" "$1" >&2
	exit 1
}

# matches GOT PATTERN: all of it fits an extended regular expression
matches()
{
	printf '%s\n' "$1" | grep -Eqx -e "$2" && return
	printf 'expected to match:\n%s\ngot:\n%s\n' "$2" "$1" >&2
	exit 1
}

# fails STATUS COMMAND...: it ends with this exit status; its output
fails()
{
	wanted=$1
	shift
	got=0
	said=$("$@" 2>&1) || got=$?
	printf '%s\n' "$said"
	[ "$got" = "$wanted" ] && return
	printf '%s: status %d, expected %d: %s\n' "$*" "$got" "$wanted" "$said" >&2
	exit 1
}

# skip REASON: the test cannot run here
skip()
{
	echo "$1"
	exit $SKIPPED
}

# Whether the patterns, one a line, select a name
selected()
{
	[ "$1" ] || return 0
	while IFS= read -r pattern; do
		# shellcheck disable=SC2254 # it is a pattern
		case $2 in
		$pattern|*"$pattern"*) return 0 ;;
		esac
	done <<-END
	$1
	END
	return 1
}

# run_tests [--only PATTERN]...
run_tests()
{
	only=
	while [ $# -gt 1 ]; do
		[ "$1" = --only ] && only="$only${only:+
}$2"
		shift
	done
	chosen=
	count=0
	while read -r function name; do
		selected "$only" "$name" || continue
		chosen="$chosen$function $name
"
		count=$((count + 1))
	done <<-END
	${tests%?}
	END
	echo "1..$count"
	number=0
	bad=0
	while [ $count -gt 0 ] && read -r function name; do
		number=$((number + 1))
		output=$(set -eu; "$function" 2>&1 </dev/null)
		case $? in
		0)
			echo "ok $number - $name"
			;;
		"$SKIPPED")
			echo "ok $number - $name # SKIP $output"
			;;
		*)
			printf '%s\n' "$output" | sed 's/^/# /'
			echo "not ok $number - $name"
			bad=1
			;;
		esac
	done <<-END
	${chosen%?}
	END
	exit $bad
}
