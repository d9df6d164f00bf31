// SPDX-License-Identifier: Apache-2.0

/// An origin's interim response as the viewer gets it (RFC 9110 §15.2): the status line and the
/// end-to-end fields, without the empty line.
package func appendInterimHead(
  _ response: ResponseHead, _ base: UnsafePointer<UInt8>, to buffer: ByteBuffer
) {
  buffer.append("HTTP/1.1 ")
  buffer.appendDecimal(UInt64(response.status))
  buffer.append(0x20)
  buffer.append(base + Int(response.reasonStart), Int(response.reasonLength))
  buffer.append("\r\n")
  for index in 0..<response.fields.count {
    switch response.fields.lines[index].known {
    case .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade,
      .contentLength, .proxyAuthenticate, .proxyAuthenticationInfo:
      continue
    default:
      let name = response.fields.name(at: index, in: base)
      if response.connectionListsFields && response.fields.connectionLists(name, base) { continue }
      buffer.append(name)
      buffer.append(": ")
      buffer.append(response.fields.value(at: index, in: base))
      buffer.append("\r\n")
    }
  }
}

extension MethodSet {
  /// As the Allow field lists them (RFC 9110 §10.2.1).
  package var listing: String {
    rawValue.split(separator: ",").joined(separator: ", ")
  }
}
