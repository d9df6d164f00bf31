// SPDX-License-Identifier: Apache-2.0
import AtollCore
import TestSupport
import Testing

/// The field Priority of requests.
struct RequestPriorityTests {
  private static func read(_ lines: [String]) -> RequestPriority {
    var priority = RequestPriority()
    for line in lines { Array(line.utf8).withUnsafeBufferPointer { priority.add($0) } }
    return priority
  }

  @Test(
    arguments: [
      (["u=0"], 0, false), (["u=7"], 7, false), (["i"], 3, true), (["u=1, i"], 1, true),
      (["u=5,i"], 5, true), (["i, u=5"], 5, true), (["i=?0"], 3, false), (["i=?1, u=2"], 2, true),
      ([" u=2 "], 2, false), (["u=2;x=1"], 2, false), (["x=(1 2), u=4, y"], 4, false),
      // Later ones count.
      (["u=1, u=6"], 6, false), (["i, i=?0"], 3, false), (["u=1", "u=6"], 6, false),
      (["u=1", "i"], 1, true), (["u=1, i", "i=?0"], 1, false),
      // What is out of range, or of another type, is as good as not there.
      (["u=8"], 3, false), (["u=-1"], 3, false), (["u=1.0"], 3, false), (["u=\"1\", i"], 3, true),
      (["u=1, u=9"], 3, false), (["u=1", "u=9"], 3, false), (["i=1"], 3, false),
      (["i", "i=1"], 3, false), (["u"], 3, false), (["u=a, i=a"], 3, false), ([""], 3, false),
    ] as [([String], UInt8, Bool)])
  func `a priority is read`(_ lines: [String], urgency: UInt8, isIncremental: Bool) {
    let priority = Self.read(lines)
    #expect(priority.isSet)
    #expect(priority.urgency == urgency && priority.isIncremental == isIncremental)
  }

  @Test(
    arguments: [
      [], ["u="], ["u=1,"], ["U=1"], ["u=1 i"], ["=1"], ["u=1, i="], [",u=1"],
      ["u=01234567890123456"],
      ["u=1", "u="], ["(", "u=1"], ["u=1\u{e9}"], ["u==1"], ["u=1;"],
    ] as [[String]])
  func `what is no dictionary says nothing`(_ lines: [String]) {
    #expect(!Self.read(lines).isSet)
  }

  /// The dictionary that all lines together are.
  private static func dictionary(_ lines: [String]) -> StructuredDictionary? {
    Array(lines.joined(separator: ",").utf8).withUnsafeBufferPointer { StructuredDictionary($0) }
  }

  private static func check(_ lines: [String]) {
    let priority = read(lines)
    guard let members = dictionary(lines) else {
      #expect(!priority.isSet, "\(lines)")
      return
    }
    var urgency: UInt8 = 3
    if case .item(.integer(let value)) = members["u"], (0...7).contains(value) {
      urgency = UInt8(value)
    }
    #expect(priority.isSet && priority.urgency == urgency, "\(lines)")
    #expect(priority.isIncremental == (members["i"] == .item(.boolean(true))), "\(lines)")
  }

  @Test(arguments: 0..<8)
  func `any line is the dictionary that it is`(_ seed: UInt64) {
    var numbers = SeededNumbers(seed)
    let pieces = [
      "u", "i", "=", "0", "1", "7", "8", ",", ", ", " ", ";", "?0", "?1", "u=3", "i=?0", "\"", "(",
      ")", ".", "-", "a", "\t", "*", ":", "\\", "U",
    ]
    for _ in 0..<1_500 {
      let count = Int.random(in: 1...7, using: &numbers)
      Self.check([(0..<count).map { _ in pieces.randomElement(using: &numbers)! }.joined()])
    }
  }

  @Test func `several lines are the dictionary that they are together`() {
    var numbers = SeededNumbers(1)
    let members = [
      "u=0", "u=5", "u=8", "u", "u=1.5", "u=a", "i", "i=?0", "i=?1", "i=1", "x", "x=\"a, b\"",
      "y=(1 2);z",
    ]
    for _ in 0..<1_500 {
      Self.check(
        (0..<Int.random(in: 1...4, using: &numbers)).map { _ in
          (0..<Int.random(in: 1...3, using: &numbers)).map { _ in
            members.randomElement(using: &numbers)!
          }.joined(separator: ", ")
        })
    }
  }
}
