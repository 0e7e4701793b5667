// rondel-bench: puts load on an S3 endpoint and says what it cost.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

#include "bench/options.h"
#include "bench/plan.h"
#include "bench/process_usage.h"
#include "bench/report.h"
#include "bench/worker.h"

namespace rondel::bench {
namespace {

constexpr size_t kBodyVariety = 1 << 20;  // Bodies begin anywhere in this range.

using PlanMaker = std::function<std::unique_ptr<Plan>(unsigned worker, unsigned workers)>;

std::vector<std::byte> random_bodies(const Options& options) {
  const uint64_t largest = *std::max_element(options.sizes.begin(), options.sizes.end());
  std::vector<std::byte> bytes(largest + kBodyVariety);
  std::mt19937_64 random(options.seed);
  for (size_t i = 0; i + 8 <= bytes.size(); i += 8) store_le(bytes.data() + i, random());
  return bytes;
}

// Connections are spread as evenly as they divide.
int share(int connections, int worker, int workers) {
  return connections / workers + (worker < connections % workers ? 1 : 0);
}

class Workers {
 public:
  Workers(const Options& options, ByteView bodies) {
    for (int i = 0; i < options.threads; ++i) {
      workers_.push_back(std::make_unique<Worker>(
          options, share(options.connections, i, options.threads), bodies));
    }
  }

  // `during` runs on this thread meanwhile.
  Statistics run(const PlanMaker& make_plan, const Window& window, double rate,
                 const std::function<void()>& during) {
    std::vector<Statistics> parts(workers_.size());
    std::vector<std::thread> threads;
    const auto count = static_cast<unsigned>(workers_.size());
    for (unsigned i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        const auto plan = make_plan(i, count);
        parts[i] = workers_[i]->run(*plan, window, rate / count);
      });
    }
    during();
    for (std::thread& thread : threads) thread.join();
    for (size_t i = 1; i < parts.size(); ++i) parts.front().merge(parts[i]);
    return std::move(parts.front());
  }

 private:
  std::vector<std::unique_ptr<Worker>> workers_;
};

// One PUT of the bucket itself; that it exists is fine.
class CreateBucketPlan final : public Plan {
 public:
  std::optional<Request> next() override {
    if (std::exchange(done_, true)) return std::nullopt;
    return Request{Operation::kPut, "", 0};
  }

 private:
  bool done_ = false;
};

Result<void> create_bucket(const Options& options) {
  Worker worker(options, 1, {});
  CreateBucketPlan plan;
  const Statistics statistics = worker.run(plan, Window{}, 0);
  if (statistics.errors.empty() || statistics.errors.begin()->first == "409") return {};
  return fail(ErrorCode::kUnavailable, "making the bucket: " + statistics.errors.begin()->first +
                                           " " + statistics.first_error);
}

struct Mark {
  Steady::time_point at;
  double client_cpu_s = 0;
  std::vector<ProcessUsage> groups;
};

Mark take_mark(const Options& options) {
  Mark mark{Steady::now(), own_cpu_s(), {}};
  for (const ProcessNames& group : options.processes) mark.groups.push_back(usage_of(group.pids));
  return mark;
}

void measure(const Options& options, Workers& workers, Outcome& outcome) {
  const auto start = Steady::now();
  const auto after = [start](double seconds) {
    return start +
           std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(seconds));
  };
  const Window window{after(options.warm_up_s), after(options.warm_up_s + options.duration_s)};
  Mark begin, end;
  const auto plan = [&options](unsigned worker, unsigned count) {
    return std::make_unique<LoadPlan>(options, worker, count);
  };
  outcome.statistics = workers.run(plan, window, options.rate, [&] {
    std::this_thread::sleep_until(window.begin);
    begin = take_mark(options);
    std::this_thread::sleep_until(window.end);
    end = take_mark(options);
  });
  outcome.seconds = options.duration_s;
  outcome.client_cpu_s = end.client_cpu_s - begin.client_cpu_s;
  for (size_t i = 0; i < options.processes.size(); ++i) {
    const ProcessUsage& last = end.groups[i];
    outcome.groups.push_back({options.processes[i].name, last.cpu_s - begin.groups[i].cpu_s,
                              last.resident_bytes, last.proportional_bytes, last.peak_bytes});
  }
}

Result<void> preload(const Options& options, Workers& workers, Outcome& outcome) {
  const auto begin = Steady::now();
  const auto plan = [&options](unsigned worker, unsigned count) {
    return std::make_unique<PreloadPlan>(options, worker, count);
  };
  const Statistics statistics = workers.run(plan, Window{}, 0, [] {});
  outcome.preload_s = std::chrono::duration<double>(Steady::now() - begin).count();
  if (statistics.errors.empty()) return {};
  return fail(ErrorCode::kUnavailable,
              "preload: " + statistics.errors.begin()->first + " " + statistics.first_error);
}

Result<Outcome> run(const Options& options) {
  if (options.create_bucket) TRY_VOID(create_bucket(options));
  const std::vector<std::byte> bodies = random_bodies(options);
  Workers workers(options, bodies);
  Outcome outcome;
  if (options.preload) TRY_VOID(preload(options, workers, outcome));
  measure(options, workers, outcome);
  return outcome;
}

int fail_with(const Error& error) {
  std::fprintf(stderr, "rondel-bench: %s\n", error.message.c_str());
  return 2;
}

int main_of(int count, const char* const* words) {
  const auto options = parse_options(count, words);
  if (!options && options.error().code == ErrorCode::kCancelled) {
    std::printf("%s", options.error().message.c_str());
    return 0;
  }
  if (!options) return fail_with(options.error());
  const auto outcome = run(*options);
  if (!outcome) return fail_with(outcome.error());
  std::printf("%s", to_text(*options, *outcome).c_str());
  if (!options->json_file.empty()) {
    std::ofstream file(options->json_file, std::ios::trunc);
    file << to_json(*options, *outcome);
    if (!file.flush()) {
      return fail_with({ErrorCode::kUnavailable, "cannot write " + options->json_file});
    }
  }
  return outcome->statistics.errors.empty() ? 0 : 1;
}

}  // namespace
}  // namespace rondel::bench

int main(int count, char** words) { return rondel::bench::main_of(count, words); }
