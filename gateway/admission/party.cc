#include "gateway/admission/party.h"

#include <arpa/inet.h>

#include <algorithm>
#include <unordered_map>

#include "common/base/mutex.h"

namespace rondel::admission {
namespace {

// "1.2.3.4" also of ::ffff:1.2.3.4; the first 64 bits of any other IPv6 address.
std::string network_of(std::string_view text) {
  if (!text.contains(':')) return std::string(text);
  std::array<unsigned char, 16> bytes{};
  const std::string address(text.substr(0, text.find('%')));
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return std::string(text);
  static constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) {
    std::string out;
    for (size_t i = 12; i < 16; ++i) out += (i > 12 ? "." : "") + std::to_string(bytes[i]);
    return out;
  }
  return std::string(bytes.begin(), bytes.begin() + 8) + "/64";
}

}  // namespace

std::string_view name(Bound bound) {
  switch (bound) {
    case Bound::kRequests: return "requests";
    case Bound::kDocumentBytes: return "document_bytes";
    case Bound::kWriteBytes: return "write_bytes";
    case Bound::kReadBytes: return "read_bytes";
    case Bound::kSmallWriteBytes: return "small_write_bytes";
    case Bound::kSmallReadBytes: return "small_read_bytes";
    case Bound::kListings: return "listings";
  }
  return "";
}

struct Parties::Registry {
  Mutex mutex;
  // By kind and id; an entry goes with its party.
  std::unordered_map<std::string, std::weak_ptr<Party>> parties GUARDED_BY(mutex);
};

Parties::Parties() : registry_(std::make_shared<Registry>()) {}

PartyRef Parties::address(std::string_view text) {
  return find(Party::Kind::kAddress, network_of(text));
}

PartyRef Parties::find(Party::Kind kind, std::string id) {
  const std::string key = (kind == Party::Kind::kAccount ? "a" : "n") + id;
  MutexLock lock(registry_->mutex);
  std::weak_ptr<Party>& entry = registry_->parties[key];
  if (PartyRef known = entry.lock()) return known;

  // Another may have been made under the same key between a party's last reference and its end.
  const auto end = [registry = registry_, key](Party* party) {
    {
      MutexLock end_lock(registry->mutex);
      const auto found = registry->parties.find(key);
      if (found != registry->parties.end() && found->second.expired()) {
        registry->parties.erase(found);
      }
    }
    delete party;
  };
  PartyRef made(new Party(kind, std::move(id)), end);
  entry = made;
  return made;
}

}  // namespace rondel::admission
