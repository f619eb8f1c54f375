// SPDX-License-Identifier: Apache-2.0
#include "store/pieces.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <set>
#include <utility>
#include <vector>

#include "base/crash_point.h"
#include "base/progress.h"

namespace ffdc {
namespace {

constexpr uint64_t kPieceBytes = 64u << 20;
constexpr uint64_t kOperationBytes = 4u << 20;  // of one operation
// Under way at once: enough to keep an OSD busy, little enough for the memory of a node in trouble, and
// for librados, which blocks at 100 MiB.
constexpr size_t kWindow = 4;
constexpr size_t kReadAhead = 4;

std::string PieceName(const std::string& name, uint64_t number) {
  std::array<char, 24> suffix{};
  snprintf(suffix.data(), suffix.size(), ".%06llu", static_cast<unsigned long long>(number));
  return name + suffix.data();
}

struct Place {
  std::string object;
  uint64_t offset = 0;
  uint64_t size = 0;
};

class Upload {
 public:
  Upload(CephPool& pool, std::string name, std::string path, Transfer& transfer, ArchiveCheck& check)
      : pool_(pool), name_(std::move(name)), path_(std::move(path)), transfer_(transfer), check_(check) {}

  Result<> Run() {
    file_ = Fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file_.valid()) return FailErrno("cannot open " + path_);
    const off_t end = lseek(file_.get(), 0, SEEK_END);
    if (end < 0) return FailErrno("cannot tell the size of " + path_);
    size_bytes_ = static_cast<uint64_t>(end);
    FFDC_TRY(FindFormer());
    FFDC_TRY(Send());
    FFDC_TRY(Resend());
    return CheckSizes();
  }

 private:
  struct Pending {
    size_t chunk;
    CephOpPtr op;
    CephBufferPtr data;  // of a write
  };

  [[nodiscard]] uint64_t pieces() const { return (size_bytes_ + kPieceBytes - 1) / kPieceBytes; }
  [[nodiscard]] uint64_t PieceSize(uint64_t number) const {
    return std::min(kPieceBytes, size_bytes_ - number * kPieceBytes);
  }
  [[nodiscard]] Place At(size_t chunk) const {
    const uint64_t offset = chunk * kOperationBytes;
    return {PieceName(name_, offset / kPieceBytes), offset % kPieceBytes,
            std::min(kOperationBytes, size_bytes_ - offset)};
  }

  Result<> FindFormer() {
    for (uint64_t number = 0; number < pieces(); ++number) {
      const std::string object = PieceName(name_, number);
      auto size = pool_.Size(object);
      if (!size && size.error().code != ENOENT) return Unexpected(std::move(size).error());
      if (size && *size > PieceSize(number)) {
        FFDC_TRY(pool_.Remove(object));
        size = 0;
      }
      former_.push_back(size ? *size : 0);
      ReportProgress();
    }
    // What lies behind the end belonged to something longer.
    for (uint64_t number = pieces();; ++number) {
      auto removed = pool_.Remove(PieceName(name_, number));
      if (removed) continue;
      if (removed.error().code == ENOENT) return {};
      return removed;
    }
  }

  Result<CephBufferPtr> ReadChunk(size_t chunk) {
    const size_t size = At(chunk).size;
    CephBufferPtr buffer = TakeBuffer(size);
    for (size_t got = 0; got < size;) {
      const ssize_t more = pread(file_.get(), buffer->data() + got, size - got,
                                 static_cast<off_t>(chunk * kOperationBytes + got));
      if (more < 0 && errno == EINTR) continue;
      if (more < 0) return FailErrno("cannot read " + path_);
      if (more == 0) return Fail(path_ + " became shorter while it was read", EIO);
      got += static_cast<size_t>(more);
    }
    return buffer;
  }

  // Fresh memory for each would cost as much as reading into it.
  CephBufferPtr TakeBuffer(size_t size) {
    while (!used_.empty()) {
      CephBufferPtr buffer = std::move(used_.back());
      used_.pop_back();
      if (buffer->Reuse(size)) return buffer;
    }
    return pool_.Allocate(size);
  }

  Result<> Send() {
    const size_t chunks = (size_bytes_ + kOperationBytes - 1) / kOperationBytes;
    for (size_t chunk = 0; chunk < chunks; ++chunk) {
      FFDC_ASSIGN(CephBufferPtr data, ReadChunk(chunk));
      check_.Update(data->bytes());
      checksums_.push_back(data->Crc32c());
      const Place place = At(chunk);
      if (place.offset + place.size <= former_[chunk * kOperationBytes / kPieceBytes]) {
        used_.push_back(std::move(data));
        FFDC_TRY(StartCheck(chunk));
      } else {
        FFDC_TRY(StartWrite(chunk, std::move(data)));
      }
    }
    return Finish();
  }

  // What was there before, but is not what it should be.
  Result<> Resend() {
    for (const size_t chunk : std::exchange(wrong_, {})) {
      if (written_.contains(chunk)) return WrongChunk(chunk);
      FFDC_ASSIGN(CephBufferPtr data, ReadChunk(chunk));
      if (data->Crc32c() != checksums_[chunk]) return Fail(path_ + " changed while it was read", EIO);
      FFDC_TRY(StartWrite(chunk, std::move(data)));
    }
    FFDC_TRY(Finish());
    if (!wrong_.empty()) return WrongChunk(wrong_.front());
    return {};
  }

  [[nodiscard]] Unexpected WrongChunk(size_t chunk) const {
    return Fail(At(chunk).object + " reads back wrong: its checksum differs", EBADMSG);
  }

  Result<> CheckSizes() {
    for (uint64_t number = 0; number < pieces(); ++number) {
      FFDC_ASSIGN(const uint64_t size, pool_.Size(PieceName(name_, number)));
      if (size != PieceSize(number))
        return Fail(PieceName(name_, number) + " reads back wrong: it has " + std::to_string(size) +
                        " bytes, not " + std::to_string(PieceSize(number)),
                    EBADMSG);
    }
    return {};
  }

  Result<> StartWrite(size_t chunk, CephBufferPtr data) {
    FFDC_TRY(FinishWrites(kWindow - 1));
    const Place place = At(chunk);
    CephOpPtr op = pool_.Write(place.object, place.offset, *data);
    writes_.push_back({chunk, std::move(op), std::move(data)});
    written_.insert(chunk);
    transfer_.Sent(place.size);
    CrashPoint("ship.half_copied");
    return {};
  }

  Result<> StartCheck(size_t chunk) {
    FFDC_TRY(FinishChecks(kWindow - 1));
    const Place place = At(chunk);
    checks_.push_back({chunk, pool_.Checksum(place.object, place.offset, place.size), nullptr});
    return {};
  }

  Result<> Finish() {
    FFDC_TRY(FinishWrites(0));
    return FinishChecks(0);
  }

  // Until at most so many are under way. What is written is read back while the next is written.
  Result<> FinishWrites(size_t most) {
    while (writes_.size() > most) {
      Pending write = std::move(writes_.front());
      writes_.pop_front();
      FFDC_TRY(write.op->Wait());
      write.op.reset();
      used_.push_back(std::move(write.data));
      ReportProgress();
      FFDC_TRY(StartCheck(write.chunk));
    }
    return {};
  }

  Result<> FinishChecks(size_t most) {
    while (checks_.size() > most) {
      const Pending check = std::move(checks_.front());
      checks_.pop_front();
      FFDC_ASSIGN(const CephAnswer answer, check.op->Wait());
      ReportProgress();
      if (answer.crc32c != checksums_[check.chunk]) wrong_.push_back(check.chunk);
    }
    return {};
  }

  CephPool& pool_;
  const std::string name_;
  const std::string path_;
  Transfer& transfer_;
  ArchiveCheck& check_;
  Fd file_;
  uint64_t size_bytes_ = 0;
  std::vector<uint64_t> former_;  // bytes of each piece from a former try
  std::vector<uint32_t> checksums_;
  std::set<size_t> written_;
  std::vector<size_t> wrong_;
  std::vector<CephBufferPtr> used_;
  std::deque<Pending> writes_;
  std::deque<Pending> checks_;
};

class PieceSource final : public ByteSource {
 public:
  PieceSource(std::shared_ptr<CephPool> pool, std::string name, uint64_t size_bytes)
      : pool_(std::move(pool)), name_(std::move(name)), size_bytes_(size_bytes) {}

  [[nodiscard]] uint64_t size_bytes() const override { return size_bytes_; }

  Result<size_t> Read(char* buffer, size_t size) override {
    if (taken_ == chunk_.size()) FFDC_TRY(NextChunk());
    const size_t got = std::min(size, chunk_.size() - taken_);
    if (got != 0) memcpy(buffer, chunk_.data() + taken_, got);
    taken_ += got;
    return got;
  }

 private:
  struct Pending {
    Place place;
    CephOpPtr op;
  };

  Result<> NextChunk() {
    chunk_.clear();
    taken_ = 0;
    while (window_.size() < kReadAhead && asked_ < size_bytes_) {
      Place place{PieceName(name_, asked_ / kPieceBytes), asked_ % kPieceBytes,
                  std::min(kOperationBytes, size_bytes_ - asked_)};
      asked_ += place.size;
      auto op = pool_->Read(place.object, place.offset, place.size);
      window_.push_back({std::move(place), std::move(op)});
    }
    if (window_.empty()) return {};
    const Pending pending = std::move(window_.front());
    window_.pop_front();
    FFDC_ASSIGN(CephAnswer answer, pending.op->Wait());
    ReportProgress();
    if (answer.data.size() != pending.place.size)
      return Fail(pending.place.object + " became shorter while it was read", EIO);
    chunk_ = std::move(answer.data);
    return {};
  }

  std::shared_ptr<CephPool> pool_;
  std::string name_;
  uint64_t size_bytes_;
  uint64_t asked_ = 0;
  std::deque<Pending> window_;
  std::string chunk_;
  size_t taken_ = 0;
};

}  // namespace

Result<> PutPieces(CephPool& pool, const std::string& name, const std::filesystem::path& file,
                   Transfer& transfer, ArchiveCheck& check) {
  return Upload(pool, name, file, transfer, check).Run();
}

Result<std::unique_ptr<ByteSource>> OpenPieces(std::shared_ptr<CephPool> pool, const std::string& name) {
  uint64_t bytes = 0;
  for (uint64_t number = 0;; ++number) {
    auto size = pool->Size(PieceName(name, number));
    if (!size && (size.error().code != ENOENT || number == 0)) return Unexpected(std::move(size).error());
    if (!size) break;
    const uint64_t piece_bytes = *size;
    bytes += piece_bytes;
    if (piece_bytes != kPieceBytes) break;  // the last one
    ReportProgress();
  }
  return std::unique_ptr<ByteSource>(std::make_unique<PieceSource>(std::move(pool), name, bytes));
}

Result<> RemovePieces(CephPool& pool, const std::string& name, uint64_t bytes) {
  const uint64_t pieces = (bytes + kPieceBytes - 1) / kPieceBytes;
  for (uint64_t number = 0;; ++number) {
    auto removed = pool.Remove(PieceName(name, number));
    ReportProgress();
    if (removed) continue;
    if (removed.error().code != ENOENT) return removed;
    if (number >= pieces) return {};
  }
}

}  // namespace ffdc
