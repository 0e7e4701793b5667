#include "storage-node/main/node_identity.h"

#include "common/base/encoding.h"
#include "common/fs/posix_file_system.h"
#include "common/log/log.h"

namespace rondel::node {
namespace {

std::string cluster_file(const config::Settings& settings) {
  return settings.text("node.data_dir") + "/cluster.id";
}

}  // namespace

Result<void> make_private(const std::string& folder) {
  TRY(const bool closed, fs::make_private_folder(folder));
  if (!closed) {
    log::warn("main", "a folder is another user's: who may read it is his to say",
              {{"folder", folder}});
  }
  return {};
}

Result<model::NodeId> node_identity(const std::string& folder) {
  fs::FileSystem& files = fs::posix_file_system();
  if (auto made = make_private(folder); !made) {
    return fail(ErrorCode::kInvalidArgument, "node.data_dir: " + made.error().message);
  }
  const std::string path = folder + "/node.id";
  const auto stored = fs::read_file(files, path);
  if (stored) {
    const auto id = model::NodeId::from_hex(std::string_view(*stored).substr(0, 32));
    if (!id) return fail(ErrorCode::kCorruption, path + " does not hold a node id");
    return *id;
  }
  if (stored.error().code != ErrorCode::kNotFound) return std::unexpected(stored.error());
  const model::NodeId id = model::NodeId::random();
  TRY_VOID(fs::write_file_atomically(files, path, as_bytes(id.to_hex() + "\n")));
  return id;
}

Result<model::ClusterId> joined_cluster(const config::Settings& settings) {
  const auto stored = fs::read_file(fs::posix_file_system(), cluster_file(settings));
  if (!stored && stored.error().code == ErrorCode::kNotFound) return model::ClusterId{};
  if (!stored) return std::unexpected(stored.error());
  const auto cluster = model::ClusterId::from_hex(std::string_view(*stored).substr(0, 32));
  if (!cluster) {
    return fail(ErrorCode::kCorruption, cluster_file(settings) + " does not hold a cluster id");
  }
  return *cluster;
}

void remember_cluster(const config::Settings& settings, const model::ClusterId& cluster) {
  (void)fs::write_file_atomically(fs::posix_file_system(), cluster_file(settings),
                                  as_bytes(cluster.to_hex() + "\n"));
}

}  // namespace rondel::node
