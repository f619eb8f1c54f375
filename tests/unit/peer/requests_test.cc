// SPDX-License-Identifier: Apache-2.0
#include "peer/requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/spool_layout.h"
#include "peer/alert_plan.h"

namespace ffdc {
namespace {

using testing::HasSubstr;

constexpr const char* kId = "019aaf2c-5d40-7000-8000-000000000001";

v1::AlertRequest GoodAlert() {
  v1::AlertRequest alert;
  alert.set_cluster("prod");
  alert.set_incident_id(kId);
  alert.set_origin_node("node1");
  alert.mutable_trigger()->set_id(kId);
  alert.mutable_trigger()->set_kind("io.error");
  alert.mutable_trigger()->set_node("node1");
  return alert;
}

template <class Request>
std::string WhyNot(const Request& request) {
  const auto checked = CheckRequest(request, "prod");
  return checked ? "" : checked.error().message;
}

TEST(RequestsTest, AGoodAlertPasses) { EXPECT_EQ(WhyNot(GoodAlert()), ""); }

TEST(RequestsTest, AlertsOfAnotherClusterSayBothNames) {
  v1::AlertRequest alert = GoodAlert();
  alert.set_cluster("te\x1b[31mst");
  EXPECT_THAT(WhyNot(alert), HasSubstr("it is of cluster 'te?[31mst', this node of 'prod'"));
}

TEST(RequestsTest, IdsAndNamesThatWouldBecomePathsAreRefused) {
  v1::AlertRequest alert = GoodAlert();
  alert.set_incident_id("../../../etc/passwd");
  EXPECT_THAT(WhyNot(alert), HasSubstr("no incident id"));
  for (const char* name : {"", "..", "a/b", "a b", "a\n"}) {
    alert = GoodAlert();
    alert.set_origin_node(name);
    EXPECT_THAT(WhyNot(alert), HasSubstr("origin"));
  }
  alert = GoodAlert();
  alert.set_relayed_by("a/b");
  EXPECT_THAT(WhyNot(alert), HasSubstr("relayed by"));
}

TEST(RequestsTest, EventsMustBeOfSomethingAndBounded) {
  v1::AlertRequest alert = GoodAlert();
  alert.mutable_trigger()->clear_kind();
  EXPECT_THAT(WhyNot(alert), HasSubstr("without a kind"));
  alert = GoodAlert();
  alert.mutable_trigger()->set_summary(std::string(5000, 'x'));
  EXPECT_THAT(WhyNot(alert), HasSubstr("more than 4096 bytes"));
  alert = GoodAlert();
  alert.mutable_trigger()->set_id("1");
  EXPECT_THAT(WhyNot(alert), HasSubstr("id"));
}

TEST(RequestsTest, ANodeReportsItsOwnCaptureAlone) {
  v1::CaptureReport report;
  report.set_cluster("prod");
  report.set_incident_id(kId);
  report.mutable_capture()->set_node("node2");
  EXPECT_TRUE(CheckRequest(report, "prod", "node2"));
  EXPECT_FALSE(CheckRequest(report, "prod", "node3"));
  v1::Event& event = *report.add_events();
  event = GoodAlert().trigger();  // of node1
  EXPECT_FALSE(CheckRequest(report, "prod", "node2"));
  event.set_node("node2");
  EXPECT_TRUE(CheckRequest(report, "prod", "node2"));
  for (int i = 0; i < 64; ++i) *report.add_events() = event;
  EXPECT_FALSE(CheckRequest(report, "prod", "node2"));
}

TEST(RequestsTest, QueriesAreBounded) {
  v1::PeerIncidentsRequest query;
  query.set_cluster("prod");
  EXPECT_EQ(WhyNot(query), "");
  query.set_state("half");
  EXPECT_THAT(WhyNot(query), HasSubstr("no state"));
  query.clear_state();
  query.set_id_prefix(std::string(37, 'a'));
  EXPECT_THAT(WhyNot(query), HasSubstr("too long"));
}

TEST(RequestsTest, CapturesAreOfferedAndSentInBounds) {
  v1::CaptureOffer offer;
  offer.set_cluster("prod");
  offer.set_incident_id(kId);
  offer.set_archive_bytes(1);
  EXPECT_EQ(WhyNot(offer), "");
  offer.set_store_id(kId);
  EXPECT_EQ(WhyNot(offer), "");
  offer.set_store_id("../x");
  EXPECT_THAT(WhyNot(offer), HasSubstr("a store"));
  offer.clear_store_id();
  offer.clear_archive_bytes();
  EXPECT_THAT(WhyNot(offer), HasSubstr("without content"));
  offer.set_incident_id("../sealed");
  EXPECT_THAT(WhyNot(offer), HasSubstr("no incident id"));

  v1::CapturePart part;
  part.set_cluster("prod");
  part.set_incident_id(kId);
  EXPECT_THAT(WhyNot(part), HasSubstr("a part of 0 bytes"));
  part.set_data(std::string(kHandoffPartBytes, 'x'));
  EXPECT_EQ(WhyNot(part), "");
  part.mutable_data()->push_back('x');
  EXPECT_THAT(WhyNot(part), HasSubstr("a part of 524289 bytes"));
  part.set_data("x");
  part.set_cluster("test");
  EXPECT_THAT(WhyNot(part), HasSubstr("of cluster 'test'"));
}

TEST(RequestsTest, AlertsAreSentOnToNodesInBounds) {
  v1::AlertRequest alert = GoodAlert();
  for (size_t i = 0; i < kAlertGroup; ++i) alert.add_forward_to("n" + std::to_string(i));
  EXPECT_EQ(WhyNot(alert), "");
  alert.add_forward_to("one-more");
  EXPECT_THAT(WhyNot(alert), HasSubstr("more than 32 nodes"));
  alert.clear_forward_to();
  alert.add_forward_to("../x");
  EXPECT_THAT(WhyNot(alert), HasSubstr("sent on to '../x'"));
}

TEST(RequestsTest, NewsAreOfARun) {
  v1::PeerNewsRequest request;
  request.set_cluster("prod");
  EXPECT_EQ(WhyNot(request), "");
  request.set_run_id(kId);
  EXPECT_EQ(WhyNot(request), "");
  request.set_run_id("x");
  EXPECT_THAT(WhyNot(request), HasSubstr("no run of an agent"));
}

TEST(RequestsTest, JoinersHaveANameATokenAndAShortRequest) {
  v1::JoinRequest join;
  join.set_node("node1");
  join.set_secret(std::string(40, 'a'));
  EXPECT_TRUE(CheckRequest(join));
  for (const char* name : {"", "..", "a/b", "a\n"}) {
    v1::JoinRequest wrong = join;
    wrong.set_node(name);
    EXPECT_THAT(CheckRequest(wrong).error().message, HasSubstr("is no name of a node"));
  }
  v1::JoinRequest wrong = join;
  wrong.set_secret("../../members/a");
  EXPECT_THAT(CheckRequest(wrong).error().message, HasSubstr("a token that is none"));
  wrong = join;
  wrong.set_request(std::string(100'000, 'x'));
  EXPECT_THAT(CheckRequest(wrong).error().message, HasSubstr("too long"));
}

}  // namespace
}  // namespace ffdc
