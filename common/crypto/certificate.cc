#include "common/crypto/certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

namespace rondel::crypto {
namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

Bio reader(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// A key that is encrypted is no key: nobody is there to be asked for its password.
int no_password(char*, int, int, void*) { return 0; }

std::vector<X509Ptr> read_chain(std::string_view pem) {
  const Bio in = reader(pem);
  std::vector<X509Ptr> chain;
  while (X509* const next = PEM_read_bio_X509(in.get(), nullptr, no_password, nullptr)) {
    chain.emplace_back(next);
  }
  ERR_clear_error();  // The end of the file is one.
  return chain;
}

Result<SystemTime> time_of(const ASN1_TIME* time) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    return fail(ErrorCode::kInvalidArgument, "a time of the certificate does not parse");
  }
  return SystemTime(std::chrono::seconds(timegm(&parts)));
}

void add_names(X509* certificate, Certificate& out) {
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (!names) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS && name->type != GEN_URI) continue;
    const ASN1_STRING* const text = name->d.ia5;
    std::string value(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                      static_cast<size_t>(ASN1_STRING_length(text)));
    (name->type == GEN_DNS ? out.dns_names : out.uris).push_back(std::move(value));
  }
}

}  // namespace

Result<Certificate> parse_certificate(std::string_view pem) {
  const std::vector<X509Ptr> chain = read_chain(pem);
  if (chain.empty()) return fail(ErrorCode::kInvalidArgument, "no certificate in PEM form");
  Certificate out;
  out.not_before = SystemTime::min();
  out.not_after = SystemTime::max();
  for (const X509Ptr& certificate : chain) {
    TRY(const SystemTime from, time_of(X509_get0_notBefore(certificate.get())));
    TRY(const SystemTime until, time_of(X509_get0_notAfter(certificate.get())));
    out.not_before = std::max(out.not_before, from);
    out.not_after = std::min(out.not_after, until);
  }
  add_names(chain.front().get(), out);
  return out;
}

Result<void> check_private_key(std::string_view chain, std::string_view key) {
  const std::vector<X509Ptr> certificates = read_chain(chain);
  if (certificates.empty()) return fail(ErrorCode::kInvalidArgument, "no certificate in PEM form");
  const Bio in = reader(key);
  const KeyPtr parsed(PEM_read_bio_PrivateKey(in.get(), nullptr, no_password, nullptr));
  const bool fits = parsed && X509_check_private_key(certificates.front().get(), parsed.get()) == 1;
  ERR_clear_error();
  if (!fits) return fail(ErrorCode::kInvalidArgument, "the key is not that of the certificate");
  return {};
}

}  // namespace rondel::crypto
