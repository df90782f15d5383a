#pragma once

#include <memory>

#include <curl/curl.h>

#include "network/http_client.hpp"

namespace metaflow::network {

/// One request on its way: curl's handle for it, and where its answer goes. May be used again and again; not thread-safe.
class Transfer {
 public:
  Transfer();
  ~Transfer();

  /// To be given to a curl_multi, and taken from it before end().
  CURL* easy() const;
  /// Error(invalid) for what is no request.
  void begin(Request request, const HttpSettings& settings);
  /// The answer, once curl is done with `code`.
  Response end(CURLcode code);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace metaflow::network
