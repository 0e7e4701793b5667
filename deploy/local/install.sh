#!/usr/bin/env bash
# Installs what Rondel is built from and tested with, all Debian 12 packages. Run as root; does nothing when all is there.
set -euo pipefail

packages=(
  clang-19 libclang-rt-19-dev lld-19 cmake ninja-build ccache pkg-config
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libboost-system1.81-dev
  libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler
  libpq-dev libpqxx-dev librocksdb-dev libgflags-dev libsnappy-dev liblz4-dev libbz2-dev libzstd-dev zlib1g-dev
  libxxhash-dev libisal-dev libssl-dev openssl prometheus-cpp-dev libspdlog-dev libfmt-dev libpugixml-dev
  libyaml-cpp-dev libcli11-dev libgtest-dev libgmock-dev libbenchmark-dev postgresql-15 curl
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "Installing ${#missing[@]} packages: ${missing[*]}"
# The postgresql-15 package would otherwise make and start a cluster of the system.
install -d /etc/postgresql-common/createcluster.d
printf 'create_main_cluster = false\n' > /etc/postgresql-common/createcluster.d/rondel.conf
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends "${missing[@]}"
