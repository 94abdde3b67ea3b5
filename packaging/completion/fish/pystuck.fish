# SPDX-License-Identifier: BSD-3-Clause
# Completion of pystuck(1) for fish. The options are those in its help.

function __pystuck_pids
    pystuck --list 2>/dev/null | awk '$1 ~ /^[0-9]+$/ {
        pid = $1; sub(/^ *[^ ]+ +[^ ]+ [^ ]+ +[^ ]+ +/, ""); print pid "\t" $0 }'
end

complete -c pystuck -f
for line in (pystuck --help 2>/dev/null | string match -r '^ +-.*')
    set -l name (string match -r -- '--([a-z-]+)' $line)[2]
    set -l argument (string match -r -- '--[a-z-]+ ([A-Z]+)' $line)[2]
    set -l help (string replace -r '^ +(-., )?--[a-z-]+( [A-Z]+)? +' '' -- $line)
    switch "$name $argument"
        case 'pid PID'
            complete -c pystuck -l pid -x -a '(__pystuck_pids)' -d $help
        case 'format FORMAT'
            complete -c pystuck -l format -x -a 'text plain json' -d $help
        case 'color WHEN'
            complete -c pystuck -l color -x -a 'auto always never' -d $help
        case 'rpyc VERSION'
            complete -c pystuck -l rpyc -x -a '5 6' -d $help
        case 'server-user USER'
            complete -c pystuck -l server-user -x -a 'any (__fish_complete_users)' -d $help
        case 'host HOST'
            complete -c pystuck -l host -x -a '(__fish_print_hostnames)' -d $help
        case '* FILE' '* PATH'
            complete -c pystuck -l $name -r -F -d $help
        case '* ?*'
            complete -c pystuck -l $name -x -d $help
        case '*'
            complete -c pystuck -l $name -d $help
    end
end
