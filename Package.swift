// swift-tools-version:6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

let package = Package(
  name: "atoll",
  products: [.executable(name: "atoll", targets: ["atoll"])],
  targets: [
    // What Glibc's module map leaves out (epoll, eventfd, inotify, accept4) and
    // the byte scanners that only C can express with vector instructions.
    .target(name: "CSystem"),
    .target(name: "AtollCore", dependencies: ["CSystem"], swiftSettings: strict),
    .target(name: "AtollEdge", dependencies: ["AtollCore", "CSystem"], swiftSettings: strict),
    .executableTarget(
      name: "atoll", dependencies: ["AtollCore", "AtollEdge", "CSystem"], swiftSettings: strict),
    .testTarget(
      name: "AtollCoreTests", dependencies: ["AtollCore", "CSystem"], swiftSettings: strict),
    .testTarget(
      name: "AtollEdgeTests", dependencies: ["AtollEdge", "AtollCore", "CSystem"],
      swiftSettings: strict),
    .testTarget(
      name: "CommandTests", dependencies: ["atoll", "AtollCore", "CSystem"], swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
