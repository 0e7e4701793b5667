#include "storage-node/main/node_disks.h"

#include <sys/stat.h>

#include <atomic>
#include <map>
#include <optional>
#include <utility>

#include "common/base/mutex.h"
#include "common/fs/posix_file_system.h"
#include "common/log/log.h"
#include "storage-node/main/known_disks.h"
#include "storage-node/main/node_identity.h"
#include "storage-node/main/settings.h"
#include "storage-node/service/open_disks.h"

namespace rondel::node {
namespace {

// Two disks without a declared capacity on one file system would count it twice.
class WholeFileSystems {
 public:
  // kInvalidArgument: another disk has it. Asks the disk.
  Result<void> claim(const engine::EngineOptions& disk) {
    struct stat status{};
    if (disk.capacity_bytes != 0 || ::stat(disk.path.c_str(), &status) != 0) return {};
    MutexLock lock(mutex_);
    const auto [other, first] = taken_.emplace(status.st_dev, disk.path);
    if (first || other->second == disk.path) return {};
    return fail(ErrorCode::kInvalidArgument,
                disk.path + " and " + other->second + " share a file system: give them a capacity");
  }

 private:
  Mutex mutex_;
  std::map<dev_t, std::string> taken_ GUARDED_BY(mutex_);
};

engine::EngineOptions engine_options(const config::Settings& settings, const DiskSetting& disk,
                                     metrics::Registry& registry) {
  engine::EngineOptions options;
  options.path = disk.path;
  options.capacity_bytes = disk.capacity_bytes;
  options.segment_bytes = settings.size("engine.segment_size");
  options.memtable_bytes = settings.size("engine.memtable_size");
  options.block_cache_bytes = settings.size("engine.block_cache_size");
  options.queue_bytes_max = settings.size("engine.queue_size");
  options.background_bytes_per_second = settings.size("repair.rate");
  options.journal_period = settings.duration("engine.journal_period");
  options.compaction_garbage_ratio =
      static_cast<double>(settings.integer("engine.compaction_garbage_percent")) / 100;
  metrics::Histogram& flushes =
      registry.histogram("rondel_node_flush_seconds", "Durable writes and flushes of a disk.");
  options.on_flush = [&flushes](double seconds) { flushes.observe(seconds); };
  return options;
}

// What the threads that open disks share with whoever started them, and may outlive.
class DisksOnRecord {
 public:
  DisksOnRecord(std::string file, std::map<std::string, model::DiskId> known)
      : file_(std::move(file)), known_(std::move(known)) {}

  Result<void> note(const std::map<std::string, model::DiskId>& found) {
    MutexLock lock(mutex_);
    for (const auto& [path, disk] : found) known_[path] = disk;
    return write_known_disks(file_, known_);
  }

  // Written down first: after a restart the disk is known, and its empty folder no new one.
  void join(const std::string& path, const model::DiskId& disk) {
    --missing;
    const auto noted = note({{path, disk}});
    if (noted) return log::info("main", "a disk joins", {{"path", path}, {"disk", disk.to_hex()}});
    log::warn("main", "a disk joins, and is not written down as known",
              {{"path", path}, {"disk", disk.to_hex()}, {"error", noted.error().message}});
  }

  std::atomic<int64_t> missing{0};  // Disks that are not open.

 private:
  const std::string file_;
  Mutex mutex_;
  std::map<std::string, model::DiskId> known_ GUARDED_BY(mutex_);
};

}  // namespace

Result<std::vector<std::unique_ptr<engine::Engine>>> open_all_disks(
    const config::Settings& settings, const model::ClusterId& cluster, metrics::Registry& registry,
    const MetadataMemory& memory) {
  TRY(const auto disks, disk_settings(settings));
  const std::string known_file = settings.text("node.data_dir") + "/disks.known";
  TRY(const auto known, read_known_disks(known_file));
  std::vector<engine::EngineOptions> options;
  for (const DiskSetting& disk : disks) {
    options.push_back(engine_options(settings, disk, registry));
    options.back().cluster = cluster;
    options.back().may_purge = [&memory](const model::DiskId& of) { return memory.may_purge(of); };
    options.back().heard_of = [&memory](uint64_t order) { return memory.heard_of(order); };
    if (const auto found = known.find(disk.path); found != known.end()) {
      options.back().disk = found->second;
    }
  }
  const auto open =
      [claims = std::make_shared<WholeFileSystems>()](
          const engine::EngineOptions& disk) -> Result<std::unique_ptr<engine::Engine>> {
    if (auto made = make_private(disk.path); !made) {
      return fail(ErrorCode::kUnavailable, made.error().message);
    }
    TRY_VOID(claims->claim(disk));
    return engine::Engine::open(fs::posix_file_system(), disk);
  };
  const auto record = std::make_shared<DisksOnRecord>(known_file, known);
  OpenDisksOptions how;
  how.patience = settings.duration("node.disk_patience");
  how.on_join = [record](const std::string& path, const model::DiskId& disk) {
    record->join(path, disk);
  };
  auto opened = open_disks(std::move(options), open, how);

  std::vector<std::unique_ptr<engine::Engine>> engines;
  std::map<std::string, model::DiskId> found;
  std::optional<Error> last;
  bool some = false;
  for (OpenedDisk& disk : opened) {
    // One that joins later counts: to end and begin anew would begin its recovery anew, too.
    some = some || !disk.error || known.contains(disk.path);
    if (!disk.error) {
      found[disk.path] = disk.engine->disk_id();
    } else {
      if (disk.error->code == ErrorCode::kInvalidArgument) {
        return fail(ErrorCode::kInvalidArgument, "node.disks: " + disk.error->message);
      }
      log::error("main", "a disk is left out",
                 {{"path", disk.path}, {"error", disk.error->message}});
      last = Error{disk.error->code, "disk " + disk.path + ": " + disk.error->message};
      ++record->missing;
    }
    engines.push_back(std::move(disk.engine));
  }
  if (!some) return std::unexpected(*last);
  TRY_VOID(record->note(found));
  registry.callback(metrics::Type::kGauge, "rondel_node_disks_unusable",
                    "Disks that have not been opened since the node started.", {},
                    [record] { return static_cast<double>(record->missing.load()); });
  return engines;
}

}  // namespace rondel::node
