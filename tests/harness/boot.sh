# Boots the system of a sandbox, with systemd as pid 1 of namespaces of its own: sh -c "$(cat boot.sh)" boot GROUP
#
# GROUP is a control group of version 2 for it, made by the test. Nothing that it mounts, sets or starts is seen
# outside; what the kernel has only once (sysctls, modules, the clock) it cannot change.
set -eu
echo $$ >"$1/cgroup.procs"
exec unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --net sh -euc '
mount -t proc -o nosuid,nodev,noexec proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
umount --recursive /sys/fs/cgroup
mount -o remount,bind,ro /sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup

# No terminal and no disk of the host.
mount -t tmpfs -o mode=0755,nosuid dev /mnt
mkdir /mnt/net /mnt/pts /mnt/shm
for device in null zero full random urandom tty fuse net/tun; do
    if [ -e /dev/$device ]; then
        touch /mnt/$device
        mount --bind /dev/$device /mnt/$device
    fi
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts /mnt/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm /mnt/shm
ln -s pts/ptmx /mnt/ptmx
ln -s /proc/self/fd /mnt/fd
mount --move /mnt /dev

exec env -i container=sandbox PATH="$PATH" setpriv --bounding-set=-sys_boot,-sys_module,-sys_rawio,-sys_time \
    /lib/systemd/systemd --unit=multi-user.target --show-status=no
'
