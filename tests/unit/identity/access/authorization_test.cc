#include "identity/access/authorization.h"

#include <gtest/gtest.h>

#include "tests/unit/identity/policy/request_of.h"

namespace rondel::access {
namespace {

const policy::Caller owner{"111111111111", "own", false};
const policy::Caller writer{"222222222222", "wri", false};
const policy::Caller other{"333333333333", "oth", false};
const policy::Caller anonymous;

BucketAccess bucket(Ownership ownership = Ownership::kObjectWriter,
                    CannedAcl canned = CannedAcl::kPrivate) {
  BucketAccess access;
  access.bucket = "box";
  access.owner_account = owner.account_id;
  access.owner_canonical_id = owner.canonical_id;
  access.ownership = ownership;
  access.acl = expand_canned(canned, "own", "own");
  return access;
}

void set_policy(BucketAccess& access, const std::string& statements) {
  auto policy =
      policy::Policy::parse(R"({"Version":"2012-10-17","Statement":[)" + statements + "]}", "box");
  ASSERT_TRUE(policy) << policy.error();
  access.policy = *policy;
}

std::string canned_object(CannedAcl canned, const policy::Caller& object_owner) {
  return encode_acl(expand_canned(canned, object_owner.canonical_id, "own"),
                    object_owner.canonical_id);
}

bool may_get(const BucketAccess& access, const policy::Caller& caller, const ObjectFacts& object) {
  const Question question{access, caller, policy::Action::kGetObject, "k"};
  const policy::RequestOf request;
  const Verdict verdict = decide(question, request);
  return verdict == Verdict::kAllow ||
         (verdict == Verdict::kObjectDecides && decide_object(question, request, object));
}

TEST(Authorization, AnObjectIsItsOwnersNotTheBuckets) {
  const BucketAccess access = bucket();
  const ObjectFacts object{writer.account_id, {}};
  EXPECT_TRUE(may_get(access, writer, object));
  EXPECT_FALSE(may_get(access, owner, object));
  EXPECT_FALSE(may_get(access, other, object));
  const std::string shared = canned_object(CannedAcl::kBucketOwnerRead, writer);
  EXPECT_TRUE(may_get(access, owner, {writer.account_id, shared}));
}

TEST(Authorization, UnderBucketOwnerEnforcedEverythingIsTheBucketOwners) {
  const BucketAccess access = bucket(Ownership::kBucketOwnerEnforced, CannedAcl::kPublicReadWrite);
  const std::string open = canned_object(CannedAcl::kPublicRead, writer);
  EXPECT_TRUE(may_get(access, owner, {writer.account_id, open}));
  EXPECT_FALSE(may_get(access, writer, {writer.account_id, open}));
  EXPECT_FALSE(may_get(access, anonymous, {writer.account_id, open}));
  EXPECT_EQ(decide({access, anonymous, policy::Action::kPutObject, "k"}, policy::RequestOf()),
            Verdict::kDeny);
}

TEST(Authorization, APolicySpeaksOnlyOfWhatTheBucketsOwnerOwns) {
  BucketAccess access = bucket();
  set_policy(
      access,
      R"({"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::box/*"})");
  EXPECT_TRUE(may_get(access, other, {owner.account_id, {}}));
  EXPECT_FALSE(may_get(access, other, {writer.account_id, {}}));
  access.ownership = Ownership::kBucketOwnerEnforced;
  EXPECT_TRUE(may_get(access, other, {writer.account_id, {}}));
}

TEST(Authorization, ADenyBindsOwnersOfObjectsAndOfBuckets) {
  BucketAccess access = bucket();
  set_policy(
      access,
      R"({"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::box","arn:aws:s3:::box/*"]})");
  EXPECT_FALSE(may_get(access, owner, {owner.account_id, {}}));
  EXPECT_FALSE(may_get(access, writer, {writer.account_id, {}}));
  const policy::RequestOf request;
  EXPECT_EQ(decide({access, owner, policy::Action::kDeleteBucket, {}}, request), Verdict::kDeny);
  for (const policy::Action action :
       {policy::Action::kGetBucketPolicy, policy::Action::kPutBucketPolicy,
        policy::Action::kDeleteBucketPolicy}) {
    EXPECT_EQ(decide({access, owner, action, {}}, request), Verdict::kAllow);
    EXPECT_EQ(decide({access, other, action, {}}, request), Verdict::kDeny);
  }
}

TEST(Authorization, APolicyThatCannotBeReadDenies) {
  BucketAccess access = bucket();
  access.policy_unreadable = true;
  const policy::RequestOf request;
  EXPECT_FALSE(may_get(access, owner, {owner.account_id, {}}));
  EXPECT_EQ(decide({access, owner, policy::Action::kDeleteBucketPolicy, {}}, request),
            Verdict::kAllow);
}

TEST(Authorization, RestrictPublicBucketsKeepsEveryStrangerOut) {
  BucketAccess access = bucket(Ownership::kObjectWriter, CannedAcl::kPublicRead);
  set_policy(
      access,
      R"({"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::box/*"})");
  access.block.restrict_public_buckets = true;
  const ObjectFacts object{owner.account_id, {}};
  EXPECT_FALSE(may_get(access, anonymous, object));
  EXPECT_FALSE(may_get(access, other, object));
  EXPECT_FALSE(may_get(access, writer, {writer.account_id, {}}));
  EXPECT_TRUE(may_get(access, owner, object));
  EXPECT_EQ(decide({access, other, policy::Action::kListBucket, {}}, policy::RequestOf()),
            Verdict::kDeny);
  // A policy that names whom it means is not public.
  set_policy(
      access,
      R"({"Effect":"Allow","Principal":{"AWS":"333333333333"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::box/*"})");
  EXPECT_TRUE(may_get(access, other, object));
}

TEST(Authorization, IgnorePublicAclsLeavesGrantsToNamedAccounts) {
  BucketAccess access = bucket();
  access.block.ignore_public_acls = true;
  const std::string open = canned_object(CannedAcl::kPublicRead, owner);
  EXPECT_FALSE(may_get(access, other, {owner.account_id, open}));
  const std::string named =
      encode_acl({{{Grantee::kCanonicalUser, "oth", policy::Permission::kRead}}}, "own");
  EXPECT_TRUE(may_get(access, other, {owner.account_id, named}));
}

TEST(Authorization, AStrangerWithoutHopeIsRefusedWithoutALookUp) {
  EXPECT_EQ(
      decide({bucket(Ownership::kBucketOwnerEnforced), anonymous, policy::Action::kGetObject, "k"},
             policy::RequestOf()),
      Verdict::kDeny);
  EXPECT_EQ(decide({bucket(), anonymous, policy::Action::kGetObject, "k"}, policy::RequestOf()),
            Verdict::kObjectDecides);
}

TEST(Authorization, AbsenceIsToldToWhoMayListTheKey) {
  BucketAccess access = bucket();
  const policy::RequestOf request;
  EXPECT_TRUE(may_learn_absence({access, owner, policy::Action::kGetObject, "k"}, request));
  EXPECT_FALSE(may_learn_absence({access, other, policy::Action::kGetObject, "k"}, request));
  set_policy(
      access,
      R"({"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::box","Condition":{"StringLike":{"s3:prefix":"public/*"}}})");
  EXPECT_TRUE(
      may_learn_absence({access, anonymous, policy::Action::kGetObject, "public/k"}, request));
  EXPECT_FALSE(
      may_learn_absence({access, anonymous, policy::Action::kGetObject, "private/k"}, request));
}

TEST(Authorization, ExistingTagsAreJudgedWithTheObject) {
  BucketAccess access = bucket();
  set_policy(
      access,
      R"({"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::box/*","Condition":{"StringNotEquals":{"s3:ExistingObjectTag/open":"yes"}}})");
  const Question question{access, owner, policy::Action::kGetObject, "k"};
  EXPECT_EQ(decide(question, policy::RequestOf()), Verdict::kObjectDecides);
  EXPECT_TRUE(decide_object(question, policy::RequestOf{{"s3:ExistingObjectTag/open", {"yes"}}},
                            {owner.account_id, {}}));
  EXPECT_FALSE(decide_object(question, policy::RequestOf(), {owner.account_id, {}}));
}

TEST(Authorization, WhatIsSettledBeforeTheLookUpIsNotAskedAgain) {
  BucketAccess access = bucket();
  set_policy(
      access,
      R"({"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::box/*","Condition":{"StringEquals":{"aws:Referer":"here"}}})");
  Question question{access, other, policy::Action::kGetObject, "k"};
  const policy::RequestOf request{{"aws:Referer", {"here"}}};
  question.policy = settled_effect(question, request);
  EXPECT_EQ(question.policy, policy::Effect::kAllow);
  EXPECT_EQ(decide(question, request), Verdict::kObjectDecides);
  EXPECT_TRUE(decide_object(question, request, {owner.account_id, {}}));
  EXPECT_EQ(request.asked, 1u);
  // A body may still speak.
  EXPECT_EQ(settled_effect({access, other, policy::Action::kPutObjectTagging, "k"}, request),
            std::nullopt);
  set_policy(
      access,
      R"({"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::box/*","Condition":{"StringEquals":{"s3:ExistingObjectTag/a":"b"}}})");
  EXPECT_EQ(settled_effect({access, other, policy::Action::kGetObject, "k"}, request),
            std::nullopt);
  EXPECT_EQ(settled_effect({access, other, policy::Action::kPutObject, "k"}, request),
            policy::Effect::kNone);
}

TEST(Authorization, WhoBeganAnUploadMayEndIt) {
  BucketAccess access = bucket();
  const Question question{access, writer, policy::Action::kAbortMultipartUpload, "k"};
  const policy::RequestOf request;
  EXPECT_EQ(decide(question, request), Verdict::kObjectDecides);
  EXPECT_TRUE(decide_upload(question, request, writer.account_id));
  EXPECT_FALSE(decide_upload(question, request, other.account_id));
  EXPECT_EQ(decide({access, anonymous, policy::Action::kAbortMultipartUpload, "k"}, request),
            Verdict::kDeny);
  set_policy(
      access,
      R"({"Effect":"Deny","Principal":"*","Action":"s3:AbortMultipartUpload","Resource":"arn:aws:s3:::box/*"})");
  EXPECT_EQ(decide(question, request), Verdict::kDeny);
}

TEST(Authorization, OwnershipOfNewObjects) {
  EXPECT_EQ(owner_of_new_object(bucket(Ownership::kObjectWriter), writer, true), writer.account_id);
  EXPECT_EQ(owner_of_new_object(bucket(Ownership::kBucketOwnerPreferred), writer, false),
            writer.account_id);
  EXPECT_EQ(owner_of_new_object(bucket(Ownership::kBucketOwnerPreferred), writer, true),
            owner.account_id);
  EXPECT_EQ(owner_of_new_object(bucket(Ownership::kBucketOwnerEnforced), writer, false),
            owner.account_id);
  EXPECT_EQ(owner_of_new_object(bucket(), anonymous, false), policy::kAnonymousAccount);
}

TEST(BucketAccessCache, FollowsTheSettingsVersionAndTheAccountsBlock) {
  metadata::Bucket stored;
  stored.id = 7;
  stored.name = "box";
  BucketAccessCache cache;
  const auto first = cache.find(stored);
  EXPECT_EQ(cache.find(stored), first);
  stored.settings[metadata::SettingKind::kOwnership] = "BucketOwnerEnforced";
  ++stored.settings_version;
  EXPECT_FALSE(cache.find(stored)->acls_enabled());
  stored.owner_public_access_block = 8;
  EXPECT_TRUE(cache.find(stored)->block.restrict_public_buckets);
  stored.settings[metadata::SettingKind::kPolicy] = "{broken";
  ++stored.settings_version;
  EXPECT_TRUE(cache.find(stored)->policy_unreadable);
}

}  // namespace
}  // namespace rondel::access
