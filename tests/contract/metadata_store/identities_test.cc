// IdentityStore, and what caches over it and over BucketStore hear.
#include <thread>

#include "metadata/cache/bucket_cache.h"
#include "metadata/cache/identity_cache.h"
#include "tests/fakes/manual_clock.h"

#include "tests/contract/metadata_store/metadata_contract.h"

namespace rondel::metadata {
namespace {

class IdentityStoreContract : public MetadataContract {};

INSTANTIATE_TEST_SUITE_P(Stores, IdentityStoreContract, all_implementations(),
                         name_of_implementation);

// What a gateway caches, kept fresh by what it hears.
struct Caches {
  Caches(TestDatabase& database, const Clock& clock)
      : buckets(database.stores().buckets, clock),
        identities(database.stores().identities, clock),
        feed(database.follow([this](const DirectoryChange& change) {
          buckets.hear(change);
          identities.hear(change);
        })) {}

  BucketCache buckets;
  IdentityCache identities;
  const std::shared_ptr<void> feed;
};

TEST_P(IdentityStoreContract, CredentialsAreOpenedAndCachesHearOfChanges) {
  owner();
  Caches caches(database(), real_clock());
  const auto seen = run(caches.identities.find_credential("OWNERKEY", soon()));
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->key.secret_key, "owner-secret");
  EXPECT_FALSE(run(caches.identities.find_credential("UNKNOWN", soon())));
  EXPECT_FALSE(run(caches.buckets.find_bucket("appears-later", soon())));
  make_bucket("appears-later");
  ASSERT_TRUE(run(stores().identities.set_key_enabled("OWNERKEY", false, LastKey::kMayGo, soon())));
  const Deadline end = deadline_in(60s);
  bool heard = false;
  while (!heard && std::chrono::steady_clock::now() < end) {
    heard = !run(caches.identities.find_credential("OWNERKEY", soon()))->key.enabled &&
            run(caches.buckets.find_bucket("appears-later", soon()));
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_TRUE(heard);
  ASSERT_TRUE(run(stores().identities.set_key_enabled("OWNERKEY", true, LastKey::kMayGo, soon())));
}

TEST_P(IdentityStoreContract, WhatWasCachedForAMomentCanBeDoubtedOnce) {
  fakes::ManualClock clock{SystemTime(1'700'000'000s)};
  BucketCache buckets(stores().buckets, clock);
  EXPECT_FALSE(buckets.doubt_bucket(bucket_.name)) << "it is not cached";
  ASSERT_TRUE(run(buckets.find_bucket(bucket_.name, soon())));
  EXPECT_FALSE(buckets.doubt_bucket(bucket_.name));
  clock.advance(2ms);
  EXPECT_TRUE(buckets.doubt_bucket(bucket_.name));
  EXPECT_FALSE(buckets.doubt_bucket(bucket_.name));
}

TEST_P(IdentityStoreContract, AccountsAreFoundByEachOfTheirNames) {
  Caches caches(database(), real_clock());
  using Kind = AccountName::Kind;
  EXPECT_FALSE(run(caches.identities.find_account({Kind::kCanonicalId, "canon"}, soon())));
  const CreateAccount request{
      .name = "named", .email = "named@example.test", .canonical_id = "canon"};
  const std::string id = run(stores().identities.create_account(request, soon())).account.id;
  for (const AccountName& name :
       {AccountName{Kind::kId, id}, AccountName{Kind::kCanonicalId, "canon"},
        AccountName{Kind::kEmail, "named@example.test"}, AccountName{Kind::kAny, "named"},
        AccountName{Kind::kAny, id}, AccountName{Kind::kAny, "canon"}}) {
    const auto found = run(stores().identities.find_account(name, soon()));
    ASSERT_TRUE(found) << name.value;
    EXPECT_EQ(found->id, id);
    EXPECT_EQ(found->name, "named");
  }
  for (const AccountName& name :
       {AccountName{Kind::kEmail, ""}, AccountName{Kind::kId, "canon"},
        AccountName{Kind::kEmail, std::string("a\0b", 3)}, AccountName{Kind::kEmail, "\xff"},
        AccountName{Kind::kAny, ""}, AccountName{Kind::kAny, "named@example.test"}}) {
    EXPECT_FALSE(run(stores().identities.find_account(name, soon())));
  }
  // The cache hears of it although it had looked before.
  const Deadline end = deadline_in(60s);
  while (!run(caches.identities.find_account({Kind::kCanonicalId, "canon"}, soon())) &&
         std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_TRUE(run(caches.identities.find_account({Kind::kCanonicalId, "canon"}, soon())));
}

TEST_P(IdentityStoreContract, NamesKeysAndMailAreUnique) {
  IdentityStore& identities = stores().identities;
  const auto create = [&](CreateAccount request) {
    return async::block_on(identities.create_account(std::move(request), soon()));
  };
  const auto made = create({.name = "second", .email = "a@b.c"});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->account.canonical_id.size(), 64u);
  EXPECT_EQ(create({.name = "second"}).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(create({.name = "third", .email = "a@b.c"}).error().message,
            "this e-mail address is taken: a@b.c");
  EXPECT_EQ(create({.name = "third", .access_key = "OWNERKEY"}).error().message,
            "this access key is taken: OWNERKEY");
  EXPECT_EQ(create({.name = "fourth", .access_key = "bad/key"}).error().code,
            ErrorCode::kInvalidArgument);
  for (const char* bad : {"a\rb", "a\nb", "a\tb", "a\x01z", "a\x7fz", "\xff"}) {
    EXPECT_EQ(create({.name = bad}).error().code, ErrorCode::kInvalidArgument);
    for (const auto member :
         {&CreateAccount::display_name, &CreateAccount::email, &CreateAccount::canonical_id}) {
      CreateAccount request{.name = "fifth"};
      request.*member = bad;
      EXPECT_EQ(create(request).error().code, ErrorCode::kInvalidArgument);
    }
  }
  for (const char* absent : {"third", "fourth", "fifth"}) {
    EXPECT_FALSE(
        async::block_on(identities.find_account({AccountName::Kind::kAny, absent}, soon())).value())
        << absent;
  }
}

TEST_P(IdentityStoreContract, KeysOfAnAccountComeAndGo) {
  IdentityStore& identities = stores().identities;
  const auto made = async::block_on(identities.create_account({.name = "keys"}, soon())).value();
  const std::string& id = made.account.id;
  const auto further =
      async::block_on(identities.create_key(id, "FURTHER", "further-secret", soon()));
  ASSERT_TRUE(further) << further.error().message;
  EXPECT_EQ(async::block_on(identities.create_key(id, "FURTHER", "", soon())).error().code,
            ErrorCode::kAlreadyExists);
  EXPECT_EQ(async::block_on(identities.create_key("000000000000", "", "", soon())).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(async::block_on(identities.create_key(id, "a b", "", soon())).error().code,
            ErrorCode::kInvalidArgument);
  const auto keys = async::block_on(identities.list_keys(id, soon())).value();
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].secret_key, made.key.secret_key);
  EXPECT_TRUE(keys[0].is_root);
  EXPECT_EQ(keys[1].secret_key, "further-secret");
  EXPECT_FALSE(keys[1].is_root);
  EXPECT_NE(keys[1].created_at, SystemTime{});
  const auto credential = async::block_on(identities.find_credential("FURTHER", soon())).value();
  ASSERT_TRUE(credential);
  EXPECT_EQ(credential->account.id, id);
  EXPECT_EQ(credential->key.account_id, id);
  EXPECT_EQ(credential->key.secret_key, "further-secret");
  EXPECT_TRUE(async::block_on(identities.delete_key("FURTHER", LastKey::kMayGo, soon())).value());
  EXPECT_FALSE(async::block_on(identities.delete_key("FURTHER", LastKey::kMayGo, soon())).value());
  EXPECT_FALSE(async::block_on(identities.set_key_enabled("FURTHER", true, LastKey::kMayGo, soon()))
                   .value());
  EXPECT_FALSE(async::block_on(identities.find_credential("FURTHER", soon())).value());
}

// However it is taken away, and by how many at once.
TEST_P(IdentityStoreContract, TheLastEnabledKeyOfAnAccountStaysUnlessItIsMeant) {
  IdentityStore& identities = stores().identities;
  const std::string id =
      run(identities.create_account({.name = "last", .access_key = "LAST1"}, soon())).account.id;
  const auto refused = [](const Result<bool>& answer) {
    return !answer && answer.error().code == ErrorCode::kPrecondition;
  };
  const auto disable = [&](const char* key, LastKey last) {
    return async::block_on(identities.set_key_enabled(key, false, last, soon()));
  };
  const auto remove = [&](const char* key, LastKey last) {
    return async::block_on(identities.delete_key(key, last, soon()));
  };
  EXPECT_TRUE(refused(disable("LAST1", LastKey::kStays)));
  EXPECT_TRUE(refused(remove("LAST1", LastKey::kStays)));
  EXPECT_TRUE(run(identities.set_key_enabled("LAST1", true, LastKey::kStays, soon())));

  // Rotation: the new one beside the old, which then goes.
  run(identities.create_key(id, "LAST2", "", soon()));
  EXPECT_TRUE(disable("LAST1", LastKey::kStays).value());
  EXPECT_TRUE(refused(disable("LAST2", LastKey::kStays)));
  EXPECT_TRUE(refused(remove("LAST2", LastKey::kStays)));
  EXPECT_TRUE(remove("LAST1", LastKey::kStays).value()) << "it is disabled";
  EXPECT_TRUE(disable("LAST2", LastKey::kMayGo).value());
  EXPECT_TRUE(disable("LAST2", LastKey::kStays).value()) << "it is so already";
  EXPECT_TRUE(remove("LAST2", LastKey::kStays).value());
  EXPECT_FALSE(remove("LAST2", LastKey::kMayGo).value());

  run(identities.create_key(id, "LAST3", "", soon()));
  run(identities.create_key(id, "LAST4", "", soon()));
  const auto elsewhere = database().another();
  std::atomic<int> gone{0};
  std::thread other([&] {
    gone += async::block_on(elsewhere->identities.delete_key("LAST3", LastKey::kStays, soon()))
                    .has_value()
                ? 1
                : 0;
  });
  gone += disable("LAST4", LastKey::kStays).has_value() ? 1 : 0;
  other.join();
  EXPECT_EQ(gone, 1);
}

}  // namespace
}  // namespace rondel::metadata
