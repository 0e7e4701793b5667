// What is decided is what is committed: every commit against settings that moved and credentials
// that something was taken from, and the same while it waits for a lock.
#include <atomic>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <thread>

#include "metadata/connection/pg_connection.h"
#include "tests/contract/metadata_store/metadata_contract.h"

namespace rondel::metadata {
namespace {

using Outcome = CommitStatus;

CommitStatus as_commit(BucketStatus status) {
  switch (status) {
    case BucketStatus::kSettingsChanged: return CommitStatus::kSettingsChanged;
    case BucketStatus::kCredentialChanged: return CommitStatus::kCredentialChanged;
    case BucketStatus::kOk: return CommitStatus::kCommitted;
    default: return CommitStatus::kWrongState;
  }
}

class Decided : public MetadataContract {
 public:
  struct Act {
    const char* name;
    std::function<CommitStatus(Decided&, CommitContext)> run;
    bool of_bucket = false;  // A change of the bucket itself.
  };

  static std::function<CommitStatus(Decided&, CommitContext)> changes(
      std::function<void(UpdateVersion&)> change) {
    return [change](Decided& t, CommitContext c) {
      UpdateVersion update;
      update.context = c;
      update.key = "object";
      change(update);
      return run(t.stores().objects.update_version(update)).status;
    };
  }

  // What there is to commit. Each works on what prepare() made, once.
  static std::vector<Act> acts() {
    return {
        {"put", [](Decided& t, CommitContext c) { return t.put_under(c, "put", {}); }},
        {"put over", [](Decided& t, CommitContext c) { return t.put_under(c, "object", {}); }},
        {"conditional put",
         [](Decided& t, CommitContext c) { return t.put_under(c, "object", {.if_match = {"*"}}); }},
        {"delete",
         [](Decided& t, CommitContext c) {
           return run(t.stores().objects.delete_object(t.removal(c))).status;
         }},
        {"deletes",
         [](Decided& t, CommitContext c) {
           return run(t.stores().objects.delete_objects({t.removal(c)})).front().status;
         }},
        {"put of bytes that were copied",
         [](Decided& t, CommitContext c) {
           return run(t.stores().objects.put_object(t.copied_put(c))).status;
         }},
        {"copy",
         [](Decided& t, CommitContext c) {
           return run(t.stores().objects.copy_object(t.copy_request(c))).status;
         }},
        {"append",
         [](Decided& t, CommitContext c) {
           AppendObject append{t.put_request("object", 1), 1, "etag1"};
           append.put.context = c;
           return run(t.stores().objects.append_object(append)).status;
         }},
        {"rename",
         [](Decided& t, CommitContext c) {
           RenameObject rename;
           rename.context = c;
           rename.source_key = "object";
           rename.target_key = "renamed";
           return run(t.stores().objects.rename_object(rename)).status;
         }},
        {"tags", changes([](UpdateVersion& update) { update.tags = Tags{{"a", "b"}}; })},
        {"acl", changes([](UpdateVersion& update) { update.acl = "acl"; })},
        {"legal hold", changes([](UpdateVersion& update) { update.legal_hold = true; })},
        {"retention", changes([](UpdateVersion& update) {
           update.retention = Retention{Retention::Mode::kGovernance, SystemTime{} + 1h};
         })},
        {"removal of a retention", changes([](UpdateVersion& update) {
           update.retention = Retention{};
           update.bypass_governance = true;
         })},
        {"encryption", changes([](UpdateVersion& update) { update.encryption = "envelope"; })},
        {"begin of an upload",
         [](Decided& t, CommitContext c) {
           Upload upload = t.new_upload("begun");
           return run(t.stores().uploads.create_upload(c, upload));
         }},
        {"part",
         [](Decided& t, CommitContext c) {
           PutPart put{c, t.upload_, "upload", {}, {}};
           put.part = {2, 1, "p2", {}, {}};
           put.extents = {{0, model::StreamId::random(), 1, 0, 1}};
           return run(t.stores().uploads.put_part(put)).status;
         }},
        {"part of bytes that were copied",
         [](Decided& t, CommitContext c) {
           return run(t.stores().uploads.put_part(t.copied_part(c))).status;
         }},
        {"part copy",
         [](Decided& t, CommitContext c) {
           CopyPart copy{{c, t.upload_, "upload", {}, {}},
                         {t.bucket_.id, "object", t.version_, "etag1"}};
           copy.put.part = {3, 1, "p3", {}, {}};
           return run(t.stores().uploads.copy_part(copy)).status;
         }},
        {"complete",
         [](Decided& t, CommitContext c) {
           CompleteUpload complete{c,  t.upload_, "upload", {{1, "p1", {}}}, {}, {}, "whole",
                                   {}, 1,         {}};
           return run(t.stores().uploads.complete_upload(complete)).status;
         }},
        {"abort",
         [](Decided& t, CommitContext c) {
           return run(t.stores().uploads.abort_upload(c, t.upload_, "upload"));
         }},
        {"setting",
         [](Decided& t, CommitContext c) {
           return as_commit(
               run(t.stores().buckets.set_bucket_setting(c, SettingKind::kPolicy, "x")).status);
         },
         true},
        {"removal of a setting",
         [](Decided& t, CommitContext c) {
           return as_commit(
               run(t.stores().buckets.set_bucket_setting(c, SettingKind::kCors, {})).status);
         },
         true},
        {"versioning",
         [](Decided& t, CommitContext c) {
           return as_commit(
               run(t.stores().buckets.set_bucket_versioning(c, Versioning::kEnabled)).status);
         },
         true},
        {"object lock",
         [](Decided& t, CommitContext c) {
           return as_commit(run(t.stores().buckets.set_object_lock(c, "doc")).status);
         },
         true},
    };
  }

 protected:
  CommitStatus put_under(CommitContext context, const std::string& key, Conditions conditions) {
    PutObject put = put_request(key, 1);
    put.context = context;
    put.conditions = std::move(conditions);
    return run(stores().objects.put_object(put)).status;
  }

  DeleteObject removal(CommitContext context) {
    DeleteObject request;
    request.context = context;
    request.key = "object";
    request.owner_account = owner().account.id;
    return request;
  }

  CopyObject copy_request(CommitContext context) {
    CopyObject copy{put_request("copied", 0), source()};
    copy.put.context = context;
    copy.put.version.etag.clear();
    return copy;
  }

  // The object, as a copy has read it.
  CopySource source() const { return {bucket_.id, "object", version_, "etag1"}; }

  // Bytes that were read from the object and written anew.
  PutObject copied_put(CommitContext context) {
    PutObject put = put_request("copied", 1);
    put.context = context;
    put.copied_from = source();
    return put;
  }

  PutPart copied_part(CommitContext context) {
    PutPart put{context, upload_, "upload", {3, 1, "p3", {}, {}}, {}};
    put.extents = {{0, model::StreamId::random(), 1, 0, 1}};
    put.copied_from = source();
    return put;
  }

  // What is bound to a version: everything that copies one, and what it decides about itself.
  struct Bound {
    const char* name;
    std::function<CommitStatus(Decided&, CommitContext, const CopySource&)> run;
    bool copies = true;  // Under the settings of its source's bucket, too.
  };

  static std::vector<Bound> all_bound() {
    return {
        {"copy",
         [](Decided& t, CommitContext c, const CopySource& source) {
           CopyObject copy = t.copy_request(c);
           copy.source = source;
           return run(t.stores().objects.copy_object(copy)).status;
         }},
        {"put of bytes that were copied",
         [](Decided& t, CommitContext c, const CopySource& source) {
           PutObject put = t.copied_put(c);
           put.copied_from = source;
           return run(t.stores().objects.put_object(put)).status;
         }},
        {"part copy",
         [](Decided& t, CommitContext c, const CopySource& source) {
           const CopyPart copy{{c, t.upload_, "upload", {3, 1, "p3", {}, {}}, {}}, source};
           return run(t.stores().uploads.copy_part(copy)).status;
         }},
        {"part of bytes that were copied",
         [](Decided& t, CommitContext c, const CopySource& source) {
           PutPart put = t.copied_part(c);
           put.copied_from = source;
           return run(t.stores().uploads.put_part(put)).status;
         }},
        {"rename",
         [](Decided& t, CommitContext c, const CopySource& source) {
           RenameObject rename;
           rename.context = c;
           rename.source_key = source.key;
           rename.target_key = "renamed";
           rename.source_access = source.access;
           return run(t.stores().objects.rename_object(rename)).status;
         },
         false},
        {"update",
         [](Decided& t, CommitContext c, const CopySource& source) {
           UpdateVersion update;
           update.context = c;
           update.key = source.key;
           update.version = source.version;
           update.expected_access = source.access;
           update.legal_hold = true;
           return run(t.stores().objects.update_version(update)).status;
         },
         false},
    };
  }

  void change_object(std::function<void(UpdateVersion&)> change) {
    ASSERT_EQ(changes(std::move(change))(*this, context()), CommitStatus::kCommitted);
  }

  Upload new_upload(const std::string& key) {
    Upload upload;
    upload.id = model::UploadId::random();
    upload.key = key;
    upload.initiator_account = upload.owner_account = owner().account.id;
    return upload;
  }

  // An object, and an upload with a part, in a bucket of their own.
  void prepare() {
    static int count = 0;
    bucket_ = make_bucket("decided-" + std::to_string(++count));
    version_ = put("object", 1).version;
    const Upload upload = new_upload("upload");
    upload_ = upload.id;
    run(stores().uploads.create_upload(context(), upload));
    PutPart part{context(), upload_, "upload", {}, {}};
    part.part = {1, 1, "p1", {}, {}};
    part.extents = {{0, model::StreamId::random(), 1, 0, 1}};
    run(stores().uploads.put_part(part));
  }

  Bucket now() { return run(stores().buckets.find_bucket(bucket_.name, soon())).bucket; }

  // The epoch of a credential that is read now.
  int64_t epoch() {
    owner();
    return run(stores().identities.find_credential("OWNERKEY", soon()))->epoch;
  }

  std::string new_key() {
    static int count = 0;
    return run(stores().identities.create_key(owner().account.id,
                                              "DECIDED" + std::to_string(++count), "", soon()))
        .access_key;
  }

  model::VersionId version_;
  model::UploadId upload_;
};

INSTANTIATE_TEST_SUITE_P(Stores, Decided, all_implementations(), name_of_implementation);

TEST_P(Decided, EveryCommitHappensUnderWhatHolds) {
  for (const Act& act : acts()) {
    SCOPED_TRACE(act.name);
    prepare();
    if (std::string_view(act.name) == "object lock") {
      run(stores().buckets.set_bucket_versioning({.bucket_id = bucket_.id, .deadline = soon()},
                                                 Versioning::kEnabled));
    }
    CommitContext context = this->context();
    context.settings_version = now().settings_version;
    context.credential_epoch = epoch();
    EXPECT_EQ(act.run(*this, context), CommitStatus::kCommitted);
  }
}

TEST_P(Decided, NoCommitHappensUnderSettingsThatMoved) {
  for (const Act& act : acts()) {
    SCOPED_TRACE(act.name);
    prepare();
    const CommitContext before = context();
    run(stores().buckets.set_bucket_setting({.bucket_id = bucket_.id, .deadline = soon()},
                                            SettingKind::kTagging, "<doc/>"));
    const Bucket settled = now();
    EXPECT_EQ(act.run(*this, before), CommitStatus::kSettingsChanged);
    EXPECT_EQ(now().settings_version, settled.settings_version);
    EXPECT_EQ(now().settings, settled.settings);
    EXPECT_EQ(usage().versions, 1u);
    EXPECT_EQ(find("object").status, LookupStatus::kFound);
    EXPECT_TRUE(find("object").object.tags.empty());
  }
}

TEST_P(Decided, NoCommitHappensByACredentialThatSomethingWasTakenFrom) {
  for (const Act& act : acts()) {
    SCOPED_TRACE(act.name);
    prepare();
    CommitContext before = context();
    before.credential_epoch = epoch();
    run(stores().identities.delete_key(new_key(), LastKey::kMayGo, soon()));
    EXPECT_EQ(act.run(*this, before), CommitStatus::kCredentialChanged);
    EXPECT_EQ(now().settings_version, bucket_.settings_version);
    EXPECT_EQ(usage().versions, 1u);
    EXPECT_TRUE(find("object").object.tags.empty());
    before.credential_epoch = epoch();
    if (std::string_view(act.name) == "object lock") continue;
    EXPECT_EQ(act.run(*this, before), CommitStatus::kCommitted) << "with the new epoch";
  }
}

// A copy rests on the settings of two buckets, whether it is rows or bytes.
TEST_P(Decided, NoCopyHappensUnderSettingsOfItsSourceThatMoved) {
  for (const Bound& act : all_bound()) {
    if (!act.copies) continue;
    SCOPED_TRACE(act.name);
    prepare();
    const Bucket bucket = bucket_;
    CopySource source = this->source();
    prepare();
    const auto changed = run(stores().buckets.set_bucket_setting(
        {.bucket_id = bucket.id, .deadline = soon()}, SettingKind::kPolicy, "x"));
    source.settings_version = bucket.settings_version;
    EXPECT_EQ(act.run(*this, context(), source), CommitStatus::kSettingsChanged);
    source.settings_version = changed.bucket.settings_version;
    EXPECT_EQ(act.run(*this, context(), source), CommitStatus::kCommitted);
  }
}

// What a version decided holds while it says the same of who may have it.
TEST_P(Decided, NoCommitHappensUnderWhatAVersionDoesNotSayAnyMore) {
  using Change = std::function<void(UpdateVersion&)>;
  const std::pair<const char*, Change> all_changes[] = {
      {"another ACL", [](UpdateVersion& update) { update.acl = "private"; }},
      {"no ACL", [](UpdateVersion& update) { update.acl = ""; }},
      {"other tags", [](UpdateVersion& update) { update.tags = Tags{{"for", "nobody"}}; }},
      {"no tags", [](UpdateVersion& update) { update.tags = Tags{}; }},
  };
  for (const Bound& act : all_bound()) {
    for (const auto& [name, change] : all_changes) {
      SCOPED_TRACE(act.name + std::string(", ") + name);
      prepare();
      change_object([](UpdateVersion& update) {
        update.acl = "public";
        update.tags = Tags{{"for", "all"}};
      });
      CopySource source = this->source();
      source.access = ObjectAccess::of(find("object").object);
      change_object(change);
      const auto before = usage();
      EXPECT_EQ(act.run(*this, context(), source), CommitStatus::kAccessChanged);
      EXPECT_EQ(usage().versions, before.versions);
      EXPECT_FALSE(find("object").object.legal_hold);
      source.access = ObjectAccess::of(find("object").object);
      EXPECT_EQ(act.run(*this, context(), source), CommitStatus::kCommitted);
    }
  }
}

// Another owner's version with the same bytes, ACL and tags is another version to decide about.
TEST_P(Decided, NoCommitHappensUnderTheVersionOfAnotherOwner) {
  for (const Bound& act : all_bound()) {
    SCOPED_TRACE(act.name);
    prepare();
    CopySource source = this->source();
    source.access = ObjectAccess::of(find("object").object);
    PutObject other = put_request("object", 1);
    other.version.owner_account = make_account(stores(), bucket_.name + "-writer");
    source.version = run(stores().objects.put_object(other)).version;
    EXPECT_EQ(act.run(*this, context(), source), CommitStatus::kAccessChanged);
    EXPECT_FALSE(find("object").object.legal_hold);
    source.access = ObjectAccess::of(find("object").object);
    EXPECT_EQ(act.run(*this, context(), source), CommitStatus::kCommitted);
  }
}

// Bytes that were written anew are of the version that was read, as rows are.
TEST_P(Decided, NoBytesAreCommittedAsACopyOfWhatIsGone) {
  for (const Bound& act : all_bound()) {
    if (!act.copies) continue;
    SCOPED_TRACE(act.name);
    prepare();
    const CopySource source = this->source();
    put("object", 1);
    EXPECT_EQ(act.run(*this, context(), source), CommitStatus::kSourceChanged);
  }
}

TEST_P(Decided, NoBucketIsMadeByACredentialThatSomethingWasTakenFrom) {
  const int64_t before = epoch();
  run(stores().identities.delete_key(new_key(), LastKey::kMayGo, soon()));
  const CreateBucket request{
      .name = "decided-never", .owner_account = owner().account.id, .credential_epoch = before};
  EXPECT_EQ(run(stores().buckets.create_bucket(request, soon())).status,
            BucketStatus::kCredentialChanged);
  EXPECT_EQ(run(stores().buckets.find_bucket("decided-never", soon())).status,
            BucketStatus::kNoSuchBucket);
}

TEST_P(Decided, NoBucketGoesUnderSettingsOrByACredentialThatMoved) {
  CommitContext old_settings = context(), old_credential = context();
  old_credential.credential_epoch = epoch();
  run(stores().identities.delete_key(new_key(), LastKey::kMayGo, soon()));
  EXPECT_EQ(run(stores().buckets.delete_bucket(old_credential)).status,
            BucketStatus::kCredentialChanged);
  run(stores().buckets.set_bucket_setting({.bucket_id = bucket_.id, .deadline = soon()},
                                          SettingKind::kPolicy, "x"));
  EXPECT_EQ(run(stores().buckets.delete_bucket(old_settings)).status,
            BucketStatus::kSettingsChanged);
  EXPECT_EQ(now().id, bucket_.id);
}

// What rises the epoch, and what does not.
TEST_P(Decided, TheEpochRisesWithWhateverIsTakenAway) {
  auto& identities = stores().identities;
  static int count = 0;
  const std::string account = make_account(stores(), "epochs-" + std::to_string(++count));
  const std::string key = run(identities.create_key(account, "", "", soon())).access_key;
  int64_t last = epoch();
  const auto rises = [&](bool wanted, const char* why) {
    const int64_t now = epoch();
    EXPECT_EQ(now > last, wanted) << why;
    EXPECT_GE(now, last) << why;
    last = now;
  };
  run(identities.set_key_enabled(key, true, LastKey::kMayGo, soon()));
  rises(false, "enabled as it was");
  run(identities.set_key_enabled(key, false, LastKey::kMayGo, soon()));
  rises(true, "disabled");
  run(identities.set_key_enabled(key, false, LastKey::kMayGo, soon()));
  rises(false, "disabled as it was");
  run(identities.set_key_enabled(key, true, LastKey::kMayGo, soon()));
  rises(false, "enabled");
  run(identities.delete_key(key, LastKey::kMayGo, soon()));
  rises(true, "removed");
  AccountChange change{.enabled = false};
  run(identities.change_account(account, change, soon()));
  rises(true, "the account disabled");
  change.enabled = true;
  run(identities.change_account(account, change, soon()));
  rises(false, "the account enabled");
  run(identities.change_account(account, {.public_access_block = 3}, soon()));
  rises(true, "the account's block on public access");
}

// The account's block is a setting of each of its buckets.
TEST_P(Decided, TheBlockOfTheAccountMovesItsBuckets) {
  run(stores().identities.change_account(owner().account.id, {.public_access_block = 1}, soon()));
  const int64_t blocked = now().settings_version;
  EXPECT_GT(blocked, bucket_.settings_version);
  EXPECT_EQ(now().owner_public_access_block, 1);
  run(stores().identities.change_account(owner().account.id, {.public_access_block = 1}, soon()));
  EXPECT_EQ(now().settings_version, blocked) << "as it was";
  run(stores().identities.change_account(owner().account.id, {.public_access_block = 0}, soon()));
  EXPECT_GT(now().settings_version, blocked);
}

// Of the functions in the database those that change rows, by themselves or by others that they
// call, but for the ones that others call: what a program calls, and triggers.
class Writers {
 public:
  Writers() {
    const auto connection = PgConnection::open(postgres_dsn(), deadline_in(60s)).value();
    const auto rows = connection->run(
        "select proname::text, regexp_replace(prosrc, '--[^\n]*', '', 'g') from pg_proc"
        " where pronamespace = current_schema()::regnamespace"
        " and proname !~ '^attributes_[0-9]+$'",
        {}, deadline_in(60s));
    for (size_t i = 0; i < rows.value().rows(); ++i) bodies_[rows->text(i, 0)] = rows->text(i, 1);
    for (const auto& [name, body] : bodies_) {
      for (const auto& [other, text] : bodies_) {
        if (other == name || !std::regex_search(body, std::regex("\\b" + other + "\\s*\\("))) {
          continue;
        }
        calls_[name].insert(other);
        called_.insert(other);
      }
    }
  }

  // `also`: called by a program, too.
  std::set<std::string> outermost(const std::string& also) const {
    const std::regex change(R"(\b(insert\s+into|delete\s+from|update\s+\w+(\s+\w+)?\s+set)\b)");
    std::set<std::string> found;
    for (const auto& [name, body] : bodies_) {
      if (called_.contains(name) && name != also) continue;
      for (const std::string& reached : reached_by(name)) {
        if (std::regex_search(bodies_.at(reached), change)) found.insert(name);
      }
    }
    return found;
  }

  // It, what it calls, and so on.
  std::set<std::string> reached_by(const std::string& name) const {
    std::set<std::string> all;
    std::vector<std::string> left = {name};
    while (!left.empty()) {
      const std::string next = left.back();
      left.pop_back();
      if (!all.insert(next).second) continue;
      const auto calls = calls_.find(next);
      if (calls != calls_.end()) {
        left.insert(left.end(), calls->second.begin(), calls->second.end());
      }
    }
    return all;
  }

 private:
  std::map<std::string, std::string> bodies_;
  std::map<std::string, std::set<std::string>> calls_;
  std::set<std::string> called_;
};

// Nothing that commits for a client is left out above.
TEST(DecidedFunctions, AreAllThatChangeRows) {
  // The acts above that each is called by. A new function that commits for a client gets one, which
  // is then asked under settings that moved and a credential that moved.
  const std::map<std::string, std::set<std::string>> commits = {
      {"put_objects", {"put", "put over", "conditional put"}},
      {"delete_objects", {"delete", "deletes"}},
      {"copy_object", {"copy"}},
      {"append_object", {"append"}},
      {"rename_object", {"rename"}},
      {"update_version",
       {"tags", "acl", "legal hold", "retention", "removal of a retention", "encryption"}},
      {"create_upload", {"begin of an upload"}},
      {"put_copied", {"put of bytes that were copied"}},
      {"put_part", {"part", "part of bytes that were copied"}},
      {"copy_part", {"part copy"}},
      {"complete_upload", {"complete"}},
      {"abort_upload_as", {"abort"}},
      {"set_bucket_setting", {"setting", "removal of a setting"}},
      {"set_bucket_versioning", {"versioning"}},
      {"set_object_lock", {"object lock"}},
      {"delete_bucket", {}},  // NoBucketGoesUnderSettingsOrByACredentialThatMoved.
  };
  // What no client decided.
  const std::set<std::string> others = {
      "write_mark",
      "follow_changes",
      "release_deleted_bucket",  // The coordinator, jobs.
      "raise_credential_epoch",
      "change_account_block",  // Triggers, which move the numbers.
      "change_access_key",
      "confirm_key_check",
      "write_audit",  // Operators.
  };
  const Writers writers;
  std::set<std::string> acts;
  for (const Decided::Act& act : Decided::acts()) acts.insert(act.name);
  const std::set<std::string> outermost = writers.outermost("put_objects");
  for (const std::string& name : outermost) {
    if (others.contains(name)) continue;
    EXPECT_TRUE(commits.contains(name)) << name << " changes rows: under which decisions?";
    const std::set<std::string> reached = writers.reached_by(name);
    EXPECT_TRUE(reached.contains("check_context") || reached.contains("lock_settings")) << name;
  }
  for (const auto& [name, by] : commits) {
    EXPECT_TRUE(outermost.contains(name)) << name << " is gone";
    for (const std::string& act : by) EXPECT_EQ(acts.erase(act), 1u) << act;
  }
  EXPECT_TRUE(acts.empty()) << *acts.begin() << " is of no function";
}

// On PostgreSQL two at once.
class DecidedRaces : public Decided {
 protected:
  // `act` begins while `held` holds its locks, and ends after that is committed.
  CommitStatus run_behind(const std::vector<std::string>& held, const Act& act,
                          const CommitContext& context, const std::function<void()>& meanwhile) {
    const auto session = PgConnection::open(postgres_dsn(), soon()).value();
    const auto watcher = PgConnection::open(postgres_dsn(), soon()).value();
    const auto script = [&](const std::string& sql) {
      const auto done = session->script(sql, soon());
      if (!done) throw std::runtime_error(done.error().message);
    };
    script("begin");
    for (const std::string& sql : held) script(sql);
    const auto pid = session->run("select pg_backend_pid()", {}, soon()).value().integer(0, 0);
    std::atomic<bool> ended{false};
    CommitStatus status{};
    std::thread thread([&] {
      status = act.run(*this, context);
      ended = true;
    });
    const std::string blocked = "select exists (select from pg_stat_activity where " +
                                std::to_string(pid) + " = any (pg_blocking_pids(pid)))";
    while (!ended && !watcher->run(blocked, {}, soon()).value().boolean(0, 0)) {
      std::this_thread::sleep_for(200us);
    }
    waited_ = !ended;
    meanwhile();
    script("commit");
    thread.join();
    return status;
  }

  bool waited_ = false;
};

INSTANTIATE_TEST_SUITE_P(Stores, DecidedRaces, ::testing::Values(Implementation::kPostgres),
                         name_of_implementation);

TEST_P(DecidedRaces, ASettingThatIsAnsweredHoldsForCommitsInFlight) {
  const char* const setters[] = {
      "select set_bucket_setting({}, 0, 2::smallint, 'x'::bytea)",
      "select set_bucket_setting({}, 0, 5::smallint, null)",
      "select set_bucket_versioning({}, 0, 1::smallint)",
      "update accounts set public_access_block = 7 - public_access_block where id = "
      "(select owner_account from buckets where id = {})",
  };
  for (const std::string setter : setters) {
    for (const Act& act : acts()) {
      SCOPED_TRACE(setter + ", " + act.name);
      prepare();
      std::string held = setter;
      held.replace(held.find("{}"), 2, std::to_string(bucket_.id));
      EXPECT_EQ(run_behind({held}, act, context(), [] {}), CommitStatus::kSettingsChanged);
      EXPECT_TRUE(waited_);
    }
  }
}

// A commit that waits for a lock while a key is disabled does not commit when it gets it.
TEST_P(DecidedRaces, ATakenCredentialHoldsForCommitsInFlight) {
  for (const Act& act : acts()) {
    if (std::string_view(act.name) == "object lock") continue;
    SCOPED_TRACE(act.name);
    prepare();
    CommitContext decided = context();
    decided.credential_epoch = epoch();
    const std::string hold =
        "select from buckets where id = " + std::to_string(bucket_.id) + " for update";
    const auto meanwhile = [] {
      const auto other = PgConnection::open(postgres_dsn(), soon()).value();
      ASSERT_TRUE(other->script("update credential_epoch set epoch = epoch + 1", soon()));
    };
    EXPECT_EQ(run_behind({hold}, act, decided, meanwhile), CommitStatus::kCredentialChanged);
    EXPECT_TRUE(waited_);
    EXPECT_EQ(usage().versions, 1u);
  }
}

// Whatever is taken is answered behind the commits that may not have seen it.
TEST_P(DecidedRaces, WhatIsTakenAwayWaitsForEarlierCommits) {
  auto& identities = stores().identities;
  auto& keys = stores().keys;
  static int count = 0;
  const std::string account = make_account(stores(), "taken-" + std::to_string(++count));
  const std::string key = run(identities.create_key(account, "", "", soon())).access_key;
  run(identities.create_key(account, "", "", soon()));
  const uint8_t all = static_cast<uint8_t>(KmsOperation::kAll);
  const std::pair<const char*, std::function<void()>> takers[] = {
      {"a key is disabled",
       [&] { run(identities.set_key_enabled(key, false, LastKey::kMayGo, soon())); }},
      {"a key goes", [&] { run(identities.delete_key(key, LastKey::kMayGo, soon())); }},
      {"a key's owner",
       [&] { (void)async::block_on(keys.set_owner("taken", owner().account.id, soon())); }},
      {"a key's other owner",
       [&] { (void)async::block_on(keys.set_owner("taken", account, soon())); }},
      {"a grant",
       [&] { (void)async::block_on(keys.set_grant("taken", owner().account.id, all, soon())); }},
      {"a smaller grant",
       [&] { (void)async::block_on(keys.set_grant("taken", owner().account.id, 1, soon())); }},
      {"no grant",
       [&] { (void)async::block_on(keys.set_grant("taken", owner().account.id, 0, soon())); }},
      {"an account is disabled",
       [&] { run(identities.change_account(account, {.enabled = false}, soon())); }},
  };
  const auto session = PgConnection::open(postgres_dsn(), soon()).value();
  const auto watcher = PgConnection::open(postgres_dsn(), soon()).value();
  for (const auto& [name, take] : takers) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(session->script("begin; select pg_current_xact_id()", soon()));
    std::atomic<bool> ended{false}, waited{false};
    std::thread thread([&] {
      take();
      ended = true;
    });
    const std::string asks =
        "select exists (select from pg_stat_activity where query like 'select is_past(%' and "
        "query_start > '" +
        watcher->run("select clock_timestamp()::text", {}, soon()).value().text(0, 0) + "')";
    while (!ended && !(waited = watcher->run(asks, {}, soon()).value().boolean(0, 0))) {
      std::this_thread::sleep_for(200us);
    }
    ASSERT_TRUE(session->script("commit", soon()));
    thread.join();
    EXPECT_TRUE(waited);
  }
}

// Rows of others in the same batch are committed.
TEST_P(DecidedRaces, ATakenCredentialCostsOthersNothing) {
  prepare();
  CommitContext before = context(), after = context();
  before.credential_epoch = epoch();
  run(stores().identities.delete_key(new_key(), LastKey::kMayGo, soon()));
  after.credential_epoch = epoch();
  std::vector<std::thread> threads;
  std::atomic<int> committed{0}, refused{0};
  for (int i = 0; i < 24; ++i) {
    threads.emplace_back([&, i] {
      const CommitContext& mine = i % 3 == 0 ? before : i % 3 == 1 ? after : context();
      const auto status = put_under(mine, "k" + std::to_string(i), {});
      if (status == CommitStatus::kCommitted) ++committed;
      if (status == CommitStatus::kCredentialChanged) ++refused;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(committed, 16);
  EXPECT_EQ(refused, 8);
}

}  // namespace
}  // namespace rondel::metadata
