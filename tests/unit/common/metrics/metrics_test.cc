// Metrics as a scraper sees them.
#include "common/metrics/metrics.h"

#include <gtest/gtest.h>

#include <thread>

namespace rondel::metrics {
namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Registry, ExposesFamiliesWithHelpAndType) {
  Registry registry;
  registry.counter("rondel_requests_total", "Requests.", {{"operation", "GetObject"}}).add(3);
  registry.counter("rondel_requests_total", "Requests.", {{"operation", "PutObject"}}).add();
  registry.gauge("rondel_open", "Open.").set(2.5);
  const std::string text = registry.expose();
  EXPECT_TRUE(has_line(text, "# HELP rondel_requests_total Requests."));
  EXPECT_TRUE(has_line(text, "# TYPE rondel_requests_total counter"));
  EXPECT_TRUE(has_line(text, "rondel_requests_total{operation=\"GetObject\"} 3"));
  EXPECT_TRUE(has_line(text, "rondel_requests_total{operation=\"PutObject\"} 1"));
  EXPECT_TRUE(has_line(text, "# TYPE rondel_open gauge"));
  EXPECT_TRUE(has_line(text, "rondel_open 2.5"));
  EXPECT_LT(text.find("rondel_open"), text.find("rondel_requests_total"));
}

TEST(Registry, TheSameNameAndLabelsAreTheSameHandle) {
  Registry registry;
  Counter& one = registry.counter("rondel_a_total", "A.", {{"x", "1"}});
  EXPECT_EQ(&one, &registry.counter("rondel_a_total", "A.", {{"x", "1"}}));
  EXPECT_NE(&one, &registry.counter("rondel_a_total", "A.", {{"x", "2"}}));
}

TEST(Registry, LabelValuesAreEscaped) {
  Registry registry;
  registry.counter("rondel_a_total", "A.", {{"x", "a\"b\\c\nd"}}).add();
  EXPECT_TRUE(has_line(registry.expose(), "rondel_a_total{x=\"a\\\"b\\\\c\\nd\"} 1"))
      << registry.expose();
}

TEST(Registry, AFamilyIsBounded) {
  Registry registry;
  for (size_t i = 0; i < kSeriesMax + 500; ++i) {
    registry.counter("rondel_a_total", "A.", {{"x", std::to_string(i)}}).add();
  }
  const std::string text = registry.expose();
  size_t series = 0;
  for (size_t at = 0; (at = text.find("\nrondel_a_total{", at)) != std::string::npos; ++at) {
    ++series;
  }
  EXPECT_LE(series, kSeriesMax + 1);
  EXPECT_NE(text.find("x=\"other\"} 50"), std::string::npos) << "none is lost";
}

TEST(HistogramTest, CountsIntoCumulativeBuckets) {
  Registry registry;
  const std::array<double, 3> bounds{1, 2, 4};
  Histogram& histogram = registry.histogram("rondel_seconds", "S.", {}, bounds);
  for (const double value : {0.5, 1.0, 1.5, 4.0, 100.0}) histogram.observe(value);
  const std::string text = registry.expose();
  EXPECT_TRUE(has_line(text, "# TYPE rondel_seconds histogram"));
  EXPECT_TRUE(has_line(text, "rondel_seconds_bucket{le=\"1\"} 2")) << text;
  EXPECT_TRUE(has_line(text, "rondel_seconds_bucket{le=\"2\"} 3"));
  EXPECT_TRUE(has_line(text, "rondel_seconds_bucket{le=\"4\"} 4"));
  EXPECT_TRUE(has_line(text, "rondel_seconds_bucket{le=\"+Inf\"} 5"));
  EXPECT_TRUE(has_line(text, "rondel_seconds_count 5"));
  EXPECT_TRUE(has_line(text, "rondel_seconds_sum 107"));
  EXPECT_EQ(histogram.count(), 5u);
  EXPECT_EQ(histogram.snapshot().counts, (std::vector<uint64_t>{2, 1, 1, 1}));
}

TEST(Registry, ThreadsLoseNoIncrement) {
  Registry registry;
  Counter& counter = registry.counter("rondel_a_total", "A.");
  Histogram& histogram = registry.histogram("rondel_s", "S.");
  Gauge& gauge = registry.gauge("rondel_g", "G.");
  std::vector<std::thread> threads;
  for (int t = 0; t < 12; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        counter.add();
        histogram.observe(0.001);
        gauge.add(1);
        gauge.sub(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 60'000u);
  EXPECT_EQ(histogram.count(), 60'000u);
  EXPECT_EQ(gauge.value(), 0);
}

TEST(Registry, CallbacksAndCollectorsAreAskedAtEveryScrape) {
  Registry registry;
  int asked = 0;
  registry.callback(Type::kGauge, "rondel_now", "N.", {{"x", "y"}},
                    [&] { return static_cast<double>(++asked); });
  registry.collector(Type::kGauge, "rondel_disks", "D.", [] {
    return std::vector<Sample>{{{{"disk", "a"}}, 1}, {{{"disk", "b"}}, 2}};
  });
  EXPECT_TRUE(has_line(registry.expose(), "rondel_now{x=\"y\"} 1"));
  const std::string text = registry.expose();
  EXPECT_TRUE(has_line(text, "rondel_now{x=\"y\"} 2"));
  EXPECT_TRUE(has_line(text, "rondel_disks{disk=\"b\"} 2"));
}

TEST(Registry, AProcessDescribesItself) {
  Registry registry;
  register_process_metrics(registry, "test");
  const std::string text = registry.expose();
  for (const char* name :
       {"rondel_build_info{", "process_cpu_seconds_total", "process_resident_memory_bytes",
        "process_open_fds", "process_start_time_seconds"}) {
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace rondel::metrics
