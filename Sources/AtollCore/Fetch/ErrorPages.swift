// SPDX-License-Identifier: Apache-2.0

/// An error page that lies beside the edge, read when its distribution was.
package struct ErrorPageFile: Equatable, Sendable {
  package let bytes: [UInt8]
  package let contentType: String

  /// - Parameter path: by whose ending the media type goes.
  package init(path: String, bytes: [UInt8]) {
    self.bytes = bytes
    contentType = Self.contentType(ofPath: path)
  }

  static func contentType(ofPath path: String) -> String {
    let name = path.split(separator: "/").last ?? ""
    let ending = name.contains(".") ? name.split(separator: ".").last?.lowercased() : nil
    return switch ending {
    case "html", "htm": "text/html; charset=utf-8"
    case "txt", "text": "text/plain; charset=utf-8"
    case "css": "text/css; charset=utf-8"
    case "js", "mjs": "text/javascript; charset=utf-8"
    case "json": "application/json"
    case "xml": "application/xml"
    case "svg": "image/svg+xml"
    case "png": "image/png"
    case "jpg", "jpeg": "image/jpeg"
    case "gif": "image/gif"
    case "webp": "image/webp"
    case "ico": "image/x-icon"
    case "pdf": "application/pdf"
    default: "application/octet-stream"
    }
  }
}

/// Appends the head of the request for an error page: GET, or HEAD, for its path with what the
/// viewer said about itself. What it said about the resource that it asked for, its copy of that
/// and the body that it sent stays out.
/// - Parameter path: with the query, if any.
package func appendPageRequest(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, path: [UInt8], to request: ByteBuffer
) {
  request.append(head.method == .head ? "HEAD " : "GET ")
  request.append(path)
  request.append(head.minorVersion == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n")
  let authority = head.authority(in: base)
  if !authority.isEmpty || head.minorVersion > 0 {
    request.append("Host: ")
    request.append(authority)
    request.append("\r\n")
  }
  let dropped =
    FieldRules.conditional | FieldRules.hopByHop
    | FieldRules.set(
      .host, .contentLength, .contentType, .contentEncoding, .contentLocation, .contentRange,
      .expect, .maxForwards)
  let fields = head.fields
  for index in 0..<fields.count {
    let name = fields.name(at: index, in: base)
    if dropped & fields.lines[index].known.bit != 0 || head.withholds(name, base) { continue }
    request.append(name)
    request.append(": ")
    request.append(fields.value(at: index, in: base))
    request.append("\r\n")
  }
  request.append("\r\n")
}

/// Whether this response to the request for an error page is the page: everything else says that the
/// page is not to be had, and goes to the viewer as it is (CloudFront §20).
package func isErrorPage(_ status: UInt16) -> Bool { status >= 200 && status < 300 }

/// Appends the head of an error page as it is stored or relayed with another status.
/// - Parameters:
///   - head: status line and fields.
///   - fieldsStart: where the fields begin.
package func appendReplacedHead(
  _ head: UnsafeBufferPointer<UInt8>, fieldsStart: UInt32, status: UInt16, to buffer: ByteBuffer
) {
  appendStatusLine(status, to: buffer)
  buffer.append(UnsafeBufferPointer(rebasing: head[Int(fieldsStart)...]))
}

/// Whether an exchange that got a page for an error says of itself how it came by the page, and not
/// by the error. That was a hit only if neither was forwarded (RFC 9211 §2.1), and an error of the
/// edge's own stays one.
package func tellsOfPage(after error: Verdict) -> Bool { error.outcome == .hit }

/// Seconds until one of both, error and page, is stale; nil when one has no lifetime.
package func jointLifetime(error: Int64?, page: Int64?) -> Int64? {
  guard let error, let page else { return nil }
  return min(error, page)
}
