// MetadataGeneration and its mark to and from messages.
#pragma once

#include "common/model/metadata_generation.h"
#include "proto/storage/v1/storage.pb.h"

namespace rondel::transfer {

inline storage::v1::MetadataMark to_wire(const model::MetadataMark& mark) {
  storage::v1::MetadataMark out;
  out.set_counter(mark.counter);
  out.set_value(mark.value);
  return out;
}

inline storage::v1::MetadataGeneration to_wire(const model::MetadataGeneration& generation) {
  storage::v1::MetadataGeneration out;
  out.set_accepted(generation.accepted);
  out.set_system(generation.system);
  *out.mutable_mark() = to_wire(generation.mark);
  out.set_beat(generation.beat);
  return out;
}

inline model::MetadataMark from_wire(const storage::v1::MetadataMark& mark) {
  return {mark.counter(), mark.value()};
}

inline model::MetadataGeneration from_wire(const storage::v1::MetadataGeneration& generation) {
  return {generation.accepted(), generation.system(), from_wire(generation.mark()),
          generation.beat()};
}

}  // namespace rondel::transfer
