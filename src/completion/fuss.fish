# SPDX-License-Identifier: MIT
# Completion of fuss(1) for fish.

function __fuss_before_command
    not contains -- -- (commandline -opc)
end

complete -c fuss -n 'not __fuss_before_command' -xa '(__fish_complete_subcommand --fcs-skip=(contains -i -- -- (commandline -opc)))'
complete -c fuss -n __fuss_before_command -f
complete -c fuss -n __fuss_before_command -l mountpoint -xa '(__fish_complete_directories)' -d 'where the view appears'
complete -c fuss -n __fuss_before_command -l lowerdir -xa '(__fish_complete_directories)' -d 'read-only layers, leftmost on top'
complete -c fuss -n __fuss_before_command -l upperdir -xa '(__fish_complete_directories)' -d 'layer that takes all changes'
complete -c fuss -n __fuss_before_command -l workdir -xa '(__fish_complete_directories)' -d 'for unfinished changes'
complete -c fuss -n __fuss_before_command -l whiteout -xa 'chardev fileprefix auto' -d 'how a deletion is written down'
complete -c fuss -n __fuss_before_command -s o -xa 'lowerdir= upperdir= workdir= userxattr' -d 'options as of mount(8)'
complete -c fuss -n __fuss_before_command -l fs -xa 'overlay passthrough' -d 'what is shown'
complete -c fuss -n __fuss_before_command -l help -d 'show a summary and exit'
complete -c fuss -n __fuss_before_command -l version -d 'show the version and exit'
