#!/bin/sh
# Makes this folder's certificates, CRLs and keys with the openssl command, good ones and bad ones. tests/x509 judges
# them on 2030-01-01.
set -eu
cd "$(dirname "$0")"
rm -f ./*.crt ./*.crl ./*.key
keys=.
. ./ca.sh
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

crl ca ca 20290101000000Z 20990101000000Z c revoked
crl stale ca 20200101000000Z 20210101000000Z c
crl coming ca 20500101000000Z 20990101000000Z c
crl nothing ca 20290101000000Z 20990101000000Z c
# The true authority's name and key identifier, another key's signature.
openssl crl -in nothing.crl -outform DER -out "$work/forged.der"
printf '\001' | dd of="$work/forged.der" bs=1 seek=$(($(stat -c %s "$work/forged.der") - 9)) conv=notrunc 2>/dev/null
openssl crl -inform DER -in "$work/forged.der" -out forged.crl
chmod 644 ./*.key
