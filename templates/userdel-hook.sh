#!/bin/sh
# /etc/shadow-maint/userdel-pre.d/50-subidctl: keeps a deleted user's ranges out of everybody's reach. Made by
# subidctl.
#
# Before the deletion: userdel takes the lines away, and the next useradd would give the IDs, with every file that
# they still own, to somebody else. Released lines (!alice:100000:65536) stay. Where a process uses the IDs this
# fails, and so does userdel, with nothing changed. Where userdel refuses afterwards (userdel: user is currently
# used by process …) the user has them back by: subidctl apply --reclaim USER.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

[ "${ACTION-}" = userdel ] || exit 0
uid=$(id -u -- "$SUBJECT") || exit
{{ subidctl|program }} release --yes --quiet "+$uid"
status=$?
# Ranges that a directory gives end there.
[ "$status" = 8 ] || exit "$status"
