// Segments as recovery reads them: headers, batches and records whose hashes are right and whose
// contents are anything.
#include <algorithm>
#include <cstring>

#include "common/fs/file_system.h"
#include "common/hash/hash64.h"
#include "storage-node/segment/log_reader.h"
#include "tests/fuzz/input.h"

using namespace rondel;

namespace {

class MemoryFile final : public fs::File {
 public:
  explicit MemoryFile(std::string bytes) : bytes_(std::move(bytes)) {}

  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    if (offset >= bytes_.size()) return size_t{0};
    const size_t count = std::min<size_t>(buffer.size(), bytes_.size() - offset);
    std::memcpy(buffer.data(), bytes_.data() + offset, count);
    return count;
  }

  Result<size_t> read_cached_at(uint64_t offset, std::span<std::byte> buffer) override {
    return read_at(offset, buffer);
  }

  Result<void> write_at(uint64_t, ByteView) override {
    return fail(ErrorCode::kUnavailable, "read-only");
  }

  Result<void> flush() override { return {}; }

  Result<uint64_t> size() override { return bytes_.size(); }

  Result<void> truncate(uint64_t) override { return fail(ErrorCode::kUnavailable, "read-only"); }

  Result<void> allocate(uint64_t, uint64_t) override {
    return fail(ErrorCode::kUnavailable, "read-only");
  }

  void drop_cache(uint64_t, uint64_t) override {}

  bool is_direct() const override { return false; }

 private:
  std::string bytes_;
};

std::span<std::byte> writable(std::string& text, size_t from) {
  return std::as_writable_bytes(std::span(text)).subspan(from);
}

// A batch with a true hash. Its numbers are the input's, mostly what they should be.
void append_batch(std::string& file, fuzz::Input& input, const segment::SegmentHeader& header,
                  uint64_t salt, uint64_t sequence) {
  std::string batch(segment::kBatchHeaderBytes, '\0');
  const uint8_t records = input.choice() % 5;
  for (uint8_t i = 0; i < records; ++i) {
    segment::RecordHeader record;
    const uint8_t odd = input.choice();
    record.kind = static_cast<segment::RecordKind>(1 + odd % 6);
    record.length = odd & 64 ? input.number() : input.choice();
    record.blocks =
        odd & 32 ? static_cast<uint32_t>(input.number()) : segment::block_count(record.length);
    record.bytes = odd & 128 ? static_cast<uint32_t>(input.number())
                             : static_cast<uint32_t>(segment::record_bytes(record.length));
    record.extent_offset = input.choice();
    const size_t at = batch.size();
    batch.resize(at + std::min<uint64_t>(
                          4096, segment::round_up(
                                    std::max<uint64_t>(record.bytes, segment::kRecordHeaderBytes),
                                    segment::kRecordAlignment)),
                 '\x5a');
    segment::encode(record, salt, writable(batch, at));
  }
  segment::BatchHeader head;
  const uint8_t odd = input.choice();
  head.generation = odd & 1 ? input.number() : header.generation;
  head.sequence = odd & 2 ? input.number() : sequence;
  head.records = odd & 4 ? static_cast<uint32_t>(input.number()) : records;
  head.bytes = odd & 8 ? input.number() : batch.size();
  head.body_hash = hash::hash64(as_bytes(batch).subspan(segment::kBatchHeaderBytes), salt);
  segment::encode(head, salt, writable(batch, 0).first(segment::kBatchHeaderBytes));
  file += batch;
  file.resize(segment::round_up(file.size(), segment::kBlock), '\0');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const ByteView raw = as_bytes(input.rest());
  (void)segment::decode_segment_header(raw);
  segment::SegmentHeader header;
  header.generation = 7;
  header.first_sequence = 3;
  const uint64_t salt = segment::salt_of(header.disk, header.generation);
  (void)segment::decode_batch_header(raw, salt);
  (void)segment::decode_record_header(raw, salt);

  std::string file = segment::encode(header);
  const auto back = segment::decode_segment_header(as_bytes(file));
  fuzz::require(back && back->generation == header.generation &&
                back->first_sequence == header.first_sequence);
  const uint8_t batches = input.choice() % 6;
  for (uint8_t i = 0; i < batches; ++i) {
    append_batch(file, input, header, salt, header.first_sequence + i);
  }
  for (uint8_t i = input.choice() % 3; i > 0 && file.size() > segment::kBlock; --i) {
    const size_t at = segment::kBlock + input.number() % (file.size() - segment::kBlock);
    file[at] = static_cast<char>(file[at] ^ input.choice());
  }
  const uint64_t bytes = file.size();
  MemoryFile memory(std::move(file));
  segment::LogReader reader(memory, header, bytes);
  uint64_t last = 0;
  while (true) {
    const auto batch = reader.next();
    if (!batch || *batch == nullptr) break;
    fuzz::require((*batch)->sequence > last || last == 0);
    last = (*batch)->sequence;
    fuzz::require(reader.position() <= bytes);
    for (const segment::LogRecord& record : (*batch)->records) {
      fuzz::require(record.bytes.size() >= segment::kRecordHeaderBytes);
    }
  }
  return 0;
}
