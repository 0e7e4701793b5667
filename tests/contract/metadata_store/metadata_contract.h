// What the contracts of the object side have in common: a bucket, new for each test, on every
// implementation.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/async/event_loop.h"
#include "tests/contract/metadata_store/test_database.h"

namespace rondel::metadata {

using namespace std::chrono_literals;

// Of the database that a test runs on.
inline const Credential& owner_in(TestDatabase& database) {
  static std::map<TestDatabase*, Credential> owners;
  const auto known = owners.find(&database);
  if (known != owners.end()) return known->second;
  const CreateAccount request{
      .name = "owner", .access_key = "OWNERKEY", .secret_key = "owner-secret"};
  return owners[&database] =
             async::block_on(database.stores().identities.create_account(request, deadline_in(60s)))
                 .value();
}

class MetadataContract : public ::testing::TestWithParam<Implementation> {
 protected:
  static TestDatabase& database() { return test_database(GetParam()); }

  static const Stores& stores() { return database().stores(); }

  static const Credential& owner() { return owner_in(database()); }

  void SetUp() override {
    static int count = 0;
    bucket_ = make_bucket("contract-" + std::to_string(++count));
  }

  Bucket make_bucket(const std::string& name) {
    auto outcome = run(stores().buckets.create_bucket(
        {.name = name, .owner_account = owner().account.id, .region = "us-east-1"}, soon()));
    EXPECT_EQ(outcome.status, BucketStatus::kOk);
    return outcome.bucket;
  }

  static Deadline soon() { return deadline_in(60s); }

  template <class T, class E>
  static T run(async::Task<std::expected<T, E>> task) {
    auto result = async::block_on(std::move(task));
    EXPECT_TRUE(result) << to_string(result.error());
    if (!result) throw std::runtime_error(to_string(result.error()));
    return std::move(*result);
  }

  CommitContext context() const { return {bucket_.id, bucket_.settings_version, 0, soon()}; }

  PutObject put_request(const std::string& key, uint64_t size,
                        Versioning versioning = Versioning::kNever) const {
    PutObject put{context(), key, {}, versioning, {}};
    put.version.size = size;
    put.version.etag = "etag" + std::to_string(size);
    put.version.owner_account = owner().account.id;
    put.version.headers = {{"content-type", "text/plain"}, {"x-amz-meta-a", "b"}};
    put.version.checksum =
        model::Checksum{model::ChecksumAlgorithm::kCrc32, model::ChecksumType::kFullObject, "abcd"};
    if (size > 0) put.version.extents = {{0, model::StreamId::random(), size, 0, size}};
    return put;
  }

  CommitOutcome put(const std::string& key, uint64_t size,
                    Versioning versioning = Versioning::kNever) {
    return run(stores().objects.put_object(put_request(key, size, versioning)));
  }

  ObjectLookup find(const std::string& key, ExtentRange range = {ExtentRange::Kind::kAll}) {
    return run(stores().objects.find_object(
        {.bucket = bucket_.name, .key = key, .range = range, .deadline = soon()}));
  }

  ListPage list(ListQuery query) {
    query.bucket_id = bucket_.id;
    query.deadline = soon();
    return run(stores().listing.list(std::move(query)));
  }

  std::vector<std::string> keys_of(const ListPage& page) {
    std::vector<std::string> keys;
    for (const auto& entry : page.entries) keys.push_back(entry.key);
    return keys;
  }

  BucketUsage usage() { return run(stores().buckets.bucket_usage(bucket_.id, soon())); }

  Bucket bucket_;
};

inline Attributes some_attributes() {
  Attributes attributes;
  attributes.acl = "acl-bytes";
  attributes.tags = {{"k", "v"}, {"empty", ""}};
  attributes.encryption = std::string("\0envelope", 9);
  return attributes;
}

template <class Time>
SystemTime in_milliseconds(Time time) {
  return std::chrono::floor<std::chrono::milliseconds>(time);
}

}  // namespace rondel::metadata
