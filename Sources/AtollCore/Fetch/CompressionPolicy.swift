// SPDX-License-Identifier: Apache-2.0

/// What a behavior compresses at the edge (CloudFront's conditions, RFC 9110 §7.7).
///
/// The origin is asked once, its response is the entry. A form of it is an entry of its own under
/// the same key but for the kind, made on the side and only ever out of what is stored: it has the
/// lifetime, the tags and the Vary section of its source, and goes when that goes.
package final class CompressionPolicy: @unchecked Sendable {
  /// Empty when the behavior compresses nothing.
  package let codings: CodingSet
  private let minimumSize: Int
  private let maximumSize: Int
  /// Lower case; `text/*` for all types of a kind.
  private let types: NameList

  /// - Parameter isPossible: whether the behavior caches at all, and Accept-Encoding is no part of
  ///   the key: who chose that wants the origin to decide.
  init(_ settings: CompressionSettings, isPossible: Bool) {
    codings = isPossible ? settings.codings : []
    minimumSize = settings.minimumSize
    maximumSize = settings.maximumSize
    types = NameList(codings.isEmpty ? [] : settings.types ?? CompressionSettings.standardTypes)
  }

  deinit { types.deallocate() }

  // MARK: Conditions

  /// Whether a response may be compressed, as far as its head tells; its length may be unknown yet.
  /// - Parameter status: as which it is stored: 200 for a part that is all of the whole.
  package func covers(
    _ response: ResponseHead, _ base: UnsafePointer<UInt8>, status: UInt16, length: UInt64?
  ) -> Bool {
    if codings.isEmpty { return false }
    switch status {
    case 200, 403, 404: break
    default: return false
    }
    let fields = response.fields
    // An origin's own encoding is kept, whatever it is.
    if fields.contains(.contentEncoding) { return false }
    if let length, !covers(length: Int(clamping: length)) { return false }
    guard fields.repeated & KnownField.contentType.bit == 0,
      let type = fields.value(of: .contentType, in: base), covers(type: type)
    else { return false }
    return !forbidsTransformation(response, base)
  }

  /// Whether a body of so many bytes is worth it.
  package func covers(length: Int) -> Bool { length >= minimumSize && length <= maximumSize }

  /// Parameters of the media type do not count (RFC 9110 §8.3.1).
  func covers(type value: UnsafeBufferPointer<UInt8>) -> Bool {
    let end = value.firstIndex { $0 == 0x3b || $0 == 0x20 || $0 == 0x09 } ?? value.count
    let type = UnsafeBufferPointer(rebasing: value[..<end])
    if type.isEmpty { return false }
    for index in 0..<types.count {
      let pattern = types[index]
      if pattern.last == 0x2a {
        // `text/*` and `*/*`, and the odd `*`.
        let prefix = UnsafeBufferPointer(rebasing: pattern.dropLast())
        if prefix.count <= 2 && prefix.allSatisfy({ $0 == 0x2a || $0 == 0x2f }) { return true }
        if type.count > prefix.count,
          sameName(UnsafeBufferPointer(rebasing: type[..<prefix.count]), prefix)
        {
          return true
        }
      } else if sameName(type, pattern) {
        return true
      }
    }
    return false
  }

  /// no-transform in Cache-Control or one of the targeted fields (RFC 9111 §5.2.2.6, RFC 9213).
  package func forbidsTransformation(_ response: ResponseHead, _ base: UnsafePointer<UInt8>) -> Bool
  {
    let fields = response.fields
    for index in 0..<fields.count {
      switch fields.lines[index].known {
      case .cacheControl, .cdnCacheControl, .atollCDNCacheControl: break
      default: continue
      }
      var directives = Directives(fields.value(at: index, in: base))
      while let directive = directives.next() {
        if equalsIgnoringCase(directive.name, "no-transform") { return true }
      }
    }
    return false
  }
}

extension CompressionSettings {
  /// The media types that CloudFront compresses.
  package static let standardTypes = [
    "application/dash+xml", "application/eot", "application/font", "application/font-sfnt",
    "application/javascript", "application/json", "application/opentype", "application/otf",
    "application/pkcs7-mime", "application/protobuf", "application/rss+xml",
    "application/truetype", "application/ttf", "application/vnd.apple.mpegurl",
    "application/vnd.mapbox-vector-tile", "application/vnd.ms-fontobject",
    "application/xhtml+xml", "application/xml", "application/x-font-opentype",
    "application/x-font-truetype", "application/x-font-ttf", "application/x-httpd-cgi",
    "application/x-javascript", "application/x-mpegurl", "application/x-opentype",
    "application/x-otf", "application/x-perl", "application/x-ttf", "font/eot", "font/opentype",
    "font/otf", "font/ttf", "image/svg+xml", "text/css", "text/csv", "text/html",
    "text/javascript", "text/js", "text/plain", "text/richtext", "text/tab-separated-values",
    "text/xml", "text/x-component", "text/x-java-source", "text/x-script", "vnd.apple.mpegurl",
  ]
}
