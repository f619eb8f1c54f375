// SPDX-License-Identifier: Apache-2.0
// Owners of what a C library gives: std::unique_ptr<BIO, Freed<BIO_free_all>>.
#pragma once

namespace ffdc {

template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};

}  // namespace ffdc
