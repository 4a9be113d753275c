# Runs in the booted machine; every line it writes is checked by boot.ts.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
units="enc isakmpd photurisd"
pid() { systemctl show -P MainPID "ipsecbox-$1"; }
# What all threads of a daemon have of a field of their status.
threads() { cat "/proc/$(pid "$1")/task/"*/status | sed -n "s/^$2:[[:space:]]*//p" | sort -u | tr '\t\n' '  '; }
active() { for u in $units; do echo "$1 $u $(systemctl is-active "ipsecbox-$u")"; done; }

dpkg -i /root/ipsecbox.deb >/root/dpkg.log 2>&1
echo "dpkg $?"
ip addr add 10.9.0.1/24 dev lo
cat >/etc/ipsecbox/rc.conf <<RC
new esp -src 10.9.0.1 -dst 10.9.0.2 -spi 1000 -forcetunnel -enc aes-gcm -key 0123456789012345678901234567890123456789
flow -proto esp -src 10.9.0.1 -dst 10.9.0.2 -addr 10.9.0.1/32 10.9.0.2/32 -out -require
RC
chmod 600 /etc/ipsecbox/rc.conf
mkdir -p /etc/isakmpd /etc/photuris
printf '[General]\nListen-on= 10.9.0.1\n' >/etc/isakmpd/isakmpd.conf
printf 'Authorizer: "POLICY"\n' >/etc/isakmpd/isakmpd.policy
cp /usr/share/doc/ipsecbox/examples/photuris/etc/* /etc/photuris/
chown -R root:_ipsecbox /etc/isakmpd /etc/photuris
chmod -R u=rwX,g=rX,o= /etc/isakmpd /etc/photuris

systemctl start ipsecbox-enc ipsecbox-isakmpd ipsecbox-photurisd
echo "start $?"
active started
for u in $units; do
  echo "user $u $(ps -o user= -p "$(pid $u)")"
  echo "bounding $u $(threads $u CapBnd)"
  echo "privileges $u $(threads $u NoNewPrivs)"
done
echo "rc.conf $(ipsecadm show | grep -c 0x00001000)"
ipsecbox status >/dev/null
echo "status $?"

for u in $units; do kill -9 "$(pid $u)"; done
sleep 4
active killed
for u in $units; do echo "restarts $u $(systemctl show -P NRestarts "ipsecbox-$u")"; done
echo "rc.conf $(ipsecadm show | grep -c 0x00001000)"

systemctl reload ipsecbox-isakmpd ipsecbox-photurisd
echo "reload $?"
sleep 1
active reloaded

systemctl stop ipsecbox-photurisd ipsecbox-isakmpd ipsecbox-enc
echo "stop $?"
active stopped
echo "processes $(ps ax | grep -c '[d]eno run')"
echo "interface $(ip -br link | grep -c enc0)"
echo "held $(nft list tables | grep -c ipsecbox)"
ipsecbox enc --open
echo "open $(nft list tables | grep -c ipsecbox)"
echo "rules $(ip rule | grep -vc 'lookup \(local\|main\|default\)')"
dpkg -P ipsecbox >/root/dpkg.log 2>&1
echo "purge $?"
echo "left" $(ls -d /run/ipsecbox /run/isakmpd.fifo /run/isakmpd.pid /var/cache/ipsecbox /etc/ipsecbox 2>/dev/null)
journalctl --no-pager -o cat 2>/dev/null | grep -iE '^(isakmpd|photurisd|enc|ipsecbox).*(error|uncaught)' | sed 's/^/journal /'
