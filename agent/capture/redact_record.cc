// SPDX-License-Identifier: Apache-2.0
#include "capture/redact_record.h"

#include <google/protobuf/descriptor.h>

#include <set>
#include <string_view>
#include <vector>

#include "capture/redact_rules.h"

namespace ffdc {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Every other string is one that the cluster works with. A new one of the model that may hold a name, an
// address or somebody's words belongs here.
bool IsText(const FieldDescriptor& field) {
  static const std::set<std::string, std::less<>> kTexts{
      "ffdc.v1.Subject.id",
      "ffdc.v1.Subject.name",
      "ffdc.v1.Subject.serial",
      "ffdc.v1.Subject.used_by",
      "ffdc.v1.Client.name",
      "ffdc.v1.Client.cgroup",
      "ffdc.v1.FailedIo.detail",
      "ffdc.v1.Waiter.comm",
      "ffdc.v1.Fact.value",
      "ffdc.v1.Event.summary",
      "ffdc.v1.Event.related_ids",
      "ffdc.v1.Event.below_ids",
      "ffdc.v1.FirstCause.subject_id",
      "ffdc.v1.FirstCause.subject_name",
      "ffdc.v1.FirstCause.summary",
      "ffdc.v1.Capture.where",
      "ffdc.v1.Capture.error",
      "ffdc.v1.Completeness.missing",
      "ffdc.v1.Loss.detail",
      "ffdc.v1.Incident.reason",
      "ffdc.v1.Incident.summary",
      "ffdc.v1.CollectorResult.error",
      "ffdc.v1.Probe.reason",
  };
  return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING && kTexts.contains(field.full_name());
}

std::string Redacted(Redactor& redactor, const FieldDescriptor& field, const std::string& text) {
  // "node: reason": who was missing is read from it.
  const size_t reason = field.name() == "missing" ? text.find(": ") : std::string::npos;
  const size_t kept = reason == std::string::npos ? 0 : reason + 2;
  Redaction redaction;
  return text.substr(0, kept) + redactor.Text(std::string_view(text).substr(kept), &redaction);
}

}  // namespace

void RedactRecord(Redactor& redactor, Message* record) {
  const auto& reflection = *record->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(*record, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? reflection.FieldSize(*record, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        RedactRecord(redactor, field->is_repeated() ? reflection.MutableRepeatedMessage(record, field, i)
                                                    : reflection.MutableMessage(record, field));
      } else if (IsText(*field) && field->is_repeated()) {
        reflection.SetRepeatedString(
            record, field, i, Redacted(redactor, *field, reflection.GetRepeatedString(*record, field, i)));
      } else if (IsText(*field)) {
        reflection.SetString(record, field, Redacted(redactor, *field, reflection.GetString(*record, field)));
      }
    }
  }
}

Result<std::unique_ptr<Redactor>> MakeRedactor(const std::string& rules) {
  if (rules.empty()) return std::unique_ptr<Redactor>();
  FFDC_ASSIGN(RedactRules parsed, ParseRedactRules(rules, "rules of redaction"));
  return std::make_unique<Redactor>(std::move(parsed));
}

}  // namespace ffdc
