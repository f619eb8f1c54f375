// SPDX-License-Identifier: Apache-2.0
// The index's worker tasks. index.apply: a batch in, all of it or nothing.
// index.load: everything out. Both take a damaged index aside and go on with
// what can still be read of it.
#include <google/protobuf/util/time_util.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/fs.h"
#include "base/mem_file.h"
#include "cluster/database.h"
#include "cluster/index.h"

namespace ffdc {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSchema = 1;

std::string Number(int64_t number) { return std::to_string(number); }

Result<> Migrate(Database& database, const std::string& path) {
  FFDC_ASSIGN(const int64_t schema, database.Query("PRAGMA user_version"));
  if (schema == kSchema) return {};
  if (schema > kSchema) {
    return Fail("incident index " + path + " was written by a newer ffdcd (schema " + Number(schema) +
                "; this one knows " + Number(kSchema) + "): upgrade ffdcd, or move the file away");
  }
  return database.Execute(
      "BEGIN IMMEDIATE;"
      "CREATE TABLE IF NOT EXISTS incidents("
      "  id TEXT PRIMARY KEY, opened_wall_ns INTEGER NOT NULL, state INTEGER NOT NULL, incident BLOB NOT NULL"
      ");"
      "PRAGMA user_version = 1;"
      "COMMIT");
}

Result<> OpenIndex(Database& database, const std::string& path) {
  FFDC_TRY(database.Open(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  // FULL: a transaction that ended is on the disk, also in WAL mode.
  FFDC_TRY(database.Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"));
  return Migrate(database, path);
}

Result<> Upsert(Statement& statement, const v1::Incident& incident) {
  const std::string bytes = incident.SerializeAsString();
  statement.BindText(1, incident.id());
  statement.Bind(2, google::protobuf::util::TimeUtil::TimestampToNanoseconds(incident.opened_at()));
  statement.Bind(3, incident.state());
  statement.BindBlob(4, bytes);
  FFDC_TRY(statement.Step());
  return {};
}

Result<> Change(Database& database, const v1::IndexBatch& batch) {
  FFDC_TRY(database.Execute("BEGIN IMMEDIATE"));
  {
    FFDC_ASSIGN(Statement upsert,
                database.Prepare("INSERT OR REPLACE INTO incidents(id, opened_wall_ns, state, incident) "
                                 "VALUES(?, ?, ?, ?)"));
    for (const auto& incident : batch.upserts()) FFDC_TRY(Upsert(upsert, incident));
    FFDC_ASSIGN(Statement remove, database.Prepare("DELETE FROM incidents WHERE id = ?"));
    for (const auto& id : batch.deletes()) {
      remove.BindText(1, id);
      FFDC_TRY(remove.Step());
    }
  }
  CrashPoint("index.before_commit");
  FFDC_TRY(database.Execute("COMMIT"));
  CrashPoint("index.committed");
  return {};
}

Result<> ReadAll(Database& database, v1::IndexContent* content) {
  FFDC_ASSIGN(Statement rows, database.Prepare("SELECT incident FROM incidents ORDER BY opened_wall_ns, id"));
  int unreadable = 0;
  for (;;) {
    FFDC_ASSIGN(const bool row, rows.Step());
    if (!row) break;
    const std::string_view bytes = rows.Bytes(0);
    if (!content->add_incidents()->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      content->mutable_incidents()->RemoveLast();
      ++unreadable;
    }
  }
  if (unreadable != 0) content->set_damage(Number(unreadable) + " incidents in the index are unreadable");
  return {};
}

// quick_check answers with one row "ok", or with what is wrong.
Result<> CheckSound(Database& database) {
  FFDC_ASSIGN(Statement check, database.Prepare("PRAGMA quick_check(1)"));
  FFDC_TRY(check.Step());
  if (check.Bytes(0) != "ok") return database.FailDamaged(check.Bytes(0));
  return {};
}

// What of a damaged index can still be read, up to the damage. Never fails: it may be nothing.
v1::IndexBatch Salvage(const std::string& path) {
  v1::IndexBatch batch;
  Database damaged(path);
  if (!damaged.Open(SQLITE_OPEN_READWRITE)) return batch;
  auto rows = damaged.Prepare("SELECT incident FROM incidents");
  if (!rows) return batch;
  for (auto row = rows->Step(); row && *row; row = rows->Step()) {
    const std::string_view bytes = rows->Bytes(0);
    v1::Incident incident;
    if (incident.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
      *batch.add_upserts() = incident;
  }
  return batch;
}

Result<> WriteNew(const std::string& path, const v1::IndexBatch& batch) {
  for (const char* suffix : {"", "-wal", "-shm"}) FFDC_TRY(RemoveAll(path + suffix));
  Database database(path);
  FFDC_TRY(OpenIndex(database, path));
  return Change(database, batch);
}

// Puts a new index with what could be saved in the damaged one's place and keeps
// the damaged one beside it. Returns the sentence for the person.
Result<std::string> SetAside(const std::string& path) {
  const v1::IndexBatch saved = Salvage(path);
  const std::string fresh = path + ".new";
  FFDC_TRY(WriteNew(fresh, saved));
  const std::string aside = path + ".damaged-" + Number(SystemClock().RealtimeNs() / kNsPerSecond);
  // The log must go before the file: SQLite would play it into the new one.
  for (const char* suffix : {"-wal", "-shm"}) {
    if (rename((path + suffix).c_str(), (aside + suffix).c_str()) != 0 && errno != ENOENT)
      return FailErrno("cannot set " + path + suffix + " aside");
  }
  FFDC_TRY(RemoveAll(aside));
  if (link(path.c_str(), aside.c_str()) != 0) return FailErrno("cannot set " + path + " aside");
  FFDC_TRY(RenameDurable(fresh, path));
  return "the incident index was damaged: set aside as " + aside + "; " + Number(saved.upserts_size()) +
         " incidents could be read from it";
}

using Use = std::function<Result<>(Database&)>;

Result<> UseOnce(const std::string& path, const Use& use, bool* damaged) {
  Database database(path);
  auto done = OpenIndex(database, path);
  if (done) done = use(database);
  *damaged = database.damaged();
  return done;
}

// An index that proves damaged is set aside, and the new one used instead. Returns the sentence
// that says so, or nothing.
Result<std::string> UseIndex(const std::string& path, const Use& use) {
  FFDC_TRY(MakeDirs(fs::path(path).parent_path()));
  bool damaged = false;
  auto done = UseOnce(path, use, &damaged);
  std::string damage;
  if (!done && damaged) {
    FFDC_ASSIGN(damage, SetAside(path));
    done = UseOnce(path, use, &damaged);
  }
  if (!done) return Unexpected(std::move(done).error());
  return damage;
}

// fds[0]: the reply, an IndexContent.
Result<std::string> LoadTask(std::string_view argument, std::span<const int> fds) {
  v1::IndexContent content;
  FFDC_ASSIGN(const std::string damage, UseIndex(std::string(argument), [&](Database& database) -> Result<> {
                content.Clear();
                FFDC_TRY(CheckSound(database));
                return ReadAll(database, &content);
              }));
  if (!damage.empty()) content.set_damage(damage);
  FFDC_TRY(WriteMessage(fds[0], content));
  return std::string();
}

// fds[0]: an IndexBatch. Replies with what was damaged and set aside, or nothing.
Result<std::string> ApplyTask(std::string_view /*argument*/, std::span<const int> fds) {
  v1::IndexBatch batch;
  FFDC_TRY(ReadMessage(fds[0], &batch));
  return UseIndex(batch.path(), [&](Database& database) { return Change(database, batch); });
}

}  // namespace

WorkerTasks IndexTasks() { return {{"index.load", LoadTask}, {"index.apply", ApplyTask}}; }

}  // namespace ffdc
