// SPDX-License-Identifier: Apache-2.0

/// What a database tells of an address.
package protocol GeoRecord {
  /// Appends the value of a header that is about the place; false when the database has none.
  func append(_ header: ViewerHeader, to buffer: ByteBuffer) -> Bool
}

/// For addresses that no database knows.
package struct NoGeoRecord: GeoRecord {
  package init() {}
  package func append(_ header: ViewerHeader, to buffer: ByteBuffer) -> Bool { false }
}

/// Who asks, as far as it makes a difference to what is served: in the key, for Vary, and for the
/// origin alike.
///
/// `headers` holds the values of the viewer headers that the behavior uses, in the order of their
/// numbers: the number in one byte, then the value as a part of a key (0 for none).
@usableFromInline
package struct ViewerFacts {
  @usableFromInline package var scheme: Scheme
  @usableFromInline package var headers: UnsafeBufferPointer<UInt8>

  @inlinable @inline(__always)
  package init(
    scheme: Scheme = .http,
    headers: UnsafeBufferPointer<UInt8> = UnsafeBufferPointer(start: nil, count: 0)
  ) {
    self.scheme = scheme
    self.headers = headers
  }

  /// Nil when the viewer has none, or nobody asked for it.
  func value(of header: ViewerHeader) -> UnsafeBufferPointer<UInt8>? {
    var parts = ViewerParts(headers)
    while let part = parts.next() {
      if part.header == header { return part.value }
    }
    return nil
  }
}

struct ViewerParts {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var at = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  mutating func next() -> (header: ViewerHeader, value: UnsafeBufferPointer<UInt8>?)? {
    guard at &+ 3 <= bytes.count, let header = ViewerHeader(rawValue: bytes[at]) else { return nil }
    let length = Int(UInt16(bytes[at &+ 1]) | UInt16(bytes[at &+ 2]) &<< 8) &- 1
    let start = at &+ 3
    at = start &+ max(length, 0)
    if length < 0 { return (header, nil) }
    return (header, UnsafeBufferPointer(rebasing: bytes[start..<at]))
  }
}

/// Where a request comes from.
package struct ViewerSource {
  /// Address as text, without port.
  package var text: UnsafeBufferPointer<UInt8>
  /// 0 when it is not known.
  package var port: UInt16
  package var scheme: Scheme
  /// Nil for who came in the clear, or to a proxy before the edge.
  package var security: ViewerSecurity?
  package var version: HTTPVersion

  package init(
    text: UnsafeBufferPointer<UInt8>, port: UInt16, scheme: Scheme,
    security: ViewerSecurity? = nil, version: HTTPVersion = .http11
  ) {
    self.text = text
    self.port = port
    self.scheme = scheme
    self.security = security
    self.version = version
  }
}

/// A viewer's TLS, for CloudFront-Viewer-TLS (CloudFront §14).
package struct ViewerSecurity {
  /// How the connection came to the request.
  package enum Handshake: Sendable {
    case full, resumed
    /// It has answered a request before.
    case reused

    package var text: StaticString {
      switch self {
      case .full: "fullHandshake"
      case .resumed: "sessionResumed"
      case .reused: "connectionReused"
      }
    }
  }

  /// `TLSv1.3`.
  package var version: UnsafeBufferPointer<UInt8>
  /// As OpenSSL names it: `TLS_AES_128_GCM_SHA256`, `ECDHE-RSA-AES128-GCM-SHA256`.
  package var cipher: UnsafeBufferPointer<UInt8>
  package var handshake: Handshake

  package init(
    version: UnsafeBufferPointer<UInt8>, cipher: UnsafeBufferPointer<UInt8>, handshake: Handshake
  ) {
    self.version = version
    self.cipher = cipher
    self.handshake = handshake
  }
}

/// Longest value of a viewer header: CloudFront's for the names of all headers.
let longestViewerValue = 7_680

/// Appends the values of these headers, laid out as `ViewerFacts` has them.
package func appendViewerHeaders<Record: GeoRecord>(
  _ wanted: ViewerHeaders, _ head: RequestHead, _ base: UnsafePointer<UInt8>,
  source: ViewerSource, geo: Record, to buffer: ByteBuffer
) {
  let none = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
  let userAgent = head.fields.value(of: .userAgent, in: base) ?? none
  let isAboutDevice = !wanted.isDisjoint(with: ViewerHeaders.device.union(.system))
  let words = isAboutDevice ? DeviceWords.found(in: userAgent) : []
  let device = DeviceClass(words)
  var number: UInt8 = 0
  while let header = ViewerHeader(rawValue: number &+ 1) {
    number &+= 1
    if wanted.isDisjoint(with: header.set) { continue }
    buffer.append(number)
    let start = buffer.count
    buffer.appendLittleEndian(0)
    var isKnown = true
    func append(_ condition: Bool) { buffer.append(condition ? "true" : "false") }
    switch header {
    case .isDesktop: append(device == .desktop)
    case .isMobile: append(device == .mobile)
    case .isTablet: append(device == .tablet)
    case .isSmartTV: append(device == .television)
    case .isAndroid: append(words.isAndroid)
    case .isIOS: append(words.isIOS)
    case .forwardedProto:
      switch source.scheme {
      case .http: buffer.append("http")
      case .https: buffer.append("https")
      }
    case .country, .countryName, .region, .regionName, .city, .postalCode, .metroCode, .latitude,
      .longitude, .timeZone, .asn:
      isKnown = geo.append(header, to: buffer)
    case .httpVersion:
      buffer.append(head.minorVersion == 0 ? HTTPVersion.http10.number : source.version.number)
    case .address:
      buffer.append(source.text)
      buffer.append(0x3a)
      buffer.appendDecimal(UInt64(source.port))
    case .headerOrder: appendHeaderOrder(head, base, to: buffer)
    case .headerCount: buffer.appendDecimal(UInt64(head.fields.count))
    case .tls:
      if let security = source.security {
        buffer.append(security.version)
        buffer.append(0x3a)
        buffer.append(security.cipher)
        buffer.append(0x3a)
        buffer.append(security.handshake.text)
      } else {
        isKnown = false
      }
    }
    if !isKnown {
      buffer.truncate(to: start &+ 2)
      continue
    }
    if buffer.count &- start &- 2 > longestViewerValue {
      buffer.truncate(to: start &+ 2 &+ longestViewerValue)
    }
    buffer.setPrefix(at: start)
  }
}

/// The names of all header fields in their order, joined by colons.
private func appendHeaderOrder(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, to buffer: ByteBuffer
) {
  for index in 0..<head.fields.count {
    if index > 0 { buffer.append(0x3a) }
    buffer.append(head.fields.name(at: index, in: base))
  }
}
