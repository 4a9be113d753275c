#!/bin/sh
# Makes this folder's certificates, CRLs and keys with the openssl command, good ones and bad ones. tests/x509 judges
# them on 2030-01-01.
set -eu
cd "$(dirname "$0")"
rm -f ./*.crt ./*.crl ./*.key
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

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
CN=optional
emailAddress=optional
[req]
distinguished_name=dn
[dn]
[c]
authorityKeyIdentifier=keyid
EOF
export WORK="$work"
: >"$work/index.txt"
echo 1000 >"$work/serial"
echo 01 >"$work/crlnumber"

# key NAME OPENSSL-GENPKEY-ARGUMENTS
key() { name=$1; shift; openssl genpkey "$@" -out "$name.key" 2>/dev/null; }
# issue NAME SUBJECT KEY ISSUER|self EXTENSIONS [START END DIGEST]
issue() {
  printf '[e]\n%b' "$5" >"$work/ext"
  openssl req -new -config "$work/ca.cnf" -utf8 -subj "$2" -key "$3.key" -out "$work/req"
  if [ "$4" = self ]; then by="-selfsign -keyfile $3.key"; else by="-cert $4.crt -keyfile $(cat "$work/$4.keyname").key"; fi
  ext="-extfile $work/ext -extensions e"
  [ -n "$5" ] || ext=
  # shellcheck disable=SC2086
  openssl ca -batch -notext -config "$work/ca.cnf" $by $ext -startdate "${6:-20000101000000Z}" \
    -enddate "${7:-20991231235959Z}" -md "${8:-sha256}" -preserveDN -in "$work/req" -out "$1.crt" 2>"$work/log" ||
    { cat "$work/log"; exit 1; }
  echo "$3" >"$work/$1.keyname"
}
# crl FILE ISSUER KEY LAST NEXT [REVOKED...]
crl() {
  : >"$work/index.txt"
  out=$1 issuer=$2 keyname=$3 last=$4 next=$5
  shift 5
  for each; do
    openssl ca -config "$work/ca.cnf" -cert "$issuer.crt" -keyfile "$keyname.key" -revoke "$each.crt" \
      -crl_reason keyCompromise 2>/dev/null
  done
  sed -i 's/\t[0-9]*Z,/\t200101000000Z,/' "$work/index.txt"

  openssl ca -config "$work/ca.cnf" -gencrl -cert "$issuer.crt" -keyfile "$keyname.key" -crlexts c \
    -crl_lastupdate "$last" -crl_nextupdate "$next" -out "$out.crl" 2>/dev/null
}

ids='subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
ca="basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n$ids"
leaf="basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n$ids"
fqdn() { printf '%ssubjectAltName=critical,DNS:%s\n' "$leaf" "$1"; }

key ca -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key twin -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key gw -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key short -algorithm RSA -pkeyopt rsa_keygen_bits:512
key p256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256
key p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
key p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521
key ed25519 -algorithm ED25519
openssl dsaparam -noout -genkey 1024 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -out dsa.key

issue ca '/C=SE/O=MySite/CN=MySite CA' ca self "$ca"
issue twin '/C=SE/O=MySite/CN=MySite CA' twin self "$ca" # another authority of the same name
issue stranger '/C=SE/O=Elsewhere/CN=CA' twin self "$ca"
issue inter '/C=SE/O=MySite/CN=Intermediate' twin ca "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n$ids"
issue deeper '/C=SE/O=MySite/CN=Deeper' p256 inter "$ca"
issue expired-ca '/C=SE/O=MySite/CN=Expired CA' ca self "$ca" 20000101000000Z 20200101000000Z
issue nosign-ca '/C=SE/O=MySite/CN=No sign CA' ca self "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature\n$ids"
issue constrained '/C=SE/O=MySite/CN=Constrained' twin ca "${ca}nameConstraints=permitted;DNS:mysite.se\n"
issue v1-ca '/C=SE/O=MySite/CN=Old CA' ca self '' # what README.PKI's commands made
issue md5-ca '/C=SE/O=MySite/CN=MD5 CA' ca self "$ca" 20000101000000Z 20991231235959Z md5
issue ec-ca '/C=SE/O=MySite/CN=EC CA' p384 self "$ca"
issue ed25519-ca '/C=SE/O=MySite/CN=Ed25519 CA' ed25519 self "$ca" 20000101000000Z 20991231235959Z default

issue gw '/C=SE/O=MySite/CN=gw.mysite.se' gw ca "$(fqdn gw.mysite.se)\n"
issue worksite '/C=SE/O=MySite/CN=gw.worksite.se' p256 ca "$(fqdn gw.worksite.se)\n"
issue attacker '/C=SE/O=MySite/CN=evil.mysite.se' p256 ca "$(fqdn evil.mysite.se)\n"
issue many '/C=SE/O=MySite/CN=many' gw ca "${leaf}subjectAltName=IP:10.0.0.1,IP:2001:db8::1,DNS:many.mysite.se,email:Boss@mysite.se,URI:http://x/\n"
issue email '/C=SE/O=MySite/CN=Åke/emailAddress=ake@mysite.se' gw ca "${leaf}subjectAltName=email:ake@mysite.se\n"
issue slash '/C=SE/O=MySite\/CN=gw.mysite.se/CN=x' gw ca "$leaf"
issue under-inter '/C=SE/O=MySite/CN=under' gw inter "$(fqdn under.mysite.se)\n"
issue under-deeper '/C=SE/O=MySite/CN=too deep' gw deeper "$leaf"
issue under-twin '/C=SE/O=MySite/CN=of the twin' gw twin "$leaf"
issue under-stranger '/C=SE/O=MySite/CN=stranger' gw stranger "$leaf"
issue under-leaf '/C=SE/O=MySite/CN=by a gateway' p256 gw "$leaf"
issue under-expired '/C=SE/O=MySite/CN=of the expired' gw expired-ca "$leaf"
issue under-nosign '/C=SE/O=MySite/CN=of nosign' gw nosign-ca "$leaf"
issue under-constrained '/C=SE/O=MySite/CN=constrained' gw constrained "$leaf"
issue under-v1 '/C=SE/O=MySite/CN=of the old' gw v1-ca ''
issue under-md5 '/C=SE/O=MySite/CN=of the md5' gw md5-ca "$leaf"
issue under-ec '/C=SE/O=MySite/CN=ec' p521 ec-ca "$leaf" 20000101000000Z 20991231235959Z sha512
issue under-ed25519 '/C=SE/O=MySite/CN=ed' gw ed25519-ca "$leaf" 20000101000000Z 20991231235959Z default
issue dsa '/C=SE/O=MySite/CN=dsa' dsa ca "$leaf"
issue expired '/C=SE/O=MySite/CN=expired' gw ca "$leaf" 20000101000000Z 20200101000000Z
issue future '/C=SE/O=MySite/CN=future' gw ca "$leaf" 20500101000000Z 20991231235959Z
issue revoked '/C=SE/O=MySite/CN=revoked' gw ca "$leaf"
issue short '/C=SE/O=MySite/CN=short' short ca "$leaf"
issue md5 '/C=SE/O=MySite/CN=md5' gw ca "$leaf" 20000101000000Z 20991231235959Z md5
issue sha1 '/C=SE/O=MySite/CN=sha1' gw ca "$leaf" 20000101000000Z 20991231235959Z sha1
issue encipher '/C=SE/O=MySite/CN=encipher' gw ca "keyUsage=critical,keyEncipherment\n$ids"
issue server '/C=SE/O=MySite/CN=server' gw ca "${leaf}extendedKeyUsage=critical,serverAuth\n"
issue ike '/C=SE/O=MySite/CN=ike' gw ca "${leaf}extendedKeyUsage=critical,ipsecIKE\n"
issue unknown '/C=SE/O=MySite/CN=unknown' gw ca "${leaf}1.2.3.4=critical,ASN1:NULL\n"
issue alone '/C=SE/O=MySite/CN=alone' gw self "$(fqdn alone.mysite.se)\n"

crl ca ca ca 20290101000000Z 20990101000000Z revoked
crl stale ca ca 20200101000000Z 20210101000000Z
crl coming ca ca 20500101000000Z 20990101000000Z
crl nothing ca ca 20290101000000Z 20990101000000Z
# The true authority's name and key identifier, another key's signature.
openssl crl -in nothing.crl -outform DER -out "$work/forged.der"
printf '\001' | dd of="$work/forged.der" bs=1 seek=$(($(stat -c %s "$work/forged.der") - 9)) conv=notrunc 2>/dev/null
openssl crl -inform DER -in "$work/forged.der" -out forged.crl
chmod 644 ./*.key
