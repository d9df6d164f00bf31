// SPDX-License-Identifier: Apache-2.0
import Glibc

/// An open file or directory, closed at the end of its life.
struct StoreFile: ~Copyable {
  let descriptor: Int32
  let place: String

  /// nil when there is none.
  static func open(_ path: String, _ flags: Int32, in directory: Int32 = AT_FDCWD)
    throws(StoreError) -> StoreFile?
  {
    // A pipe in a file's place must not hold up whoever opens it.
    let descriptor = retry {
      openat(directory, path, flags | O_CLOEXEC | O_NONBLOCK, mode_t(0o600))
    }
    if descriptor >= 0 { return StoreFile(descriptor: descriptor, place: path) }
    let error = errno
    if error == ENOENT { return nil }
    throw .system(error, "open", path)
  }

  init(descriptor: Int32, place: String) {
    self.descriptor = descriptor
    self.place = place
  }

  deinit { _ = close(descriptor) }

  func status() throws(StoreError) -> stat {
    var result = stat()
    if fstat(descriptor, &result) != 0 { throw .system(errno, "read", place) }
    return result
  }

  func readAll(limit: Int) throws(StoreError) -> [UInt8] {
    let status = try status()
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw .system(EISDIR, "read", place)
    default: throw .failed(action: "read", place: place, why: "is not a file")
    }
    let size = Int(status.st_size)
    if size > limit {
      throw .failed(action: "read", place: place, why: "it is larger than \(limit) bytes")
    }
    var error: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: size + 1) { buffer, count in
      while count < buffer.count {
        let got = retry { read(descriptor, buffer.baseAddress! + count, buffer.count - count) }
        if got < 0 { error = errno }
        if got <= 0 { break }
        count += got
        // The usual case: the one byte of room is left, and a further call would read nothing.
        if count == size { break }
      }
    }
    if error != 0 { throw .system(error, "read", place) }
    return bytes
  }

  func writeAll(_ bytes: [UInt8]) throws(StoreError) {
    var written = 0
    while written < bytes.count {
      let result = bytes.withUnsafeBytes { buffer in
        retry { write(descriptor, buffer.baseAddress! + written, buffer.count - written) }
      }
      if result < 0 { throw .system(errno, "write", place) }
      // Never for a file, but a loop without end would be worse than this error.
      if result == 0 { throw .full(place: place) }
      written += result
    }
  }

  /// Until the bytes are on the disk.
  func synchronize() throws(StoreError) {
    if retry({ fsync(descriptor) }) != 0 { throw .system(errno, "write", place) }
  }

  /// Until the names in the directory are on the disk.
  static func synchronize(directory: String) throws(StoreError) {
    guard let file = try open(directory, O_RDONLY | O_DIRECTORY) else {
      throw .system(ENOENT, "write", directory)
    }
    try file.synchronize()
  }

  /// Creates the directory and those above it, for their owner alone.
  static func makeDirectory(_ path: String) throws(StoreError) {
    if mkdir(path, 0o700) != 0 {
      if errno == EEXIST { return }
      let error = errno
      guard error == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
        throw .system(error, "create", path)
      }
      try makeDirectory(String(path[..<slash]))
      if mkdir(path, 0o700) != 0 {
        if errno == EEXIST { return }
        throw .system(errno, "create", path)
      }
    }
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      // A parent that may not be opened can't be synchronized; the directory is there anyway.
      try? synchronize(directory: String(path[..<slash]))
    }
  }

  /// Removes a file, or a directory with the files in it.
  static func removeTree(_ path: String) {
    if unlink(path) == 0 || errno == ENOENT { return }
    for name in (try? names(in: path)) ?? [] { _ = unlink("\(path)/\(name)") }
    _ = rmdir(path)
  }

  /// The names in a directory, in no order; nil when there is no directory. "." and ".." are left
  /// out.
  static func names(in path: String) throws(StoreError) -> [String]? {
    guard let stream = opendir(path) else {
      if errno == ENOENT { return nil }
      throw .system(errno, "open", path)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw .system(errno, "read", path) }
        return names
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
  }
}

/// Repeats a system call that a signal interrupted.
@inline(__always)
func retry<Result: SignedInteger>(_ call: () -> Result) -> Result {
  while true {
    let result = call()
    if result != -1 || errno != EINTR { return result }
  }
}
