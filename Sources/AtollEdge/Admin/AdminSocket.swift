// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// Why an admin socket could not be used.
package struct AdminError: Error, Equatable, Sendable {
  package let path: String
  package let reason: String

  package init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }
}

/// Unix sockets by path, however long the store's path is.
enum AdminSocket {
  /// A listener that only this user can connect to.
  static func listen(_ path: String) throws(AdminError) -> Int32 {
    let descriptor = try open(path)
    // A socket file takes its mode from the socket (unix(7)): there is no moment in which others
    // could connect.
    fchmod(descriptor, 0o600)
    unlink(path)
    let bound = try withAddress(path) { address, length in
      Glibc.bind(descriptor, address, length) == 0 && Glibc.listen(descriptor, 64) == 0
        ? 0 : csystem_errno()
    }
    if bound != 0 {
      close(descriptor)
      throw AdminError(path: path, reason: SystemCall.errorText(bound))
    }
    chmod(path, 0o600)
    let flags = fcntl(descriptor, F_GETFL)
    _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
    return descriptor
  }

  /// A connection that blocks, for `milliseconds` at most in any one call.
  static func connect(_ path: String, milliseconds: Int) throws(AdminError) -> Int32 {
    let descriptor = try open(path)
    var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    let connected = try withAddress(path) { address, length in
      while Glibc.connect(descriptor, address, length) != 0 {
        if csystem_errno() != EINTR { return csystem_errno() }
      }
      return 0
    }
    if connected != 0 {
      close(descriptor)
      throw AdminError(
        path: path,
        reason: connected == EAGAIN ? "the edge is busy" : SystemCall.errorText(connected))
    }
    return descriptor
  }

  /// A descriptor that keeps other edges from removing what seems dead, and from making what seems
  /// so, until it is closed: a socket is there a moment before it listens.
  static func takeTurn(in directory: String) -> Int32 {
    let turn = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    while turn >= 0, flock(turn, LOCK_EX) != 0, csystem_errno() == EINTR {}
    return turn
  }

  /// Removes the sockets that killed edges left behind: those that nobody listens on. The caller has
  /// its turn.
  static func removeDead(in directory: String) {
    guard let listing = opendir(directory) else { return }
    defer { closedir(listing) }
    while let entry = readdir(listing) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
        name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.hasSuffix(".sock") else { continue }
      let path = "\(directory)/\(name)"
      do throws(AdminError) {
        close(try connect(path, milliseconds: 100))
      } catch {
        if error.reason == SystemCall.errorText(ECONNREFUSED) { unlink(path) }
      }
    }
  }

  private static func open(_ path: String) throws(AdminError) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(AF_UNIX, type, 0)
    if descriptor < 0 {
      throw AdminError(path: path, reason: SystemCall.errorText(csystem_errno()))
    }
    return descriptor
  }

  /// The kernel takes 107 bytes of path; longer ones are reached through their open directory.
  private static func withAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws(AdminError) -> Int32 {
    if let address = SocketAddress(unixPath: path) { return address.withUnsafeAddress(body) }
    guard let slash = path.lastIndex(of: "/") else {
      throw AdminError(path: path, reason: "the path is too long")
    }
    let directory = Glibc.open(String(path[..<slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if directory < 0 {
      throw AdminError(path: path, reason: SystemCall.errorText(csystem_errno()))
    }
    defer { close(directory) }
    let name = path[path.index(after: slash)...]
    guard let address = SocketAddress(unixPath: "/proc/self/fd/\(directory)/\(name)") else {
      throw AdminError(path: path, reason: "the path is too long")
    }
    return address.withUnsafeAddress(body)
  }
}
