// Values of the model to and from parameters and result columns. Internal to metadata/postgres.
#pragma once

#include <optional>
#include <string>

#include "common/base/encoding.h"
#include "metadata/connection/pg_connection.h"
#include "metadata/connection/sql_names.h"
#include "metadata/model/identity_rules.h"
#include "metadata/model/key_order.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_context.h"
#include "metadata/store/commit_result.h"

namespace rondel::metadata {

// Header fields as one column: for each, lengths of name and value (2 bytes each, big-endian), then
// both. NULL = none.
std::optional<std::string> pack_headers(const Headers& headers);
Headers unpack_headers(std::string_view packed);

// Tags in the same form.
std::optional<std::string> pack_tags(const Tags& tags);
Tags unpack_tags(std::string_view packed);

std::optional<std::string> bytes_or_null(const std::string& bytes);
// nullopt = none.
std::optional<int16_t> retain_mode(const Retention& retention);
std::optional<int64_t> retain_until(const Retention& retention);

std::string_view raw(ByteView bytes);

// A number in PostgreSQL's binary form.
template <class Number>
std::string binary(Number number) {
  std::string out(sizeof(Number), '\0');
  store_be(reinterpret_cast<std::byte*>(out.data()),
           static_cast<std::make_unsigned_t<Number>>(number));
  return out;
}

// ETags of a condition, whatever bytes they are, joined for the `conditions` type; NULL = none.
std::optional<std::string> pack_etags(const std::vector<std::string>& etags);
std::optional<int64_t> milliseconds(const std::optional<SystemTime>& time);

// When a commit's new bytes were begun; NULL: it has none.
std::optional<int64_t> first_ms(const CommitContext& context);
// Of the one extent that a request has; kReplicated where it has none.
Layout layout_of(const Extent* extent);
// As SQL's access_of() packs it; NULL: no version decided.
std::optional<std::string> pack_access(const std::optional<ObjectAccess>& access);
// Six parameters, in the order of the type's fields. A statement turns them to NULL when all are.
void add_conditions(PgParameters& parameters, const Conditions& conditions);
// "case when coalesce($n, ...) ... then row($n, ...)::conditions end" for six parameters from
// `first`.
std::string conditions_expression(int first);

std::optional<int16_t> algorithm_code(const std::optional<model::Checksum>& checksum);
std::optional<int16_t> type_code(const std::optional<model::Checksum>& checksum);
std::optional<std::string> checksum_value(const std::optional<model::Checksum>& checksum);
std::optional<model::Checksum> read_checksum(const PgResult& result, size_t row, int algorithm,
                                             int type, int value);

// The columns of type `outcome` that are read, to stand behind `select`, and their reader.
const std::string& outcome_columns();
// Why a row of a batch was left out; nullopt: it is an outcome.
std::optional<Held> held_of(const PgResult& result, size_t row);
CommitOutcome read_outcome(const PgResult& result, size_t row);

SystemTime from_microseconds(int64_t since_epoch);

}  // namespace rondel::metadata
