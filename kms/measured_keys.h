// MeasuredKeyManagement: a KeyManagement whose calls are counted by outcome and timed
// (docs/metrics.md).
#pragma once

#include <array>
#include <string_view>

#include "common/metrics/metrics.h"
#include "kms/key_management.h"

namespace rondel::kms {

// check_usable() asks nobody and is not counted. `keys` and `registry` outlive it.
class MeasuredKeyManagement final : public KeyManagement {
 public:
  // `provider`: a label, "ring" or "vault".
  MeasuredKeyManagement(KeyManagement& keys, std::string_view provider,
                        metrics::Registry& registry);

  async::Task<Result<DataKey>> generate_data_key(std::string key, std::string context,
                                                 Deadline deadline) override;
  async::Task<Result<crypto::Secret>> unwrap(std::string key, std::string wrapped,
                                             std::string context, Deadline deadline) override;
  async::Task<Result<std::string>> rewrap(std::string key, std::string wrapped, std::string context,
                                          Deadline deadline) override;
  async::Task<Result<void>> check_usable(std::string key, std::string wrapped, std::string context,
                                         Deadline deadline) override;
  async::Task<Result<void>> create(std::string key, Deadline deadline) override;
  async::Task<Result<std::vector<KeyDescription>>> list(Deadline deadline) override;
  async::Task<Result<KeyDescription>> describe(std::string key, Deadline deadline) override;
  async::Task<Result<void>> rotate(std::string key, Deadline deadline) override;
  async::Task<Result<void>> set_enabled(std::string key, bool enabled, Deadline deadline) override;

 private:
  static constexpr size_t kOutcomes = 5;

  struct Call {
    metrics::Histogram* seconds = nullptr;
    std::array<metrics::Counter*, kOutcomes> by_outcome{};
  };

  static Call call_of(metrics::Registry& registry, std::string_view provider,
                      std::string_view name);
  static void count(const Call& call, SteadyTime begun, const Error* error);
  template <class T>
  static async::Task<Result<T>> measured(const Call& call, async::Task<Result<T>> work);

  KeyManagement& keys_;
  const Call generate_, unwrap_, rewrap_, administer_;
};

}  // namespace rondel::kms
