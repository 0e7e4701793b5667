// Gate: the bounds of a gateway that requests meet before and beside object bytes, and who is who.
// (The pools of object bytes are the blob store's: gateway/blobs/core.h.)
#pragma once

#include "gateway/admission/party.h"
#include "gateway/admission/pool.h"

namespace rondel::admission {

struct GateOptions {
  uint64_t requests_max = 2048;
  uint64_t document_bytes = 48ull << 20;
  uint64_t listings_max = 2;  // Of the database's connections for them.
};

// Safe for concurrent use.
struct Gate {
  explicit Gate(GateOptions options = {})
      : requests({.bound = Bound::kRequests,
                  .capacity = options.requests_max,
                  .patience = std::chrono::seconds(5)}),
        documents({.bound = Bound::kDocumentBytes, .capacity = options.document_bytes}),
        listings({.bound = Bound::kListings, .capacity = options.listings_max}) {}

  Parties parties;
  Pool requests;
  Pool documents;  // Bodies that are read whole (XML, JSON), and answers of that kind.
  Pool listings;   // Statements that list: who has none under way goes before who has.
};

}  // namespace rondel::admission
