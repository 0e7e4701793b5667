#include "common/fs/simulated_file_system.h"

#include <algorithm>
#include <array>

#include "common/base/assert.h"

namespace rondel::fs {

namespace {

constexpr uint64_t kBlock = 4096;
constexpr uint64_t kSector = 512;

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::unexpected<Error> io_error(const char* what) {
  return fail(ErrorCode::kInternal, std::string(what) + ": I/O error");
}

// The bytes of a file, in blocks that copies share until one of them writes. Holes are zeros and
// cost nothing: what a crash test does most is to make large files and to restart.
class Bytes {
 public:
  uint64_t size() const { return size_; }

  // What lay behind a smaller size is zeros when the file grows again.
  void resize(uint64_t size) {
    blocks_.resize((size + kBlock - 1) / kBlock);
    if (size < size_ && size % kBlock != 0 && blocks_.back()) {
      Block& last = writable(size / kBlock);
      std::fill(last.begin() + static_cast<ptrdiff_t>(size % kBlock), last.end(), std::byte{0});
    }
    size_ = size;
  }

  // REQUIRES, here and below: the bytes are within the size.
  void read(uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
      const uint64_t within = offset % kBlock;
      const size_t n = std::min<uint64_t>(out.size(), kBlock - within);
      const auto& block = blocks_[offset / kBlock];
      if (block) {
        std::copy_n(block->begin() + static_cast<ptrdiff_t>(within), n, out.begin());
      } else {
        std::fill_n(out.begin(), n, std::byte{0});
      }
      offset += n;
      out = out.subspan(n);
    }
  }

  void write(uint64_t offset, ByteView bytes) {
    while (!bytes.empty()) {
      const uint64_t within = offset % kBlock;
      const size_t n = std::min<uint64_t>(bytes.size(), kBlock - within);
      std::copy_n(bytes.begin(), n,
                  writable(offset / kBlock).begin() + static_cast<ptrdiff_t>(within));
      offset += n;
      bytes = bytes.subspan(n);
    }
  }

  // Takes a block over from another file's bytes, as far as both sizes go.
  void take_block(const Bytes& from, uint64_t block) {
    const uint64_t begin = block * kBlock;
    const uint64_t end = std::min({begin + kBlock, size_, from.size_});
    if (begin >= end) return;
    if (end - begin == kBlock || size_ == from.size_) {
      blocks_[block] = from.blocks_[block];
    } else {
      take(from, begin, end);
    }
  }

  void take(const Bytes& from, uint64_t begin, uint64_t end) {
    std::array<std::byte, kBlock> some;
    for (; begin < end; begin += std::min(end - begin, kBlock)) {
      const std::span part(some.data(), std::min(end - begin, kBlock));
      from.read(begin, part);
      write(begin, part);
    }
  }

  std::byte at(uint64_t offset) const {
    std::byte one;
    read(offset, {&one, 1});
    return one;
  }

 private:
  using Block = std::array<std::byte, kBlock>;

  Block& writable(uint64_t block) {
    std::shared_ptr<Block>& own = blocks_[block];
    if (!own) {
      own = std::make_shared<Block>();
    } else if (own.use_count() > 1) {
      own = std::make_shared<Block>(*own);
    }
    return *own;
  }

  std::vector<std::shared_ptr<Block>> blocks_;
  uint64_t size_ = 0;
};

}  // namespace

struct SimulatedFileSystem::Inode {
  Bytes current;
  Bytes durable;
  std::set<uint64_t> dirty;  // Blocks of `current` that a crash may persist.
  bool size_dirty = false;
  std::map<uint64_t, std::byte> cache_rot;  // Byte -> what reads see instead.
};

class SimulatedFile final : public File {
 public:
  SimulatedFile(SimulatedFileSystem& fs, std::shared_ptr<SimulatedFileSystem::Inode> inode,
                OpenOptions options)
      : fs_(fs), inode_(std::move(inode)), options_(options), boot_(fs.boot_) {}

  Result<size_t> read_at(uint64_t offset, std::span<std::byte> buffer) override {
    MutexLock lock(fs_.mutex_);
    if (!alive()) return io_error("read");
    if (fs_.step_locked(fs_.faults_.read_error) != SimulatedFileSystem::Step::kGo) {
      return io_error("read");
    }
    const auto& bytes = inode_->current;
    if (offset >= bytes.size()) return size_t{0};
    const size_t n = std::min<size_t>(buffer.size(), bytes.size() - offset);
    bytes.read(offset, buffer.first(n));
    for (auto it = inode_->cache_rot.lower_bound(offset);
         it != inode_->cache_rot.end() && it->first < offset + n; ++it) {
      buffer[it->first - offset] = it->second;
    }
    return n;
  }

  Result<size_t> read_cached_at(uint64_t offset, std::span<std::byte> buffer) override {
    return read_at(offset, buffer);
  }

  Result<void> write_at(uint64_t offset, ByteView bytes) override {
    MutexLock lock(fs_.mutex_);
    if (!alive()) return io_error("write");
    if (!options_.writable) return fail(ErrorCode::kPermissionDenied, "opened for reading");
    if (is_direct() && (offset % kBlock != 0 || bytes.size() % kBlock != 0 ||
                        reinterpret_cast<uintptr_t>(bytes.data()) % kBlock != 0)) {
      return fail(ErrorCode::kInvalidArgument, "unaligned direct write");
    }
    return fs_.write_locked(*inode_, offset, bytes, options_.direct_durable);
  }

  Result<void> flush() override {
    MutexLock lock(fs_.mutex_);
    if (!alive()) return io_error("flush");
    return fs_.flush_locked(*inode_);
  }

  Result<uint64_t> size() override {
    MutexLock lock(fs_.mutex_);
    if (!alive()) return io_error("size");
    return inode_->current.size();
  }

  Result<void> truncate(uint64_t size) override {
    MutexLock lock(fs_.mutex_);
    if (!alive()) return io_error("truncate");
    if (!options_.writable) return fail(ErrorCode::kPermissionDenied, "opened for reading");
    if (fs_.step_locked(0) != SimulatedFileSystem::Step::kGo) return io_error("truncate");
    return resize_locked(size);
  }

  Result<void> allocate(uint64_t offset, uint64_t length) override {
    MutexLock lock(fs_.mutex_);
    if (!alive()) return io_error("allocate");
    if (!options_.writable) return fail(ErrorCode::kPermissionDenied, "opened for reading");
    if (fs_.step_locked(0) != SimulatedFileSystem::Step::kGo) return io_error("allocate");
    return resize_locked(std::max<uint64_t>(inode_->current.size(), offset + length));
  }

  void drop_cache(uint64_t offset, uint64_t length) override {
    MutexLock lock(fs_.mutex_);
    inode_->cache_rot.erase(inode_->cache_rot.lower_bound(offset),
                            inode_->cache_rot.lower_bound(offset + length));
  }

  bool is_direct() const override { return options_.direct || options_.direct_durable; }

 private:
  bool alive() const REQUIRES(fs_.mutex_) { return boot_ == fs_.boot_ && !fs_.crashed_; }

  Result<void> resize_locked(uint64_t size) REQUIRES(fs_.mutex_) {
    auto& bytes = inode_->current;
    if (size > bytes.size() && fs_.used_locked() + size - bytes.size() > fs_.capacity_) {
      return fail(ErrorCode::kStorageFull, "no space left");
    }
    if (size < bytes.size()) {
      inode_->dirty.erase(inode_->dirty.lower_bound((size + kBlock - 1) / kBlock),
                          inode_->dirty.end());
    }
    if (size != bytes.size()) inode_->size_dirty = true;
    bytes.resize(size);
    return {};
  }

  SimulatedFileSystem& fs_;
  const std::shared_ptr<SimulatedFileSystem::Inode> inode_;
  const OpenOptions options_;
  const uint64_t boot_;
};

class SimulatedLock final : public FileLock {
 public:
  SimulatedLock(SimulatedFileSystem& fs, std::string path)
      : fs_(fs), path_(std::move(path)), boot_(fs.boot_) {}

  ~SimulatedLock() override {
    MutexLock lock(fs_.mutex_);
    if (boot_ == fs_.boot_) fs_.locks_.erase(path_);
  }

 private:
  SimulatedFileSystem& fs_;
  const std::string path_;
  const uint64_t boot_;
};

SimulatedFileSystem::SimulatedFileSystem(uint64_t seed, uint64_t capacity_bytes)
    : random_(seed), capacity_(capacity_bytes) {}

SimulatedFileSystem::~SimulatedFileSystem() = default;

bool SimulatedFileSystem::chance_locked(double probability) {
  return probability > 0 && std::uniform_real_distribution<>(0, 1)(random_) < probability;
}

SimulatedFileSystem::Step SimulatedFileSystem::step_locked(double error_probability) {
  if (crashed_) return Step::kFail;
  ++calls_;
  if (counting_ && --calls_left_ == 0) {
    crashed_ = true;
    return Step::kPartial;
  }
  return chance_locked(error_probability) ? Step::kPartial : Step::kGo;
}

bool SimulatedFileSystem::has_directory_locked(const std::string& path) const {
  // Root and working folder are always there.
  return path.empty() || path == "." || directories_.contains(path);
}

uint64_t SimulatedFileSystem::used_locked() const {
  uint64_t used = 0;
  for (const auto& [name, inode] : names_) used += inode->current.size();
  return used;
}

void SimulatedFileSystem::persist_locked(Inode& inode, uint64_t block) {
  const uint64_t begin = block * kBlock;
  const uint64_t end = std::min<uint64_t>(begin + kBlock, inode.current.size());
  if (begin >= end) return;
  if (inode.durable.size() < end) inode.durable.resize(end);
  inode.durable.take_block(inode.current, block);
}

Result<void> SimulatedFileSystem::write_locked(Inode& inode, uint64_t offset, ByteView bytes,
                                               bool durable) {
  const uint64_t end = offset + bytes.size();
  if (!crashed_ && end > inode.current.size() &&
      used_locked() + end - inode.current.size() > capacity_) {
    return fail(ErrorCode::kStorageFull, "no space left");
  }
  const Step step = step_locked(faults_.write_error);
  if (step == Step::kFail) return io_error("write");
  // A write that is cut off reaches memory whole; what of it reaches the medium is drawn at the
  // crash. One that fails without a crash has done an unknown part.
  size_t n = bytes.size();
  if (step == Step::kPartial && !crashed_) n = random_() % (bytes.size() + 1);
  if (offset + n > inode.current.size()) {
    inode.current.resize(offset + n);
    inode.size_dirty = true;
  }
  inode.current.write(offset, bytes.first(n));
  inode.cache_rot.erase(inode.cache_rot.lower_bound(offset),
                        inode.cache_rot.lower_bound(offset + n));
  for (uint64_t block = offset / kBlock; block * kBlock < offset + n; ++block) {
    inode.dirty.insert(block);
  }
  if (step == Step::kPartial) return io_error("write");
  if (!durable) return {};
  for (uint64_t block = offset / kBlock; block * kBlock < end; ++block) {
    persist_locked(inode, block);
    inode.dirty.erase(block);
  }
  return {};
}

Result<void> SimulatedFileSystem::flush_locked(Inode& inode) {
  const Step step = step_locked(faults_.flush_error);
  if (step == Step::kFail) return io_error("flush");
  if (step == Step::kPartial) {
    if (crashed_) return io_error("flush");
    tear_locked(inode);
    inode.dirty.clear();
    return io_error("flush");
  }
  for (const uint64_t block : inode.dirty) persist_locked(inode, block);
  inode.dirty.clear();
  inode.durable.resize(inode.current.size());
  inode.size_dirty = false;
  return {};
}

// Draws what of the unflushed bytes reaches the medium.
void SimulatedFileSystem::tear_locked(Inode& inode) {
  if (inode.size_dirty && random_() % 2 == 0) inode.durable.resize(inode.current.size());
  const uint64_t limit = inode.durable.size();
  for (const uint64_t block : inode.dirty) {
    const uint64_t begin = block * kBlock;
    const uint64_t end =
        std::min({begin + kBlock, static_cast<uint64_t>(inode.current.size()), limit});
    const uint64_t fate = random_() % 3;
    if (fate == 0) continue;
    for (uint64_t at = begin; at < end; at += kSector) {
      if (fate == 2 && random_() % 2 == 0) continue;
      const uint64_t to = std::min(at + kSector, end);
      inode.durable.take(inode.current, at, to);
    }
  }
}

void SimulatedFileSystem::apply(Names& names, const DirectoryOperation& operation) {
  switch (operation.kind) {
    case DirectoryOperation::Kind::kLink: names[operation.path] = operation.inode; return;
    case DirectoryOperation::Kind::kUnlink: names.erase(operation.path); return;
    case DirectoryOperation::Kind::kRename:
      names.erase(operation.path);
      names[operation.to] = operation.inode;
      return;
  }
}

void SimulatedFileSystem::do_directory_locked(DirectoryOperation operation, Step step) {
  if (step == Step::kGo) apply(names_, operation);
  pending_.push_back(std::move(operation));
}

Result<std::unique_ptr<File>> SimulatedFileSystem::open(const std::string& path,
                                                        OpenOptions options) {
  MutexLock lock(mutex_);
  if (crashed_) return io_error("open");
  const auto found = names_.find(path);
  if (found != names_.end()) {
    if (options.create && options.exclusive) {
      return fail(ErrorCode::kAlreadyExists, path + " exists");
    }
    return std::make_unique<SimulatedFile>(*this, found->second, options);
  }
  if (!options.create || !has_directory_locked(parent_of(path))) {
    return fail(ErrorCode::kNotFound, path + " does not exist");
  }
  auto inode = std::make_shared<Inode>();
  const Step step = step_locked(0);
  do_directory_locked(
      {.kind = DirectoryOperation::Kind::kLink, .path = path, .to = "", .inode = inode}, step);
  if (step != Step::kGo) return io_error("open");
  return std::make_unique<SimulatedFile>(*this, inode, options);
}

Result<std::vector<std::string>> SimulatedFileSystem::list(const std::string& directory) {
  MutexLock lock(mutex_);
  if (crashed_) return io_error("list");
  if (!directories_.contains(directory)) {
    return fail(ErrorCode::kNotFound, directory + " does not exist");
  }
  std::vector<std::string> out;
  for (const auto& [name, inode] : names_) {
    if (parent_of(name) == directory) out.push_back(name.substr(directory.size() + 1));
  }
  for (const auto& name : directories_) {
    if (name != directory && parent_of(name) == directory) {
      out.push_back(name.substr(directory.size() + 1));
    }
  }
  return out;
}

// Directories are durable at once: no code here relies on losing one.
Result<void> SimulatedFileSystem::make_directory(const std::string& path) {
  MutexLock lock(mutex_);
  if (crashed_) return io_error("make directory");
  if (!has_directory_locked(parent_of(path))) {
    return fail(ErrorCode::kNotFound, parent_of(path) + " does not exist");
  }
  if (step_locked(0) != Step::kGo) return io_error("make directory");
  directories_.insert(path);
  return {};
}

Result<void> SimulatedFileSystem::remove(const std::string& path) {
  MutexLock lock(mutex_);
  if (crashed_) return io_error("remove");
  if (!names_.contains(path)) {
    const auto within = [&](const std::string& name) { return parent_of(name) == path; };
    const bool empty = std::ranges::none_of(names_, within, &Names::value_type::first) &&
                       std::ranges::none_of(directories_, within);
    if (!empty) return fail(ErrorCode::kInternal, path + " is not empty");
    if (directories_.erase(path) > 0) return {};
    return fail(ErrorCode::kNotFound, path + " does not exist");
  }
  const Step step = step_locked(0);
  do_directory_locked(
      {.kind = DirectoryOperation::Kind::kUnlink, .path = path, .to = "", .inode = nullptr}, step);
  if (step != Step::kGo) return io_error("remove");
  return {};
}

Result<void> SimulatedFileSystem::rename(const std::string& from, const std::string& to) {
  MutexLock lock(mutex_);
  if (crashed_) return io_error("rename");
  const auto found = names_.find(from);
  if (found == names_.end()) return fail(ErrorCode::kNotFound, from + " does not exist");
  if (!has_directory_locked(parent_of(to))) {
    return fail(ErrorCode::kNotFound, parent_of(to) + " does not exist");
  }
  const Step step = step_locked(0);
  do_directory_locked(
      {.kind = DirectoryOperation::Kind::kRename, .path = from, .to = to, .inode = found->second},
      step);
  if (step != Step::kGo) return io_error("rename");
  return {};
}

Result<void> SimulatedFileSystem::flush_directory(const std::string& directory) {
  MutexLock lock(mutex_);
  if (step_locked(faults_.flush_error) != Step::kGo) return io_error("flush directory");
  if (!directories_.contains(directory)) {
    return fail(ErrorCode::kNotFound, directory + " does not exist");
  }
  for (const auto& operation : pending_) {
    if (parent_of(operation.path) == directory) apply(durable_names_, operation);
  }
  std::erase_if(pending_,
                [&](const auto& operation) { return parent_of(operation.path) == directory; });
  return {};
}

Result<std::unique_ptr<FileLock>> SimulatedFileSystem::lock(const std::string& path) {
  MutexLock lock(mutex_);
  if (crashed_) return io_error("lock");
  if (!has_directory_locked(parent_of(path))) {
    return fail(ErrorCode::kNotFound, parent_of(path) + " does not exist");
  }
  if (!locks_.insert(path).second) return fail(ErrorCode::kAlreadyExists, path + " is locked");
  return std::make_unique<SimulatedLock>(*this, path);
}

Result<Space> SimulatedFileSystem::space(const std::string&) {
  MutexLock lock(mutex_);
  if (crashed_) return io_error("space");
  const uint64_t used = used_locked();
  return Space{.total_bytes = capacity_, .free_bytes = capacity_ - std::min(capacity_, used)};
}

void SimulatedFileSystem::set_faults(Faults faults) {
  MutexLock lock(mutex_);
  faults_ = faults;
}

void SimulatedFileSystem::set_capacity(uint64_t bytes) {
  MutexLock lock(mutex_);
  capacity_ = bytes;
}

void SimulatedFileSystem::crash_after_calls(uint64_t calls) {
  MutexLock lock(mutex_);
  counting_ = calls > 0;
  calls_left_ = calls;
}

bool SimulatedFileSystem::crashed() const {
  MutexLock lock(mutex_);
  return crashed_;
}

uint64_t SimulatedFileSystem::calls() const {
  MutexLock lock(mutex_);
  return calls_;
}

void SimulatedFileSystem::restart() {
  MutexLock lock(mutex_);
  const size_t survivors = random_() % (pending_.size() + 1);
  for (size_t i = 0; i < survivors; ++i) apply(durable_names_, pending_[i]);
  pending_.clear();
  std::set<Inode*> done;
  for (const auto& names : {names_, durable_names_}) {
    for (const auto& [name, inode] : names) {
      if (!done.insert(inode.get()).second) continue;
      tear_locked(*inode);
      inode->current = inode->durable;
      inode->dirty.clear();
      inode->size_dirty = false;
      inode->cache_rot.clear();
    }
  }
  names_ = durable_names_;
  locks_.clear();
  crashed_ = false;
  counting_ = false;
  ++boot_;
}

void SimulatedFileSystem::flip_bit(const std::string& path, uint64_t byte, unsigned bit) {
  MutexLock lock(mutex_);
  const auto found = names_.find(path);
  ASSERT(found != names_.end() && byte < found->second->current.size());
  const auto mask = static_cast<std::byte>(1u << bit);
  for (Bytes* bytes : {&found->second->current, &found->second->durable}) {
    if (byte >= bytes->size()) continue;
    const std::byte flipped = bytes->at(byte) ^ mask;
    bytes->write(byte, {&flipped, 1});
  }
}

void SimulatedFileSystem::flip_cached_bit(const std::string& path, uint64_t byte, unsigned bit) {
  MutexLock lock(mutex_);
  const auto found = names_.find(path);
  ASSERT(found != names_.end() && byte < found->second->current.size());
  found->second->cache_rot[byte] =
      found->second->current.at(byte) ^ static_cast<std::byte>(1u << bit);
}

}  // namespace rondel::fs
