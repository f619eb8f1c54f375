// SPDX-License-Identifier: Apache-2.0
// What single values of the configuration must look like. An error's text goes
// on after the key's name: "must be ...".
#pragma once

#include <string_view>

#include "base/result.h"

namespace ffdc::config {

Result<> CheckName(std::string_view value);
Result<> CheckPath(std::string_view value);
Result<> CheckSocketPath(std::string_view value);
// Of the kinds of store there are: a new driver adds its own (docs/extending.md).
Result<> CheckStoreUrl(std::string_view value);
Result<> CheckLogLevel(std::string_view value);
Result<> CheckDeviceEntry(std::string_view value);
Result<> CheckUnit(std::string_view value);        // "nfs-server.service"
Result<> CheckEndpoint(std::string_view value);    // "10.0.0.1:3260", "[fd00::1]:2379"
Result<> CheckDbUrl(std::string_view value);       // "embedded", "etcd://10.0.0.1:2379,10.0.0.2:2379"
Result<> CheckListen(std::string_view value);      // "10.0.0.1:7420"; empty: not at all
Result<> CheckSubscriber(std::string_view value);  // "https://hooks.example.org/ffdc"
Result<> CheckSeverity(std::string_view value);
Result<> CheckPattern(std::string_view value);  // "io.*": see base/pattern.h
Result<> CheckOptionalPath(std::string_view value);
Result<> CheckResourceLimits(std::string_view value);
Result<> CheckCalendar(std::string_view value);  // its characters; systemd reads it when it is used

}  // namespace ffdc::config
