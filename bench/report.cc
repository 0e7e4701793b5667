#include "bench/report.h"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace rondel::bench {
namespace {

namespace json = boost::json;

constexpr std::array<std::pair<const char*, double>, 5> kPercentiles{
    {{"p50_us", 50}, {"p90_us", 90}, {"p99_us", 99}, {"p999_us", 99.9}, {"max_us", 100}}};

uint64_t succeeded(const Statistics& statistics) {
  uint64_t count = 0;
  for (const Histogram& histogram : statistics.latency) count += histogram.count();
  return count;
}

uint64_t failed(const Statistics& statistics) {
  uint64_t count = 0;
  for (const auto& [what, times] : statistics.errors) count += times;
  return count;
}

double per_request_us(double seconds, const Statistics& statistics) {
  return statistics.answered == 0 ? 0 : seconds * 1e6 / static_cast<double>(statistics.answered);
}

json::object latency_json(const Histogram& histogram, double seconds) {
  json::object out;
  out["requests"] = histogram.count();
  out["per_s"] = static_cast<double>(histogram.count()) / seconds;
  out["mean_us"] = histogram.mean() / 1e3;
  for (const auto& [name, percent] : kPercentiles) {
    out[name] = static_cast<double>(histogram.percentile(percent)) / 1e3;
  }
  return out;
}

json::object group_json(double cpu_s, const Outcome& outcome) {
  const double moved_gb = static_cast<double>(outcome.statistics.bytes) / 1e9;
  json::object out;
  out["cpu_s"] = cpu_s;
  out["cpu_us_per_request"] = per_request_us(cpu_s, outcome.statistics);
  out["cpu_s_per_gb"] = moved_gb > 0 ? cpu_s / moved_gb : 0;
  return out;
}

}  // namespace

std::string to_json(const Options& options, const Outcome& outcome) {
  const Statistics& statistics = outcome.statistics;
  json::object out;
  out["connections"] = options.connections;
  out["rate"] = options.rate;
  out["sizes"] = json::value_from(options.sizes);
  out["payload"] = options.payload == Payload::kSigned ? "signed" : "unsigned";
  out["seconds"] = outcome.seconds;
  out["preload_s"] = outcome.preload_s;
  out["requests"] = succeeded(statistics);
  out["per_s"] = static_cast<double>(succeeded(statistics)) / outcome.seconds;
  out["answered"] = statistics.answered;
  out["mb_per_s"] = static_cast<double>(statistics.bytes) / 1e6 / outcome.seconds;
  out["errors"] = json::value_from(statistics.errors);
  out["first_error"] = statistics.first_error;
  json::object operations;
  for (size_t i = 0; i < kOperations; ++i) {
    if (statistics.latency[i].count() == 0) continue;
    operations[to_string(static_cast<Operation>(i))] =
        latency_json(statistics.latency[i], outcome.seconds);
  }
  out["operations"] = std::move(operations);
  json::object processes;
  processes["client"] = group_json(outcome.client_cpu_s, outcome);
  for (const GroupUse& group : outcome.groups) {
    json::object entry = group_json(group.cpu_s, outcome);
    entry["resident_mib"] = static_cast<double>(group.resident_bytes) / (1 << 20);
    entry["proportional_mib"] = static_cast<double>(group.proportional_bytes) / (1 << 20);
    entry["peak_mib"] = static_cast<double>(group.peak_bytes) / (1 << 20);
    processes[group.name] = std::move(entry);
  }
  out["processes"] = std::move(processes);
  return json::serialize(out) + "\n";
}

std::string to_text(const Options& options, const Outcome& outcome) {
  const Statistics& statistics = outcome.statistics;
  std::string out;
  if (outcome.preload_s > 0) {
    out += fmt::format("preload  {} objects in {:.1f} s\n", options.keys, outcome.preload_s);
  }
  for (size_t i = 0; i < kOperations; ++i) {
    const Histogram& histogram = statistics.latency[i];
    if (histogram.count() == 0) continue;
    out += fmt::format("{:<8} {:>9.0f} /s", to_string(static_cast<Operation>(i)),
                       static_cast<double>(histogram.count()) / outcome.seconds);
    for (const auto& [name, percent] : kPercentiles) {
      out += fmt::format("  {} {:.0f}", name,
                         static_cast<double>(histogram.percentile(percent)) / 1e3);
    }
    out += "\n";
  }
  out += fmt::format("bytes    {:>9.1f} MB/s\n",
                     static_cast<double>(statistics.bytes) / 1e6 / outcome.seconds);
  if (failed(statistics) > 0) {
    out += fmt::format("errors   {:>9}  {}\n", failed(statistics), statistics.first_error);
  }
  out += fmt::format("CPU us per request: client {:.1f}",
                     per_request_us(outcome.client_cpu_s, statistics));
  for (const GroupUse& group : outcome.groups) {
    out += fmt::format(", {} {:.1f}", group.name, per_request_us(group.cpu_s, statistics));
  }
  out += "\n";
  for (const GroupUse& group : outcome.groups) {
    out += fmt::format("memory   {:>9.0f} MiB resident, {:.0f} MiB peak  {}\n",
                       static_cast<double>(group.resident_bytes) / (1 << 20),
                       static_cast<double>(group.peak_bytes) / (1 << 20), group.name);
  }
  return out;
}

}  // namespace rondel::bench
