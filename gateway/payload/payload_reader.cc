#include "gateway/payload/payload_reader.h"

#include "common/async/turn.h"
#include "common/base/numbers.h"
#include "gateway/payload/aws_chunked.h"
#include "gateway/payload/promised_digests.h"

namespace rondel::payload {
namespace {

PayloadError from_transport(const Error& error) {
  switch (error.code) {
    case ErrorCode::kDeadlineExceeded:
      return {PayloadRefusal::kTimeout,
              "Your socket connection to the server was not read from or written to within the "
              "timeout period. Idle connections will be closed.",
              {}};
    case ErrorCode::kInvalidArgument: return {PayloadRefusal::kMalformedChunk, error.message, {}};
    default:
      return {PayloadRefusal::kIncompleteBody,
              "You did not provide the number of bytes specified by the Content-Length HTTP header",
              {}};
  }
}

bool is_streaming(signature::PayloadForm form) {
  return form != signature::PayloadForm::kHash && form != signature::PayloadForm::kUnsigned;
}

// A body of chunks of a byte each comes in as many runs, of which a buffer holds tens of thousands:
// others come between.
constexpr size_t kSmallRunBytes = 4096;
constexpr uint32_t kSmallRunsInTurn = 256;

class Reader final : public PayloadReader {
 public:
  Reader(http::Exchange& exchange, const signature::Identity& identity,
         const PayloadOptions& options, PromisedDigests digests)
      : exchange_(exchange), size_max_(options.size_max), digests_(std::move(digests)) {
    if (is_streaming(identity.payload_form)) {
      decoder_.emplace(identity, exchange.head().fields.find("x-amz-trailer"));
      size_ =
          parse_decimal(exchange.head().fields.find("x-amz-decoded-content-length").value_or(""));
    } else if (exchange.head().content_length) {
      size_ = exchange.head().content_length;
    } else if (!exchange.head().chunked) {
      size_ = 0;
    }
  }

  std::optional<uint64_t> size() const override { return size_; }

  std::optional<model::ChecksumAlgorithm> checksum_algorithm() const override {
    return digests_.algorithm();
  }

  const PayloadSummary& summary() const override { return summary_; }

  async::Task<std::expected<ByteView, PayloadError>> read() override {
    if (error_) co_return std::unexpected(*error_);
    if (small_runs_ == kSmallRunsInTurn) {
      small_runs_ = 0;
      async::Turn turn;
      co_await turn.next();
    }
    for (;;) {
      auto run = co_await next_run();
      if (!run) co_return give_up(run.error());
      if (run->empty()) break;
      received_ += run->size();
      small_runs_ += run->size() < kSmallRunBytes ? 1 : 0;
      if (received_ > size_max_) {
        co_return give_up({PayloadRefusal::kTooLarge,
                           "Your proposed upload exceeds the maximum allowed size",
                           {}});
      }
      if (size_ && received_ > *size_) {
        co_return give_up(
            {PayloadRefusal::kIncompleteBody,
             "The request body is longer than the x-amz-decoded-content-length HTTP header says",
             {}});
      }
      digests_.update(*run);
      co_return *run;
    }
    if (size_ && received_ != *size_) {
      co_return give_up(
          {PayloadRefusal::kIncompleteBody,
           "You did not provide the number of bytes specified by the Content-Length HTTP header",
           {}});
    }
    static const std::vector<std::pair<std::string, std::string>> kNoTrailer;
    auto summary = digests_.finish(received_, decoder_ ? decoder_->trailer() : kNoTrailer);
    if (!summary) co_return give_up(summary.error());
    summary_ = *std::move(summary);
    co_return ByteView{};
  }

 private:
  std::unexpected<PayloadError> give_up(PayloadError error) {
    error_ = error;
    return std::unexpected(std::move(error));
  }

  async::Task<std::expected<ByteView, PayloadError>> next_run() {
    for (;;) {
      if (decoder_ && !input_.empty()) {
        auto run = decoder_->decode(input_);
        if (!run) co_return std::unexpected(run.error());
        if (!run->empty()) co_return *run;
        if (decoder_->ended() && !input_.empty()) co_return std::unexpected(malformed_framing());
      }
      auto body = co_await exchange_.read_body();
      if (!body) co_return std::unexpected(from_transport(body.error()));
      if (!decoder_) co_return *body;
      if (body->empty()) {
        if (auto done = decoder_->finish(); !done) co_return std::unexpected(done.error());
        co_return ByteView{};
      }
      input_ = *body;
    }
  }

  http::Exchange& exchange_;
  const uint64_t size_max_;
  PromisedDigests digests_;
  std::optional<AwsChunkedDecoder> decoder_;
  ByteView input_;
  std::optional<uint64_t> size_;
  uint64_t received_ = 0;
  uint32_t small_runs_ = 0;
  PayloadSummary summary_;
  std::optional<PayloadError> error_;
};

}  // namespace

PayloadError malformed_trailer() {
  return {PayloadRefusal::kMalformedTrailer,
          "The request contained trailing data that was not well-formed or did not conform to our "
          "published schema.",
          {}};
}

std::expected<std::unique_ptr<PayloadReader>, PayloadError> PayloadReader::open(
    http::Exchange& exchange, const signature::Identity& identity, PayloadOptions options) {
  if (options.needs_length && !exchange.head().content_length && !exchange.head().chunked) {
    return std::unexpected(PayloadError{
        PayloadRefusal::kMissingLength, "You must provide the Content-Length HTTP header.", {}});
  }
  auto digests = PromisedDigests::begin(exchange.head(), identity, options);
  if (!digests) return std::unexpected(digests.error());
  auto reader = std::make_unique<Reader>(exchange, identity, options, *std::move(digests));
  if (reader->size() && *reader->size() > options.size_max) {
    return std::unexpected(PayloadError{
        PayloadRefusal::kTooLarge, "Your proposed upload exceeds the maximum allowed size", {}});
  }
  return reader;
}

}  // namespace rondel::payload
