// SPDX-License-Identifier: Apache-2.0
#include "base/proto_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <vector>

#include "base/utf8.h"

namespace ffdc {
namespace {

namespace util = google::protobuf::util;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// True if text had to be changed.
bool Scrub(std::string* text) {
  bool changed = false;
  for (size_t i = 0; i < text->size();) {
    size_t length = Utf8SequenceLength(std::string_view(*text).substr(i));
    if (length == 0) {
      (*text)[i] = '?';
      length = 1;
      changed = true;
    }
    i += length;
  }
  return changed;
}

void ScrubField(Message* message, const FieldDescriptor* field) {
  const Reflection& reflection = *message->GetReflection();
  const int size = field->is_repeated() ? reflection.FieldSize(*message, field) : 1;
  for (int i = 0; i < size; ++i) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      ScrubUtf8(field->is_repeated() ? reflection.MutableRepeatedMessage(message, field, i)
                                     : reflection.MutableMessage(message, field));
      continue;
    }
    std::string text = field->is_repeated() ? reflection.GetRepeatedString(*message, field, i)
                                            : reflection.GetString(*message, field);
    if (!Scrub(&text)) continue;
    if (field->is_repeated()) {
      reflection.SetRepeatedString(message, field, i, std::move(text));
    } else {
      reflection.SetString(message, field, std::move(text));
    }
  }
}

}  // namespace

Result<std::string> ToJson(const google::protobuf::Message& message, JsonStyle style, JsonDefaults defaults) {
  util::JsonPrintOptions options;
  options.add_whitespace = style == JsonStyle::kPretty;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = defaults == JsonDefaults::kPrinted;
  std::string text;
  if (const auto status = util::MessageToJsonString(message, &text, options); !status.ok()) {
    return Fail("cannot write " + message.GetTypeName() + " as JSON: " + std::string(status.message()));
  }
  return text;
}

Result<> FromJson(std::string_view text, google::protobuf::Message* message) {
  util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  message->Clear();
  const auto status =
      util::JsonStringToMessage(google::protobuf::StringPiece(text.data(), text.size()), message, options);
  if (!status.ok()) {
    // More lines, if any, show the place: bytes that may be anything.
    const std::string why(status.message());
    return Fail("not a " + message->GetTypeName() + " in JSON: " + PlainText(why.substr(0, why.find('\n'))));
  }
  return {};
}

void ScrubUtf8(Message* message) {
  std::vector<const FieldDescriptor*> fields;
  message->GetReflection()->ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool is_text = field->type() == FieldDescriptor::TYPE_STRING;
    if (is_text || field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) ScrubField(message, field);
  }
}

}  // namespace ffdc
