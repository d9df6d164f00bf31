// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import atoll

/// Files made from the definitions, which the repository keeps.
struct GeneratedFile: Sendable, CustomTestStringConvertible {
  let path: String
  let text: String
  var testDescription: String { path }

  static let all: [GeneratedFile] =
    ManPage.all().map { GeneratedFile(path: "man/\($0.name)", text: $0.text) }
    + Completions.all().map { GeneratedFile(path: "completions/\($0.name)", text: $0.text) }
}

@Suite struct GeneratedFilesTests {
  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    .dropLast(4).joined(separator: "/")

  @Test(arguments: GeneratedFile.all)
  func `the committed file is what make docs writes`(file: GeneratedFile) {
    let isCurrent = readText("\(Self.root)/\(file.path)") == file.text
    #expect(isCurrent, "run make docs and commit \(file.path)")
  }

  @Test func `no page is left of a command that is gone`() {
    let pages = TemporaryDirectory.names(in: "\(Self.root)/man") ?? []
    #expect(Set(pages) == Set(ManPage.all().map(\.name)))
  }

  /// The page takes the numbers from the code; that it leaves none out, only the sources tell.
  @Test func `every limit is in the manual of serve`() throws {
    let code = try #require(readText("\(Self.root)/Sources/AtollCore/HTTP/Limits.swift"))
    let manual = try #require(readText("\(Self.root)/Sources/atoll/Commands/ServeManual.swift"))
    let limits = code.matches(of: /static let (\w+) =/).map { String($0.1) }
    #expect(limits.count > 20)
    let told = Set(manual.matches(of: /Limits\.(\w+)/).map { String($0.1) })
    #expect(limits.filter { !told.contains($0) } == [])
  }

  @Test(arguments: [("bash", "atoll.bash"), ("zsh", "_atoll"), ("fish", "atoll.fish")])
  func `the shell can read its completions`(shell: String, file: String) {
    guard let program = findProgram(shell) else { return }
    let path = "\(Self.root)/completions/\(file)"
    let check = RunningAtoll(["-n", path], program: program).wait()
    #expect(check.exitCode == 0, "\(check.stderr)")
  }
}

@Suite struct ExampleTests {
  @Test func `a long command becomes lines that a shell reads as one`() {
    let example = Example("atoll create docs --preset static --cache-path '/img/* default=7d'", "")
    #expect(
      example.lines(width: 36) == [
        "atoll create docs --preset static \\", "    --cache-path '/img/* default=7d'",
      ])
    #expect(example.lines(width: 79) == [example.command])
  }

  /// What is filled fits by itself; 11 columns are the margin.
  @Test(arguments: ManPage.all())
  func `unfilled lines of a page fit 80 columns`(name: String, text: String) {
    var isFilled = true
    for line in text.split(separator: "\n") {
      if line == ".nf" || line == ".fi" { isFilled = line == ".fi" }
      let plain = line.replacing("\\(aq", with: "'").replacing("\\-", with: "-")
        .replacing("\\(dq", with: "\"")
      #expect(isFilled || plain.count <= 69, "\(name): \(plain)")
    }
  }
}

/// bash's completions, driven as bash drives them.
@Suite struct BashCompletionTests {
  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    .dropLast(4).joined(separator: "/")

  /// What is offered for the last of `words`.
  private func complete(_ words: [String], environment: [String: String] = [:]) -> [String] {
    let script = """
      compopt() { :; }
      source '\(Self.root)/completions/atoll.bash'
      PATH="\(Binary.path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }):$PATH"
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
      _atoll
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    guard let bash = findProgram("bash") else { return [] }
    let result = RunningAtoll(["-c", script, "bash"] + words, env: environment, program: bash)
      .wait()
    #expect(result.stderr.isEmpty)
    return result.stdout.split(separator: "\n").map(String.init)
  }

  @Test func `commands come first`() {
    #expect(complete(["atoll", "he"]) == ["help"])
    #expect(complete(["atoll", "--color", "never", "he"]) == ["help"])
  }

  @Test func `options are those of the command`() {
    #expect(complete(["atoll", "help", "--qu"]) == ["--quiet"])
    #expect(complete(["atoll", "--ver"]) == ["--version"])
  }

  @Test func `values are offered after an option and after its equals sign`() {
    #expect(complete(["atoll", "help", "--color", "a"]) == ["auto", "always"])
    #expect(complete(["atoll", "help", "--color", "=", "n"]) == ["never"])
    #expect(complete(["atoll", "help", "--color", "="]) == ["auto", "always", "never"])
  }

  @Test func `names of distributions come from the store`() {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    home.atoll("create", "blog", "--origin", "http://localhost:3000")
    #expect(complete(["atoll", "show", ""], environment: home.environment) == ["blog", "shop"])
    #expect(complete(["atoll", "update", "s"], environment: home.environment) == ["shop"])
    #expect(
      complete(
        ["atoll", "delete", "--timeout", "5s", "--yes", "b"], environment: home.environment)
        == ["blog"])
    #expect(complete(["atoll", "create", "s"], environment: home.environment) == [])
    let store = home.directory.path + "/store"
    #expect(complete(["atoll", "--home", store, "show", "s"]) == ["shop"])
    #expect(complete(["atoll", "show", "--home", "=", store, "s"]) == ["shop"])
    #expect(complete(["atoll", "show", "shop", ""], environment: home.environment) == [])
  }

  @Test func `verbs follow their group, with options and arguments of their own`() {
    let home = Home()
    home.atoll("cert", "create", "shop", "--local", "-d", "shop.test")
    #expect(complete(["atoll", "ce"]) == ["cert"])
    #expect(complete(["atoll", "cert", "auth"]) == ["authority"])
    #expect(complete(["atoll", "cert", "--color", "never", "sho"]) == ["show"])
    #expect(complete(["atoll", "--home", "/tmp", "cert", "imp"]) == ["import"])
    #expect(complete(["atoll", "cert", "--q"]) == ["--quiet"])
    #expect(complete(["atoll", "cert", "--color", "a"]) == ["auto", "always"])
    #expect(complete(["atoll", "cert", "show", "--pe"]) == ["--pem"])
    #expect(complete(["atoll", "cert", "create", "x", "--key", "p"]) == ["p256", "p384"])
    #expect(complete(["atoll", "cert", "show", ""], environment: home.environment) == ["shop"])
    #expect(
      complete(["atoll", "cert", "delete", "-y", "s"], environment: home.environment) == ["shop"])
    #expect(complete(["atoll", "cert", "show", "shop", ""], environment: home.environment) == [])
    let file = home.directory.write("cert.pem", "")
    #expect(
      complete(["atoll", "cert", "import", "x", file, "\(home.directory.path)/ce"]) == [file])
    #expect(complete(["atoll", "help", "cert", "impo"]) == ["import"])
  }

  @Test func `files are offered where files are read`() {
    let home = Home()
    let file = home.directory.write("site.json", "{}")
    #expect(complete(["atoll", "apply", "\(home.directory.path)/si"]) == [file])
    #expect(complete(["atoll", "apply", file, "\(home.directory.path)/si"]) == [file])
    #expect(complete(["atoll", "create", "x", "--file", "\(home.directory.path)/si"]) == [file])
  }

  @Test func `fish offers the same`() {
    guard let fish = findProgram("fish") else { return }
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    let directory = Binary.path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
    func complete(_ line: String, _ more: [String: String] = [:]) -> [String] {
      let script = """
        set -x PATH \(directory) $PATH
        source \(Self.root)/completions/atoll.fish
        complete -C '\(line)'
        """
      let environment = ["HOME": home.directory.path].merging(home.environment) { $1 }
        .merging(more) { $1 }
      let result = RunningAtoll(
        ["--no-config", "-c", script], env: environment, program: fish
      ).wait()
      return result.stdout.split(separator: "\n").compactMap {
        $0.split(separator: "\t").first.map(String.init)
      }
    }
    #expect(complete("atoll sho") == ["show"])
    #expect(complete("atoll show ") == ["shop"])
    #expect(complete("atoll show shop ") == [])
    let store = home.directory.path + "/store"
    let elsewhere = ["ATOLL_HOME": "/nonexistent"]
    #expect(complete("atoll --home \(store) show ", elsewhere) == ["shop"])
    #expect(complete("atoll show --home=\(store) ", elsewhere) == ["shop"])
    #expect(complete("atoll delete --timeout 5s ") == ["shop"])
    #expect(complete("atoll create x --plan s") == ["small"])
    #expect(complete("atoll update shop --if").isEmpty)
    #expect(complete("atoll create x --if") == ["--if-missing"])
    // A verb that is called as a command is.
    #expect(complete("atoll cert cre") == ["create"])
    #expect(complete("atoll cert create x --plan s").isEmpty)
    home.atoll("cert", "create", "blog", "--local", "-d", "blog.test")
    #expect(complete("atoll cert show ") == ["blog"])
    #expect(complete("atoll cert show blog ") == [])
    #expect(complete("atoll cert show --pe") == ["--pem"])
    #expect(complete("atoll --color never cert del") == ["delete"])
    #expect(complete("atoll help cert sho").contains("show"))
  }

  @Test func `arguments are of their kind, options aside`() {
    #expect(complete(["atoll", "help", "--color", "never", "-q", "he"]) == ["help"])
  }
}
