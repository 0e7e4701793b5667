#include "kms/measured_keys.h"

#include <gtest/gtest.h>

#include "common/async/event_loop.h"

namespace rondel::kms {
namespace {

// Answers every call with one error, or well.
class OneAnswer final : public KeyManagement {
 public:
  async::Task<Result<DataKey>> generate_data_key(std::string, std::string, Deadline) override {
    return answer<DataKey>();
  }

  async::Task<Result<crypto::Secret>> unwrap(std::string, std::string, std::string,
                                             Deadline) override {
    return answer<crypto::Secret>();
  }

  async::Task<Result<std::string>> rewrap(std::string, std::string, std::string,
                                          Deadline) override {
    return answer<std::string>();
  }

  async::Task<Result<void>> check_usable(std::string, std::string, std::string, Deadline) override {
    return answer<void>();
  }

  async::Task<Result<void>> create(std::string, Deadline) override { return answer<void>(); }

  async::Task<Result<std::vector<KeyDescription>>> list(Deadline) override {
    return answer<std::vector<KeyDescription>>();
  }

  async::Task<Result<KeyDescription>> describe(std::string, Deadline) override {
    return answer<KeyDescription>();
  }

  async::Task<Result<void>> rotate(std::string, Deadline) override { return answer<void>(); }

  async::Task<Result<void>> set_enabled(std::string, bool, Deadline) override {
    return answer<void>();
  }

  std::optional<ErrorCode> error;

 private:
  template <class T>
  async::Task<Result<T>> answer() {
    if (error) co_return fail(*error, "as the test says");
    co_return Result<T>{};
  }
};

class MeasuredKeysTest : public testing::Test {
 protected:
  uint64_t calls(const char* call, const char* outcome) {
    return registry
        .counter("rondel_kms_calls_total", "Calls of key management.",
                 {{"provider", "ring"}, {"call", call}, {"outcome", outcome}})
        .value();
  }

  static Deadline soon() { return deadline_in(std::chrono::seconds(60)); }

  metrics::Registry registry;
  OneAnswer keys;
  MeasuredKeyManagement measured{keys, "ring", registry};
};

TEST_F(MeasuredKeysTest, CountsCallsByOutcomeAndHandsAnswersOn) {
  EXPECT_TRUE(async::block_on(measured.generate_data_key("k", "c", soon())));
  EXPECT_TRUE(async::block_on(measured.unwrap("k", "w", "c", soon())));
  EXPECT_TRUE(async::block_on(measured.check_usable("k", "w", "c", soon())));
  const std::pair<ErrorCode, const char*> expected[] = {
      {ErrorCode::kCorruption, "refused"},
      {ErrorCode::kPermissionDenied, "denied"},
      {ErrorCode::kDeadlineExceeded, "unavailable"},
      {ErrorCode::kInternal, "failed"}};
  for (const auto& [error, outcome] : expected) {
    keys.error = error;
    EXPECT_EQ(async::block_on(measured.unwrap("k", "w", "c", soon())).error().code, error);
    EXPECT_EQ(calls("unwrap", outcome), 1u) << outcome;
  }
  EXPECT_EQ(calls("unwrap", "ok"), 1u);
  EXPECT_EQ(calls("generate", "ok"), 1u);
  EXPECT_FALSE(async::block_on(measured.rotate("k", soon())));
  EXPECT_EQ(calls("administer", "failed"), 1u);
  EXPECT_EQ(registry
                .histogram("rondel_kms_call_seconds", "Time that key management took for a call.",
                           {{"provider", "ring"}, {"call", "unwrap"}}, metrics::latency_buckets())
                .count(),
            5u);
}

}  // namespace
}  // namespace rondel::kms
