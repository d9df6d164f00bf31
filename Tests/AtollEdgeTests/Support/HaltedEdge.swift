// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// An edge of one loop that a test can halt: what happens meanwhile, the loop hears of all at once.
final class HaltedEdge {
  let edge: EdgeUnderTest
  private let refusing: RefusingOrigin
  private let isHalted: Event
  private let release: Event
  private var viewer: ScriptedViewer?

  /// - Parameter origin: of the distribution "site".
  init(_ origin: ScriptedOrigin) throws {
    let refusing = try RefusingOrigin()
    let (isHalted, release) = (Event(), Event())
    edge = try EdgeUnderTest(
      [
        try EdgeUnderTest.distribution("site", originPort: origin.port),
        try EdgeUnderTest.distribution("down", originPort: refusing.port),
      ],
      options: {
        // The loop writes the edge's log itself, so it stands still while a line is held up.
        $0.report = { _ in
          isHalted.fire()
          release.wait()
        }
      })
    self.refusing = refusing
    self.isHalted = isHalted
    self.release = release
  }

  /// Whether the loop stands still.
  func halt() throws -> Bool {
    let viewer = try edge.viewer()
    try viewer.send("GET / HTTP/1.1\r\nHost: down.atoll.localhost\r\n\r\n")
    self.viewer = viewer
    return isHalted.wait()
  }

  func goOn() {
    release.fire()
    viewer?.close()
  }
}
