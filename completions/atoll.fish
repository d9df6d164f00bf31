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
complete -c atoll -n __fish_use_subcommand -a test -d 'check whether and for how long URLs are cached'
complete -c atoll -n __fish_use_subcommand -a help -d 'explain a command, or list them'
complete -c atoll -n '__fish_use_subcommand' -l home -r -f -a '(__fish_complete_directories)' -d 'the store; else /var/lib/atoll for root, $XDG_DATA_HOME/atoll or ~/.local/share/atoll'
complete -c atoll -n '__fish_use_subcommand' -l color -r -f -a 'auto always never' -d 'color the output: auto, always or never'
complete -c atoll -n '__fish_use_subcommand' -l quiet -s q -d 'print only errors and what was asked for'
complete -c atoll -n '__fish_use_subcommand' -l help -s h -d 'print help; -h is the short form'
complete -c atoll -n '__fish_use_subcommand' -l version -s V -d 'print the version'

complete -c atoll -n '__fish_seen_subcommand_from test' -l count -r -f -d 'requests for each URL'
complete -c atoll -n '__fish_seen_subcommand_from test' -l method -s X -r -f -d 'the request method'
complete -c atoll -n '__fish_seen_subcommand_from test' -l header -s H -r -f -d 'a header to send; \'Name:\' leaves one of ours out'
complete -c atoll -n '__fish_seen_subcommand_from test' -l resolve -r -f -d 'the address to use for a host instead of looking it up'
complete -c atoll -n '__fish_seen_subcommand_from test' -l connect-to -r -f -d 'connect to address:port or unix:/path instead of the URL\'s host, which is still asked for; host:port:address:port limits that to one host'
complete -c atoll -n '__fish_seen_subcommand_from test' -l connect-timeout -r -f -d 'how long look-up and connecting may take'
complete -c atoll -n '__fish_seen_subcommand_from test' -l max-time -r -f -d 'how long one request may take'
complete -c atoll -n '__fish_seen_subcommand_from test' -l json -d 'print the result as one JSON document'
complete -c atoll -n '__fish_seen_subcommand_from test' -l expect -r -f -a 'hit stale revalidated miss coalesced pass error' -d 'what the cache must say to the last request: hit, stale, revalidated, miss, coalesced, pass or error'
complete -c atoll -n '__fish_seen_subcommand_from test' -l expect-status -r -f -d 'the status that the last response must have'
complete -c atoll -n '__fish_seen_subcommand_from test' -l expect-header -r -f -d 'a header that the last response must have; in the pattern * stands for any characters, ? for one'
complete -c atoll -n '__fish_seen_subcommand_from test' -l expect-ttl -r -f -d 'how long the copy must stay fresh: \'>=10m\', \'<1h\', \'=0\''
complete -c atoll -n '__fish_seen_subcommand_from test' -l home -r -f -a '(__fish_complete_directories)' -d 'the store; else /var/lib/atoll for root, $XDG_DATA_HOME/atoll or ~/.local/share/atoll'
complete -c atoll -n '__fish_seen_subcommand_from test' -l color -r -f -a 'auto always never' -d 'color the output: auto, always or never'
complete -c atoll -n '__fish_seen_subcommand_from test' -l quiet -s q -d 'print only errors and what was asked for'
complete -c atoll -n '__fish_seen_subcommand_from test' -l help -s h -d 'print help; -h is the short form'

complete -c atoll -n '__fish_seen_subcommand_from help' -l home -r -f -a '(__fish_complete_directories)' -d 'the store; else /var/lib/atoll for root, $XDG_DATA_HOME/atoll or ~/.local/share/atoll'
complete -c atoll -n '__fish_seen_subcommand_from help' -l color -r -f -a 'auto always never' -d 'color the output: auto, always or never'
complete -c atoll -n '__fish_seen_subcommand_from help' -l quiet -s q -d 'print only errors and what was asked for'
complete -c atoll -n '__fish_seen_subcommand_from help' -l help -s h -d 'print help; -h is the short form'
complete -c atoll -n '__fish_seen_subcommand_from help; and __atoll_position 1' -f -a 'test help'
