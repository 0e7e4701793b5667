// Generations of the database as statements answer and take them. Internal to metadata/postgres.
#pragma once

#include "common/model/metadata_generation.h"
#include "metadata/connection/pg_connection.h"

namespace rondel::metadata {

// accepted, system, newest mark: from garbage_collection g.
inline constexpr const char* kGeneration = R"(
    g.accepted, (select system_identifier from pg_control_system()), m.counter, m.value
  from garbage_collection g
  left join lateral (
    select counter, value from cluster_marks order by counter desc limit 1) m on true)";

// Those four columns, from `first` on; without a heartbeat's number.
model::MetadataGeneration generation_of(const PgResult& row, int first);
// accepted, system, counter, value, beat.
void add_generation(PgParameters& parameters, const model::MetadataGeneration& seen);

}  // namespace rondel::metadata
