// Object locks: retention and legal holds, by the clocks of gateway and database.
#include "tests/fakes/manual_clock.h"

#include "tests/contract/metadata_store/metadata_contract.h"

namespace rondel::metadata {
namespace {

class ObjectLock : public MetadataContract {
 protected:
  CommitOutcome put_locked(const std::string& key, Retention retention, bool hold = false) {
    auto request = put_request(key, 1, Versioning::kEnabled);
    request.version.retention = retention;
    if (hold) request.version.legal_hold = true;
    return run(stores().objects.put_object(request));
  }

  CommitStatus remove(const std::string& key, const model::VersionId& version,
                      bool bypass = false) {
    return run(stores().objects.delete_object({.context = context(),
                                               .key = key,
                                               .version = version,
                                               .versioning = Versioning::kEnabled,
                                               .bypass_governance = bypass}))
        .status;
  }

  CommitStatus retain(const std::string& key, Retention retention, bool bypass = false) {
    UpdateVersion update{.context = context(), .key = key};
    update.retention = retention;
    update.bypass_governance = bypass;
    return run(stores().objects.update_version(update)).status;
  }

  CommitStatus hold(const std::string& key, const model::VersionId& version, bool on) {
    UpdateVersion update{.context = context(), .key = key, .version = version};
    update.legal_hold = on;
    return run(stores().objects.update_version(update)).status;
  }

  const SystemTime later_ = in_milliseconds(std::chrono::system_clock::now() + 1h);
  const Retention governance_{Retention::Mode::kGovernance, later_};
  const Retention compliance_{Retention::Mode::kCompliance, later_};
};

INSTANTIATE_TEST_SUITE_P(Stores, ObjectLock, all_implementations(), name_of_implementation);

TEST_P(ObjectLock, GovernanceYieldsToBypassAlone) {
  const auto version = put_locked("g", governance_).version;
  EXPECT_EQ(remove("g", version), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("g", {Retention::Mode::kGovernance, later_ - 1min}),
            CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("g", {}), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("g", compliance_), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("g", {Retention::Mode::kGovernance, later_ + 1min}), CommitStatus::kCommitted);
  EXPECT_EQ(find("g").object.retention.until, later_ + 1min);
  EXPECT_EQ(retain("g", governance_, true), CommitStatus::kCommitted);
  EXPECT_EQ(remove("g", version, true), CommitStatus::kCommitted);
}

TEST_P(ObjectLock, ComplianceAndLegalHoldYieldToNobody) {
  const auto version = put_locked("c", compliance_).version;
  EXPECT_EQ(remove("c", version, true), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("c", {}, true), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("c", governance_, true), CommitStatus::kObjectLocked);
  EXPECT_EQ(retain("c", {Retention::Mode::kCompliance, later_ + 1min}), CommitStatus::kCommitted);
  const auto held = put_locked("h", {}, true).version;
  EXPECT_EQ(remove("h", held, true), CommitStatus::kObjectLocked);
  // A marker hides it, and it stays protected in the history.
  EXPECT_EQ(run(stores().objects.delete_object(
                    {.context = context(), .key = "h", .versioning = Versioning::kEnabled}))
                .status,
            CommitStatus::kCommitted);
  EXPECT_EQ(remove("h", held), CommitStatus::kObjectLocked);
  EXPECT_EQ(hold("h", held, false), CommitStatus::kCommitted);
  EXPECT_EQ(remove("h", held), CommitStatus::kCommitted);
  const auto expired = put_locked("e", {Retention::Mode::kCompliance,
                                        in_milliseconds(std::chrono::system_clock::now() - 1s)})
                           .version;
  EXPECT_EQ(remove("e", expired), CommitStatus::kCommitted);
}

// Whichever of the two clocks is ahead, the other one holds.
TEST_P(ObjectLock, ALockEndsWhenBothClocksSaySo) {
  using std::chrono::days;
  const SystemTime now = in_milliseconds(std::chrono::system_clock::now());
  fakes::ManualClock gateway(now);
  const auto other = database().another({.lock_clock = &gateway});
  const auto remove_by = [&](const std::string& key, const model::VersionId& version) {
    return run(other->objects.delete_object({.context = context(),
                                             .key = key,
                                             .version = version,
                                             .versioning = Versioning::kEnabled}))
        .status;
  };
  const auto shorten_by = [&](const std::string& key) {
    UpdateVersion update{.context = context(), .key = key};
    update.retention = Retention{};
    return run(other->objects.update_version(update)).status;
  };
  // The database's clock alone says that it is over, as when that is ahead.
  const auto over = put_locked("over", {Retention::Mode::kCompliance, now - 1h}).version;
  // The gateway's alone does.
  const auto held = put_locked("held", compliance_).version;
  for (const auto by : {days(1), days(7)}) {
    gateway.set(now - by);
    EXPECT_EQ(remove_by("over", over), CommitStatus::kObjectLocked);
    EXPECT_EQ(shorten_by("over"), CommitStatus::kObjectLocked);
    gateway.set(now + by);
    EXPECT_EQ(remove_by("held", held), CommitStatus::kObjectLocked);
    EXPECT_EQ(shorten_by("held"), CommitStatus::kObjectLocked);
  }
  gateway.set(now);
  EXPECT_EQ(shorten_by("over"), CommitStatus::kCommitted);
  EXPECT_EQ(remove_by("over", over), CommitStatus::kCommitted);
  EXPECT_EQ(remove_by("held", held), CommitStatus::kObjectLocked);
}

TEST_P(ObjectLock, BucketStaysVersioned) {
  EXPECT_EQ(
      run(stores().buckets.set_object_lock({.bucket_id = bucket_.id, .deadline = soon()}, "doc"))
          .status,
      BucketStatus::kWrongState);
  const auto enabled = run(stores().buckets.set_bucket_versioning(
      {.bucket_id = bucket_.id, .deadline = soon()}, Versioning::kEnabled));
  EXPECT_EQ(enabled.bucket.versioning, Versioning::kEnabled);
  EXPECT_GT(enabled.bucket.settings_version, bucket_.settings_version);
  EXPECT_EQ(run(stores().buckets.set_bucket_versioning(
                    {.bucket_id = bucket_.id, .deadline = soon()}, Versioning::kSuspended))
                .bucket.versioning,
            Versioning::kSuspended);
  run(stores().buckets.set_bucket_versioning({.bucket_id = bucket_.id, .deadline = soon()},
                                             Versioning::kEnabled));
  const auto locked =
      run(stores().buckets.set_object_lock({.bucket_id = bucket_.id, .deadline = soon()}, "doc"));
  EXPECT_TRUE(locked.bucket.object_lock);
  EXPECT_EQ(locked.bucket.settings.at(SettingKind::kObjectLock), "doc");
  EXPECT_EQ(run(stores().buckets.set_bucket_versioning(
                    {.bucket_id = bucket_.id, .deadline = soon()}, Versioning::kSuspended))
                .status,
            BucketStatus::kWrongState);
  EXPECT_EQ(run(stores().buckets.set_bucket_versioning({.bucket_id = 1 << 30, .deadline = soon()},
                                                       Versioning::kEnabled))
                .status,
            BucketStatus::kNoSuchBucket);
}

}  // namespace
}  // namespace rondel::metadata
