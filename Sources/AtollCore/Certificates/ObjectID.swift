// SPDX-License-Identifier: Apache-2.0

/// Object identifiers of X.509 and its neighbors.
enum ObjectID {
  // Keys.
  static let rsa = "1.2.840.113549.1.1.1"
  static let rsaPSS = "1.2.840.113549.1.1.10"
  static let ec = "1.2.840.10045.2.1"
  static let ed25519 = "1.3.101.112"
  static let ed448 = "1.3.101.113"
  static let dsa = "1.2.840.10040.4.1"

  // Curves.
  static let p256 = "1.2.840.10045.3.1.7"
  static let p384 = "1.3.132.0.34"
  static let p521 = "1.3.132.0.35"

  // Signatures that this program makes.
  static let rsaSHA256 = "1.2.840.113549.1.1.11"
  static let ecdsaSHA256 = "1.2.840.10045.4.3.2"
  static let ecdsaSHA384 = "1.2.840.10045.4.3.3"
  static let ecdsaSHA512 = "1.2.840.10045.4.3.4"

  // Extensions.
  static let subjectKeyID = "2.5.29.14"
  static let keyUsage = "2.5.29.15"
  static let subjectNames = "2.5.29.17"
  static let basicConstraints = "2.5.29.19"
  static let authorityKeyID = "2.5.29.35"
  static let extendedKeyUsage = "2.5.29.37"
  static let authorityAccess = "1.3.6.1.5.5.7.1.1"
  static let tlsFeature = "1.3.6.1.5.5.7.1.24"
  static let acmeIdentifier = "1.3.6.1.5.5.7.1.31"
  static let extensionRequest = "1.2.840.113549.1.9.14"

  // Uses.
  static let serverAuthentication = "1.3.6.1.5.5.7.3.1"
  static let anyUse = "2.5.29.37.0"
  static let ocsp = "1.3.6.1.5.5.7.48.1"
  static let issuers = "1.3.6.1.5.5.7.48.2"

  static let commonName = "2.5.4.3"
  static let organization = "2.5.4.10"

  /// Short names of RFC 4514 §3 and those that openssl prints.
  static let attributes: [String: String] = [
    commonName: "CN", organization: "O", "2.5.4.4": "SN", "2.5.4.5": "serialNumber",
    "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "street", "2.5.4.11": "OU",
    "2.5.4.12": "title", "2.5.4.42": "GN", "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
  ]

  /// What signature algorithms are called, and whether anybody still believes them.
  static let signatures: [String: (name: String, isWeak: Bool)] = [
    "1.2.840.113549.1.1.2": ("RSA with MD2", true),
    "1.2.840.113549.1.1.4": ("RSA with MD5", true),
    "1.2.840.113549.1.1.5": ("RSA with SHA-1", true),
    "1.2.840.113549.1.1.14": ("RSA with SHA-224", true),
    rsaSHA256: ("RSA with SHA-256", false),
    "1.2.840.113549.1.1.12": ("RSA with SHA-384", false),
    "1.2.840.113549.1.1.13": ("RSA with SHA-512", false),
    rsaPSS: ("RSA-PSS", false),
    "1.2.840.10045.4.1": ("ECDSA with SHA-1", true),
    "1.2.840.10045.4.3.1": ("ECDSA with SHA-224", true),
    ecdsaSHA256: ("ECDSA with SHA-256", false),
    ecdsaSHA384: ("ECDSA with SHA-384", false),
    ecdsaSHA512: ("ECDSA with SHA-512", false),
    "1.2.840.10040.4.3": ("DSA with SHA-1", true),
    "2.16.840.1.101.3.4.3.2": ("DSA with SHA-256", true),
    ed25519: ("Ed25519", false),
    ed448: ("Ed448", false),
  ]
}
