#!/bin/sh
# The first process of namespaces of its own: turns an overlay of this machine's root, which keeps everything written, into
# a machine and becomes its systemd. $1: an empty directory; $2: the Debian package; $3: what the machine runs; $4: where
# that writes, a file.
set -e
root=$1/root
mount -t tmpfs -o size=1200m tmpfs "$1"
mkdir "$1/upper" "$1/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount --rbind /dev "$root/dev"
cp "$2" "$root/root/ipsecbox.deb"
cp "$3" "$root/root/inside.sh"
: >"$root/root/said"
mount --bind "$4" "$root/root/said"
# Services of this machine, and what earlier versions of the program left there, have no business in the other.
rm -rf "$root"/etc/systemd/system/*.wants "$root/usr/sbin/policy-rc.d" "$root/var/cache/ipsecbox"
cat >"$root/etc/systemd/system/inside.service" <<UNIT
[Unit]
DefaultDependencies=no
After=basic.target
Requires=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh /root/inside.sh
StandardOutput=append:/root/said
StandardError=inherit
ExecStopPost=/bin/systemctl --force --force poweroff
UNIT
hostname machine
ip link set lo up
exec chroot "$root" env -i container=ipsecbox PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=inside.service --log-target=console --show-status=no
