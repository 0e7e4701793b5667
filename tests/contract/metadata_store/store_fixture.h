// A bucket of a store, new for each test.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

#include "common/async/event_loop.h"
#include "tests/contract/metadata_store/test_database.h"

namespace rondel::metadata {

// Over the test program's PostgreSQL: for what only that can do. `Suite` has a static constexpr
// const char* kName: of its account and its buckets.
template <class Suite, class Base = ::testing::Test>
class StoreFixture : public Base {
 protected:
  static TestDatabase& database() {
    if constexpr (requires { Base::GetParam(); }) {
      return test_database(Base::GetParam());
    } else {
      return test_database(Implementation::kPostgres);
    }
  }

  static const Stores& stores() { return database().stores(); }

  static const std::string& owner() {
    static std::map<TestDatabase*, std::string> ids;
    std::string& id = ids[&database()];
    if (id.empty()) id = make_account(stores(), Suite::kName);
    return id;
  }

  // The value, or the end of the test.
  template <class T, class E>
  static T run(async::Task<std::expected<T, E>> task) {
    auto result = async::block_on(std::move(task));
    if (!result) throw std::runtime_error(to_string(result.error()));
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }

  static Deadline soon() { return deadline_in(std::chrono::seconds(120)); }

  void SetUp() override { bucket_ = make_bucket(); }

  static Bucket make_bucket() {
    static int count = 0;
    const std::string name = Suite::kName + ("-" + std::to_string(++count));
    return run(stores().buckets.create_bucket({.name = name, .owner_account = owner()}, soon()))
        .bucket;
  }

  void set_versioning(Versioning versioning) {
    bucket_ = run(stores().buckets.set_bucket_versioning(
                      {.bucket_id = bucket_.id, .deadline = soon()}, versioning))
                  .bucket;
  }

  CommitContext context() const { return {bucket_.id, bucket_.settings_version, 0, soon()}; }

  // A request for a version of so many bytes in a stream; 0 = none.
  PutObject put_request(const std::string& key, uint64_t size = 1,
                        const model::StreamId& stream = model::StreamId::random()) const {
    PutObject request{context(), key, {}, bucket_.versioning, {}};
    request.version.size = size;
    request.version.etag = "e";
    request.version.owner_account = owner();
    if (size > 0) request.version.extents = {{0, stream, size, 0, size}};
    return request;
  }

  // A request for an upload under a key.
  Upload upload_request(const std::string& key) const {
    Upload upload;
    upload.id = model::UploadId::random();
    upload.bucket_id = bucket_.id;
    upload.key = key;
    upload.initiator_account = upload.owner_account = owner();
    return upload;
  }

  // Begins an upload under a key and puts its first part: one byte of the stream.
  void put_open_part(const std::string& key, const model::StreamId& stream) {
    const Upload upload = upload_request(key);
    ASSERT_EQ(run(stores().uploads.create_upload(context(), upload)), CommitStatus::kCommitted);
    PutPart part;
    part.context = context();
    part.upload = upload.id;
    part.key = upload.key;
    part.part = {.number = 1, .size = 1, .etag = "e"};
    part.extents = {{0, stream, 1, 0, 1}};
    ASSERT_EQ(run(stores().uploads.put_part(part)).status, CommitStatus::kCommitted);
  }

  Bucket bucket_;
};

// Over every implementation: TEST_P, and
// INSTANTIATE_TEST_SUITE_P(Stores, Suite, all_implementations(), name_of_implementation).
template <class Suite>
using StoreContract = StoreFixture<Suite, ::testing::TestWithParam<Implementation>>;

}  // namespace rondel::metadata
