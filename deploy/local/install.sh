#!/usr/bin/env bash
# Installs what Rondel is built from and, with --tests, tested with: Debian 12 packages alone. Run as root; does nothing when all
# is there. Starts no service.
#   install.sh [--tests]     --missing: names what it would install, and does nothing; anybody may ask
set -euo pipefail

packages=(
  clang-19 libclang-rt-19-dev lld-19 cmake ninja-build ccache pkg-config
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libboost-system1.81-dev
  libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler
  libpq-dev libpqxx-dev librocksdb-dev libgflags-dev libsnappy-dev liblz4-dev libbz2-dev libzstd-dev zlib1g-dev
  libxxhash-dev libisal-dev libjemalloc-dev libssl-dev openssl prometheus-cpp-dev libspdlog-dev libfmt-dev libpugixml-dev
  libyaml-cpp-dev libcli11-dev libgtest-dev libgmock-dev libbenchmark-dev postgresql-15 curl
)
# Debian has it for this processor alone.
[ "$(dpkg --print-architecture)" != amd64 ] || packages+=(libipsec-mb-dev)

if [ "${1:-}" = --tests ]; then
  packages+=(clang-format-19 awscli rclone s3cmd restic python3-boto3 python3-pytest python3-venv python3-yaml prometheus faketime)
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "${1:-}" = --missing ]; then
  echo "${missing[*]}"
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "install.sh: only root can install what is missing: ${missing[*]}" >&2
  exit 1
fi

echo "Installing ${#missing[@]} packages: ${missing[*]}"
# The postgresql-15 package would otherwise make and start a cluster of the system.
install -d /etc/postgresql-common/createcluster.d
printf 'create_main_cluster = false\n' > /etc/postgresql-common/createcluster.d/rondel.conf
# And packages with a service would start it; only their programs are wanted. An administrator's own policy stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends "${missing[@]}"
