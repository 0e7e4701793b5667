#include "common/metrics/metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <map>
#include <sstream>

#include "common/base/assert.h"
#include "common/base/mutex.h"

namespace rondel::metrics {
namespace detail {

size_t cell_of_thread() {
  static std::atomic<size_t> next{0};
  thread_local const size_t mine = next.fetch_add(1, std::memory_order_relaxed) % kCells;
  return mine;
}

}  // namespace detail

uint64_t Counter::value() const {
  uint64_t sum = 0;
  for (const detail::Cell& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
  return sum;
}

std::span<const double> latency_buckets() {
  static constexpr std::array kBounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                         0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                         1.0,    2.5,     5.0,    10.0,  30.0,   60.0};
  return kBounds;
}

std::span<const double> count_buckets() {
  static constexpr std::array<double, 13> kBounds = {1,   2,   4,   8,    16,   32,  64,
                                                     128, 256, 512, 1024, 2048, 4096};
  return kBounds;
}

std::span<const double> size_buckets() {
  static constexpr std::array<double, 12> kBounds = {1024,     4096,      16384,      65536,
                                                     262144,   1048576,   4194304,    16777216,
                                                     67108864, 268435456, 1073741824, 5368709120};
  return kBounds;
}

struct alignas(64) Histogram::Shard {
  explicit Shard(size_t buckets) : counts(buckets) {}

  std::vector<std::atomic<uint64_t>> counts;
  std::atomic<double> sum{0};
};

Histogram::Histogram(std::span<const double> upper_bounds)
    : bounds_(upper_bounds.begin(), upper_bounds.end()) {
  ASSERT(std::ranges::is_sorted(bounds_));
  for (size_t i = 0; i < 4; ++i) shards_.push_back(std::make_unique<Shard>(bounds_.size() + 1));
}

Histogram::~Histogram() = default;

void Histogram::observe(double value) {
  Shard& shard = *shards_[detail::cell_of_thread() % shards_.size()];
  const auto bucket =
      static_cast<size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin());
  shard.counts[bucket].fetch_add(1, std::memory_order_relaxed);
  shard.sum.fetch_add(value, std::memory_order_relaxed);
}

uint64_t Histogram::count() const {
  uint64_t total = 0;
  for (uint64_t bucket : snapshot().counts) total += bucket;
  return total;
}

Histogram::Snapshot Histogram::snapshot() const {
  Snapshot out{bounds_, std::vector<uint64_t>(bounds_.size() + 1), 0};
  for (const auto& shard : shards_) {
    for (size_t i = 0; i < out.counts.size(); ++i) {
      out.counts[i] += shard->counts[i].load(std::memory_order_relaxed);
    }
    out.sum += shard->sum.load(std::memory_order_relaxed);
  }
  return out;
}

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

std::vector<ClientMetric::Label> to_prometheus(const Labels& labels) {
  std::vector<ClientMetric::Label> out;
  for (const auto& [name, value] : labels) {
    ClientMetric::Label label;
    label.name = name;
    label.value = value;
    out.push_back(std::move(label));
  }
  return out;
}

ClientMetric::Histogram to_prometheus(const Histogram::Snapshot& snapshot) {
  ClientMetric::Histogram out;
  for (size_t i = 0; i < snapshot.counts.size(); ++i) {
    out.sample_count += snapshot.counts[i];
    ClientMetric::Bucket bucket;
    bucket.cumulative_count = out.sample_count;
    bucket.upper_bound =
        i < snapshot.bounds.size() ? snapshot.bounds[i] : std::numeric_limits<double>::infinity();
    out.bucket.push_back(bucket);
  }
  out.sample_sum = snapshot.sum;
  return out;
}

// One series: exactly one of the four is set.
struct Series {
  Labels labels;
  std::unique_ptr<Counter> counter;
  std::unique_ptr<Gauge> gauge;
  std::unique_ptr<Histogram> histogram;
  std::function<double()> read;
};

struct Family {
  std::string help;
  MetricType type = MetricType::Untyped;
  std::map<Labels, std::unique_ptr<Series>> series;
  std::function<std::vector<Sample>()> collect;
};

void set_value(ClientMetric& metric, MetricType type, double value) {
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
}

ClientMetric read_series(const Series& series, MetricType type) {
  ClientMetric metric;
  metric.label = to_prometheus(series.labels);
  if (series.counter) metric.counter.value = static_cast<double>(series.counter->value());
  if (series.gauge) metric.gauge.value = series.gauge->value();
  if (series.histogram) metric.histogram = to_prometheus(series.histogram->snapshot());
  if (series.read) set_value(metric, type, series.read());
  return metric;
}

}  // namespace

struct Registry::Impl final : prometheus::Collectable {
  mutable Mutex mutex;
  std::map<std::string, Family, std::less<>> families GUARDED_BY(mutex);  // Never shrinks.

  Family& family(std::string_view name, std::string_view help, MetricType type) REQUIRES(mutex) {
    const auto found = families.find(name);
    if (found != families.end()) {
      ASSERT(found->second.type == type);
      return found->second;
    }
    Family& made = families[std::string(name)];
    made.help = help;
    made.type = type;
    return made;
  }

  Series& series(Family& family, Labels labels) REQUIRES(mutex) {
    const auto found = family.series.find(labels);
    if (found != family.series.end()) return *found->second;
    if (family.series.size() + 1 >= kSeriesMax) {
      for (auto& [name, value] : labels) value = "other";
      const auto other = family.series.find(labels);
      if (other != family.series.end()) return *other->second;
    }
    auto made = std::make_unique<Series>();
    made->labels = labels;
    return *family.series.emplace(std::move(labels), std::move(made)).first->second;
  }

  // Callbacks run without the mutex: they may resolve handles themselves.
  std::vector<MetricFamily> Collect() const override {
    std::vector<std::pair<std::string, const Family*>> all;
    std::vector<std::vector<const Series*>> members;
    {
      MutexLock lock(mutex);
      for (const auto& [name, family] : families) {
        all.emplace_back(name, &family);
        auto& list = members.emplace_back();
        for (const auto& [labels, series] : family.series) list.push_back(series.get());
      }
    }
    std::vector<MetricFamily> out;
    for (size_t i = 0; i < all.size(); ++i) {
      const Family& family = *all[i].second;
      MetricFamily shown;
      shown.name = all[i].first;
      shown.help = family.help;
      shown.type = family.type;
      for (const Series* series : members[i]) {
        shown.metric.push_back(read_series(*series, family.type));
      }
      if (family.collect) append_samples(family, shown);
      if (!shown.metric.empty()) out.push_back(std::move(shown));
    }
    return out;
  }

  static void append_samples(const Family& family, MetricFamily& shown) {
    for (const Sample& sample : family.collect()) {
      if (shown.metric.size() >= kSeriesMax) return;
      ClientMetric metric;
      metric.label = to_prometheus(sample.labels);
      set_value(metric, family.type, sample.value);
      shown.metric.push_back(std::move(metric));
    }
  }
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}

Registry::~Registry() = default;

Counter& Registry::counter(std::string_view name, std::string_view help, Labels labels) {
  ASSERT(name.ends_with("_total"));
  MutexLock lock(impl_->mutex);
  Series& series = impl_->series(impl_->family(name, help, MetricType::Counter), std::move(labels));
  if (!series.counter) series.counter = std::make_unique<Counter>();
  return *series.counter;
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, Labels labels) {
  MutexLock lock(impl_->mutex);
  Series& series = impl_->series(impl_->family(name, help, MetricType::Gauge), std::move(labels));
  if (!series.gauge) series.gauge = std::make_unique<Gauge>();
  return *series.gauge;
}

Histogram& Registry::histogram(std::string_view name, std::string_view help, Labels labels,
                               std::span<const double> upper_bounds) {
  MutexLock lock(impl_->mutex);
  Series& series =
      impl_->series(impl_->family(name, help, MetricType::Histogram), std::move(labels));
  if (!series.histogram) series.histogram = std::make_unique<Histogram>(upper_bounds);
  return *series.histogram;
}

void Registry::callback(Type type, std::string_view name, std::string_view help, Labels labels,
                        std::function<double()> read) {
  const MetricType wanted = type == Type::kCounter ? MetricType::Counter : MetricType::Gauge;
  MutexLock lock(impl_->mutex);
  impl_->series(impl_->family(name, help, wanted), std::move(labels)).read = std::move(read);
}

void Registry::collector(Type type, std::string_view name, std::string_view help,
                         std::function<std::vector<Sample>()> read) {
  const MetricType wanted = type == Type::kCounter ? MetricType::Counter : MetricType::Gauge;
  MutexLock lock(impl_->mutex);
  impl_->family(name, help, wanted).collect = std::move(read);
}

std::string Registry::expose() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, impl_->Collect());
  return std::move(out).str();
}

}  // namespace rondel::metrics
