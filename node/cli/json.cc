#include "node/cli/json.h"

#include <google/protobuf/descriptor.h>

#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "node/codec/utf8.h"

namespace muster::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

void AppendMessage(const Message& message, std::string* out);

// The value of a field, or of its element `index` if it is repeated.
class ValueOf {
 public:
  ValueOf(const Message& message, const FieldDescriptor* field, int index)
      : message_(message),
        reflection_(*message.GetReflection()),
        field_(field),
        index_(index) {}

  std::string Bytes() const {
    return index_ < 0 ? reflection_.GetString(message_, field_)
                      : reflection_.GetRepeatedString(message_, field_, index_);
  }

  void Append(std::string* out) const {
    switch (field_->cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        absl::StrAppend(out,
                        Get(&Reflection::GetBool, &Reflection::GetRepeatedBool)
                            ? "true"
                            : "false");
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        absl::StrAppend(
            out, Get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32));
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        absl::StrAppend(
            out, Get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64));
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        absl::StrAppend(
            out, Get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32));
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        absl::StrAppend(
            out, Get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64));
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        absl::StrAppend(
            out, Get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble));
        break;
      case FieldDescriptor::CPPTYPE_FLOAT:
        absl::StrAppend(
            out, Get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat));
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        absl::StrAppend(out, JsonString(Get(&Reflection::GetEnum,
                                            &Reflection::GetRepeatedEnum)
                                            ->name()));
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        AppendText(out);
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        AppendMessage(index_ < 0 ? reflection_.GetMessage(message_, field_)
                                 : reflection_.GetRepeatedMessage(
                                       message_, field_, index_),
                      out);
        break;
    }
  }

 private:
  template <typename T>
  T Get(T (Reflection::*one)(const Message&, const FieldDescriptor*) const,
        T (Reflection::*element)(const Message&, const FieldDescriptor*, int)
            const) const {
    return index_ < 0 ? (reflection_.*one)(message_, field_)
                      : (reflection_.*element)(message_, field_, index_);
  }

  void AppendText(std::string* out) const {
    const std::string text = Bytes();
    absl::StrAppend(
        out, JsonString(codec::IsUtf8(text) ? text : absl::Base64Escape(text)));
  }

  const Message& message_;
  const Reflection& reflection_;
  const FieldDescriptor* const field_;
  const int index_;
};

void AppendMap(const Message& message, const FieldDescriptor* field,
               std::string* out) {
  const Reflection& reflection = *message.GetReflection();
  const FieldDescriptor* key = field->message_type()->map_key();
  const FieldDescriptor* value = field->message_type()->map_value();
  std::map<std::string, std::string> sorted;
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, field, i);
    std::string key_text;
    ValueOf(entry, key, -1).Append(&key_text);
    ValueOf(entry, value, -1).Append(&sorted[key_text]);
  }
  out->push_back('{');
  for (const auto& [key_text, value_text] : sorted) {
    if (out->back() != '{') out->push_back(',');
    absl::StrAppend(out, key_text, ":", value_text);
  }
  out->push_back('}');
}

void AppendField(const Message& message, const FieldDescriptor* field,
                 std::string* out) {
  const bool base64 = field->type() == FieldDescriptor::TYPE_BYTES &&
                      !field->is_repeated() &&
                      !codec::IsUtf8(ValueOf(message, field, -1).Bytes());
  absl::StrAppend(out, "\"", field->name(), base64 ? "_base64" : "", "\":");
  if (field->is_map()) {
    AppendMap(message, field, out);
  } else if (field->is_repeated()) {
    out->push_back('[');
    const int size = message.GetReflection()->FieldSize(message, field);
    for (int i = 0; i < size; ++i) {
      if (i > 0) out->push_back(',');
      ValueOf(message, field, i).Append(out);
    }
    out->push_back(']');
  } else {
    ValueOf(message, field, -1).Append(out);
  }
}

void AppendFields(const Message& message, std::string* out) {
  const google::protobuf::Descriptor* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    if (out->back() != '{') out->push_back(',');
    AppendField(message, type->field(i), out);
  }
}

void AppendMessage(const Message& message, std::string* out) {
  out->push_back('{');
  AppendFields(message, out);
  out->push_back('}');
}

}  // namespace

std::string ToJson(const Message& message) {
  std::string out;
  AppendMessage(message, &out);
  return out;
}

std::string ToJson(absl::string_view name, absl::string_view value,
                   const Message& message) {
  std::string out = absl::StrCat("{", JsonString(name), ":", JsonString(value));
  AppendFields(message, &out);
  out.push_back('}');
  return out;
}

std::string JsonString(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out.append("\\\"");
        break;
      case '\\':
        out.append("\\\\");
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\r':
        out.append("\\r");
        break;
      case '\t':
        out.append("\\t");
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          absl::StrAppendFormat(&out, "\\u%04x", c);
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
  return out;
}

}  // namespace muster::cli
