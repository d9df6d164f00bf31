// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc
import Synchronization

/// A server that says what a test tells it, a part of a script for each connection.
package final class ScriptedServer: Sendable {
  package struct Answer: Sendable {
    package var bytes: [UInt8]
    /// Instead of closing after the answer: nothing more, until the viewer leaves.
    package var staysOpen = false
    /// Without waiting for a request.
    package var speaksFirst = false

    package init(_ text: String, staysOpen: Bool = false, speaksFirst: Bool = false) {
      bytes = Array(text.utf8)
      self.staysOpen = staysOpen
      self.speaksFirst = speaksFirst
    }
  }

  private struct State {
    var requests: [String] = []
    var served = 0
  }

  /// 0 for a Unix socket.
  package let port: UInt16
  private let listener: Int32
  private let answers: [Answer]
  private let state = Mutex(State())

  /// - Parameter answers: one for each connection, the last for all that follow.
  package init(_ answers: [Answer], path: String? = nil) {
    self.answers = answers
    let family = path == nil ? AF_INET : AF_UNIX
    let listener = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    self.listener = listener
    if let path {
      var place = sockaddr_un()
      place.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &place.sun_path) { $0.copyBytes(from: path.utf8) }
      Self.bind(listener, &place)
      port = 0
    } else {
      var place = sockaddr_in()
      place.sin_family = sa_family_t(AF_INET)
      place.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      Self.bind(listener, &place)
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutablePointer(to: &place) {
        _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          getsockname(listener, $0, &length)
        }
      }
      port = UInt16(bigEndian: place.sin_port)
    }
    precondition(listen(listener, 16) == 0, "a scripted server cannot listen")
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<ScriptedServer>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    pthread_detach(thread)
  }

  package convenience init(_ answers: String..., path: String? = nil) {
    self.init(answers.map { Answer($0) }, path: path)
  }

  /// Ends the thread, which owns the last reference.
  package func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  deinit { close(listener) }

  /// The heads received.
  package var requests: [String] { state.withLock { $0.requests } }

  private func run() {
    while true {
      // Not to be inherited: a process that another test starts would keep it open.
      let viewer = csystem_accept4(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
      if viewer < 0 { return }
      let answer = state.withLock {
        $0.served += 1
        return answers[min($0.served, answers.count) - 1]
      }
      if !answer.speaksFirst {
        let head = Self.readHead(viewer)
        state.withLock { $0.requests.append(head) }
      }
      var sent = 0
      while sent < answer.bytes.count {
        let count = answer.bytes.withUnsafeBytes {
          send(viewer, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
        }
        if count <= 0 { break }
        sent += count
      }
      if answer.staysOpen {
        var byte: UInt8 = 0
        while recv(viewer, &byte, 1, 0) > 0 {}
      }
      close(viewer)
    }
  }

  private static func readHead(_ viewer: Int32) -> String {
    var head: [UInt8] = []
    var byte: UInt8 = 0
    while !head.suffix(4).elementsEqual([13, 10, 13, 10]), recv(viewer, &byte, 1, 0) == 1 {
      head.append(byte)
    }
    return String(decoding: head, as: UTF8.self)
  }

  private static func bind<Address>(_ listener: Int32, _ place: inout Address) {
    let size = socklen_t(MemoryLayout<Address>.size)
    let result = withUnsafePointer(to: &place) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(listener, $0, size) }
    }
    precondition(result == 0, "a scripted server cannot bind")
  }
}

/// A response of the status line, the fields and the body, framed by its length.
package func response(_ fields: String..., status: String = "200 OK", body: String = "hello\n")
  -> String
{
  let lines = fields.map { "\($0)\r\n" }.joined()
  return "HTTP/1.1 \(status)\r\n\(lines)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}
