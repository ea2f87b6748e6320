# What the scripts of tests/situations.tsv begin with, in a sandbox of their own, as root. They make a fresh host
# with one user, alice, made by the real useradd, and break one thing.
set -eu

# Accounts of the machine decide nothing.
fresh_accounts() {
    for file in shadow gshadow passwd group; do
        awk -F: -v file=$file '
            BEGIN { while ((getline line < "/etc/passwd") > 0) { split(line, f, ":")
                    if (f[3] >= 1000 && f[3] != 65534) gone[f[1]] } }
            file ~ /shadow/ ? !($1 in gone) : ($3 < 1000 || $3 == 65534)' /etc/$file >/tmp/accounts
        cat /tmp/accounts >/etc/$file
    done
    rm /tmp/accounts
    printf '%s: files\n' passwd group shadow gshadow >/etc/nsswitch.conf
    : >/etc/subuid
    : >/etc/subgid
}

# What useradd, a login and systemd leave on a host, as far as a mount namespace can have it.
fresh_host() {
    mount -t tmpfs -o mode=0755 home /home
    useradd --create-home --uid 1001 --shell /bin/sh alice
    install -d -m 0700 -o alice -g alice /run/user/1001
    # As udev makes it.
    mount -t tmpfs -o mode=0755 dev /dev/net
    mknod -m 0666 /dev/net/tun c 10 200
    # A rootless engine takes version 2 of cgroups beside version 1 for usable, and it is not.
    while umount /sys/fs/cgroup/unified 2>/dev/null; do :; done
    mount --make-rshared /
    # With a file of nobody's, as most images have one.
    mkdir -p /tmp/image/bin /tmp/image/var/empty
    cp -L "$(command -v busybox)" /tmp/image/bin/busybox
    for applet in sh cat true; do ln -sf busybox /tmp/image/bin/$applet; done
    chown nobody:nogroup /tmp/image/var/empty
    tar -C /tmp/image -cf /tmp/image.tar .
    chmod 0644 /tmp/image.tar
    echo --network none >/tmp/network
    session
}

# alice's session; a situation changes these words and calls `enter`.
session() {
    outside= privileges= inside= uid=1001 gid=1001 user=alice
    enter
}

# /tmp/enter CMD runs CMD in alice's session.
enter() {
    local home=/home/alice
    printf '#!/bin/sh\nexec %s setpriv --reuid %s --regid %s --clear-groups %s -- %s "$@"\n' "$outside" $uid $gid \
        "$privileges" "env -C $home HOME=$home USER=$user LOGNAME=$user XDG_RUNTIME_DIR=/run/user/$uid $inside" \
        >/tmp/enter
    chmod 0755 /tmp/enter
}

both() { sed -i "$@" /etc/subuid /etc/subgid; }

file_capabilities() { # as Fedora and Arch have them
    chmod u-s /usr/bin/newuidmap /usr/bin/newgidmap
    setcap cap_setuid=ep /usr/bin/newuidmap
    setcap cap_setgid=ep /usr/bin/newgidmap
}

# alice's session in a user namespace of root's own, with this map.
nested() {
    unshare --user sleep infinity >/dev/null 2>&1 &
    while [ "$(readlink /proc/$!/ns/user)" = "$(readlink /proc/self/ns/user)" ]; do :; done
    echo "$@" >/proc/$!/uid_map
    echo "$@" >/proc/$!/gid_map
    within="nsenter --user=/proc/$!/ns/user --preserve-credentials"
    outside="$within"
    enter
}

all_ids='0 0 4294967295'

# podman's and rootlesskit's own network instead of none.
network() {
    echo --network slirp4netns >/tmp/network
}

# A source of subordinate IDs, other than the files, that knows nobody.
directory_of_nobody() {
    cat >/tmp/corp.c <<'END'
int shadow_subid_has_range(const char *o, unsigned long s, unsigned long c, int t, _Bool *r) { *r = 0; return 1; }
int shadow_subid_list_owner_ranges(const char *o, int t, void **r, int *n) { *n = 0; return 1; }
int shadow_subid_find_subid_owners(unsigned long i, int t, unsigned **u, int *n) { *n = 0; return 1; }
END
    cc -shared -fPIC -o /usr/lib/libsubid_corp.so /tmp/corp.c
    echo subid: corp >>/etc/nsswitch.conf
}

# What debootstrap makes and people enter by chroot, in short.
tree_in_a_folder() {
    mkdir /mnt/tree
    for folder in $(cd /; ls -d */); do
        [ -L "/${folder%/}" ] && cp -P "/${folder%/}" /mnt/tree/ && continue
        mkdir "/mnt/tree/$folder"
        [ "$folder" = mnt/ ] || mount --rbind "/$folder" "/mnt/tree/$folder"
    done
}
