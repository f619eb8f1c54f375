// SPDX-License-Identifier: Apache-2.0
// SQLite behind RAII, for the incident index. Blocks: in workers only.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ffdc {

class Database;

class Statement {
 public:
  Statement(Statement&&) = default;
  // Positions count from 1. The bytes must live until the next Step().
  void Bind(int position, int64_t value);
  void BindText(int position, std::string_view text);
  void BindBlob(int position, std::string_view bytes);
  // True: a row is there. False: the statement has ended (and may be bound and stepped again).
  Result<bool> Step();
  // Columns count from 0; valid until the next Step().
  [[nodiscard]] std::string_view Bytes(int column) const;
  [[nodiscard]] int64_t Integer(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  Statement(Database* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}

  Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Must outlive its statements and stay where it is.
class Database {
 public:
  explicit Database(std::string path) : path_(std::move(path)) {}
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Result<> Open(int flags);
  Result<> Execute(const char* sql);
  Result<Statement> Prepare(std::string_view sql);
  // The number in the first column of the first row.
  Result<int64_t> Query(std::string_view sql);
  // What else shows that the file is damaged.
  Unexpected FailDamaged(std::string_view why);
  // An error so far said that the file is damaged, or no database at all.
  [[nodiscard]] bool damaged() const { return damaged_; }

 private:
  friend class Statement;
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
  };
  Unexpected Explain(int code);

  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
  bool damaged_ = false;
};

}  // namespace ffdc
