// Metrics for Prometheus: counters, gauges and histograms as handles that are resolved once, never
// per request.
//
//   metrics::Counter& requests = registry.counter("rondel_requests_total", "Requests.", {{"operation", "GetObject"}});
//   requests.add();
//
// Names: `rondel_` prefix, base units (seconds, bytes), `_total` on counters only. The same name
// and labels give the same handle; a name has one type, one help text and one set of label names
// (ASSERTed). A family has at most kSeriesMax series; further label values share one series whose
// values are all "other". Handles live as long as the registry and are safe for concurrent use: an
// increment is one relaxed atomic add in a cell that few threads share.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rondel::metrics {

inline constexpr size_t kSeriesMax = 1'000;

using Labels = std::vector<std::pair<std::string, std::string>>;

namespace detail {
inline constexpr size_t kCells = 8;
size_t cell_of_thread();

struct alignas(64) Cell {
  std::atomic<uint64_t> value{0};
};
}  // namespace detail

class Counter {
 public:
  void add(uint64_t amount = 1) {
    cells_[detail::cell_of_thread()].value.fetch_add(amount, std::memory_order_relaxed);
  }

  uint64_t value() const;

 private:
  std::array<detail::Cell, detail::kCells> cells_;
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }

  void add(double amount) { value_.fetch_add(amount, std::memory_order_relaxed); }

  void sub(double amount) { add(-amount); }

  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// 100 us to 60 s, for latencies in seconds.
std::span<const double> latency_buckets();
// 1 to 4096 in powers of two, for batch and queue sizes.
std::span<const double> count_buckets();
// 1 KiB to 5 GiB, for sizes in bytes.
std::span<const double> size_buckets();

class Histogram {
 public:
  explicit Histogram(std::span<const double> upper_bounds);
  void observe(double value);
  uint64_t count() const;

  struct Snapshot {
    std::vector<double> bounds;
    std::vector<uint64_t> counts;  // Per bucket, not cumulative; the last one is above every bound.
    double sum = 0;
  };

  Snapshot snapshot() const;

 private:
  struct Shard;
  std::vector<double> bounds_;
  std::vector<std::unique_ptr<Shard>> shards_;

 public:
  ~Histogram();
};

enum class Type { kCounter, kGauge };

struct Sample {
  Labels labels;
  double value = 0;
};

class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, Labels labels = {},
                       std::span<const double> upper_bounds = latency_buckets());

  // A value asked for at every scrape, on the scraping thread. The function must not block and
  // stays valid as long as expose() may be called.
  void callback(Type type, std::string_view name, std::string_view help, Labels labels,
                std::function<double()> read);
  // A whole family asked for at every scrape: labels that come and go (disks, nodes). At most
  // kSeriesMax samples are taken.
  void collector(Type type, std::string_view name, std::string_view help,
                 std::function<std::vector<Sample>()> read);

  // The text format 0.0.4, families in order of their names.
  std::string expose() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Of expose().
inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

// rondel_build_info, process_* (CPU seconds, resident bytes, open files, start time) from /proc.
void register_process_metrics(Registry& registry, std::string_view program,
                              std::string_view version = {}, std::string_view commit = {});

}  // namespace rondel::metrics
