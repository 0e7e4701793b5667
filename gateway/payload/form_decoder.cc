#include "gateway/payload/form_decoder.h"

#include <algorithm>

namespace rondel::payload {
namespace {

constexpr size_t kBoundaryMax = 70;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The value of `name` among "; name=value; other="va\"lue"". Browsers write %22 for a quote; others
// write \".
std::optional<std::string> parameter(std::string_view text, std::string_view name) {
  while (true) {
    const size_t semicolon = text.find(';');
    if (semicolon == std::string_view::npos) return std::nullopt;
    text = trim(text.substr(semicolon + 1));
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string key = lower(trim(text.substr(0, equals)));
    text = trim(text.substr(equals + 1));
    std::string value;
    if (text.starts_with('"')) {
      size_t i = 1;
      for (; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '"') ++i;
        value += text[i];
      }
      if (i >= text.size()) return std::nullopt;
      text.remove_prefix(i + 1);
    } else {
      const size_t end = text.find(';');
      value = trim(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end);
    }
    if (key == name) return value;
  }
}

bool is_boundary(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("'()+_,-./:=? ").contains(c);
  };
  return !text.empty() && text.size() <= kBoundaryMax && text.back() != ' ' &&
         std::ranges::all_of(text, allowed);
}

// How many of the last bytes of `text` may begin a delimiter.
size_t delimiter_begin(std::string_view text, std::string_view delimiter) {
  const size_t longest = std::min(text.size(), delimiter.size() - 1);
  for (size_t count = longest; count > 0; --count) {
    if (text.ends_with(delimiter.substr(0, count))) return count;
  }
  return 0;
}

}  // namespace

std::optional<std::string> form_boundary(std::string_view content_type) {
  if (lower(trim(content_type.substr(0, content_type.find(';')))) != "multipart/form-data") {
    return std::nullopt;
  }
  auto boundary = parameter(content_type, "boundary");
  if (!boundary || !is_boundary(*boundary)) return std::nullopt;
  return boundary;
}

FormDecoder::FormDecoder(std::string_view boundary)
    : delimiter_("\r\n--" + std::string(boundary)) {}

ByteView FormDecoder::decode(ByteView& input) {
  if (state_ == State::kFields) decode_fields(input);
  if (state_ == State::kFile) return take_file(input);
  return {};
}

void FormDecoder::decode_fields(ByteView& input) {
  if (state_ != State::kFields) return;
  const size_t taken =
      std::min(input.size(), kHeadBytesMax + 1 - std::min(kHeadBytesMax, head_bytes_));
  head_ += as_text(input.first(taken));
  head_bytes_ += taken;
  const ByteView rest = input.subspan(taken);
  while (state_ == State::kFields && take_part()) {
  }
  if (state_ == State::kFields && head_bytes_ > kHeadBytesMax) state_ = State::kFieldsTooLarge;
  if (state_ == State::kFile) {
    // Its head came to an end within this input, so that what head_ holds behind it is the last of
    // it.
    input = input.subspan(taken - (head_.size() - part_));
    head_.clear();
    return;
  }
  input = rest;
}

// Each byte is looked at once for each thing looked for, however small the pieces are that bytes
// come in.
size_t FormDecoder::find_ahead(std::string_view text) {
  const size_t found = head_.find(text, searched_);
  steps_ += std::min(found, head_.size()) - std::min(searched_, head_.size());
  if (found == std::string::npos && head_.size() >= text.size()) {
    searched_ = std::max(searched_, head_.size() - (text.size() - 1));
  }
  return found;
}

// Up to the first part.
bool FormDecoder::pass_preamble() {
  const std::string_view first = std::string_view(delimiter_).substr(2);
  if (head_.size() < first.size()) return false;
  if (head_.starts_with(first)) {
    part_ = first.size();
  } else {
    const size_t found = find_ahead(delimiter_);
    if (found == std::string::npos) return false;
    part_ = found + delimiter_.size();
  }
  searched_ = part_;
  preamble_ = false;
  return true;
}

// What stands behind a delimiter, up to the value.
bool FormDecoder::take_part_head() {
  if (head_.size() - part_ < 2) return false;
  const std::string_view rest = std::string_view(head_).substr(part_);
  if (rest.starts_with("--")) {
    state_ = State::kNoFile;
    return false;
  }
  if (!rest.starts_with("\r\n")) {
    state_ = State::kMalformed;
    return false;
  }
  const size_t end = find_ahead("\r\n\r\n");
  if (end == std::string::npos) return false;
  const size_t size = end - part_;
  if (!begin_part(rest.substr(2, size > 2 ? size - 2 : 0))) {
    state_ = State::kMalformed;
    return false;
  }
  value_ = end + 4;
  searched_ = end + 2;  // The delimiter may begin with the end of the empty line.
  in_value_ = true;
  return true;
}

// One part of head_; false when it is not there whole, or the state has changed.
bool FormDecoder::take_part() {
  if (preamble_ && !pass_preamble()) return false;
  if (!in_value_ && !take_part_head()) return false;
  if (fields_.back().first == "file") {
    fields_.pop_back();
    part_ = value_;
    state_ = State::kFile;
    return false;
  }
  const size_t end = find_ahead(delimiter_);
  if (end == std::string::npos) return false;
  if (end > value_) fields_.back().second = head_.substr(value_, end - value_);
  field_bytes_ += fields_.back().first.size() + fields_.back().second.size();
  in_value_ = false;
  part_ = searched_ = end + delimiter_.size();
  if (field_bytes_ > kFieldBytesMax || fields_.size() > kFieldsMax) state_ = State::kFieldsTooLarge;
  return state_ == State::kFields;
}

// Opens a field of the name that Content-Disposition says.
bool FormDecoder::begin_part(std::string_view head) {
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    if (lower(trim(line.substr(0, colon))) != "content-disposition") continue;
    const std::string_view value = trim(line.substr(colon + 1));
    if (lower(trim(value.substr(0, value.find(';')))) != "form-data") return false;
    const auto name = parameter(value, "name");
    if (!name || name->empty()) return false;
    fields_.emplace_back(lower(*name), "");
    file_name_ = parameter(value, "filename").value_or("");
    if (const size_t folder = file_name_.find_last_of("/\\"); folder != std::string::npos) {
      file_name_.erase(0, folder + 1);
    }
    return true;
  }
  return false;
}

ByteView FormDecoder::take_file(ByteView& input) {
  if (!carry_.empty()) return take_joint(input);
  if (input.empty()) return {};
  const std::string_view text = as_text(input);
  const size_t at = text.find(delimiter_);
  if (at != std::string_view::npos) {
    const ByteView run = input.first(at);
    input = input.subspan(at + delimiter_.size());
    state_ = State::kFileEnded;
    return run;
  }
  const size_t held = delimiter_begin(text, delimiter_);
  carry_ = text.substr(text.size() - held);
  const ByteView run = input.first(text.size() - held);
  input = {};
  return run;
}

// carry_ and as much of the input as decides about it.
ByteView FormDecoder::take_joint(ByteView& input) {
  if (input.empty()) return {};
  const size_t added = std::min(input.size(), delimiter_.size());
  joint_ = carry_;
  joint_ += as_text(input.first(added));
  const size_t at = joint_.find(delimiter_);
  if (at != std::string::npos) {
    input = input.subspan(at + delimiter_.size() - carry_.size());
    carry_.clear();
    state_ = State::kFileEnded;
    joint_.resize(at);
    return as_bytes(joint_);
  }
  if (added == delimiter_.size()) {
    // No delimiter begins in carry_.
    joint_.resize(carry_.size());
    carry_.clear();
    return as_bytes(joint_);
  }
  const size_t held = delimiter_begin(joint_, delimiter_);
  carry_ = joint_.substr(joint_.size() - held);
  joint_.resize(joint_.size() - held);
  input = {};
  return as_bytes(joint_);
}

}  // namespace rondel::payload
