# SPDX-License-Identifier: Apache-2.0

function __atoll_distributions
  atoll __complete distributions 2>/dev/null
end

# Whether the argument being written is its command's $argv[1]-th; options aside.
function __atoll_position
  set -l words (commandline -opc)
  set -l count 0
  for word in $words[2..-1]
    string match -q -- '-*' $word; or set count (math $count + 1)
  end
  test $count -eq $argv[1]
end

complete -c atoll -f
complete -c atoll -n __fish_use_subcommand -a help -d 'explain a command, or list them'
complete -c atoll -n '__fish_use_subcommand' -l home -r -f -a '(__fish_complete_directories)' -d 'the store; else /var/lib/atoll for root, $XDG_DATA_HOME/atoll or ~/.local/share/atoll'
complete -c atoll -n '__fish_use_subcommand' -l color -r -f -a 'auto always never' -d 'color the output: auto, always or never'
complete -c atoll -n '__fish_use_subcommand' -l quiet -s q -d 'print only errors and what was asked for'
complete -c atoll -n '__fish_use_subcommand' -l help -s h -d 'print help; -h is the short form'
complete -c atoll -n '__fish_use_subcommand' -l version -s V -d 'print the version'

complete -c atoll -n '__fish_seen_subcommand_from help' -l home -r -f -a '(__fish_complete_directories)' -d 'the store; else /var/lib/atoll for root, $XDG_DATA_HOME/atoll or ~/.local/share/atoll'
complete -c atoll -n '__fish_seen_subcommand_from help' -l color -r -f -a 'auto always never' -d 'color the output: auto, always or never'
complete -c atoll -n '__fish_seen_subcommand_from help' -l quiet -s q -d 'print only errors and what was asked for'
complete -c atoll -n '__fish_seen_subcommand_from help' -l help -s h -d 'print help; -h is the short form'
complete -c atoll -n '__fish_seen_subcommand_from help; and __atoll_position 1' -f -a 'help'
