#!/bin/sh
# Writes abi.json. Needs gcc for x86-64 and gcc-aarch64-linux-gnu with libc6-dev-arm64-cross.
set -e
cd "$(dirname "$0")"
values() { # compiler
  "$1" -O1 -S -o - abi.c | awk '
    /^v_[A-Za-z0-9_]*:/ { name = substr($1, 3, length($1) - 3) }
    name && ($1 == ".quad" || $1 == ".xword") { printf "%s    \"%s\": %s", separator, name, $2; separator = ",\n"; name = "" }
    name && $1 == ".zero" { printf "%s    \"%s\": 0", separator, name; separator = ",\n"; name = "" }'
}
{
  printf '{\n  "x86_64": {\n'
  values "${CC_X86_64:-x86_64-linux-gnu-gcc}"
  printf '\n  },\n  "aarch64": {\n'
  values "${CC_AARCH64:-aarch64-linux-gnu-gcc}"
  printf '\n  }\n}\n'
} >abi.json.new
mv abi.json.new abi.json
