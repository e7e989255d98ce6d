#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a script of an HMC user does: it logs in, validates, migrates, polls, and
# looks at the target.  Each command runs as sshd would run it: the operator's
# shell with -c and a small environment.
# shellcheck disable=SC2016,SC2154,SC2317 # $? is the session's; lib/console.py sets some

lib=$(dirname "$0")/../lib
[ "${LAB-}" ] || LAB=1 exec python3 -B "$lib/console.py" sh "$0" "$@"
# shellcheck source=selftests/lib/tap.sh
. "$lib/tap.sh"

MIB=1048576

# hmc COMMAND: what "ssh operator@hmc COMMAND" runs
hmc()
{
	$OPERATOR env -i HOME=/ PATH="$BIN:/usr/bin:/bin" LPM_CONSOLE="$LPM_CONSOLE" \
		sh -c "$1"
}

# make_lpar NAME MIB [STEPS]: on A; a step dirties a page
make_lpar()
{
	phypctl -S "$PHYP_A" create - >/dev/null <<-END
	{"name": "$1", "memory": $(($2 * MIB)), "content": {"type": "seed", "seed": 7},
	 "program": {"seed": 3, "steps": ${3:-0}, "rate": 20000000}}
	END
}

# remove_lpar NAME SYSTEM
remove_lpar()
{
	socket=$PHYP_A
	[ "$2" = B ] && socket=$PHYP_B
	phypctl -S "$socket" shutdown "$1" >/dev/null 2>&1 || :
	phypctl -S "$socket" remove "$1" >/dev/null
}

# Streams and partitions of both systems
state()
{
	hmc 'for s in A B; do
		lssyscfg -r lpar -m $s -F name,lpar_id,state,mem,platform_state
		lslparmigr -r lpar -m $s
	done'
	phypctl -S "$PHYP_A" stream-list
	phypctl -S "$PHYP_B" stream-list
}

validates()
{
	make_lpar web1 16 100000000
	phypctl -S "$PHYP_A" activate web1
	before=$(state)
	is "$(hmc 'migrlpar -o v -m A -t B -p web1; echo $?')" 0
	is "$(hmc 'migrlpar -o v -m A -t B --id 1 -w 5 -d 1; echo $?')" 0
	# Detail 5 tells each check
	matches "$(hmc 'migrlpar -o v -m A -t B -p web1 -d 5 | head -n 1')" 'passed: .*'
	text=$(fails 1 hmc 'migrlpar -o v -m A -t B -p web2')
	matches "$text" 'HSCL8012 .*web2.*'
	text=$(fails 1 hmc 'migrlpar -o v -m A -t C -p web1')
	matches "$text" 'LPM0004 .*"C".*'
	is "$(state)" "$before"
	remove_lpar web1 A
}
test_case 'validation: migrlpar -o v; echo $? says whether it could migrate' validates

# Lines of lslparmigr until no partition is left on A
poll()
{
	hmc 'while :; do
		line=$(lslparmigr -r lpar -m A -F name,migration_state,bytes_transmitted,bytes_remaining)
		echo "$line"
		[ "$line" != "No results were found." ] || break
	done'
}

migrates_async()
{
	make_lpar web1 256 100000000
	phypctl -S "$PHYP_A" activate web1
	is "$(hmc 'migrlpar -o v -m A -t B -p web1; echo $?')" 0
	is "$(hmc 'migrlpar -o m -m A -t B -p web1 --async; echo $?')" 0
	lines=$(poll)
	is "$(echo "$lines" | tail -n 1)" 'No results were found.'
	polls=$(echo "$lines" | sed '$d')
	echo "$polls"
	[ "$polls" ]
	last=0
	for line in $(echo "$polls" | tr ' ' _); do
		matches "$line" 'web1,Migration_(Starting|In_Progress),[0-9]+,[0-9]+'
		bytes=$(echo "$line" | cut -d, -f3)
		[ "$bytes" -ge "$last" ]	# it only grows
		last=$bytes
	done
	[ "$last" -gt 0 ]
	is "$(hmc 'lssyscfg -r lpar -m B -F name,state --filter lpar_names=web1')" \
		'web1,Running'
	is "$(hmc 'lslparmigr -r lpar -m B -F name,migration_state')" 'web1,Not Migrating'
	is "$(hmc 'lssyscfg -r lpar -m A -F name,state --filter lpar_names=web1')" \
		'No results were found.'
	is "$(phypctl -S "$PHYP_A" --json stream-list | tr -d ' \n')" '{"streams":[]}'
	is "$(phypctl -S "$PHYP_B" --json stream-list | tr -d ' \n')" '{"streams":[]}'
	remove_lpar web1 B
}
test_case 'a migration with --async is polled until it is done' migrates_async

migrates_in_foreground()
{
	make_lpar web1 32 100000000
	phypctl -S "$PHYP_A" activate web1
	id=$(hmc 'lssyscfg -r lpar -m A --filter lpar_names=web1 -F lpar_id')
	is "$(hmc "migrlpar -o m -m A -t B --id $id -w 5 -d 1; echo \$?")" 0
	is "$(hmc 'lssyscfg -r lpar -m B --filter lpar_names=web1 -F name,state')" \
		'web1,Running'
	# It cannot migrate twice
	matches "$(fails 1 hmc 'migrlpar -o m -m A -t B -p web1')" 'HSCL8012 .*web1.*'
	# And back, with what pace the operator likes
	is "$(hmc 'migrlpar -o m -m B -t A -p web1 --limit 500M --downtime 50; echo $?')" 0
	is "$(hmc 'lssyscfg -r lpar -m A --filter lpar_names=web1 -F name,state')" \
		'web1,Running'
	remove_lpar web1 A
}
test_case 'a migration in the foreground ends with the partition on the target' \
	migrates_in_foreground

migrates_inactive()
{
	make_lpar web1 16
	is "$(hmc 'migrlpar -o v -m A -t B -p web1; echo $?')" 0
	is "$(hmc 'migrlpar -o m -m A -t B -p web1; echo $?')" 0
	is "$(hmc 'lssyscfg -r lpar -m B -F name,state --filter lpar_names=web1')" \
		'web1,Not Activated'
	is "$(hmc 'lslparmigr -r lpar -m A')" 'No results were found.'
	remove_lpar web1 B
}
test_case 'a shut-down partition migrates by the same command' migrates_inactive

lists_systems()
{
	is "$(hmc 'lssyscfg -r sys -F name,state')" 'A,Operating
B,Operating'
	is "$(hmc 'lssyscfg -r sys -m B -F state,name --header')" 'state,name
Operating,B'
	is "$(hmc 'lshwres -r mem -m A --level sys -F mem_region_size')" 16
	matches "$(hmc 'lslparmigr -r sys -m A')" 'inactive_lpar_mobility_capable=1,num_inactive_migrations_supported=[0-9]+,num_inactive_migrations_in_progress=0,active_lpar_mobility_capable=1,num_active_migrations_supported=[0-9]+,num_active_migrations_in_progress=0'
	is "$(hmc 'lslparmigr -r sys -m A -F num_active_migrations_in_progress,active_lpar_mobility_capable --header')" \
		'num_active_migrations_in_progress,active_lpar_mobility_capable
0,1'
}
test_case 'systems: lssyscfg -r sys, lshwres, lslparmigr -r sys' lists_systems

lists_movers()
{
	# A value with a comma stands in quotes: with its name, if that is shown
	is "$(hmc 'lslparmigr -r msp -m A -t B')" \
		'source_msp_name=vios-A,source_msp_id=101,"dest_msp_names=vios-B,vios2-B","dest_msp_ids=102,103",source_msp_ipaddr=127.0.0.1,"ipaddr_mappings=127.0.0.1//102/vios-B/127.0.0.1/,127.0.0.1//103/vios2-B/127.0.0.1/"'
	is "$(hmc 'lslparmigr -r msp -m A -t B -F dest_msp_names,source_msp_id,dest_msp_ids --header')" \
		'dest_msp_names,source_msp_id,dest_msp_ids
"vios-B,vios2-B",101,"102,103"'
	is "$(hmc 'lslparmigr -r msp -m B -F source_msp_name')" 'vios-B
vios2-B'
}
test_case 'movers: lslparmigr -r msp, and values with commas' lists_movers

lists_partitions()
{
	is "$(hmc 'lslparmigr -r lpar -m A')" 'No results were found.'
	is "$(hmc 'lslparmigr -r lpar -m A -F name --header; echo $?')" \
		'No results were found.
0'
	make_lpar web1 16
	make_lpar web2 16
	is "$(hmc 'lslparmigr -r lpar -m A')" \
		'name=web1,lpar_id=1,migration_state=Not Migrating
name=web2,lpar_id=2,migration_state=Not Migrating'
	# A value that there is not is empty; as clients of the HMC ask
	is "$(hmc 'lssyscfg -r lpar -m A -F name,state,lpar_id,msp,rmc_state,lpar_env,curr_profile,uuid')" \
		'vios-A,Running,101,1,none,vioserver,null,null
web1,Not Activated,1,null,none,aixlinux,null,null
web2,Not Activated,2,null,none,aixlinux,null,null'
	is "$(hmc 'lslparmigr -r lpar -m A --filter lpar_names=web2 -F name')" web2
	is "$(hmc 'lslparmigr -r lpar -m A --filter lpar_ids=1,2 -F name')" 'web1
web2'
	# With quotes around a list, as the HMC wants them
	is "$(hmc 'lssyscfg -r lpar -m A --filter "\"lpar_names=web1,vios-A\"" -F name')" \
		'vios-A
web1'
	is "$(hmc 'lssyscfg -r lpar -m A --filter lpar_names=web3 -F name; echo $?')" \
		'No results were found.
0'
	remove_lpar web1 A
	remove_lpar web2 A
}
test_case 'partitions: -F, --header, --filter, and none' lists_partitions

exit_codes()
{
	# 2: what was typed; nothing on standard output
	for command in 'lslparmigr -r lpar -m A --header' 'lslparmigr -r lpar' \
		'lslparmigr -r lpar -m A -F name,colour' 'lslparmigr -r io -m A' \
		'lssyscfg -r lpar -m A --filter colours=red' 'lssyscfg' \
		'lshwres -r mem -m A' 'lshwres -r proc --level slot -m A' \
		'migrlpar -o v -m A -p web1' 'migrlpar -o x -m A -t B -p web1' \
		'migrlpar -o v -m A -t B -p web1 -w never' \
		'migrlpar -o s -m A -p web1 --limit 5M'; do
		text=$(fails 2 hmc "$command")
		matches "$(echo "$text" | head -n 1)" 'LPM0001 .*'
		is "$(hmc "$command 2>/dev/null" || :)" ''
	done
	# 1: what was found
	for command in 'lssyscfg -r lpar -m C' 'lslparmigr -r sys -m C' \
		'lshwres -r mem --level sys -m C' 'migrlpar -o v -m C -t B -p web1'; do
		matches "$(fails 1 hmc "$command")" 'LPM0004 .*"C".*'
	done
	# 0 only when all of it was said
	matches "$(fails 1 hmc 'lssyscfg -r sys >/dev/full')" 'LPM0003 .*'
}
test_case 'exit codes: 0 done, 1 refused, 2 wrong usage' exit_codes

stranger()
{
	[ "$STRANGER" ] || skip 'needs root for users of their own'
	OPERATOR=$STRANGER
	for command in 'lssyscfg -r sys' 'lssyscfg -r lpar -m A' 'lslparmigr -r sys -m A' \
		'lslparmigr -r lpar -m A' 'lslparmigr -r msp -m A -t B' \
		'lshwres -r mem --level sys -m A' 'migrlpar -o s -m A -p web1' \
		'migrlpar -o r -m A -p web1'; do
		matches "$(fails 1 hmc "$command")" 'HSCL350B .*permission.*'
	done
	for operation in v m; do
		text=$(fails 1 hmc "migrlpar -o $operation -m A -t B -p web1")
		# Below a heading
		echo "$text" | grep -v '^Errors:$' | while read -r line; do
			matches "$line" 'HSCL350B .*permission.*'
		done
	done
}
test_case 'who is not authorised is told so' stranger

run_tests "$@"
