// Handlers of multipart uploads. gateway/api/dispatch.cc ties them to their operations.
#pragma once

#include "gateway/request/answers.h"

namespace rondel::multipart {

request::Answer<request::Response> create_multipart_upload(request::Context& context);
request::Answer<request::Response> upload_part(request::Context& context);
request::Answer<request::Response> upload_part_copy(request::Context& context);
request::Answer<request::Response> complete_multipart_upload(request::Context& context);
request::Answer<request::Response> abort_multipart_upload(request::Context& context);
request::Answer<request::Response> list_parts(request::Context& context);
request::Answer<request::Response> list_multipart_uploads(request::Context& context);

}  // namespace rondel::multipart
