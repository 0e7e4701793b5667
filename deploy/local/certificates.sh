#!/usr/bin/env bash
# Makes an authority and certificates for the calls between gateways and storage nodes (mutual TLS, docs/settings.md: rpc.tls_*).
#   certificates.sh DIR [--days N] ROLE/NAME...        for example: certificates.sh certs gateway/gateway-1 node/node-1 node/node-2
# ROLE is gateway or node, NAME that of the process (node.name of a node): each process has a certificate of its own. DIR gets
# authority.pem and authority.key (keep the key off the cluster), and NAME.pem and NAME.key of each. Run again with the same DIR
# it renews the certificates that are named under the same authority; SIGHUP has a process take them. N: days they are valid (825).
set -euo pipefail
directory=${1:?certificates.sh wants a folder}
shift
days=825
if [ "${1:-}" = --days ]; then
  days=${2:?--days wants a number}
  shift 2
fi
[ $# -gt 0 ] || { echo "certificates.sh: name what the certificates are for, as node/node-1" >&2; exit 2; }
for peer in "$@"; do
  [[ $peer =~ ^(gateway|node)/[A-Za-z0-9][A-Za-z0-9._-]{0,127}$ ]] ||
    { echo "certificates.sh: '$peer' is neither gateway/NAME nor node/NAME" >&2; exit 2; }
  [ "${peer#*/}" != authority ] || { echo "certificates.sh: no process may be called authority" >&2; exit 2; }
done
umask 077
mkdir -p "$directory"
cd "$directory"
work=$(mktemp -d "$PWD/.new-XXXXXX")
trap 'rm -rf "$work"' EXIT

run() { "$@" 2> "$work/log" || { cat "$work/log" >&2; exit 1; }; }

if [ ! -e authority.key ]; then
  run openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=Rondel cluster authority" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout authority.key -out authority.pem
fi
for peer in "$@"; do
  role=${peer%%/*} name=${peer#*/}
  run openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/O=rondel-$role" -keyout "$work/key" -out "$work/csr"
  printf 'subjectAltName=DNS:rondel-%s,URI:spiffe://rondel/%s/%s\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n' \
    "$role" "$role" "$name" > "$work/extensions"
  run openssl x509 -req -in "$work/csr" -CA authority.pem -CAkey authority.key -set_serial "0x$(openssl rand -hex 16)" -days "$days" \
    -extfile "$work/extensions" -out "$work/pem"
  chmod 644 "$work/pem"
  mv "$work/key" "$name.key"
  mv "$work/pem" "$name.pem"
done
chmod 644 authority.pem
echo "certificates are in $directory"
