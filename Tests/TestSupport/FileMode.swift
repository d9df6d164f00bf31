// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Who may do what with a file, 0o600 for one; nil when there is none.
package func fileMode(_ path: String) -> UInt32? {
  var status = stat()
  return stat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
}
