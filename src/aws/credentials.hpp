#pragma once

#include "aws/signature.hpp"

namespace metaflow::aws {

/// Who knows with what keys to sign. Safe to use from several threads.
class Credentials {
 public:
  virtual ~Credentials() = default;

  /// Keys that are good now, as far as anybody knows; finding them may take seconds. Error(denied) when there are none, with all places
  /// that were looked at.
  virtual SigningKeys keys() = 0;
  /// A service would not take `refused` any more (Refusal::keys). Looks for others and tells whether keys() gives them now.
  virtual bool replace(const SigningKeys& refused) = 0;
};

}  // namespace metaflow::aws
