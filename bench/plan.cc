#include "bench/plan.h"

#include <algorithm>
#include <chrono>

namespace rondel::bench {
namespace {

constexpr uint64_t kDistance = 1000;

std::string digits(uint64_t number, size_t width) {
  std::string text = std::to_string(number);
  return text.size() < width ? text.insert(0, width - text.size(), '0') : text;
}

}  // namespace

std::string key_of(const Options& options, uint64_t number) {
  if (options.folders == 0) return options.prefix + digits(number, 12);
  const uint64_t in_each = (options.keys + options.folders - 1) / options.folders;
  return options.prefix + digits(number / in_each, 6) + "/" + digits(number, 12);
}

PreloadPlan::PreloadPlan(const Options& options, unsigned worker, unsigned workers)
    : options_(options), number_(worker), workers_(workers) {}

std::optional<Request> PreloadPlan::next() {
  if (number_ >= options_.keys) return std::nullopt;
  Request request{Operation::kPut, key_of(options_, number_),
                  options_.sizes[number_ % options_.sizes.size()]};
  number_ += workers_;
  return request;
}

LoadPlan::LoadPlan(const Options& options, unsigned worker, unsigned workers)
    : options_(options), worker_(worker), workers_(workers), random_(options.seed * 1000 + worker) {
  for (const auto& [operation, weight] : options.mix) weight_sum_ += weight;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  run_ = "run-" +
         std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()) + "-" +
         std::to_string(worker) + "-";
}

Operation LoadPlan::choose() {
  if (options_.mix.size() == 1) return options_.mix.front().first;
  auto left = static_cast<unsigned>(random_() % weight_sum_);
  for (const auto& [operation, weight] : options_.mix) {
    if (left < weight) return operation;
    left -= weight;
  }
  return options_.mix.back().first;
}

std::string LoadPlan::random_key(uint64_t below) { return key_of(options_, random_() % below); }

std::optional<Request> LoadPlan::next_delete() {
  if (options_.mix.size() == 1) {
    const uint64_t number = next_delete_++ * workers_ + worker_;
    if (number >= options_.keys) return std::nullopt;
    return Request{Operation::kDelete, key_of(options_, number), 0};
  }
  // Some distance behind the PUTs, so that what is deleted has been stored.
  if (next_put_ < next_delete_ + kDistance) {
    return Request{Operation::kHead, random_key(options_.keys), 0};
  }
  return Request{Operation::kDelete, options_.prefix + run_ + std::to_string(next_delete_++), 0};
}

std::optional<Request> LoadPlan::next() {
  const Operation operation = choose();
  switch (operation) {
    case Operation::kPut:
      return Request{
          operation, options_.prefix + run_ + std::to_string(next_put_++),
          options_.sizes[options_.sizes.size() == 1 ? 0 : random_() % options_.sizes.size()]};
    case Operation::kDelete: return next_delete();
    case Operation::kGet:
    case Operation::kHead: return Request{operation, random_key(options_.keys), 0};
    case Operation::kList:
      return Request{operation, random_key(std::max<uint64_t>(1, options_.keys / 2)), 0};
  }
  return std::nullopt;
}

}  // namespace rondel::bench
