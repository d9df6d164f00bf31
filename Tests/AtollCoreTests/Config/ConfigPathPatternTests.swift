// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct ConfigPathPatternTests {
  @Test(arguments: [
    ("img/*", "/img/*"), ("/img/", "/img/*"), ("/img/**", "/img/*"), ("/*?*", "/?*"),
    ("*.jpg", "/*.jpg"), ("/a?*?b", "/a??*b"), ("/", "/*"), ("?", "/?"),
    ("*/a", "*/a"), ("**/a", "*/a"), ("*/", "*/*"),
  ])
  func `patterns that mean the same have one text`(path: String, text: String) {
    #expect(PathPattern(path).text == text)
  }

  @Test(arguments: [
    ("/*", "/anything", true), ("/img/*", "/img/a/b.png", true), ("/img/*", "/img", false),
    ("/*.jpg", "/a/*.jpg", true), ("/a/*.jpg", "/*.jpg", false), ("/a?c", "/abc", true),
    ("/abc", "/a?c", false), ("/a*", "/a?c", true), ("/?*", "/*?", true), ("/*", "/?*", true),
    ("/?*", "/*", false), ("/*a*", "/*a", true), ("/x?*y", "/x*ay", true),
    ("/x?*y", "/x*y", false), ("/?*a*", "/*a*", false), ("/?*a*", "/*a*a", true),
    ("/*ab*", "/*a*b*", false), ("/*a*b*", "/*ab*", true), ("/a*b*c", "/a*c", false),
    ("/a*c", "/a*b*c", true), ("/??*", "/*a*b", true), ("/???*", "/*a*b", false),
    ("/img/", "/img/*.png", true), ("/Img/*", "/img/a", false),
    ("*/a", "/*/a", true), ("/*/a", "*/a", false), ("*/a", "/a", true), ("/*a", "*/a", true),
    ("/*", "*/a", true), ("*/*", "/*", true),
  ])
  func `a pattern covers another when it matches all of its paths`(
    pattern: String, other: String, covers: Bool
  ) {
    #expect(PathPattern(pattern).covers(PathPattern(other)) == covers)
  }

  /// Against the definition, over every pattern of up to three symbols and every path of up to six
  /// letters: the letter b, found in no pattern, stands for all others.
  @Test func `covering agrees with matching, tried out`() {
    func texts(_ alphabet: String, _ longest: Int) -> [[UInt8]] {
      var all: [[UInt8]] = [[]]
      var last: [[UInt8]] = [[]]
      for _ in 0..<longest {
        last = last.flatMap { text in alphabet.utf8.map { text + [$0] } }
        all += last
      }
      return all
    }
    let paths = texts("/ab", 6).map { "/".utf8 + $0 }
    var matched: [String: [UInt64]] = [:]
    for pattern in texts("/a*?", 3) where !pattern.isEmpty {
      let text = PathPattern(String(decoding: pattern, as: UTF8.self)).text
      if matched[text] != nil { continue }
      var bits = [UInt64](repeating: 0, count: paths.count / 64 + 1)
      for (index, path) in paths.enumerated() where matches(Array(text.utf8)[...], path[...]) {
        bits[index / 64] |= 1 << UInt64(index % 64)
      }
      matched[text] = bits
    }
    for (pattern, own) in matched {
      for (other, others) in matched {
        let covers = zip(own, others).allSatisfy { $1 & ~$0 == 0 }
        // Only a difference is recorded: there are thousands of pairs.
        if PathPattern(pattern).covers(PathPattern(other)) != covers {
          Issue.record("\(pattern) over \(other)")
        }
      }
    }
  }

  private func matches(_ pattern: ArraySlice<UInt8>, _ path: ArraySlice<UInt8>) -> Bool {
    guard let first = pattern.first else { return path.isEmpty }
    if first == UInt8(ascii: "*") {
      return matches(pattern.dropFirst(), path)
        || (!path.isEmpty && matches(pattern, path.dropFirst()))
    }
    guard let letter = path.first, first == UInt8(ascii: "?") || first == letter else {
      return false
    }
    return matches(pattern.dropFirst(), path.dropFirst())
  }
}
