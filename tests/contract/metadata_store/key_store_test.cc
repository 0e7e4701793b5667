#include "metadata/store/key_store.h"

#include <gtest/gtest.h>

#include "common/async/event_loop.h"
#include "tests/contract/metadata_store/test_database.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

class KeyStoreContract : public ::testing::TestWithParam<Implementation> {
 protected:
  static Deadline soon() { return deadline_in(10s); }
  template <class T>
  static Result<T> run(async::Task<Result<T>> task) {
    return async::block_on(std::move(task));
  }
  KmsKey find(const std::string& key) {
    for (const KmsKey& found : run(store_.load(0, soon())).value().keys) {
      if (found.name == key) return found;
    }
    return {};
  }

  KeyStore& store_ = test_database(GetParam()).stores().keys;
};

INSTANTIATE_TEST_SUITE_P(Stores, KeyStoreContract, all_implementations(), name_of_implementation);

TEST_P(KeyStoreContract, KeysAndTheirVersions) {
  const std::string key = "one";
  ASSERT_TRUE(run(store_.create(key, std::string("\0sealed", 7), "master", soon())));
  EXPECT_EQ(run(store_.create(key, "other", "master", soon())).error().code, ErrorCode::kAlreadyExists);
  ASSERT_TRUE(run(store_.add_version(key, {2, "second"}, "master", soon())));
  EXPECT_EQ(run(store_.add_version(key, {2, "again"}, "master", soon())).error().code, ErrorCode::kPrecondition);
  EXPECT_EQ(run(store_.add_version(key, {4, "gap"}, "master", soon())).error().code, ErrorCode::kPrecondition);
  EXPECT_EQ(run(store_.add_version("absent", {2, "x"}, "master", soon())).error().code, ErrorCode::kNotFound);
  const KmsKey found = find(key);
  EXPECT_TRUE(found.enabled);
  EXPECT_EQ(found.versions, (std::vector<KmsKeyVersion>{{1, std::string("\0sealed", 7)}, {2, "second"}}));
}

TEST_P(KeyStoreContract, OnlyWhatChangedIsLoaded) {
  const std::string first = "first";
  const std::string second = "second";
  ASSERT_TRUE(run(store_.create(first, "a", "master", soon())));
  ASSERT_TRUE(run(store_.create(second, "b", "master", soon())));
  const uint64_t change = run(store_.load(0, soon())).value().change;
  EXPECT_TRUE(run(store_.load(change, soon())).value().keys.empty());
  ASSERT_TRUE(run(store_.set_enabled(second, false, soon())));
  EXPECT_EQ(run(store_.set_enabled("absent", false, soon())).error().code, ErrorCode::kNotFound);
  const KmsKeyChanges changes = run(store_.load(change, soon())).value();
  ASSERT_EQ(changes.keys.size(), 1u);
  EXPECT_EQ(changes.keys[0].name, second);
  EXPECT_FALSE(changes.keys[0].enabled);
  EXPECT_EQ(changes.keys[0].versions.size(), 1u);
  EXPECT_GT(changes.change, change);
}

}  // namespace
}  // namespace rondel::metadata
