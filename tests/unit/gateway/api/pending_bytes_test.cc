// Every operation that writes bytes by every way it may end: what becomes of the bytes.
#include <functional>
#include <set>

#include "gateway/api/dispatch.h"
#include "gateway/api/s3_service.h"
#include "gateway/objects/copy_source.h"
#include "gateway/request/context.h"
#include "gateway/request/pending_stream.h"
#include "gateway/request/stream_releases.h"
#include "tests/unit/gateway/api/access_fixture.h"

namespace rondel::api {
namespace {

using namespace std::chrono_literals;
using metadata::CommitFailure;
using metadata::CommitStatus;
using s3::Operation;

// Commits end as the test says; everything else is there.
class CommitStore final : public OneObjectStore,
                          public OneUploadStore,
                          public KeptReleases,
                          public Database {
 public:
  std::vector<CommitResult> answers;  // In order; the last one stays.
  std::vector<std::string> removals;  // Keys of DELETEs of many.
  int commits = 0;
  int lookups = 0;  // Of objects.
  // Makes what a look-up finds after a commit whose answer was lost.
  std::function<void(metadata::ObjectLookup&)> found_after;
  std::optional<Error> broken_after;  // Fails such look-ups.
  std::string upload_encryption;
  std::vector<CommitContext> contexts;  // Of all commits.
  // Bytes that were begun before are refused, as the database refuses them.
  std::function<SystemTime()> oldest = [] { return SystemTime{}; };

  async::Task<CommitResult> put_object(metadata::PutObject request) override {
    return end(request.context);
  }

  async::Task<CommitResult> append_object(metadata::AppendObject request) override {
    return end(request.put.context);
  }

  async::Task<CommitResult> copy_object(metadata::CopyObject request) override {
    return end(request.put.context);
  }

  async::Task<CommitResult> rename_object(metadata::RenameObject request) override {
    return end(request.context);
  }

  async::Task<CommitResult> delete_object(metadata::DeleteObject request) override {
    return end(request.context);
  }

  async::Task<metadata::Committed<std::vector<CommitOutcome>>> delete_objects(
      std::vector<metadata::DeleteObject> requests) override {
    std::vector<CommitOutcome> outcomes;
    for (const metadata::DeleteObject& request : requests) {
      removals.push_back(request.key);
      CO_TRY(CommitOutcome outcome, co_await end(request.context));
      outcomes.push_back(std::move(outcome));
    }
    co_return outcomes;
  }

  async::Task<CommitResult> put_part(metadata::PutPart request) override {
    return end(request.context);
  }

  async::Task<CommitResult> copy_part(metadata::CopyPart request) override {
    return end(request.put.context);
  }

  async::Task<metadata::Committed<CommitStatus>> create_upload(CommitContext,
                                                               metadata::Upload upload) override {
    upload_encryption = upload.encryption;
    co_return CommitStatus::kCommitted;
  }

  async::Task<Result<metadata::UploadLookup>> find_upload(metadata::UploadQuery query) override {
    auto found = co_await OneUploadStore::find_upload(std::move(query));
    if (found) found->upload.encryption = upload_encryption;
    co_return found;
  }

  async::Task<Result<metadata::ObjectLookup>> find_object(metadata::ObjectQuery query) override {
    ++lookups;
    if (commits > 0 && broken_after) co_return std::unexpected(*broken_after);
    auto found = co_await OneObjectStore::find_object(std::move(query));
    if (found && commits > 0 && found_after) found_after(*found);
    co_return found;
  }

  async::Task<Result<void>> release_streams(std::vector<metadata::Extent> streams,
                                            Deadline deadline) override {
    if (away) co_return fail(ErrorCode::kUnavailable, "away");
    co_return co_await KeptReleases::release_streams(std::move(streams), deadline);
  }

 private:
  async::Task<CommitResult> end(CommitContext context) {
    contexts.push_back(context);
    if (context.first_time != SystemTime{} && context.first_time < oldest()) {
      CommitOutcome outcome;
      outcome.status = CommitStatus::kStreamTooOld;
      co_return outcome;
    }
    const size_t index = std::min(static_cast<size_t>(commits++), answers.size() - 1);
    co_return answers[index];
  }
};

// Streams that remember what of them lies on disks.
class MemoryBlobs final : public blobs::BlobStore {
 public:
  explicit MemoryBlobs(fakes::ManualClock& clock_) : clock(clock_) {}

  fakes::ManualClock& clock;
  std::chrono::microseconds body_takes{0};  // From its first byte to its last.
  std::optional<Error> write_fails, finish_fails;
  std::vector<model::StreamId> streams;  // With bytes on disks.

  std::unique_ptr<blobs::StreamWriter> open_writer(std::optional<uint64_t>, Deadline,
                                                   admission::PartyRef) override {
    return std::make_unique<Writer>(*this);
  }

  std::unique_ptr<blobs::StreamReader> open_reader(std::vector<blobs::StreamRange> ranges, Deadline,
                                                   admission::PartyRef) override {
    uint64_t length = 0;
    for (const blobs::StreamRange& range : ranges) length += range.length;
    return std::make_unique<Reader>(length);
  }

 private:
  struct Writer final : blobs::StreamWriter {
    explicit Writer(MemoryBlobs& store_) : store(store_) {}

    async::Task<Result<void>> write(ByteView bytes) override {
      if (size == 0 && !bytes.empty()) {
        store.streams.push_back(id);
        first_time = store.clock.now();
      }
      size += bytes.size();
      if (store.write_fails) co_return std::unexpected(*store.write_fails);
      co_return Result<void>{};
    }

    async::Task<Result<blobs::WrittenStream>> finish() override {
      if (store.finish_fails) co_return std::unexpected(*store.finish_fails);
      store.clock.advance(store.body_takes);
      co_return leftovers();
    }

    blobs::WrittenStream leftovers() const override { return {id, size, 1, first_time}; }

    MemoryBlobs& store;
    const model::StreamId id = model::StreamId::random();
    uint64_t size = 0;
    SystemTime first_time;
  };

  struct Reader final : blobs::StreamReader {
    explicit Reader(uint64_t length) : left(length) {}

    async::Task<Result<ByteSlice>> next() override {
      co_return ByteSlice::copy_of(
          as_bytes(std::string(static_cast<size_t>(std::exchange(left, 0)), 'x')));
    }

    uint64_t left;
  };
};

struct Writes {
  const char* name;
  std::string_view method;
  Asked asked;
  std::optional<Operation> operation = std::nullopt;
  bool encrypted_upload = false;
  bool takes_body = true;  // Otherwise the bytes are read from disks.
};

const std::string kUpload = "?partNumber=1&uploadId=" + std::string(32, 'a');
const std::string kBytes(200'000, 'x');  // Some frames of ciphertext.

std::vector<std::pair<std::string, std::string>> with_customer_key(
    std::vector<std::pair<std::string, std::string>> headers = {}) {
  const std::string key(32, 'k');
  headers.insert(
      headers.end(),
      {{"x-amz-server-side-encryption-customer-algorithm", "AES256"},
       {"x-amz-server-side-encryption-customer-key", to_base64(as_bytes(key))},
       {"x-amz-server-side-encryption-customer-key-MD5", to_base64(as_bytes(crypto::md5(key)))}});
  return headers;
}

const std::vector<Writes> kWrites = {
    {"put", "PUT", {"/box/new", {}, kBytes}},
    {"put encrypted", "PUT", {"/box/new", with_customer_key(), kBytes}},
    {"append", "PUT", {"/box/k", {{"x-amz-write-offset-bytes", "100"}}, kBytes}},
    {"form", "PUT", {"/box/new", {}, kBytes}, Operation::kPostObject},
    {"part", "PUT", {"/box/k" + kUpload, {}, kBytes}},
    {"part encrypted",
     "PUT",
     {"/box/k" + kUpload, with_customer_key(), kBytes},
     std::nullopt,
     true},
    {"copy under another key",
     "PUT",
     {"/box/new", with_customer_key({{"x-amz-copy-source", "/box/k"}})},
     std::nullopt,
     false,
     false},
    {"part copy under another key",
     "PUT",
     {"/box/k" + kUpload, with_customer_key({{"x-amz-copy-source", "/box/k"}})},
     std::nullopt,
     true,
     false},
};

// Commits without bytes of their own: there is nothing to give up, however they end.
const std::vector<Writes> kRowsAlone = {
    {"copy", "PUT", {"/box/new", {{"x-amz-copy-source", "/box/k"}}}, std::nullopt, false, false},
    {"part copy",
     "PUT",
     {"/box/k" + kUpload, {{"x-amz-copy-source", "/box/k"}}},
     std::nullopt,
     false,
     false},
    {"delete", "DELETE", {"/box/k"}, std::nullopt, false, false},
    {"empty put", "PUT", {"/box/new"}, std::nullopt, false, false},
};

enum class Fate : uint8_t { kKept, kReleased };

struct PendingBytes : ::testing::Test, AccessFixture {
  struct End {
    std::vector<CommitResult> answers = {CommitOutcome()};
    std::optional<Error> body_breaks = std::nullopt;
    bool wrong_digest = false;
  };

  PendingBytes() {
    commits.bucket_id = box.id;
    commits.object.owner_account = commits.initiator_account = box.owner_account;
    commits.object.etag = to_hex(as_bytes(crypto::md5("old")));
    commits.object.size = 100;
    commits.object.extents = {{0, model::StreamId::random(), 100, 0, 100}};
    bucket_store.buckets["box"] = box;
    const auto begun = perform({"create", "POST", {"/box/k?uploads", with_customer_key()}}, {});
    EXPECT_TRUE(begun) << begun.error().message;
    encrypted_upload = commits.upload_encryption;
  }

  s3::S3Result<request::Response> perform(const Writes& row, const End& end) {
    commits.answers = end.answers;
    commits.commits = 0;
    commits.upload_encryption = row.encrypted_upload ? encrypted_upload : "";
    http::RequestHead head;
    head.method = row.method;
    head.target = row.asked.target;
    head.content_length = row.asked.body.size();
    head.fields.add("Content-Length", std::to_string(row.asked.body.size()));
    if (row.takes_body) {
      head.fields.add(
          "Content-MD5",
          to_base64(as_bytes(crypto::md5(end.wrong_digest ? "other" : row.asked.body))));
    }
    for (const auto& [name, value] : row.asked.headers) head.fields.add(name, value);
    auto request = s3::route(head, {}).value();
    if (row.operation) request.operation = *row.operation;
    fakes::MemoryExchange exchange(head);
    exchange.set_body(
        end.body_breaks ? row.asked.body.substr(0, row.asked.body.size() / 2) : row.asked.body,
        10'000, end.body_breaks);
    const signature::Identity identity = this->identity(Who::kOwner);
    request::Settings settings;
    settings.allow_sse_c_over_http = true;
    settings.outcome_timeout = Duration(0);  // What became of a commit is asked once.
    request::Services services{commits,      commits,    listing, bucket_store, commits,
                               bucket_cache, identities, memory,  pending,      authenticator,
                               object_keys,  clock,      settings};
    request::Context context{services, exchange, request, identity, known_bucket("box"), "1"};
    auto response = async::block_on(dispatch(context));
    reads = exchange.reads;
    return response;
  }

  // Performs it and says whether exactly its bytes were released.
  void expect(const Writes& row, const End& end, Fate wanted, const std::string& why) {
    memory.streams.clear();
    commits.released.clear();
    const auto not_known = pending.status().not_known_total;
    const auto response = perform(row, end);
    while (async::block_on(pending.hand_over(deadline_in(60s)))) {
    }
    const std::string what = std::string(row.name) + ", " + why + ": " +
                             (response ? "OK" : std::string(s3::name(response.error().code)));
    ASSERT_EQ(memory.streams.size(), 1u) << what;
    const bool released =
        commits.released == std::multiset<model::StreamId>{memory.streams.front()};
    EXPECT_EQ(released, wanted == Fate::kReleased) << what;
    EXPECT_TRUE(released || commits.released.empty()) << what << ": of another one, or twice";
    const bool unknown =
        !end.answers.back() && fate_of(end.answers.back()) == metadata::CommitFate::kNotKnown;
    EXPECT_EQ(pending.status().not_known_total - not_known, unknown ? 1u : 0u) << what;
    EXPECT_EQ(response.has_value(), wanted == Fate::kKept && !unknown) << what;
  }

  static CommitResult refused(CommitStatus status) {
    CommitOutcome outcome;
    outcome.status = status;
    return outcome;
  }

  CommitStore commits;
  MemoryBlobs memory{clock};
  request::StreamReleases pending{commits, commits};
  std::string encrypted_upload;
  int reads = 0;
};

constexpr int kLastStatus = static_cast<int>(CommitStatus::kAccessChanged);
constexpr int kLastErrorCode = static_cast<int>(ErrorCode::kOutcomeUnknown);

TEST_F(PendingBytes, StayOfACommit) {
  for (const Writes& row : kWrites) {
    expect(row, {}, Fate::kKept, "committed");
    expect(row, {.answers = {refused(CommitStatus::kSettingsChanged), CommitOutcome()}},
           Fate::kKept, "committed at the second time");
  }
}

TEST_F(PendingBytes, AreReleasedWhateverTheCommitIsRefusedFor) {
  for (const Writes& row : kWrites) {
    for (int status = 1; status <= kLastStatus; ++status) {
      const CommitResult answer = refused(static_cast<CommitStatus>(status));
      if (fate_of(answer) == metadata::CommitFate::kCommitted) continue;
      // Below.
      const bool again = !row.takes_body && answer->status == CommitStatus::kSourceChanged;
      if (again) continue;
      expect(row, {.answers = {answer}}, Fate::kReleased, "status " + std::to_string(status));
    }
  }
}

// A copy whose source was written over reads it again, a bounded number of times.
TEST_F(PendingBytes, OfASourceThatWasWrittenOverAreReleased) {
  const CommitResult moved = refused(CommitStatus::kSourceChanged);
  for (const Writes& row : kWrites) {
    if (row.takes_body) continue;
    for (const bool settles : {true, false}) {
      SCOPED_TRACE(std::string(row.name) + (settles ? ", once" : ", over and over"));
      memory.streams.clear();
      commits.released.clear();
      const auto answers =
          settles ? std::vector{moved, CommitResult(CommitOutcome())} : std::vector{moved};
      const auto response = perform(row, {.answers = answers});
      while (async::block_on(pending.hand_over(deadline_in(60s)))) {
      }
      std::multiset<model::StreamId> given_up(memory.streams.begin(), memory.streams.end());
      if (settles) given_up.erase(given_up.find(memory.streams.back()));
      EXPECT_EQ(memory.streams.size(), settles ? 2u : 3u);
      EXPECT_EQ(commits.released, given_up);
      ASSERT_EQ(response.has_value(), settles);
      if (!settles) EXPECT_EQ(response.error().code, s3::ErrorCode::kSlowDown);
    }
  }
}

// A body that took longer than half of the orphan age, with whatever else its request takes.
TEST_F(PendingBytes, AreReleasedWhenTheyWereBegunTooLongAgo) {
  commits.oldest = [this] { return clock.now() - 12h; };
  for (const Writes& row : kWrites) {
    memory.body_takes = 11h;
    expect(row, {}, Fate::kKept, "half a day has not passed");
    memory.body_takes = 13h;
    expect(row, {}, Fate::kReleased, "half a day has passed");
    const auto response = perform(row, {});
    ASSERT_FALSE(response) << row.name;
    EXPECT_EQ(response.error().code, s3::ErrorCode::kRequestTimeout) << row.name;
    EXPECT_EQ(commits.commits, 0) << row.name;
    EXPECT_TRUE(async::block_on(pending.hand_over(deadline_in(60s)))) << row.name;
  }
  memory.body_takes = 0h;
  for (const Writes& row : kRowsAlone) {
    EXPECT_TRUE(perform(row, {})) << row.name;
    EXPECT_EQ(commits.contexts.back().first_time, SystemTime{}) << row.name << " has no new bytes";
  }
}

// Under which settings, and for whom.
TEST_F(PendingBytes, AreCommittedUnderWhatTheRequestWasDecidedUnder) {
  credential_epoch = 17;
  for (const auto* rows : {&kWrites, &kRowsAlone}) {
    for (const Writes& row : *rows) {
      (void)perform(row, {});
      EXPECT_EQ(commits.contexts.back().credential_epoch, 17) << row.name;
      EXPECT_EQ(commits.contexts.back().settings_version, box.settings_version) << row.name;
    }
  }
}

// What of a DELETE of many was old is asked once more, whatever became of the others.
TEST_F(PendingBytes, OldEntriesOfADeleteOfManyAreDecidedAndAskedAgain) {
  const Writes deletes{"deletes",
                       "POST",
                       {"/box?delete",
                        {},
                        "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></"
                        "Object><Object><Key>c</Key></Object></Delete>"}};
  const CommitResult settings = refused(CommitStatus::kSettingsChanged),
                     credential = refused(CommitStatus::kCredentialChanged);
  const auto response =
      perform(deletes, {.answers = {CommitOutcome(), settings, credential, CommitOutcome(),
                                    credential, CommitOutcome()}});
  ASSERT_TRUE(response);
  EXPECT_FALSE(response->body.contains("<Error>")) << response->body;
  EXPECT_EQ(commits.removals, (std::vector<std::string>{"a", "b", "c", "b", "c", "c"}));

  commits.removals.clear();
  const auto stays = perform(deletes, {.answers = {CommitOutcome(), settings}});
  ASSERT_TRUE(stays);
  EXPECT_TRUE(stays->body.contains("<Deleted><Key>a</Key></Deleted>")) << stays->body;
  EXPECT_TRUE(stays->body.contains("<Key>b</Key><Code>OperationAborted</Code>")) << stays->body;
  EXPECT_TRUE(stays->body.contains("<Key>c</Key><Code>OperationAborted</Code>")) << stays->body;
}

// The code is for clients and logs: what it says is no reason for anything.
TEST_F(PendingBytes, GoByTheFateOfTheCommitAndNotByItsErrorCode) {
  for (const Writes& row : kWrites) {
    for (int code = 1; code <= kLastErrorCode; ++code) {
      const Error error{static_cast<ErrorCode>(code), "x"};
      const CommitResult never = std::unexpected(CommitFailure::did_not_happen(error));
      const CommitResult unknown = std::unexpected(CommitFailure::not_known(error));
      expect(row, {.answers = {never}}, Fate::kReleased,
             "did not happen, code " + std::to_string(code));
      expect(row, {.answers = {unknown}}, Fate::kKept, "not known, code " + std::to_string(code));
      expect(row, {.answers = {refused(CommitStatus::kSettingsChanged), unknown}}, Fate::kKept,
             "not known at the second time");
      expect(row, {.answers = {refused(CommitStatus::kSettingsChanged), never}}, Fate::kReleased,
             "did not happen at the second time");
    }
  }
}

// The version that the key has now ends with the stream: the commit happened, so its client is
// told.
TEST_F(PendingBytes, OfALostAnswerAreAskedFor) {
  const CommitResult lost =
      std::unexpected(CommitFailure::not_known({ErrorCode::kOutcomeUnknown, "lost"}));
  const auto version = model::VersionId::from_hex(std::string(32, 'b')).value();
  for (const Writes& row : kWrites) {
    const bool part = row.asked.target.contains("partNumber");
    commits.found_after = [&](metadata::ObjectLookup& found) {
      found.object.version = version;
      found.object.is_null = false;
      found.object.size = 100 + kBytes.size();
      found.object.extents.push_back({100, memory.streams.back(), kBytes.size(), 0, kBytes.size()});
    };
    memory.streams.clear();
    commits.released.clear();
    const auto not_known = pending.status().not_known_total;
    const auto response = perform(row, {.answers = {lost}});
    EXPECT_EQ(response.has_value(), !part) << row.name;
    EXPECT_EQ(commits.commits, 1) << row.name << ": it is not asked for twice";
    EXPECT_EQ(pending.status().not_known_total - not_known, part ? 1u : 0u) << row.name;
    EXPECT_EQ(pending.status().waiting, 0u) << row.name << ": never released";
    if (response) {
      EXPECT_EQ(response->head.status / 100, 2) << row.name;
      EXPECT_EQ(response->head.fields.find("x-amz-version-id"), version.to_hex()) << row.name;
    }
  }
}

TEST_F(PendingBytes, OfALostAnswerAreNotTakenForCommittedByAnythingElse) {
  const CommitResult lost =
      std::unexpected(CommitFailure::not_known({ErrorCode::kOutcomeUnknown, "lost"}));

  struct Found {
    const char* name;
    std::function<void(metadata::ObjectLookup&)> change;
  };

  const std::vector<Found> rows = {
      {"what was there before", [](metadata::ObjectLookup&) {}},
      {"no object",
       [](metadata::ObjectLookup& found) { found.status = metadata::LookupStatus::kNoSuchKey; }},
      {"no bucket",
       [](metadata::ObjectLookup& found) { found.status = metadata::LookupStatus::kNoSuchBucket; }},
      {"a marker",
       [](metadata::ObjectLookup& found) {
         found.object.delete_marker = true;
         found.object.extents.clear();
       }},
      {"the same bytes of another commit",
       [](metadata::ObjectLookup& found) {
         found.object.size = kBytes.size();
         found.object.extents = {{0, model::StreamId::random(), kBytes.size(), 0, kBytes.size()}};
       }},
  };
  for (const Writes& row : kWrites) {
    for (const Found& found : rows) {
      commits.found_after = found.change;
      expect(row, {.answers = {lost}}, Fate::kKept, found.name);
    }
    commits.found_after = nullptr;
    commits.broken_after = Error{ErrorCode::kUnavailable, "still away"};
    expect(row, {.answers = {lost}}, Fate::kKept, "the question fails too");
    commits.broken_after.reset();
  }
}

// Refused, committed, or certainly not happened: nothing is asked.
TEST_F(PendingBytes, OfAKnownOutcomeCostNoQuestion) {
  for (const Writes& row : kWrites) {
    (void)perform(row, {});
    const int before = std::exchange(commits.lookups, 0);
    for (const CommitResult& answer :
         {CommitResult(CommitOutcome()), refused(CommitStatus::kPreconditionFailed),
          CommitResult(
              std::unexpected(CommitFailure::did_not_happen({ErrorCode::kUnavailable, "x"})))}) {
      (void)perform(row, {.answers = {answer}});
      EXPECT_LE(std::exchange(commits.lookups, 0), before) << row.name;
    }
  }
}

TEST_F(PendingBytes, AreReleasedWhenTheBodyBreaksOff) {
  for (const Writes& row : kWrites) {
    if (!row.takes_body) continue;
    expect(row, {.body_breaks = Error{ErrorCode::kCancelled, "the client is gone"}},
           Fate::kReleased, "client gone");
    expect(row, {.body_breaks = Error{ErrorCode::kDeadlineExceeded, "late"}}, Fate::kReleased,
           "deadline of the body");
    expect(row, {.wrong_digest = true}, Fate::kReleased, "another digest than promised");
    EXPECT_EQ(commits.commits, 0) << row.name;
  }
}

TEST_F(PendingBytes, AreReleasedWhenDisksFail) {
  for (const Writes& row : kWrites) {
    for (std::optional<Error>* fails : {&memory.write_fails, &memory.finish_fails}) {
      *fails = Error{ErrorCode::kUnavailable, "no quorum"};
      expect(row, {}, Fate::kReleased, "disks fail");
      fails->reset();
    }
  }
}

// A write that began before the database went away: its bytes wait until it is back.
TEST_F(PendingBytes, WaitForTheDatabase) {
  const CommitResult never =
      std::unexpected(CommitFailure::did_not_happen({ErrorCode::kUnavailable, "away"}));
  for (const Writes& row : kWrites) {
    memory.streams.clear();
    commits.released.clear();
    EXPECT_FALSE(perform(row, {.answers = {never}}));
    commits.refuses_releases = true;
    EXPECT_FALSE(async::block_on(pending.hand_over(deadline_in(60s))));
    EXPECT_EQ(pending.status().waiting, 1u) << row.name;
    commits.refuses_releases = false;
    EXPECT_TRUE(async::block_on(pending.hand_over(deadline_in(60s))));
    EXPECT_EQ(commits.released, std::multiset<model::StreamId>{memory.streams.front()}) << row.name;
    EXPECT_EQ(pending.status().waiting, 0u) << row.name;
  }
}

TEST_F(PendingBytes, AreNotEvenReadWhileTheDatabaseIsAway) {
  commits.away = true;
  for (const Writes& row : kWrites) {
    memory.streams.clear();
    const auto response = perform(row, {});
    ASSERT_FALSE(response) << row.name;
    EXPECT_EQ(response.error().code, s3::ErrorCode::kServiceUnavailable) << row.name;
    EXPECT_EQ(response.error().headers,
              (std::vector<std::pair<std::string, std::string>>{{"Retry-After", "1"}}))
        << row.name;
    EXPECT_EQ(reads, 0) << row.name;
    EXPECT_TRUE(memory.streams.empty()) << row.name;
    EXPECT_EQ(commits.commits, 0) << row.name;
  }
}

TEST_F(PendingBytes, AreNobodysWhereNoneWereWritten) {
  for (const Writes& row : kRowsAlone) {
    for (const CommitResult& answer :
         {CommitResult(CommitOutcome()), refused(CommitStatus::kPreconditionFailed),
          CommitResult(
              std::unexpected(CommitFailure::did_not_happen({ErrorCode::kUnavailable, "x"}))),
          CommitResult(
              std::unexpected(CommitFailure::not_known({ErrorCode::kUnavailable, "x"})))}) {
      (void)perform(row, {.answers = {answer}});
      EXPECT_EQ(commits.commits, 1) << row.name;
      EXPECT_TRUE(memory.streams.empty()) << row.name;
    }
  }
  const request::StreamReleasesStatus status = pending.status();
  EXPECT_EQ(status.waiting + status.not_known_total, 0u);
}

// A request that is given up where it stands, as when the process ends.
TEST_F(PendingBytes, OfACoroutineThatIsGivenUp) {
  const auto stream = [this] {
    auto writer = memory.open_writer({}, {}, {});
    (void)async::block_on(writer->write(as_bytes(kBytes)));
    return request::PendingStream(pending, std::move(writer));
  };
  {
    const request::PendingStream in_the_body = stream();
  }
  EXPECT_EQ(pending.status().waiting, 1u);
  {
    request::PendingStream asked = stream();
    asked.commit_begins();
  }
  EXPECT_EQ(pending.status().waiting, 1u) << "the commit may yet happen";
  EXPECT_EQ(pending.status().not_known_total, 1u);
  {
    request::PendingStream moved = stream();
    request::PendingStream owner = std::move(moved);
    owner = request::PendingStream();
    EXPECT_EQ(pending.status().waiting, 2u) << "at once";
  }
  EXPECT_EQ(pending.status().waiting, 2u) << "once";
}

TEST_F(PendingBytes, AreLeftToTheOrphanScanAboveABound) {
  request::StreamReleases few(commits, commits, {.waiting_max = 3, .batch_max = 2});
  for (int i = 0; i < 5; ++i) few.add(model::StreamId::random(), 1);
  EXPECT_EQ(few.status().waiting, 3u);
  EXPECT_EQ(few.status().overflowed_total, 2u);
  EXPECT_TRUE(async::block_on(few.hand_over(deadline_in(60s))));
  EXPECT_EQ(commits.released.size(), 2u);
  EXPECT_TRUE(async::block_on(few.hand_over(deadline_in(60s))));
  EXPECT_FALSE(async::block_on(few.hand_over(deadline_in(60s))));
  EXPECT_EQ(few.status().released_total, 3u);
}

// One task hands over; it asks nothing of a database that is away, and what waits when it ends is
// handed over at last.
TEST_F(PendingBytes, AreHandedOverByOneTask) {
  for (const bool away_at_the_end : {false, true}) {
    commits.released.clear();
    request::StreamReleases list(commits, commits);
    const auto work = [&](request::StreamReleases& releases,
                          CommitStore& store) -> async::Task<void> {
      async::TaskGroup group(*async::EventLoop::current());
      group.spawn(releases.run(group));
      store.away = true;
      releases.add(model::StreamId::random(), 1);
      co_await async::yield();
      EXPECT_EQ(releases.status().waiting, 1u);
      store.away = away_at_the_end;
      group.stop();
      co_await group.wait_idle();
    };
    async::block_on(work(list, commits));
    EXPECT_EQ(list.status().waiting, away_at_the_end ? 1u : 0u);
    EXPECT_EQ(commits.released.size(), away_at_the_end ? 0u : 1u);
  }
}

// Through the whole service: nothing of the body is read, and who waits for 100 Continue is not
// told to send.
TEST_F(PendingBytes, OfEveryRequestThatChangesSomethingAreRefusedBeforeAnythingElse) {
  commits.away = true;
  metrics::Registry registry;
  S3Service service({commits,
                     commits,
                     listing,
                     bucket_store,
                     commits,
                     bucket_cache,
                     identities,
                     memory,
                     pending,
                     authenticator,
                     object_keys,
                     clock,
                     {}},
                    registry);

  struct Refused {
    std::string_view method;
    std::string target;
    bool early;
  };

  const std::vector<Refused> rows = {{"PUT", "/box/k", true},
                                     {"PUT", "/box/k?tagging", true},
                                     {"PUT", "/box/k" + kUpload, true},
                                     {"PUT", "/box", true},
                                     {"PUT", "/box?lifecycle", true},
                                     {"POST", "/box", true},
                                     {"POST", "/box?delete", true},
                                     {"POST", "/box/k?uploads", true},
                                     {"POST", "/box/k?uploadId=" + std::string(32, 'a'), true},
                                     {"DELETE", "/box/k", true},
                                     {"DELETE", "/box", true},
                                     {"GET", "/box/k", false},
                                     {"HEAD", "/box/k", false},
                                     {"GET", "/box", false},
                                     {"GET", "/", false}};
  for (const Refused& row : rows) {
    http::RequestHead head;
    head.method = row.method;
    head.target = row.target;
    head.content_length = row.method == "PUT" || row.method == "POST" ? 1ull << 30 : 0;
    head.fields.add("Expect", "100-continue");
    fakes::MemoryExchange exchange(head);
    exchange.set_body("never read");
    async::block_on(service.handle(exchange));
    EXPECT_EQ(
        exchange.response.status == 503 && exchange.response.fields.find("Retry-After") == "1",
        row.early)
        << row.method << " " << row.target;
    EXPECT_EQ(exchange.response_body.contains("<Code>ServiceUnavailable</Code>"), row.early)
        << row.method << " " << row.target;
    EXPECT_EQ(exchange.reads, 0) << row.method << " " << row.target;
  }
}

// Whose conditions a version refused that came meanwhile is told so only if he may read that one.
TEST_F(PendingBytes, ARefusalByAVersionThatNobodyMayReadIsNotTold) {
  const std::string etag = '"' + commits.object.etag + '"';
  const std::vector<Writes> rows = {
      {"put", "PUT", {"/box/k", {{"If-Match", etag}}, kBytes}},
      {"append",
       "PUT",
       {"/box/k", {{"If-Match", etag}, {"x-amz-write-offset-bytes", "100"}}, kBytes}},
      {"copy",
       "PUT",
       {"/box/k",
        {{"If-Match", etag},
         {"x-amz-copy-source", "/box/k"},
         {"x-amz-meta-a", "b"},
         {"x-amz-metadata-directive", "REPLACE"}}},
       std::nullopt,
       false,
       false},
      {"delete", "DELETE", {"/box/k", {{"If-Match", etag}}}, std::nullopt, false, false},
      {"target of a rename",
       "PUT",
       {"/box/k?renameObject", {{"If-Match", etag}, {"x-amz-rename-source", "/box/l"}}},
       std::nullopt,
       false,
       false},
      {"source of a rename",
       "PUT",
       {"/box/l?renameObject",
        {{"x-amz-rename-source", "/box/k"}, {"x-amz-rename-source-if-match", etag}}},
       std::nullopt,
       false,
       false},
      {"source of a rename, without conditions",
       "PUT",
       {"/box/l?renameObject", {{"x-amz-rename-source", "/box/k"}}},
       std::nullopt,
       false,
       false},
  };
  for (const bool readable : {true, false}) {
    commits.found_after = [&](metadata::ObjectLookup& found) {
      if (!readable) found.object.owner_account = "222222222222";
    };
    for (const Writes& row : rows) {
      const auto response = perform(row, {{refused(CommitStatus::kPreconditionFailed)}});
      ASSERT_FALSE(response) << row.name;
      EXPECT_EQ(response.error().code,
                readable ? s3::ErrorCode::kPreconditionFailed : s3::ErrorCode::kAccessDenied)
          << row.name;
    }
  }
}

}  // namespace
}  // namespace rondel::api
