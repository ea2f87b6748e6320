//! Entries that neither `audit` nor a check looks for: what `plan` warns of, and what is said of a failed
//! container where nothing else explains it. They are here so that `explain` has a page for them, too.

use super::{BASE, Entry, Group, Reach, Status};

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "range-not-granted",
        group: Group::Files,
        title: "the helper does not grant the range",
        explain: "newuidmap or newgidmap said 'not allowed' although subidctl reads a range of this user in the \
                  file. The two read the line, or the file, differently: 'subidctl audit' says who reads what. \
                  Or the file was changed in between, or 'subid:' in nsswitch.conf names a directory that does \
                  not have the range. Or 'verify --userns' was given IDs that are not the user's.",
        consequence: "the container gets no map and does not start",
        repair: "see who reads what: sudo subidctl audit",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "no-answer",
        group: Group::Files,
        title: "a helper or the container did not answer in time",
        explain: "newuidmap looks up the account, and for lines of unknown owners each of them: with a directory \
                  that is slow or down, a large file takes minutes. A container that does not answer was most \
                  likely stopped, or waits for a file system.",
        consequence: "the container does not start within the time",
        repair: "see whether name services answer: getent passwd USER",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "unexplained",
        group: Group::Files,
        title: "a container failed, and no known fault of this host explains it",
        explain: "What the failing program said is all that is known. A trace of its system calls shows which of \
                  them the kernel refused; a report with it helps to add the cause to this catalogue.",
        consequence: "the container does not start",
        repair: "sudo strace -f subidctl verify USER",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "root-unusable",
        group: Group::Kernel,
        title: "the folder given by --rootfs cannot be CMD's root",
        explain: "It is looked up with the user's rights, not with root's: every folder on the way to it must be \
                  open to the user (x). The kernel may also refuse to copy a mount that hides others.",
        consequence: "CMD does not start",
        repair: "namei -l DIR shows who may go where; put the tree where the user may go",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "userns-nesting",
        group: Group::Kernel,
        title: "there is no room for a user namespace in this one",
        explain: "User namespaces lie one inside the other at most 32 deep (user_namespaces(7)), and one inside \
                  counts for every one outside it: a limit there is reached here. From inside neither the depth nor \
                  the limits outside can be seen.",
        consequence: "clone: No space left on device",
        repair: "run it in fewer containers, one inside the other; or raise user.max_user_namespaces outside",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "userns-limit-reached",
        group: Group::Kernel,
        title: "there are as many user namespaces as are allowed",
        explain: "user.max_user_namespaces is how many each user may have at once. Each rootless engine and many a \
                  browser's process has one.",
        consequence: "clone: No space left on device",
        repair: "sudo sysctl -w user.max_user_namespaces=28633",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "proc-missing",
        group: Group::Kernel,
        title: "/proc is missing, or shows other processes than ours",
        explain: "Maps are written through /proc/PID/uid_map, and the helpers look there whose process it is. A \
                  chroot or a new pid namespace has no /proc of its own until one is mounted.",
        consequence: "no map can be written: newuidmap does not find the process, or finds another",
        repair: "sudo mount -t proc proc /proc",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "files-differ",
        group: Group::Ranges,
        severity: Status::Warning,
        title: "a plan gives a user other uids than gids",
        explain: "No start is free in both files, so that the two halves of the user's range begin at different \
                  IDs. Inside the container they are numbered alike, and everything works; kubelet alone demands \
                  equal ranges.",
        consequence: "harder to read; the kubelet refuses such ranges",
        repair: "none is needed; for equal ranges: sudo subidctl apply --replace --range NEW USER, \
                 with IDs that are free in both files",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "pool-meets-window",
        group: Group::Ranges,
        severity: Status::Warning,
        title: "useradd hands out IDs of a window",
        explain: "The policy's windows belong to uids by arithmetic, and useradd chooses from SUB_UID_MIN to \
                  SUB_UID_MAX of login.defs without knowing them: what it gives to a new user may be another \
                  user's slot.",
        consequence: "a user of the window finds the own range taken",
        repair: "move the window, or set SUB_UID_COUNT 0 (SUB_GID_COUNT) in login.defs",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "file-created",
        group: Group::Files,
        severity: Status::Warning,
        title: "a plan creates a file that did not exist",
        explain: "Without /etc/subuid useradd gives nobody subordinate uids; as soon as it exists, empty or not, \
                  every new user gets a range.",
        consequence: "from now on useradd gives ranges to new users",
        repair: "none is needed; where useradd should give nothing: SUB_UID_COUNT 0 and \
                 SUB_GID_COUNT 0 in login.defs",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "namespaces-unseen",
        group: Group::Ranges,
        severity: Status::Warning,
        title: "not every running user namespace could be seen",
        explain: "A new range must not hold IDs that a running container uses without a line in the files. \
                  Processes that /proc hides (hidepid, another PID namespace, no rights) may have such maps.",
        consequence: "a new range may meet IDs of a running container",
        repair: "run it as root, on the host and not in a container",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "lookup-unanswered",
        group: Group::Ranges,
        severity: Status::Warning,
        title: "a directory did not say whether an ID is an account's",
        explain: "Before a range is given, its first and last ID are looked up. Where the directory does not \
                  answer, the files and the declared ranges decide alone.",
        consequence: "a new range may hold the ID of an account of the directory",
        repair: "run it again where the directory answers, or declare its IDs: directory in the \
                 policy",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "ids-free-again",
        group: Group::Ranges,
        severity: Status::Warning,
        title: "a released range is forgotten, and free again",
        explain: "Without its line useradd and subidctl give the IDs to the next user who needs some. Files that \
                  the former owner's containers left behind belong to that user then: 'subidctl release -n \
                  --forget RANGE --scan PATH' looks for them first.",
        consequence: "the next user may get these IDs, and the files that they own",
        repair: "to look for files first: subidctl release -n --forget RANGE --scan PATH; to go \
                 back: sudo subidctl undo",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "not-marked",
        group: Group::Ranges,
        severity: Status::Warning,
        title: "a range is released, and its IDs are still another line's",
        explain: "A line with ! keeps IDs from being given to anybody. Where another line still grants them, such \
                  a mark would take them from its owner, so that only what nobody else holds is marked.",
        consequence: "the IDs stay with the owner of the other line",
        repair: "see whose the other line is: subidctl who ID",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "no-account",
        group: Group::Owners,
        severity: Status::Warning,
        title: "an owner has no account, and was not released",
        explain: "'subidctl release --stale' takes ranges back from accounts that are known to have been local: \
                  that one is missing today says nothing of an account of a directory. Whoever knows better names \
                  the owner.",
        consequence: "the range stays with the name, and the next account of that name inherits it",
        repair: "where the owner is gone: sudo subidctl release --stale USER",
        reach: Reach::Nobody,
        ..BASE
    },
];
