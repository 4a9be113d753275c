# What the make.sh of this folder and of paths/ have in common: a folder for work, openssl's configuration, and functions
# that make keys, certificates and CRLs. Sourced by them with
#   keys  where private keys go; the folder for work if it is not set
# shellcheck shell=sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: "${keys:=$work}"
export WORK="$work" MASK=utf8only

cat >"$work/ca.cnf" <<'EOF'
[ca]
default_ca=d
[d]
database=${ENV::WORK}/index.txt
serial=${ENV::WORK}/serial
crlnumber=${ENV::WORK}/crlnumber
new_certs_dir=${ENV::WORK}
policy=p
unique_subject=no
default_md=sha256
email_in_dn=yes
[p]
C=optional
O=optional
OU=optional
CN=optional
emailAddress=optional
[req]
distinguished_name=dn
string_mask=${ENV::MASK}
[dn]
[c]
authorityKeyIdentifier=keyid
[delta]
authorityKeyIdentifier=keyid
2.5.29.27=critical,ASN1:INTEGER:1
[part]
authorityKeyIdentifier=keyid
issuingDistributionPoint=critical,@idp
[idp]
onlyuser=TRUE
EOF
: >"$work/index.txt"
echo 1000 >"$work/serial"
echo 01 >"$work/crlnumber"

# key NAME OPENSSL-GENPKEY-ARGUMENTS
key() { name=$1; shift; openssl genpkey "$@" -out "$keys/$name.key" 2>/dev/null; }
# issue NAME SUBJECT KEY ISSUER|self EXTENSIONS [START END DIGEST OPTIONS...]; without extensions version 1
issue() {
  name=$1 subject=$2 keyname=$3 issuer=$4 start=${6:-20000101000000Z} end=${7:-20991231235959Z} digest=${8:-sha256}
  printf '[e]\n%b' "$5" >"$work/ext"
  ext="-extfile $work/ext -extensions e"
  [ -n "$5" ] || ext=
  if [ $# -gt 8 ]; then shift 8; else set --; fi
  openssl req -new -config "$work/ca.cnf" -utf8 -subj "$subject" -key "$keys/$keyname.key" -out "$work/req"
  if [ "$issuer" = self ]; then by="-selfsign -keyfile $keys/$keyname.key"
  else by="-cert $issuer.crt -keyfile $keys/$(cat "$work/$issuer.keyname").key"; fi
  # shellcheck disable=SC2086
  openssl ca -batch -notext -config "$work/ca.cnf" $by $ext -startdate "$start" -enddate "$end" -md "$digest" \
    -preserveDN "$@" -in "$work/req" -out "$name.crt" 2>"$work/log" || { cat "$work/log"; exit 1; }
  echo "$keyname" >"$work/$name.keyname"
}
# crl FILE ISSUER LAST NEXT EXTENSIONS [REVOKED...]; what it revokes was revoked on 2020-01-01
crl() {
  : >"$work/index.txt"
  out=$1 issuer=$2 last=$3 next=$4 extensions=$5
  shift 5
  keyfile=$keys/$(cat "$work/$issuer.keyname").key
  for each; do
    openssl ca -config "$work/ca.cnf" -cert "$issuer.crt" -keyfile "$keyfile" -revoke "$each.crt" \
      -crl_reason keyCompromise 2>/dev/null
  done
  sed -i 's/\t[0-9]*Z,/\t200101000000Z,/' "$work/index.txt"
  if [ -n "$extensions" ]; then extensions="-crlexts $extensions"; fi
  # shellcheck disable=SC2086
  openssl ca -config "$work/ca.cnf" -gencrl -cert "$issuer.crt" -keyfile "$keyfile" $extensions \
    -crl_lastupdate "$last" -crl_nextupdate "$next" -out "$out.crl" 2>/dev/null
}

ids='subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
ca="basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n$ids"
leaf="basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n$ids"
