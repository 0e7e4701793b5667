#include "metadata/connection/pg_codec.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/encoding.h"
#include "metadata/connection/pg_columns.h"
#include "metadata/model/version_clock.h"

namespace rondel::metadata {
namespace {

void put_length(std::string& out, size_t length) {
  out += static_cast<char>(length >> 8);
  out += static_cast<char>(length & 0xff);
}

enum OutcomeColumn {
  kStatus,
  kVersion,
  kIsNull,
  kSize,
  kEtag,
  kDeleteMarker,
  kAlgorithm,
  kType,
  kChecksum,
  kDetail,
};

constexpr PgColumns kOutcome({
    std::pair{kStatus, "status"},
    {kVersion, "version"},
    {kIsNull, "is_null"},
    {kSize, "size"},
    {kEtag, "etag"},
    {kDeleteMarker, "delete_marker"},
    {kAlgorithm, "checksum_algorithm"},
    {kType, "checksum_type"},
    {kChecksum, "checksum"},
    {kDetail, "detail"},
});

}  // namespace

std::optional<std::string> pack_headers(const Headers& headers) {
  if (headers.empty()) return std::nullopt;
  std::string out;
  for (const auto& [name, value] : headers) {
    put_length(out, name.size());
    put_length(out, value.size());
    out += name;
    out += value;
  }
  return out;
}

Headers unpack_headers(std::string_view packed) {
  Headers headers;
  while (packed.size() >= 4) {
    const size_t name = load_be<uint16_t>(reinterpret_cast<const std::byte*>(packed.data()));
    const size_t value = load_be<uint16_t>(reinterpret_cast<const std::byte*>(packed.data() + 2));
    if (packed.size() < 4 + name + value) break;
    headers.emplace_back(packed.substr(4, name), packed.substr(4 + name, value));
    packed.remove_prefix(4 + name + value);
  }
  return headers;
}

std::optional<std::string> pack_tags(const Tags& tags) { return pack_headers(tags); }

Tags unpack_tags(std::string_view packed) { return unpack_headers(packed); }

std::optional<std::string> bytes_or_null(const std::string& bytes) {
  return bytes.empty() ? std::nullopt : std::optional(bytes);
}

std::optional<int16_t> retain_mode(const Retention& retention) {
  return retention.mode == Retention::Mode::kNone
             ? std::nullopt
             : std::optional(static_cast<int16_t>(retention.mode));
}

std::optional<int64_t> retain_until(const Retention& retention) {
  return retention.mode == Retention::Mode::kNone ? std::nullopt : milliseconds(retention.until);
}

std::string_view raw(ByteView bytes) { return as_text(bytes); }

// The separator within an ETag becomes a byte that no ETag of ours holds either.
std::optional<std::string> pack_etags(const std::vector<std::string>& etags) {
  if (etags.empty()) return std::nullopt;
  std::string out;
  for (const std::string& etag : etags) {
    if (etag == "*") return "*";
    if (!out.empty()) out += '\x1f';
    out += etag;
    std::replace(out.end() - static_cast<ptrdiff_t>(etag.size()), out.end(), '\x1f', '\x1e');
  }
  return out;
}

std::optional<int64_t> first_ms(const CommitContext& context) {
  if (context.first_time == SystemTime{}) return std::nullopt;
  return milliseconds(context.first_time);
}

Layout layout_of(const Extent* extent) {
  return extent != nullptr ? extent->layout : Layout::kReplicated;
}

std::optional<int64_t> milliseconds(const std::optional<SystemTime>& time) {
  if (!time) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(time->time_since_epoch()).count();
}

std::optional<std::string> pack_access(const std::optional<ObjectAccess>& access) {
  if (!access) return std::nullopt;
  const std::string tags = pack_tags(access->tags).value_or("");
  return access->owner_account + '\0' + access->acl + '\0' + tags;
}

void add_conditions(PgParameters& parameters, const Conditions& conditions) {
  auto number = [&](const std::optional<int64_t>& value) {
    value ? parameters.add(*value) : parameters.add_null();
  };
  parameters.add_optional_bytes(pack_etags(conditions.if_match));
  parameters.add_optional_bytes(pack_etags(conditions.if_none_match));
  number(milliseconds(conditions.if_modified_since));
  number(milliseconds(conditions.if_unmodified_since));
  number(conditions.if_match_size ? std::optional(static_cast<int64_t>(*conditions.if_match_size))
                                  : std::nullopt);
  number(milliseconds(conditions.if_match_last_modified));
}

std::string conditions_expression(int first) {
  return fmt::format(
      "case when num_nonnulls(${0}::bytea, ${1}::bytea, ${2}::bigint, ${3}::bigint, ${4}::bigint, "
      "${5}::bigint) > 0 "
      "then row(${0}, ${1}, ${2}, ${3}, ${4}, ${5})::conditions end",
      first, first + 1, first + 2, first + 3, first + 4, first + 5);
}

std::optional<int16_t> algorithm_code(const std::optional<model::Checksum>& checksum) {
  return checksum ? std::optional(static_cast<int16_t>(checksum->algorithm)) : std::nullopt;
}

std::optional<int16_t> type_code(const std::optional<model::Checksum>& checksum) {
  return checksum ? std::optional(static_cast<int16_t>(checksum->type)) : std::nullopt;
}

std::optional<std::string> checksum_value(const std::optional<model::Checksum>& checksum) {
  return checksum ? std::optional(checksum->value) : std::nullopt;
}

std::optional<model::Checksum> read_checksum(const PgResult& result, size_t row, int algorithm,
                                             int type, int value) {
  if (result.is_null(row, algorithm)) return std::nullopt;
  model::Checksum checksum;
  checksum.algorithm = static_cast<model::ChecksumAlgorithm>(result.smallint(row, algorithm));
  if (type >= 0 && !result.is_null(row, type)) {
    checksum.type = static_cast<model::ChecksumType>(result.smallint(row, type));
  }
  if (value >= 0) checksum.value = result.text(row, value);
  return checksum;
}

const std::string& outcome_columns() {
  static const std::string text = kOutcome.text();
  return text;
}

std::optional<Held> held_of(const PgResult& result, size_t row) {
  const auto status = static_cast<Held>(result.smallint(row, kStatus));
  if (status == Held::kBucket || status == Held::kKey) return status;
  return std::nullopt;
}

CommitOutcome read_outcome(const PgResult& result, size_t row) {
  CommitOutcome outcome;
  outcome.status = static_cast<CommitStatus>(result.smallint(row, kStatus));
  if (const auto id = model::VersionId::from_bytes(as_bytes(result.bytes(row, kVersion)))) {
    outcome.version = *id;
    outcome.last_modified = time_of(*id);
  }
  outcome.is_null = result.boolean(row, kIsNull);
  outcome.size = static_cast<uint64_t>(result.bigint(row, kSize));
  outcome.etag = result.text(row, kEtag);
  outcome.delete_marker = result.boolean(row, kDeleteMarker);
  outcome.checksum = read_checksum(result, row, kAlgorithm, kType, kChecksum);
  outcome.detail = result.text(row, kDetail);
  return outcome;
}

SystemTime from_microseconds(int64_t since_epoch) {
  return SystemTime(std::chrono::microseconds(since_epoch));
}

}  // namespace rondel::metadata
