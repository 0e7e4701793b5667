#include "kms/object_keys.h"

#include <gtest/gtest.h>

#include "common/crypto/digest.h"
#include "kms/key_ring.h"
#include "metadata/memory/memory_key_store.h"
#include "tests/fakes/manual_clock.h"

namespace rondel::kms {
namespace {

constexpr Binding kBinding{3, "k"};

// Counts what is asked of the ring behind it.
class CountingKeys final : public KeyManagement {
 public:
  explicit CountingKeys(KeyManagement& inner) : inner_(inner) {}

  async::Task<Result<DataKey>> generate_data_key(std::string key, std::string context,
                                                 Deadline deadline) override {
    ++generated;
    return inner_.generate_data_key(std::move(key), std::move(context), deadline);
  }

  async::Task<Result<crypto::Secret>> unwrap(std::string key, std::string wrapped,
                                             std::string context, Deadline deadline) override {
    ++unwrapped;
    return inner_.unwrap(std::move(key), std::move(wrapped), std::move(context), deadline);
  }

  async::Task<Result<std::string>> rewrap(std::string key, std::string wrapped, std::string context,
                                          Deadline deadline) override {
    return inner_.rewrap(std::move(key), std::move(wrapped), std::move(context), deadline);
  }

  async::Task<Result<void>> check_usable(std::string key, std::string wrapped, std::string context,
                                         Deadline deadline) override {
    return inner_.check_usable(std::move(key), std::move(wrapped), std::move(context), deadline);
  }

  async::Task<Result<void>> create(std::string key, Deadline deadline) override {
    return inner_.create(std::move(key), deadline);
  }

  async::Task<Result<std::vector<KeyDescription>>> list(Deadline deadline) override {
    return inner_.list(deadline);
  }

  async::Task<Result<KeyDescription>> describe(std::string key, Deadline deadline) override {
    return inner_.describe(std::move(key), deadline);
  }

  async::Task<Result<void>> rotate(std::string key, Deadline deadline) override {
    return inner_.rotate(std::move(key), deadline);
  }

  async::Task<Result<void>> set_enabled(std::string key, bool enabled, Deadline deadline) override {
    return inner_.set_enabled(std::move(key), enabled, deadline);
  }

  int generated = 0;
  int unwrapped = 0;

 private:
  KeyManagement& inner_;
};

class ObjectKeysTest : public testing::Test {
 protected:
  static Deadline soon() { return deadline_in(std::chrono::seconds(60)); }

  template <class T>
  static T run(async::Task<T> task) {
    return async::block_on(std::move(task));
  }

  static Envelope wanted(Mode mode, std::string key_id = "", bool bucket_key = false) {
    Envelope envelope;
    envelope.mode = mode;
    envelope.key_id = std::move(key_id);
    envelope.bucket_key = bucket_key;
    return envelope;
  }

  Result<KeptKey> make(Envelope envelope, Binding binding = kBinding, crypto::Secret customer = {},
                       crypto::Secret data = {}) {
    return run(
        keys.make(std::move(envelope), binding, std::move(customer), std::move(data), soon()));
  }

  Result<crypto::Secret> open(Envelope envelope, Binding binding = kBinding,
                              crypto::Secret customer = {}) {
    return run(keys.open(std::move(envelope), binding, std::move(customer), soon()));
  }

  static constexpr size_t kBytesMax = 4096;  // Of some eight entries under short names.

  metadata::MemoryState database;
  metadata::MemoryKeyStore store{database};
  fakes::ManualClock clock{SystemTime{}};
  KeyRing ring{store,
               {crypto::Secret(std::string(32, 'm')), {std::string(kSseS3Key), "aws-s3"}, &clock}};
  CountingKeys kms{ring};
  ObjectKeys keys{ring, kms, {.bucket_keys_bytes_max = kBytesMax, .clock = &clock}};
};

TEST_F(ObjectKeysTest, NamesOfKeys) {
  EXPECT_EQ(keys.key_name("testkey-1"), "testkey-1");
  EXPECT_EQ(keys.key_name("alias/mine"), "mine");
  EXPECT_EQ(keys.key_name("alias/aws/s3"), "aws-s3");
  EXPECT_EQ(keys.key_name("arn:aws:kms:us-east-1:123456789012:key/1234abcd"), "1234abcd");
  EXPECT_EQ(keys.key_name("arn:aws:kms:us-east-1:123456789012:alias/mine"), "mine");
  EXPECT_EQ(keys.key_name("arn:aws:kms:us-east-1:123456789012:alias/aws/s3"), "aws-s3");
}

TEST_F(ObjectKeysTest, EveryModeRoundTrips) {
  ASSERT_TRUE(run(ring.create("mine", soon())));
  const crypto::Secret customer = crypto::random_key();
  for (const auto& [envelope, key] : {std::pair{wanted(Mode::kSseS3), crypto::Secret()},
                                      {wanted(Mode::kSseKms, "mine"), crypto::Secret()},
                                      {wanted(Mode::kSseKms, "alias/mine", true), crypto::Secret()},
                                      {wanted(Mode::kSseC), customer}}) {
    const auto made = make(envelope, kBinding, key);
    ASSERT_TRUE(made) << made.error().message;
    const auto decoded = decode(encode(made->envelope)).value();
    EXPECT_EQ(open(decoded, kBinding, key).value().view(), made->data_key.view());
    EXPECT_EQ(open(decoded, {3, "other"}, key).error().code,
              key.empty() ? ErrorCode::kCorruption : ErrorCode::kPermissionDenied);
    const std::string encoded = encode(made->envelope);
    EXPECT_EQ(encoded.find(made->data_key.view()), std::string::npos);
    if (!key.empty()) EXPECT_EQ(encoded.find(key.view()), std::string::npos);
  }
}

TEST_F(ObjectKeysTest, AnotherCustomerKeyIsRefused) {
  const auto made = make(wanted(Mode::kSseC), kBinding, crypto::random_key()).value();
  EXPECT_EQ(open(made.envelope, kBinding, crypto::random_key()).error().code,
            ErrorCode::kPermissionDenied);
}

TEST_F(ObjectKeysTest, UnknownDisabledAndReservedKeys) {
  EXPECT_EQ(make(wanted(Mode::kSseKms, "absent")).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(make(wanted(Mode::kSseS3)));
  EXPECT_EQ(make(wanted(Mode::kSseKms, std::string(kSseS3Key))).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(run(ring.create("mine", soon())));
  const auto made = make(wanted(Mode::kSseKms, "mine", true)).value();
  ASSERT_TRUE(run(ring.set_enabled("mine", false, soon())));
  EXPECT_EQ(make(wanted(Mode::kSseKms, "mine")).error().code, ErrorCode::kPrecondition);
  // Also where the bucket key is still known.
  EXPECT_EQ(make(wanted(Mode::kSseKms, "mine", true)).error().code, ErrorCode::kPrecondition);
  EXPECT_EQ(open(made.envelope).error().code, ErrorCode::kPrecondition);
}

TEST_F(ObjectKeysTest, ABucketKeySavesAskingForAWhile) {
  ASSERT_TRUE(run(ring.create("mine", soon())));
  const auto first = make(wanted(Mode::kSseKms, "mine", true)).value();
  const auto second = make(wanted(Mode::kSseKms, "mine", true), {3, "other"}).value();
  EXPECT_EQ(kms.generated, 1);
  EXPECT_EQ(first.envelope.wrapped_key, second.envelope.wrapped_key);
  EXPECT_NE(first.data_key.view(), second.data_key.view());
  EXPECT_TRUE(open(first.envelope));
  EXPECT_EQ(kms.unwrapped, 0);
  // Another bucket has its own.
  EXPECT_NE(make(wanted(Mode::kSseKms, "mine", true), {4, "k"})->envelope.wrapped_key,
            first.envelope.wrapped_key);
  clock.advance(std::chrono::minutes(6));
  EXPECT_TRUE(open(first.envelope));
  EXPECT_EQ(kms.unwrapped, 1);
  EXPECT_NE(make(wanted(Mode::kSseKms, "mine", true))->envelope.wrapped_key,
            first.envelope.wrapped_key);
  // Without bucket key every object asks.
  const int before = kms.generated;
  ASSERT_TRUE(make(wanted(Mode::kSseKms, "mine")));
  ASSERT_TRUE(make(wanted(Mode::kSseKms, "mine")));
  EXPECT_EQ(kms.generated, before + 2);
}

// One that is remembered is wrapped by a key that is gone with the database that held it.
TEST_F(ObjectKeysTest, ABucketKeyIsNotUsedOnceItsKeyIsAnotherOne) {
  const metadata::MemoryRows backup = database.backup();
  ASSERT_TRUE(make(wanted(Mode::kSseKms, "alias/aws/s3", true)));
  database.set_back(backup);
  ASSERT_TRUE(run(ring.list(soon())));  // As each second.
  const auto made = make(wanted(Mode::kSseKms, "alias/aws/s3", true)).value();
  EXPECT_TRUE(open(made.envelope));
  clock.advance(std::chrono::minutes(6));
  EXPECT_TRUE(open(made.envelope)) << "nobody remembers it";
  const auto again = make(wanted(Mode::kSseKms, "alias/aws/s3", true)).value();
  EXPECT_TRUE(open(again.envelope));
}

TEST_F(ObjectKeysTest, BucketKeysAreBoundedInBytes) {
  for (const size_t length : {4u, 40u, 128u}) {
    const std::string name(length, 'm');
    ASSERT_TRUE(run(ring.create(name, soon()))) << length;
    std::vector<Envelope> made;
    for (int64_t bucket = 1; bucket <= 20; ++bucket) {
      made.push_back(make(wanted(Mode::kSseKms, name, true), {bucket, "k"})->envelope);
      EXPECT_LE(keys.bucket_keys_bytes(), kBytesMax) << length;
      EXPECT_GT(keys.bucket_keys_bytes(), 0u) << length;
    }
    kms.unwrapped = 0;
    for (int64_t bucket = 1; bucket <= 20; ++bucket) {
      EXPECT_TRUE(open(made[static_cast<size_t>(bucket - 1)], {bucket, "k"})) << bucket;
      EXPECT_LE(keys.bucket_keys_bytes(), kBytesMax) << length;
    }
    EXPECT_GE(kms.unwrapped, 12) << length;
  }
}

// What expired is given back, and so is what turned out to be of another key.
TEST_F(ObjectKeysTest, BucketKeysThatGoGiveTheirBytesBack) {
  ASSERT_TRUE(run(ring.create("mine", soon())));
  ASSERT_TRUE(make(wanted(Mode::kSseKms, "mine", true)));
  const size_t one = keys.bucket_keys_bytes();
  for (int round = 0; round < 3; ++round) {
    clock.advance(std::chrono::minutes(6));
    ASSERT_TRUE(make(wanted(Mode::kSseKms, "mine", true)));
    EXPECT_EQ(keys.bucket_keys_bytes(), one);
  }
}

TEST_F(ObjectKeysTest, TheSameDataKeyMovesToAnotherEnvelope) {
  ASSERT_TRUE(run(ring.create("mine", soon())));
  const auto before = make(wanted(Mode::kSseS3)).value();
  const auto after = make(wanted(Mode::kSseKms, "mine"), {9, "copy"}, {}, before.data_key).value();
  EXPECT_EQ(open(after.envelope, {9, "copy"})->view(), before.data_key.view());
}

TEST_F(ObjectKeysTest, RenewedAfterRotation) {
  ASSERT_TRUE(run(ring.create("mine", soon())));
  const auto made = make(wanted(Mode::kSseKms, "mine")).value();
  ASSERT_TRUE(run(ring.rotate("mine", soon())));
  const auto renewed = run(keys.renew(made.envelope, soon())).value();
  EXPECT_NE(renewed.wrapped_key, made.envelope.wrapped_key);
  EXPECT_EQ(renewed.sealed_data_key, made.envelope.sealed_data_key);
  EXPECT_EQ(open(renewed)->view(), made.data_key.view());
}

}  // namespace
}  // namespace rondel::kms
