#include "kms/measured_keys.h"

namespace rondel::kms {
namespace {

constexpr std::string_view kOutcomeNames[] = {"ok", "refused", "denied", "unavailable", "failed"};

size_t outcome_of(const Error* error) {
  if (error == nullptr) return 0;
  switch (error->code) {
    // The key or what was wrapped is not as the caller thought.
    case ErrorCode::kNotFound:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kPrecondition:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kCorruption:
    case ErrorCode::kUnimplemented: return 1;
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kUnauthenticated: return 2;
    case ErrorCode::kUnavailable:
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kDeadlineExceeded: return 3;
    default: return 4;
  }
}

}  // namespace

MeasuredKeyManagement::MeasuredKeyManagement(KeyManagement& keys, std::string_view provider,
                                             metrics::Registry& registry)
    : keys_(keys),
      generate_(call_of(registry, provider, "generate")),
      unwrap_(call_of(registry, provider, "unwrap")),
      rewrap_(call_of(registry, provider, "rewrap")),
      administer_(call_of(registry, provider, "administer")) {}

MeasuredKeyManagement::Call MeasuredKeyManagement::call_of(metrics::Registry& registry,
                                                           std::string_view provider,
                                                           std::string_view name) {
  static_assert(std::size(kOutcomeNames) == kOutcomes);
  const metrics::Labels labels{{"provider", std::string(provider)}, {"call", std::string(name)}};
  Call call;
  call.seconds =
      &registry.histogram("rondel_kms_call_seconds", "Time that key management took for a call.",
                          labels, metrics::latency_buckets());
  for (size_t i = 0; i < kOutcomes; ++i) {
    metrics::Labels with_outcome = labels;
    with_outcome.emplace_back("outcome", kOutcomeNames[i]);
    call.by_outcome[i] = &registry.counter("rondel_kms_calls_total", "Calls of key management.",
                                           std::move(with_outcome));
  }
  return call;
}

void MeasuredKeyManagement::count(const Call& call, SteadyTime begun, const Error* error) {
  call.seconds->observe(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  call.by_outcome[outcome_of(error)]->add();
}

template <class T>
async::Task<Result<T>> MeasuredKeyManagement::measured(const Call& call,
                                                       async::Task<Result<T>> work) {
  const SteadyTime begun = std::chrono::steady_clock::now();
  Result<T> result = co_await std::move(work);
  count(call, begun, result ? nullptr : &result.error());
  co_return result;
}

async::Task<Result<DataKey>> MeasuredKeyManagement::generate_data_key(std::string key,
                                                                      std::string context,
                                                                      Deadline deadline) {
  return measured(generate_, keys_.generate_data_key(std::move(key), std::move(context), deadline));
}

async::Task<Result<crypto::Secret>> MeasuredKeyManagement::unwrap(std::string key,
                                                                  std::string wrapped,
                                                                  std::string context,
                                                                  Deadline deadline) {
  return measured(unwrap_,
                  keys_.unwrap(std::move(key), std::move(wrapped), std::move(context), deadline));
}

async::Task<Result<std::string>> MeasuredKeyManagement::rewrap(std::string key, std::string wrapped,
                                                               std::string context,
                                                               Deadline deadline) {
  return measured(rewrap_,
                  keys_.rewrap(std::move(key), std::move(wrapped), std::move(context), deadline));
}

async::Task<Result<void>> MeasuredKeyManagement::check_usable(std::string key, std::string wrapped,
                                                              std::string context,
                                                              Deadline deadline) {
  return keys_.check_usable(std::move(key), std::move(wrapped), std::move(context), deadline);
}

async::Task<Result<void>> MeasuredKeyManagement::create(std::string key, Deadline deadline) {
  return measured(administer_, keys_.create(std::move(key), deadline));
}

async::Task<Result<std::vector<KeyDescription>>> MeasuredKeyManagement::list(Deadline deadline) {
  return measured(administer_, keys_.list(deadline));
}

async::Task<Result<KeyDescription>> MeasuredKeyManagement::describe(std::string key,
                                                                    Deadline deadline) {
  return measured(administer_, keys_.describe(std::move(key), deadline));
}

async::Task<Result<void>> MeasuredKeyManagement::rotate(std::string key, Deadline deadline) {
  return measured(administer_, keys_.rotate(std::move(key), deadline));
}

async::Task<Result<void>> MeasuredKeyManagement::set_enabled(std::string key, bool enabled,
                                                             Deadline deadline) {
  return measured(administer_, keys_.set_enabled(std::move(key), enabled, deadline));
}

}  // namespace rondel::kms
