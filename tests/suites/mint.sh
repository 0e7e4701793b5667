#!/usr/bin/env bash
# minio/mint's client scripts against a fresh cluster.
#   mint.sh CHECKOUT [--only awscli,s3cmd,mc,minio-go] [options of cluster.sh]
# CHECKOUT is a checkout of the suite. Prints every failing case and the counts of each client; 1 when one failed. Needs jq, and go for mc
# and minio-go, which come as Go modules with their tests.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "${1:?usage: mint.sh CHECKOUT [options]}" && pwd) || exit 2
shift
. "$here/cluster.sh"
clients=awscli,s3cmd,mc,minio-go
for ((i = 0; i < ${#rest[@]}; i++)); do
  case ${rest[i]} in
    --only) clients=${rest[++i]} ;;
    *) echo "no option ${rest[i]}" >&2; exit 2 ;;
  esac
done
tools=$root/build/suites

python_tools() {
  [ -x "$tools/mint/bin/aws" ] && [ -x "$tools/mint/bin/s3cmd" ] && return
  /usr/bin/python3 -m venv "$tools/mint" && "$tools/mint/bin/pip" install -q awscli s3cmd
}

# A Go program of a module that has its tests beside it: folder, module, then the commands that build it in $1.
go_tool() {
  mkdir -p "$tools/$1" && cd "$tools/$1" || return 1
  [ -f go.mod ] || go mod init "suite/$1" > /dev/null 2>&1
  [ -f go.sum ] || go get -tool "$2" > /dev/null 2>&1 || go get "$2" > /dev/null 2>&1
}

mc_tool() {
  [ -x "$tools/mc/mc" ] && return
  (go_tool mc github.com/minio/mc@latest && go build -o mc github.com/minio/mc && cp "$(go list -m -f '{{.Dir}}' github.com/minio/mc)/functional-tests.sh" . && chmod +x functional-tests.sh)
}

minio_go_tool() {
  [ -x "$tools/minio-go/minio-go" ] && return
  (go_tool minio-go github.com/minio/minio-go/v7@v7.0.99 && install -m 644 "$(go list -m -f '{{.Dir}}' github.com/minio/minio-go/v7)/functional_tests.go" main.go &&
    sed -i '/^\/\/go:build mint/d; /^\/\/ +build mint/d' main.go && go mod tidy > /dev/null 2>&1 && go build -o minio-go .)
}

# The script with every test in a shell of its own: as they come they end at the first that fails. One of mc's takes the name of the
# object from a test before it: object_name.
each_alone() { sed -E 's/^(\t+)(test_[a-z0-9_]+)( &&)?$/\1(\2) || true/' "$1" > script.sh; }

# Runs the client's script in a folder of its own; its JSON lines go to $SUITE_WORK/$1.json.
run_client() {
  mkdir -p "$SUITE_WORK/$1" && cd "$SUITE_WORK/$1" || return 1
  case $1 in
    awscli)
      rm -f /tmp/multipart   # The script adds to it, and leaves it behind when it fails.
      aws configure set aws_access_key_id "$ACCESS_KEY" && aws configure set aws_secret_access_key "$SECRET_KEY" && aws configure set default.region us-east-1
      each_alone "$checkout/run/core/awscli/test.sh" && bash script.sh "$SUITE_ENDPOINT" ;;
    s3cmd) each_alone "$checkout/run/core/s3cmd/test.sh" && bash script.sh ;;
    mc) ln -s "$tools/mc/mc" mc && each_alone "$tools/mc/functional-tests.sh" && object_name=with-attributes bash script.sh ;;
    minio-go) MINT_DATA_DIR='' "$tools/minio-go/minio-go" ;;   # Its checksums are of the data that it makes itself.
  esac > "$SUITE_WORK/$1.json" 2> "$SUITE_WORK/$1.errors"
}

data_files() {
  mkdir -p "$MINT_DATA_DIR"
  local file
  for file in 0-b:0 1-b:1 1-kB:1K 10-kB:10K 33-kB:33K 100-kB:100K 1.03-MB:1056K 1-MB:1M 5-MB:5M 5243880-b:5243880 6-MB:6M 10-MB:10M 11-MB:11M 65-MB:65M 129-MB:129M; do
    head -c "${file#*:}" /dev/urandom > "$MINT_DATA_DIR/datafile-${file%:*}"
  done
}

for client in ${clients//,/ }; do
  case $client in
    awscli | s3cmd) python_tools || exit 1 ;;
    mc) mc_tool || exit 1 ;;
    minio-go) minio_go_tool || exit 1 ;;
    *) echo "no client $client" >&2; exit 2 ;;
  esac
done

# Ownership as AWS gives it: what an anonymous client writes under a public policy is read under that policy too.
start_suite --set s3.signature_v2=true --set s3.default_object_ownership=BucketOwnerEnforced || exit 1
export MINT_MODE=full MINT_DATA_DIR=$SUITE_WORK/data SERVER_ENDPOINT=$SUITE_HOST:$SUITE_PORT SERVER_REGION=us-east-1 RUN_ON_FAIL=1 ENABLE_KMS=1
export ACCESS_KEY=$SUITE_MAIN_KEY SECRET_KEY=$SUITE_MAIN_SECRET ENABLE_HTTPS=0 ENABLE_VIRTUAL_STYLE=0 HOME=$SUITE_WORK PATH=$tools/mint/bin:$PATH
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_ENDPOINT_URL
if $SUITE_TLS; then
  # As the client was when the suite was written: it puts no checksums of its own on what it sends (over TLS that takes the length off
  # bodies, and makes S3 ask for the customer's key when an upload is completed).
  export AWS_REQUEST_CHECKSUM_CALCULATION=when_required
  export ENABLE_HTTPS=1 AWS_CA_BUNDLE=$SUITE_WORK/tls.crt SSL_CERT_FILE=$SUITE_WORK/tls.crt REQUESTS_CA_BUNDLE=$SUITE_WORK/tls.crt
fi
data_files

status=0
for client in ${clients//,/ }; do
  run_client "$client"
  # Not every line is JSON: messages are printed into it as they are.
  count() { grep -cE "\"status\": ?\"$1\"" "$SUITE_WORK/$client.json"; }
  # One test may fail in several of its steps.
  grep -E '"status": ?"FAIL"' "$SUITE_WORK/$client.json" | sed 's/^/FAILED /' | cut -c1-400
  tests=$(grep -E '"status": ?"FAIL"' "$SUITE_WORK/$client.json" | grep -oE '"minio-go: test[A-Za-z0-9]+|"function": "[^"]*"' | sort -u | wc -l)
  echo "mint $client$($degraded && echo ", one node killed")$([ "$gateways" -gt 1 ] && echo ", $gateways gateways")$($SUITE_TLS && echo ", HTTPS"):" \
    "$(count PASS) passed, $(count FAIL) failed (of $tests tests), $(count NA) skipped"
  [ -n "${SUITE_LOG:-}" ] && cat "$SUITE_WORK/$client.json" "$SUITE_WORK/$client.errors" > "$SUITE_LOG.$client"
  [ "$(count PASS)" -gt 0 ] && [ "$(count FAIL)" -eq 0 ] || status=1
done
exit $status
