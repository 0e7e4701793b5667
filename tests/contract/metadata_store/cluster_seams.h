// The seams of a cluster's database, of whichever implementation a contract is run on.
#pragma once

#include "metadata/store/stores.h"

namespace rondel::metadata {

struct ClusterSeams {
  explicit ClusterSeams(const Stores& of)
      : nodes(of.nodes),
        ring(of.ring),
        lease(of.lease),
        releases(of.releases),
        orphans(of.orphans),
        gc(of.gc),
        restores(of.restores) {}
  // One that implements all of them.
  template <class Store>
    requires(!std::is_same_v<std::remove_const_t<Store>, Stores>)
  explicit ClusterSeams(Store& all)
      : nodes(all), ring(all), lease(all), releases(all), orphans(all), gc(all), restores(all) {}

  NodeStore& nodes;
  RingStore& ring;
  Lease& lease;
  ReleaseQueue& releases;
  OrphanStore& orphans;
  GcControl& gc;
  RestoreStore& restores;
};

}  // namespace rondel::metadata
