#include "metadata/connection/pg_generation.h"

namespace rondel::metadata {

model::MetadataGeneration generation_of(const PgResult& row, int first) {
  const auto number = [&](int column) -> uint64_t {
    if (row.is_null(0, first + column)) return 0;
    return static_cast<uint64_t>(row.bigint(0, first + column));
  };
  return {number(0), number(1), {number(2), number(3)}, 0};
}

void add_generation(PgParameters& parameters, const model::MetadataGeneration& seen) {
  const auto& [counter, value] = seen.mark;
  for (const uint64_t number : {seen.accepted, seen.system, counter, value, seen.beat}) {
    parameters.add(static_cast<int64_t>(number));
  }
}

}  // namespace rondel::metadata
