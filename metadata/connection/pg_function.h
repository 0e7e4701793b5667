// A call of one SQL function whose arguments have names: order and number of its parameters are
// known to the function alone, and one with a default need not be given. Internal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "metadata/connection/pg_connection.h"
#include "metadata/connection/pg_rows.h"
#include "metadata/model/object.h"
#include "metadata/store/commit_context.h"

namespace rondel::metadata {

class PgFunction {
 public:
  // select `columns` from `name`(...)
  PgFunction(std::string_view columns, std::string_view name);

  PgFunction& bigint(std::string_view name, std::optional<int64_t> value);
  PgFunction& integer(std::string_view name, int32_t value);
  PgFunction& smallint(std::string_view name, std::optional<int16_t> value);

  template <class Enum>
  PgFunction& choice(std::string_view name, Enum value) {
    return smallint(name, static_cast<int16_t>(value));
  }

  PgFunction& boolean(std::string_view name, bool value);
  PgFunction& text(std::string_view name, std::string_view value);
  PgFunction& bytes(std::string_view name, std::string_view value);
  PgFunction& optional_text(std::string_view name, const std::optional<std::string>& value);
  PgFunction& optional_bytes(std::string_view name, const std::optional<std::string>& value);
  PgFunction& array(std::string_view name, PgArray&& value);
  // `type`: the composite type that the function takes an array of.
  PgFunction& rows(std::string_view name, std::string type, PgRows&& value);
  PgFunction& conditions(std::string_view name, const Conditions& value);
  PgFunction& copy_source(std::string_view name, const CopySource& value);
  PgFunction& attributes(std::string_view name, const Attributes& value);
  // One of each row, in the order given; left out when there are none in any.
  PgFunction& attribute_sets(std::string_view name, const std::vector<const Attributes*>& rows);

  // The call is rolled back, and answers kPermissionDenied, when something was taken from
  // credentials since that epoch, whenever it has its locks. 0: nobody's.
  PgFunction& under(int64_t credential_epoch);

  // Once. Rows that are not the type's fail it: kDidNotHappen, kInternal.
  Committed<PgResult> run(PgConnection& connection, Deadline until,
                          AtDeadline at_deadline = AtDeadline::kLeave);

 private:
  struct Rows {
    size_t parameter;  // Its index.
    std::string type;
    PgRows value;
  };

  // Begins an argument, and returns "$n" of the next parameter.
  std::string begin(std::string_view name);
  PgFunction& end(std::string_view name, std::string_view type);

  std::string next_parameter() const { return "$" + std::to_string(parameters_.size() + 1); }

  std::string columns_;
  std::string sql_;  // From the function's name on.
  bool first_ = true;
  int64_t credential_epoch_ = 0;
  PgParameters parameters_;
  std::vector<Rows> rows_;
};

}  // namespace rondel::metadata
