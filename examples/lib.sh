# Sourced by examples/*/run: small networks of namespaces, one for each host, and the program under its own names.
# Everything that was started or made is ended and removed when the example ends, however it ends.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/ipsecbox-example.XXXXXX")
prefix="ibx$$"
hosts=()

cleanup() {
  status=$?
  trap - EXIT INT TERM
  for host in "${hosts[@]}"; do
    pids=$(ip netns pids "$prefix-$host" 2>/dev/null || true)
    [ -z "$pids" ] || kill $pids 2>/dev/null || true
  done
  for host in "${hosts[@]}"; do
    for _ in $(seq 50); do
      pids=$(ip netns pids "$prefix-$host" 2>/dev/null || true)
      [ -n "$pids" ] || break
      sleep 0.1
    done
    [ -z "$pids" ] || kill -9 $pids 2>/dev/null || true
    ip netns del "$prefix-$host" 2>/dev/null || true
  done
  if [ "$status" = 0 ]; then echo "ok: $(basename "$here")"; else
    echo "FAILED: $(basename "$here")" >&2
    for log in "$work"/*/*.log; do [ ! -s "$log" ] || { echo "--- $log" >&2; tail -n 40 "$log" >&2; }; done
  fi
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

need() {
  missing=()
  for command in "$@"; do command -v "$command" >/dev/null || missing+=("$command"); done
  [ ${#missing[@]} = 0 ] || (cd "$top" && npx -y deno@2.9.6 run -A scripts/packages.ts test)
}

# The packed program, and links to it under the OpenBSD names.
program() {
  [ -x "$top/dist/ipsecbox" ] || (cd "$top" && npx -y deno@2.9.6 task pack >/dev/null)
  mkdir -p "$work/bin"
  ln -s "$top/dist/ipsecbox" "$work/bin/ipsecbox"
  "$work/bin/ipsecbox" install --links "$work/bin" >/dev/null
  export PATH="$work/bin:$PATH"
}

# host NAME [forward]: a namespace with its own run and configuration directories.
host() {
  hosts+=("$1")
  mkdir -p "$work/$1/run" "$work/$1/etc"
  chmod 700 "$work/$1/run"
  ip netns add "$prefix-$1"
  on "$1" ip link set lo up
  [ "${2:-}" != forward ] || on "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
}

# link HOST INTERFACE ADDRESSES HOST INTERFACE ADDRESSES: a cable; ADDRESSES is a comma-separated list.
link() {
  ip -n "$prefix-$1" link add "$2" type veth peer name "$5" netns "$prefix-$4"
  for end in "$1 $2 $3" "$4 $5 $6"; do
    set -- $end
    for address in ${3//,/ }; do
      case $address in *:*) on "$1" ip addr add "$address" dev "$2" nodad ;; *) on "$1" ip addr add "$address" dev "$2" ;; esac
    done
    on "$1" ip link set "$2" up
  done
}

# on HOST COMMAND...: runs a command on a host.
on() {
  local host=$1
  shift
  IPSECBOX_RUN="$work/$host/run" IPSECBOX_ETC="$work/$host/etc" ip netns exec "$prefix-$host" "$@"
}

# start HOST NAME COMMAND...: runs a command in the background; its output goes to NAME.log.
start() {
  local host=$1 name=$2
  shift 2
  on "$host" "$@" >"$work/$host/$name.log" 2>&1 </dev/null &
}

# engine HOST...: starts the engine on each and waits until it is ready.
engine() {
  for host in "$@"; do start "$host" enc ipsecbox enc; done
  for host in "$@"; do await "$host" enc ready; done
}

# await HOST NAME TEXT [SECONDS]: waits until NAME.log contains TEXT.
await() {
  for _ in $(seq $((${4:-20} * 10))); do
    ! grep -q -- "$3" "$work/$1/$2.log" || return 0
    sleep 0.1
  done
  echo "waited in vain for \"$3\" in $2.log of $1" >&2
  return 1
}

# typed HOST LINE: shows a line as an administrator types it, and runs it.
typed() {
  echo "$1# $2"
  on "$1" sh -c "$2"
}

# wire HOST INTERFACE FILTER: starts watching; `seen HOST` ends that and prints one line a packet.
wire() {
  on "$1" tcpdump -Z root -nnptU --immediate-mode -i "$2" -w "$work/$1/wire.pcap" "$3" >"$work/$1/tcpdump.log" 2>&1 &
  echo $! >"$work/$1/tcpdump.pid"
  await "$1" tcpdump "listening on"
}
seen() {
  local pid
  pid=$(cat "$work/$1/tcpdump.pid")
  kill -INT "$pid" && wait "$pid" 2>/dev/null || true
  tcpdump -nntr "$work/$1/wire.pcap" 2>/dev/null
}

# two_hosts: west 192.168.5.1 (fd00:5::1) - router - 192.168.25.9 (fd00:25::9) east.
two_hosts() {
  host west
  host router forward
  host east
  link west eth0 192.168.5.1/24,fd00:5::1/64 router eth0 192.168.5.254/24,fd00:5::fe/64
  link east eth0 192.168.25.9/24,fd00:25::9/64 router eth1 192.168.25.254/24,fd00:25::fe/64
  on west ip route add default via 192.168.5.254
  on west ip route add default via fd00:5::fe
  on east ip route add default via 192.168.25.254
  on east ip route add default via fd00:25::fe
}

# two_sites: westlan 192.168.99.10 - west 208.1.1.1 - internet - 208.2.2.2 east - east1 208.1.2.10, east2 208.1.5.10.
two_sites() {
  host westlan
  host west forward
  host internet forward
  host east forward
  host east1
  host east2
  link westlan eth0 192.168.99.10/24 west lan 192.168.99.1/24
  link west wan 208.1.1.1/24 internet eth0 208.1.1.254/24
  link east wan 208.2.2.2/24 internet eth1 208.2.2.254/24
  link east1 eth0 208.1.2.10/24 east lan1 208.1.2.1/24
  link east2 eth0 208.1.5.10/24 east lan2 208.1.5.1/24
  on westlan ip route add default via 192.168.99.1
  on west ip route add default via 208.1.1.254
  on east ip route add default via 208.2.2.254
  on east1 ip route add default via 208.1.2.1
  on east2 ip route add default via 208.1.5.1
}

need ip ping tcpdump nft
program
