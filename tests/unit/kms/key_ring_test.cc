#include "kms/key_ring.h"

#include <gtest/gtest.h>

#include "metadata/memory/memory_key_store.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::kms {
namespace {

// Counts how often it is asked what changed.
class CountedKeyStore final : public metadata::KeyStore {
 public:
  explicit CountedKeyStore(metadata::MemoryState& state) : rows_(state) {}

  async::Task<Result<metadata::KmsKeyChanges>> load(uint64_t change, Deadline deadline) override {
    ++loads;
    return rows_.load(change, deadline);
  }

  async::Task<Result<void>> create(std::string name, std::string sealed, std::string master,
                                   Deadline deadline) override {
    return rows_.create(std::move(name), std::move(sealed), std::move(master), deadline);
  }

  async::Task<Result<void>> add_version(std::string name, metadata::KmsKeyVersion version,
                                        std::string master, Deadline deadline) override {
    return rows_.add_version(std::move(name), std::move(version), std::move(master), deadline);
  }

  async::Task<Result<void>> set_enabled(std::string name, bool enabled,
                                        Deadline deadline) override {
    return rows_.set_enabled(std::move(name), enabled, deadline);
  }

  async::Task<Result<void>> set_owner(std::string name, std::string account,
                                      Deadline deadline) override {
    return rows_.set_owner(std::move(name), std::move(account), deadline);
  }

  async::Task<Result<void>> set_grant(std::string name, std::string account, uint8_t operations,
                                      Deadline deadline) override {
    return rows_.set_grant(std::move(name), std::move(account), operations, deadline);
  }

  async::Task<Result<std::vector<metadata::KmsKeyAccess>>> list_access(Deadline deadline) override {
    return rows_.list_access(deadline);
  }

  int loads = 0;

 private:
  metadata::MemoryKeyStore rows_;
};

class KeyRingTest : public testing::Test {
 protected:
  KeyRing make_ring(char master = 'm') {
    return KeyRing(store, {crypto::Secret(std::string(32, master)), {"made-by-itself"}, &clock});
  }

  static Deadline soon() { return deadline_in(std::chrono::seconds(60)); }

  template <class T>
  static T run(async::Task<T> task) {
    return async::block_on(std::move(task));
  }

  // All material that the database holds.
  std::string everything() const {
    std::string all;
    for (const auto& [name, stored] : database.kms_keys) {
      for (const metadata::KmsKeyVersion& version : stored.key.versions) {
        all += version.sealed_material;
      }
    }
    return all;
  }

  metadata::MemoryState database;
  CountedKeyStore store{database};
  fakes::ManualClock clock{SystemTime{}};
};

TEST_F(KeyRingTest, WrapsAndUnwraps) {
  KeyRing ring = make_ring();
  ASSERT_TRUE(run(ring.create("one", soon())));
  const auto made = run(ring.generate_data_key("one", "context", soon()));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->plaintext.size(), 32U);
  EXPECT_EQ(run(ring.unwrap("one", made->wrapped, "context", soon()))->view(),
            made->plaintext.view());
  EXPECT_EQ(run(ring.unwrap("one", made->wrapped, "other", soon())).error().code,
            ErrorCode::kCorruption);
  EXPECT_EQ(run(ring.unwrap("one", made->wrapped.substr(0, 3), "context", soon())).error().code,
            ErrorCode::kCorruption);
  ASSERT_TRUE(run(ring.create("two", soon())));
  EXPECT_EQ(run(ring.unwrap("two", made->wrapped, "context", soon())).error().code,
            ErrorCode::kCorruption);
  for (size_t i = 0; i < made->wrapped.size(); ++i) {
    std::string damaged = made->wrapped;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_EQ(run(ring.unwrap("one", damaged, "context", soon())).error().code,
              ErrorCode::kCorruption)
        << i;
  }
}

TEST_F(KeyRingTest, UnknownKeysAndNames) {
  KeyRing ring = make_ring();
  EXPECT_EQ(run(ring.generate_data_key("absent", "", soon())).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(run(ring.generate_data_key("no such name\n", "", soon())).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(run(ring.create("", soon())).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(run(ring.create(std::string(257, 'a'), soon())).error().code,
            ErrorCode::kInvalidArgument);
  ASSERT_TRUE(run(ring.create("one", soon())));
  EXPECT_EQ(run(ring.create("one", soon())).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(run(ring.rotate("absent", soon())).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(run(ring.set_enabled("absent", false, soon())).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(run(ring.generate_data_key("made-by-itself", "", soon())));
}

TEST_F(KeyRingTest, OlderVersionsOpenAfterRotation) {
  KeyRing ring = make_ring();
  ASSERT_TRUE(run(ring.create("one", soon())));
  const auto old = run(ring.generate_data_key("one", "c", soon())).value();
  ASSERT_TRUE(run(ring.rotate("one", soon())));
  EXPECT_EQ(run(ring.describe("one", soon()))->newest_version, 2U);
  EXPECT_EQ(run(ring.unwrap("one", old.wrapped, "c", soon()))->view(), old.plaintext.view());
  const auto renewed = run(ring.rewrap("one", old.wrapped, "c", soon())).value();
  EXPECT_EQ(renewed.substr(0, 4), std::string("\0\0\0\2", 4));
  EXPECT_EQ(run(ring.unwrap("one", renewed, "c", soon()))->view(), old.plaintext.view());
}

TEST_F(KeyRingTest, GatewaysSeeEachOthersChanges) {
  KeyRing first = make_ring();
  KeyRing second = make_ring();
  ASSERT_TRUE(run(first.create("one", soon())));
  // Asked for at once, as it is unknown.
  ASSERT_TRUE(run(second.generate_data_key("one", "", soon())));
  ASSERT_TRUE(run(first.rotate("one", soon())));
  const auto newest = run(first.generate_data_key("one", "", soon())).value();
  EXPECT_TRUE(run(second.unwrap("one", newest.wrapped, "", soon())));
  ASSERT_TRUE(run(first.set_enabled("one", false, soon())));
  EXPECT_EQ(run(first.unwrap("one", newest.wrapped, "", soon())).error().code,
            ErrorCode::kPrecondition);
  // One poll, as the running gateway does every second.
  EXPECT_TRUE(run(second.list(soon())));
  EXPECT_EQ(run(second.generate_data_key("one", "", soon())).error().code,
            ErrorCode::kPrecondition);
  EXPECT_EQ(run(second.check_usable("one", newest.wrapped, "", soon())).error().code,
            ErrorCode::kPrecondition);
  ASSERT_TRUE(run(second.set_enabled("one", true, soon())));
  EXPECT_TRUE(run(second.check_usable("one", newest.wrapped, "", soon())));
}

TEST_F(KeyRingTest, WorksOnForAWhileWithoutDatabase) {
  KeyRing ring = make_ring();
  ASSERT_TRUE(run(ring.create("one", soon())));
  ASSERT_TRUE(run(ring.generate_data_key("one", "", soon())));
  const int loads = store.loads;
  database.set_away(true);
  EXPECT_TRUE(run(ring.generate_data_key("one", "", soon())));
  EXPECT_EQ(store.loads, loads);
  clock.advance(KeyRing::kUncertainLife + std::chrono::seconds(1));
  EXPECT_EQ(run(ring.generate_data_key("one", "", soon())).error().code, ErrorCode::kUnavailable);
  database.set_away(false);
  EXPECT_TRUE(run(ring.generate_data_key("one", "", soon())));
}

// What it does not hold any more is gone with this process: nothing may be wrapped by it.
TEST_F(KeyRingTest, ADatabaseThatWasSetBackTakesItsKeysWithIt) {
  KeyRing ring = make_ring();
  ASSERT_TRUE(run(ring.create("old", soon())));
  const metadata::MemoryRows backup = database.backup();
  ASSERT_TRUE(run(ring.rotate("old", soon())));
  ASSERT_TRUE(run(ring.create("new", soon())));
  ASSERT_TRUE(run(ring.generate_data_key("new", "", soon())));
  database.set_back(backup);
  ASSERT_TRUE(run(ring.list(soon())));  // As each second.
  EXPECT_EQ(run(ring.generate_data_key("new", "", soon())).error().code, ErrorCode::kNotFound);
  const auto made = run(ring.generate_data_key("old", "", soon())).value();
  KeyRing other = make_ring();
  EXPECT_TRUE(run(other.unwrap("old", made.wrapped, "", soon())));
}

// Its number is the same again.
TEST_F(KeyRingTest, AKeyThatWasMadeAnewSinceThenIsAnotherOne) {
  KeyRing ring = make_ring(), other = make_ring();
  const metadata::MemoryRows backup = database.backup();
  ASSERT_TRUE(run(ring.generate_data_key("made-by-itself", "", soon())));
  database.set_back(backup);
  ASSERT_TRUE(run(other.generate_data_key("made-by-itself", "", soon())));
  ASSERT_TRUE(run(ring.list(soon())));
  const auto made = run(ring.generate_data_key("made-by-itself", "", soon())).value();
  EXPECT_TRUE(run(other.unwrap("made-by-itself", made.wrapped, "", soon())));
}

// Nothing tells a database that was set back from this one but the numbers of its changes.
TEST_F(KeyRingTest, AKeyThatWasRotatedBeforeTheLastChangeIsTakenBackWithIt) {
  KeyRing ring = make_ring(), other = make_ring();
  ASSERT_TRUE(run(ring.create("one", soon())));
  ASSERT_TRUE(run(ring.create("two", soon())));
  const metadata::MemoryRows backup = database.backup();
  ASSERT_TRUE(run(ring.rotate("one", soon())));
  ASSERT_TRUE(run(ring.set_enabled("two", false, soon())));
  ASSERT_TRUE(run(ring.list(soon())));
  database.set_back(backup);
  for (const bool enabled : {false, true, false, true}) {
    ASSERT_TRUE(run(other.set_enabled("two", enabled, soon())));
  }
  ASSERT_TRUE(run(ring.list(soon())));
  const auto made = run(ring.generate_data_key("one", "", soon())).value();
  EXPECT_TRUE(run(make_ring().unwrap("one", made.wrapped, "", soon())))
      << "wrapped by what the database holds";
}

TEST_F(KeyRingTest, AnotherMasterKeyOpensNothing) {
  KeyRing ring = make_ring();
  ASSERT_TRUE(run(ring.create("one", soon())));
  KeyRing other = make_ring('n');
  EXPECT_EQ(run(other.generate_data_key("one", "", soon())).error().code, ErrorCode::kCorruption);
}

TEST_F(KeyRingTest, AKeyOfAnotherMasterKeyDoesNotDisturbTheOthers) {
  KeyRing ring = make_ring(), stranger = make_ring('x');
  ASSERT_TRUE(run(ring.create("one", soon())));
  const auto made = run(ring.generate_data_key("one", "", soon()));
  ASSERT_TRUE(made);
  ASSERT_TRUE(run(stranger.create("foreign", soon())));
  clock.advance(2 * KeyRing::kUncertainLife);
  EXPECT_TRUE(run(ring.unwrap("one", made->wrapped, "", soon())));
  EXPECT_TRUE(run(ring.create("two", soon())));
  EXPECT_TRUE(run(ring.generate_data_key("two", "", soon())));
  EXPECT_EQ(run(ring.generate_data_key("foreign", "", soon())).error().code,
            ErrorCode::kCorruption);
  EXPECT_EQ(run(ring.check_usable("foreign", made->wrapped, "", soon())).error().code,
            ErrorCode::kCorruption);
  EXPECT_EQ(run(ring.rotate("foreign", soon())).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(run(ring.list(soon())).value().size(), 3u);
}

TEST_F(KeyRingTest, TheDatabaseHoldsNoDataKey) {
  KeyRing ring = make_ring();
  ASSERT_TRUE(run(ring.create("one", soon())));
  const auto made = run(ring.generate_data_key("one", "", soon())).value();
  EXPECT_EQ((everything() + made.wrapped).find(made.plaintext.view()), std::string::npos);
}

}  // namespace
}  // namespace rondel::kms
