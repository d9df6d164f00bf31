# SPDX-License-Identifier: Apache-2.0

# Completes the values of kind $1 that begin with $2.
_atoll_values() {
  case $1 in
    file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    directory) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    distribution)
      mapfile -t COMPREPLY < <(compgen -W "$(atoll __complete distributions 2>/dev/null)" -- "$2") ;;
    words:*) mapfile -t COMPREPLY < <(compgen -W "${1#words:}" -- "$2") ;;
  esac
}

_atoll() {
  local commands='test help'
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command='' word index options='' valued='' values=''
  local arguments='' position=0 words=()
  COMPREPLY=()

  # The shell splits --option=value at the equals sign.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi

  for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    [[ $word == '=' ]] || words+=("$word")
  done

  for ((index = 0; index < ${#words[@]}; index++)); do
    word=${words[index]}
    case $word in
      --home | --color) ((index++)) ;;
      -*) ;;
      *)
        command=$word
        break
        ;;
    esac
  done

  case $command in
    test)
      options='--count --method --header --resolve --connect-to --connect-timeout --max-time --json --expect --expect-status --expect-header --expect-ttl --home --color --quiet --help'
      valued='--count --method --header --resolve --connect-to --connect-timeout --max-time --expect --expect-status --expect-header --expect-ttl --home --color'
      case $previous in
        --count) values='none' ;;
        --method) values='none' ;;
        --header) values='none' ;;
        --resolve) values='none' ;;
        --connect-to) values='none' ;;
        --connect-timeout) values='none' ;;
        --max-time) values='none' ;;
        --expect) values='words:hit stale revalidated miss coalesced pass error' ;;
        --expect-status) values='none' ;;
        --expect-header) values='none' ;;
        --expect-ttl) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      ;;
    help)
      options='--home --color --quiet --help'
      valued='--home --color'
      case $previous in
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=words:test help;'
      ;;
    *)
      options='--home --color --quiet --help --version'
      case $previous in
        --home) values=directory ;;
        --color) values='words:auto always never' ;;
      esac
      if [[ -z $values && $current != -* ]]; then
        values=words:$commands
      fi
      ;;
  esac

  if [[ -n $values ]]; then
    _atoll_values "$values" "$current"
    return
  fi
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    return
  fi

  # Which argument this is; options and their values are not counted.
  for ((index++; index < ${#words[@]}; index++)); do
    word=${words[index]}
    case $word in
      -*) [[ " $valued " == *" $word "* ]] && ((index++)) ;;
      *) ((position++)) ;;
    esac
  done
  ((position++))
  while [[ -n $arguments ]]; do
    word=${arguments%%;*}
    arguments=${arguments#*;}
    index=${word%%=*}
    if [[ $index == "$position" || ($index == *+ && $position -ge ${index%+}) ]]; then
      _atoll_values "${word#*=}" "$current"
      return
    fi
  done
}

complete -F _atoll atoll
