// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Where commands read the time that the library takes as an argument.
enum Clock {
  /// Seconds since 1970.
  static func now() -> Int64 { Int64(time(nil)) }
}
