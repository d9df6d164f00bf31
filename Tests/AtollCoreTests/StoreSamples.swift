// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

@testable import AtollCore

/// A directory of a test's own, removed with everything in it at the end.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/atoll-test-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil)
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit { Self.remove(path) }

  static func remove(_ path: String) {
    if unlink(path) == 0 { return }
    for name in (try? StoreFile.names(in: path)) ?? [] { remove("\(path)/\(name)") }
    rmdir(path)
  }

  /// Not there yet: the store makes it.
  var store: DirectoryStore { DirectoryStore(home: "\(path)/home") }

  func store(
    _ interruption:
      @escaping @Sendable (DirectoryStore.WriteStep) -> DirectoryStore
      .Interruption?
  ) -> DirectoryStore {
    DirectoryStore(home: "\(path)/home", interruption: interruption)
  }

  /// All files below, relative.
  func files(_ below: String = "home") -> [String] {
    ((try? StoreFile.names(in: "\(path)/\(below)")) ?? []).flatMap { name in
      (try? StoreFile.names(in: "\(path)/\(below)/\(name)")) == nil
        ? ["\(below)/\(name)"] : files("\(below)/\(name)")
    }.sorted()
  }

  func write(_ name: String, _ text: String) {
    let file = fopen("\(path)/\(name)", "w")!
    fputs(text, file)
    fclose(file)
  }
}

/// Runs the bodies at once, each on a thread of its own, until all have ended.
func runThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  final class Box: Sendable {
    let index: Int
    let body: @Sendable (Int) -> Void
    init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.index = index
      self.body = body
    }
  }
  let threads = (0..<count).map { index in
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(index, body))
    let error = pthread_create(
      &thread, nil,
      { argument in
        let box = Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue()
        box.body(box.index)
        return nil
      }, box.toOpaque())
    precondition(error == 0)
    return thread
  }
  for thread in threads { pthread_join(thread, nil) }
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
