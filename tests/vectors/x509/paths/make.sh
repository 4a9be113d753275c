#!/bin/sh
# Makes this folder's certificates and CRLs with the openssl command: chains after the manner of NIST's PKITS, RSASSA-PSS
# and Ed25519 signatures, name constraints, odd strings and numbers. tests/x509 judges them on 2030-01-01.
set -eu
cd "$(dirname "$0")"
rm -f ./*.crt ./*.crl
. ../ca.sh

none='subjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n'
bare="basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n$none"
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
constrained uri 'permitted;URI:.mysite.se,permitted;URI:host.worksite.se,excluded;URI:secret.mysite.se'
uri() { issue "uri-$1" '/CN=x' end uri "$(san "URI:$2")"; }
issue uri-none '/CN=x' end uri "$leaf"
uri below http://gw.mysite.se/
uri port 'http://GW.MySite.se:8080/a?b=c'
uri host ftp://host.worksite.se
uri user http://evil.se@gw.mysite.se/
uri domain http://mysite.se/
uri suffix http://gw.notmysite.se/
uri outside http://gw.worksite.se/
uri user-outside http://gw.mysite.se:x@evil.se/
uri excluded http://secret.mysite.se/
uri address http://10.0.0.1/
uri nowhere urn:mysite.se
constrained uri-but 'excluded;URI:.mysite.se'
issue uri-but-good '/CN=x' end uri-but "$(san URI:http://mysite.se/)"
issue uri-but-bad '/CN=x' end uri-but "$(san URI:http://gw.mysite.se/)"
issue uri-but-address '/CN=x' end uri-but "$(san URI:http://10.0.0.1/)"
constrained other 'permitted;RID:1.2.3'
issue other-none '/CN=x' end other "$leaf"
issue other-has '/CN=x' end other "$(san RID:1.2.3)"
# Two authorities, each with its own subtrees: both count. One that is its own issuer is not asked itself.
issue dns-sub '/O=Paths/CN=Names below' b dns "${ca}nameConstraints=critical,permitted;DNS:a.mysite.se\n"
issue dns-sub-in '/CN=x' end dns-sub "$(san DNS:x.a.mysite.se)"
issue dns-sub-out '/CN=x' end dns-sub "$(san DNS:x.b.mysite.se)"
issue dns-sub-wide '/O=Paths/CN=Names wider' c dns "${ca}nameConstraints=critical,permitted;DNS:worksite.se\n"
issue dns-wide-out '/CN=x' end dns-sub-wide "$(san DNS:gw.worksite.se)"
issue names-root '/O=Other/CN=Names root' a self "${ca}nameConstraints=permitted;DNS:mysite.se\n" # not critical; an anchor
issue anchor-in '/CN=x' end names-root "$(san DNS:gw.mysite.se)"
issue anchor-out '/CN=x' end names-root "$(san DNS:gw.worksite.se)"

# Policies. authority NAME KEY ISSUER EXTENSIONS [SUBJECT], under NAME ISSUER [EXTENSIONS]; A, B and C are policies
A=1.2.3.1 B=1.2.3.2 C=1.2.3.3 any=2.5.29.32.0
authority() { issue "policy-$1" "/O=Paths/CN=Policy ${5:-$1}" "$2" "$3" "$ca$4\n"; }
under() { issue "policy-$1" "/O=Paths/CN=under $1" end "policy-$2" "$leaf${3:-}\n"; }
has() { printf 'certificatePolicies=%s\\n' "$1"; }
maps() { printf 'policyMappings=%s\\n' "$1"; }
constrains() { printf 'policyConstraints=critical,%s\\n' "$1"; }
authority must-a a root "$(has $A)$(constrains requireExplicitPolicy:0)"
under a must-a "$(has $A)"
under b must-a "$(has $B)"
under none must-a
under any must-a "$(has $any)"
authority must-one a root "$(has $A)$(constrains requireExplicitPolicy:1)"
under one-none must-one
authority one-sub b policy-must-one "$(has $A,$B)"
under one-sub-a one-sub "$(has $A)"
under one-sub-b one-sub "$(has $B)"
authority must-two a root "$(constrains requireExplicitPolicy:2)" # and has none itself
under two-none must-two
authority two-sub b policy-must-two "$(has $A)"
under two-sub-a two-sub "$(has $A)"
authority two-again b policy-must-two '' must-two # self-issued: not counted
under two-again-none two-again
authority open a root "$(has $any)"
under open-none open # nobody demands one
authority open-sub b policy-open "$(has $A)$(constrains requireExplicitPolicy:0)"
under open-sub-a open-sub "$(has $A)"
under open-sub-b open-sub "$(has $B)"
authority no-any a root "$(has $A)$(constrains requireExplicitPolicy:0)inhibitAnyPolicy=critical,0\n"
under no-any-any no-any "$(has $any)"
under no-any-a no-any "$(has $A,$any)"
authority no-any-sub b policy-no-any "$(has $any)"
under no-any-sub-a no-any-sub "$(has $A)"
authority no-any-again b policy-no-any "$(has $any)" no-any # self-issued: any counts
under no-any-again-a no-any-again "$(has $A)"
authority map a root "$(has $A)$(maps $A:$B,$A:$C)$(constrains requireExplicitPolicy:0)"
under map-a map "$(has $A)"
under map-b map "$(has $B)"
under map-c map "$(has $C)"
authority map-sub b policy-map "$(has $B)$(maps $B:$A)"
under map-sub-a map-sub "$(has $A)"
under map-sub-b map-sub "$(has $B)"
authority map-any a root "$(has $any)$(maps $A:$B)$(constrains requireExplicitPolicy:0)"
under map-any-a map-any "$(has $A)"
under map-any-c map-any "$(has $C)"
authority no-map a root "$(has $A,$C)$(constrains requireExplicitPolicy:0,inhibitPolicyMapping:0)"
authority no-map-sub b policy-no-map "$(has $A,$C)$(maps $A:$B)"
under no-map-a no-map-sub "$(has $A)"
under no-map-b no-map-sub "$(has $B)"
under no-map-c no-map-sub "$(has $C)"
under end-demands open-sub "$(has $A)$(constrains requireExplicitPolicy:0)"
under end-lacks open "$(constrains requireExplicitPolicy:0)"
authority anchor a self "$(constrains requireExplicitPolicy:0)"
under anchor-none anchor
under anchor-a anchor "$(has $A)"
under map-none-any map "$(maps $any:$A)"

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
