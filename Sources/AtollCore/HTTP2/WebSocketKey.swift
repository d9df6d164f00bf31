// SPDX-License-Identifier: Apache-2.0
import CTLS

/// Base64 (RFC 4648 §4) of a few bytes.
func base64Text(_ bytes: [UInt8]) -> String {
  // EVP_EncodeBlock ends its text with a zero.
  var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
  let count = EVP_EncodeBlock(&text, bytes, Int32(bytes.count))
  return String(decoding: text.prefix(Int(count)), as: UTF8.self)
}

/// What a server that speaks WebSocket answers to a key (RFC 6455 §4.2.2).
package func webSocketAccept(for key: String) -> String {
  let text = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
  var digest = [UInt8](repeating: 0, count: 20)
  EVP_Digest(text, text.count, &digest, nil, EVP_sha1(), nil)
  return base64Text(digest)
}
