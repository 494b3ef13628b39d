// SPDX-License-Identifier: Apache-2.0
#include "io/sse.h"

#include <gtest/gtest.h>

namespace talon::io {
namespace {

using std::string_view_literals::operator""sv;

std::vector<SseEvent> Events(const std::vector<std::string_view>& pieces) {
  SseParser parser;
  std::vector<SseEvent> events;
  for (const std::string_view piece : pieces) EXPECT_TRUE(parser.Feed(piece, events).ok());
  return events;
}

TEST(SseTest, EverySplitGivesTheSameEvents) {
  for (const std::string_view newline : {"\n", "\r\n", "\r"}) {
    std::string text = "\xEF\xBB\xBF: comment|event: delta|data: h\xC3\xA9llo|data:  two|id: 7||";
    text += "data|data|| |data: {\"a\": 1}|retry: 5||event: lost||data: last|unknown: x||";
    std::string stream;
    for (const char c : text) {
      if (c == '|') {
        stream += newline;
      } else {
        stream += c;
      }
    }
    const std::vector<SseEvent> expected = {{"delta", "h\xC3\xA9llo\n two", "7"},
                                            {"message", "\n", "7"},
                                            {"message", "{\"a\": 1}", "7"},
                                            {"message", "last", "7"}};
    EXPECT_EQ(Events({stream}), expected);
    const std::string_view view = stream;
    for (std::size_t i = 0; i <= view.size(); ++i) {
      EXPECT_EQ(Events({view.substr(0, i), view.substr(i)}), expected) << "split at " << i;
    }
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < view.size(); ++i) bytes.push_back(view.substr(i, 1));
    EXPECT_EQ(Events(bytes), expected);
  }
}

TEST(SseTest, AnUnfinishedEventIsNotDelivered) {
  EXPECT_TRUE(Events({"data: cut\n"}).empty());
  EXPECT_TRUE(Events({"data: cut"}).empty());
}

TEST(SseTest, AnIdWithNulIsIgnoredAndAnEmptyOneResets) {
  const auto events = Events({"id: a\ndata: 1\n\nid: b\0c\ndata: 2\n\nid\ndata: 3\n\n"sv});
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1].id, "a");
  EXPECT_EQ(events[2].id, "");
}

TEST(SseTest, LimitCountsTheLineAndTheEvent) {
  std::vector<SseEvent> events;
  SseParser line(10);
  EXPECT_TRUE(line.Feed("data: 1234", events).ok());
  EXPECT_EQ(line.Feed("5", events).code(), absl::StatusCode::kResourceExhausted);
  SseParser event(19);
  EXPECT_TRUE(event.Feed("data: 123456\ndata: 7\n", events).ok());
  EXPECT_EQ(event.Feed("data: 345678\n", events).code(), absl::StatusCode::kResourceExhausted);
  SseParser many(20);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(many.Feed("data: 123456\n\n", events).ok());
}

TEST(SseTest, FormatIsReadBackUnchanged) {
  for (const std::string_view data : {"", "one", "a\nb", "a\r\nb\rc", "\n", " lead", "a\n"}) {
    const auto events = Events({FormatSse("kind", data)});
    ASSERT_EQ(events.size(), 1u);
    std::string normal;
    for (std::size_t i = 0; i < data.size(); ++i) {
      if (data[i] == '\r' && i + 1 < data.size() && data[i + 1] == '\n') continue;
      normal += data[i] == '\r' ? '\n' : data[i];
    }
    EXPECT_EQ(events[0], (SseEvent{"kind", normal, ""}));
  }
  EXPECT_EQ(FormatSse("", "x"), "data: x\n\n");
  EXPECT_EQ(FormatSse("a\ndata: forged", "x"), "event: a\ndata: x\n\n");
}

}  // namespace
}  // namespace talon::io
