#include "gateway/request/tagging_document.h"

#include "gateway/s3/tagging.h"
#include "gateway/s3/xml_writer.h"

namespace rondel::request {

std::string tagging_document(const s3::Tags& tags) {
  s3::XmlWriter xml("Tagging");
  s3::write_tag_set(xml, tags);
  return std::move(xml).finish();
}

}  // namespace rondel::request
