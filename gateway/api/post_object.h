// PostObject: a form as a PutObject request of its own. What the form says in fields stands in the
// head of that request, its file is that request's body; so that every rule of PutObject holds for
// it. Source: "POST Object", S3 API reference.
#pragma once

#include "common/http/message.h"
#include "common/http/server.h"
#include "gateway/admission/filling.h"
#include "gateway/payload/form_decoder.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "gateway/signature/post_policy.h"
#include "metadata/model/bucket.h"

namespace rondel::api {

// A form read up to its file.
class PostForm final : public http::Exchange {
 public:
  // Errors: PreconditionFailed (no multipart/form-data), MalformedPOSTRequest,
  // MaxPostPreDataLengthExceededError, IncorrectNumberOfFilesInPostRequest, InvalidArgument.
  // `outer` outlives the form. What it holds before its file counts to `address`, out of the room
  // for documents; 503 SlowDown where that is used up.
  static request::Answer<std::unique_ptr<PostForm>> open(http::Exchange& outer,
                                                         admission::Pool& documents,
                                                         const admission::PartyRef& address);

  // Who signed it is known. False: that is above its share.
  bool count_to(const admission::PartyRef& account) { return memory_.move_to(account); }

  const signature::FormFields& fields() const { return fields_; }

  const std::string& key() const { return key_; }

  void set_size_range(uint64_t min, uint64_t max) { size_min_ = min, size_max_ = max; }

  // Why read_body() failed, where the form is to blame.
  const std::optional<s3::Error>& refusal() const { return refusal_; }

  // The answer to the form, from the one to PutObject.
  request::Response answer(request::Response put, const http::RequestHead& outer,
                           const metadata::Bucket& bucket) const;

  const http::RequestHead& head() const override { return head_; }

  const http::ConnectionInfo& connection() const override { return outer_.connection(); }

  void expect_body(http::BodyKind kind) override { outer_.expect_body(kind); }

  async::Task<Result<ByteView>> read_body() override;

  uint64_t body_bytes_read() const override { return outer_.body_bytes_read(); }

  uint64_t body_bytes_written() const override { return outer_.body_bytes_written(); }

  // The outer exchange answers.
  async::Task<Result<void>> respond(http::ResponseHead head, std::string body) override;
  async::Task<Result<void>> respond_head_only(http::ResponseHead head,
                                              std::optional<uint64_t> content_length) override;
  async::Task<Result<void>> start_response(http::ResponseHead head,
                                           uint64_t content_length) override;
  async::Task<Result<void>> write_body(ByteSlice bytes) override;

  bool responded() const override { return outer_.responded(); }

  void abort() override { outer_.abort(); }

 private:
  PostForm(http::Exchange& outer, std::string_view boundary);
  request::Answer<void> read_fields();
  s3::S3Result<void> take_fields();
  s3::S3Result<void> take_tags();
  std::optional<std::string_view> find(std::string_view name) const;

  http::Exchange& outer_;
  payload::FormDecoder decoder_;
  admission::Filling memory_;
  ByteView input_;
  signature::FormFields fields_;
  std::string key_;
  http::RequestHead head_;
  uint64_t size_min_ = 0;
  uint64_t size_max_ = UINT64_MAX;
  uint64_t size_ = 0;
  std::optional<s3::Error> refusal_;
};

}  // namespace rondel::api
