// SPDX-License-Identifier: Apache-2.0
import AtollCore

@main
struct Atoll {
  static func main() {}
}
