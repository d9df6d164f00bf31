// SPDX-License-Identifier: Apache-2.0

/// Puts proofs where the CA will look for them, and takes them away again.
package protocol ChallengeProver: AnyObject, Sendable {
  var challenge: ChallengeType { get }

  /// Returns when the CA can find all of them.
  func present(_ proofs: [ChallengeProof]) throws(ACMEError)

  /// Takes away everything that was presented; what can't be is left. From any thread, at any time:
  /// nothing is presented afterwards that is not taken away too.
  func withdraw()
}
