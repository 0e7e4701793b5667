#include "storage-node/main/node.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <map>
#include <utility>

#include "common/log/log.h"
#include "common/program/settings_page.h"
#include "common/program/version.h"
#include "storage-node/main/node_disks.h"
#include "storage-node/main/node_identity.h"
#include "storage-node/main/node_metrics.h"
#include "storage-node/main/settings.h"
#include "transfer/grpc/grpc_blob_transport.h"

namespace rondel::node {
namespace {

using namespace std::chrono_literals;

constexpr size_t kReadQueueMax = 16'384;

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

RingContactOptions contact_options(const config::Settings& settings) {
  const std::string& advertised = settings.text("node.advertise");
  const std::string& host = settings.text("node.host");
  RingContactOptions options;
  options.name = settings.text("node.name");
  options.address = advertised.empty() ? settings.text("node.listen") : advertised;
  options.operations_address = settings.text("node.operations_listen");
  options.host = host.empty() ? host_name() : host;
  options.zone = settings.text("node.zone");
  options.gateways = settings.list("cluster.gateways");
  options.cache_file = settings.text("node.data_dir") + "/ring.cache";
  return options;
}

}  // namespace

Result<std::unique_ptr<program::Service>> Node::start(const config::Settings& settings) {
  std::unique_ptr<Node> node(new Node(settings));
  TRY_VOID(node->start_parts());
  log::info("main", "serving",
            {{"node", node->id_.to_hex()},
             {"name", settings.text("node.name")},
             {"address", settings.text("node.listen")},
             {"disks", node->disks_->size()}});
  return node;
}

Node::Node(const config::Settings& settings)
    : settings_(settings),
      memory_(settings.text("node.data_dir") + "/metadata.seen"),
      peers_(real_clock()),
      repairs_(loops_.loop(1)) {
  metrics::register_process_metrics(registry_, "rondel-node", program::version(),
                                    program::commit());
}

// Of a start that failed on its way, too. Heartbeats end before what they ask goes.
Node::~Node() {
  service_.reset();
  loops_.join();
  if (contact_) contact_->stop();
}

Result<void> Node::start_parts() {
  TRY(id_, node_identity(settings_.text("node.data_dir")));
  TRY(cluster_, joined_cluster(settings_));
  TRY_VOID(memory_.load());
  TRY(auto engines, open_all_disks(settings_, cluster_, registry_, memory_));
  disks_ = std::make_unique<const DiskSet>(std::move(engines));
  TRY_VOID(make_contact());
  readers_ = std::make_unique<const DiskReaders>(
      *disks_, static_cast<size_t>(settings_.integer("node.read_threads")), kReadQueueMax);
  make_repairer();
  streams_ = StreamBudget::make(settings_.size("node.buffer_size"));
  register_node_metrics(registry_, *disks_, *contact_, *repairer_, peers_, outgoing_bytes_);
  register_memory_metrics(registry_, *streams_);
  make_certificates();
  TRY_VOID(start_storage_service());
  TRY_VOID(start_operations());
  repairs_.spawn(repairer_->run(repairs_));
  repairs_.spawn(observe_lags(repairs_));
  return {};
}

Result<void> Node::make_contact() {
  RingContactOptions options = contact_options(settings_);
  options.node = id_;
  options.cluster = cluster_;
  TRY(credentials_,
      rpc::PeerCredentials::load(tls_files(settings_), {rpc::PeerRole::kNode, options.name}));
  options.credentials = credentials_;
  contact_ = std::make_unique<RingContact>(std::move(options), memory_);
  return {};
}

void Node::make_repairer() {
  const auto address_of = [this](const model::NodeId& id) -> std::optional<rpc::NodeEndpoint> {
    const auto now = contact_->topology();
    const auto* const known = now->find_node(id);
    if (known == nullptr) return std::nullopt;
    return rpc::NodeEndpoint(known->address, known->name);
  };
  transport_ =
      transfer::make_grpc_blob_transport({.address_of = address_of, .credentials = credentials_});
  journal_ = repair::make_grpc_peer_journal(*contact_, credentials_);
  std::vector<engine::Engine*> own;
  for (const auto& disk : *disks_) own.push_back(disk.get());
  repair::RepairOptions options;
  options.period = settings_.duration("repair.period");
  options.trash = settings_.duration("repair.trash");
  repairer_ = std::make_unique<repair::Repairer>(own, *contact_, *transport_, *journal_, options,
                                                 real_clock());
}

void Node::make_certificates() {
  certificates_ = std::make_unique<program::Certificates>(
      [credentials = credentials_] { return credentials->reload(); },
      [credentials = credentials_] {
        std::map<std::string, SystemTime> ends;
        for (const auto& [file, not_after] : credentials->expiries()) ends[file] = not_after;
        return ends;
      },
      registry_);
}

Result<void> Node::start_storage_service() {
  const auto lag_of = [this](const model::DiskId& disk) { return repairer_->lag_of(disk); };
  const auto on_pull = [this](const model::DiskId& asking, const model::DiskId& serving,
                              uint64_t token) { peers_.on_pull(asking, serving, token); };
  StorageServices services{*disks_, *contact_, *contact_, *readers_,
                           id_,     on_pull,   lag_of,    outgoing_bytes_};
  services.memory = streams_;
  TRY(service_, StorageService::start(std::move(services), settings_.text("node.listen"),
                                      credentials_->server()));
  contact_->start(*disks_, lag_of,
                  [this](const model::ClusterId& joined) { remember_cluster(settings_, joined); });
  return {};
}

Result<void> Node::start_operations() {
  const auto ring_contact = program::ready_check("ring contact", [this]() -> Result<void> {
    std::string why_not = contact_->why_no_writes();
    if (why_not.empty()) return {};
    return fail(ErrorCode::kUnavailable, std::move(why_not));
  });
  operations_ = std::make_unique<program::OperationsService>(
      registry_, program::HealthChecks{serving_.checks(), {ring_contact}},
      std::vector{program::settings_page("rondel-node", settings_)});
  TRY(operations_server_,
      program::start_operations(settings_, "node.operations_listen", loops_.loop(0), *operations_));
  return {};
}

// On threads of each disk: one that hangs is looked at once, and the others go on.
async::Task<void> Node::observe_lags(async::TaskGroup& group) {
  std::map<model::DiskId, std::shared_ptr<std::atomic<bool>>> under_way;
  while (!group.stopping()) {
    for (const auto& disk : disks_->identified()) {
      auto& busy = under_way[disk->disk_id()];
      if (!busy) busy = std::make_shared<std::atomic<bool>>(false);
      if (busy->exchange(true)) continue;
      const bool accepted = readers_->of(*disk).try_submit(
          [this, &engine = *disk, topology = contact_->topology(), busy] {
            peers_.observe(engine, *topology);
            *busy = false;
          });
      if (!accepted) *busy = false;
    }
    co_await group.pause(1s);
  }
}

void Node::stop(program::EndWatch& watch, Deadline) {
  watch.step(with_failed_disks("the repair"));
  operations_server_->stop();
  repairs_.stop();
  async::block_on(repairs_.wait_idle());
  watch.step("the operations listener");
  async::block_on(operations_server_->wait_idle(deadline_in(2s)));
  watch.step("the storage service");
  service_.reset();
  watch.step("the loops");
  loops_.join();
}

std::string Node::last_step() const { return with_failed_disks("calls to disks, and the disks"); }

// For whoever reads why the end takes so long.
std::string Node::with_failed_disks(std::string step) const {
  const char* before = "; disks that have failed: ";
  for (const auto& disk : disks_->identified()) {
    if (disk->status().state != engine::DiskState::kFailed) continue;
    step += std::exchange(before, " ") + disk->disk_id().to_hex();
  }
  return step;
}

}  // namespace rondel::node
