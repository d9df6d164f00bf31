// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Which slice of what a fetch asks for.
struct SliceTarget {
  let number: UInt32
  /// Of the last slice it is more than there is.
  let range: ByteRange
  let wholeKey: ByteBuffer
  let wholeHash: KeyHash

  /// The Range line of the request to the origin. No If-Range goes with it: when the whole has
  /// changed, its new slice is of more use than all of it.
  func appendRange(to request: ByteBuffer) {
    request.append("Range: bytes=")
    request.appendDecimal(UInt64(range.start))
    request.append("-")
    request.appendDecimal(UInt64(range.end - 1))
    request.append("\r\n")
  }
}

extension Fetch {
  /// Whether this fetch goes by this key: its own, or that of the whole which it turned out to bring.
  func isNamed(_ hash: KeyHash, _ key: UnsafeBufferPointer<UInt8>) -> Bool {
    if hash == self.hash { return self.key.bytes.elementsEqual(key) }
    return slice.map { $0.wholeHash == hash && $0.wholeKey.bytes.elementsEqual(key) } ?? false
  }
}

/// How origins answered requests for slices of a URL, so that not every range costs a request more.
///
/// Sound whatever it forgets: it only says which way to try first.
final class RangeHabits: @unchecked Sendable {
  enum Habit {
    /// With the whole: ranges wait for that.
    case whole
    /// With parts that may not be stored: ranges are passed on as they are.
    case pass
  }

  /// Milliseconds that an answer is remembered.
  private static let memory: Int64 = 10_000
  private let lock = Lock()
  private var habits: [KeyHash: (habit: Habit, until: Int64)] = [:]

  func habit(of whole: KeyHash, now: Int64) -> Habit? {
    lock.locked {
      guard let known = habits[whole] else { return nil }
      if now < known.until { return known.habit }
      habits[whole] = nil
      return nil
    }
  }

  func remember(_ habit: Habit, of whole: KeyHash, now: Int64) {
    lock.locked {
      if habits.count >= Limits.rangeHabits { habits.removeAll() }
      habits[whole] = (habit, now &+ Self.memory)
    }
  }
}
