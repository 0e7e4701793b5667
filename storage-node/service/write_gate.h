// WriteGate: may this node take writes of an epoch, or an order of a coordinator, now?
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/model/metadata_generation.h"

namespace rondel::node {

// Where an order to remove comes from.
struct OrderOrigin {
  uint64_t coordinator_token = 0;
  model::MetadataGeneration database;  // That it was decided on, with its newest mark.
  model::MetadataMark verified;        // A mark of this node that was found in it.
  uint64_t number = 0;                 // Of the removal.
};

// The numbers are those of storage.v1.Refusal.
enum class OrderRefusal : uint8_t {
  kNone = 0,
  kDatabase = 1,     // It is older than what the node has seen, another one, or was not compared.
  kCoordinator = 2,  // A higher token was heard of under the same confirmation.
  // No gateway that the node asks has told of what the order shows. One is asked now.
  kUnheard = 4,
};

class WriteGate {
 public:
  virtual ~WriteGate() = default;
  // kPrecondition: the epoch is fenced, or the node has had no ring contact for 10 s. Safe for
  // concurrent use.
  virtual Result<void> check(uint64_t epoch) const = 0;
  // kNone: the order may be carried out; a database that lacks its mark is not recognized from then
  // on. Changes nothing: what a caller says of the database is compared with what gateways have
  // answered, and never remembered.
  virtual OrderRefusal accept_order(const OrderOrigin& order) = 0;
  // Has a gateway told of a removal or restore with this number, or of a later one? One is asked
  // now when not.
  virtual bool heard_of(uint64_t number) = 0;
  // What the node remembers of the database.
  virtual model::MetadataGeneration database_seen() const = 0;
};

}  // namespace rondel::node
