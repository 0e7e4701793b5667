#include "gateway/request/encrypted_streams.h"

#include <deque>

#include "common/crypto/secret.h"
#include "gateway/blobs/blob_store.h"
#include "kms/frames.h"

namespace rondel::request {
namespace {

using blobs::StreamRange;
using blobs::WrittenStream;

class EncryptingWriter final : public blobs::StreamWriter {
 public:
  EncryptingWriter(std::unique_ptr<blobs::StreamWriter> inner, const crypto::Secret& data_key,
                   std::optional<uint64_t> size)
      : inner_(std::move(inner)), sealer_(data_key, inner_->leftovers().id, size) {}

  async::Task<Result<void>> write(ByteView bytes) override {
    while (!bytes.empty()) {
      CO_TRY(const ByteView frame, sealer_.seal(bytes));
      if (!frame.empty()) CO_TRY_VOID(co_await inner_->write(frame));
    }
    co_return Result<void>{};
  }

  async::Task<Result<WrittenStream>> finish() override {
    CO_TRY(const ByteView frame, sealer_.finish());
    if (!frame.empty()) CO_TRY_VOID(co_await inner_->write(frame));
    co_return co_await inner_->finish();
  }

  WrittenStream leftovers() const override { return inner_->leftovers(); }

 private:
  std::unique_ptr<blobs::StreamWriter> inner_;
  kms::FrameSealer sealer_;
};

class DecryptingReader final : public blobs::StreamReader {
 public:
  DecryptingReader(crypto::Secret data_key, std::deque<StreamRange> ranges,
                   std::unique_ptr<blobs::StreamReader> inner)
      : data_key_(std::move(data_key)), ranges_(std::move(ranges)), inner_(std::move(inner)) {}

  void on_give_way(std::function<void()> told) override { inner_->on_give_way(std::move(told)); }

  async::Task<Result<ByteSlice>> next() override {
    for (;;) {
      if (!opener_ || opener_->stored_left() == 0) {
        // What is left of the range that ended.
        if (opener_) {
          ByteView nothing;
          CO_TRY(ByteSlice rest, opener_->open(nothing));
          if (!rest.empty()) co_return rest;
        }
        if (ranges_.empty()) co_return ByteSlice{};
        const StreamRange& range = ranges_.front();
        opener_.emplace(data_key_, range.stream, range.stream_size, range.offset, range.length);
        ranges_.pop_front();
      }
      if (pending_.empty()) {
        CO_TRY(piece_, co_await inner_->next());
        if (piece_.empty()) co_return fail(ErrorCode::kCorruption, "the stored stream ended early");
        pending_ = piece_.view();
      }
      CO_TRY(ByteSlice plaintext, opener_->open(pending_));
      if (!plaintext.empty()) co_return plaintext;
    }
  }

 private:
  const crypto::Secret data_key_;
  std::deque<StreamRange> ranges_;  // Still to be begun.
  std::unique_ptr<blobs::StreamReader> inner_;
  std::optional<kms::FrameOpener> opener_;
  ByteSlice piece_;
  ByteView pending_;  // Of piece_.
};

}  // namespace

std::unique_ptr<blobs::StreamWriter> make_encrypting_writer(
    std::unique_ptr<blobs::StreamWriter> inner, const crypto::Secret& data_key,
    std::optional<uint64_t> size) {
  return std::make_unique<EncryptingWriter>(std::move(inner), data_key, size);
}

Result<std::unique_ptr<blobs::StreamReader>> make_decrypting_reader(blobs::BlobStore& store,
                                                                    const crypto::Secret& data_key,
                                                                    std::vector<StreamRange> ranges,
                                                                    Deadline deadline,
                                                                    admission::PartyRef payer) {
  std::deque<StreamRange> plaintext;
  std::vector<StreamRange> stored;
  for (const StreamRange& range : ranges) {
    if (range.length == 0) continue;
    TRY(const kms::StoredRange where,
        kms::stored_range(range.stream_size, range.offset, range.length));
    plaintext.push_back(range);
    stored.push_back({range.stream, range.stream_size, where.offset, where.length});
  }
  return std::make_unique<DecryptingReader>(
      data_key, std::move(plaintext),
      store.open_reader(std::move(stored), deadline, std::move(payer)));
}

}  // namespace rondel::request
