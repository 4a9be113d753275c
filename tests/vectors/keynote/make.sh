#!/bin/sh
# Makes the signed credentials of this folder with the openssl command alone, as an implementation apart from ours.
# Signed text: everything before "Signature:", then the algorithm's name (RFC 2792 section 4).
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

hex() { od -An -v -tx1 | tr -d ' \n'; }

openssl genrsa -traditional -out rsa.pem 1024 2>/dev/null
openssl dsaparam -noout -genkey 1024 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -out dsa.pem
openssl req -new -x509 -key rsa.pem -subj /CN=signer -days 36500 -out rsa.crt
rsa_key="rsa-hex:$(openssl rsa -in rsa.pem -RSAPublicKey_out -outform DER 2>/dev/null | hex)"
x509_key="x509-base64:$(openssl x509 -in rsa.crt -outform DER | base64 -w0)"

# SEQUENCE(y, p, q, g) out of openssl's text.
openssl dsa -in dsa.pem -noout -text 2>/dev/null >"$work/dsa.txt"
number() { awk -v name="$1:" '$1 == name { on = 1; next } /^[A-Za-z]/ { on = 0 } on' "$work/dsa.txt" | tr -d ' :\n'; }
cat >"$work/dsa.cnf" <<EOF
asn1=SEQUENCE:key
[key]
y=INTEGER:0x$(number pub)
p=INTEGER:0x$(number P)
q=INTEGER:0x$(number Q)
g=INTEGER:0x$(number G)
EOF
openssl asn1parse -genconf "$work/dsa.cnf" -noout -out "$work/dsa.der"
dsa_key="dsa-hex:$(hex <"$work/dsa.der")"

body() {
  printf 'KeyNote-Version: 2\nAuthorizer: "%s"\nLicensees: "alice"\nConditions: x == "1";\n' "$1"
}
# credential FILE KEY ALGORITHM: the signature comes on stdin
credential() {
  { body "$2"; printf 'Signature: "%s%s"\n' "$3" "$(hex)"; } >"$1"
}
signed() { body "$1"; printf '%s' "$2"; }
digest() { signed "$1" "$2" | openssl dgst -"$3" -binary; }
# PKCS#1 padding of type 1 around what comes on stdin
enclose() { openssl pkeyutl -sign -inkey rsa.pem -pkeyopt rsa_padding_mode:pkcs1; }

a=sig-rsa-sha1-hex:
{ printf '\004\024'; digest "$rsa_key" $a sha1; } | enclose | credential rsa-sha1-openbsd.kn "$rsa_key" $a
signed "$rsa_key" $a | openssl dgst -sha1 -sign rsa.pem >"$work/sig"
credential rsa-sha1-digestinfo.kn "$rsa_key" $a <"$work/sig"
{ printf '\004\201\200'; cat "$work/sig"; } | credential rsa-sha1-rfc2792.kn "$rsa_key" $a
a=sig-rsa-md5-hex:
{ printf '\004\020'; digest "$rsa_key" $a md5; } | enclose | credential rsa-md5-openbsd.kn "$rsa_key" $a
a=sig-rsa-sha256-hex:
signed "$rsa_key" $a | openssl dgst -sha256 -sign rsa.pem | credential rsa-sha256.kn "$rsa_key" $a
a=sig-x509-sha1-hex:
# DigestInfo with shaWithRSAEncryption, 1.3.14.3.2.15
{ printf '\060\041\060\011\006\005\053\016\003\002\017\005\000\004\024'; digest "$x509_key" $a sha1; } |
  enclose | credential x509-sha1-openbsd.kn "$x509_key" $a
signed "$x509_key" $a | openssl dgst -sha1 -sign rsa.pem | credential x509-sha1-digestinfo.kn "$x509_key" $a
a=sig-dsa-sha1-hex:
signed "$dsa_key" $a | openssl dgst -sha1 -sign dsa.pem | credential dsa-sha1.kn "$dsa_key" $a
