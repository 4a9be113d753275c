# Sourced by examples/policy-*/run: asks the example's isakmpd.policy, as isakmpd would in phase 2.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
policy=$work/isakmpd.policy
install -m 600 "$here/isakmpd.policy" "$policy"
printf mekmitasdigoat >"$work/known"
printf 'something else' >"$work/unknown"
chmod 600 "$work/known" "$work/unknown"

# says true|false OPTIONS... [NAME=VALUE...]: asks, shows question and answer, and insists on the answer.
says() {
  local expected=$1 options=() attributes=() answer
  shift
  while [ $# -gt 0 ]; do
    case $1 in -*) options+=("$1" "$2"); shift 2 ;; *) attributes+=("$1"); shift ;; esac
  done
  echo "# ipsecbox policy test ${options[*]#"$work/"} isakmpd.policy ${attributes[*]}"
  answer=$(ipsecbox policy test "${options[@]}" "$policy" "${attributes[@]}") || true
  echo "${answer//$work\//}"
  [ "${answer%%$'\n'*}" = "$expected" ]
}

# certificates NAME...: an authority ca.crt, and NAME.crt with NAME as its identity.
certificates() {
  cd "$work"
  {
    ipsecbox pki ca -s "/C=SE/O=MySite/CN=MySite CA" -o ca.crt -k ca.key
    for name; do
      ipsecbox pki cert -s "/C=SE/O=MySite/CN=$name" -i "$name" -c ca.crt -k ca.key -o "$name.crt" -n "$name.key"
    done
  } >/dev/null 2>&1
}
