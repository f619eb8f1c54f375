// SPDX-License-Identifier: Apache-2.0
// One JSON object a line, as the .jsonl files of a capture have it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/rapidjson.h"

namespace ffdc {

// Strings may hold any bytes: names of processes, models and mounts are the
// outside world's (see Utf8Text).
class JsonLine {
 public:
  JsonLine() : writer_(buffer_) {}

  void Begin() {  // a new line; what was there before is gone
    buffer_.Clear();
    writer_.Reset(buffer_);
    writer_.StartObject();
  }
  void BeginObject(std::string_view name) {
    Key(name);
    writer_.StartObject();
  }
  void EndObject() { writer_.EndObject(); }
  void BeginArray(std::string_view name) {
    Key(name);
    writer_.StartArray();
  }
  void EndArray() { writer_.EndArray(); }
  void Item(std::string_view value) { String(value); }

  void Field(std::string_view name, std::string_view value) {
    Key(name);
    String(value);
  }
  void Field(std::string_view name, const char* value) { Field(name, std::string_view(value)); }
  void Field(std::string_view name, uint64_t value) {
    Key(name);
    writer_.Uint64(value);
  }
  void Field(std::string_view name, uint32_t value) { Field(name, uint64_t{value}); }
  void Field(std::string_view name, int64_t value) {
    Key(name);
    writer_.Int64(value);
  }
  void Field(std::string_view name, int32_t value) { Field(name, int64_t{value}); }
  void Field(std::string_view name, bool value) {
    Key(name);
    writer_.Bool(value);
  }
  void NullField(std::string_view name) {
    Key(name);
    writer_.Null();
  }
  // The line with its newline; valid until the next Begin().
  std::string_view End() {
    writer_.EndObject();
    buffer_.Put('\n');
    return {buffer_.GetString(), buffer_.GetSize()};
  }

 private:
  void Key(std::string_view name) { String(name); }
  void String(std::string_view value);

  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_;
};

}  // namespace ffdc
