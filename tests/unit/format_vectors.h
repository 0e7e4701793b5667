// Golden bytes of tests/vectors/formats: hexadecimal, written from docs/formats, not by the code
// under test.
//
// All of them speak of the same blob: stream 0102..0c, chunk 7, of 12 bytes "hello rondel".
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "common/base/encoding.h"
#include "common/model/ids.h"

namespace rondel::vectors {

inline std::string golden(const std::string& name) {
  std::ifstream file(std::string(RONDEL_VECTORS) + "/" + name + ".hex");
  std::string text;
  for (std::string line; std::getline(file, line);) text += line;
  const auto bytes = from_hex(text);
  EXPECT_TRUE(bytes && !bytes->empty()) << name;
  return bytes.value_or("");
}

template <class Id>
Id id_from(uint8_t first) {
  Id id;
  for (size_t i = 0; i < Id::kBytes; ++i) id.bytes[i] = static_cast<std::byte>(first + i);
  return id;
}

inline const model::BlobId kBlob{id_from<model::StreamId>(1), 7};
inline const model::DiskId kDisk = id_from<model::DiskId>(0x10);
inline const model::DiskId kOwner = id_from<model::DiskId>(0xa0);
inline constexpr std::string_view kBytes = "hello rondel";

}  // namespace rondel::vectors
