// Stores: every seam of one implementation, for who composes a program or tests a contract.
// Everybody else takes the seams it uses.
#pragma once

#include "metadata/store/availability.h"
#include "metadata/store/bucket_store.h"
#include "metadata/store/gc_control.h"
#include "metadata/store/identity_store.h"
#include "metadata/store/key_store.h"
#include "metadata/store/lease.h"
#include "metadata/store/lifecycle_cursors.h"
#include "metadata/store/lifecycle_rechecks.h"
#include "metadata/store/lifecycle_store.h"
#include "metadata/store/listing_store.h"
#include "metadata/store/node_store.h"
#include "metadata/store/object_store.h"
#include "metadata/store/orphan_store.h"
#include "metadata/store/release_queue.h"
#include "metadata/store/restore_store.h"
#include "metadata/store/ring_store.h"
#include "metadata/store/upload_store.h"

namespace rondel::metadata {

// What is referred to outlives it.
struct Stores {
  const Availability& database;
  ObjectStore& objects;
  UploadStore& uploads;
  ListingStore& listing;
  BucketStore& buckets;
  IdentityStore& identities;
  NodeStore& nodes;
  RingStore& ring;
  Lease& lease;
  ReleaseQueue& releases;
  OrphanStore& orphans;
  GcControl& gc;
  RestoreStore& restores;
  LifecycleStore& lifecycle;
  LifecycleCursors& lifecycle_cursors;
  LifecycleRechecks& lifecycle_rechecks;
  KeyStore& keys;
};

}  // namespace rondel::metadata
