# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for vpmemctl

_vpmemctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local commands='list show stats monitor set clear-error vm'
	local options='--json --watch --openmetrics --help --version'
	local command='' word words

	# = splits words; put exec=inline together again.
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
		[[ " $commands " == *" $word "* ]] && command=$word && break
	done

	case $prev in
	exec) words='auto inline worker' ;;
	on-error) words='sticky report' ;;
	flush-limit | bytes-limit | write-behind) words='none' ;;
	show | stats | set | clear-error)
		words=$(vpmemctl list 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
	*)
		case $command in
		'') words=$commands ;;
		vm)
			case ${COMP_WORDS[COMP_CWORD - 2]} in
			vm) words='pause resume snapshot status quit' ;;
			*) words=; compopt -o default ;;
			esac ;;
		set) words='exec= on-error= flush-limit= bytes-limit= write-behind='
			compopt -o nospace ;;
		*) words= ;;
		esac ;;
	esac
	[[ $cur == -* ]] && words=$options
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _vpmemctl vpmemctl
