# Builds a sandbox and is its init: sh -c "$(cat sandbox.sh)" sandbox BINARY TREE SYSTEM
#
# Runs as pid 1 of a new pid namespace, in a new mount namespace with its own /proc. Standard input is a
# pipe from the test: at its end this shell ends, and with it every process of the namespace and every mount.
# TREE, if not empty, is seen at /srv. SYSTEM, if not empty, is a tree that takes the host's place.
set -eu
umask 022
binary=$1 tree=$2 system=$3

# Where the layers' upper folders lie; out of sight once they are in use.
mount -t tmpfs -o mode=0755 stage /mnt
layer() { # LOWER TARGET
    upper=/mnt/$(echo "$2" | tr / _)
    mkdir -p "$upper/upper" "$upper/work"
    mount -t overlay -o "lowerdir=$1,upperdir=$upper/upper,workdir=$upper/work" overlay "$2"
}

# The program and the trees may lie in a folder that is about to be covered, or that only root can enter.
root=
if [ -n "$system" ]; then
    root=/mnt/root
    mkdir $root
    layer "$system" $root
    # In a pid namespace only a new mount shows this one's processes.
    mount -t proc -o nosuid,nodev,noexec proc $root/proc
    mount --rbind /dev $root/dev
    mount --rbind /sys $root/sys
else
    layer /usr /usr
fi
touch $root/usr/local/bin/subidctl
mount --bind "$binary" $root/usr/local/bin/subidctl
mount -o remount,bind,ro $root/usr/local/bin/subidctl
if [ -n "$tree" ]; then
    layer "$tree" $root/srv
fi

if [ -n "$system" ]; then
    # Not chroot: in a chroot nobody can make a user namespace.
    cd $root
    pivot_root . mnt
    # A rootless engine takes version 2 of cgroups beside version 1 for usable, and it is not.
    while umount /sys/fs/cgroup/unified 2>/dev/null; do :; done
else
    for folder in /etc /home /root /var; do
        layer "$folder" "$folder"
    done
fi
umount --lazy /mnt
# What a test writes there stays here.
mount -t tmpfs -o mode=0755 mnt /mnt
[ -n "$tree" ] || mount -t tmpfs -o mode=0755 srv /srv
mount -t tmpfs -o mode=0755,nosuid,nodev run /run
mount -t tmpfs -o mode=1777,nosuid,nodev tmp /tmp
mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
mkdir -m 0755 /run/user

echo ready
exec >/dev/null 3<&0
# `wait` reaps orphans too, so that no zombie looks like a live holder of a lock. Through descriptor 3: a
# background command's standard input is /dev/null.
cat <&3 &
wait $!
