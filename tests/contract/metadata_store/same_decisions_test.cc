// One history of random requests on every implementation: each request ends alike on both, and what
// is there afterwards is the same, down to which streams anything refers to.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <random>

#include "common/async/event_loop.h"
#include "tests/contract/metadata_store/test_database.h"

namespace rondel::metadata {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kPart = 5 << 20;
constexpr const char* kKeys[] = {"a", "a/b", "a/c", "b"};

Deadline soon() { return deadline_in(120s); }

template <class T, class E>
T run(async::Task<std::expected<T, E>> task) {
  auto result = async::block_on(std::move(task));
  if (!result) throw std::runtime_error(to_string(result.error()));
  return std::move(*result);
}

// One implementation. Ids of versions differ between the sides, so they are known by the order in
// which they were made.
struct Side {
  explicit Side(Implementation implementation)
      : stores(test_database(implementation).stores()),
        owner(make_account(stores, "same-decisions")) {
    for (size_t i = 0; i < buckets.size(); ++i) {
      const std::string name = fmt::format("same-decisions-{}", i);
      buckets[i] =
          run(stores.buckets.create_bucket({.name = name, .owner_account = owner}, soon())).bucket;
    }
  }

  CommitContext context(size_t bucket, bool stale = false) const {
    return {buckets[bucket].id, buckets[bucket].settings_version + (stale ? 1 : 0), 0, soon()};
  }

  // The first one is nobody's.
  model::VersionId version(size_t number) const { return versions[number % versions.size()]; }

  size_t number_of(const model::VersionId& id) {
    const auto known = std::ranges::find(versions, id);
    if (known != versions.end()) return static_cast<size_t>(known - versions.begin());
    versions.push_back(id);
    return versions.size() - 1;
  }

  const Stores& stores;
  const std::string owner;
  std::array<Bucket, 2> buckets;  // The second has versions.
  std::vector<model::VersionId> versions{model::VersionId::random()};
};

std::string describe(Side& side, const CommitOutcome& outcome) {
  const bool named = !outcome.version.is_zero();
  return fmt::format("status {} version {} null {} size {} etag {} marker {} detail {} dated {}",
                     static_cast<int>(outcome.status),
                     named ? std::to_string(side.number_of(outcome.version)) : "-", outcome.is_null,
                     outcome.size, outcome.etag, outcome.delete_marker, outcome.detail,
                     outcome.last_modified != SystemTime{});
}

std::string describe(const Attributes& attributes) {
  std::string text =
      fmt::format(" acl {} hold {} mode {} until {} sealed {}", attributes.acl,
                  attributes.legal_hold ? std::to_string(*attributes.legal_hold) : "-",
                  static_cast<int>(attributes.retention.mode),
                  attributes.retention.until.time_since_epoch().count(), attributes.encryption);
  for (const auto& [name, value] : attributes.tags) text += " " + name + "=" + value;
  return text;
}

std::string describe(Side& side, const ObjectVersion& object) {
  std::string text = fmt::format("version {} null {} marker {} size {} etag {} parts {}",
                                 side.number_of(object.version), object.is_null,
                                 object.delete_marker, object.size, object.etag, object.part_count);
  if (object.checksum) {
    text += fmt::format(" sum {}/{} {}", static_cast<int>(object.checksum->algorithm),
                        static_cast<int>(object.checksum->type), object.checksum->value);
  }
  text += describe(static_cast<const Attributes&>(object));
  for (const auto& [name, value] : object.headers) text += " " + name + ":" + value;
  for (const Part& part : object.parts) {
    text += fmt::format(" [part {} {} {}]", part.number, part.size, part.etag);
  }
  for (const Extent& extent : object.extents) {
    text += fmt::format(" [{}+{} of {} at {} of {}]", extent.start, extent.length,
                        extent.stream.to_hex(), extent.offset, extent.stream_size);
  }
  return text;
}

class SameDecisions : public ::testing::Test {
 protected:
  using Ask = std::function<std::string(Side&)>;

  uint64_t up_to(uint64_t max) { return random_() % (max + 1); }

  bool one_in(uint64_t n) { return random_() % n == 0; }

  std::string some_key() { return kKeys[up_to(std::size(kKeys) - 1)]; }

  std::string some_etag() { return fmt::format("e{}", up_to(2)); }

  uint64_t some_size() { return up_to(3) * 10; }

  // Streams are the same on both sides, so what refers to them can be compared.
  std::vector<Extent> new_bytes(uint64_t size) {
    if (size == 0) return {};
    streams_.push_back(model::StreamId::random());
    return {{0, streams_.back(), size, 0, size}};
  }

  Conditions some_conditions() {
    Conditions conditions;
    if (!one_in(3)) return conditions;
    switch (up_to(4)) {
      case 0: conditions.if_match = {some_etag(), some_etag()}; break;
      case 1: conditions.if_match = {"*"}; break;
      case 2: conditions.if_none_match = {"*"}; break;
      case 3: conditions.if_none_match = {some_etag()}; break;
      default: conditions.if_match_size = some_size(); break;
    }
    return conditions;
  }

  Retention some_retention() {
    using Mode = Retention::Mode;
    const SystemTime now = real_clock().now();
    return {one_in(2) ? Mode::kGovernance : Mode::kCompliance,
            one_in(2) ? now + std::chrono::hours(1 + up_to(2)) : now - 1h};
  }

  Attributes some_attributes() {
    Attributes attributes;
    if (one_in(3)) attributes.tags = {{"t", some_etag()}};
    if (one_in(4)) attributes.acl = "acl";
    if (one_in(6)) attributes.encryption = "envelope";
    if (one_in(12)) attributes.retention = some_retention();
    if (one_in(12)) attributes.legal_hold = one_in(2);
    return attributes;
  }

  ObjectVersion some_version(uint64_t size) {
    ObjectVersion version;
    version.size = size;
    version.etag = some_etag();
    version.extents = new_bytes(size);
    version.headers = {{"content-type", some_etag()}};
    if (one_in(3)) {
      version.checksum = model::Checksum{model::ChecksumAlgorithm::kCrc32,
                                         model::ChecksumType::kFullObject, "abcd"};
    }
    static_cast<Attributes&>(version) = some_attributes();
    return version;
  }

  PutObject some_put(uint64_t size) {
    PutObject put;
    put.key = some_key();
    put.version = some_version(size);
    put.conditions = some_conditions();
    // What a put may ask for.
    put.conditions.if_match_size.reset();
    return put;
  }

  static PutObject on(const Side& side, size_t bucket, PutObject put, bool stale = false) {
    put.context = side.context(bucket, stale);
    put.versioning = side.buckets[bucket].versioning;
    put.version.owner_account = side.owner;
    return put;
  }

  Ask ask_put(size_t bucket) {
    return [=, put = some_put(some_size()), stale = one_in(10)](Side& side) {
      return describe(side, run(side.stores.objects.put_object(on(side, bucket, put, stale))));
    };
  }

  // Of a version by its number, the null one or the current one.
  std::function<DeleteObject(Side&)> some_delete(size_t bucket) {
    const uint64_t number = up_to(20), kind = up_to(3);
    const auto guard = static_cast<DeleteObject::Guard>(one_in(4) ? 1 + up_to(2) : 0);
    const Conditions conditions = some_conditions();
    const bool newest = one_in(2), bypass = one_in(3);
    return [=, key = some_key()](Side& side) {
      DeleteObject request{.context = side.context(bucket), .key = key};
      const bool has_guard = guard != DeleteObject::Guard::kNone;
      if (kind == 0) request.null_version = true;
      if (kind == 1 || has_guard) {
        const size_t last = side.versions.size() - 1;
        request.version = side.version(newest ? last - std::min<size_t>(last, number % 4) : number);
      }
      if (!request.null_version) request.guard = guard;
      request.owner_account = side.owner;
      request.versioning = side.buckets[bucket].versioning;
      request.conditions = conditions;
      request.bypass_governance = bypass;
      return request;
    };
  }

  Ask ask_delete(size_t bucket) {
    return [request = some_delete(bucket)](Side& side) {
      return describe(side, run(side.stores.objects.delete_object(request(side))));
    };
  }

  Ask ask_deletes(size_t bucket) {
    return [one = some_delete(bucket), two = some_delete(bucket)](Side& side) {
      std::string text;
      const auto outcomes = run(side.stores.objects.delete_objects({one(side), two(side)}));
      for (const CommitOutcome& outcome : outcomes) text += describe(side, outcome) + "; ";
      return text;
    };
  }

  Ask ask_copy(size_t bucket) {
    PutObject put = some_put(0);
    const bool other_etag = one_in(3), changed = one_in(6);
    if (!other_etag) put.version.etag.clear();
    return [=, from = up_to(1), key = some_key()](Side& side) {
      const auto source = run(side.stores.objects.find_object(
          {.bucket = side.buckets[from].name, .key = key, .deadline = soon()}));
      CopyObject copy{on(side, bucket, put),
                      {side.buckets[from].id, key, source.object.version,
                       changed ? "changed" : source.object.etag}};
      return describe(side, run(side.stores.objects.copy_object(copy)));
    };
  }

  Ask ask_append(size_t bucket) {
    const uint64_t size = some_size();
    return [=, put = some_put(size), wrong = one_in(6)](Side& side) {
      const auto there = run(side.stores.objects.find_object(
          {.bucket = side.buckets[bucket].name, .key = put.key, .deadline = soon()}));
      AppendObject append{on(side, bucket, put), there.object.size + (wrong ? 1 : 0),
                          there.object.etag};
      return describe(side, run(side.stores.objects.append_object(append)));
    };
  }

  Ask ask_rename(size_t bucket) {
    RenameObject rename;
    rename.source_key = some_key();
    rename.target_key = some_key();
    rename.source_conditions = some_conditions();
    rename.target_conditions = some_conditions();
    if (one_in(2)) rename.encryption = "sealed again";
    return [=](Side& side) {
      RenameObject request = rename;
      request.context = side.context(bucket);
      request.source_encryption =
          run(side.stores.objects.find_object({.bucket = side.buckets[bucket].name,
                                               .key = request.source_key,
                                               .deadline = soon()}))
              .object.encryption;
      return describe(side, run(side.stores.objects.rename_object(request)));
    };
  }

  Ask ask_update(size_t bucket) {
    UpdateVersion update;
    update.key = some_key();
    update.null_version = one_in(5);
    if (one_in(4)) update.expected_etag = some_etag();
    if (one_in(2)) update.tags = Tags{{"u", some_etag()}};
    if (one_in(3)) update.acl = one_in(2) ? "other" : "";
    if (one_in(3)) update.retention = one_in(3) ? Retention{} : some_retention();
    if (one_in(3)) update.legal_hold = one_in(4);
    if (one_in(4)) update.encryption = "envelope";
    update.bypass_governance = one_in(2);
    const std::optional<size_t> number =
        one_in(3) ? std::optional<size_t>(up_to(20)) : std::nullopt;
    return [=](Side& side) {
      UpdateVersion request = update;
      request.context = side.context(bucket);
      if (number) request.version = side.version(*number);
      return describe(side, run(side.stores.objects.update_version(request)));
    };
  }

  Ask ask_versioning() {
    const auto wanted = one_in(2) ? Versioning::kEnabled : Versioning::kSuspended;
    return [=](Side& side) {
      const auto changed = run(side.stores.buckets.set_bucket_versioning(
          {.bucket_id = side.buckets[1].id, .deadline = soon()}, wanted));
      // Numbers are drawn: whether they moved is what both must say.
      const bool moved = changed.bucket.settings_version != side.buckets[1].settings_version;
      side.buckets[1] = changed.bucket;
      return fmt::format("status {} moved {}", static_cast<int>(changed.status), moved);
    };
  }

  struct Begun {
    model::UploadId id;
    std::string key;
    size_t bucket = 0;
  };

  Ask ask_create(size_t bucket) {
    Upload upload;
    upload.id = model::UploadId::random();
    upload.key = some_key();
    upload.headers = {{"content-type", "x/y"}};
    static_cast<Attributes&>(upload) = some_attributes();
    uploads_.push_back({upload.id, upload.key, bucket});
    return [=](Side& side) {
      Upload begun = upload;
      begun.initiator_account = begun.owner_account = side.owner;
      return std::to_string(
          static_cast<int>(run(side.stores.uploads.create_upload(side.context(bucket), begun))));
    };
  }

  const Begun& some_upload() {
    return uploads_[uploads_.size() - 1 - up_to(std::min<size_t>(uploads_.size() - 1, 3))];
  }

  static Part part_of(uint32_t number, uint64_t size) {
    return {number,
            size,
            fmt::format("p{}", number),
            {{model::ChecksumAlgorithm::kCrc32c, {}, "wxyz"}},
            {}};
  }

  Ask ask_part() {
    const Begun upload = some_upload();
    const auto number = static_cast<uint32_t>(1 + up_to(2));
    const uint64_t size = one_in(3) ? 7 : kPart;
    return [=, bytes = new_bytes(size)](Side& side) {
      const PutPart put{side.context(upload.bucket), upload.id, upload.key, part_of(number, size),
                        bytes};
      return describe(side, run(side.stores.uploads.put_part(put)));
    };
  }

  // The whole source, or what lies behind its first bytes.
  Ask ask_part_copy() {
    const Begun upload = some_upload();
    const auto number = static_cast<uint32_t>(1 + up_to(2));
    const uint64_t offset = up_to(1) * 5;
    return [=, from = up_to(1), key = some_key()](Side& side) {
      const auto source = run(side.stores.objects.find_object(
          {.bucket = side.buckets[from].name, .key = key, .deadline = soon()}));
      const uint64_t first = std::min(offset, source.object.size);
      const CopyPart copy{{side.context(upload.bucket),
                           upload.id,
                           upload.key,
                           part_of(number, source.object.size - first),
                           {}},
                          {side.buckets[from].id, key, source.object.version, source.object.etag},
                          first};
      return describe(side, run(side.stores.uploads.copy_part(copy)));
    };
  }

  // All parts that are there, or one that is not, or the first alone.
  Ask ask_complete() {
    const Begun upload = some_upload();
    const uint64_t kind = up_to(5);
    CompleteUpload complete;
    complete.upload = upload.id;
    complete.key = upload.key;
    complete.conditions = some_conditions();
    complete.etag = "whole";
    if (one_in(3)) complete.default_retention = some_retention();
    return [=](Side& side) {
      CompleteUpload request = complete;
      request.context = side.context(upload.bucket);
      request.versioning = side.buckets[upload.bucket].versioning;
      const auto found = run(side.stores.uploads.find_upload(
          {side.buckets[upload.bucket].id, upload.id, upload.key, 0, 10, soon()}));
      for (const Part& part : found.parts) {
        request.parts.push_back({part.number, part.etag, {}});
        request.size += part.size;
        if (kind == 0) break;
      }
      if (kind == 1) request.parts.push_back({9, "p9", {}});
      if (kind == 2) std::ranges::reverse(request.parts);
      if (kind == 3) ++request.size;
      return describe(side, run(side.stores.uploads.complete_upload(request)));
    };
  }

  Ask ask_abort() {
    const Begun upload = some_upload();
    return [=](Side& side) {
      return std::to_string(static_cast<int>(run(
          side.stores.uploads.abort_upload(side.context(upload.bucket), upload.id, upload.key))));
    };
  }

  Ask some_request() {
    const size_t bucket = up_to(1);
    switch (up_to(19)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: return ask_put(bucket);
      case 5:
      case 6:
      case 7: return ask_delete(bucket);
      case 8: return ask_deletes(bucket);
      case 9:
      case 10: return ask_copy(bucket);
      case 11: return ask_append(bucket);
      case 12: return ask_rename(bucket);
      case 13: return ask_update(bucket);
      case 14: return one_in(3) ? ask_versioning() : ask_put(bucket);
      case 15: return ask_create(bucket);
      case 16:
      case 17: return uploads_.empty() ? ask_create(bucket) : ask_part();
      case 18: return uploads_.empty() ? ask_create(bucket) : ask_part_copy();
      default:
        if (uploads_.empty()) return ask_create(bucket);
        return one_in(5) ? ask_abort() : ask_complete();
    }
  }

  // A page of everything, however it is asked for.
  Ask ask_page() {
    ListQuery query;
    query.versions = one_in(2);
    query.prefix = one_in(3) ? "a" : "";
    query.delimiter = one_in(2) ? "/" : "";
    query.after_key = one_in(3) ? some_key() : "";
    query.after_prefix = one_in(4) ? "a/" : "";
    query.max = static_cast<uint32_t>(1 + up_to(5));
    const std::optional<size_t> after =
        one_in(2) ? std::optional<size_t>(up_to(100)) : std::nullopt;
    return [=, bucket = up_to(1)](Side& side) {
      ListQuery asked = query;
      asked.bucket_id = side.buckets[bucket].id;
      asked.deadline = soon();
      if (after && query.versions) asked.after_version = side.version(*after);
      const ListPage page = run(side.stores.listing.list(asked));
      std::string text = fmt::format("truncated {} key {} prefix {}\n", page.truncated,
                                     page.next_key, page.next_prefix);
      if (!page.next_key.empty()) text += std::to_string(side.number_of(page.next_version)) + "\n";
      for (const ListedVersion& row : page.entries) {
        text += fmt::format("{} latest {} {}\n", row.key, row.latest, describe(side, row.object));
      }
      for (const std::string& prefix : page.common_prefixes) text += prefix + "\n";
      return text;
    };
  }

  Ask ask_uploads() {
    ListUploadsQuery query;
    query.prefix = one_in(3) ? "a" : "";
    query.delimiter = one_in(2) ? "/" : "";
    query.after_key = one_in(3) ? some_key() : "";
    query.max = static_cast<uint32_t>(1 + up_to(5));
    if (!uploads_.empty() && one_in(2)) query.after_upload = some_upload().id;
    return [=, bucket = up_to(1)](Side& side) {
      ListUploadsQuery asked = query;
      asked.bucket_id = side.buckets[bucket].id;
      asked.deadline = soon();
      const ListUploadsPage page = run(side.stores.listing.list_uploads(asked));
      std::string text = fmt::format("truncated {} key {} prefix {}\n", page.truncated,
                                     page.next_key, page.next_prefix);
      for (const Upload& upload : page.uploads) {
        text += upload.key + " " + upload.id.to_hex() + "\n";
      }
      for (const std::string& prefix : page.common_prefixes) text += prefix + "\n";
      return text;
    };
  }

  Ask ask_find() {
    using Kind = ExtentRange::Kind;
    ObjectQuery query;
    query.key = some_key();
    query.null_version = one_in(5);
    query.range = {static_cast<Kind>(up_to(4)), up_to(40), 10 + up_to(40)};
    if (query.range.kind == Kind::kPart) query.range.first = 1 + up_to(3);
    query.with_parts = one_in(2);
    query.parts_after = static_cast<uint32_t>(up_to(1));
    query.parts_max = static_cast<uint32_t>(1 + up_to(2));
    const std::optional<size_t> number =
        one_in(3) ? std::optional<size_t>(up_to(100)) : std::nullopt;
    return [=, bucket = up_to(1)](Side& side) {
      ObjectQuery asked = query;
      asked.bucket = side.buckets[bucket].name;
      asked.deadline = soon();
      if (number) asked.version = side.version(*number);
      const ObjectLookup found = run(side.stores.objects.find_object(asked));
      std::string text = fmt::format("status {} truncated {}", static_cast<int>(found.status),
                                     found.parts_truncated);
      if (found.status == LookupStatus::kFound) text += " " + describe(side, found.object);
      if (found.part) {
        text += fmt::format(" part {} {} at {}", found.part->number, found.part->size,
                            found.part_start);
      }
      return text;
    };
  }

  Ask ask_usage() {
    std::ranges::sort(streams_);
    return [this](Side& side) {
      std::string text;
      for (const Bucket& bucket : side.buckets) {
        const auto usage = run(side.stores.buckets.bucket_usage(bucket.id, soon()));
        text += fmt::format("{} {} {}\n", usage.objects, usage.versions, usage.bytes);
      }
      // What something refers to, and what was brought in and is not known: the rest is queued.
      for (auto streams : {run(side.stores.restores.referenced_streams(streams_, soon())),
                           run(side.stores.orphans.unreferenced_streams(streams_, soon()))}) {
        std::ranges::sort(streams);
        for (const model::StreamId& stream : streams) text += stream.to_hex() + "\n";
        text += "\n";
      }
      return text;
    };
  }

  void expect_same(const Ask& ask) {
    const std::string of_memory = ask(memory_);
    EXPECT_EQ(of_memory, ask(postgres_));
  }

  const uint64_t seed_ = std::random_device()();
  std::mt19937_64 random_{seed_};
  Side memory_{Implementation::kMemory};
  Side postgres_{Implementation::kPostgres};
  std::vector<model::StreamId> streams_;
  std::vector<Begun> uploads_;
};

TEST_F(SameDecisions, AHistoryEndsAlikeOnAll) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  constexpr int kRounds = 100, kRequests = 10;
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    for (int i = 0; i < kRequests; ++i) {
      SCOPED_TRACE(fmt::format("round {}, request {}", round, i));
      expect_same(some_request());
    }
    for (int i = 0; i < 4; ++i) {
      expect_same(ask_page());
      expect_same(ask_find());
    }
    expect_same(ask_uploads());
    expect_same(ask_usage());
  }
}

}  // namespace
}  // namespace rondel::metadata
