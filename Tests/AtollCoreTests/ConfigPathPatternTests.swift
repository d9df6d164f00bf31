// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct ConfigPathPatternTests {
  @Test(arguments: [
    ("img/*", "/img/*"), ("/img/", "/img/*"), ("/img/**", "/img/*"), ("/*?*", "/?*"),
    ("*.jpg", "/*.jpg"), ("/a?*?b", "/a??*b"), ("/", "/*"), ("?", "/?"),
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
  ])
  func `a pattern covers another when it matches all of its paths`(
    pattern: String, other: String, covers: Bool
  ) {
    #expect(PathPattern(pattern).covers(PathPattern(other)) == covers)
  }

  /// Against the definition, over every pattern of up to four symbols and every path of up to six
  /// letters: the letter c, found in no pattern, stands for all others.
  @Test func `covering agrees with matching, tried out`() {
    func texts(_ alphabet: [UInt8], _ longest: Int) -> [[UInt8]] {
      var all: [[UInt8]] = [[]]
      var last: [[UInt8]] = [[]]
      for _ in 0..<longest {
        last = last.flatMap { text in alphabet.map { text + [$0] } }
        all += last
      }
      return all
    }
    let paths = texts(Array("abc".utf8), 6)
    // A slash at the end would mean another star.
    let patterns = texts(Array("a*?".utf8), 4).filter { !$0.isEmpty }
    var matched: [String: [Bool]] = [:]
    for pattern in patterns {
      let text = PathPattern(String(decoding: pattern, as: UTF8.self)).text
      if matched[text] == nil {
        matched[text] = paths.map { matches(Array(text.utf8.dropFirst())[...], $0[...]) }
      }
    }
    for (pattern, own) in matched {
      for (other, others) in matched {
        let covers = !zip(own, others).contains { !$0 && $1 }
        #expect(
          PathPattern(pattern).covers(PathPattern(other)) == covers, "\(pattern) over \(other)")
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
