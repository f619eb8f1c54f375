// SPDX-License-Identifier: Apache-2.0
#include "probe/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <random>

#include "base/fs.h"
#include "fakes/fake_clock.h"
#include "fakes/temp_dir.h"
#include "probe/history_codec.h"
#include "probe/history_sources.h"

namespace ffdc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using Values = std::map<std::string, int64_t>;

std::string Contents(const Fd& memfd) {
  const auto text = ReadFile("/proc/self/fd/" + std::to_string(memfd.get()), 64u << 20);
  return text ? *text : text.error().message;
}

struct Decoded {
  uint64_t mono_ns;
  int64_t wall_ns;
  Values values;
  bool operator==(const Decoded&) const = default;
};

Result<std::vector<Decoded>> Decode(std::string_view encoded) {
  std::vector<Decoded> samples;
  FFDC_TRY(DecodeHistory(encoded, [&samples](const HistorySample& sample) {
    EXPECT_TRUE(std::is_sorted(sample.values.begin(), sample.values.end(),
                               [](const auto& a, const auto& b) { return a.first < b.first; }));
    samples.push_back({sample.mono_ns, sample.wall_ns, Values(sample.values.begin(), sample.values.end())});
  }));
  return samples;
}

class HistoryTest : public ::testing::Test {
 protected:
  // A history of extra_ alone, until the test writes files into proc_.
  void Create(uint64_t max_bytes = 8u << 20, uint64_t max_samples = 3600) {
    history_ = History::Create({max_bytes, max_samples, proc_.path()}, clock_, [this](const auto& add) {
      for (const auto& [name, value] : extra_) add(name, value);
    });
  }
  void Sample() {
    clock_.now_ns += 1'000'000'000;
    history_->Sample();
  }
  std::string Frozen() {
    const auto memfd = history_->Freeze();
    return memfd ? Contents(*memfd) : memfd.error().message;
  }
  std::vector<Decoded> DecodeFrozen() {
    const auto decoded = Decode(Frozen());
    EXPECT_TRUE(decoded) << decoded.error().message;
    return decoded ? *decoded : std::vector<Decoded>();
  }
  void Proc(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((proc_.path() / path).parent_path());
    std::ofstream(proc_.path() / path) << text;
  }

  TempDir proc_;
  FakeClock clock_;
  std::vector<std::pair<std::string, int64_t>> extra_;
  std::unique_ptr<History> history_;
};

TEST_F(HistoryTest, EmptyHistoryDecodesToNothing) {
  Create();
  EXPECT_TRUE(DecodeFrozen().empty());
  EXPECT_EQ(history_->samples(), 0u);
}

TEST_F(HistoryTest, RandomWalksComeBackAsTheyWere) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    Create();
    std::vector<Decoded> expected;
    std::map<std::string, int64_t> walks;
    for (int i = 0; i < 200; ++i) {
      // Names come and go, and differences of every size up to the whole range occur.
      if (random() % 10 == 0) walks.emplace("n" + std::to_string(random() % 50), 0);
      if (random() % 15 == 0 && !walks.empty()) walks.erase(walks.begin());
      extra_.clear();
      for (auto& [name, value] : walks) {
        const auto step = static_cast<int64_t>(random() >> random() % 64);
        value = static_cast<int64_t>(static_cast<uint64_t>(value) +
                                     static_cast<uint64_t>(random() % 2 == 0 ? step : -step));
        if (random() % 20 != 0) extra_.emplace_back(name, value);
      }
      if (random() % 5 == 0) std::shuffle(extra_.begin(), extra_.end(), random);
      if (random() % 50 == 0) clock_.wall_ns -= 3'600'000'000'000;  // somebody sets the clock
      Sample();
      expected.push_back({clock_.now_ns, clock_.RealtimeNs(), Values(extra_.begin(), extra_.end())});
    }
    EXPECT_EQ(DecodeFrozen(), expected) << "seed " << seed;
    EXPECT_EQ(history_->samples(), 200u);
  }
}

TEST_F(HistoryTest, ExtremeValues) {
  Create();
  std::vector<int64_t> expected = {INT64_MIN, INT64_MAX, INT64_MIN, 0, -1, INT64_MAX, 1};
  for (const int64_t value : expected) {
    extra_ = {{"x", value}};
    Sample();
  }
  std::vector<int64_t> got;
  for (const Decoded& sample : DecodeFrozen()) got.push_back(sample.values.at("x"));
  EXPECT_EQ(got, expected);
}

TEST_F(HistoryTest, NamesThatCannotBeKeptAreCounted) {
  Create();
  extra_ = {{"", 1}, {std::string(10'000, 'x'), 2}, {"ok", 3}, {"ok", 4}};
  Sample();
  EXPECT_THAT(DecodeFrozen().at(0).values, ElementsAre(Pair("history.left_out", 2), Pair("ok", 4)));
}

TEST_F(HistoryTest, KeepsTheNewestSamples) {
  Create(8u << 20, 600);
  for (int i = 0; i < 1500; ++i) {
    extra_ = {{"i", i}};
    Sample();
  }
  const auto samples = DecodeFrozen();
  EXPECT_EQ(samples.size(), history_->samples());
  EXPECT_LE(samples.size(), 600u);
  EXPECT_GE(samples.size(), 590u);
  EXPECT_EQ(samples.back().values.at("i"), 1499);
  EXPECT_EQ(history_->dropped(), 0u) << "their hour was over";
}

TEST_F(HistoryTest, StaysInsideItsBudgetAndCountsWhatItDropped) {
  constexpr uint64_t kBudget = 100'000;
  Create(kBudget);
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    extra_.clear();
    for (int value = 0; value < 100; ++value)
      extra_.emplace_back("noise" + std::to_string(value), static_cast<int64_t>(random()));
    Sample();
    ASSERT_LE(history_->bytes(), kBudget);
  }
  EXPECT_GT(history_->samples(), 50u);
  EXPECT_EQ(history_->dropped(), 1000 - history_->samples());
  EXPECT_EQ(DecodeFrozen().size(), history_->samples());
}

TEST_F(HistoryTest, ATinyBudgetKeepsNothingButGoesOn) {
  Create(10);
  extra_ = {{"a", 1}};
  for (int i = 0; i < 100; ++i) Sample();
  EXPECT_EQ(history_->samples(), 0u);
  EXPECT_EQ(history_->dropped(), 100u);
  EXPECT_TRUE(DecodeFrozen().empty());
}

TEST_F(HistoryTest, ReadsTheKernelsFiles) {
  Proc("diskstats",
       "   1       0 ram0 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n"
       "   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
       "   8       0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 18446744073709551615\n"
       "   8       1 sda1 1 2 3 4 5 6 7 8 9 10 11\n"
       "   8\n   8 x y z\n");
  Proc("pressure/io",
       "some avg10=0.00 avg60=0.00 avg300=0.00 total=123\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=45\n");
  Proc("vmstat", "nr_free_pages 6114471\npgfault 77\nbroken\n\n");
  Proc("meminfo", "MemFree:        24497620 kB\nHugePages_Total:       3\n");
  Proc("net/snmp", "Ip: Forwarding\nIp: 1\nTcp: RtoMin MaxConn RetransSegs\nTcp: 200 -1 5\nUdp: A\nUdp: 1\n");
  Proc("net/netstat", "TcpExt: A B C\nTcpExt: 1 2\nIpExt: X\nIpExt: 1\n");
  Proc("net/dev",
       "Inter-|   Receive                    |  Transmit\n face |bytes    packets errs drop\n"
       "  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n    lo:100 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
       " short: 1 2\n");
  Proc("loadavg", "0.20 1.18 10.02 1/80 11206\n");
  Create();
  Sample();
  const Values values = DecodeFrozen().at(0).values;
  const Values expected_some = {{"disk.sda.read_ios", 1},
                                {"disk.sda.in_flight", 9},
                                {"disk.sda.flush_ms", -1},
                                {"disk.sda1.weighted_ms", 11},
                                {"psi.io.some_total_us", 123},
                                {"psi.io.full_total_us", 45},
                                {"vm.nr_free_pages", 6114471},
                                {"vm.pgfault", 77},
                                {"mem.MemFree_kb", 24497620},
                                {"mem.HugePages_Total", 3},
                                {"tcp.RtoMin", 200},
                                {"tcp.MaxConn", -1},
                                {"tcp.RetransSegs", 5},
                                {"net.eth0.rx_bytes", 1},
                                {"net.eth0.rx_frame", 6},
                                {"net.eth0.tx_bytes", 9},
                                {"net.eth0.tx_carrier", 15},
                                {"net.lo.rx_bytes", 100},
                                {"load.1m_x100", 20},
                                {"load.5m_x100", 118},
                                {"load.15m_x100", 1002},
                                {"load.running", 1},
                                {"load.tasks", 80}};
  for (const auto& [name, value] : expected_some) {
    ASSERT_TRUE(values.contains(name)) << name;
    EXPECT_EQ(values.at(name), value) << name;
  }
  EXPECT_EQ(values.size(), 17u + 11 + 2 + 2 + 2 + 3 + 2 * 13 + 5);
  for (const auto& [name, value] : values)
    for (const char* absent : {"ram0", "loop0", "tcpext", "short", "psi.cpu"})
      EXPECT_THAT(name, ::testing::Not(HasSubstr(absent)));
}

TEST_F(HistoryTest, FollowsDevicesThatComeAndGo) {
  Proc("diskstats", "8 0 sda 1 0 0 0\n8 16 sdb 2 0 0 0\n");
  Create();
  Sample();
  Proc("diskstats", "8 16 sdb 3 0 0 0\n8 32 sdc 4 0 0 0\n8 48 sdd 5 0 0 0\n");
  Sample();
  Proc("diskstats", "");
  Sample();
  Proc("diskstats", "8 0 sda 6 0 0 0\n");
  Sample();
  std::vector<Values> reads;
  for (const Decoded& sample : DecodeFrozen()) {
    reads.emplace_back();
    for (const auto& [name, value] : sample.values)
      if (name.ends_with("read_ios")) reads.back().emplace(name, value);
  }
  EXPECT_THAT(
      reads, ElementsAre(Values{{"disk.sda.read_ios", 1}, {"disk.sdb.read_ios", 2}},
                         Values{{"disk.sdb.read_ios", 3}, {"disk.sdc.read_ios", 4}, {"disk.sdd.read_ios", 5}},
                         Values{}, Values{{"disk.sda.read_ios", 6}}));
}

TEST_F(HistoryTest, ThousandsOfDisksAreCutAndCounted) {
  std::string text;
  for (int i = 0; i < 5000; ++i)
    text += "259 " + std::to_string(i) + " sd" + std::to_string(i) + " 1 2 3 4 5 6 7 8 9 10 11\n";
  Proc("diskstats", text);
  Create();
  for (int i = 0; i < 70; ++i) Sample();
  const auto samples = DecodeFrozen();
  ASSERT_EQ(samples.size(), 70u);
  EXPECT_EQ(samples.back().values.at("history.left_out"), 5000 - 1024);
  EXPECT_EQ(samples.back().values.size(), 1024u * 11 + 1);
}

TEST_F(HistoryTest, MalformedInputIsAnError) {
  Create();
  std::mt19937_64 random(7);
  for (int i = 0; i < 130; ++i) {
    extra_ = {{"a", static_cast<int64_t>(random())}, {"b" + std::to_string(i % 3), i}};
    Sample();
  }
  const std::string good = Frozen();
  const auto samples = Decode(good);
  ASSERT_TRUE(samples);
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(Decode(good.substr(0, length))) << "cut at " << length;
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1 << at % 8);
    const auto decoded = Decode(bad);
    // A bit that zstd does not use hurts nothing.
    EXPECT_TRUE(!decoded || *decoded == *samples) << "bit flipped in byte " << at;
  }
  EXPECT_FALSE(Decode(good + "x"));
  EXPECT_FALSE(Decode("FFDCHIS2"));
}

// What a good frame holds may still be nonsense.
TEST_F(HistoryTest, MalformedSamplesAreAnError) {
  const auto block_of = [](const std::function<void(HistoryBlockEncoder&)>& fill) {
    HistoryBlockEncoder encoder;
    fill(encoder);
    return std::string(kHistoryMagic) + encoder.Compress() + HistoryEnd(1);
  };
  EXPECT_FALSE(Decode(block_of([](HistoryBlockEncoder&) {}))) << "no samples";
  EXPECT_FALSE(Decode(block_of([](HistoryBlockEncoder& encoder) {
    for (size_t i = 0; i <= kHistoryMaxBlockSamples; ++i) encoder.EndSample(i, 0);
  }))) << "too many samples";
  std::string fewer = block_of([](HistoryBlockEncoder& encoder) {
    encoder.Set(encoder.IndexOf("a"), 1);
    encoder.EndSample(1, 1);
    encoder.EndSample(2, 2);
  });
  fewer[kHistoryMagic.size() + 8] = 1;  // samples
  EXPECT_FALSE(Decode(fewer)) << "bytes after the last sample";
  fewer[kHistoryMagic.size() + 8] = 3;
  EXPECT_FALSE(Decode(fewer)) << "fewer samples than promised";
}

// Counters with a steady, noisy rate, gauges that wander, and much that never moves.
class TypicalHost {
 public:
  void Fill(std::vector<std::pair<std::string, int64_t>>& out) {
    for (size_t i = 0; i < values_.size(); ++i) {
      if (i < 250) {
        values_[i].second += rate_[i] / 2 + static_cast<int64_t>(random_() % (rate_[i] + 1));
      } else if (i < 350) {
        values_[i].second += static_cast<int64_t>(random_() % 2001) - 1000;
      }
    }
    out = values_;
  }
  TypicalHost() {
    for (size_t i = 0; i < 600; ++i) {
      values_.emplace_back("group" + std::to_string(i % 10) + ".some_counter_" + std::to_string(i),
                           static_cast<int64_t>(random_() % 1'000'000'000));
      rate_.push_back(static_cast<int64_t>(1) << random_() % 20);
    }
  }

 private:
  std::mt19937_64 random_{42};
  std::vector<std::pair<std::string, int64_t>> values_;
  std::vector<int64_t> rate_;
};

TEST_F(HistoryTest, AnHourOfATypicalHostIsFarBelowItsBudget) {
  TypicalHost host;
  Create();
  std::chrono::nanoseconds spent{};
  for (int i = 0; i < 3600; ++i) {
    host.Fill(extra_);
    const auto start = std::chrono::steady_clock::now();
    Sample();
    spent += std::chrono::steady_clock::now() - start;
  }
  const auto start = std::chrono::steady_clock::now();
  const auto memfd = history_->Freeze();
  const auto froze = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(memfd) << memfd.error().message;
  const std::string frozen = Contents(*memfd);
  std::printf("3600 samples of 600 values: %zu bytes frozen in %.2f ms, %.1f us a sample\n", frozen.size(),
              std::chrono::duration<double, std::milli>(froze).count(),
              static_cast<double>(spent.count()) / 3600e3);
  EXPECT_EQ(history_->samples(), 3600u);
  EXPECT_EQ(history_->dropped(), 0u);
  EXPECT_LT(frozen.size(), 4u << 20);
  EXPECT_LT(history_->bytes(), 4u << 20);
  const auto decoded = Decode(frozen);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->size(), 3600u);
  EXPECT_EQ(decoded->back().values, Values(extra_.begin(), extra_.end()));
}

TEST(HistoryOfThisMachineTest, SamplesTheRunningKernel) {
  const auto history = History::Create({}, SystemClock(), nullptr);
  history->Sample();
  const auto start = std::chrono::steady_clock::now();
  constexpr int kSamples = 200;
  for (int i = 0; i < kSamples; ++i) history->Sample();
  const auto spent = std::chrono::steady_clock::now() - start;
  const auto memfd = history->Freeze();
  ASSERT_TRUE(memfd) << memfd.error().message;
  const auto samples = Decode(Contents(*memfd));
  ASSERT_TRUE(samples) << samples.error().message;
  ASSERT_EQ(samples->size(), kSamples + 1u);
  const Values& last = samples->back().values;
  std::printf("this machine: %zu values, %.1f us a sample\n", last.size(),
              std::chrono::duration<double, std::micro>(spent).count() / kSamples);
  for (const char* name : {"mem.MemTotal_kb", "vm.pgfault", "tcp.RetransSegs", "load.1m_x100"})
    EXPECT_TRUE(last.contains(name)) << name;
  EXPECT_GT(last.at("mem.MemTotal_kb"), 0);
  EXPECT_GT(samples->back().mono_ns, samples->front().mono_ns);
}

}  // namespace
}  // namespace ffdc
