// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Bytes of this process that are in memory now (`/proc/self/statm`).
package func residentBytes() -> Int {
  let fields = (readText("/proc/self/statm") ?? "").split(separator: " ")
  return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(getpagesize()) : 0
}
