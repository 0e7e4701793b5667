#include "common/http/head_writer.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "common/base/encoding.h"

namespace rondel::http {
namespace {

std::atomic<uint64_t> left_out{0};

constexpr std::array<bool, 256> name_bytes() {
  std::array<bool, 256> allowed{};
  for (size_t c = 0x80; c < allowed.size(); ++c) allowed[c] = true;
  for (size_t c = '0'; c <= '9'; ++c) allowed[c] = true;
  for (size_t c = 'a'; c <= 'z'; ++c) allowed[c] = allowed[c - 'a' + 'A'] = true;
  for (const unsigned char c : std::string_view("!#$%&'*+-.^_`|~")) allowed[c] = true;
  return allowed;
}

constexpr std::array<bool, 256> kNameBytes = name_bytes();

}  // namespace

bool is_field_name(std::string_view name) {
  const auto allowed = [](unsigned char c) { return kNameBytes[c]; };
  return !name.empty() && std::ranges::all_of(name, allowed);
}

bool is_field_value(std::string_view value) { return !has_control_character(value); }

void append_field(std::string& head, std::string_view name, std::string_view value) {
  if (!is_field_name(name) || !is_field_value(value)) {
    left_out.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  head.append(name).append(": ").append(value).append("\r\n");
}

uint64_t fields_left_out() { return left_out.load(std::memory_order_relaxed); }

}  // namespace rondel::http
