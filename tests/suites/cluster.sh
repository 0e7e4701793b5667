# Sourced by the suites: a fresh cluster of a finished build, as their options ask, with two accounts and two keys of the key ring.
#   --bin BUILD      build folder (build/release)
#   --port N         first of 500 ports; free ones unless named
#   --degraded       one storage node is killed before the run
#   --gateways N     N gateways behind a proxy that gives each request to the next one (haproxy)
#   --https          over TLS
# Afterwards SUITE_ENDPOINT, SUITE_HOST, SUITE_PORT, SUITE_TLS (true or false), SUITE_WORK (a folder); what was not an option is in
# the array rest. The cluster ends with the script.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$root/build/release port= degraded=false gateways=1 SUITE_TLS=false rest=()
while [ $# -gt 0 ]; do
  case $1 in
    --bin) bin=$(cd "$2" && pwd) && shift 2 ;;
    --port) port=$2 && shift 2 ;;
    --degraded) degraded=true && shift ;;
    --gateways) gateways=$2 && shift 2 ;;
    --https) SUITE_TLS=true && shift ;;
    *) rest+=("$1") && shift ;;
  esac
done

[ -n "$port" ] || port=$(cd "$root/tests/e2e" && /usr/bin/python3 -c 'import cluster; print(cluster.free_ports())') || exit 1
SUITE_WORK=$(mktemp -d /tmp/rondel-suite-XXXXXX)
chmod 755 "$SUITE_WORK"
SUITE_HOST=127.0.0.1 SUITE_PORT=$port
SUITE_MAIN_KEY=MAINMAINMAINMAINMAIN SUITE_MAIN_SECRET=main-secret-main-secret
SUITE_ALT_KEY=ALTALTALTALTALTALTAL SUITE_ALT_SECRET=alt-secret-alt-secret
SUITE_MAIN_ID= SUITE_ALT_ID=

end_suite() {
  [ -f "$SUITE_WORK/proxy.pid" ] && kill "$(cat "$SUITE_WORK/proxy.pid")" 2> /dev/null
  "$root/deploy/local/down.sh" --bin "$bin" --data "$SUITE_WORK/cluster" --wipe > /dev/null 2>&1
  [ -n "${SUITE_KEEP:-}" ] || rm -rf "$SUITE_WORK"
}
trap end_suite EXIT

rondel() { "$SUITE_WORK/cluster/bin/rondel" "$@"; }

# name, access key, secret -> canonical id
make_account() {
  RONDEL_SECRET_KEY=$3 rondel account create --name "$1" --display-name "$1" --email "$1@example.test" --access-key "$2" > /dev/null || return 1
  rondel account show "$1" | awk '/^canonical id/ { print $3 }'
}

make_certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 -addext "subjectAltName=IP:127.0.0.1,DNS:localhost" \
    -keyout "$SUITE_WORK/tls.key" -out "$SUITE_WORK/tls.crt" 2> /dev/null
}

# It hands on what clients send as it is, Expect: 100-continue too.
start_proxy() {
  local listen=$((port + 50)) client_tls="" gateway_tls="" i
  if $SUITE_TLS; then
    cat "$SUITE_WORK/tls.crt" "$SUITE_WORK/tls.key" > "$SUITE_WORK/tls.pem"
    client_tls="ssl crt $SUITE_WORK/tls.pem alpn http/1.1" gateway_tls="ssl verify none"
  fi
  cat > "$SUITE_WORK/proxy.cfg" <<CONF
global
  maxconn 4096
  tune.bufsize 65536
defaults
  mode http
  option http-no-delay
  timeout connect 5s
  timeout client 300s
  timeout server 300s
frontend s3
  bind 127.0.0.1:$listen $client_tls
  option accept-invalid-http-request
  # Who waited for 100 and was refused takes the end of the connection for granted, as the gateway ends its own.
  http-request set-var(txn.waits) bool(true) if { req.hdr(Expect) -m found }
  http-after-response set-header Connection close if { var(txn.waits) -m bool } { status 400:599 }
  default_backend gateways
backend gateways
  balance roundrobin
CONF
  for ((i = 0; i < gateways; i++)); do echo "  server gateway-$i 127.0.0.1:$((port + i)) $gateway_tls" >> "$SUITE_WORK/proxy.cfg"; done
  haproxy -D -f "$SUITE_WORK/proxy.cfg" -p "$SUITE_WORK/proxy.pid" || return 1
  SUITE_PORT=$listen
}

up() {
  "$root/deploy/local/up.sh" --bin "$bin" --no-install --data "$SUITE_WORK/cluster" --port "$port" --gateways "$gateways" "$@" > "$SUITE_WORK/up.log" || {
    cat "$SUITE_WORK/up.log" >&2
    return 1
  }
}

# Starts the gateways again for another region; every node runs afterwards.
set_region() { up --set "s3.region=$1"; }

start_suite() {
  local options=(--set s3.default_object_ownership=ObjectWriter "$@")
  if $SUITE_TLS; then
    make_certificate || return 1
    options+=(--set "gateway.tls_certificate_file=$SUITE_WORK/tls.crt" --set "gateway.tls_key_file=$SUITE_WORK/tls.key")
  else
    options+=(--set s3.allow_sse_c_over_http=true)
  fi
  up "${options[@]}" || return 1
  SUITE_MAIN_ID=$(make_account main "$SUITE_MAIN_KEY" "$SUITE_MAIN_SECRET") || return 1
  SUITE_ALT_ID=$(make_account alt "$SUITE_ALT_KEY" "$SUITE_ALT_SECRET") || return 1
  rondel kms create testkey-1 --account main > /dev/null && rondel kms create testkey-2 --account main > /dev/null || return 1
  if [ "$gateways" -gt 1 ]; then start_proxy || return 1; fi
  if $degraded; then kill -9 "$(cat "$SUITE_WORK/cluster/run/node-2.pid")"; fi
  if $SUITE_TLS; then export SSL_CERT_FILE=$SUITE_WORK/tls.crt REQUESTS_CA_BUNDLE=$SUITE_WORK/tls.crt CURL_CA_BUNDLE=$SUITE_WORK/tls.crt; fi
  SUITE_ENDPOINT=$($SUITE_TLS && echo https || echo http)://$SUITE_HOST:$SUITE_PORT
}
