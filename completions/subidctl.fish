# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_subidctl_global_optspecs
    string join \n json policy= R/root= q/quiet v/verbose color= h/help V/version
end

function __fish_subidctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_subidctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_subidctl_using_subcommand
    set -l cmd (__fish_subidctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c subidctl -n "__fish_subidctl_needs_command" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_needs_command" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_needs_command" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_needs_command" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_needs_command" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_needs_command" -s V -l version -d 'Print version'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "plan" -d 'Show what would change, as a diff of both files, and why each range is chosen'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "apply" -d 'Give users their ranges: both files change as one transaction'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "release" -d 'Give ranges back, so that nobody gets them next'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "list" -d 'List owners, ranges and free space'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "who" -d 'Say whose an ID is, and which ID it is inside the owner\'s container'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "policy" -d 'Show the rules in force, each value with the file and line that it comes from'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "verify" -d 'Start a container as the user and print its uid_map and gid_map'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "setup" -d 'Check this host, give users their ranges, and prove by containers that they work'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "check" -d 'Find out whether a user can run rootless containers here, and what stands in the way'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "audit" -d 'Find every fault of both files and of what surrounds them'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "explain" -d 'Say what a finding means and what comes of it'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "demo" -d 'Tell the whole story on made-up users, in a world of its own'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "history" -d 'Say who changed what, and when'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "undo" -d 'Put a change back: what it gave is released, what it released comes back'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "recover" -d 'Finish or roll back a change that was interrupted'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "template" -d 'The files that other systems need'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c subidctl -n "__fish_subidctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l group -d 'Members of a group, and those whose primary group it is' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l from -d 'A file of lines USER or USER:START:COUNT; - is stdin' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l count -d 'At least N IDs of each kind in total' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l range -d 'Exactly this range, START:COUNT or FIRST-LAST, for one user' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l out -d 'Save the plan, to be applied by apply --plan FILE' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l all -d 'Every account from UID_MIN to UID_MAX with a login shell'
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l allow-unknown-owner -d 'Accept owners without an account (containers, dockremap, images)'
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l replace -d 'Release ranges that are not the right ones and give the right ones'
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l reclaim -d 'Take back what the same account, by name and uid, has released'
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l force -d 'With --replace or --plan: go on although processes use the IDs. With --reclaim: take back, after a question, also what nothing shows to be this account\'s'
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l keep-going -d 'Serve those who can be served although others are refused (exit 4)'
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l skip-directory-hosts -d 'Exit 0 on a host whose subordinate IDs come from a directory'
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -l exit-code -d 'Exit 3 when changes are pending'
complete -c subidctl -n "__fish_subidctl_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l group -d 'Members of a group, and those whose primary group it is' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l from -d 'A file of lines USER or USER:START:COUNT; - is stdin' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l count -d 'At least N IDs of each kind in total' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l range -d 'Exactly this range, START:COUNT or FIRST-LAST, for one user' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l plan -d 'Apply a saved plan, unchanged or not at all; - is stdin' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l lock-timeout -d 'How long to wait for another program\'s locks' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l sample -d 'Of many users start the containers of N' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l all -d 'Every account from UID_MIN to UID_MAX with a login shell'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l allow-unknown-owner -d 'Accept owners without an account (containers, dockremap, images)'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l replace -d 'Release ranges that are not the right ones and give the right ones'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l reclaim -d 'Take back what the same account, by name and uid, has released'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l force -d 'With --replace or --plan: go on although processes use the IDs. With --reclaim: take back, after a question, also what nothing shows to be this account\'s'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l keep-going -d 'Serve those who can be served although others are refused (exit 4)'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l skip-directory-hosts -d 'Exit 0 on a host whose subordinate IDs come from a directory'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -s n -l dry-run -d 'Show the plan and change nothing'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -s y -l yes -d 'Do not ask'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l hook -d 'For PAM: who logs in gets ranges, where the policy\'s [users] say so and nothing is there yet. Tells the system log alone, takes three seconds at most, and exits 0 whatever happens'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -l verify -d 'Start containers: before the change on the planned files, after it on the host'
complete -c subidctl -n "__fish_subidctl_using_subcommand apply" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -l range -d 'Only the lines in this range, START:COUNT or FIRST-LAST' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -l forget -d 'Remove the released lines of this range for good: the next user may get its IDs, with all files that they still own' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -l scan -d 'Then look below these folders for files that the IDs still own: on one file system each, no links followed, access control lists not read. Put the USER before it' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -l lock-timeout -d 'How long to wait for another program\'s locks' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -l stale -d 'Release the ranges of accounts that are gone: of local accounts, and of the USERs named'
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -l force -d 'Go on although processes use the IDs'
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -l keep-going -d 'Serve those who can be served although others are refused (exit 4)'
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -s n -l dry-run -d 'Show the plan and change nothing'
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -s y -l yes -d 'Do not ask'
complete -c subidctl -n "__fish_subidctl_using_subcommand release" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand list" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand list" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand list" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand list" -l svg -d 'Write the same picture as SVG; - is stdout' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand list" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand list" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand list" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand list" -l subid -d 'Print lines in subuid\'s syntax'
complete -c subidctl -n "__fish_subidctl_using_subcommand list" -l map -d 'Draw the ID space: owners, holes, what is kept, released or held twice'
complete -c subidctl -n "__fish_subidctl_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand who" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand who" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand who" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand who" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand who" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand who" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand who" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand policy" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand policy" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand policy" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand policy" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand policy" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand policy" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand policy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -l plan -d 'Try a saved plan: containers of its users, in a world of IDs that nobody has' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -l sample -d 'Of many users of a plan start the containers of N' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -l userns -d 'Which IDs the container has: auto, the map that podman makes; keep-id, as podman run --userns=keep-id; identity, the same numbers inside as outside; or triples INSIDE:HOST:COUNT with commas between them, in IDs of the host as newuidmap takes them (0:1001:1,1:165536:65536), for uids and gids' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -l gidmap -d 'Other triples for gids than those in --userns' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -l engine -d 'Ask an installed engine instead, as the user: whether it has the IDs that the files give' -r -f -a "podman\t''
buildah\t''
docker\t''
nerdctl\t''
apptainer\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -l rootfs -d 'Give CMD this folder as its root, read-only, nosuid and nodev, instead of the host\'s. The user must be able to go there; it gets a /proc, a small /dev, and empty /tmp, /var/tmp and /run, where it has these folders' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -l timeout -d 'End the container after this time [default: 30 for the checks, none for CMD]' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand setup" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand setup" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand setup" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand setup" -l lock-timeout -d 'How long to wait for another program\'s locks' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand setup" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand setup" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand setup" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand setup" -s n -l dry-run -d 'Show the plan and change nothing'
complete -c subidctl -n "__fish_subidctl_using_subcommand setup" -s y -l yes -d 'Do not ask'
complete -c subidctl -n "__fish_subidctl_using_subcommand setup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand check" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand check" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand check" -l for -d 'What the engine cannot do without is an error, what it can is advice' -r -f -a "podman\t''
docker\t''
nerdctl\t''
buildah\t''
apptainer\t''
lxc\t''
kubelet\t''
any\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand check" -l only -d 'Only these findings, by id or group' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand check" -l skip -d 'All but these findings, by id or group' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand check" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand check" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand check" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand check" -l strict -d 'Exit 4 for warnings too'
complete -c subidctl -n "__fish_subidctl_using_subcommand check" -l list -d 'List all findings, with group, severity and the ways to fail that each names'
complete -c subidctl -n "__fish_subidctl_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -l out -d 'Save the repairs as a plan, to be applied by apply --plan FILE' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -l lock-timeout -d 'With --fix: how long to wait for another program\'s locks' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -l strict -d 'Exit 4 for warnings too'
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -l fix -d 'Mend what can be mended without granting anybody anything: final newlines, exact duplicates, spellings that all programs read alike, lost lines of released ranges'
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -s n -l dry-run -d 'With --fix: show the repairs and change nothing'
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -s y -l yes -d 'With --fix: do not ask'
complete -c subidctl -n "__fish_subidctl_using_subcommand audit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand explain" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand explain" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand explain" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand explain" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand explain" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand explain" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand demo" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand demo" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand demo" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand demo" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand demo" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand demo" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand history" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand history" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand history" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand history" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand history" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand history" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand undo" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand undo" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand undo" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand undo" -l lock-timeout -d 'How long to wait for another program\'s locks' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand undo" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand undo" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand undo" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand undo" -l force -d 'Take ranges away although processes use them'
complete -c subidctl -n "__fish_subidctl_using_subcommand undo" -s n -l dry-run -d 'Show the plan and change nothing'
complete -c subidctl -n "__fish_subidctl_using_subcommand undo" -s y -l yes -d 'Do not ask'
complete -c subidctl -n "__fish_subidctl_using_subcommand undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand recover" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand recover" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand recover" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand recover" -l lock-timeout -d 'How long to wait for another program\'s locks' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand recover" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand recover" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand recover" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand recover" -s y -l yes -d 'Do not ask'
complete -c subidctl -n "__fish_subidctl_using_subcommand recover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and not __fish_seen_subcommand_from list show render help" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and not __fish_seen_subcommand_from list show render help" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and not __fish_seen_subcommand_from list show render help" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and not __fish_seen_subcommand_from list show render help" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and not __fish_seen_subcommand_from list show render help" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and not __fish_seen_subcommand_from list show render help" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and not __fish_seen_subcommand_from list show render help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and not __fish_seen_subcommand_from list show render help" -f -a "list" -d 'Say which there are, and which values each takes'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and not __fish_seen_subcommand_from list show render help" -f -a "show" -d 'Print one as it is'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and not __fish_seen_subcommand_from list show render help" -f -a "render" -d 'Print one with its values, or write it to a file'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and not __fish_seen_subcommand_from list show render help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from list" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from list" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from list" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from show" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from show" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from show" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from render" -l set -d 'A value, for each key that the template takes' -r
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from render" -l to -d 'Write it to a file; one that is there is shown as a diff, and replaced only on a yes' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from render" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from render" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from render" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from render" -s y -l yes -d 'Do not ask'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from render" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from render" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from render" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from render" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from help" -f -a "list" -d 'Say which there are, and which values each takes'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print one as it is'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from help" -f -a "render" -d 'Print one with its values, or write it to a file'
complete -c subidctl -n "__fish_subidctl_using_subcommand template; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c subidctl -n "__fish_subidctl_using_subcommand completions" -l policy -d 'Use this policy instead of /etc/subidctl/policy.toml' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand completions" -s R -l root -d 'Work on a tree that is not the running system: files only' -r -F
complete -c subidctl -n "__fish_subidctl_using_subcommand completions" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c subidctl -n "__fish_subidctl_using_subcommand completions" -l json -d 'Print one JSON document on stdout, also on failure'
complete -c subidctl -n "__fish_subidctl_using_subcommand completions" -s q -l quiet -d 'Print errors only'
complete -c subidctl -n "__fish_subidctl_using_subcommand completions" -s v -l verbose -d 'Print everything, however long, and timings'
complete -c subidctl -n "__fish_subidctl_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "plan" -d 'Show what would change, as a diff of both files, and why each range is chosen'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "apply" -d 'Give users their ranges: both files change as one transaction'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "release" -d 'Give ranges back, so that nobody gets them next'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "list" -d 'List owners, ranges and free space'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "who" -d 'Say whose an ID is, and which ID it is inside the owner\'s container'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "policy" -d 'Show the rules in force, each value with the file and line that it comes from'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "verify" -d 'Start a container as the user and print its uid_map and gid_map'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "setup" -d 'Check this host, give users their ranges, and prove by containers that they work'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "check" -d 'Find out whether a user can run rootless containers here, and what stands in the way'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "audit" -d 'Find every fault of both files and of what surrounds them'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "explain" -d 'Say what a finding means and what comes of it'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "demo" -d 'Tell the whole story on made-up users, in a world of its own'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "history" -d 'Say who changed what, and when'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "undo" -d 'Put a change back: what it gave is released, what it released comes back'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "recover" -d 'Finish or roll back a change that was interrupted'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "template" -d 'The files that other systems need'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and not __fish_seen_subcommand_from plan apply release list who policy verify setup check audit explain demo history undo recover template completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and __fish_seen_subcommand_from template" -f -a "list" -d 'Say which there are, and which values each takes'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and __fish_seen_subcommand_from template" -f -a "show" -d 'Print one as it is'
complete -c subidctl -n "__fish_subidctl_using_subcommand help; and __fish_seen_subcommand_from template" -f -a "render" -d 'Print one with its values, or write it to a file'
