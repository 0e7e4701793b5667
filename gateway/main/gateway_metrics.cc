#include "gateway/main/gateway_metrics.h"

#include "common/http/head_writer.h"

namespace rondel::gateway {

using metrics::Sample;
using metrics::Type;

namespace {

void register_database(metrics::Registry& registry, const metadata::PostgresMetadata& metadata) {
  registry.callback(Type::kGauge, "rondel_metadata_connections",
                    "PostgreSQL connections for requests.", {},
                    [&metadata] { return static_cast<double>(metadata.status().connections); });
  registry.callback(Type::kGauge, "rondel_metadata_connections_busy",
                    "PostgreSQL connections at work.", {},
                    [&metadata] { return static_cast<double>(metadata.status().busy); });
  registry.callback(Type::kGauge, "rondel_metadata_queued",
                    "Requests waiting for a PostgreSQL connection.", {},
                    [&metadata] { return static_cast<double>(metadata.status().queued); });
  registry.callback(Type::kCounter, "rondel_metadata_connections_lost_total",
                    "PostgreSQL connections that broke.", {}, [&metadata] {
                      return static_cast<double>(metadata.status().connections_lost);
                    });
}

void register_blobs(metrics::Registry& registry, const blobs::ReplicatedBlobStore& blobs) {
  struct Family {
    Type type;
    const char* name;
    const char* help;
    uint64_t blobs::BlobHealth::* member;
  };

  using Health = blobs::BlobHealth;
  constexpr Family kFamilies[] = {
      {Type::kCounter, "rondel_gateway_chunks_written_total", "Chunks that reached their quorum.",
       &Health::chunks_written},
      {Type::kCounter, "rondel_gateway_written_bytes_total", "Bytes of finished streams.",
       &Health::bytes_written},
      {Type::kCounter, "rondel_gateway_copies_flushed_total", "Copies that a disk has flushed.",
       &Health::copies_flushed},
      {Type::kCounter, "rondel_gateway_handoff_copies_total", "Of them on hand-off disks.",
       &Health::handoff_copies},
      {Type::kCounter, "rondel_gateway_copies_failed_total", "Copies that ended with an error.",
       &Health::copies_failed},
      {Type::kCounter, "rondel_gateway_copies_stalled_total",
       "Copies replaced because a step took too long.", &Health::copies_stalled},
      {Type::kCounter, "rondel_gateway_copies_dropped_total",
       "Copies beyond the quorum left to catch-up.", &Health::copies_dropped},
      {Type::kCounter, "rondel_gateway_quorum_failures_total",
       "Chunks that did not reach two failure domains.", &Health::quorum_failures},
      {Type::kCounter, "rondel_gateway_full_failures_total",
       "Chunks for which fewer than two failure domains had space.", &Health::full_failures},
      {Type::kCounter, "rondel_gateway_read_bytes_total", "Bytes read from disks for clients.",
       &Health::bytes_read},
      {Type::kCounter, "rondel_gateway_read_failovers_total", "Reads that went on to another copy.",
       &Health::read_failovers},
      {Type::kCounter, "rondel_gateway_corrupt_reads_total", "Copies found damaged while reading.",
       &Health::corrupt_copies},
      {Type::kCounter, "rondel_gateway_missing_copies_total",
       "Owners that lacked a blob which was read elsewhere.", &Health::missing_copies},
      {Type::kCounter, "rondel_gateway_repairs_total",
       "Copies rewritten that a read found damaged or missing.", &Health::repairs_done},
      {Type::kCounter, "rondel_gateway_repairs_failed_total",
       "Such copies that could not be rewritten.", &Health::repairs_failed},
      {Type::kCounter, "rondel_gateway_repairs_joined_total",
       "Reads that met a copy which was being rewritten already.", &Health::repairs_joined},
      {Type::kCounter, "rondel_gateway_repairs_skipped_total",
       "Such copies left to scrub and catch-up: too many were being rewritten.",
       &Health::repairs_skipped},
      {Type::kCounter, "rondel_gateway_repairs_without_buffer_total",
       "Such copies left to scrub and catch-up: no buffer was free.",
       &Health::repairs_without_buffer},
      {Type::kCounter, "rondel_gateway_probes_total", "Questions to disks that were left alone.",
       &Health::probes},
      {Type::kGauge, "rondel_gateway_buffer_bytes", "Body bytes held.",
       &Health::buffer_bytes_in_use},
      {Type::kGauge, "rondel_gateway_buffer_bytes_max", "Body bytes that may be held.",
       &Health::buffer_bytes_max},
      {Type::kGauge, "rondel_gateway_background_tasks", "Copies, repairs and probes under way.",
       &Health::background_tasks},
  };
  for (const Family& family : kFamilies) {
    registry.callback(family.type, family.name, family.help, {}, [&blobs, member = family.member] {
      return static_cast<double>(blobs.health().*member);
    });
  }
  registry.collector(
      Type::kGauge, "rondel_gateway_disk_avoided", "1 while this gateway leaves the disk alone.",
      [&blobs] {
        std::vector<Sample> samples;
        for (const blobs::DiskHealth& disk : blobs.health().disks) {
          samples.push_back({{{"disk", disk.disk.to_hex()}}, disk.avoided ? 1.0 : 0.0});
        }
        return samples;
      });
  registry.collector(
      Type::kGauge, "rondel_gateway_disk_latency_seconds",
      "Moving average of a small request to the disk.", [&blobs] {
        std::vector<Sample> samples;
        for (const blobs::DiskHealth& disk : blobs.health().disks) {
          samples.push_back({{{"disk", disk.disk.to_hex()}}, disk.small_latency_seconds});
        }
        return samples;
      });
}

void register_admission(metrics::Registry& registry, const admission::Gate& gate,
                        const blobs::ReplicatedBlobStore& blobs) {
  using admission::PoolStatus;
  const auto of_each =
      [&registry, &gate, &blobs](
          Type type, const char* name, const char* help,
          std::function<void(const PoolStatus&, metrics::Labels, std::vector<Sample>&)> add) {
        registry.collector(type, name, help, [&gate, &blobs, add] {
          std::vector<PoolStatus> pools = blobs.health().budgets;
          pools.push_back(gate.requests.status());
          pools.push_back(gate.documents.status());
          pools.push_back(gate.listings.status());
          std::vector<Sample> samples;
          for (const PoolStatus& pool : pools) {
            add(pool, {{"bound", std::string(admission::name(pool.bound))}}, samples);
          }
          return samples;
        });
      };
  const auto member = [](uint64_t PoolStatus::* value) {
    return [value](const PoolStatus& pool, metrics::Labels labels, std::vector<Sample>& samples) {
      samples.push_back({std::move(labels), static_cast<double>(pool.*value)});
    };
  };
  of_each(Type::kGauge, "rondel_admission_in_use",
          "What is held of a bound, and what room is promised.", member(&PoolStatus::in_use));
  of_each(Type::kGauge, "rondel_admission_capacity", "What there is of a bound.",
          member(&PoolStatus::capacity));
  of_each(Type::kGauge, "rondel_admission_waiting", "Who waits for room.",
          member(&PoolStatus::waiting));
  of_each(Type::kCounter, "rondel_admission_gave_way_total",
          "Holders whose clients moved nothing while others wanted the room.",
          member(&PoolStatus::gave_way));
  of_each(Type::kCounter, "rondel_admission_refused_total",
          "Askers refused: no room, or above their share.",
          [](const PoolStatus& pool, metrics::Labels labels, std::vector<Sample>& samples) {
            metrics::Labels by_address = labels;
            by_address.emplace_back("kind", "address");
            labels.emplace_back("kind", "account");
            samples.push_back({std::move(by_address), static_cast<double>(pool.refused[0])});
            samples.push_back({std::move(labels), static_cast<double>(pool.refused[1])});
          });
}

void register_releases(metrics::Registry& registry, const request::StreamReleases& releases) {
  using Status = request::StreamReleasesStatus;

  struct Family {
    Type type;
    const char* name;
    const char* help;
    uint64_t Status::* member;
  };

  static constexpr Family kFamilies[] = {
      {Type::kGauge, "rondel_streams_unreleased",
       "Streams that nothing refers to, waiting in memory for the database.", &Status::waiting},
      {Type::kCounter, "rondel_streams_released_total",
       "Streams that nothing came to refer to, handed to the released queue.",
       &Status::released_total},
      {Type::kCounter, "rondel_streams_overflowed_total",
       "Streams left to the orphan scan because too many waited for the database.",
       &Status::overflowed_total},
      {Type::kCounter, "rondel_commits_not_known_total",
       "Commits with bytes whose answer was lost: the orphan scan decides about their streams.",
       &Status::not_known_total},
  };
  for (const Family& family : kFamilies) {
    registry.callback(family.type, family.name, family.help, {},
                      [&releases, member = family.member] {
                        return static_cast<double>(releases.status().*member);
                      });
  }
}

void register_lifecycle(metrics::Registry& registry, const lifecycle::LifecycleRunner& runner) {
  using Status = lifecycle::LifecycleStatus;

  struct Family {
    const char* name;
    const char* help;
    uint64_t Status::* member;
  };

  static constexpr Family kFamilies[] = {
      {"rondel_lifecycle_examined_total", "Versions that lifecycle rules were asked about.",
       &Status::examined_total},
      {"rondel_lifecycle_expired_total", "Current versions expired.", &Status::expired_total},
      {"rondel_lifecycle_removed_total", "Noncurrent versions and lone delete markers removed.",
       &Status::removed_total},
      {"rondel_lifecycle_aborted_total", "Incomplete multipart uploads aborted.",
       &Status::aborted_total},
      {"rondel_lifecycle_locked_total", "Removals that object lock refused.",
       &Status::locked_total},
      {"rondel_lifecycle_errors_total", "Runs of the lifecycle job that ended early.",
       &Status::errors_total},
  };
  for (const Family& family : kFamilies) {
    registry.callback(
        Type::kCounter, family.name, family.help, {},
        [&runner, member = family.member] { return static_cast<double>(runner.status().*member); });
  }
}

void register_clocks(metrics::Registry& registry, const membership::AgeClock& ages) {
  registry.callback(Type::kGauge, "rondel_clock_offset_seconds",
                    "How far this gateway's clock is ahead of the database's.", {},
                    [&ages] { return std::chrono::duration<double>(ages.status().ahead).count(); });
  registry.collector(Type::kGauge, "rondel_node_clock_offset_seconds",
                     "How far the node's clock is ahead of the database's.", [&ages] {
                       std::vector<Sample> samples;
                       for (const auto& [node, ahead] : ages.status().nodes) {
                         samples.push_back({{{"node", node.to_hex()}},
                                            std::chrono::duration<double>(ahead).count()});
                       }
                       return samples;
                     });
  registry.callback(
      Type::kGauge, "rondel_database_clock_off",
      "1 while most clocks of the cluster differ from the database's by more than 60 s.", {},
      [&ages] { return ages.status().verdict.database_off ? 1.0 : 0.0; });
  registry.collector(Type::kGauge, "rondel_node_clock_fenced",
                     "1 while the node takes no writes because its clock differs from most others "
                     "by more than 60 s.",
                     [&ages] {
                       std::vector<Sample> samples;
                       const membership::AgeClockStatus status = ages.status();
                       for (const auto& [node, ahead] : status.nodes) {
                         samples.push_back({{{"node", node.to_hex()}},
                                            status.verdict.fenced.contains(node) ? 1.0 : 0.0});
                       }
                       return samples;
                     });
  registry.callback(Type::kGauge, "rondel_ages_paused",
                    "1 while nothing ends by age: this gateway's clock or most others differ from "
                    "the database's by more than 60 s, both were "
                    "set back, or the database is away.",
                    {}, [&ages] { return ages.status().paused ? 1.0 : 0.0; });
  registry.callback(Type::kGauge, "rondel_ages_held_back_seconds",
                    "How far ages are behind after all clocks jumped ahead together.", {}, [&ages] {
                      return std::chrono::duration<double>(ages.status().held_back).count();
                    });
  registry.callback(
      Type::kGauge, "rondel_ages_set_back_seconds",
      "How far gateway and database are behind the time that has passed: all clocks were set back "
      "together.",
      {}, [&ages] { return std::chrono::duration<double>(ages.status().set_back).count(); });
}

void register_jobs(metrics::Registry& registry, const jobs::Scheduler& jobs) {
  const auto family = [&](Type type, const char* name, const char* help,
                          double (*value)(const jobs::Progress&)) {
    registry.collector(type, name, help, [&jobs, value] {
      std::vector<Sample> samples;
      for (const jobs::Progress& job : jobs.progress()) {
        samples.push_back({{{"job", job.job}}, value(job)});
      }
      return samples;
    });
  };
  using Progress = jobs::Progress;
  family(Type::kGauge, "rondel_job_running", "1 while a round of the job is under way here.",
         [](const Progress& job) { return job.running ? 1.0 : 0.0; });
  family(Type::kCounter, "rondel_job_rounds_total", "Rounds of the job that ended here.",
         [](const Progress& job) { return static_cast<double>(job.rounds_total); });
  family(Type::kCounter, "rondel_job_rounds_failed_total", "Of them those that an error ended.",
         [](const Progress& job) { return static_cast<double>(job.failed_total); });
  family(Type::kGauge, "rondel_job_last_round_seconds", "How long the last round took.",
         [](const Progress& job) { return std::chrono::duration<double>(job.last_took).count(); });
  family(Type::kGauge, "rondel_job_last_round_timestamp_seconds",
         "When the last round ended; 0 = none here.", [](const Progress& job) {
           return std::chrono::duration<double>(job.last_ended.time_since_epoch()).count();
         });
}

}  // namespace

void register_gateway_metrics(metrics::Registry& registry, const MetricSources& sources) {
  register_database(registry, sources.metadata);
  register_blobs(registry, sources.blobs);
  register_admission(registry, sources.gate, sources.blobs);
  register_lifecycle(registry, sources.lifecycle);
  register_releases(registry, sources.releases);
  register_clocks(registry, sources.ages);
  register_jobs(registry, sources.jobs);
  registry.callback(
      Type::kGauge, "rondel_ring_epoch", "Newest ring epoch known here.", {},
      [&topology = sources.topology] {
        const auto now = topology.topology();
        return now->current() == nullptr ? 0.0 : static_cast<double>(now->current()->epoch());
      });
  registry.callback(Type::kGauge, "rondel_coordinator_leader", "1 on the gateway that coordinates.",
                    {}, [&lease = sources.lease] { return lease.leads() ? 1.0 : 0.0; });
  registry.callback(Type::kCounter, "rondel_coordinator_streams_removed_total",
                    "Released streams removed from the disks.", {},
                    [&collector = sources.collector] {
                      return static_cast<double>(collector.status().streams_removed_total);
                    });
  const auto queue = [&registry, &lease = sources.lease, &collector = sources.collector](
                         const char* name, const char* help, auto member) {
    registry.callback(Type::kGauge, name, help, {}, [&lease, &collector, member] {
      return lease.leads() ? static_cast<double>(collector.status().*member) : 0.0;
    });
  };
  queue("rondel_gc_released_streams",
        "Released streams that wait for their removal, on the gateway that coordinates.",
        &gc::CollectorStatus::released_streams);
  queue("rondel_gc_deferred_streams",
        "Of them, those whose disks did not all answer and that are tried again later.",
        &gc::CollectorStatus::deferred_streams);
  queue("rondel_gc_oldest_release_seconds", "Age of the oldest of them.",
        &gc::CollectorStatus::oldest_release_seconds);
  const auto scan = [&registry, &orphans = sources.orphans](
                        Type type, const char* name, const char* help,
                        uint64_t gc::OrphanScanStatus::* member) {
    registry.callback(type, name, help, {},
                      [&orphans, member] { return static_cast<double>(orphans.status().*member); });
  };
  using Scan = gc::OrphanScanStatus;
  scan(Type::kCounter, "rondel_gc_scanned_blobs_total",
       "Blobs that the reconcile scan has looked at.", &Scan::blobs_scanned_total);
  scan(Type::kCounter, "rondel_gc_orphan_blobs_total", "Blobs found that nothing refers to.",
       &Scan::orphan_blobs_total);
  scan(Type::kCounter, "rondel_gc_orphan_streams_total",
       "Streams released because nothing refers to them.", &Scan::orphan_streams_total);
  scan(Type::kCounter, "rondel_gc_skipped_disks_total",
       "Disks that could not be looked through in a pass.", &Scan::disks_skipped_total);
  scan(Type::kCounter, "rondel_gc_passes_total", "Passes of the reconcile scan.",
       &Scan::passes_total);
  registry.callback(
      Type::kGauge, "rondel_gc_last_pass_timestamp_seconds",
      "When the last pass of the reconcile scan ended; 0 = none here.", {},
      [&orphans = sources.orphans] {
        return static_cast<double>(orphans.status().last_pass_at.time_since_epoch().count()) / 1e6;
      });
  registry.callback(
      Type::kCounter, "rondel_gc_second_look_streams_total",
      "Released streams that nothing refers to at the second look.", {},
      [&look = sources.second_look] { return static_cast<double>(look.status().checked_total); });
  registry.callback(Type::kCounter, "rondel_gc_referenced_streams_total",
                    "Released streams that something refers to: kept.", {},
                    [&look = sources.second_look] {
                      return static_cast<double>(look.status().referenced_total);
                    });
  registry.callback(Type::kGauge, "rondel_gc_second_look_seconds",
                    "How long the last second look took; 0 = none here.", {},
                    [&look = sources.second_look] { return look.status().last_pass_seconds; });
  registry.callback(Type::kGauge, "rondel_gc_halted",
                    "1 while garbage collection waits for an operator.", {},
                    [&collector = sources.collector] {
                      return collector.status().gc_halted.empty() ? 0.0 : 1.0;
                    });
  registry.callback(Type::kGauge, "rondel_gc_restores_waiting",
                    "Disks whose trash is yet to be looked through for what rows refer to.", {},
                    [&restores = sources.restores, &lease = sources.lease] {
                      return lease.leads() ? static_cast<double>(restores.status().disks_waiting)
                                           : 0.0;
                    });
  registry.callback(Type::kCounter, "rondel_gc_restored_blobs_total",
                    "Copies taken out of the trash because rows refer to them.", {},
                    [&restores = sources.restores] {
                      return static_cast<double>(restores.status().blobs_restored_total);
                    });
  registry.callback(Type::kCounter, "rondel_coordinator_removals_deferred_total",
                    "Released streams kept for a later round.", {},
                    [&collector = sources.collector] {
                      return static_cast<double>(collector.status().removals_deferred_total);
                    });
  registry.callback(
      Type::kGauge, "rondel_http_connections", "Open S3 connections.", {},
      [&server = sources.server] { return static_cast<double>(server.status().connections); });
  registry.callback(
      Type::kCounter, "rondel_http_connections_total", "S3 connections accepted.", {},
      [&server = sources.server] { return static_cast<double>(server.status().accepted_total); });
  registry.callback(
      Type::kCounter, "rondel_http_connections_refused_total",
      "S3 connections answered 503 and closed: too many, in all or of one address.", {},
      [&server = sources.server] { return static_cast<double>(server.status().refused_total); });
  registry.callback(
      Type::kCounter, "rondel_http_malformed_total", "Request heads that were refused.", {},
      [&server = sources.server] { return static_cast<double>(server.status().malformed_total); });
  registry.callback(
      Type::kCounter, "rondel_http_slow_peers_total",
      "Requests and answers given up because their peer was too slow.", {},
      [&server = sources.server] { return static_cast<double>(server.status().slow_total); });
  registry.callback(Type::kCounter, "rondel_request_bytes_total",
                    "Bytes of request bodies, received.", {}, [&server = sources.server] {
                      return static_cast<double>(server.status().body_bytes_read_total);
                    });
  registry.callback(Type::kCounter, "rondel_response_bytes_total",
                    "Bytes of response bodies, sent.", {}, [&server = sources.server] {
                      return static_cast<double>(server.status().body_bytes_written_total);
                    });
  registry.callback(Type::kCounter, "rondel_http_fields_left_out_total",
                    "Header fields not sent: a control character was in them.", {},
                    [] { return static_cast<double>(http::fields_left_out()); });
}

}  // namespace rondel::gateway
