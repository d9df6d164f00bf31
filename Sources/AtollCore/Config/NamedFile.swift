// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Why a file that the configuration or the command line names cannot be used, as the end of a
/// sentence about it, and what to do.
package struct FileTrouble: Error, Equatable {
  package let what: String
  package let hint: String

  package init(_ what: String, hint: String) {
    self.what = what
    self.hint = hint
  }
}

/// Reads a whole file that a person has named.
package enum NamedFile {
  /// - Parameters:
  ///   - limit: in bytes.
  ///   - remedy: what to do about one that is larger.
  package static func read(
    _ path: String, limit: Int, remedy: String = "name a smaller one"
  ) throws(FileTrouble) -> [UInt8] {
    // A pipe must not hold up the edge.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw unreadable(errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw unreadable(errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw FileTrouble("is no file", hint: "name a file")
    }
    guard status.st_size <= limit else {
      throw FileTrouble("has \(status.st_size) bytes, more than \(limit)", hint: remedy)
    }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress! + filled, $0.count - filled)
      }
      if count < 0 && errno == EINTR { continue }
      if count < 0 { throw unreadable(errno) }
      // It has become shorter meanwhile.
      if count == 0 { break }
      filled += count
    }
    return Array(bytes[..<filled])
  }

  private static func unreadable(_ error: Int32) -> FileTrouble {
    switch error {
    case ENOENT, ENOTDIR:
      FileTrouble("does not exist", hint: "put it there, or name another")
    case EACCES, EPERM:
      FileTrouble("may not be read", hint: "let the user that atoll runs as read it")
    default:
      FileTrouble(
        "cannot be read: \(errorText(error))", hint: "put it in order, or name another")
    }
  }
}
