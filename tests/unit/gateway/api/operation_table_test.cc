// The columns of the table of operations agree with one another and with the actions of policies.
#include <gtest/gtest.h>

#include "gateway/api/dispatch.h"
#include "gateway/s3/operation.h"
#include "identity/policy/action.h"

namespace rondel::api {
namespace {

using s3::Body;
using s3::Decision;
using s3::Effect;
using s3::OperationRow;

// What the action of an operation is about says what its decision may wait for.
Decision decision_of(const OperationRow& row) {
  const policy::Action action = policy::find_action(row.action).value();
  if (row.operation == s3::Operation::kDeleteObjects) return Decision::kEntries;
  switch (action) {
    case policy::Action::kAbortMultipartUpload:
    case policy::Action::kListMultipartUploadParts: return Decision::kUpload;
    case policy::Action::kPutObjectRetention:
    case policy::Action::kPutObjectLegalHold: return Decision::kDocument;
    default: break;
  }
  const policy::Target target = policy::row(action).target;
  return target == policy::Target::kOwnedObject || target == policy::Target::kStoredObject
             ? Decision::kObject
             : Decision::kHead;
}

TEST(OperationTable, ADecisionWaitsForWhatItsActionIsAbout) {
  for (const OperationRow& row : s3::all_operations()) {
    EXPECT_EQ(row.decision, decision_of(row)) << row.name;
  }
}

TEST(OperationTable, WhatReadsTakesNoBodyOfAnObjectAndWhatRemovesTakesNone) {
  for (const OperationRow& row : s3::all_operations()) {
    const bool asks = row.method == "GET" || row.method == "HEAD";
    EXPECT_TRUE(!asks || (row.effect == Effect::kReads && row.body == Body::kNone)) << row.name;
    EXPECT_TRUE(row.effect != Effect::kReads || row.body != Body::kObject) << row.name;
    EXPECT_TRUE(row.method != "DELETE" ||
                (row.effect == Effect::kChanges && row.body == Body::kNone))
        << row.name;
    EXPECT_TRUE(row.method != "PUT" || row.effect != Effect::kReads) << row.name;
  }
}

// Settings of buckets are answered as they are, on every gateway, a moment after they were put.
TEST(OperationTable, SettingsOfBucketsAreReadAsTheyAreNow) {
  for (const OperationRow& row : s3::all_operations()) {
    const bool of_settings = row.level == s3::Level::kBucket && row.effect != Effect::kCreates &&
                             row.action != "s3:ListBucket" && !row.action.contains("Versions") &&
                             !row.action.contains("Uploads") && row.decision == Decision::kHead;
    if (of_settings) EXPECT_EQ(row.settings, s3::BucketSettings::kFresh) << row.name;
    if (row.level != s3::Level::kBucket) {
      EXPECT_EQ(row.settings, s3::BucketSettings::kCached) << row.name;
    }
  }
}

TEST(OperationTable, EveryOperationOfTheBasicsHasAHandler) {
  size_t answered = 0;
  for (const OperationRow& row : s3::all_operations()) {
    answered += find_handler(row.operation) != nullptr ? 1 : 0;
    if (row.effect == Effect::kCreates) EXPECT_NE(find_handler(row.operation), nullptr) << row.name;
  }
  EXPECT_GE(answered, 70u);
}

}  // namespace
}  // namespace rondel::api
