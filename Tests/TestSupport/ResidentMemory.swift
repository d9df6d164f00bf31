// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Bytes of a process that are in memory now; of this one when none is named.
package func residentBytes(of process: pid_t = getpid()) -> Int {
  let fields = (readText("/proc/\(process)/statm") ?? "").split(separator: " ")
  return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(getpagesize()) : 0
}
