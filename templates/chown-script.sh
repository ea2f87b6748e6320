#!/bin/sh
# Moves files from one range of subordinate IDs to another: a file of the tenth ID of the old range gets the
# tenth of the new one. Made by subidctl. Without --apply it only says what it would do.
#
# It stays on one file system and follows no link; names may hold any byte. Setuid and setgid bits are kept.
# Giving a file away takes its file capabilities: such files are named. Entries of ACLs that name old IDs stay.
set -u
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
unset CDPATH

owner={{ owner|sh }}
path={{ path|sh }}
old_uid={{ old_uid|id }}
old_gid={{ old_gid|id }}
new_uid={{ new_uid|id }}
new_gid={{ new_gid|id }}
count={{ count|id }}

die() {
    printf '%s\n' "chown-script: $1; nothing was changed" >&2
    exit 2
}

# say WORD PLACE TEXT: a line of the report; what a terminal might obey is shown as ?.
say() {
    printf '%s %s %s\n' "$1" "$(printf '%s' "$2" | tr -c '\040-\176' '?')" "$3"
}

# apart OLD NEW: whether the ranges from these IDs share none. Equal ones move nothing.
apart() {
    [ "$1" = "$2" ] || [ $(($1 + count)) -le "$2" ] || [ $(($2 + count)) -le "$1" ]
}

# inside ID FIRST: whether an ID lies in the range.
inside() {
    [ "$1" -ge "$2" ] && [ "$1" -lt $(($2 + count)) ]
}

# idle: nobody changes names under our hands.
idle() {
    for process in /proc/[0-9]*; do
        { while read -r key id _; do
            [ "$key" != Uid: ] || break
        done <"$process/status"; } 2>/dev/null || continue
        if [ "$id" = "$user" ] || inside "$id" "$old_uid" || inside "$id" "$new_uid"; then
            die "process ${process#/proc/} of uid $id is running: stop the containers, end it, and try again"
        fi
    done
}

# special NAME ID MODE: gives back the bits that a new owner took; only to the very file that was looked at.
special() {
    { [ "$(stat -L -c %d:%i /proc/self/fd/3)" = "$2" ] && chmod "$3" /proc/self/fd/3; } 3<"$1"
}

# one NAME PLACE: moves what the name is, never what it points to. Leaves its device and inode in $id.
one() {
    id=
    # shellcheck disable=SC2046 # five words without blanks
    set -- "$1" "$2" $(stat -c '%d:%i %u %g %a %f' "$1" 2>/dev/null)
    [ $# = 7 ] || { say failed "$2" 'cannot be looked at'; return; }
    # On overlays a file has a device of its own, so folders decide.
    case $7:${3%%:*} in
    4*:"$device") ;;
    4*) say skipped "$2" 'is on another file system'; return ;;
    esac
    id=$3 uid=$4 gid=$5
    ! inside "$4" "$old_uid" || uid=$(($4 - old_uid + new_uid))
    ! inside "$5" "$old_gid" || gid=$(($5 - old_gid + new_gid))
    [ "$uid:$gid" != "$4:$5" ] || return
    say moved "$2" "$4:$5 -> $uid:$gid"
    case $7 in
    8*)
        capabilities=$(getcap "$1" 2>/dev/null)
        [ -z "$capabilities" ] || say cleared "$2" "loses its file capabilities: ${capabilities##* }"
        ;;
    esac
    [ "$apply" = yes ] || return
    chown -h "$uid:$gid" "$1" 2>/dev/null || { say failed "$2" 'cannot be given away'; return; }
    case $7:$6 in
    8*:[1-7]???) special "$1" "$3" "$6" 2>/dev/null || say failed "$2" "lost its mode $6" ;;
    esac
}

# walk PLACE: everything in the working folder.
walk() {
    for name in ./* ./.[!.]* ./..?*; do
        [ -e "$name" ] || [ -h "$name" ] || continue
        one "$name" "$1/${name#./}"
        { [ -n "$id" ] && [ -d "$name" ] && [ ! -h "$name" ]; } || continue
        (
            # Where the name leads elsewhere by now, nothing is done there.
            cd "$name" 2>/dev/null && [ "$(stat -c %d:%i .)" = "$id" ] ||
                { say failed "$1/${name#./}" 'cannot be entered'; exit; }
            walk "$1/${name#./}"
        )
    done
}

# report: the lines for people, and the sum.
report() {
    moved=0 failed=0
    while read -r line; do
        case $line in
        moved*)
            moved=$((moved + 1))
            [ "$apply" = yes ] || printf '%s\n' "would move${line#moved}"
            ;;
        failed*)
            failed=$((failed + 1))
            printf '%s\n' "$line" >&2
            ;;
        *) printf '%s\n' "$line" ;;
        esac
    done
    if [ "$apply" = yes ]; then
        printf '%s\n' "$moved files moved, $failed failed"
    else
        printf '%s\n' "$moved files would be moved, $failed could not; to do it: run it again with --apply"
    fi
    [ "$failed" = 0 ]
}

case $#:${1-} in
0:) apply=no ;;
1:--apply) apply=yes ;;
*) die 'the only option is --apply' ;;
esac
[ "$(id -u)" = 0 ] || die 'only root can give files away'
user=$(id -u "$owner" 2>/dev/null) || die "there is no user $owner"
apart "$old_uid" "$new_uid" || die 'the old and the new uids overlap: some files would be moved twice'
apart "$old_gid" "$new_gid" || die 'the old and the new gids overlap: some files would be moved twice'
case $path in /*) ;; *) die 'the path must begin with /' ;; esac
cd -P "$path" 2>/dev/null || die "cannot enter $path"
device=$(stat -c %d .) && top=$(stat -c %u .) || die "cannot look at $path"
[ "$top" = "$user" ] || inside "$top" "$old_uid" || inside "$top" "$new_uid" ||
    die "$path belongs to uid $top and not to $owner"
[ "$apply" = no ] || idle
command -v getcap >/dev/null || printf '%s\n' 'getcap is not installed: lost file capabilities are not named'
{ one . "$path"; walk "${path%/}"; } | report
