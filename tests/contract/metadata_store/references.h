// What must hold of references to streams whenever no transaction is open.
#pragma once

#include <set>
#include <string>

#include "common/model/ids.h"
#include "metadata/connection/pg_connection.h"

namespace rondel::metadata {

// One line for each of `streams` (that some commit brought in) of which this does not hold; empty:
// it holds of all.
// - Something refers to it: it is not in the queue of released streams, and shared_streams counts
// its references when there are several, or
//   says one, or has no row; a row that says "not shared" is the only reference and nothing is
//   counted.
// - Nothing refers to it: it is in the queue once, and nothing is counted.
// Of `refused`, which no commit brought in, there is nothing anywhere. Extents count as references
// when a version with several has their manifest, and such a version has as many as it says.
inline std::string broken_references(PgConnection& connection,
                                     const std::set<model::StreamId>& streams,
                                     const std::set<model::StreamId>& refused = {}) {
  constexpr const char* kSql = R"(
    with asked as materialized (select unnest($1::bytea[]) as s, true as known
      union all select unnest($2::bytea[]), false),
    heads as materialized (select * from objects union all select * from versions),
    refs as (
      select stream, count(*) as n, bool_or(alone) as alone from (
        select stream, not shared as alone from heads where extent_count = 1
        union all select e.stream, false from object_extents e
          join heads h on h.manifest = e.manifest and h.extent_count > 1
        union all select stream, false from upload_extents) r
      where stream in (select s from asked) group by stream),
    queue as (select stream, count(*) as n from released_streams
      where stream in (select s from asked) group by stream),
    judged as (
      select a.s, a.known, coalesce(r.n, 0) as refs, coalesce(r.alone, false) as alone,
        c.refs as counted, coalesce(q.n, 0) as queued
      from asked a left join refs r on r.stream = a.s left join queue q on q.stream = a.s
        left join shared_streams c on c.stream = a.s),
    lines as (
      select format('stream %s: %s references, counted %s, alone %s, released %s times',
                    encode(s, 'hex'), refs, counted, alone, queued) as line
      from judged where case
        when not known then refs <> 0 or queued <> 0 or counted is not null
        when refs = 0 then queued <> 1 or counted is not null
        when refs = 1 then
          queued <> 0 or coalesce(counted, 1) <> 1 or (alone and counted is not null)
        else queued <> 0 or alone or counted is distinct from refs end
      union all
      select format('version %s of %s has %s extents and says %s', encode(h.version, 'hex'),
                    convert_from(h.key, 'UTF8'), count(e.*), h.extent_count)
      from heads h left join object_extents e on e.manifest = h.manifest
      where h.extent_count > 1
      group by h.bucket_id, h.key, h.version, h.extent_count having count(e.*) <> h.extent_count)
    select coalesce(string_agg(line, E'\n'), '') from lines)";
  PgParameters parameters;
  for (const auto* some : {&streams, &refused}) {
    PgArray ids(PgArray::Element::kBytes, some->size());
    for (const model::StreamId& stream : *some) ids.add_bytes(as_text(stream.view()));
    std::move(ids).move_into(parameters);
  }
  const auto answer = connection.run(kSql, parameters, deadline_in(std::chrono::seconds(60)));
  return answer ? answer->text(0, 0) : answer.error().message;
}

}  // namespace rondel::metadata
