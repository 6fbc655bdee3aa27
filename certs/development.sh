#!/bin/sh
# Creates a CA for development, and a serving certificate from it.
#
# usage: certs/development.sh DIRECTORY [NAME ...]
#
# DIRECTORY gets ca.crt, ca.key, tls.crt and tls.key; existing ones are replaced. Each
# NAME is a DNS name or an IPv4 address of the server, beside localhost, 127.0.0.1 and ::1. They are valid
# for 30 days. Needs openssl 1.1.1 or newer.
set -eu

if [ $# -lt 1 ]; then
  echo "usage: $0 DIRECTORY [NAME ...]" >&2
  exit 2
fi
directory=$1
shift

names=DNS:localhost,IP:127.0.0.1,IP:::1
for name in "$@"; do
  case $name in
    *[!0-9.]*) names=$names,DNS:$name ;;
    *) names=$names,IP:$name ;;
  esac
done

umask 077
mkdir -p "$directory"
cd "$directory"
settings=$(mktemp)
# openssl's own settings would add other extensions.
printf '[req]\ndistinguished_name = name\n[name]\n' > "$settings"

trap 'rm -f "$settings" "$settings.extensions" tls.csr ca.srl' EXIT
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'

# Unquoted, $key is several arguments.
openssl req -x509 -config "$settings" -days 30 -sha256 $key \
  -subj '/CN=kpack-notary development CA' -keyout ca.key -out ca.crt \
  -addext basicConstraints=critical,CA:TRUE,pathlen:0 \
  -addext keyUsage=critical,keyCertSign,cRLSign 2> /dev/null
printf '%s\n' \
  basicConstraints=critical,CA:FALSE \
  keyUsage=critical,digitalSignature \
  extendedKeyUsage=serverAuth \
  subjectKeyIdentifier=hash \
  authorityKeyIdentifier=keyid \
  "subjectAltName=$names" > "$settings.extensions"
openssl req -new -config "$settings" -sha256 $key \
  -subj '/CN=kpack-notary development' -keyout tls.key -out tls.csr 2> /dev/null
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -sha256 \
  -extfile "$settings.extensions" -out tls.crt 2> /dev/null

echo "$directory: ca.crt, ca.key, tls.crt and tls.key, good for 30 days"
