// What every BlobTransport must do (transfer/blob_transport.h), run against each implementation.
#include <gtest/gtest.h>

#include "common/async/event_loop.h"
#include "tests/contract/blob_transport/cluster_under_test.h"
#include "tests/unit/storage-node/engine/engine_fixture.h"

namespace rondel::transfer {
namespace {

using namespace std::chrono_literals;
using engine::make_bytes;
using engine::make_id;

// Far beyond what anything here takes; a time-out means a lost answer.
constexpr auto kPatience = 60s;

Piece piece_of(const model::BlobId& id, const ByteSlice& bytes, uint64_t offset, uint64_t length) {
  const ByteSlice part = bytes.sub(offset, length);
  return {part, offset,
          hash::block_digests(id, static_cast<uint32_t>(offset / model::kBlockBytes), part.view())};
}

Piece whole_of(const model::BlobId& id, size_t size) {
  return piece_of(id, make_bytes(id, size), 0, size);
}

hash::BlobDigest digest_of(const model::BlobId& id, const ByteSlice& bytes) {
  return hash::blob_digest(hash::block_digests(id, 0, bytes.view()));
}

PutOptions put_options() {
  return {.ring_epoch = 7, .created_at = real_clock().now(), .deadline = deadline_in(kPatience)};
}

class BlobTransportContract
    : public ::testing::TestWithParam<std::unique_ptr<ClusterUnderTest> (*)()> {
 protected:
  BlobTransport& transport() { return cluster_->transport(); }

  DiskAddress disk(int node = 0) { return cluster_->disk(node); }

  async::Task<Result<void>> upload(DiskAddress to, model::BlobId id, size_t size,
                                   PutOptions options) {
    const ByteSlice bytes = make_bytes(id, size);
    auto upload = transport().start_put(to, id, size, options);
    for (uint64_t at = 0; at < size; at += model::kPieceBytes) {
      CO_TRY_VOID(co_await upload->send(
          piece_of(id, bytes, at, std::min<uint64_t>(model::kPieceBytes, size - at))));
    }
    co_return co_await upload->finish(size, digest_of(id, bytes));
  }

  Result<void> put(const model::BlobId& id, size_t size, PutOptions options = put_options(),
                   int node = 0) {
    if (size > model::kPieceBytes) return async::block_on(upload(disk(node), id, size, options));
    return async::block_on(transport().put(disk(node), id, options, whole_of(id, size)));
  }

  // What comes, checked to be whole consecutive blocks with their digests, cut to the range asked
  // for.
  async::Task<Result<std::string>> download(DiskAddress from, model::BlobId id, uint64_t offset,
                                            uint64_t length) {
    auto download =
        transport().start_get(from, id, offset, length, {.deadline = deadline_in(kPatience)});
    std::string all;
    const uint64_t first = offset / model::kBlockBytes * model::kBlockBytes;
    uint64_t reached = offset;
    for (;;) {
      CO_TRY(const Piece piece, co_await download->next(deadline_in(kPatience)));
      if (piece.bytes.empty()) break;
      EXPECT_EQ(piece.offset, reached / model::kBlockBytes * model::kBlockBytes);
      EXPECT_LE(piece.bytes.size(), model::kPieceBytes);
      EXPECT_EQ(hash::block_digests(id, static_cast<uint32_t>(piece.offset / model::kBlockBytes),
                                    piece.bytes.view()),
                piece.digests);
      all.resize(piece.offset - first);
      all += as_text(piece.bytes.view());
      reached = std::min(piece.offset + piece.bytes.size(), offset + length);
    }
    if (reached != offset + length) {
      co_return fail(ErrorCode::kInternal, "the pieces do not cover the range");
    }
    const Result<Piece> again = co_await download->next(deadline_in(kPatience));
    EXPECT_TRUE(again && again->bytes.empty()) << "the end is said again";
    co_return all.substr(offset - first, length);
  }

  Result<std::string> get(const model::BlobId& id, uint64_t offset, uint64_t length, int node = 0) {
    return async::block_on(download(disk(node), id, offset, length));
  }

  Result<BlobStat> stat(const model::BlobId& id, int node = 0) {
    return async::block_on(transport().stat(disk(node), id, deadline_in(kPatience)));
  }

  void expect_absent(const model::BlobId& id) {
    EXPECT_EQ(stat(id).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(get(id, 0, 1).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(get(id, 0, model::kChunkBytes).error().code, ErrorCode::kNotFound);
  }

  std::unique_ptr<ClusterUnderTest> cluster_ = GetParam()();
};

TEST_P(BlobTransportContract, BlobsOfEverySizeComeBackWholeAndInRanges) {
  const std::vector<size_t> sizes{1,
                                  4095,
                                  65'536,
                                  65'537,
                                  model::kPieceBytes,
                                  model::kPieceBytes + 1,
                                  1'000'000,
                                  model::kChunkBytes};
  for (size_t i = 0; i < sizes.size(); ++i) {
    const size_t size = sizes[i];
    const auto id = make_id(i);
    ASSERT_TRUE(put(id, size)) << size;
    const std::string bytes(as_text(make_bytes(id, size).view()));
    EXPECT_TRUE(get(id, 0, size).value() == bytes) << size;
    for (const auto& [offset, length] : std::vector<std::pair<uint64_t, uint64_t>>{
             {size - 1, 1},
             {0, 1},
             {size / 3, size - size / 3},
             {size / 2, std::min<uint64_t>(70'000, size - size / 2)}}) {
      EXPECT_TRUE(get(id, offset, length).value() == bytes.substr(offset, length))
          << size << " at " << offset << " + " << length;
    }
    const auto known = stat(id).value();
    EXPECT_EQ(known.length, size);
    EXPECT_EQ(known.digest, digest_of(id, make_bytes(id, size)));
    EXPECT_TRUE(known.handoff_for.is_zero());
  }
}

// Short ranges that touch five blocks: with their blocks they are longer than a piece. Twice, the
// second time out of the cache.
TEST_P(BlobTransportContract, ShortRangesOverTwoPiecesComeBack) {
  const size_t size = 1'000'000;
  ASSERT_TRUE(put(make_id(1), size));
  const std::string bytes(as_text(make_bytes(make_id(1), size).view()));
  for (int round = 0; round < 2; ++round) {
    for (const uint64_t offset : {1ul, 50'000ul, 65'535ul, 200'000ul, 262'143ul, 500'001ul}) {
      for (const uint64_t length : {200'000ul, 243'670ul, 262'143ul, 262'144ul}) {
        const auto got = get(make_id(1), offset, length);
        ASSERT_TRUE(got) << offset << " + " << length << ": " << got.error().message;
        EXPECT_TRUE(*got == bytes.substr(offset, length)) << offset << " + " << length;
      }
    }
  }
}

TEST_P(BlobTransportContract, DisksAreApart) {
  ASSERT_TRUE(put(make_id(1), 100, put_options(), 1));
  expect_absent(make_id(1));
  EXPECT_TRUE(get(make_id(1), 0, 100, 1));
}

TEST_P(BlobTransportContract, AHandoffCopySaysSo) {
  auto options = put_options();
  options.handoff_for = model::DiskId::random();
  ASSERT_TRUE(put(make_id(1), 100, options));
  ASSERT_TRUE(put(make_id(2), 1'000'000, options));
  EXPECT_EQ(stat(make_id(1))->handoff_for, options.handoff_for);
  EXPECT_EQ(stat(make_id(2))->handoff_for, options.handoff_for);
}

TEST_P(BlobTransportContract, TheSameBlobTwiceIsFineAnotherUnderItsIdIsNot) {
  for (const size_t size : {size_t{100}, size_t{1'000'000}}) {
    const auto id = make_id(size);
    ASSERT_TRUE(put(id, size));
    EXPECT_TRUE(put(id, size));
    EXPECT_EQ(put(id, size - 1).error().code, ErrorCode::kAlreadyExists);
    EXPECT_EQ(get(id, 0, size).value(), as_text(make_bytes(id, size).view()));
  }
}

// A copy that was on its way when the stream was judged, or that a peer or a client sends again.
TEST_P(BlobTransportContract, ARemovedBlobIsRefusedWhenItIsWrittenAgain) {
  constexpr uint64_t kOrder = 5;
  uint64_t number = 0;
  for (const size_t size : {size_t{100}, size_t{1'000'000}}) {
    for (const bool was_there : {true, false}) {
      SCOPED_TRACE(std::to_string(size) + (was_there ? " bytes, was there" : " bytes, never came"));
      const auto id = make_id(++number);
      const auto neighbour = make_id(++number);
      if (was_there) ASSERT_TRUE(put(id, size));
      cluster_->remove(0, id, kOrder);
      auto options = put_options();
      options.fresh = !was_there;  // The first that this disk sees of it.
      for (const uint64_t order : {uint64_t{0}, kOrder - 1, kOrder}) {
        options.order = order;
        EXPECT_EQ(put(id, size, options).error().code, ErrorCode::kNotFound) << order;
        options.fresh = false;
        options.handoff_for = order == 0 ? model::DiskId::random() : model::DiskId{};
        const auto known = stat(id);
        ASSERT_TRUE(known) << known.error().message;
        EXPECT_TRUE(known->removed);
        EXPECT_EQ(known->order, kOrder);
      }
      EXPECT_TRUE(put(neighbour, size)) << "another blob is not concerned";
      EXPECT_TRUE(put(id, size, put_options(), 1)) << "nor is another disk";
      options.order = kOrder + 1;
      EXPECT_TRUE(put(id, size, options)) << "it was taken back since";
      EXPECT_FALSE(stat(id)->removed);
      EXPECT_EQ(get(id, 0, size).value(), as_text(make_bytes(id, size).view()));
    }
  }
}

TEST_P(BlobTransportContract, BytesThatDoNotMatchTheirDigestsAreRefused) {
  Piece small = whole_of(make_id(1), 5000);
  small.digests[0] ^= 1;
  EXPECT_EQ(async::block_on(transport().put(disk(), make_id(1), put_options(), small)).error().code,
            ErrorCode::kCorruption);
  expect_absent(make_id(1));
  const auto misdirected = whole_of(make_id(2), 5000);
  EXPECT_EQ(
      async::block_on(transport().put(disk(), make_id(3), put_options(), misdirected)).error().code,
      ErrorCode::kCorruption);
  expect_absent(make_id(3));
}

async::Task<Result<void>> damaged_upload(BlobTransport& transport, DiskAddress to, model::BlobId id,
                                         bool piece, bool total) {
  const ByteSlice bytes = make_bytes(id, 1'000'000);
  auto upload = transport.start_put(to, id, bytes.size(), put_options());
  for (uint64_t at = 0; at < bytes.size(); at += model::kPieceBytes) {
    Piece next = piece_of(id, bytes, at, std::min<uint64_t>(model::kPieceBytes, bytes.size() - at));
    if (piece && at == model::kPieceBytes) next.digests[1] ^= 1;
    CO_TRY_VOID(co_await upload->send(std::move(next)));
  }
  auto digest = digest_of(id, bytes);
  if (total) digest.low ^= 1;
  co_return co_await upload->finish(bytes.size(), digest);
}

TEST_P(BlobTransportContract, ADamagedUploadIsRefusedAndInvisible) {
  EXPECT_EQ(
      async::block_on(damaged_upload(transport(), disk(), make_id(1), true, false)).error().code,
      ErrorCode::kCorruption);
  EXPECT_EQ(
      async::block_on(damaged_upload(transport(), disk(), make_id(2), false, true)).error().code,
      ErrorCode::kCorruption);
  expect_absent(make_id(1));
  expect_absent(make_id(2));
}

async::Task<Result<void>> short_upload(BlobTransport& transport, DiskAddress to, model::BlobId id,
                                       bool finish) {
  const ByteSlice bytes = make_bytes(id, model::kPieceBytes);
  auto upload = transport.start_put(to, id, 1'000'000, put_options());
  CO_TRY_VOID(co_await upload->send(piece_of(id, bytes, 0, bytes.size())));
  if (!finish) co_return Result<void>{};
  co_return co_await upload->finish(bytes.size(), digest_of(id, bytes));
}

TEST_P(BlobTransportContract, AnUnfinishedUploadLeavesNothing) {
  EXPECT_TRUE(async::block_on(short_upload(transport(), disk(), make_id(1), false)));
  expect_absent(make_id(1));
  EXPECT_FALSE(async::block_on(short_upload(transport(), disk(), make_id(2), true)))
      << "shorter than announced";
  expect_absent(make_id(2));
  EXPECT_TRUE(put(make_id(1), 1'000'000)) << "its id is free";
}

TEST_P(BlobTransportContract, AFencedEpochIsRefused) {
  cluster_->fence(8);
  EXPECT_EQ(put(make_id(1), 100).error().code, ErrorCode::kPrecondition);
  EXPECT_EQ(put(make_id(2), 1'000'000).error().code, ErrorCode::kPrecondition);
  expect_absent(make_id(1));
  expect_absent(make_id(2));
  auto options = put_options();
  options.ring_epoch = 8;
  EXPECT_TRUE(put(make_id(1), 100, options));
}

TEST_P(BlobTransportContract, DamagedBytesAreNeverHandedOut) {
  for (const size_t size : {size_t{100'000}, size_t{1'000'000}}) {
    const auto id = make_id(size);
    ASSERT_TRUE(put(id, size));
    cluster_->rot(0, id, 70'000);
    EXPECT_EQ(get(id, 0, size).error().code, ErrorCode::kCorruption);
    EXPECT_TRUE(get(id, 0, 65'536)) << "other blocks are whole";
    EXPECT_TRUE(put(id, size)) << "a damaged copy is written again";
    EXPECT_EQ(get(id, 0, size).value(), as_text(make_bytes(id, size).view()));
  }
}

TEST_P(BlobTransportContract, ARangeOutsideTheBlobIsRefused) {
  ASSERT_TRUE(put(make_id(1), 100));
  EXPECT_EQ(get(make_id(1), 100, 1).error().code, ErrorCode::kOutOfRange);
  EXPECT_EQ(get(make_id(1), 0, 101).error().code, ErrorCode::kOutOfRange);
}

TEST_P(BlobTransportContract, UnknownDisksAndNodesAreUnavailable) {
  const DiskAddress nowhere{disk().node, model::DiskId::random()};
  const DiskAddress nobody{model::NodeId::random(), disk().disk};
  for (const DiskAddress& address : {nowhere, nobody}) {
    EXPECT_EQ(async::block_on(
                  transport().put(address, make_id(1), put_options(), whole_of(make_id(1), 10)))
                  .error()
                  .code,
              ErrorCode::kUnavailable);
    EXPECT_EQ(async::block_on(upload(address, make_id(2), 1'000'000, put_options())).error().code,
              ErrorCode::kUnavailable);
    EXPECT_EQ(async::block_on(download(address, make_id(1), 0, 10)).error().code,
              ErrorCode::kUnavailable);
    EXPECT_EQ(
        async::block_on(transport().stat(address, make_id(1), deadline_in(kPatience))).error().code,
        ErrorCode::kUnavailable);
  }
}

TEST_P(BlobTransportContract, ANodeThatIsGoneIsUnavailableAndServesAgainWhenItIsBack) {
  ASSERT_TRUE(put(make_id(1), 100));
  ASSERT_TRUE(put(make_id(2), 1'000'000));
  cluster_->stop(0);
  EXPECT_EQ(get(make_id(1), 0, 100).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(put(make_id(3), 100).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(put(make_id(4), 1'000'000).error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(put(make_id(3), 100, put_options(), 1)) << "the other node is not concerned";
  cluster_->start(0);
  const Deadline limit = deadline_in(kPatience);
  while (!get(make_id(1), 0, 100) && std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_TRUE(get(make_id(1), 0, 100));
  while (!get(make_id(2), 0, 1'000'000) && std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_TRUE(get(make_id(2), 0, 1'000'000));
  EXPECT_EQ(stat(make_id(4)).error().code, ErrorCode::kNotFound);
}

async::Task<Result<Piece>> first_piece(BlobTransport& transport, DiskAddress from, model::BlobId id,
                                       Deadline step) {
  auto download = transport.start_get(from, id, 0, 10, {.deadline = deadline_in(kPatience)});
  co_return co_await download->next(step);
}

// A connection that does not come about may be known to be none before the deadline.
bool gave_up(const Error& error) {
  return error.code == ErrorCode::kDeadlineExceeded || error.code == ErrorCode::kUnavailable;
}

TEST_P(BlobTransportContract, ASilentNodeCostsTheDeadlineNotMore) {
  cluster_->silence(0);
  auto options = put_options();
  options.deadline = deadline_in(200ms);
  EXPECT_TRUE(gave_up(put(make_id(1), 100, options).error()));
  options.deadline = deadline_in(200ms);
  EXPECT_TRUE(gave_up(put(make_id(2), 4'000'000, options).error()));
  EXPECT_TRUE(
      gave_up(async::block_on(transport().stat(disk(), make_id(1), deadline_in(200ms))).error()));
  EXPECT_TRUE(gave_up(
      async::block_on(first_piece(transport(), disk(), make_id(1), deadline_in(200ms))).error()));
}

async::Task<int> many(BlobTransport& transport, DiskAddress disk, int count) {
  int open = count;
  int good = 0;
  auto one = [](BlobTransport& t, DiskAddress to, uint64_t n, int& left,
                int& ok) -> async::Task<void> {
    const auto id = make_id(n);
    const size_t size = 1 + n * 977 % model::kPieceBytes;
    const auto written = co_await t.put(to, id, put_options(), whole_of(id, size));
    auto download = t.start_get(to, id, 0, size, {.deadline = deadline_in(kPatience)});
    const auto piece = co_await download->next(deadline_in(kPatience));
    if (written && piece && as_text(piece->bytes.view()) == as_text(make_bytes(id, size).view())) {
      ++ok;
    }
    --left;
  };
  for (int i = 0; i < count; ++i) {
    async::spawn(*async::EventLoop::current(),
                 one(transport, disk, static_cast<uint64_t>(i + 1), open, good));
  }
  while (open > 0) co_await async::sleep_for(1ms);
  co_return good;
}

TEST_P(BlobTransportContract, ManyRequestsShareAConnection) {
  EXPECT_EQ(async::block_on(many(transport(), disk(), 300)), 300);
}

async::Task<bool> small_beside_bulk(BlobTransport& transport, DiskAddress disk) {
  const auto big = make_id(1);
  const ByteSlice bytes = make_bytes(big, model::kChunkBytes);
  // Large transfers in both directions that stand still.
  auto upload = transport.start_put(disk, make_id(2), model::kChunkBytes, put_options());
  auto download =
      transport.start_get(disk, big, 0, model::kChunkBytes, {.deadline = deadline_in(kPatience)});
  auto abandoned =
      transport.start_get(disk, big, 0, model::kChunkBytes, {.deadline = deadline_in(kPatience)});
  if (!co_await download->next(deadline_in(kPatience)) ||
      !co_await abandoned->next(deadline_in(kPatience))) {
    co_return false;
  }
  abandoned.reset();
  const auto small =
      co_await transport.put(disk, make_id(3), put_options(), whole_of(make_id(3), 100));
  auto rest = Result<Piece>(Piece{});
  uint64_t got = model::kPieceBytes;
  do {
    rest = co_await download->next(deadline_in(kPatience));
    if (rest) got += rest->bytes.size();
  } while (rest && !rest->bytes.empty());
  co_return small.has_value() && got == model::kChunkBytes;
}

TEST_P(BlobTransportContract, SmallRequestsDoNotWaitForLargeTransfersThatStandStill) {
  ASSERT_TRUE(put(make_id(1), model::kChunkBytes));
  EXPECT_TRUE(async::block_on(small_beside_bulk(transport(), disk())));
  expect_absent(make_id(2));
}

INSTANTIATE_TEST_SUITE_P(Memory, BlobTransportContract, ::testing::Values(&make_memory_cluster));
INSTANTIATE_TEST_SUITE_P(Grpc, BlobTransportContract, ::testing::Values(&make_grpc_cluster));

}  // namespace
}  // namespace rondel::transfer
