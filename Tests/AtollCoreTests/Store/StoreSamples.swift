// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization
import TestSupport

@testable import AtollCore

extension TemporaryDirectory {
  /// Not there yet: the store makes it.
  var store: DirectoryStore { DirectoryStore(home: file("home")) }

  func store(
    _ interruption:
      @escaping @Sendable (DirectoryStore.WriteStep) -> DirectoryStore.Interruption?
  ) -> DirectoryStore {
    DirectoryStore(home: file("home"), interruption: interruption)
  }

  /// All files below, relative.
  func files(_ below: String = "home") -> [String] {
    (Self.names(in: file(below)) ?? []).flatMap { name in
      Self.names(in: file("\(below)/\(name)")) == nil
        ? ["\(below)/\(name)"] : files("\(below)/\(name)")
    }.sorted()
  }
}

/// What several threads have found out.
final class Collected<Value: Sendable>: Sendable {
  private let values = Mutex<[Value]>([])

  func append(_ value: Value) { values.withLock { $0.append(value) } }
  var all: [Value] { values.withLock { $0 } }

  /// False when five seconds pass before the condition holds.
  func wait(_ condition: ([Value]) -> Bool) -> Bool {
    for _ in 0..<5_000 {
      if condition(all) { return true }
      usleep(1_000)
    }
    return false
  }
}

func object(_ text: String) -> [UInt8] { DocumentWriter.document { $0.member("text", text) } }

extension StoredValue {
  var text: String? {
    guard case .string(let text)? = (try? JSONReader.read(value))?["text"]?.value else {
      return nil
    }
    return text
  }
}
