// SPDX-License-Identifier: Apache-2.0
#include "cluster/embedded_db.h"

namespace ffdc {
namespace {

class EmbeddedDb final : public ClusterDb {
 public:
  explicit EmbeddedDb(DbCallbacks callbacks) : callbacks_(std::move(callbacks)) {}

  void Start() override {
    started_ = true;
    callbacks_.snapshot(content_);
  }
  void Put(const std::string& key, const std::string& value) override {
    content_[key] = value;
    if (started_) callbacks_.changed(key, value);
  }
  void Delete(const std::string& key) override {
    held_.erase(key);
    if (content_.erase(key) != 0 && started_) callbacks_.changed(key, std::nullopt);
  }
  void Hold(const std::string& key, const std::string& value) override {
    held_[key] = value;
    Put(key, value);
  }
  void Campaign(const std::string& key, const std::string& value) override { Hold(key, value); }
  void Exchange(const std::string& key, const std::optional<std::string>& expected,
                const std::optional<std::string>& value, std::function<void(Result<bool>)> done) override {
    const auto found = content_.find(key);
    const bool same =
        expected ? found != content_.end() && found->second == *expected : found == content_.end();
    if (same && value) Put(key, *value);
    if (same && !value) Delete(key);
    done(same);
  }
  void Release() override {
    const DbContent held = held_;
    for (const auto& [key, value] : held) Delete(key);
  }

  bool reachable() const override { return started_; }
  const std::string& problem() const override { return problem_; }
  size_t pending() const override { return 0; }

 private:
  DbCallbacks callbacks_;
  DbContent content_;
  DbContent held_;
  std::string problem_;
  bool started_ = false;
};

}  // namespace

std::unique_ptr<ClusterDb> MakeEmbeddedDb(DbCallbacks callbacks) {
  return std::make_unique<EmbeddedDb>(std::move(callbacks));
}

}  // namespace ffdc
