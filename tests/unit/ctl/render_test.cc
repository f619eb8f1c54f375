// SPDX-License-Identifier: Apache-2.0
// What a person sees, compared with golden/*.txt. After a change that is meant:
// FFDC_UPDATE_GOLDEN=1 build/bin/ctl_test, and read the difference.
#include "ctl/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/fs.h"
#include "ctl/progress.h"
#include "ctl/text.h"
#include "fakes/samples.h"

namespace ffdc::ctl {
namespace {

const Page kPage{Painter(false), fakes::kNowNs};

void ExpectFits(const std::string& text, size_t width = kPageWidth) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), width) << line;
}

void ExpectGolden(const std::string& name, const std::string& text) {
  ExpectFits(text);
  const auto path = std::filesystem::path(__FILE__).parent_path() / "golden" / (name + ".txt");
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  if (getenv("FFDC_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  EXPECT_EQ(text, ReadFile(path).value());
}

v1::IncidentDetail Sample() {
  v1::IncidentDetail detail;
  *detail.mutable_incident() = fakes::SampleIncident();
  *detail.add_manifests() = fakes::SampleManifest();
  return detail;
}

TEST(Render, Cluster) { ExpectGolden("cluster", RenderCluster(fakes::SampleCluster(), kPage)); }

TEST(Render, AClustersTroubles) {
  v1::ClusterView view = fakes::SampleCluster();
  view.mutable_status()->mutable_certificate()->mutable_not_after()->set_seconds(1'000'000'000);
  view.mutable_status()->set_db_reachable(false);
  view.mutable_status()->clear_primary();
  view.mutable_status()->set_keeps_ca(false);
  view.add_problems("cluster DB 10.0.0.1:2379: no answer");
  const std::string text = RenderCluster(view, kPage);
  for (const char* words : {"! cluster DB 10.0.0.1:2379: no answer", "EXPIRED at 2001-09-09", "NOT REACHABLE",
                            "primary    none", "not kept here"})
    EXPECT_THAT(text, testing::HasSubstr(words));
  view.mutable_status()->set_db("embedded");
  EXPECT_THAT(RenderCluster(view, kPage), testing::HasSubstr("db1, alone"));
}

TEST(Render, Nodes) { ExpectGolden("nodes", RenderNodes(fakes::SampleNodes(), kPage)); }

TEST(Render, Resources) {
  ExpectGolden("resources", RenderResources(fakes::SampleResources(), kPage));
  EXPECT_EQ(RenderResources({}, kPage), "nothing is watched, or nothing was looked at yet\n");
}

TEST(Render, NodesThatDidNotAnswerAreNamed) {
  v1::IncidentDetail detail = Sample();
  detail.add_unanswered("db3: no answer in time");
  EXPECT_NE(RenderIncident(detail, kPage).find("no answer from db3: no answer in time"), std::string::npos);
  v1::IncidentList list;
  list.add_unanswered("db3: no answer in time");
  EXPECT_NE(RenderIncidents(list, kPage).find("no answer from db3: no answer in time"), std::string::npos);
}

TEST(Render, Incident) { ExpectGolden("incident", RenderIncident(Sample(), kPage)); }

TEST(Render, IncidentOfSeveralLayers) {
  v1::IncidentDetail detail;
  *detail.mutable_incident() = fakes::SampleChain();
  ExpectGolden("incident_chain", RenderIncident(detail, kPage));
  detail.mutable_incident()->set_events_left_out(3);
  EXPECT_NE(RenderIncident(detail, kPage).find("3 events more are not kept"), std::string::npos);
}

TEST(Render, ProgressLine) {
  EXPECT_EQ(ProgressLine(1 << 20, 4 << 20, 2, "1 of 3 captures"),
            "1 of 3 captures  25 % [#####               ] 1.0 MiB of 4.0 MiB  512.0 KiB/s");
  EXPECT_EQ(ProgressLine(512, 0, 0, ""), "512 B");
  ExpectFits(ProgressLine(UINT64_MAX / 2, UINT64_MAX, 1, "1,000,000 of 2,000,000 captures"));
}

TEST(Render, IncidentBeingCaptured) {
  v1::IncidentDetail detail;
  *detail.mutable_incident() = fakes::SampleManualIncident();
  detail.set_note("db1: still collecting");
  ExpectGolden("incident_collecting", RenderIncident(detail, kPage));
}

TEST(Render, Incidents) {
  v1::IncidentList list;
  *list.add_incidents() = fakes::SampleManualIncident();
  *list.add_incidents() = fakes::SampleIncident();
  *list.add_incidents() = fakes::SampleChain();
  ExpectGolden("incidents", RenderIncidents(list, kPage));
  EXPECT_EQ(RenderIncidents({}, kPage), "No incidents.\n");
}

TEST(Render, Events) {
  v1::EventList list;
  *list.add_events() = fakes::SampleManualIncident().events(0);
  *list.add_events() = fakes::SampleEvent();
  ExpectGolden("events", RenderEvents(list, kPage) + RenderEventLine(fakes::SampleEvent(), kPage));
  EXPECT_EQ(RenderEvents({}, kPage), "No events.\n");
}

TEST(Render, News) {
  v1::News event;
  event.set_what("event");
  event.set_node("node1");
  *event.mutable_event() = fakes::SampleEvent();
  *event.mutable_at() = event.event().first_at();
  event.set_summary(event.event().summary());
  v1::News ended = event;
  ended.set_what("event.ended");
  v1::News opened;
  opened.set_what("incident.opened");
  opened.set_node("node1");
  *opened.mutable_incident() = fakes::SampleIncident();
  *opened.mutable_at() = event.at();
  opened.set_summary(opened.incident().summary());
  v1::News silent;
  silent.set_what("node.silent");
  silent.set_node("node2");
  *silent.mutable_at() = event.at();
  silent.set_summary("its news do not arrive here: no answer in time");
  std::string text;
  for (const v1::News& news : {event, opened, ended, silent}) text += RenderNewsLine(news, kPage);
  ExpectGolden("watch", text);
}

TEST(Render, Status) {
  v1::Status status = fakes::SampleStatus();
  ExpectGolden("status", RenderStatus(status, kPage));
  status.clear_problems();
  EXPECT_TRUE(RenderStatus(status, kPage).starts_with("All is well.\n"));
}

TEST(Render, ProbesAndConfig) {
  v1::ProbeList probes = fakes::SampleProbes();
  std::string text = RenderProbes(probes, kPage);
  probes.set_runs_counted(true);
  probes.set_measured_ns(2'000'000'000);
  text += "\n" + RenderProbes(probes, kPage);
  ExpectFits(text, 80);
  ExpectGolden("probes", text);
  ExpectGolden("config", RenderConfig(fakes::SampleConfigReply(), kPage));
}

TEST(Render, EmptyMessagesAreNoTrouble) {
  for (const std::string& text : {RenderIncident({}, kPage), RenderStatus({}, kPage), RenderProbes({}, kPage),
                                  RenderConfig({}, kPage)}) {
    EXPECT_FALSE(text.empty());
    ExpectFits(text);
  }
}

// Names come from devices and files: long ones are shortened or wrapped, strange ones are made harmless.
TEST(Render, HostileNamesStayOnThePage) {
  const std::string hostile = "\033[2J\n" + std::string(300, 'x') + "日本";
  v1::IncidentDetail detail = Sample();
  v1::Incident& incident = *detail.mutable_incident();
  *incident.add_events() = fakes::SampleChain().events(1);
  v1::Event& second = *incident.mutable_events(1);
  for (std::string* field : {incident.mutable_subject()->mutable_id(),
                             incident.mutable_subject()->mutable_name(),
                             incident.mutable_subject()->mutable_model(),
                             incident.mutable_summary(),
                             incident.mutable_reason(),
                             incident.mutable_kind(),
                             incident.mutable_clients(0)->mutable_name(),
                             incident.mutable_clients(0)->mutable_cgroup(),
                             incident.mutable_captures(0)->mutable_where(),
                             incident.mutable_captures(0)->mutable_error(),
                             incident.mutable_captures(0)->mutable_node(),
                             incident.mutable_events(0)->mutable_errors(0)->mutable_status(),
                             incident.mutable_events(0)->mutable_evidence(0)->mutable_status(),
                             incident.mutable_events(0)->mutable_evidence(0)->mutable_device(),
                             detail.mutable_manifests(0)->mutable_collectors(0)->mutable_name(),
                             detail.mutable_manifests(0)->mutable_collectors(0)->mutable_error(),
                             detail.mutable_manifests(0)->mutable_losses(0)->mutable_what(),
                             incident.mutable_events(0)->mutable_evidence(0)->mutable_detail(),
                             second.mutable_kind(),
                             second.mutable_subject()->mutable_name(),
                             second.mutable_summary(),
                             second.add_facts()->mutable_value(),
                             second.mutable_waiters(0)->mutable_comm(),
                             second.mutable_waiters(0)->mutable_waits_in(),
                             second.mutable_waiters(0)->mutable_client()->mutable_name()}) {
    *field = hostile;
  }
  const std::string text = RenderIncident(detail, kPage);
  ExpectFits(text);
  EXPECT_EQ(text.find('\033'), std::string::npos);
  const std::string line = RenderEventLine(incident.events(0), kPage);
  ExpectFits(line);
}

}  // namespace
}  // namespace ffdc::ctl
