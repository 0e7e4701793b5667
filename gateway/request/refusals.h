// Why a signature or a body was refused, as S3 says it.
#pragma once

#include "gateway/payload/payload_reader.h"
#include "gateway/s3/error.h"
#include "gateway/signature/authenticator.h"

namespace rondel::request {

s3::Error to_s3(const payload::PayloadError& error);
s3::Error to_s3(const signature::RefusalDetail& refusal);

}  // namespace rondel::request
