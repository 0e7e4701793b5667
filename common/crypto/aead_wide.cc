// Aead by Intel's library for IPsec. OpenSSL 3.0 has one block an instruction: a quarter of the
// rate.
#include "common/crypto/aead_engine.h"

#ifdef RONDEL_IPSEC_MB

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include "common/crypto/digest.h"

namespace rondel::crypto {
namespace {

constexpr uint64_t kNeeded = IMB_CPUFLAGS_AVX512_T2 | IMB_FEATURE_SELF_TEST_PASS;

// A table of functions for this processor, of one process, read only once made. Null: they would be
// no wider than OpenSSL's.
IMB_MGR* library() {
  static const std::unique_ptr<IMB_MGR, decltype(&free_mb_mgr)> made = [] {
    std::unique_ptr<IMB_MGR, decltype(&free_mb_mgr)> manager(alloc_mb_mgr(0), &free_mb_mgr);
    if (!manager) return manager;
    init_mb_mgr_auto(manager.get(), nullptr);
    if ((manager->features & kNeeded) != kNeeded) manager.reset();
    return manager;
  }();
  return made.get();
}

class WideEngine final : public AeadEngine {
 public:
  WideEngine(IMB_MGR* library, std::string_view key, AeadDirection direction)
      : library_(library), direction_(direction) {
    IMB_AES256_GCM_PRE(library_, key.data(), &key_);
  }

  ~WideEngine() override {
    OPENSSL_cleanse(&key_, sizeof key_);
    OPENSSL_cleanse(&message_, sizeof message_);
  }

  void begin(ByteView nonce, ByteView additional) override {
    IMB_AES256_GCM_INIT(library_, &key_, &message_, bytes(nonce), bytes(additional),
                        additional.size());
  }

  void update(ByteView in, std::byte* out) override {
    auto* const to = reinterpret_cast<uint8_t*>(out);
    if (direction_ == AeadDirection::kSeal) {
      IMB_AES256_GCM_ENC_UPDATE(library_, &key_, &message_, to, bytes(in), in.size());
    } else {
      IMB_AES256_GCM_DEC_UPDATE(library_, &key_, &message_, to, bytes(in), in.size());
    }
  }

  void finish_seal(std::byte* tag) override {
    IMB_AES256_GCM_ENC_FINALIZE(library_, &key_, &message_, reinterpret_cast<uint8_t*>(tag),
                                kAeadTagBytes);
  }

  bool finish_open(ByteView tag) override {
    char expected[kAeadTagBytes];
    IMB_AES256_GCM_DEC_FINALIZE(library_, &key_, &message_, reinterpret_cast<uint8_t*>(expected),
                                kAeadTagBytes);
    return constant_time_equal({expected, sizeof expected}, as_text(tag));
  }

 private:
  static const uint8_t* bytes(ByteView view) {
    return reinterpret_cast<const uint8_t*>(view.data());
  }

  IMB_MGR* const library_;
  const AeadDirection direction_;
  alignas(64) gcm_key_data key_;
  alignas(64) gcm_context_data message_;
};

}  // namespace

std::unique_ptr<AeadEngine> make_wide_engine(std::string_view key, AeadDirection direction) {
  IMB_MGR* const manager = library();
  return manager == nullptr ? nullptr : std::make_unique<WideEngine>(manager, key, direction);
}

}  // namespace rondel::crypto

#else

namespace rondel::crypto {

std::unique_ptr<AeadEngine> make_wide_engine(std::string_view, AeadDirection) { return nullptr; }

}  // namespace rondel::crypto

#endif
