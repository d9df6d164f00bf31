// swift-tools-version:6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

/// Debug builds keep the dynamic checks for exclusive access to class properties; in the release
/// they would cost a hit a tenth of its instructions.
let quick: [SwiftSetting] = [
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

let package = Package(
  name: "atoll",
  products: [.executable(name: "atoll", targets: ["atoll"])],
  targets: [
    // What Glibc's module map leaves out (epoll, eventfd, inotify, accept4) and
    // the byte scanners that only C can express with vector instructions.
    .target(name: "CSystem"),
    // The encoders of zlib and Brotli.
    .target(
      name: "CCompression",
      linkerSettings: [
        .linkedLibrary("z"), .linkedLibrary("brotlienc"), .linkedLibrary("brotlicommon"),
      ]),
    // OpenSSL, and nghttp2.
    .target(
      name: "CTLS", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(name: "CHTTP2", linkerSettings: [.linkedLibrary("nghttp2")]),
    // Reads GeoIP databases.
    .systemLibrary(name: "CMaxMind", providers: [.apt(["libmaxminddb-dev"])]),
    .target(name: "AtollCore", dependencies: ["CSystem", "CTLS"], swiftSettings: strict + quick),
    .target(
      name: "AtollEdge",
      dependencies: ["AtollCore", "CCompression", "CHTTP2", "CMaxMind", "CSystem", "CTLS"],
      swiftSettings: strict + quick),
    .executableTarget(
      name: "atoll", dependencies: ["AtollCore", "AtollEdge", "CSystem"], swiftSettings: strict),
    // What the tests of several targets need.
    .target(
      name: "TestSupport", dependencies: ["CSystem", "CTLS"], path: "Tests/TestSupport",
      swiftSettings: strict),
    // Decoders for what the edge has compressed.
    .target(
      name: "CDecoders", path: "Tests/CDecoders",
      linkerSettings: [
        .linkedLibrary("z"), .linkedLibrary("brotlidec"), .linkedLibrary("brotlicommon"),
      ]),
    .testTarget(
      name: "AtollCoreTests", dependencies: ["AtollCore", "CSystem", "CTLS", "TestSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "AtollEdgeTests",
      dependencies: [
        "AtollEdge", "AtollCore", "CCompression", "CDecoders", "CHTTP2", "CSystem", "CTLS",
        "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "CommandTests", dependencies: ["atoll", "AtollCore", "CSystem", "CTLS", "TestSupport"],
      swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
