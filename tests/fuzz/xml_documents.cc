// Every document that a client may send as XML.
#include "gateway/s3/documents.h"
#include "gateway/s3/lock_documents.h"
#include "gateway/s3/tagging.h"
#include "gateway/s3/xml_reader.h"
#include "tests/fuzz/input.h"

using namespace rondel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint8_t choice = input.choice();
  const std::string_view text = input.rest();
  switch (choice % 10) {
    case 0: {
      const auto document = s3::parse_delete_document(text);
      if (!document) break;
      fuzz::require(!document->entries.empty() && document->entries.size() <= 1000);
      for (const auto& entry : document->entries) {
        fuzz::require(!entry.key.empty() && entry.key.size() <= 1024);
      }
      break;
    }
    case 1: {
      const auto parts = s3::parse_complete_document(text);
      if (parts) fuzz::require(!parts->empty() && parts->size() <= 10'000);
      break;
    }
    case 2: (void)s3::parse_create_bucket_document(text); break;
    case 3: {
      const auto tags = s3::parse_tagging_document(text, s3::kObjectTagsMax);
      if (tags) fuzz::require(tags->size() <= s3::kObjectTagsMax);
      break;
    }
    case 4: (void)s3::parse_versioning_document(text); break;
    case 5: (void)s3::parse_object_lock_document(text); break;
    case 6: (void)s3::parse_retention_document(text); break;
    case 7: (void)s3::parse_legal_hold_document(text); break;
    case 8: (void)s3::parse_request_payment_document(text); break;
    default: {
      (void)s3::parse_tagging_header(text);
      const auto document = s3::XmlDocument::parse(text, "r");
      if (!document) break;
      std::vector<s3::XmlElement> open{document->root()};
      while (!open.empty()) {
        const s3::XmlElement element = open.back();
        open.pop_back();
        (void)element.text();
        (void)element.attribute("a");
        for (const s3::XmlElement& child : element.children()) open.push_back(child);
      }
    }
  }
  return 0;
}
