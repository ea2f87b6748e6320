# Builds a sandbox and is its init: sh -c "$(cat sandbox.sh)" sandbox BINARY [TREE]
#
# Runs as pid 1 of a new pid namespace, in a new mount namespace with its own /proc. Standard input is a
# pipe from the test: at its end this shell ends, and with it every process of the namespace and every mount.
set -eu
umask 022
binary=$1 tree=${2-}

# Where the layers' upper folders lie; out of sight once they are in use.
mount -t tmpfs -o mode=0755 stage /mnt
layer() { # LOWER TARGET
    upper=/mnt/$(echo "$2" | tr / _)
    mkdir -p "$upper/upper" "$upper/work"
    mount -t overlay -o "lowerdir=$1,upperdir=$upper/upper,workdir=$upper/work" overlay "$2"
}

# The program and the tree may lie in a folder that is about to be covered, or that only root can enter.
layer /usr /usr
touch /usr/local/bin/subidctl
mount --bind "$binary" /usr/local/bin/subidctl
mount -o remount,bind,ro /usr/local/bin/subidctl
if [ -n "$tree" ]; then
    layer "$tree" /srv
fi

for folder in /etc /home /root /var; do
    layer "$folder" "$folder"
done
umount --lazy /mnt
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
