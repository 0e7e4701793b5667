// Availability: whether the database is there, for who must know before it takes a body that only a
// commit gives a meaning.
//
// One question, so one method: whoever asks it needs nothing else of the database.
#pragma once

namespace rondel::metadata {

// Safe for concurrent use.
class Availability {
 public:
  virtual ~Availability() = default;
  // False while the database is away, as its connections last knew it. Asks nothing and waits for
  // nothing.
  virtual bool available() const = 0;
};

}  // namespace rondel::metadata
