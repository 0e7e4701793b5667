// Messages that grow with the cluster stay below what their receiver takes: docs/formats/wire.md.
#include <gtest/gtest.h>

#include <deque>
#include <functional>

#include "proto/cluster/v1/cluster.pb.h"
#include "storage-node/service/storage_service.h"
#include "transfer/grpc/frame_stream.hpp"

namespace rondel::node {
namespace {

namespace storage = rondel::storage::v1;
namespace cluster = rondel::cluster::v1;

constexpr size_t kUsualBytes = 4 << 20;  // What gRPC takes when nobody says otherwise.

// Every number at its longest; bytes as long as ids are, texts as long as they may be.
void fill(google::protobuf::Message& message, size_t text_bytes) {
  const auto* reflection = message.GetReflection();
  const auto* type = message.GetDescriptor();
  using Field = google::protobuf::FieldDescriptor;
  for (int i = 0; i < type->field_count(); ++i) {
    const Field* field = type->field(i);
    if (field->is_repeated()) continue;
    switch (field->cpp_type()) {
      case Field::CPPTYPE_UINT64: reflection->SetUInt64(&message, field, UINT64_MAX); break;
      case Field::CPPTYPE_INT64: reflection->SetInt64(&message, field, -1); break;
      case Field::CPPTYPE_UINT32: reflection->SetUInt32(&message, field, UINT32_MAX); break;
      case Field::CPPTYPE_BOOL: reflection->SetBool(&message, field, true); break;
      case Field::CPPTYPE_ENUM: reflection->SetEnumValue(&message, field, 1); break;
      case Field::CPPTYPE_MESSAGE:
        fill(*reflection->MutableMessage(&message, field), text_bytes);
        break;
      case Field::CPPTYPE_STRING:
        reflection->SetString(
            &message, field,
            std::string(field->type() == Field::TYPE_BYTES ? 16 : text_bytes, 'x'));
        break;
      default: FAIL() << field->full_name();
    }
  }
}

template <class Item>
void add(google::protobuf::RepeatedPtrField<Item>& to, size_t count, size_t text_bytes) {
  for (size_t i = 0; i < count; ++i) fill(*to.Add(), text_bytes);
}

TEST(MessageBounds, EachStaysBelowItsReceivers) {
  constexpr size_t kText = 255;

  struct Case {
    const char* name;
    size_t bytes_max;
    std::function<size_t()> bytes;
  };

  const Case cases[] = {
      {"journal", kUsualBytes,
       [] {
         storage::JournalBatch batch;
         add(*batch.mutable_entries(), kJournalEntriesMax, kText);
         return batch.ByteSizeLong();
       }},
      {"list", kUsualBytes,
       [] {
         storage::BlobList list;
         add(*list.mutable_blobs(), kListEntries, kText);
         return list.ByteSizeLong();
       }},
      {"removal", size_t{transfer::kMessageBytesAccepted},
       [] {
         storage::DeleteBlobsRequest request;
         fill(request, kText);
         for (int i = 0; i < kDeleteBlobsMax; ++i) request.add_blob_ids(std::string(16, 'x'));
         return request.ByteSizeLong();
       }},
      {"restore", size_t{transfer::kMessageBytesAccepted},
       [] {
         storage::RestoreBlobsRequest request;
         fill(request, kText);
         for (int i = 0; i < kDeleteBlobsMax; ++i) request.add_blob_ids(std::string(16, 'x'));
         return request.ByteSizeLong();
       }},
      {"status", kUsualBytes,
       [] {
         storage::StatusReply reply;
         add(*reply.mutable_disks(), 10'000, kText);
         return reply.ByteSizeLong();
       }},
      {"heartbeat", kUsualBytes,
       [] {
         cluster::HeartbeatRequest request;
         fill(request, kText);
         add(*request.mutable_disks(), 10'000, kText);
         return request.ByteSizeLong();
       }},
      {"heartbeat reply", size_t{48} << 20,
       [] {
         cluster::HeartbeatReply reply;
         fill(reply, 4096);
         add(*reply.mutable_peers(), 65'535, kText);
         for (int i = 0; i < 10'000; ++i) reply.add_purging_disks(std::string(16, 'x'));
         for (int i = 0; i < 64; ++i) reply.mutable_rings_offer()->add_bytes(UINT64_MAX);
         return reply.ByteSizeLong();
       }},
      {"piece of rings", kUsualBytes,
       [] {
         cluster::ReadRingsReply reply;
         reply.set_piece(std::string(1 << 20, 'x'));
         return reply.ByteSizeLong();
       }},
      {"frames", size_t{transfer::kMessageBytesAccepted},
       [] {
         std::deque<transfer::Frame> frames;
         for (int i = 0; i < 10; ++i) {
           frames.push_back(
               {.meta = std::string(transfer::kMetaBytesMax, 'x'),
                .body = ByteSlice::copy_of(as_bytes(std::string(transfer::kBodyBytesMax, 'x')))});
         }
         return transfer::take_message(frames).Length();
       }},
  };
  for (const Case& c : cases) EXPECT_LE(c.bytes(), c.bytes_max) << c.name;
}

}  // namespace
}  // namespace rondel::node
