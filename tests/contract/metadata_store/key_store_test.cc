#include "metadata/store/key_store.h"

#include <gtest/gtest.h>

#include "common/async/event_loop.h"
#include "tests/contract/metadata_store/test_database.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

class KeyStoreContract : public ::testing::TestWithParam<Implementation> {
 protected:
  static Deadline soon() { return deadline_in(60s); }

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
  EXPECT_EQ(run(store_.create(key, "other", "master", soon())).error().code,
            ErrorCode::kAlreadyExists);
  ASSERT_TRUE(run(store_.add_version(key, {2, "second"}, "master", soon())));
  EXPECT_EQ(run(store_.add_version(key, {2, "again"}, "master", soon())).error().code,
            ErrorCode::kPrecondition);
  EXPECT_EQ(run(store_.add_version(key, {4, "gap"}, "master", soon())).error().code,
            ErrorCode::kPrecondition);
  EXPECT_EQ(run(store_.add_version("absent", {2, "x"}, "master", soon())).error().code,
            ErrorCode::kNotFound);
  const KmsKey found = find(key);
  EXPECT_TRUE(found.enabled);
  EXPECT_EQ(found.versions,
            (std::vector<KmsKeyVersion>{{1, std::string("\0sealed", 7)}, {2, "second"}}));
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

// Whose keys are comes with credentials; whatever is taken away raises their epoch.
TEST_P(KeyStoreContract, KeysHaveAnOwnerAndGrants) {
  using enum KmsOperation;
  auto& identities = test_database(GetParam()).stores().identities;
  const auto make = [&](const std::string& name) {
    return run(identities.create_account({.name = name}, soon())).value();
  };
  make("kms-first");
  const Credential alice = make("kms-alice"), bob = make("kms-bob");
  const auto of = [&](const Credential& one) {
    return *run(identities.find_credential(one.key.access_key, soon())).value();
  };
  EXPECT_FALSE(of(alice).kms.others);
  EXPECT_FALSE(of(alice).kms.allows("theirs", kDecrypt));

  const int64_t of_nobody = of(alice).epoch;
  ASSERT_TRUE(run(store_.set_owner("theirs", alice.account.id, soon())));
  const int64_t before = of(alice).epoch;
  EXPECT_NE(before, of_nobody) << "taken from the first account, whose every key of nobody is";
  ASSERT_TRUE(run(store_.set_grant("theirs", bob.account.id, 2, soon())));
  EXPECT_EQ(of(alice).epoch, before) << "nothing was taken";
  EXPECT_TRUE(of(alice).kms.allows("theirs", kDecrypt));
  EXPECT_TRUE(of(bob).kms.allows("theirs", kGenerateDataKey));
  EXPECT_FALSE(of(bob).kms.allows("theirs", kDecrypt));
  for (const KmsKeyAccess& access : run(store_.list_access(soon())).value()) {
    if (access.name != "theirs") continue;
    EXPECT_EQ(access.owner_account, alice.account.id);
    EXPECT_EQ(access.grants, (std::map<std::string, uint8_t>{{bob.account.id, 2}}));
  }

  ASSERT_TRUE(run(store_.set_grant("theirs", bob.account.id, 0, soon())));
  EXPECT_GT(of(bob).epoch, before);
  EXPECT_FALSE(of(bob).kms.allows("theirs", kGenerateDataKey));
  ASSERT_TRUE(run(store_.set_grant("theirs", bob.account.id, 7, soon())));
  ASSERT_TRUE(run(store_.set_owner("theirs", bob.account.id, soon())));
  EXPECT_FALSE(of(alice).kms.allows("theirs", kDecrypt));
  ASSERT_TRUE(run(store_.set_owner("theirs", alice.account.id, soon())));
  EXPECT_FALSE(of(bob).kms.allows("theirs", kDecrypt)) << "grants end with their owner";

  EXPECT_EQ(run(store_.set_owner("theirs", "000000000000", soon())).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(run(store_.set_grant("theirs", "000000000000", 1, soon())).error().code,
            ErrorCode::kNotFound);
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a\nb"), std::string(257, 'x')}) {
    EXPECT_EQ(run(store_.set_owner(name, alice.account.id, soon())).error().code,
              ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace rondel::metadata
