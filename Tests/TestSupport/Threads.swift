// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Runs the bodies at once, each on a thread of its own, until all have ended.
package func runThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  final class Work: Sendable {
    let index: Int
    let body: @Sendable (Int) -> Void
    init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.index = index
      self.body = body
    }
  }
  let threads = (0..<count).map { index in
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { argument in
        let work = Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue()
        work.body(work.index)
        return nil
      }, Unmanaged.passRetained(Work(index, body)).toOpaque())
    precondition(error == 0, "no thread for a test: \(error)")
    return thread
  }
  for thread in threads { pthread_join(thread, nil) }
}
