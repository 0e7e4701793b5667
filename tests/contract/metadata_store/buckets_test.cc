// BucketStore: buckets, their settings, and what they hold.
#include "tests/contract/metadata_store/metadata_contract.h"

namespace rondel::metadata {
namespace {

class BucketStoreContract : public MetadataContract {};

INSTANTIATE_TEST_SUITE_P(Stores, BucketStoreContract, all_implementations(),
                         name_of_implementation);

TEST_P(BucketStoreContract, BucketsHaveOneOwnerAndMustBeEmptyToGo) {
  EXPECT_EQ(run(stores().buckets.create_bucket(
                    {.name = bucket_.name, .owner_account = owner().account.id}, soon()))
                .status,
            BucketStatus::kAlreadyOwnedByYou);
  put("k", 1);
  EXPECT_EQ(
      run(stores().buckets.delete_bucket({.bucket_id = bucket_.id, .deadline = soon()})).status,
      BucketStatus::kNotEmpty);
  run(stores().objects.delete_object({.context = context(), .key = "k"}));
  EXPECT_EQ(
      run(stores().buckets.delete_bucket({.bucket_id = bucket_.id, .deadline = soon()})).status,
      BucketStatus::kOk);
  EXPECT_EQ(run(stores().buckets.find_bucket(bucket_.name, soon())).status,
            BucketStatus::kNoSuchBucket);
  EXPECT_EQ(run(stores().objects.put_object(put_request("k", 1))).status,
            CommitStatus::kNoSuchBucket);
}

TEST_P(BucketStoreContract, SettingsRaiseTheSettingsVersion) {
  const auto changed = run(stores().buckets.set_bucket_setting(
      {.bucket_id = bucket_.id, .deadline = soon()}, SettingKind::kTagging, "<doc/>"));
  EXPECT_GT(changed.bucket.settings_version, bucket_.settings_version);
  const auto seen = run(stores().buckets.find_bucket(bucket_.name, soon())).bucket;
  EXPECT_EQ(seen.settings.at(SettingKind::kTagging), "<doc/>");
  run(stores().buckets.set_bucket_setting({.bucket_id = bucket_.id, .deadline = soon()},
                                          SettingKind::kTagging, std::nullopt));
  EXPECT_TRUE(run(stores().buckets.find_bucket(bucket_.name, soon())).bucket.settings.empty());
}

// Megabytes of them must not come with every look-up of a bucket.
TEST_P(BucketStoreContract, LifecycleRulesAreReadApart) {
  BucketStore& buckets = stores().buckets;
  EXPECT_FALSE(run(buckets.find_bucket(bucket_.name, soon())).bucket.has_lifecycle);
  const std::string rules(1 << 20, 'r');
  const auto changed = run(buckets.set_bucket_setting({.bucket_id = bucket_.id, .deadline = soon()},
                                                      SettingKind::kLifecycle, rules));
  EXPECT_TRUE(changed.bucket.has_lifecycle);
  EXPECT_FALSE(changed.bucket.settings.contains(SettingKind::kLifecycle));
  run(buckets.set_bucket_setting({.bucket_id = bucket_.id, .deadline = soon()},
                                 SettingKind::kTagging, "<doc/>"));
  const auto seen = run(buckets.find_bucket(bucket_.name, soon())).bucket;
  EXPECT_TRUE(seen.has_lifecycle);
  EXPECT_EQ(seen.settings, (std::map<SettingKind, std::string>{{SettingKind::kTagging, "<doc/>"}}));

  const StoredSetting found =
      run(buckets.find_setting(bucket_.id, SettingKind::kLifecycle, soon()));
  EXPECT_EQ(found.settings_version, seen.settings_version);
  EXPECT_EQ(found.document, rules);
  EXPECT_EQ(run(buckets.find_setting(bucket_.id, SettingKind::kTagging, soon())).document,
            "<doc/>");
  EXPECT_EQ(run(buckets.find_setting(bucket_.id, SettingKind::kCors, soon())).document,
            std::nullopt);
  EXPECT_EQ(run(buckets.find_setting(bucket_.id + 1'000'000, SettingKind::kCors, soon()))
                .settings_version,
            0);
  for (const SettingKind kind : {SettingKind::kLifecycle, SettingKind::kTagging}) {
    run(buckets.set_bucket_setting({.bucket_id = bucket_.id, .deadline = soon()}, kind,
                                   std::nullopt));
  }
  EXPECT_FALSE(run(buckets.find_bucket(bucket_.name, soon())).bucket.has_lifecycle);
}

TEST_P(BucketStoreContract, TheAccountsPublicAccessBlockComesWithItsBuckets) {
  IdentityStore& identities = stores().identities;
  const std::string& id = owner().account.id;
  EXPECT_EQ(bucket_.owner_public_access_block, 0);
  EXPECT_TRUE(run(identities.change_account(id, {.public_access_block = 9}, soon())));
  EXPECT_EQ(
      run(stores().buckets.find_bucket(bucket_.name, soon())).bucket.owner_public_access_block, 9);
  EXPECT_TRUE(run(identities.change_account(id, {.enabled = false}, soon())));
  const auto disabled = run(identities.find_account({AccountName::Kind::kId, id}, soon()));
  EXPECT_EQ(disabled->public_access_block, 9) << "what is not named stays";
  EXPECT_FALSE(disabled->enabled);
  EXPECT_TRUE(
      run(identities.change_account(id, {.enabled = true, .public_access_block = 0}, soon())));
  EXPECT_EQ(
      run(stores().buckets.find_bucket(bucket_.name, soon())).bucket.owner_public_access_block, 0);
  EXPECT_FALSE(run(identities.change_account("000000000000", {.public_access_block = 1}, soon())));
}

TEST_P(BucketStoreContract, ABucketThatGoesAbortsItsUploads) {
  Upload upload;
  upload.id = model::UploadId::random();
  upload.key = "open";
  upload.initiator_account = upload.owner_account = owner().account.id;
  ASSERT_EQ(run(stores().uploads.create_upload(context(), upload)), CommitStatus::kCommitted);
  PutPart part{context(), upload.id, "open", {1, 5, "p1", {}, {}}, {}};
  part.extents = {{0, model::StreamId::random(), 5, 0, 5}};
  ASSERT_EQ(run(stores().uploads.put_part(part)).status, CommitStatus::kCommitted);
  const uint64_t before = run(stores().releases.queue_depths(soon())).released;
  EXPECT_EQ(
      run(stores().buckets.delete_bucket({.bucket_id = bucket_.id, .deadline = soon()})).status,
      BucketStatus::kOk);
  EXPECT_EQ(run(stores().releases.queue_depths(soon())).released, before + 1);
  EXPECT_EQ(run(stores().uploads.put_part(part)).status, CommitStatus::kNoSuchBucket);
  EXPECT_EQ(
      run(stores().buckets.delete_bucket({.bucket_id = bucket_.id, .deadline = soon()})).status,
      BucketStatus::kNoSuchBucket);
}

}  // namespace
}  // namespace rondel::metadata
