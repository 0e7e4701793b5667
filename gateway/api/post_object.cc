#include "gateway/api/post_object.h"

#include <algorithm>
#include <array>

#include "common/async/turn.h"
#include "common/base/encoding.h"
#include "common/http/message.h"
#include "common/http/server.h"
#include "gateway/payload/form_decoder.h"
#include "gateway/request/answers.h"
#include "gateway/request/context.h"
#include "gateway/s3/error.h"
#include "gateway/s3/http_values.h"
#include "gateway/s3/request.h"
#include "gateway/s3/xml_reader.h"
#include "gateway/s3/xml_writer.h"
#include "gateway/signature/post_policy.h"
#include "metadata/model/bucket.h"

namespace rondel::api {
namespace {

using s3::ErrorCode;

constexpr size_t kKeyBytesMax = 1024;
constexpr auto kRoomPatience = std::chrono::seconds(5);
// Fields that are a header of PutObject, by the same name but for acl.
constexpr std::array<std::string_view, 11> kHeaders{"acl",
                                                    "content-type",
                                                    "cache-control",
                                                    "content-disposition",
                                                    "content-encoding",
                                                    "content-language",
                                                    "expires",
                                                    "content-md5",
                                                    "x-amz-storage-class",
                                                    "x-amz-sdk-checksum-algorithm",
                                                    "x-amz-website-redirect-location"};
constexpr std::array<std::string_view, 5> kPrefixes{"x-amz-meta-", "x-amz-checksum-",
                                                    "x-amz-server-side-encryption",
                                                    "x-amz-object-lock-", "x-amz-grant-"};
// Of the signature.
constexpr std::array<std::string_view, 5> kSignature{
    "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token"};
// Headers of the form's request that also its object's request has: who asks, and from where.
constexpr std::array<std::string_view, 4> kKept{"Host", "User-Agent", "Referer", "Origin"};

template <size_t count>
bool is_one_of(const std::array<std::string_view, count>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_header(std::string_view field) {
  return is_one_of(kHeaders, field) || std::ranges::any_of(kPrefixes, [&](std::string_view prefix) {
           return field.starts_with(prefix);
         });
}

// As the head of an HTTP request could carry it.
bool is_header_text(std::string_view name, std::string_view value) {
  const bool good_name = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.!#$%&'*+^`|~").contains(c);
  });
  return good_name && !has_control_character(value);
}

std::unexpected<s3::Error> bad_field(std::string message, std::string_view name,
                                     std::string_view value) {
  return s3::fail(ErrorCode::kInvalidArgument, std::move(message),
                  {{"ArgumentName", std::string(name)}, {"ArgumentValue", std::string(value)}});
}

constexpr std::string_view kVariable = "${filename}";

// Bytes that with_file_name() makes of it.
size_t size_with_file_name(std::string_view value, std::string_view file_name) {
  size_t size = value.size();
  for (size_t at = value.find(kVariable); at != std::string::npos;
       at = value.find(kVariable, at + kVariable.size())) {
    size = size - kVariable.size() + file_name.size();
  }
  return size;
}

// In one pass: the file's name may hold the variable itself.
std::string with_file_name(std::string_view value, std::string_view file_name) {
  std::string out;
  out.reserve(size_with_file_name(value, file_name));
  while (true) {
    const size_t at = value.find(kVariable);
    out += value.substr(0, at);
    if (at == std::string::npos) return out;
    out += file_name;
    value.remove_prefix(at + kVariable.size());
  }
}

std::unexpected<s3::Error> key_too_long(size_t size) {
  return s3::fail(
      ErrorCode::kKeyTooLongError, {},
      {{"Size", std::to_string(size)}, {"MaxSizeAllowed", std::to_string(kKeyBytesMax)}});
}

std::string location_of(const http::RequestHead& outer, const http::ConnectionInfo& connection,
                        const metadata::Bucket& bucket, std::string_view key) {
  // In virtual-host style the address has no path: the bucket is in the host.
  const std::string_view path = outer.path();
  std::string out = connection.tls ? "https://" : "http://";
  out += outer.fields.find("Host").value_or("");
  if (path != "/") out += "/" + bucket.name;
  return out + "/" + percent_encode(key, false);
}

bool is_web_address(std::string_view text) {
  const auto begins = [&](std::string_view scheme) {
    return http::iequals(text.substr(0, scheme.size()), scheme);
  };
  return (begins("http://") || begins("https://")) && !text.contains(' ') &&
         !has_control_character(text);
}

// A body of chunks of a byte each comes in as many runs: others come between.
async::Task<void> take_turns(uint32_t runs) {
  if (runs % 256 != 0) co_return;
  async::Turn turn;
  co_await turn.next();
}

s3::Error malformed() { return {ErrorCode::kMalformedPOSTRequest, {}, {}, {}, {}}; }

}  // namespace

PostForm::PostForm(http::Exchange& outer, std::string_view boundary)
    : outer_(outer), decoder_(boundary) {}

request::Answer<std::unique_ptr<PostForm>> PostForm::open(http::Exchange& outer,
                                                          admission::Pool& documents,
                                                          const admission::PartyRef& address) {
  const auto type = outer.head().fields.find("Content-Type");
  if (!type || !http::iequals(s3::trim(type->substr(0, type->find(';'))), "multipart/form-data")) {
    co_return s3::fail(
        ErrorCode::kPreconditionFailed, {},
        {{"Condition", "Bucket POST must be of the enclosure-type multipart/form-data"}});
  }
  const auto boundary = payload::form_boundary(*type);
  if (!boundary) co_return std::unexpected(malformed());
  std::unique_ptr<PostForm> form(new PostForm(outer, *boundary));
  // It gives way as the request that it is.
  form->memory_ = admission::Filling(documents, address, payload::FormDecoder::kHeadBytesMax, {});
  CO_S3_VOID(co_await form->read_fields());
  (void)form->memory_.complete();
  form->memory_.shrink(payload::FormDecoder::kFieldBytesMax);
  CO_S3_VOID(form->take_fields());
  co_return form;
}

request::Answer<void> PostForm::read_fields() {
  using State = payload::FormDecoder::State;
  outer_.expect_body(http::BodyKind::kFormFields);
  for (uint32_t runs = 1; decoder_.state() == State::kFields; ++runs) {
    co_await take_turns(runs);
    auto bytes = co_await outer_.read_body();
    if (!bytes) {
      co_return s3::fail(bytes.error().code == rondel::ErrorCode::kDeadlineExceeded
                             ? ErrorCode::kRequestTimeout
                             : ErrorCode::kIncompleteBody);
    }
    if (bytes->empty()) co_return std::unexpected(malformed());
    if (!co_await memory_.take(std::min<size_t>(bytes->size(), payload::FormDecoder::kHeadBytesMax),
                               deadline_in(kRoomPatience))) {
      co_return std::unexpected(
          s3::retry_later(ErrorCode::kSlowDown, "no room for the fields of a form"));
    }
    input_ = *bytes;
    decoder_.decode_fields(input_);
  }
  switch (decoder_.state()) {
    case State::kNoFile: co_return s3::fail(ErrorCode::kIncorrectNumberOfFilesInPostRequest);
    case State::kMalformed: co_return std::unexpected(malformed());
    case State::kFieldsTooLarge: co_return s3::fail(ErrorCode::kMaxPostPreDataLengthExceededError);
    default: co_return s3::S3Result<void>{};
  }
}

s3::S3Result<void> PostForm::take_fields() {
  head_.method = "PUT";
  head_.chunked = true;  // Its length is not known before its end.
  for (const std::string_view name : kKept) {
    if (const auto value = outer_.head().fields.find(name)) {
      head_.fields.add(std::string(name), std::string(*value));
    }
  }
  // The file's name is not counted among the fields as they are sent, but it is where it stands in
  // one: what comes of them has the same bound, and is measured before it is made.
  size_t bytes = 0;
  for (const auto& [name, sent] : decoder_.fields()) {
    if (find(name)) return bad_field("The form has a field more than once.", name, "");
    const bool verbatim = name == "policy" || is_one_of(kSignature, name);
    const size_t size = verbatim ? sent.size() : size_with_file_name(sent, decoder_.file_name());
    if (name == "key" && size > kKeyBytesMax) return key_too_long(size);
    bytes += name.size() + size;
    if (bytes > payload::FormDecoder::kFieldBytesMax) {
      return s3::fail(ErrorCode::kMaxPostPreDataLengthExceededError);
    }
    fields_.emplace_back(name, verbatim ? sent : with_file_name(sent, decoder_.file_name()));
    const std::string& value = fields_.back().second;
    if (is_header(name)) {
      if (!is_header_text(name, value)) {
        return bad_field("The value of a field cannot be kept.", name, "");
      }
      head_.fields.add(name == "acl" ? "x-amz-acl" : name, value);
    } else if (name.starts_with("x-amz-") && !is_one_of(kSignature, name)) {
      return s3::fail(ErrorCode::kNotImplemented, {}, {{"Header", name}});
    }
  }
  const auto key = find("key");
  if (!key) {
    return s3::fail(ErrorCode::kInvalidArgument,
                    "Bucket POST must contain a field named 'key'.  If it is specified, please "
                    "check the order of the fields.",
                    {{"ArgumentName", "key"}, {"ArgumentValue", ""}});
  }
  if (key->empty()) return bad_field("User key must have a length greater than 0.", "key", "");
  key_ = *key;
  if (!is_valid_utf8(key_) || s3::climbs_above_bucket(key_)) {
    return s3::fail(ErrorCode::kInvalidURI);
  }
  head_.target = "/" + percent_encode(key_, true);
  return take_tags();
}

// The field is a document, the header a query string.
s3::S3Result<void> PostForm::take_tags() {
  const auto text = find("tagging");
  if (!text) return {};
  const auto document = s3::XmlDocument::parse(*text, "Tagging");
  if (!document) return std::unexpected(document.error());
  const auto set = document->root().child("TagSet");
  if (!set) return s3::fail(ErrorCode::kMalformedXML);
  std::string header;
  for (const s3::XmlElement& tag : set->children("Tag")) {
    const auto name = tag.child_text("Key");
    const auto value = tag.child_text("Value");
    if (!name || !value) return s3::fail(ErrorCode::kMalformedXML);
    header += (header.empty() ? "" : "&") + percent_encode(*name, false) + "=" +
              percent_encode(*value, false);
  }
  head_.fields.set("x-amz-tagging", header);
  return {};
}

std::optional<std::string_view> PostForm::find(std::string_view name) const {
  const auto found = std::ranges::find(fields_, name, &signature::FormFields::value_type::first);
  return found == fields_.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

async::Task<Result<ByteView>> PostForm::read_body() {
  const auto refuse = [this](s3::Error error) {
    refusal_ = std::move(error);
    return fail(rondel::ErrorCode::kInvalidArgument, "the form is refused");
  };
  while (decoder_.state() == payload::FormDecoder::State::kFile) {
    const ByteView run = decoder_.decode(input_);
    size_ += run.size();
    if (size_ > size_max_) {
      co_return refuse(
          {ErrorCode::kEntityTooLarge,
           {},
           {{"ProposedSize", std::to_string(size_)}, {"MaxSizeAllowed", std::to_string(size_max_)}},
           {},
           {}});
    }
    if (!run.empty()) co_return run;
    if (!input_.empty() || decoder_.state() != payload::FormDecoder::State::kFile) continue;
    CO_TRY(input_, co_await outer_.read_body());
    if (input_.empty()) co_return refuse(malformed());
  }
  if (size_ < size_min_) {
    co_return refuse(
        {ErrorCode::kEntityTooSmall,
         {},
         {{"ProposedSize", std::to_string(size_)}, {"MinSizeAllowed", std::to_string(size_min_)}},
         {},
         {}});
  }
  // What is behind the file is no part of the form; it is read so that the connection can go on.
  for (uint32_t runs = 1;; ++runs) {
    co_await take_turns(runs);
    CO_TRY(const ByteView rest, co_await outer_.read_body());
    if (rest.empty()) co_return ByteView();
  }
}

request::Response PostForm::answer(request::Response put, const http::RequestHead& outer,
                                   const metadata::Bucket& bucket) const {
  const std::string etag(put.head.fields.find("ETag").value_or(""));
  const std::string location = location_of(outer, outer_.connection(), bucket, key_);
  request::Response response = std::move(put);
  auto redirect = find("success_action_redirect");
  if (!redirect) redirect = find("redirect");
  if (redirect && is_web_address(*redirect)) {
    response.head.status = 303;
    response.head.fields.add(
        "Location", std::string(*redirect) + (redirect->contains('?') ? "&" : "?") + "bucket=" +
                        percent_encode(bucket.name, false) + "&key=" + percent_encode(key_, false) +
                        "&etag=" + percent_encode(etag, false));
    return response;
  }
  response.head.fields.add("Location", location);
  const std::string_view status = find("success_action_status").value_or("");
  response.head.status = status == "200" ? 200 : status == "201" ? 201 : 204;
  if (response.head.status == 201) {
    s3::XmlWriter xml("PostResponse", "");
    xml.text("Location", location);
    xml.text("Bucket", bucket.name);
    xml.text("Key", key_);
    xml.text("ETag", etag);
    response.body = std::move(xml).finish();
    response.head.fields.add("Content-Type", "application/xml");
  }
  return response;
}

async::Task<Result<void>> PostForm::respond(http::ResponseHead head, std::string body) {
  return outer_.respond(std::move(head), std::move(body));
}

async::Task<Result<void>> PostForm::respond_head_only(http::ResponseHead head,
                                                      std::optional<uint64_t> content_length) {
  return outer_.respond_head_only(std::move(head), content_length);
}

async::Task<Result<void>> PostForm::start_response(http::ResponseHead head,
                                                   uint64_t content_length) {
  return outer_.start_response(std::move(head), content_length);
}

async::Task<Result<void>> PostForm::write_body(ByteSlice bytes) {
  return outer_.write_body(std::move(bytes));
}

}  // namespace rondel::api
