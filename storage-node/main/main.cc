// rondel-node: the disks of one machine, served to gateways and peers.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <iostream>
#include <map>
#include <mutex>
#include <utility>

#include "common/async/blocking_pool.h"
#include "common/async/loop_threads.h"
#include "common/base/encoding.h"
#include "common/base/numbers.h"
#include "common/fs/posix_file_system.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/program/end_watch.h"
#include "common/program/operations.h"
#include "common/program/program.h"
#include "common/program/run.h"
#include "common/program/settings_page.h"
#include "common/program/version.h"
#include "storage-node/main/known_disks.h"
#include "storage-node/main/node_metrics.h"
#include "storage-node/main/settings.h"
#include "storage-node/repair/peer_journal.h"
#include "storage-node/repair/peer_lag.h"
#include "storage-node/repair/repairer.h"
#include "storage-node/service/open_disks.h"
#include "storage-node/service/ring_contact.h"
#include "storage-node/service/storage_service.h"
#include "transfer/grpc/grpc_blob_transport.h"

namespace rondel::node {
namespace {

using namespace std::chrono_literals;

constexpr size_t kReadQueueMax = 16'384;
constexpr auto kEndPatience = 20s;
constexpr Duration kFilesPatience = std::chrono::seconds(5);  // Of certificates.

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

// For this user alone, also when it was not so before.
Result<void> make_private(const std::string& folder) {
  TRY(const bool closed, fs::make_private_folder(folder));
  if (!closed) {
    log::warn("main", "a folder is another user's: who may read it is his to say",
              {{"folder", folder}});
  }
  return {};
}

// The node's id: made once, kept in its data folder beside its disks.
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

std::string cluster_file(const config::Settings& settings) {
  return settings.text("node.data_dir") + "/cluster.id";
}

// The cluster the node has joined; zero before its first contact.
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

// Two disks without a declared capacity on one file system would count it twice.
class WholeFileSystems {
 public:
  // kInvalidArgument: another disk has it. Asks the disk.
  Result<void> claim(const engine::EngineOptions& disk) {
    struct stat status{};
    if (disk.capacity_bytes != 0 || ::stat(disk.path.c_str(), &status) != 0) return {};
    std::lock_guard lock(mutex_);
    const auto [other, first] = taken_.emplace(status.st_dev, disk.path);
    if (first || other->second == disk.path) return {};
    return fail(ErrorCode::kInvalidArgument,
                disk.path + " and " + other->second + " share a file system: give them a capacity");
  }

 private:
  std::mutex mutex_;
  std::map<dev_t, std::string> taken_;
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
    std::lock_guard lock(mutex_);
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
  std::mutex mutex_;
  std::map<std::string, model::DiskId> known_;
};

// A disk that is bad, hangs or takes long is left out alone, and joins when it opens. Fatal: a
// setting that counts a file system twice, and that no disk is open, known, or still being opened.
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

// On threads of each disk: one that hangs is looked at once, and the others go on.
async::Task<void> observe_lags(async::TaskGroup& group, repair::PeerLag& lags, const DiskSet& disks,
                               const DiskReaders& readers, const RingContact& contact) {
  std::map<model::DiskId, std::shared_ptr<std::atomic<bool>>> under_way;
  while (!group.stopping()) {
    for (const auto& disk : disks.identified()) {
      auto& busy = under_way[disk->disk_id()];
      if (!busy) busy = std::make_shared<std::atomic<bool>>(false);
      if (busy->exchange(true)) continue;
      const bool accepted = readers.of(*disk).try_submit(
          [&lags, &engine = *disk, topology = contact.topology(), busy] {
            lags.observe(engine, *topology);
            *busy = false;
          });
      if (!accepted) *busy = false;
    }
    co_await group.pause(1s);
  }
}

// A call that a disk never answers would be waited for without end. What is acknowledged has been
// flushed, so the disks recover as after a crash.
void end_at_once(const std::string& step) {
  log::error("main", "the process does not end in time and is ended as by a crash",
             {{"waits_for", step}});
  log::flush();
  ::_exit(1);
}

// For whoever reads why the end takes so long.
std::string with_failed(std::string step, const DiskSet& disks) {
  const char* before = "; disks that have failed: ";
  for (const auto& disk : disks.identified()) {
    if (disk->status().state != engine::DiskState::kFailed) continue;
    step += std::exchange(before, " ") + disk->disk_id().to_hex();
  }
  return step;
}

Result<void> serve(const config::Settings& settings, const sigset_t& signals) {
  TRY_VOID(program::init_log(settings));
  program::EndWatch ending(end_at_once);  // First: it watches the end of all others.
  TRY(const model::NodeId node, node_identity(settings.text("node.data_dir")));
  metrics::Registry registry;
  metrics::register_process_metrics(registry, "rondel-node", program::version(), program::commit());
  TRY(const model::ClusterId cluster, joined_cluster(settings));
  MetadataMemory memory(settings.text("node.data_dir") + "/metadata.seen");
  TRY_VOID(memory.load());
  TRY(auto engines, open_all_disks(settings, cluster, registry, memory));
  const DiskSet disks(std::move(engines));

  const std::string listen = settings.text("node.listen");
  const std::string advertised = settings.text("node.advertise");
  RingContactOptions contact_options;
  contact_options.node = node;
  contact_options.name = settings.text("node.name");
  contact_options.address = advertised.empty() ? listen : advertised;
  contact_options.operations_address = settings.text("node.operations_listen");
  contact_options.host =
      settings.text("node.host").empty() ? host_name() : settings.text("node.host");
  contact_options.zone = settings.text("node.zone");
  contact_options.gateways = settings.list("cluster.gateways");
  contact_options.cache_file = settings.text("node.data_dir") + "/ring.cache";
  contact_options.cluster = cluster;
  TRY(const auto credentials,
      rpc::PeerCredentials::load(tls_files(settings),
                                 {rpc::PeerRole::kNode, contact_options.name}));
  contact_options.credentials = credentials;
  RingContact contact(std::move(contact_options), memory);

  repair::PeerLag peers(real_clock());  // Before the threads that use it.
  const DiskReaders readers(disks, static_cast<size_t>(settings.integer("node.read_threads")),
                            kReadQueueMax);
  const auto address_of = [&contact](const model::NodeId& id) -> std::optional<rpc::NodeEndpoint> {
    const auto now = contact.topology();
    const auto* const known = now->find_node(id);
    if (known == nullptr) return std::nullopt;
    return rpc::NodeEndpoint(known->address, known->name);
  };
  const auto transport =
      transfer::make_grpc_blob_transport({.address_of = address_of, .credentials = credentials});
  const auto journal = repair::make_grpc_peer_journal(contact, credentials);
  std::vector<engine::Engine*> own;
  for (const auto& disk : disks) own.push_back(disk.get());
  repair::RepairOptions repair_options;
  repair_options.period = settings.duration("repair.period");
  repair_options.trash = settings.duration("repair.trash");
  repair::Repairer repairer(own, contact, *transport, *journal, repair_options, real_clock());
  std::atomic<uint64_t> outgoing_bytes{0};
  const auto memory_of_streams = StreamBudget::make(settings.size("node.buffer_size"));
  register_node_metrics(registry, disks, contact, repairer, peers, outgoing_bytes);
  registry.collector(
      metrics::Type::kGauge, "rondel_tls_certificate_expiry_timestamp_seconds",
      "When the first certificate of the file ends.", [credentials] {
        std::vector<metrics::Sample> samples;
        for (const auto& [file, not_after] : credentials->expiries()) {
          samples.push_back({{{"file", file}},
                             std::chrono::duration<double>(not_after.time_since_epoch()).count()});
        }
        return samples;
      });

  register_memory_metrics(registry, *memory_of_streams);

  const auto lag_of = [&repairer](const model::DiskId& disk) { return repairer.lag_of(disk); };
  StorageServices services{disks,
                           contact,
                           contact,
                           readers,
                           node,
                           [&peers](const model::DiskId& asking, const model::DiskId& serving,
                                    uint64_t token) { peers.on_pull(asking, serving, token); },
                           lag_of,
                           outgoing_bytes};
  services.memory = memory_of_streams;
  TRY(auto service, StorageService::start(std::move(services), listen, credentials->server()));
  contact.start(disks, lag_of, [&settings](const model::ClusterId& joined) {
    (void)fs::write_file_atomically(fs::posix_file_system(), cluster_file(settings),
                                    as_bytes(joined.to_hex() + "\n"));
  });

  // Before what the heartbeats ask goes, whichever way this ends.
  struct Heartbeats {
    RingContact& contact;

    ~Heartbeats() { contact.stop(); }
  } const heartbeats{contact};

  async::LoopThreads loops(2);
  program::ServingState serving;
  const auto ring_contact = program::ready_check("ring contact", [&contact]() -> Result<void> {
    std::string why_not = contact.why_no_writes();
    if (why_not.empty()) return {};
    return fail(ErrorCode::kUnavailable, std::move(why_not));
  });
  program::OperationsService operations(registry, {serving.checks(), {ring_contact}},
                                        {program::settings_page("rondel-node", settings)});
  TRY(auto server,
      program::start_operations(settings, "node.operations_listen", loops.loop(0), operations));
  async::TaskGroup repairs(loops.loop(1));
  repairs.spawn(repairer.run(repairs));
  repairs.spawn(observe_lags(repairs, peers, disks, readers, contact));

  log::info("main", "serving",
            {{"node", node.to_hex()},
             {"name", settings.text("node.name")},
             {"address", listen},
             {"disks", disks.size()}});
  // A file system that hangs does not keep the program from ending.
  async::BlockingPool files("certificates", 1, 1, async::BlockingPool::Ending::kLeave);
  const auto read_certificates = [&files, credentials] {
    const auto read =
        files.run_within(kFilesPatience, [credentials] { return credentials->reload(); });
    const Result<bool> taken = read ? *read : std::unexpected(read.error());
    if (!taken) {
      return log::warn("main", "the certificates were not taken",
                       {{"error", taken.error().message}});
    }
    if (*taken) log::info("main", "other certificates count from now on");
  };
  serving.begin();
  const program::WhileWaiting meanwhile{read_certificates, read_certificates};
  program::wait_for_end(signals, meanwhile);
  log::info("main", "ending");
  serving.end();
  program::wait_as_lame_duck(signals, settings.duration("node.lame_duck"), meanwhile);
  ending.begin(deadline_in(kEndPatience));
  ending.step(with_failed("the repair", disks));
  server->stop();
  repairs.stop();
  async::block_on(repairs.wait_idle());
  ending.step("the operations listener");
  async::block_on(server->wait_idle(deadline_in(2s)));
  ending.step("the storage service");
  service.reset();
  ending.step("the loops");
  loops.join();
  server.reset();
  ending.step(with_failed("calls to disks, and the disks", disks));
  log::flush();
  return {};
}

}  // namespace
}  // namespace rondel::node

int main(int argc, char** argv) {
  using namespace rondel::node;
  return rondel::program::run_program({"rondel-node", "Storage node of Rondel.", settings_schema(),
                                       check_settings, serve, check_files},
                                      argc, argv);
}
