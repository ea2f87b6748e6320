#!/bin/sh
# /etc/shadow-maint/useradd-post.d/50-subidctl: gives a new account its ranges, as the policy says. Made by
# subidctl.
#
# For hosts where useradd gives none itself (SUB_UID_COUNT and SUB_GID_COUNT are 0 in /etc/login.defs) or where
# /etc/subuid does not exist yet: ranges that useradd gave are kept. Where this fails useradd says so by exit
# code 1, and the account is there without ranges: subidctl apply USER.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

[ "${ACTION-}" = useradd ] || exit 0
uid=$(id -u -- "$SUBJECT") || exit
# A system account runs no containers.
[ "$uid" -ge {{ uid_min|id }} ] || exit 0
exec {{ subidctl|program }} apply --yes --quiet --skip-directory-hosts "+$uid"
