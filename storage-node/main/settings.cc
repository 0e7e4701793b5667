#include "storage-node/main/settings.h"

#include <set>

#include "common/program/listen_address.h"

namespace rondel::node {
namespace {

using config::Key;
using config::Type;

Key key(Type type, std::string name, std::string value, std::string description) {
  return {std::move(name), type, std::move(value), std::move(description)};
}

Key size(std::string name, std::string value, int64_t min, std::string description) {
  Key made = key(Type::kSize, std::move(name), std::move(value), std::move(description));
  made.min = min;
  return made;
}

// Eight chunks of 8 MiB: where two hardly fit, one does, and half of the disk is eaten.
constexpr int64_t kSegmentSizeMin = 64 << 20;

Key required(Key made) {
  made.required = true;
  return made;
}

std::vector<Key> keys() {
  Key disks = required(key(Type::kMapList, "node.disks", "",
                           "The disks: a folder each, and what may be used of it"));
  disks.members = {
      required(key(Type::kString, "path", "", "Folder of the disk")),
      key(Type::kSize, "capacity", "0", "Bytes that may be used; 0 = what the file system has")};
  Key threads = key(Type::kInteger, "node.read_threads", "8",
                    "Threads of each disk for reads that wait for it");
  threads.min = 1;
  threads.max = 1024;
  Key ratio = key(Type::kInteger, "engine.compaction_garbage_percent", "30",
                  "Garbage in a segment from which on it is compacted");
  ratio.min = 5;
  ratio.max = 95;
  Key level = key(Type::kString, "log.level", "info", "Lowest level that is written");
  level.one_of = {"debug", "info", "warn", "error", "off"};
  return {
      required(key(Type::kString, "node.name", "",
                   "Who this node is: unique in the cluster, the same for the life of its data "
                   "folder, and with rpc.tls_* the NAME of "
                   "spiffe://rondel/node/NAME in its certificate")),
      key(Type::kString, "node.listen", "0.0.0.0:9200", "Address of the storage service"),
      key(Type::kString, "node.advertise", "",
          "Address that gateways and peers use; empty = node.listen"),
      key(Type::kString, "node.operations_listen", "127.0.0.1:9300",
          "Address of /metrics and /health"),
      required(key(Type::kString, "node.zone", "", "Failure domain: rack, room or data centre")),
      key(Type::kString, "node.host", "",
          "Failure domain below the zone; empty = this machine's name"),
      required(
          key(Type::kString, "node.data_dir", "", "Folder for the node's identity and ring cache")),
      disks,
      threads,
      key(Type::kDuration, "node.lame_duck", "0s",
          "How long the node serves on after SIGTERM while /health/serving says that it ends; a "
          "second SIGTERM cuts it short"),
      key(Type::kDuration, "node.disk_patience", "30s",
          "How long the node waits at its start for disks that do not open; they join later. "
          "Longer while there is no disk at all"),
      required(key(Type::kStringList, "cluster.gateways", "",
                   "Cluster addresses of gateways, asked in turn")),
      key(Type::kString, "rpc.tls_authority_file", "",
          "PEM: the authority of the certificates of gateways and nodes; with the next two, calls "
          "between them are mutual TLS"),
      key(Type::kString, "rpc.tls_certificate_file", "",
          "PEM chain of this process, for DNS:rondel-node and URI:spiffe://rondel/node/NAME; read "
          "again at SIGHUP, as the other two are"),
      key(Type::kString, "rpc.tls_key_file", "", "PEM private key"),
      key(Type::kBool, "rpc.allow_plaintext", "false",
          "Whether node.listen may be reachable from other machines without TLS"),
      size("node.buffer_size", "512MiB", 16 << 20,
           "Memory for bytes that come from gateways and peers, and for answers that wait for "
           "them; above 80 % of it each has a share"),
      size("engine.segment_size", "256MiB", kSegmentSizeMin,
           "Size of a segment file; of new disks. At least 8 chunks: what is left behind the last "
           "one of a segment is lost"),
      size("engine.memtable_size", "8MiB", 64 << 10,
           "Memory of the index (and of its journal, as much again) before it is written to the "
           "disk"),
      size("engine.block_cache_size", "32MiB", 1 << 20, "Memory for index blocks read"),
      size("engine.queue_size", "64MiB", 1 << 20,
           "Bytes waiting to be written; above it puts are refused"),
      key(Type::kDuration, "engine.journal_period", "7d",
          "How long the journal of puts and deletes is kept"),
      ratio,
      key(Type::kDuration, "repair.trash", "1h", "How long what repair removes can be restored"),
      size("repair.rate", "128MiB", 0,
           "Bytes a second that repair may read and write on a disk; 0 = as fast as it goes"),
      key(Type::kDuration, "repair.period", "1s", "Pause between rounds of catch-up and hand-back"),
      level,
      key(Type::kString, "log.modules", "", "Levels that differ, for example repair=debug"),
      key(Type::kString, "log.file", "", "File instead of standard error"),
  };
}

}  // namespace

const config::Schema& settings_schema() {
  static const config::Schema schema(keys());
  return schema;
}

rpc::TlsFiles tls_files(const config::Settings& settings) {
  return {settings.text("rpc.tls_authority_file"), settings.text("rpc.tls_certificate_file"),
          settings.text("rpc.tls_key_file")};
}

Result<void> check_settings(const config::Settings& settings) {
  TRY(const auto disks, disk_settings(settings));
  TRY_VOID(program::listen_address(settings, "node.listen"));
  const bool advertises = !settings.text("node.advertise").empty();
  const char* const told = advertises ? "node.advertise" : "node.listen";
  TRY(const program::ListenAddress address, program::listen_address(settings, told));
  if (program::is_wildcard(address.host) || (advertises && address.port == 0)) {
    return fail(
        ErrorCode::kInvalidArgument,
        std::string(told) + ": gateways and other nodes cannot call " + address.text() +
            ": say in node.advertise by which name or address and port they reach this node");
  }
  TRY_VOID(program::listen_address(settings, "node.operations_listen"));
  if (!rpc::is_peer_name(settings.text("node.name"))) {
    return fail(ErrorCode::kInvalidArgument,
                "node.name: 1 to 128 letters, digits, '.', '_' and '-', a letter or digit first");
  }
  return rpc::check_plain_listener(settings.text("node.listen"), tls_files(settings),
                                   settings.flag("rpc.allow_plaintext"));
}

Result<void> check_files(const config::Settings& settings) {
  TRY_VOID(rpc::PeerCredentials::load(tls_files(settings),
                                      {rpc::PeerRole::kNode, settings.text("node.name")}));
  return {};
}

Result<std::vector<DiskSetting>> disk_settings(const config::Settings& settings) {
  std::vector<DiskSetting> disks;
  std::set<std::string> seen;
  for (const config::Settings& disk : settings.maps("node.disks")) {
    disks.push_back({disk.text("path"), disk.size("capacity")});
    if (!seen.insert(disks.back().path).second) {
      return fail(ErrorCode::kInvalidArgument,
                  "node.disks: " + disks.back().path + " is there twice");
    }
  }
  if (disks.empty()) return fail(ErrorCode::kInvalidArgument, "node.disks must name a disk");
  return disks;
}

}  // namespace rondel::node
