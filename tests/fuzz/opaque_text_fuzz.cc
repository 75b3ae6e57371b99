// Texts that nodes give out and take back: each value has one text, and no
// other text is taken.
#include <cstddef>
#include <cstdint>
#include <string>

#include "crdt/check.h"
#include "node/codec/base64url.h"
#include "node/codec/opaque_text.h"
#include "node/codec/ref_text.h"
#include "node/service/tokens.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  std::string bytes;
  if (codec::Base64UrlDecode(text, &bytes)) {
    MUSTER_CHECK(codec::Base64UrlEncode(bytes) == text);
  }
  MUSTER_CHECK(codec::Base64UrlDecode(codec::Base64UrlEncode(text), &bytes));
  MUSTER_CHECK(bytes == text);

  crdt::Ref ref;
  if (codec::ParseRef(text, &ref)) MUSTER_CHECK(codec::RefText(ref) == text);
  codec::Version version;
  const bool is_version = codec::ParseVersion(text, &version);
  if (is_version) MUSTER_CHECK(codec::VersionText(version) == text);
  codec::ListPosition position;
  const bool is_list = codec::ParseListToken(text, &position);
  if (is_list) MUSTER_CHECK(codec::ListToken(position) == text);
  std::string last;
  const bool is_name = codec::ParseNameToken(text, &last);
  if (is_name) MUSTER_CHECK(codec::NameToken(last) == text);
  MUSTER_CHECK(!(is_list && is_name));

  const auto session = service::SessionOf(text);
  if (!session.ok()) {
    MUSTER_CHECK(session.status().code() == absl::StatusCode::kNotFound);
  }
  return 0;
}
