// SPDX-License-Identifier: Apache-2.0
#include "cluster/database.h"

namespace ffdc {
namespace {

constexpr int kBusyTimeoutMs = 3000;

// What a person can do about it.
const char* Advice(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ": free space on its disk";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return ": check the rights of its folder, and that its disk is mounted read-write";
    case SQLITE_IOERR:
      return ": check its disk";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ": another process holds it";
    default:
      return "";
  }
}

}  // namespace

Result<> Database::Open(int flags) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path_.c_str(), &handle, flags, nullptr);
  handle_.reset(handle);  // there is a handle even after most errors
  if (code != SQLITE_OK) return Explain(code);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  return {};
}

Result<> Database::Execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return Explain(code);
  return {};
}

Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return Explain(code);
  return Statement(this, statement);
}

Result<int64_t> Database::Query(std::string_view sql) {
  FFDC_ASSIGN(Statement statement, Prepare(sql));
  FFDC_ASSIGN(const bool row, statement.Step());
  return row ? statement.Integer(0) : 0;
}

Unexpected Database::FailDamaged(std::string_view why) {
  damaged_ = true;
  return Fail("incident index " + path_ + ": " + std::string(why));
}

Unexpected Database::Explain(int code) {
  const int primary = code & 0xff;
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) damaged_ = true;
  const char* text = handle_ != nullptr ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
  const int system = handle_ != nullptr ? sqlite3_system_errno(handle_.get()) : 0;
  std::string why = text;
  if (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) {
    if (system != 0) why += std::string(" (") + strerrordesc_np(system) + ")";
  }
  return Fail("incident index " + path_ + ": " + why + Advice(code), system);
}

void Statement::Bind(int position, int64_t value) { sqlite3_bind_int64(statement_.get(), position, value); }

void Statement::BindText(int position, std::string_view text) {
  sqlite3_bind_text(statement_.get(), position, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

void Statement::BindBlob(int position, std::string_view bytes) {
  sqlite3_bind_blob64(statement_.get(), position, bytes.data(), bytes.size(), SQLITE_STATIC);
}

Result<bool> Statement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    auto error = database_->Explain(code);
    sqlite3_reset(statement_.get());
    return error;
  }
  sqlite3_reset(statement_.get());
  return false;
}

std::string_view Statement::Bytes(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  if (data == nullptr) return {};
  return {data, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

int64_t Statement::Integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

}  // namespace ffdc
