// UploadStore: multipart uploads.
#include "tests/fakes/manual_clock.h"

#include "metadata/model/version_clock.h"
#include "tests/contract/metadata_store/metadata_contract.h"

namespace rondel::metadata {
namespace {

class Multipart : public MetadataContract {
 protected:
  model::UploadId create(const std::string& key) {
    Upload upload;
    upload.id = new_upload_id(real_clock().now(), upload.key);
    upload.key = key;
    upload.initiator_account = upload.owner_account = owner().account.id;
    upload.headers = {{"content-type", "x/y"}};
    upload.checksum_algorithm = model::ChecksumAlgorithm::kCrc32c;
    static_cast<Attributes&>(upload) = some_attributes();
    EXPECT_EQ(run(stores().uploads.create_upload(context(), upload)), CommitStatus::kCommitted);
    return upload.id;
  }

  CommitOutcome put_part(const model::UploadId& upload, const std::string& key, uint32_t number,
                         uint64_t size) {
    PutPart put{context(), upload, key, {}, {}};
    put.part = {number,
                size,
                "p" + std::to_string(number),
                {{model::ChecksumAlgorithm::kCrc32c, {}, "wxyz"}},
                {}};
    put.extents = {{0, model::StreamId::random(), size, 0, size}};
    return run(stores().uploads.put_part(put));
  }

  CompleteUpload complete_request(const model::UploadId& upload, const std::string& key,
                                  std::vector<uint32_t> numbers, uint64_t size) {
    CompleteUpload complete{context(), upload, key, {}, {}, {}, "whole-2", {}, size, {}};
    for (const uint32_t number : numbers) {
      complete.parts.push_back({number, "p" + std::to_string(number), {}});
    }
    return complete;
  }

  static constexpr uint64_t kPart = 5 << 20;
};

INSTANTIATE_TEST_SUITE_P(Stores, Multipart, all_implementations(), name_of_implementation);

// An upload begins by the later clock, or one that was begun by a clock a week behind would be
// aborted when it is set right.
TEST_P(Multipart, AnUploadBegunByAClockThatIsBehindIsNotOld) {
  const SystemTime now = real_clock().now();
  fakes::ManualClock gateway(now);
  const auto other = database().another({.clock = &gateway});
  const auto begun = [&](Duration by) {
    gateway.set(now + std::chrono::duration_cast<std::chrono::microseconds>(by));
    Upload upload;
    upload.id = model::UploadId::random();
    upload.key = "begun/" + std::to_string(by.count());
    upload.initiator_account = upload.owner_account = owner().account.id;
    EXPECT_EQ(run(other->uploads.create_upload(context(), upload)), CommitStatus::kCommitted);
    for (const Upload& listed :
         run(stores().listing.list_uploads({.bucket_id = bucket_.id, .deadline = soon()}))
             .uploads) {
      if (listed.id == upload.id) return listed.initiated_at;
    }
    return SystemTime::min();
  };
  EXPECT_GE(begun(-std::chrono::days(7)), now - 5s);
  EXPECT_GE(begun(std::chrono::days(1)), now + std::chrono::days(1) - 5s);
}

TEST_P(Multipart, PartsBecomeAnObject) {
  const auto upload = create("m");
  EXPECT_EQ(put_part(upload, "m", 1, kPart).status, CommitStatus::kCommitted);
  EXPECT_EQ(put_part(upload, "m", 3, 100).status, CommitStatus::kCommitted);
  EXPECT_EQ(put_part(upload, "m", 2, 50).status, CommitStatus::kCommitted);
  EXPECT_EQ(put_part(upload, "m", 3, 200).status, CommitStatus::kCommitted);
  const auto listed = run(stores().uploads.find_upload({bucket_.id, upload, "m", 0, 2, soon()}));
  EXPECT_EQ(listed.parts.size(), 2u);
  EXPECT_EQ(static_cast<const Attributes&>(listed.upload), some_attributes());
  EXPECT_TRUE(listed.truncated);
  EXPECT_EQ(
      run(stores().uploads.complete_upload(complete_request(upload, "m", {3, 1}, kPart + 200)))
          .status,
      CommitStatus::kInvalidPartOrder);
  EXPECT_EQ(
      run(stores().uploads.complete_upload(complete_request(upload, "m", {1, 4}, kPart))).status,
      CommitStatus::kInvalidPart);
  EXPECT_EQ(
      run(stores().uploads.complete_upload(complete_request(upload, "m", {2, 3}, 250))).status,
      CommitStatus::kEntityTooSmall);
  const auto done =
      run(stores().uploads.complete_upload(complete_request(upload, "m", {1, 3}, kPart + 200)));
  ASSERT_EQ(done.status, CommitStatus::kCommitted);
  const auto again =
      run(stores().uploads.complete_upload(complete_request(upload, "m", {1, 3}, kPart + 200)));
  EXPECT_EQ(again.status, CommitStatus::kUploadCompleted);
  EXPECT_EQ(again.version, done.version);

  const auto found = find("m");
  EXPECT_EQ(found.object.part_count, 2u);
  EXPECT_EQ(found.object.size, kPart + 200);
  EXPECT_EQ(found.object.extents.size(), 2u);
  EXPECT_EQ(found.object.headers, (Headers{{"content-type", "x/y"}}));
  EXPECT_EQ(static_cast<const Attributes&>(found.object), some_attributes());
  const auto part = find("m", {ExtentRange::Kind::kPart, 3, 0});
  ASSERT_TRUE(part.part);
  EXPECT_EQ(part.part->size, 200u);
  EXPECT_EQ(part.part_start, kPart);
  ASSERT_EQ(part.object.extents.size(), 1u);
  EXPECT_EQ(part.object.extents[0].start, kPart);
  const auto attributes = run(stores().objects.find_object({.bucket = bucket_.name,
                                                            .key = "m",
                                                            .with_parts = true,
                                                            .parts_max = 1,
                                                            .deadline = soon()}));
  ASSERT_EQ(attributes.object.parts.size(), 1u);
  EXPECT_TRUE(attributes.parts_truncated);
  EXPECT_EQ(attributes.object.parts[0].checksums[0].value, "wxyz");
  EXPECT_EQ(put_part(upload, "m", 1, 1).status, CommitStatus::kNoSuchUpload);
  EXPECT_EQ(run(stores().objects.delete_object({.context = context(), .key = "m"})).status,
            CommitStatus::kCommitted);
}

TEST_P(Multipart, OnePartCompleteAndCopiedPart) {
  const auto source = put("src", 1000);
  const auto upload = create("n");
  CopyPart copy{{context(), upload, "n", {1, 400, "p1", {}, {}}, {}},
                {bucket_.id, "src", source.version, "etag1000"},
                100};
  ASSERT_EQ(run(stores().uploads.copy_part(copy)).status, CommitStatus::kCommitted);
  ASSERT_EQ(run(stores().uploads.complete_upload(complete_request(upload, "n", {1}, 400))).status,
            CommitStatus::kCommitted);
  const auto found = find("n");
  ASSERT_EQ(found.object.extents.size(), 1u);
  EXPECT_EQ(found.object.extents[0].offset, 100u);
  EXPECT_EQ(found.object.extents[0].stream, find("src").object.extents[0].stream);
}

TEST_P(Multipart, AbortReleasesAndUploadsAreListed) {
  const auto first = create("x/1");
  const auto second = create("x/1");
  create("y");
  put_part(first, "x/1", 1, 10);
  ListUploadsQuery query{.bucket_id = bucket_.id, .max = 10, .deadline = soon()};
  auto page = run(stores().listing.list_uploads(query));
  ASSERT_EQ(page.uploads.size(), 3u);
  EXPECT_EQ(page.uploads[0].id, first);
  query.delimiter = "/";
  page = run(stores().listing.list_uploads(query));
  EXPECT_EQ(page.common_prefixes, std::vector<std::string>{"x/"});
  EXPECT_EQ(page.uploads.size(), 1u);
  query = {.bucket_id = bucket_.id,
           .after_key = "x/1",
           .after_upload = first,
           .max = 1,
           .deadline = soon()};
  page = run(stores().listing.list_uploads(query));
  ASSERT_EQ(page.uploads.size(), 1u);
  EXPECT_EQ(page.uploads[0].id, second);
  EXPECT_TRUE(page.truncated);
  EXPECT_EQ(run(stores().uploads.abort_upload(context(), first, "x/1")), CommitStatus::kCommitted);
  page = run(stores().listing.list_uploads(query));
  ASSERT_EQ(page.uploads.size(), 1u) << "a listing goes on behind what is gone";
  EXPECT_EQ(page.uploads[0].id, second);
  EXPECT_EQ(run(stores().uploads.abort_upload(context(), first, "x/1")),
            CommitStatus::kNoSuchUpload);
}

// As whoever aborts page by page sees it.
TEST_P(Multipart, APageBehindAnUploadThatIsGoneHasTheOthersOfItsKey) {
  std::vector<model::UploadId> left;
  for (int i = 0; i < 5; ++i) left.push_back(create("k"));
  ListUploadsQuery query{.bucket_id = bucket_.id, .max = 2, .deadline = soon()};
  for (bool more = true; more;) {
    const auto page = run(stores().listing.list_uploads(query));
    for (const Upload& upload : page.uploads) {
      EXPECT_EQ(run(stores().uploads.abort_upload(context(), upload.id, "k")),
                CommitStatus::kCommitted);
      std::erase(left, upload.id);
    }
    query.after_key = page.next_key;
    query.after_upload = page.next_upload;
    more = page.truncated;
  }
  EXPECT_EQ(left.size(), 0u);
}

}  // namespace
}  // namespace rondel::metadata
