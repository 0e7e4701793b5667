#!/usr/bin/env bash
# Makes an authority and certificates for the calls between gateways and storage nodes (mutual TLS, docs/settings.md: rpc.tls_*).
#   certificates.sh DIR [DAYS]
# DIR gets authority.pem and authority.key (keep the key off the cluster), gateway.pem, gateway.key, node.pem, node.key. Run again
# with the same DIR it renews the two certificates under the same authority. DAYS: how long they are valid (825).
set -euo pipefail
directory=${1:?certificates.sh wants a folder}
days=${2:-825}
umask 077
mkdir -p "$directory"
cd "$directory"

if [ ! -e authority.key ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=Rondel cluster authority" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout authority.key -out authority.pem 2> openssl.log || { cat openssl.log >&2; exit 1; }
fi
for role in gateway node; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=rondel-$role" -keyout "$role.key" -out "$role.csr" 2> openssl.log ||
    { cat openssl.log >&2; exit 1; }
  printf 'subjectAltName=DNS:rondel-%s\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n' "$role" > extensions
  openssl x509 -req -in "$role.csr" -CA authority.pem -CAkey authority.key -CAcreateserial -days "$days" -extfile extensions \
    -out "$role.pem" 2> openssl.log || { cat openssl.log >&2; exit 1; }
done
rm -f ./*.csr extensions openssl.log
chmod 644 authority.pem gateway.pem node.pem
echo "certificates are in $directory"
