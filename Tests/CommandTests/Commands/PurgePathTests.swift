// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

@testable import atoll

private func shop(_ preset: Preset = .origin) -> PurgeTarget {
  guard let origin = try? Origin(url: "http://origin.example") else { preconditionFailure() }
  return PurgeTarget(
    Distribution.make(name: "Shop", origin: origin, preset: preset, id: "dabcdefghijklm", now: 0))
}

private func problem(_ text: String) -> CommandError.Problem? {
  do throws(CommandError) {
    _ = try PurgePath.selector(text, of: shop())
    return nil
  } catch {
    return error.problems.first
  }
}

@Suite struct PurgePathTests {
  @Test(arguments: [
    ("/", PurgeSelector.path("/")),
    ("/a/b.css", .path("/a/b.css")),
    ("/a?x=1", .path("/a?x=1")),
    ("/img/*", .prefix("/img/")),
    ("/a?*", .prefix("/a?")),
    ("/*", .all),
    ("/a b/é", .path("/a%20b/%C3%A9")),
    ("/a%2fb", .path("/a%2fb")),
    ("http://shop.atoll.localhost:8080/a?b", .path("/a?b")),
    ("http://dabcdefghijklm.atoll.localhost", .path("/")),
    ("http://shop.atoll.localhost?b", .path("/?b")),
    ("HTTPS://SHOP.atoll.localhost/*", .all),
    ("http://localhost:8080/a", .path("/a")),
    ("http://127.0.0.1/a*", .prefix("/a")),
    ("http://[::1]:81/a", .path("/a")),
  ])
  func `a path is read`(text: String, selector: PurgeSelector) throws {
    #expect(try PurgePath.selector(text, of: shop()) == selector)
  }

  @Test(arguments: [
    ("a", "write /a"), ("*", "write '/*' or --all for everything"), ("", "write /"),
    ("/a*b", "write '/a*' for everything that begins so"),
    ("/**", "write '/*' for everything that begins so"),
    ("/a#b", "leave out what follows #"),
    ("http://www.example.com/a", "write the path alone: /a"),
    ("http://origin.example", "write the path alone: /"),
    ("http://a b/c", "write the path alone: /c"),
    ("ftp://localhost/a", "write /ftp://localhost/a"),
  ])
  func `what is no path is refused with a way out`(text: String, hint: String) {
    #expect(problem(text)?.hint == hint)
  }

  @Test func `a query that the key leaves out is left out`() throws {
    #expect(try PurgePath.selector("/a?x=1", of: shop(.static)) == .path("/a"))
    #expect(try PurgePath.selector("/a?x=1", of: shop(.wordpress)) == .path("/a?x=1"))
    #expect(try PurgePath.selector("/a?x*", of: shop(.static)) == .prefix("/a?x"))
    let unsaved = PurgeTarget(unsaved: "other", id: "dbcdefghijklmn")
    #expect(try PurgePath.selector("/a?x=1", of: unsaved) == .path("/a?x=1"))
  }

  @Test func `a path has a limit`() {
    let longest = "/" + String(repeating: "a", count: PurgePath.limit - 1)
    #expect(problem(longest) == nil)
    #expect(problem(longest + "a")?.message.hasSuffix("longer than 4,000 characters") == true)
  }

  @Test func `a control character does not reach the terminal`() {
    #expect(problem("/a\u{1B}[2J")?.message.contains("\u{1B}") == false)
  }
}
