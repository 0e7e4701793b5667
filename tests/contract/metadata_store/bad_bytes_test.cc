// What a client chose, in every place where it comes to a statement: whatever bytes it is, the
// statement answers, and so do those that share it. And a row that fails all the same fails alone.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "common/base/encoding.h"
#include "metadata/connection/pg_connection.h"
#include "metadata/postgres/postgres_store.h"
#include "tests/contract/metadata_store/store_fixture.h"

namespace rondel::metadata {
namespace {

using namespace std::string_literals;

struct Bytes {
  const char* name;
  std::string value;
};

const std::vector<Bytes>& bad_bytes() {
  static const std::vector<Bytes> all = {
      {"0xff", "\xff"},
      {"cut", "caf\xc3"},
      {"surrogate", "\xed\xa0\x80"},
      {"overlong", "\xc0\x80"},
      {"above Unicode", "\xf5\x80\x80\x80"},
      {"NUL", "a\0b"s},
      {"only NUL", "\0"s},
      {"separator", "\x1f"},
      {"separated", "e\x1f*"},
      {"quote", "e'); drop table objects; --"},
      {"backslash", "\\x"},
      {"64 KiB", std::string(65'536, 'x')},
      {"64 KiB of 0xff", std::string(65'536, '\xff')},
      {"empty", ""},
  };
  return all;
}

class BadBytes : public StoreContract<BadBytes> {
 public:
  static constexpr const char* kName = "bad-bytes";
  using Ask = std::function<async::Task<Result<void>>(const Stores& stores, std::string bytes)>;

 protected:
  struct Place {
    const char* name;
    Ask ask;
  };

  template <class T, class E>
  static async::Task<Result<void>> drop(async::Task<std::expected<T, E>> task) {
    auto answer = co_await std::move(task);
    if (!answer) co_return std::unexpected(Error(answer.error()));
    co_return Result<void>{};
  }

  // All wait at the same time, and share statements.
  static std::vector<Result<void>> all_at_once(std::vector<async::Task<Result<void>>> tasks) {
    std::vector<Result<void>> answers(tasks.size());
    async::EventLoop loop;
    size_t left = tasks.size();
    auto one = [](async::Task<Result<void>> task, Result<void>& answer, size_t& remaining,
                  async::EventLoop& runner) -> async::Task<void> {
      answer = co_await std::move(task);
      if (--remaining == 0) runner.stop();
    };
    for (size_t i = 0; i < tasks.size(); ++i) {
      async::spawn(loop, one(std::move(tasks[i]), answers[i], left, loop));
    }
    loop.run();
    return answers;
  }

  static Conditions matching(const std::string& bytes) {
    Conditions conditions;
    conditions.if_match = {bytes, "e"};
    return conditions;
  }

  static Conditions not_matching(const std::string& bytes) {
    Conditions conditions;
    conditions.if_none_match = {bytes};
    return conditions;
  }

  DeleteObject delete_request(const std::string& key, Conditions conditions = {}) const {
    DeleteObject request;
    request.context = context();
    request.key = key;
    request.owner_account = owner();
    request.versioning = bucket_.versioning;
    request.conditions = std::move(conditions);
    return request;
  }

  PutObject put_if(const std::string& key, Conditions conditions) const {
    PutObject request = put_request(key);
    request.conditions = std::move(conditions);
    return request;
  }

  CopyObject copy_if(Conditions conditions, const std::string& source_key = "source") const {
    CopyObject copy{.put = put_request("copied", 0),
                    .source = {bucket_.id, source_key, source_, "e"}};
    copy.put.conditions = std::move(conditions);
    return copy;
  }

  PutPart part_request(const std::string& key) const {
    PutPart part;
    part.context = context();
    part.upload = upload_.id;
    part.key = key;
    part.part = {.number = 1, .size = 1, .etag = "e"};
    return part;
  }

  CompleteUpload complete_if(Conditions conditions, const std::string& part_etag,
                             const std::string& key = "upload") const {
    CompleteUpload complete;
    complete.context = context();
    complete.upload = upload_.id;
    complete.key = key;
    complete.parts = {{1, part_etag, {}}};
    complete.etag = "e";
    complete.size = 1;
    complete.conditions = std::move(conditions);
    return complete;
  }

  ListQuery list_query() const { return {.bucket_id = bucket_.id, .max = 5, .deadline = soon()}; }

  ListUploadsQuery uploads_query() const {
    return {.bucket_id = bucket_.id, .max = 5, .deadline = soon()};
  }

  void SetUp() override {
    StoreContract<BadBytes>::SetUp();
    source_ = run(stores().objects.put_object(put_request("source", 1))).version;
    upload_ = upload_request("upload");
    ASSERT_EQ(run(stores().uploads.create_upload(context(), upload_)), CommitStatus::kCommitted);
    ASSERT_EQ(run(stores().uploads.put_part(part_request("upload"))).status,
              CommitStatus::kCommitted);
  }

  std::vector<Place> places() {
    using B = std::string;
    auto* const at = this;
    std::vector<Place> all = {
        {"put, If-Match",
         [at](const Stores& to, B b) {
           return drop(to.objects.put_object(at->put_if("k", matching(b))));
         }},
        {"put, If-None-Match",
         [at](const Stores& to, B b) {
           return drop(to.objects.put_object(at->put_if("k", not_matching(b))));
         }},
        {"delete, If-Match",
         [at](const Stores& to, B b) {
           return drop(to.objects.delete_object(at->delete_request("k", matching(b))));
         }},
        {"delete, If-None-Match",
         [at](const Stores& to, B b) {
           return drop(to.objects.delete_object(at->delete_request("k", not_matching(b))));
         }},
        {"deletes, If-Match",
         [at](const Stores& to, B b) {
           return drop(to.objects.delete_objects(
               {at->delete_request("k", matching(b)), at->delete_request("l")}));
         }},
        {"copy, If-Match",
         [at](const Stores& to, B b) {
           return drop(to.objects.copy_object(at->copy_if(matching(b))));
         }},
        {"copy, If-None-Match",
         [at](const Stores& to, B b) {
           return drop(to.objects.copy_object(at->copy_if(not_matching(b))));
         }},
        {"copy, source",
         [at](const Stores& to, B b) { return drop(to.objects.copy_object(at->copy_if({}, b))); }},
        {"part copy, source",
         [at](const Stores& to, B b) {
           return drop(to.uploads.copy_part(
               {at->part_request("upload"), at->bucket_.id, b, at->source_, "e", 0}));
         }},
        {"part, key",
         [at](const Stores& to, B b) { return drop(to.uploads.put_part(at->part_request(b))); }},
        {"complete, If-Match",
         [at](const Stores& to, B b) {
           return drop(to.uploads.complete_upload(at->complete_if(matching(b), "e")));
         }},
        {"complete, If-None-Match",
         [at](const Stores& to, B b) {
           return drop(to.uploads.complete_upload(at->complete_if(not_matching(b), "e")));
         }},
        {"complete, ETag of a part",
         [at](const Stores& to, B b) {
           return drop(to.uploads.complete_upload(at->complete_if({}, b)));
         }},
        {"complete, key",
         [at](const Stores& to, B b) {
           return drop(to.uploads.complete_upload(at->complete_if({}, "e", b)));
         }},
        {"abort, key",
         [at](const Stores& to, B b) {
           return drop(to.uploads.abort_upload(at->context(), at->upload_.id, b));
         }},
        {"find upload, key",
         [at](const Stores& to, B b) {
           return drop(to.uploads.find_upload({.bucket_id = at->bucket_.id,
                                               .upload = at->upload_.id,
                                               .key = b,
                                               .deadline = soon()}));
         }},
        {"append, If-Match",
         [at](const Stores& to, B b) {
           AppendObject append{
               .put = at->put_if("source", matching(b)), .offset = 1, .expected_etag = "e"};
           return drop(to.objects.append_object(append));
         }},
        {"rename, conditions",
         [at](const Stores& to, B b) {
           RenameObject rename{
               .context = at->context(), .source_key = "source", .target_key = "source"};
           rename.source_conditions = matching(b);
           rename.target_conditions = not_matching(b);
           return drop(to.objects.rename_object(rename));
         }},
        {"rename, source",
         [at](const Stores& to, B b) {
           return drop(to.objects.rename_object(
               {.context = at->context(), .source_key = b, .target_key = "renamed"}));
         }},
        {"attributes, key",
         [at](const Stores& to, B b) {
           return drop(
               to.objects.update_version({.context = at->context(), .key = b, .acl = "acl"}));
         }},
        {"attributes, ACL and tags",
         [at](const Stores& to, B b) {
           return drop(to.objects.update_version({.context = at->context(),
                                                  .key = "source",
                                                  .acl = b,
                                                  .tags = Tags{{"tag", b.substr(0, 256)}}}));
         }},
        {"find, bucket",
         [](const Stores& to, B b) {
           return drop(to.objects.find_object({.bucket = b, .key = "source", .deadline = soon()}));
         }},
        {"find, key",
         [at](const Stores& to, B b) {
           return drop(
               to.objects.find_object({.bucket = at->bucket_.name, .key = b, .deadline = soon()}));
         }},
        {"find a version, bucket",
         [at](const Stores& to, B b) {
           return drop(to.objects.find_object(
               {.bucket = b, .key = "source", .version = at->source_, .deadline = soon()}));
         }},
        {"find a version, key",
         [at](const Stores& to, B b) {
           return drop(to.objects.find_object(
               {.bucket = at->bucket_.name, .key = b, .null_version = true, .deadline = soon()}));
         }},
        {"find bucket",
         [](const Stores& to, B b) { return drop(to.buckets.find_bucket(b, soon())); }},
        {"list buckets, prefix",
         [](const Stores& to, B b) {
           return drop(to.listing.list_buckets({.owner_account = owner(), .prefix = b}, soon()));
         }},
        {"list buckets, after",
         [](const Stores& to, B b) {
           return drop(
               to.listing.list_buckets({.owner_account = owner(), .after_name = b}, soon()));
         }},
        {"list buckets, region",
         [](const Stores& to, B b) {
           return drop(to.listing.list_buckets({.owner_account = owner(), .region = b}, soon()));
         }},
        {"access key",
         [](const Stores& to, B b) { return drop(to.identities.find_credential(b, soon())); }},
        {"account's block",
         [](const Stores& to, B b) {
           return drop(to.identities.change_account(b, {.public_access_block = 1}, soon()));
         }},
    };
    for (const auto kind : {AccountName::Kind::kId, AccountName::Kind::kCanonicalId,
                            AccountName::Kind::kEmail, AccountName::Kind::kAny}) {
      all.push_back({"account", [kind](const Stores& to, B b) {
                       return drop(to.identities.find_account({kind, b}, soon()));
                     }});
    }
    for (const bool versions : {false, true}) {
      const auto listing = [at, versions](auto set) {
        return [at, versions, set](const Stores& to, B b) {
          ListQuery query = at->list_query();
          query.versions = versions;
          set(query, std::move(b));
          return drop(to.listing.list(query));
        };
      };
      all.push_back(
          {"list, prefix", listing([](ListQuery& query, B b) { query.prefix = std::move(b); })});
      all.push_back({"list, delimiter",
                     listing([](ListQuery& query, B b) { query.delimiter = std::move(b); })});
      all.push_back({"list, after a key",
                     listing([](ListQuery& query, B b) { query.after_key = std::move(b); })});
      all.push_back({"list, after a prefix",
                     listing([](ListQuery& query, B b) { query.after_prefix = std::move(b); })});
    }
    const auto uploads = [at](auto set) {
      return [at, set](const Stores& to, B b) {
        ListUploadsQuery query = at->uploads_query();
        set(query, std::move(b));
        return drop(to.listing.list_uploads(query));
      };
    };
    all.push_back({"uploads, prefix",
                   uploads([](ListUploadsQuery& query, B b) { query.prefix = std::move(b); })});
    all.push_back({"uploads, delimiter",
                   uploads([](ListUploadsQuery& query, B b) { query.delimiter = std::move(b); })});
    all.push_back({"uploads, after a key",
                   uploads([](ListUploadsQuery& query, B b) { query.after_key = std::move(b); })});
    all.push_back({"uploads, after a prefix", uploads([](ListUploadsQuery& query, B b) {
                     query.after_prefix = std::move(b);
                   })});
    return all;
  }

  // Requests of others in every lane, all of which succeed.
  std::vector<async::Task<Result<void>>> neighbours() {
    std::vector<async::Task<Result<void>>> tasks;
    for (int i = 0; i < 2; ++i) {
      tasks.push_back(drop(
          stores().objects.put_object(put_request(fmt::format("neighbour-{}", ++neighbours_)))));
      tasks.push_back(drop(stores().objects.delete_object(
          delete_request(fmt::format("neighbour-{}", neighbours_)))));
      tasks.push_back(drop(stores().objects.find_object(
          {.bucket = bucket_.name, .key = "source", .deadline = soon()})));
    }
    return tasks;
  }

  model::VersionId source_;
  Upload upload_;
  int neighbours_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Stores, BadBytes, all_implementations(), name_of_implementation);

TEST_P(BadBytes, NoneFailAStatementOrANeighboursRequest) {
  for (const Place& place : places()) {
    for (const Bytes& bytes : bad_bytes()) {
      SCOPED_TRACE(std::string(place.name) + ": " + bytes.name);
      auto tasks = neighbours();
      tasks.insert(tasks.begin() + 3, place.ask(stores(), bytes.value));
      for (const Result<void>& answer : all_at_once(std::move(tasks))) {
        EXPECT_TRUE(answer) << answer.error().message;
      }
    }
  }
}

TEST_P(BadBytes, NamesThatCannotBeAreNotMade) {
  for (const Bytes& bytes : bad_bytes()) {
    if (can_be_text(bytes.value)) continue;
    for (const bool name : {true, false}) {
      const auto made =
          async::block_on(stores().buckets.create_bucket({.name = name ? bytes.value : "bad-region",
                                                          .owner_account = owner(),
                                                          .region = name ? "" : bytes.value},
                                                         soon()));
      ASSERT_FALSE(made);
      EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
    }
  }
}

// Of the bytes before the odd one, and above or below all names that go on from there.
TEST_P(BadBytes, AListingGoesOnBehindAnyBytes) {
  const auto behind = [](const std::string& after) {
    std::vector<std::string> names;
    for (const ListedBucket& bucket : run(stores().listing.list_buckets(
             {.owner_account = owner(), .after_name = after}, soon()))) {
      names.push_back(bucket.name);
    }
    return names;
  };
  const std::string name = bucket_.name;
  EXPECT_EQ(std::ranges::count(behind(name.substr(0, name.size() - 1) + '\0'), name), 1);
  EXPECT_EQ(std::ranges::count(behind(name.substr(0, name.size() - 1) + '\xff'), name), 0);
  EXPECT_EQ(std::ranges::count(behind(name + '\0'), name), 0);
  EXPECT_EQ(std::ranges::count(behind("\xff"), name), 0);
}

TEST_P(BadBytes, AnETagOfAnyBytesNamesOnlyItself) {
  const auto status = [&](const Conditions& conditions) {
    return run(stores().objects.put_object(put_if("source", conditions))).status;
  };
  for (const std::string& etag : {"x\x1f"
                                  "e"s,
                                  "e\x1f"s, "\x1f"s, "e\0"s, ""s, "E"s, "\xff"s}) {
    Conditions only;
    only.if_match = {etag};
    EXPECT_EQ(status(only), CommitStatus::kPreconditionFailed) << to_hex(as_bytes(etag));
    only = not_matching(etag);
    EXPECT_EQ(status(only), CommitStatus::kCommitted) << to_hex(as_bytes(etag));
    EXPECT_EQ(status(matching(etag)), CommitStatus::kCommitted) << "another of the list";
  }
  EXPECT_EQ(status(not_matching("e")), CommitStatus::kPreconditionFailed);
  EXPECT_EQ(status(not_matching("*")), CommitStatus::kPreconditionFailed);
}

// Of statements of PostgreSQL.
class BadRows : public BadBytes {};

INSTANTIATE_TEST_SUITE_P(Stores, BadRows, ::testing::Values(Implementation::kPostgres),
                         name_of_implementation);

// A key longer than an index takes, which no handler lets in: its statement fails, its neighbours
// do not.
TEST_P(BadRows, ARowThatFailsFailsAlone) {
  std::string key;
  while (key.size() < 65'536) key += model::StreamId::random().to_hex();
  set_versioning(Versioning::kEnabled);
  std::vector<async::Task<Result<void>>> tasks;
  for (int i = 0; i < 60; ++i) {
    const std::string own = i % 20 == 7 ? key + std::to_string(i) : fmt::format("good-{}", i);
    tasks.push_back(drop(stores().objects.put_object(put_request(own))));
    tasks.push_back(drop(stores().objects.delete_object(delete_request(own + "-marked"))));
  }
  const auto answers = all_at_once(std::move(tasks));
  for (size_t i = 0; i < answers.size(); ++i) {
    if (i / 2 % 20 == 7) {
      ASSERT_FALSE(answers[i]);
      EXPECT_EQ(answers[i].error().code, ErrorCode::kInternal);
    } else {
      EXPECT_TRUE(answers[i]) << answers[i].error().message;
    }
  }
  for (int i = 0; i < 60; ++i) {
    const auto found = run(stores().objects.find_object(
        {.bucket = bucket_.name, .key = fmt::format("good-{}", i), .deadline = soon()}));
    EXPECT_EQ(found.status, i % 20 == 7 ? LookupStatus::kNoSuchKey : LookupStatus::kFound) << i;
  }
}

// The rule itself, for every lane: who runs when a statement fails, and how often.
TEST_P(BadRows, AFailedBatchRunsRowByRowAndTheLockedLast) {
  struct Row {
    std::string name;
    std::string answer = {};
    bool gone = false;

    bool expired() const { return gone; }

    void fail(const Error&) { answer = "failed"; }
  };

  const auto connection = PgConnection::open(postgres_dsn(), soon()).value();
  const auto outcome = [&](ErrorCode code, std::vector<Row> rows) {
    std::vector<Row*> jobs;
    for (Row& row : rows) jobs.push_back(&row);
    int statements = 0;
    std::string order;
    const auto statement = [&](const std::vector<Row*>& some) -> Committed<PgResult> {
      ++statements;
      const Error error{code, "its fault"};
      for (const Row* row : some) {
        if (row->name != "bad") continue;
        return std::unexpected(code == ErrorCode::kOutcomeUnknown
                                   ? CommitFailure::not_known(error)
                                   : CommitFailure::did_not_happen(error));
      }
      return connection->run("select 1", {}, soon());
    };
    run_rows(*connection, jobs, statement,
             [&](const std::vector<Row*>& some, const Committed<PgResult>& result) {
               for (Row* row : some) {
                 row->answer = result ? "done" : "failed";
                 order += row->name + " " + row->answer + ", ";
               }
             });
    for (const Row& row : rows) EXPECT_FALSE(row.answer.empty()) << row.name;
    return order + std::to_string(statements);
  };
  EXPECT_EQ(outcome(ErrorCode::kInternal, {{"a"}, {"b"}}), "a done, b done, 1");
  EXPECT_EQ(outcome(ErrorCode::kInternal, {{"a"}, {"bad"}, {"b"}}),
            "a done, bad failed, b done, 4");
  EXPECT_EQ(outcome(ErrorCode::kUnavailable, {{"a"}, {"bad"}, {"b"}}),
            "a done, bad failed, b done, 4");
  EXPECT_EQ(outcome(ErrorCode::kCancelled, {{"a"}, {"bad"}, {"b"}}),
            "a done, b done, bad failed, 9");
  EXPECT_EQ(outcome(ErrorCode::kOutcomeUnknown, {{"a"}, {"bad"}}), "a failed, bad failed, 1")
      << "it may have happened";
  EXPECT_EQ(outcome(ErrorCode::kInternal, {{"bad"}}), "bad failed, 1");
  EXPECT_EQ(outcome(ErrorCode::kInternal, {{"a"}, {"bad"}, {"b", "", true}}),
            "a done, bad failed, 3")
      << "nobody waits for the last";
}

}  // namespace
}  // namespace rondel::metadata
