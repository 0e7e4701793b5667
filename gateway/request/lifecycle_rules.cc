#include "gateway/request/lifecycle_rules.h"

#include "jobs/lifecycle/rule.h"
#include "metadata/model/bucket.h"

namespace rondel::request {
namespace {

// Takes well under a millisecond.
constexpr size_t kDecodedHereBytes = 32 << 10;

size_t memory_bytes(const lifecycle::Configuration& rules) {
  size_t bytes = sizeof(rules);
  for (const lifecycle::Rule& rule : rules.rules) {
    bytes += sizeof(rule) + rule.id.size() + rule.filter.prefix.value_or("").size();
    for (const auto& [key, value] : rule.filter.tags) {
      bytes += 2 * sizeof(std::string) + key.size() + value.size();
    }
  }
  return bytes;
}

}  // namespace

async::Task<Result<LifecycleRules::Rules>> LifecycleRules::of(metadata::BucketStore& store,
                                                              async::BlockingPool& beside,
                                                              const metadata::Bucket& bucket,
                                                              Deadline deadline) {
  if (!bucket.has_lifecycle) co_return Rules();
  if (Rules known = rules_.find(bucket.id, bucket.settings_version)) co_return known;
  const Version version{bucket.id, bucket.settings_version};
  Waiter waiter;
  {
    const MutexLock lock(mutex_);
    const auto [entry, first] = reading_.try_emplace(version);
    if (!first) waiter = entry->second.emplace_back(async::OneShot<Result<Rules>>::make());
  }
  if (waiter) {
    auto told = co_await waiter->wait_until(deadline);
    if (!told) co_return std::unexpected(told.error());
    co_return *std::move(told);
  }
  Reading reading(*this, version);
  reading.outcome = co_await read(store, beside, version, deadline);
  co_return reading.outcome;
}

async::Task<Result<LifecycleRules::Rules>> LifecycleRules::read(metadata::BucketStore& store,
                                                                async::BlockingPool& beside,
                                                                Version version,
                                                                Deadline deadline) {
  CO_TRY(metadata::StoredSetting stored,
         co_await store.find_setting(version.first, metadata::SettingKind::kLifecycle, deadline));
  if (!stored.document) co_return Rules();
  std::optional<lifecycle::Configuration> decoded;
  if (stored.document->size() <= kDecodedHereBytes) {
    decoded = lifecycle::decode(*stored.document);
  } else {
    CO_TRY(decoded,
           co_await beside.run(
               [text = *std::move(stored.document)] { return lifecycle::decode(text); }, deadline));
  }
  if (!decoded) {
    co_return fail(ErrorCode::kCorruption, "the lifecycle rules of a bucket cannot be read");
  }
  const size_t bytes = memory_bytes(*decoded);
  co_return rules_.keep(version.first, stored.settings_version, *std::move(decoded), bytes);
}

LifecycleRules::Reading::~Reading() {
  std::vector<Waiter> waiters;
  {
    const MutexLock lock(rules_.mutex_);
    const auto entry = rules_.reading_.find(version_);
    waiters = std::move(entry->second);
    rules_.reading_.erase(entry);
  }
  for (const Waiter& waiter : waiters) waiter->set(outcome);
}

}  // namespace rondel::request
