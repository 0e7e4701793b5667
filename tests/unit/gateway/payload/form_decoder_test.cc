#include "gateway/payload/form_decoder.h"

#include <gtest/gtest.h>

#include <random>

namespace rondel::payload {
namespace {

using State = FormDecoder::State;

std::string field(std::string_view name, std::string_view value) {
  return "--B0\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" +
         std::string(value) + "\r\n";
}

std::string file(std::string_view bytes, std::string_view name = "a.txt") {
  return "--B0\r\ncontent-type: text/plain\r\nContent-Disposition: form-data; filename=\"" +
         std::string(name) + "\"; name=file\r\n\r\n" + std::string(bytes) + "\r\n--B0--\r\n";
}

struct Outcome {
  State state;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string file;
  std::string file_name;
};

// Fed in pieces of the given sizes; the last one takes the rest.
Outcome decode(std::string_view text, const std::function<size_t()>& piece) {
  FormDecoder decoder("B0");
  Outcome out;
  while (!text.empty()) {
    const std::string chunk(text.substr(0, std::max<size_t>(1, piece())));
    text.remove_prefix(chunk.size());
    ByteView input = as_bytes(chunk);
    for (;;) {
      const State before = decoder.state();
      const ByteView run = decoder.decode(input);
      out.file += as_text(run);
      if (decoder.state() != State::kFields && decoder.state() != State::kFile) break;
      if (input.empty() && run.empty() && decoder.state() == before) break;
    }
    if (decoder.state() != State::kFields && decoder.state() != State::kFile) break;
  }
  out.state = decoder.state();
  out.fields = decoder.fields();
  out.file_name = decoder.file_name();
  return out;
}

Outcome decode(std::string_view text) {
  return decode(text, [&] { return text.size(); });
}

TEST(FormBoundary, OfAContentType) {
  EXPECT_EQ(form_boundary("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(form_boundary("Multipart/Form-Data;charset=utf-8; Boundary=\"a b\""), "a b");
  for (const char* bad :
       {"multipart/form-data", "multipart/form-data; boundary=", "text/plain; boundary=a",
        "multipart/form-data; boundary=\"a", "multipart/form-data; boundary=a@b",
        "multipart/form-data; "
        "boundary=1234567890123456789012345678901234567890123456789012345678901234567890x"}) {
    EXPECT_EQ(form_boundary(bad), std::nullopt) << bad;
  }
}

TEST(FormDecoder, FieldsThenFile) {
  const Outcome out =
      decode(field("KEY", "a/${filename}") + field("empty", "") + file("body", "C:\\x\\y/b.txt"));
  EXPECT_EQ(out.state, State::kFileEnded);
  EXPECT_EQ(out.fields, (std::vector<std::pair<std::string, std::string>>{{"key", "a/${filename}"},
                                                                          {"empty", ""}}));
  EXPECT_EQ(out.file, "body");
  EXPECT_EQ(out.file_name, "b.txt");
}

TEST(FormDecoder, APreambleIsPassedOverAndWhatFollowsTheFileIsNotRead) {
  const Outcome out = decode("hello\r\n" + field("a", "x--B0 \r\n--B") + file("\r\n--B1\r\n--B") +
                             field("late", "x"));
  EXPECT_EQ(out.state, State::kFileEnded);
  EXPECT_EQ(out.fields.front().second, "x--B0 \r\n--B");
  EXPECT_EQ(out.file, "\r\n--B1\r\n--B");
  EXPECT_EQ(out.fields.size(), 1u);
}

TEST(FormDecoder, AnyPiecesGiveTheSame) {
  const auto seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes;
    static constexpr std::string_view kPieces[] = {"\r",     "\n", "-",  "\r\n--B",
                                                   "\r\n--", "x",  "B0", "\r\n-"};
    for (size_t i = random() % 40; i > 0; --i) bytes += kPieces[random() % std::size(kPieces)];
    while (bytes.contains("\r\n--B0")) bytes.erase(bytes.find("\r\n--B0"), 1);
    const std::string text =
        field("key", "k") + field("v", bytes.substr(0, bytes.size() / 2)) + file(bytes);
    const bool field_ends_early =
        ("\r\n" + bytes.substr(0, bytes.size() / 2) + "\r\n--B0").find("\r\n--B0") <
        bytes.size() / 2 + 2;
    if (field_ends_early) continue;
    const size_t most = 1 + random() % 60;
    const Outcome out = decode(text, [&] { return 1 + random() % most; });
    ASSERT_EQ(out.state, State::kFileEnded);
    ASSERT_EQ(out.file, bytes);
    ASSERT_EQ(out.fields.back().second, bytes.substr(0, bytes.size() / 2));
  }
}

// What is looked at does not grow with the number of pieces.
TEST(FormDecoder, SmallPiecesCostNoMore) {
  std::string many;
  for (int i = 0; i < 250; ++i) many += field("f" + std::to_string(i), std::string(50, '\r'));
  const std::string boundary_like = field("a", [] {
    std::string out;
    for (int i = 0; i < 3'000; ++i) out += "\r\n--B";
    return out;
  }());
  const std::string head = "--B0\r\nX: " + std::string(90'000, 'x') +
                           "\r\nContent-Disposition: form-data; name=key\r\n\r\nk\r\n";
  for (const std::string& text :
       {many + file("b"), boundary_like + file("b"), head + file("b"),
        std::string(90'000, '\r') + "\n" + field("key", "k") + file("b")}) {
    for (const size_t piece : {1u, 7u, 100'000u}) {
      FormDecoder decoder("B0");
      for (size_t at = 0; at < text.size() && decoder.state() == State::kFields; at += piece) {
        const std::string chunk = text.substr(at, piece);
        ByteView input = as_bytes(chunk);
        decoder.decode_fields(input);
      }
      EXPECT_EQ(decoder.state(), State::kFile);
      EXPECT_LE(decoder.steps(), 8 * text.size()) << piece;
    }
  }
}

TEST(FormDecoder, WhatIsNoForm) {
  EXPECT_EQ(decode(field("key", "k") + "--B0--\r\n").state, State::kNoFile);
  EXPECT_EQ(decode("--B0x\r\n").state, State::kMalformed);
  EXPECT_EQ(decode("--B0\r\nContent-Type: x\r\n\r\nv\r\n--B0--").state, State::kMalformed);
  EXPECT_EQ(decode("--B0\r\nContent-Disposition: attachment; name=a\r\n\r\nv\r\n--B0--").state,
            State::kMalformed);
  EXPECT_EQ(decode("--B0\r\nContent-Disposition: form-data\r\n\r\nv\r\n--B0--").state,
            State::kMalformed);
  EXPECT_EQ(decode("--B0\r\nno colon\r\n\r\nv\r\n--B0--").state, State::kMalformed);
  EXPECT_EQ(
      decode(field("key", "k") + "--B0\r\nContent-Disposition: form-data; name=file\r\n\r\nno end")
          .state,
      State::kFile);
  EXPECT_EQ(decode(std::string(200'000, 'x')).state, State::kFieldsTooLarge);
  EXPECT_EQ(decode(field("a", std::string(20 * 1024, 'x')) + file("b")).state,
            State::kFieldsTooLarge);
  EXPECT_EQ(decode(field("a", std::string(20 * 1024 - 1, 'x')) + file("b")).state,
            State::kFileEnded);
  std::string many;
  for (int i = 0; i < 300; ++i) many += field("f", "");
  EXPECT_EQ(decode(many + file("b")).state, State::kFieldsTooLarge);
}

}  // namespace
}  // namespace rondel::payload
