#!/bin/sh
# Makes this folder's certificates and CRLs with the openssl command: chains after the manner of NIST's PKITS, RSASSA-PSS
# and Ed25519 signatures, name constraints, odd strings and numbers. tests/x509 judges them on 2030-01-01.
set -eu
cd "$(dirname "$0")"
rm -f ./*.crt ./*.crl
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export WORK="$work"

cat >"$work/ca.cnf" <<'CNF'
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
CNF
: >"$work/index.txt"
echo 1000 >"$work/serial"
echo 01 >"$work/crlnumber"
export MASK=utf8only

# key NAME OPENSSL-GENPKEY-ARGUMENTS
key() { name=$1; shift; openssl genpkey "$@" -out "$work/$name.key" 2>/dev/null; }
# issue NAME SUBJECT KEY ISSUER|self EXTENSIONS [START END DIGEST OPTIONS...]
issue() {
  name=$1 subject=$2 keyname=$3 issuer=$4 start=${6:-20000101000000Z} end=${7:-20991231235959Z} digest=${8:-sha256}
  printf '[e]\n%b' "$5" >"$work/ext"
  if [ $# -gt 8 ]; then shift 8; else set --; fi
  openssl req -new -config "$work/ca.cnf" -utf8 -subj "$subject" -key "$work/$keyname.key" -out "$work/req"
  if [ "$issuer" = self ]; then by="-selfsign -keyfile $work/$keyname.key"
  else by="-cert $issuer.crt -keyfile $work/$(cat "$work/$issuer.keyname").key"; fi
  # shellcheck disable=SC2086
  openssl ca -batch -notext -config "$work/ca.cnf" $by -extfile "$work/ext" -extensions e -startdate "$start" \
    -enddate "$end" -md "$digest" -preserveDN "$@" -in "$work/req" -out "$name.crt" 2>"$work/log" ||
    { cat "$work/log"; exit 1; }
  echo "$keyname" >"$work/$name.keyname"
}
# crl FILE ISSUER LAST NEXT EXTENSIONS [REVOKED...]
crl() {
  : >"$work/index.txt"
  out=$1 issuer=$2 last=$3 next=$4 extensions=$5
  shift 5
  keyfile=$work/$(cat "$work/$issuer.keyname").key
  for each; do openssl ca -config "$work/ca.cnf" -cert "$issuer.crt" -keyfile "$keyfile" -revoke "$each.crt" 2>/dev/null; done
  sed -i 's/\(Z\t\)[0-9]*Z\t/\1200101000000Z\t/' "$work/index.txt"
  if [ -n "$extensions" ]; then extensions="-crlexts $extensions"; fi
  # shellcheck disable=SC2086
  openssl ca -config "$work/ca.cnf" -gencrl -cert "$issuer.crt" -keyfile "$keyfile" $extensions \
    -crl_lastupdate "$last" -crl_nextupdate "$next" -out "$out.crl" 2>/dev/null
}

ids='subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
ca="basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n$ids"
none='subjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n'
bare="basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n$none"
leaf="basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n$ids"
limited() { printf 'basicConstraints=critical,CA:TRUE,pathlen:%s\\nkeyUsage=critical,keyCertSign\\n%s' "$1" "$ids"; }
san() { printf '%ssubjectAltName=%s\\n' "$leaf" "$1"; }
forever='20000101000000Z 20991231235959Z'

for name in root a b c end; do key $name -algorithm EC -pkeyopt ec_paramgen_curve:P-256; done
key rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key odd -algorithm RSA -pkeyopt rsa_keygen_bits:2049
key pss -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048
key pss384 -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha384 \
  -pkeyopt rsa_pss_keygen_mgf1_md:sha384 -pkeyopt rsa_pss_keygen_saltlen:48
key ed -algorithm ED25519
key ed2 -algorithm ED25519

issue root '/O=Paths/CN=Root' root self "$ca"

# RSASSA-PSS
issue rsa-root '/O=Paths/CN=RSA root' rsa self "$ca"
issue odd-root '/O=Paths/CN=Odd root' odd self "$ca"
issue pss-root '/O=Paths/CN=PSS root' pss self "$ca"
issue pss384-root '/O=Paths/CN=PSS 384 root' pss384 self "$ca" $forever sha384
pss='-sigopt rsa_padding_mode:pss'
# shellcheck disable=SC2086
{
  issue pss-sha256 '/O=Paths/CN=PSS SHA-256' end rsa-root "$leaf" $forever sha256 $pss -sigopt rsa_pss_saltlen:32
  issue pss-sha512 '/O=Paths/CN=PSS SHA-512' end rsa-root "$leaf" $forever sha512 $pss -sigopt rsa_pss_saltlen:max
  issue pss-nosalt '/O=Paths/CN=PSS without salt' end rsa-root "$leaf" $forever sha256 $pss -sigopt rsa_pss_saltlen:0
  issue pss-mixed '/O=Paths/CN=PSS mixed' end rsa-root "$leaf" $forever sha384 $pss -sigopt rsa_mgf1_md:sha256
  issue pss-sha1 '/O=Paths/CN=PSS SHA-1' end rsa-root "$leaf" $forever sha1 $pss -sigopt rsa_pss_saltlen:20
  issue pss-odd '/O=Paths/CN=PSS odd' end odd-root "$leaf" $forever sha256 $pss
  issue pss-key '/O=Paths/CN=under a PSS key' end pss-root "$leaf" $forever sha256
  issue pss384-key '/O=Paths/CN=under a PSS 384 key' end pss384-root "$leaf" $forever sha384
  issue pss-leaf '/O=Paths/CN=PSS key' pss root "$leaf"
}

# Ed25519
issue ed-root '/O=Paths/CN=Ed25519 root' ed self "$ca" $forever default
issue ed-inter '/O=Paths/CN=Ed25519 intermediate' ed2 ed-root "$ca" $forever default
issue ed-mid '/O=Paths/CN=Ed25519 under ECDSA' ed root "$ca"
issue under-ed '/O=Paths/CN=under Ed25519' end ed-root "$leaf" $forever default
issue under-ed-inter '/O=Paths/CN=under two Ed25519' end ed-inter "$leaf" $forever default
issue under-ed-mid '/O=Paths/CN=under mixed' end ed-mid "$leaf" $forever default
issue ed-leaf '/O=Paths/CN=Ed25519 key' ed2 root "$leaf"

# Path lengths
issue len0 '/O=Paths/CN=Length 0' a root "$(limited 0)"
issue len1 '/O=Paths/CN=Length 1' a root "$(limited 1)"
issue under-len0 '/O=Paths/CN=one under 0' end len0 "$leaf"
issue len0-sub '/O=Paths/CN=CA under length 0' b len0 "$ca"
issue under-len0-sub '/O=Paths/CN=two under 0' end len0-sub "$leaf"
issue len1-sub '/O=Paths/CN=CA under length 1' b len1 "$(limited 5)" # more than its issuer has
issue under-len1-sub '/O=Paths/CN=two under 1' end len1-sub "$leaf"
issue len1-subsub '/O=Paths/CN=third CA' c len1-sub "$ca"
issue under-len1-subsub '/O=Paths/CN=three under 1' end len1-subsub "$leaf"
issue len0-rekeyed '/O=Paths/CN=Length 0' c len0 "$ca" # self-issued: not counted
issue under-rekeyed '/O=Paths/CN=under the new key' end len0-rekeyed "$leaf"

# Validity, usage, extensions of an intermediate
issue expired '/O=Paths/CN=Expired' a root "$ca" 20000101000000Z 20200101000000Z
issue under-expired '/O=Paths/CN=under the expired' end expired "$leaf"
issue coming '/O=Paths/CN=To come' a root "$ca" 20500101000000Z 20991231235959Z
issue under-coming '/O=Paths/CN=under one to come' end coming "$leaf"
issue nosign '/O=Paths/CN=No signing' a root "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n$ids"
issue under-nosign '/O=Paths/CN=under no signing' end nosign "$leaf"
issue notca '/O=Paths/CN=Not a CA' a root "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyCertSign\n$ids"
issue under-notca '/O=Paths/CN=under no CA' end notca "$leaf"
issue unknown '/O=Paths/CN=Unknown' a root "${ca}1.2.3.4=critical,ASN1:NULL\n"
issue under-unknown '/O=Paths/CN=under unknown' end unknown "$leaf"
issue harmless '/O=Paths/CN=Harmless' a root "${ca}1.2.3.4=ASN1:NULL\n"
issue under-harmless '/O=Paths/CN=under harmless' end harmless "$leaf"
issue policy '/O=Paths/CN=Policy' a root "${ca}policyConstraints=requireExplicitPolicy:0\n"
issue under-policy '/O=Paths/CN=under policy' end policy "$leaf"

# A and B signed each other; Root signed A once, too
issue loop-b '/O=Paths/CN=B' b self "$ca"
issue loop-a-by-b '/O=Paths/CN=A' a loop-b "$ca"
issue loop-b-by-a '/O=Paths/CN=B' b loop-a-by-b "$ca"
issue loop-a-by-root '/O=Paths/CN=A' a root "$ca"
issue under-loop '/O=Paths/CN=under the loop' end loop-b-by-a "$leaf"

# One name, three keys, no key identifiers
issue same-1 '/O=Paths/CN=Same' a self "$bare"
issue same-2 '/O=Paths/CN=Same' b self "$bare"
issue same-3 '/O=Paths/CN=Same' c self "$bare"
issue under-same '/O=Paths/CN=under the second' end same-2 "basicConstraints=CA:FALSE\n$none"

# Strings: one name and key in five encodings
for mask in PRINTABLE:2 T61:4 UTF8:8192 BMP:2048 UNIVERSAL:256; do
  MASK=MASK:${mask#*:} issue "string-$(echo "${mask%:*}" | tr A-Z a-z)" '/O=Paths/CN=String Root' a self "$ca"
done
issue under-string '/O=Paths/CN=under a string' end string-utf8 "$leaf"
MASK=MASK:4 issue t61 '/O=Paths/CN=Åke' end root "$(san DNS:t61.paths.se)"
MASK=MASK:2048 issue bmp '/O=Paths/CN=Ωmega' end root "$(san DNS:bmp.paths.se)"
MASK=utf8only issue utf8 '/O=Paths/CN=Ωmega' end root "$(san DNS:utf8.paths.se)"

# No subject; serial numbers
issue empty '/' end root "${leaf}subjectAltName=critical,DNS:empty.paths.se\n"
echo 7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF >"$work/serial"
issue huge '/O=Paths/CN=Huge serial' end root "$leaf"
printf '%065d0\n' 0 | tr 0 7 >"$work/serial"
issue huger '/O=Paths/CN=Too huge serial' end root "$leaf"
echo FB >"$work/serial"
issue serial-251 '/O=Paths/CN=251' end root "$leaf"
echo 2000 >"$work/serial"
printf '%b' "$leaf" | sed '/KeyIdentifier/d' >"$work/ext"
openssl req -new -config "$work/ca.cnf" -subj '/O=Paths/CN=-5' -key "$work/end.key" -out "$work/req"
openssl x509 -req -in "$work/req" -CA root.crt -CAkey "$work/root.key" -set_serial -5 -days 27000 -extfile "$work/ext" \
  -out serial-minus-5.crt 2>/dev/null

# Name constraints
constrained() { issue "$1" "/O=Paths/CN=Names $1" a root "${ca}nameConstraints=critical,$2\n${3:-}"; }
constrained dns 'permitted;DNS:mysite.se,excluded;DNS:secret.mysite.se'
issue dns-same '/CN=x' end dns "$(san DNS:mysite.se)"
issue dns-below '/CN=x' end dns "$(san DNS:GW.MySite.SE)"
issue dns-none '/CN=outside.se' end dns "$leaf"
issue dns-other-form '/CN=x' end dns "$(san email:joe@elsewhere.se)"
issue dns-suffix '/CN=x' end dns "$(san DNS:notmysite.se)"
issue dns-outside '/CN=x' end dns "$(san DNS:gw.mysite.se,DNS:gw.worksite.se)"
issue dns-excluded '/CN=x' end dns "$(san DNS:a.secret.mysite.se)"
issue dns-excluded-dot '/CN=x' end dns "$(san DNS:secret.mysite.se.)"
constrained email 'permitted;email:mysite.se,permitted;email:.worksite.se,permitted;email:boss@other.se,excluded;email:spy@mysite.se'
issue email-host '/CN=x' end email "$(san email:joe@MYSITE.se)"
issue email-below '/CN=x' end email "$(san email:joe@mail.worksite.se)"
issue email-box '/CN=x' end email "$(san email:boss@other.se)"
issue email-dn '/CN=x/emailAddress=joe@mysite.se' end email "$leaf"
issue email-sub '/CN=x' end email "$(san email:joe@sub.mysite.se)"
issue email-domain '/CN=x' end email "$(san email:joe@worksite.se)"
issue email-box-other '/CN=x' end email "$(san email:joe@other.se)"
issue email-excluded '/CN=x' end email "$(san email:spy@mysite.se)"
issue email-dn-outside '/CN=x/emailAddress=joe@elsewhere.se' end email "$leaf"
constrained ip 'permitted;IP:10.1.0.0/255.255.0.0,permitted;IP:2001:db8::/ffff:ffff::,excluded;IP:10.1.9.0/255.255.255.0'
issue ip-in '/CN=x' end ip "$(san IP:10.1.2.3,IP:2001:db8::7)"
issue ip-out '/CN=x' end ip "$(san IP:10.2.2.3)"
issue ip6-out '/CN=x' end ip "$(san IP:2001:db9::7)"
issue ip-excluded '/CN=x' end ip "$(san IP:10.1.9.200)"
constrained ip4 'permitted;IP:10.1.0.0/255.255.0.0'
issue ip4-six '/CN=x' end ip4 "$(san IP:2001:db8::7)"
constrained dir 'permitted;dirName:in,excluded;dirName:out' '[in]\nO=My Site\n[out]\nO=My Site\nOU=Secret\n'
issue dir-in '/O=MY  SITE/CN=x' end dir "$leaf"
issue dir-other '/O=Other/CN=x' end dir "$leaf"
issue dir-order '/CN=x/O=My Site' end dir "$leaf"
issue dir-excluded '/O=My Site/OU=Secret/CN=x' end dir "$leaf"
issue dir-san '/O=My Site/CN=x' end dir "$(san dirName:other)[other]\nO=Other\nCN=y\n"
constrained uri 'permitted;URI:.mysite.se'
issue uri-none '/CN=x' end uri "$leaf"
issue uri-has '/CN=x' end uri "$(san URI:http://gw.mysite.se/)"
# Two authorities, each with its own subtrees: both count. One that is its own issuer is not asked itself.
issue dns-sub '/O=Paths/CN=Names below' b dns "${ca}nameConstraints=critical,permitted;DNS:a.mysite.se\n"
issue dns-sub-in '/CN=x' end dns-sub "$(san DNS:x.a.mysite.se)"
issue dns-sub-out '/CN=x' end dns-sub "$(san DNS:x.b.mysite.se)"
issue dns-sub-wide '/O=Paths/CN=Names wider' c dns "${ca}nameConstraints=critical,permitted;DNS:worksite.se\n"
issue dns-wide-out '/CN=x' end dns-sub-wide "$(san DNS:gw.worksite.se)"
issue names-root '/O=Other/CN=Names root' a self "${ca}nameConstraints=permitted;DNS:mysite.se\n" # not critical; an anchor
issue anchor-in '/CN=x' end names-root "$(san DNS:gw.mysite.se)"
issue anchor-out '/CN=x' end names-root "$(san DNS:gw.worksite.se)"

# CRLs
issue victim '/O=Paths/CN=victim' end root "$leaf"
issue impostor '/O=Paths/CN=Root' c self "$bare" # the root's name, another key
crl root root 20290101000000Z 20990101000000Z c victim
crl clean root 20290101000000Z 20990101000000Z c
crl overdue root 20200101000000Z 20210101000000Z c
crl delta root 20290201000000Z 20990101000000Z delta victim
crl part root 20290101000000Z 20990101000000Z part
crl impostor impostor 20290101000000Z 20990101000000Z '' victim
crl nocrl len0 20290101000000Z 20990101000000Z c
crl ed ed-root 20290101000000Z 20990101000000Z c under-ed
crl minus root 20290101000000Z 20990101000000Z c serial-minus-5
crl plus root 20290101000000Z 20990101000000Z c serial-251
